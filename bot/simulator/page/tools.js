// The simulator's own tools, beside the conversation: the log of what travels between Slack and the app, and the faults.

import { fill, h, icon, iconButton } from "./dom.js";
import { toast } from "./floating.js";
import { Steps } from "./steps.js";
import { control, Refused } from "./wire.js";
import { clock, t } from "./words.js";

const SHOWN = 300; // transfers shown at once
const SIGNS = { event: "→", interaction: "→", socket: "↔", call: "←", answer: "←" }; // to the app, or from it

/** The panel. `listen(on)` asks the simulator to send (or no longer send) the log. */
export class Tools {
  #listen;
  #transfers = new Map(); // id -> transfer, oldest first
  #rows = new Map(); // id -> element
  #filter = "";

  constructor(listen) {
    this.#listen = listen;
    this.list = h("div", { class: "wire-list", role: "list", "aria-label": t("wire"), dataset: { testid: "wire" }, tabindex: "0" });
    this.waiting = h("pre", { class: "wire-json", tabindex: "0", "aria-label": t("fault_waiting"), dataset: { testid: "fault-state" } });
    const search = h("input", {
      type: "search", class: "field", placeholder: t("wire_filter"), "aria-label": t("wire_filter"), dataset: { testid: "wire-filter" },
      oninput: () => { this.#filter = search.value.toLowerCase(); this.#render(); } });
    const log = h("div", { class: "tools-pane" }, h("div", { class: "tools-row" }, search,
      h("button", { type: "button", class: "button", dataset: { testid: "wire-copy" }, onclick: () => copy(this.#matching().map((one) => JSON.stringify(one)).join("\n")) }, t("wire_copy"))), this.list);
    const faults = h("div", { class: "tools-pane", hidden: true }, this.#faults(), this.waiting);
    const steps = new Steps();
    const panes = [log, faults, steps.element];
    const tabs = [["wire", log], ["faults", faults], ["steps", steps.element]].map(([name, pane]) => h("button", {
      type: "button", class: "tab", role: "tab", "aria-selected": String(pane === log), dataset: { testid: `tools-${name}` },
      onclick: (event) => {
        for (const one of tabs) one.setAttribute("aria-selected", String(one === event.currentTarget));
        for (const one of panes) one.hidden = pane !== one;
        if (pane === faults) this.#order();
        if (pane === steps.element) steps.render();
      } }, t(name)));
    this.element = h("section", { class: "tools", "aria-label": t("tools"), hidden: true, dataset: { testid: "tools" } },
      h("header", { class: "head" }, h("h2", { text: t("tools") }), h("div", { class: "tabs", role: "tablist" }, tabs), h("span", { class: "grow" }),
        iconButton("close", t("close"), () => this.toggle(false), { dataset: { testid: "close-tools" } })),
      panes);
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.toggle(false);
    });
  }

  /** Show or hide the panel; the log is received only while it is shown. The focus goes to it and back. */
  toggle(on = this.element.hidden) {
    if (on) this.from = document.activeElement;
    this.element.hidden = !on;
    this.#listen(on);
    if (on) this.element.querySelector("input").focus();
    else (this.from?.isConnected ? this.from : document.querySelector("[data-testid=open-tools]"))?.focus();
  }

  /** Listen again if the panel is open, after a new connection was made. */
  resume() {
    if (!this.element.hidden) this.#listen(true);
  }

  /** Show transfers that have begun or were settled. */
  take(transfers) {
    for (const one of transfers) {
      const known = this.#rows.get(one.id);
      this.#transfers.set(one.id, one);
      if (!this.#fits(one)) continue;
      const row = this.#row(one, known?.open);
      if (known) known.replaceWith(row);
      else this.list.prepend(row);
      this.#rows.set(one.id, row);
    }
    while (this.#transfers.size > SHOWN) {
      const [oldest] = this.#transfers.keys();
      this.#transfers.delete(oldest);
      this.#rows.get(oldest)?.remove();
      this.#rows.delete(oldest);
    }
  }

  #fits(one) {
    return !this.#filter || JSON.stringify(one).toLowerCase().includes(this.#filter);
  }

  #matching() {
    return [...this.#transfers.values()].filter((one) => this.#fits(one));
  }

  #render() {
    this.#rows = new Map(this.#matching().map((one) => [one.id, this.#row(one)]));
    fill(this.list, [...this.#rows.values()].reverse());
  }

  #row(one, open = false) {
    const good = one.outcome === "ok" || one.outcome === "closed";
    const row = h("details", { class: "wire-row", role: "listitem", open, dataset: { testid: "transfer", name: one.name, outcome: one.outcome } },
      h("summary", {}, h("time", { text: clock(String(one.at)) }), h("span", { class: "wire-way", text: SIGNS[one.kind], "aria-label": t(SIGNS[one.kind] === "←" ? "wire_from" : "wire_to") , role: "img" }),
        h("strong", { text: one.name }), one.attempt ? h("span", { class: "badge", text: t("wire_attempt", { n: one.attempt }) }) : null,
        h("span", { class: `wire-outcome ${one.outcome && !good ? "bad" : ""}`, text: one.outcome ? `${one.outcome} · ${Math.round(one.took_ms)} ms` : "…" })));
    row.addEventListener("toggle", () => row.open && row.childElementCount === 1 && row.append(this.#body(one)));
    if (open) row.append(this.#body(one));
    return row;
  }

  #body(one) {
    const text = JSON.stringify({ request: one.request, answer: one.answer }, null, 2);
    return h("div", { class: "wire-body" },
      h("button", { type: "button", class: "button flat", dataset: { testid: "transfer-copy" }, onclick: () => copy(text) }, icon("link"), t("wire_copy_one")),
      h("pre", { class: "wire-json", tabindex: "0", "aria-label": one.name, text }));
  }

  // ---- faults

  async #order(verb = null, body = {}) {
    try {
      const state = await control(verb, body);
      this.waiting.textContent = JSON.stringify({ ...state.clock, sockets: state.sockets, subscribed: state.subscribed, ...state.faults }, null, 2);
      if (verb) toast(t("fault_ordered"));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      toast(error.message, "error");
    }
  }

  #faults() {
    const button = (key, verb, body = {}, words = {}) => h("button", {
      type: "button", class: "button", dataset: { testid: `fault-${key}` }, onclick: () => this.#order(verb, typeof body === "function" ? body() : body) }, t(`fault_${key}`, words));
    const group = (title, ...children) => h("fieldset", { class: "tools-group" }, h("legend", { text: t(title) }), h("div", { class: "tools-row" }, children));
    const field = (key, value, props = {}) => h("input", { class: "field", value, "aria-label": t(`fault_${key}`), "data-tip": t(`fault_${key}`), dataset: { testid: `fault-${key}` }, ...props });
    const method = field("method", "chat.postMessage");
    const failure = field("failure", "ratelimited");
    const retry = field("retry", "1", { type: "number", min: "0" });
    const seed = field("seed", "7", { type: "number" });
    const share = field("share", "20", { type: "number", min: "0", max: "100" });
    const scale = field("scale", "1", { type: "number", min: "0.001", step: "any" });
    const code = () => (/^\d+$/.test(failure.value) ? Number(failure.value) : failure.value);
    const disturb = (what) => button(what, "disturb", { what });
    return [
      group("fault_events", button("copy_new", "duplicate_next", { new_event_id: true }), button("copy_same", "duplicate_next", { new_event_id: false }), button("again", "redeliver_next"),
        button("lose_ack", "drop_acks"), button("reorder", "reorder_next", { events: 1 }), button("late", "delay_events", { seconds: 5 })),
      group("fault_calls", method, failure, retry, button("fail", "fail_next", () => ({ method: method.value, failure: code(), retry_after_s: Number(retry.value) })),
        button("slow", "delay_calls", () => ({ method: method.value, seconds: 5 })), button("history", "limit_history")),
      h("p", { class: "hint", text: t("fault_failures") }),
      group("fault_sockets", ["refresh", "warning", "abort", "freeze", "deaf", "hear", "half-closed", "thaw", "link_disabled", "link_enabled"].map(disturb), button("turn_away", "turn_away"), button("subscribe", "subscribe"), button("uninstall", "uninstall")),
      group("fault_chaos", seed, share, button("start", "chaos", () => ({ seed: Number(seed.value), share: Number(share.value) / 100 })), button("calm", "calm")),
      group("fault_clock", scale, button("rescale", "rescale", () => ({ scale: Number(scale.value) })), [3, 60, 300, 3600].map((seconds) => h("button", {
        type: "button", class: "button", dataset: { testid: `step-${seconds}` }, onclick: () => this.#order("step", { seconds }) }, `+${seconds} s`))),
    ];
  }
}

async function copy(text) {
  await navigator.clipboard?.writeText(text).catch(() => {});
  toast(t("wire_copied"));
}
