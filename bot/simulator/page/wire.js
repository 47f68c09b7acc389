// The person API: calls over HTTP, changes over one websocket.

import { t } from "./words.js";

let user = "";

/** Make all further calls as this person (a handle or an id). */
export function actAs(person) {
  user = person;
}

/** A call that the simulator refused, or that did not reach it; the message is a sentence for people. */
export class Refused extends Error {
  constructor(code, sentence, answer = {}) {
    super(sentence);
    this.code = code;
    this.answer = answer;
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Refused("offline", t("offline"));
  }
  const answer = await response.json().catch(() => ({ ok: false }));
  if (!answer.ok) {
    const code = answer.error ?? String(response.status);
    throw new Refused(code, answer.message ?? t("failed", { why: code }), answer);
  }
  return answer;
}

/** Call the verb and return its answer; raises Refused. */
export function act(verb, body = {}) {
  return ask(`person/${verb}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user, ...body }),
  });
}

/** Order a fault or set the clock (`verb` null: only look); returns the pending faults. */
export function control(verb, body = {}) {
  if (!verb) return ask("control");
  return ask(`control/${verb}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** Return what this person can see of the workspace. */
export const readState = () => ask(`person/state?${new URLSearchParams({ user })}`);

/** Return the messages of a channel, or of one thread with its parent, oldest first. */
export async function readMessages(channel, threadTs = null) {
  const query = new URLSearchParams({ user, channel });
  if (threadTs) query.set("thread_ts", threadTs);
  return (await ask(`person/messages?${query}`)).messages;
}

/**
 * A websocket that reconnects by itself. `onChange` is called with every change, `onLink(up)` for every loss and (re)connection;
 * after a connection the page must load everything again, since changes may have been missed.
 */
export class Connection {
  #socket = null;
  #wait_ms = 0;
  #timer = 0;
  #closed = false;

  constructor(onChange, onLink) {
    this.onChange = onChange;
    this.onLink = onLink;
    this.#open();
  }

  #open() {
    const url = new URL(`person/socket?${new URLSearchParams({ user })}`, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#wait_ms = 0;
      this.onLink(true);
    };
    socket.onmessage = (event) => this.onChange(JSON.parse(event.data));
    socket.onclose = () => {
      if (this.#closed) return;
      this.onLink(false);
      this.#wait_ms = Math.min(Math.max(500, this.#wait_ms * 2), 8000);
      this.#timer = setTimeout(() => this.#open(), this.#wait_ms);
    };
  }

  /** Ask the simulator to send what travels between Slack and the app as well, or no longer. */
  listen(on) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ wire: on }));
  }

  /** Close the connection for good. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket.close();
  }
}
