// Unread messages per channel. Remembered in the browser; only a convenience, so losing it is harmless.

const KEY = "beto.read";

export class Unread {
  #counts = new Map(); // channel -> {messages, mentions}
  #read = {};
  #user = "";

  constructor() {
    try {
      this.#read = JSON.parse(localStorage.getItem(KEY)) ?? {};
    } catch {
      this.#read = {};
    }
    this.#read.since ??= (Date.now() / 1000).toFixed(6);
    this.#keep();
  }

  /** Count for this person from now on. */
  actAs(user) {
    this.#user = user.id;
    this.#counts.clear();
  }

  /** Return how many messages are unread, and how many of them mention this person. */
  of(channel) {
    return this.#counts.get(channel) ?? { messages: 0, mentions: 0 };
  }

  /** Count the message as unread unless it is one's own, older than what was read, or a reply in a thread. */
  add(channel, message) {
    const last = this.#read[this.#user]?.[channel] ?? this.#read.since;
    if (message.user === this.#user || message.ts <= last || (message.thread_ts && message.thread_ts !== message.ts)) return;
    const { messages, mentions } = this.of(channel);
    const mentioned = (message.text ?? "").includes(`<@${this.#user}>`);
    this.#counts.set(channel, { messages: messages + 1, mentions: mentions + (mentioned ? 1 : 0) });
  }

  /** Mark everything in the channel up to now as read. */
  clear(channel, ts = (Date.now() / 1000).toFixed(6)) {
    this.#counts.delete(channel);
    (this.#read[this.#user] ??= {})[channel] = ts;
    this.#keep();
  }

  /** Count the unread messages of a channel anew. */
  recount(channel, messages) {
    this.#counts.delete(channel);
    for (const message of messages) this.add(channel, message);
  }

  #keep() {
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#read));
    } catch {
      // A private window without storage: unread marks last as long as the page.
    }
  }
}
