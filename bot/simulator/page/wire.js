// The person API: calls over HTTP, changes over one websocket.

import { t } from "./words.js";

let user = "";

/** All further calls are made by this person (a handle or an id). */
export function actAs(person) {
  user = person;
}

/** The simulator said no, or could not be reached; the message is a sentence for people. */
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

/** The verb is done and its answer returned; raises Refused otherwise. */
export function act(verb, body = {}) {
  return ask(`person/${verb}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user, ...body }),
  });
}

/** A fault is ordered, or the clock is set (`verb` null only looks); answers with what waits for its moment. */
export function control(verb, body = {}) {
  if (!verb) return ask("control");
  return ask(`control/${verb}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

/** What this person can see of the workspace. */
export const readState = () => ask(`person/state?${new URLSearchParams({ user })}`);

/** The messages of a channel, or of one thread with its root, oldest first. */
export async function readMessages(channel, threadTs = null) {
  const query = new URLSearchParams({ user, channel });
  if (threadTs) query.set("thread_ts", threadTs);
  return (await ask(`person/messages?${query}`)).messages;
}

/**
 * A websocket that comes back by itself. `onChange` gets every change, `onLink(up)` every loss and (re)opening;
 * after an opening the page must read again, since changes may have been missed.
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

  /** From now on what travels between Slack and the app is told as well, or no longer. */
  listen(on) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ wire: on }));
  }

  /** No further change is told. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket.close();
  }
}
