// The composer: Enter sends, Shift+Enter breaks the line, and `/`, `@`, `#` and `:` offer completions.

import { avatar, h, icon, iconButton } from "./dom.js";
import { emojiOf, findEmoji, fold, meaningOf } from "./emoji.js";
import { pickEmoji } from "./picker.js";
import { mentionable } from "./mrkdwn.js";
import { nameOf, workspace } from "./workspace.js";
import { t } from "./words.js";

const MARKS = { b: "*", i: "_", e: "`" };

/** List the manifest's commands and the two that Slack itself has. */
function commands() {
  return [
    ...workspace.commands.map((one) => ({ command: one.command, hint: one.usage_hint ?? "", about: one.description ?? "" })),
    { command: "/invite", hint: "@beto", about: t("hint_invite") },
    { command: "/remove", hint: "@beto", about: t("hint_remove") },
  ];
}

/** List the subcommands that a usage hint names: "ayuda | clasifica TEXTO | watch" -> three. */
const parts = (hint) => hint.split("|").map((part) => part.trim().replace(/^\[|\]$/g, "")).filter(Boolean);

/** Return the completions at the caret: {from, items: [{insert, label, note, picture}]}, or null. */
function completions(text, caret, inThread) {
  const before = text.slice(0, caret);
  const command = !inThread && /^\/(\S*)$/.exec(before);
  if (command) {
    return { from: 0, items: commands().filter((one) => one.command.startsWith(before)).map((one) => ({
      insert: `${one.command} `, label: `${one.command} ${one.hint}`, note: one.about, picture: icon("slash") })) };
  }
  const sub = !inThread && /^(\/\S+) (\S*)$/.exec(before);
  const known = sub && workspace.commands.find((one) => one.command === sub[1]);
  if (known) {
    return { from: sub[1].length + 1, items: parts(known.usage_hint ?? "").filter((part) => part.startsWith(sub[2]) && part !== sub[2]).map((part) => ({
      insert: `${part.replace(/\b[A-ZÁÉÍÓÚÑ]{3,}\b.*$/u, "")}`, label: `${known.command} ${part}`, note: "", picture: icon("slash") })) };
  }
  const word = /(^|[\s(«"'¿¡])([@#:])([\p{L}\p{N}_+-]*)$/u.exec(before);
  if (!word) return null;
  const [, , mark, typed] = word;
  const from = caret - typed.length - 1;
  const wanted = fold(typed);
  if (mark === "@") {
    const users = mentionable().filter((user) => fold(user.name).startsWith(wanted) || fold(nameOf(user)).split(" ").some((part) => part.startsWith(wanted)));
    const items = users.map((user) => ({ insert: `@${user.name} `, label: `@${user.name}`, note: user.is_bot ? t("app") : nameOf(user), picture: avatar(user, "tiny") }));
    if ("channel".startsWith(wanted) && wanted) items.push({ insert: "@channel ", label: "@channel", note: t("here_all"), picture: icon("users") });
    return { from, items };
  }
  if (mark === "#") {
    const channels = [...workspace.channels.values()].filter((channel) => !channel.is_im && fold(channel.name).startsWith(wanted));
    return { from, items: channels.map((channel) => ({ insert: `#${channel.name} `, label: `#${channel.name}`, note: "", picture: icon(channel.is_private ? "lock" : "hash") })) };
  }
  if (typed.length < 2) return null;
  return { from, items: findEmoji(typed, 8).map((entry) => ({
    insert: `:${entry.name}: `, label: `:${entry.name}:`, note: meaningOf(entry) ?? entry.spanish, picture: h("span", { class: "emoji" }, entry.char) })) };
}

export class Composer {
  #drafts = new Map(); // place -> text, so that a draft survives a look at another channel
  #place = null;
  #offer = null; // the completions that are open
  #at = 0;

  /** `send(text)` resolves to true when it was taken; `host` offers up() for "edit the last message" and leave(). */
  constructor(testid, send, host = {}) {
    this.send = send;
    this.host = host;
    this.inThread = testid === "thread-composer";
    const id = `${testid}-list`;
    this.field = h("textarea", {
      class: "composer-field", rows: "1", dataset: { testid }, "aria-autocomplete": "list", "aria-controls": id, "aria-expanded": "false", role: "combobox", spellcheck: "true" });
    this.list = h("div", { class: "complete", id, role: "listbox", hidden: true, dataset: { testid: "completions" } });
    this.button = h("button", { type: "submit", class: "send", disabled: true, "aria-label": t("send"), "data-tip": t("send"), dataset: { testid: this.inThread ? "thread-send" : "send" } }, icon("send"));
    this.hint = h("span", { class: "hint composer-hint" });
    this.element = h("form", { class: "composer", onsubmit: (event) => { event.preventDefault(); this.#submit(); } },
      this.list, this.field,
      h("div", { class: "composer-foot" },
        iconButton("bold", t("bold"), () => this.#wrap("*")), iconButton("italic", t("italic"), () => this.#wrap("_")), iconButton("code", t("code"), () => this.#wrap("`")),
        h("span", { class: "foot-line" }),
        iconButton("smile", t("emoji"), (event) => pickEmoji(event.currentTarget, (name) => this.insert(`${emojiOf(name) ?? `:${name}:`} `))),
        iconButton("at", t("mention"), () => this.insert("@")),
        this.inThread ? null : iconButton("slash", t("slash"), () => this.#startCommand()),
        this.hint, this.button));
    this.field.addEventListener("input", () => this.#changed());
    this.field.addEventListener("keydown", (event) => this.#onKey(event));
    this.field.addEventListener("blur", () => setTimeout(() => document.activeElement !== this.field && this.#close(), 150));
    this.field.addEventListener("click", () => this.#complete());
    this.hint.textContent = t("send_hint");
  }

  /** Write to `place` (any string) from now on, with the draft left there. */
  show(place, placeholder) {
    if (this.#place !== null) this.#drafts.set(this.#place, this.field.value);
    this.#place = place;
    this.field.placeholder = placeholder;
    this.field.setAttribute("aria-label", placeholder);
    this.field.value = this.#drafts.get(place) ?? "";
    this.#close();
    this.#changed(false);
  }

  focus() {
    this.field.focus();
  }

  /** Set the field to exactly this text, with the caret at its end. */
  write(text) {
    this.field.value = text;
    this.focus();
    this.field.setSelectionRange(text.length, text.length);
    this.#changed(false);
  }

  /** Insert the text at the caret. */
  insert(text) {
    this.focus();
    const { selectionStart: from, value } = this.field;
    const space = text === "@" && from && !/\s/.test(value[from - 1]) ? " " : "";
    this.field.setRangeText(space + text, from, this.field.selectionEnd, "end");
    this.#changed();
  }

  #startCommand() {
    if (!this.field.value.startsWith("/")) this.field.value = `/${this.field.value}`;
    this.focus();
    this.field.setSelectionRange(1, 1);
    this.#changed();
  }

  #wrap(mark) {
    const { selectionStart: from, selectionEnd: to, value } = this.field;
    this.focus();
    this.field.setRangeText(mark + value.slice(from, to) + mark, from, to, "select");
    this.field.setSelectionRange(from + 1, to + 1);
    this.#changed(false);
  }

  async #submit() {
    const text = this.field.value.trim();
    if (!text) return;
    const place = this.#place;
    this.write("");
    this.#drafts.delete(place);
    if (await this.send(text)) return;
    // Refused: what was typed comes back, unless the person has begun to write something else.
    if (this.#place !== place) this.#drafts.set(place, text);
    else if (!this.field.value) this.write(text);
  }

  #changed(offer = true) {
    this.field.style.height = "auto";
    this.field.style.height = `${Math.min(this.field.scrollHeight, innerHeight * 0.35)}px`;
    this.button.disabled = !this.field.value.trim();
    this.element.classList.toggle("filled", Boolean(this.field.value.trim()));
    if (offer) this.#complete();
  }

  #complete() {
    const offer = completions(this.field.value, this.field.selectionStart, this.inThread);
    if (!offer?.items.length) return this.#close();
    this.#offer = offer;
    this.#at = 0;
    this.list.replaceChildren(...offer.items.map((item, index) => h("div", {
      class: "complete-item", role: "option", id: `${this.list.id}-${index}`, dataset: { insert: item.insert.trim() },
      onpointerdown: (event) => { event.preventDefault(); this.#take(index); }, onpointermove: () => this.#mark(index),
    }, item.picture, h("span", { text: item.label }), item.note ? h("small", { text: item.note }) : null)));
    this.list.hidden = false;
    this.field.setAttribute("aria-expanded", "true");
    return this.#mark(0);
  }

  #mark(index) {
    this.#at = index;
    [...this.list.children].forEach((child, at) => child.setAttribute("aria-selected", String(at === index)));
    this.list.children[index].scrollIntoView({ block: "nearest" });
    this.field.setAttribute("aria-activedescendant", this.list.children[index].id);
  }

  #take(index) {
    const { from, items } = this.#offer;
    this.field.setRangeText(items[index].insert, from, this.field.selectionStart, "end");
    this.#close();
    this.#changed(items[index].insert.startsWith("/"));
  }

  #close() {
    this.#offer = null;
    this.list.hidden = true;
    this.field.setAttribute("aria-expanded", "false");
    this.field.removeAttribute("aria-activedescendant");
  }

  #onKey(event) {
    if (event.isComposing) return;
    if (this.#offer) {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      const size = this.#offer.items.length;
      const whole = this.field.value.slice(this.#offer.from, this.field.selectionStart) === this.#offer.items[this.#at].insert.trim();
      if (step) {
        event.preventDefault();
        return this.#mark((this.#at + step + size) % size);
      }
      // What is typed in full already is sent, not completed.
      if (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey && !whole && !this.#optional())) {
        event.preventDefault();
        return this.#take(this.#at);
      }
      if (event.key === "Escape") {
        event.stopPropagation();
        return this.#close();
      }
    }
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      return this.#submit();
    }
    if (event.key === "ArrowUp" && !this.field.value && this.host.up?.()) return event.preventDefault();
    if (event.key === "Escape") return this.host.leave?.();
    if ((event.ctrlKey || event.metaKey) && MARKS[event.key]) {
      event.preventDefault();
      return this.#wrap(MARKS[event.key]);
    }
    return undefined;
  }

  /** Return whether Enter should send although completions are shown: "/beto " may be sent without a subcommand. */
  #optional() {
    return /^\/\S+ $/.test(this.field.value.slice(0, this.field.selectionStart)) && this.#at === 0;
  }
}
