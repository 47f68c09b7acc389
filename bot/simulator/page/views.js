// Modals and the app's home: what the app shows with `views.open`, `views.push`, `views.update` and `views.publish`.

import { avatar, fill, h } from "./dom.js";
import { Surface } from "./blocks.js";
import { dialog, toast } from "./floating.js";
import { suggest, tryTo } from "./gestures.js";
import { isEmpty, wordsOf } from "./inputs.js";
import { act, Refused } from "./wire.js";
import { theBot } from "./workspace.js";
import { t } from "./words.js";

const surfaceOf = ({ id }) => new Surface((payload) => tryTo("action", { view_id: id, ...payload }), (payload) => suggest({ view_id: id, ...payload }));

/** The open modals, the top one last. */
export class Modals {
  #stack = []; // [{view, surface, values}]
  #dialog = null;

  /** Show the view on top, or its new content if it is open already; what was typed in unchanged blocks stays. */
  show(view) {
    this.#keep();
    const old = this.#stack.find((one) => one.view.id === view.id);
    if (old) old.view = view;
    else this.#stack.push({ view, values: {} });
    this.#render();
  }

  /** Close the view and show the one below it, if any. */
  drop(viewId) {
    if (!this.#stack.some((one) => one.view.id === viewId)) return;
    this.#keep();
    this.#stack = this.#stack.filter((one) => one.view.id !== viewId);
    this.#render();
  }

  /** Close all (the page switches to another person). */
  clear() {
    this.#stack = [];
    this.#render();
  }

  /** Show what is wrong with each named block, and focus the first. */
  fail(viewId, errors) {
    const top = this.#stack.at(-1);
    if (top?.view.id !== viewId) return;
    this.#busy(false);
    let first = null;
    for (const { block, control } of top.surface.controls) {
      const node = this.#dialog.querySelector(`.input[data-block-id="${CSS.escape(block.block_id ?? "")}"]`);
      const text = errors[block.block_id] ?? "";
      if (node) node.querySelector(".error").textContent = text;
      node?.classList.toggle("wrong", Boolean(text));
      if (text) first ??= control;
    }
    if (first) first.focus();
    else toast(Object.values(errors).join(" "), "error");
  }

  #keep() {
    const top = this.#stack.at(-1);
    if (top?.surface) top.values = { ...top.values, ...top.surface.values() };
  }

  /** Render the top of the stack. One dialog serves all: an update changes its content, so that nothing flickers and the focus stays. */
  #render() {
    const top = this.#stack.at(-1);
    if (!top) {
      const box = this.#dialog;
      this.#dialog = null;
      box?.close();
      return;
    }
    const { view } = top;
    const box = (this.#dialog ??= this.#open());
    const focused = box.contains(document.activeElement) ? document.activeElement.closest("[data-action-id]")?.dataset.actionId : null;
    const again = box.dataset.viewId === view.id;
    Object.assign(box.dataset, { viewId: view.id, callbackId: view.callback_id ?? "" });
    top.surface = surfaceOf(view);
    box.querySelector("h2").textContent = wordsOf(view.title);
    fill(box.querySelector(".dialog-body"), top.surface.render(view.blocks));
    top.surface.restore(top.values);
    fill(box.querySelector(".dialog-foot"),
      h("span", { class: "grow hint modal-busy", role: "status" }),
      h("button", { type: "button", class: "button", dataset: { testid: "modal-close" }, onclick: () => box.close() }, wordsOf(view.close) || t(view.submit ? "cancel" : "close")),
      view.submit ? h("button", { type: "button", class: "button primary", dataset: { testid: "modal-submit" }, onclick: () => this.#submit() }, wordsOf(view.submit)) : null);
    const { controls } = top.surface;
    const wanted = (again && controls.find(({ element }) => element.action_id === focused)) || controls.find(({ element }) => element.focus_on_load)
      || controls.find(({ block }) => block.type === "input");
    if (wanted) wanted.control.focus();
    else box.querySelector('[data-testid="modal-close"]').focus();
  }

  #open() {
    const box = dialog({ title: "", picture: avatar(theBot(), "small"), className: "modal", dataset: { testid: "modal" }, body: "", footer: "…", onclose: () => this.#closed(box) });
    box.addEventListener("keydown", (event) => {
      const enter = event.key === "Enter" && (event.ctrlKey || event.metaKey || (event.target.matches("input.field") && !event.target.closest(".popup")));
      if (!enter || !this.#stack.at(-1)?.view.submit) return;
      event.preventDefault();
      this.#submit();
    });
    return box;
  }

  /** After the person closed the dialog: tell the app, if it asked for that, and show the view below. */
  #closed(box) {
    if (this.#dialog !== box) return;
    this.#dialog = null;
    const gone = this.#stack.pop();
    if (gone) tryTo("view_close", { view_id: gone.view.id });
    this.#render();
  }

  #busy(on) {
    const button = this.#dialog?.querySelector('[data-testid="modal-submit"]');
    if (!button) return;
    button.toggleAttribute("disabled", on);
    if (on) button.setAttribute("aria-busy", "true");
    else button.removeAttribute("aria-busy");
    this.#dialog.querySelector(".modal-busy").textContent = on ? t("loading") : "";
  }

  async #submit() {
    const top = this.#stack.at(-1);
    const box = this.#dialog;
    if (!top || box.querySelector('[data-testid="modal-submit"][disabled]')) return;
    const values = top.surface.values();
    const missing = top.surface.controls.filter(({ block, control }) => block.type === "input" && !block.optional && isEmpty(control.value()));
    if (missing.length) {
      this.fail(top.view.id, Object.fromEntries(missing.map(({ block }) => [block.block_id, t("required")])));
      return;
    }
    this.#busy(true);
    try {
      const answer = await act("view_submit", { view_id: top.view.id, values });
      if (answer.errors) this.fail(top.view.id, answer.errors);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (error.answer.errors) this.fail(top.view.id, error.answer.errors);
      else toast(error.message, "error");
    }
    if (this.#dialog === box) this.#busy(false);
  }
}

/** The Home tab of the app. */
export class Home {
  #view = null;
  #bot = null;
  #asked = false;

  constructor() {
    this.element = h("section", { class: "home", "aria-label": t("home"), tabindex: "0", dataset: { testid: "home" } });
  }

  /** Tell the app of this bot user that its home was opened, and show what it published. */
  async open(bot) {
    if (bot?.id !== this.#bot?.id) this.#view = null;
    this.#bot = bot;
    this.#asked = true;
    this.#render();
    const answer = await tryTo("home", { app: bot?.id });
    if (bot?.id !== this.#bot?.id) return;
    if (answer?.view) this.#view = answer.view;
    this.#asked = false;
    this.#render();
  }

  /** Show a newly published home; another app's is shown when it is opened. */
  show(view) {
    if (this.#bot && view.app_id !== this.#bot.app_id) return;
    this.#view = view;
    this.#asked = false;
    this.#render();
  }

  /** Forget the home, which is another one for another person. */
  clear() {
    this.#view = null;
  }

  #render() {
    if (!this.#view) {
      const name = this.#bot?.name ?? "";
      this.element.replaceChildren(h("div", { class: "blank" }, avatar(this.#bot ?? theBot(), "large"), h("p", { text: this.#asked ? t("home_loading") : t("home_empty", { name }) })));
      return;
    }
    const view = this.#view;
    const surface = surfaceOf(view);
    this.element.replaceChildren(h("div", { class: "home-body" }, surface.render(view.blocks)));
  }
}
