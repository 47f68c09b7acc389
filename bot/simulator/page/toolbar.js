// The buttons that appear on the message under the pointer or the focus: one toolbar per feed, moved from message to message.

import { h, iconButton } from "./dom.js";
import { emojiOf, meaningNamed } from "./emoji.js";
import { messageMenu, pickReaction, toggleReaction } from "./gestures.js";
import { t } from "./words.js";

const QUICK = ["white_check_mark", "x"]; // what beto reads as "right" and "wrong"

export class Toolbar {
  /** `host` offers channel, inThread, messageOf(ts), openThread(ts) and edit(ts). */
  constructor(host) {
    this.host = host;
    const use = (deed) => () => this.message && deed();
    this.element = h("div", { class: "toolbar", role: "toolbar", "aria-label": t("more"), dataset: { testid: "toolbar" } },
      QUICK.map((name) => {
        const label = `${meaningNamed(name)} · :${name}:`;
        return h("button", {
          type: "button", class: "icon-button emoji reacts", dataset: { emoji: name }, "aria-label": label, "data-tip": label,
          onclick: use(() => toggleReaction(host.channel, this.message, name)) }, emojiOf(name));
      }),
      iconButton("smile", t("add_reaction"), use(() => this.react()), { class: "icon-button reacts", dataset: { do: "react" } }),
      iconButton("thread", t("reply"), use(() => this.reply()), { class: "icon-button reacts replies", dataset: { do: "thread" } }),
      iconButton("more", t("more"), use(() => this.menu()), { class: "icon-button", "aria-haspopup": "menu", dataset: { do: "more" } }));
  }

  /** The message that it is attached to, or undefined. */
  get message() {
    return this.host.messageOf(this.element.closest(".message")?.dataset.ts);
  }

  /** Attach it to this article, unless one of its menus is open, or the article has no actions. */
  attachTo(article, cutOff) {
    if (!article || article.matches(".system, .deleted, .editing") || this.element.parentElement === article) return;
    if (this.element.querySelector('[aria-expanded="true"]')) return;
    this.element.classList.toggle("private", article.dataset.ephemeral === "true");
    this.element.classList.toggle("low", cutOff);
    article.append(this.element);
  }

  #button(name) {
    return this.element.querySelector(`[data-do="${name}"]`);
  }

  /** Open the reaction picker for its message. */
  react() {
    pickReaction(this.#button("react"), this.host.channel, this.message);
  }

  /** Open the thread of its message. */
  reply() {
    this.host.openThread(this.message.thread_ts ?? this.message.ts);
  }

  /** Open the menu of its message. */
  menu() {
    messageMenu(this.#button("more"), this.host.channel, this.message, this.host);
  }
}
