// A live list of messages: a channel, or one thread. It holds its messages, re-renders only what changed,
// keeps the reader's place and the focus, and is one tab stop with arrow keys inside.

import { h } from "./dom.js";
import { tryTo } from "./gestures.js";
import { isGone, isSystem, renderMessage, spokenMessage } from "./message.js";
import { typed } from "./mrkdwn.js";
import { Toolbar } from "./toolbar.js";
import { readMessages } from "./wire.js";
import { workspace } from "./workspace.js";
import { count, currentLanguage, dayKey, dayName, t } from "./words.js";

const PAGE = 150; // messages rendered at once; older ones on demand
const TOGETHER_S = 300; // messages of one author within this time share a heading

export class Feed {
  channel = null;
  threadTs = null;
  #messages = new Map(); // ts -> message
  #rendered = new Map(); // ts -> {signature, element}
  #shown = PAGE;
  #editing = null;
  #current = null; // ts of the message that Tab reaches
  #due = 0;
  #stuck = true; // the list is scrolled to its end
  #hasNew = false; // somebody else's message came that has not been rendered yet
  #reading = null; // the latest request; the answers of earlier ones are ignored
  #meanwhile = []; // changes that came during a request, which its answer may lack

  /** `host` offers openThread(ts), intro() -> node above the first message, write() -> focus the composer, say(text). */
  constructor(host, label) {
    this.host = host;
    this.list = h("div", { class: "list", role: "group", "aria-label": label });
    this.jump = h("button", { type: "button", class: "jump", hidden: true, onclick: () => this.toEnd() }, t("new_below"), " ↓");
    this.element = h("div", { class: "feed" }, this.list, this.jump);
    this.toolbar = new Toolbar(this);
    this.list.addEventListener("scroll", () => {
      this.#stuck = this.#atEnd();
      if (this.#stuck) this.jump.hidden = true;
    }, { passive: true });
    // Pictures load after their message, and the pane may be resized: stay at the end then.
    const stay = () => this.#stuck && this.toEnd();
    this.list.addEventListener("load", stay, true);
    new ResizeObserver(stay).observe(this.list);
    this.list.addEventListener("pointerover", (event) => this.#arm(event.target.closest(".message")));
    this.list.addEventListener("focusin", (event) => {
      const article = event.target.closest(".message");
      if (article) this.#select(article);
    });
    this.list.addEventListener("keydown", (event) => this.#onKey(event));
  }

  get inThread() {
    return Boolean(this.threadTs);
  }

  /** Load this channel or thread and show it, scrolled to its end. */
  async show(channel, threadTs = null) {
    const same = this.channel === channel && this.threadTs === threadTs;
    this.channel = channel;
    this.threadTs = threadTs;
    if (!same) {
      this.#messages.clear();
      this.#rendered.clear();
      this.#editing = null;
      this.#current = null;
      this.#shown = PAGE;
      this.jump.hidden = true;
      this.list.replaceChildren(h("div", { class: "loading", text: t("loading") }));
    }
    const reading = (this.#reading = Symbol(channel));
    this.#meanwhile = [];
    let messages = null;
    try {
      messages = await readMessages(channel, threadTs);
    } finally {
      if (reading === this.#reading) this.#reading = null;
      else messages = null; // a later request has newer messages
    }
    if (!messages) return;
    const stick = !same || this.#stuck;
    this.#messages = new Map(messages.map((message) => [message.ts, message]));
    for (const change of this.#meanwhile.splice(0)) this.#apply(change);
    this.render();
    this.#follow(stick);
  }

  /** Return the message with this ts, or undefined. */
  messageOf(ts) {
    return this.#messages.get(ts);
  }

  openThread(ts) {
    this.host.openThread(ts);
  }

  /** Show a change if it is about this channel or thread. */
  take(change) {
    if (change.channel !== this.channel) return;
    if (this.#reading) this.#meanwhile.push(change);
    else this.#apply(change);
  }

  #apply(change) {
    if (change.type === "message_deleted") {
      if (!this.#messages.delete(change.ts)) {
        this.#replyGone(change);
        return;
      }
    } else {
      const message = change.message;
      if (!this.#belongs(message)) {
        this.#replyCame(change);
        return;
      }
      const isNew = !this.#messages.has(message.ts);
      if (isNew && change.type === "message_changed" && !this.inThread && this.#messages.size && message.ts < this.oldest) return;
      this.#messages.set(message.ts, message);
      if (isNew && message.user !== workspace.me.id) {
        this.host.say(spokenMessage(message));
        this.#hasNew = true;
      }
    }
    this.#soon();
  }

  get oldest() {
    return [...this.#messages.keys()].sort()[0];
  }

  /** All messages, oldest first. */
  get messages() {
    return [...this.#messages.values()].filter((message) => !isGone(message)).sort((a, b) => (a.ts < b.ts ? -1 : 1));
  }

  #belongs(message) {
    if (this.inThread) return message.ts === this.threadTs || message.thread_ts === this.threadTs;
    return !message.thread_ts || message.thread_ts === message.ts || message.subtype === "thread_broadcast";
  }

  /** Update the thread line below the parent, in case the parent's own change does not come. */
  #replyCame({ type, message }) {
    const root = this.#messages.get(message.thread_ts);
    if (this.inThread || type !== "message" || !root || message.ephemeral || !(message.ts > (root.latest_reply ?? ""))) return;
    const users = root.reply_users ?? [];
    this.#messages.set(root.ts, {
      ...root, thread_ts: root.ts, reply_count: (root.reply_count ?? 0) + 1, latest_reply: message.ts,
      reply_users: users.includes(message.user) ? users : [...users, message.user] });
    this.#soon();
  }

  #replyGone({ thread_ts: root }) {
    if (!this.inThread && root && this.#messages.has(root)) this.show(this.channel).catch(() => {});
  }

  #soon() {
    this.#due ||= setTimeout(() => {
      this.#due = 0;
      const stick = this.#stuck;
      this.render();
      this.#follow(stick);
    }, 16);
  }

  /** Stay at the end, or offer the way to it where new messages are below. */
  #follow(stick) {
    if (stick) this.toEnd();
    else if (this.#hasNew) this.jump.hidden = false;
    this.#hasNew = false;
  }

  /** Update the list to show the messages. */
  render() {
    const all = this.messages;
    const shown = all.slice(-this.#shown);
    const focus = this.#focusKey();
    const nodes = [];
    if (all.length > shown.length) nodes.push(h("button", { type: "button", class: "button older", onclick: () => this.#older() }, t("older")));
    else if (!this.inThread) nodes.push(this.host.intro());
    const rendered = new Map();
    let before = null;
    for (const message of shown) {
      if (!this.inThread && (!before || dayKey(before.ts) !== dayKey(message.ts))) {
        nodes.push(h("div", { class: "day", role: "separator" }, h("span", { text: dayName(message.ts) })));
        before = null;
      }
      const element = this.#element(message, before);
      rendered.set(message.ts, element);
      nodes.push(element.element);
      if (this.inThread && message.ts === this.threadTs) {
        nodes.push(h("div", { class: "day replies", role: "separator" }, h("span", { text: all.length > 1 ? count("replies", all.length - 1) : t("thread_empty") })));
      }
      before = this.inThread && message.ts === this.threadTs ? null : message;
    }
    this.#rendered = rendered;
    reconcile(this.list, nodes);
    this.#tabStop();
    if (focus) this.#refocus(focus);
  }

  #element(message, before) {
    const compact = Boolean(before) && !isSystem(before) && !isSystem(message) && before.user === message.user && before.username === message.username
      && !before.ephemeral && !message.ephemeral && Number(message.ts) - Number(before.ts) < TOGETHER_S;
    const editing = this.#editing === message.ts;
    const signature = JSON.stringify([message, compact, editing, currentLanguage(), workspace.me.id, this.inThread]);
    const old = this.#rendered.get(message.ts);
    if (old?.signature === signature) return old;
    const element = renderMessage(message, {
      channel: this.channel, compact, editing, inThread: this.inThread,
      openThread: (ts) => this.openThread(ts), edit: (ts) => this.edit(ts), save: (...args) => this.#save(...args) });
    return { signature, element };
  }

  /** Turn the message into a form (null: none). */
  edit(ts) {
    const before = this.#editing;
    this.#editing = ts;
    this.render();
    const element = this.#rendered.get(ts ?? before)?.element;
    (element?.querySelector(".editor textarea") ?? element)?.focus();
  }

  /** Turn the last own message into a form; return false when there is none. */
  editLast() {
    const last = this.messages.findLast((message) => message.user === workspace.me.id && !message.ephemeral && !isSystem(message));
    if (last) this.edit(last.ts);
    return Boolean(last);
  }

  async #save(message, words) {
    const text = words.trim();
    if (text && text !== typed(message.text) && !(await tryTo("edit", { channel: this.channel, ts: message.ts, text }))) return;
    this.edit(null);
  }

  #older() {
    const from = this.list.scrollHeight - this.list.scrollTop;
    this.#shown += PAGE;
    this.render();
    this.list.scrollTop = this.list.scrollHeight - from;
  }

  #atEnd() {
    return this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 80;
  }

  /** Scroll to the newest message. */
  toEnd() {
    this.list.scrollTop = this.list.scrollHeight;
    this.jump.hidden = true;
    this.#stuck = true;
  }

  /** Focus the current message, or the newest one. */
  focus() {
    const ts = this.#rendered.has(this.#current) ? this.#current : this.messages.at(-1)?.ts;
    (this.#rendered.get(ts)?.element ?? this.list).focus();
  }

  /** Scroll to the message with this ts and focus it; do nothing where it is not rendered. */
  reveal(ts) {
    const element = this.#rendered.get(ts)?.element;
    element?.scrollIntoView({ block: "center" });
    element?.focus();
  }

  #articles() {
    return [...this.list.querySelectorAll(":scope > .message")];
  }

  #select(article) {
    this.#current = article.dataset.ts;
    this.#tabStop();
    this.#arm(article);
  }

  #arm(article) {
    // On the topmost message the edge of the list would cut it off.
    if (article) this.toolbar.attachTo(article, article.offsetTop - this.list.scrollTop < 20);
  }

  #tabStop() {
    const stop = this.#rendered.has(this.#current) ? this.#current : this.messages.at(-1)?.ts;
    for (const [ts, { element }] of this.#rendered) element.tabIndex = ts === stop ? 0 : -1;
  }

  #onKey(event) {
    const article = event.target.closest(".message");
    if (event.altKey || event.ctrlKey || event.metaKey || event.target.matches("input, textarea, select")) return;
    if (event.key === "Escape") return this.host.write();
    if (!article) return undefined;
    const all = this.#articles();
    const at = all.indexOf(article);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: all.length - 1, PageUp: at - 8, PageDown: at + 8 }[event.key];
    if (to !== undefined) {
      event.preventDefault();
      if (event.key === "ArrowDown" && at === all.length - 1) return this.host.write();
      const target = all[Math.max(0, Math.min(to, all.length - 1))];
      target.focus();
      return target.scrollIntoView({ block: "nearest" });
    }
    if (event.target !== article) return undefined;
    const message = this.#messages.get(article.dataset.ts);
    const mine = message.user === workspace.me.id && !message.ephemeral;
    const deed = {
      r: () => this.toolbar.react(),
      t: () => !this.inThread && this.toolbar.reply(),
      m: () => this.toolbar.menu(),
      e: () => mine && this.edit(message.ts),
    }[event.key.toLowerCase()];
    this.#arm(article);
    if (!deed || isSystem(message) || message.subtype === "tombstone" || (message.ephemeral && event.key.toLowerCase() !== "m")) return undefined;
    event.preventDefault();
    return deed();
  }

  /** Describe where the focus is, in a way that survives a re-render. */
  #focusKey() {
    const active = document.activeElement;
    const article = active?.closest?.(".message");
    if (!article || !this.list.contains(active)) return null;
    const marks = ["actionId", "value", "emoji", "do", "testid"].filter((key) => active !== article && !this.toolbar.element.contains(active) && active.dataset[key]);
    const selector = marks.map((key) => `[data-${key.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}="${CSS.escape(active.dataset[key])}"]`).join("");
    return { ts: article.dataset.ts, element: active, selector };
  }

  #refocus({ ts, element, selector }) {
    if (element.isConnected && document.activeElement === element) return;
    const article = this.#rendered.get(ts)?.element;
    (element.isConnected ? element : (selector && article?.querySelector(selector)) || article)?.focus({ preventScroll: true });
  }
}

/** Make `nodes` the children of `parent`, moving as few as possible, so that focus and pictures stay. */
function reconcile(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.childNodes]) if (!wanted.has(child)) child.remove();
  nodes.forEach((node, index) => {
    if (parent.childNodes[index] !== node) parent.insertBefore(node, parent.childNodes[index] ?? null);
  });
}
