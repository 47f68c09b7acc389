// Slack's text: rendered (mrkdwn -> nodes), read aloud (-> plain words), edited again (-> what a person would type).

import { h } from "./dom.js";
import { emojiOf, NAME } from "./emoji.js";
import { bots, people, workspace } from "./workspace.js";

const SAFE_LINK = /^(https?:|mailto:|tel:)/i;
const EMOJI = new RegExp(`:(${NAME}):`, "gu");
const BROADCASTS = { here: "@here", channel: "@channel", everyone: "@everyone" };

const unescape = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");

/** Make a link, or plain text where a click should not open that kind of address; `label` is text or nodes. */
export function link(url, label = url) {
  return SAFE_LINK.test(url) ? h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, label) : h("span", {}, label);
}

/** Render an emoji by its Slack name; unknown names stay readable as `:name:`. */
export function emojiNode(name) {
  const char = emojiOf(name);
  return char ? h("span", { class: "emoji", role: "img", "aria-label": name.replaceAll("_", " "), text: char }) : document.createTextNode(`:${name}:`);
}

/** Render a mention of a user; one's own is highlighted. */
export function mention(id, label = null) {
  const user = workspace.users.get(id);
  return h("span", { class: `mention ${id === workspace.me?.id ? "me" : ""}`, dataset: { user: id }, text: `@${user?.name ?? label ?? id}` });
}

/** Render a channel's name that opens the channel (the page listens for clicks on `data-open-channel`). */
export function channelNode(id, label = null) {
  const channel = workspace.channels.get(id);
  if (!channel) return h("span", { class: "mention", text: `#${label || id}` });
  return h("button", { type: "button", class: "mention link", dataset: { openChannel: id }, text: `#${channel.name}` });
}

/** Render the markup between < and >. */
function special(inner) {
  const cut = inner.indexOf("|");
  const target = cut < 0 ? inner : inner.slice(0, cut);
  const raw = cut < 0 ? null : inner.slice(cut + 1);
  const label = raw && unescape(raw);
  if (target.startsWith("@")) return mention(target.slice(1), label);
  if (target.startsWith("#")) return channelNode(target.slice(1), label);
  if (target.startsWith("!")) {
    const [name, id] = target.slice(1).split("^");
    const group = name === "subteam";
    return h("span", { class: name in BROADCASTS ? "mention me" : group ? "mention" : "", text: BROADCASTS[name] ?? label ?? `@${group ? id : name}` });
  }
  return link(unescape(target), raw ? withEmoji(raw) : unescape(target).replace(/^mailto:/, ""));
}

// Sticky regular expressions, tried at one position in this order. The marks of bold, italic and strike must touch the text
// and be at a word's edge, so that snake_case and 2*3*4 stay as they are.
const PIECES = [
  ["special", /<([^<>\n]+)>/uy],
  ["code", /`([^`\n]+)`/uy],
  ["b", /\*(?=[^\s*])([^\n]*?[^\s*])\*(?![\p{L}\p{N}*])/uy],
  ["i", /_(?=[^\s_])([^\n]*?[^\s_])_(?![\p{L}\p{N}_])/uy],
  ["s", /~(?=[^\s~])([^\n]*?[^\s~])~(?![\p{L}\p{N}~])/uy],
  ["emoji", new RegExp(`:(${NAME}):`, "uy")],
  ["link", /https?:\/\/[^\s<>`*|]+[^\s<>`*|.,;:!?)'"»]/uy],
  ["br", /\n/uy],
];

/** Render one run of text. */
function inline(text) {
  const nodes = [];
  let plain = "";
  const flush = () => {
    if (plain) nodes.push(document.createTextNode(unescape(plain)));
    plain = "";
  };
  let at = 0;
  scan: while (at < text.length) {
    const atEdge = at === 0 || !/[\p{L}\p{N}]/u.test(text[at - 1]);
    for (const [kind, piece] of PIECES) {
      if ("bis".includes(kind) && !atEdge) continue;
      piece.lastIndex = at;
      const match = piece.exec(text);
      if (!match || (kind === "emoji" && !emojiOf(match[1]))) continue;
      flush();
      at += match[0].length;
      if (kind === "special") nodes.push(special(match[1]));
      else if (kind === "code") nodes.push(h("code", { text: unescape(match[1]) }));
      else if (kind === "emoji") nodes.push(emojiNode(match[1]));
      else if (kind === "link") nodes.push(link(unescape(match[0])));
      else if (kind === "br") nodes.push(h("br"));
      else nodes.push(h(kind, {}, inline(match[1])));
      continue scan;
    }
    plain += text[at];
    at += 1;
  }
  flush();
  return nodes;
}

/** Render lines, with neighbouring quoted ones in one blockquote. */
function paragraphs(text) {
  const nodes = [];
  let quoted = null;
  let open = [];
  const flush = () => {
    if (open.length) nodes.push(quoted ? h("blockquote", {}, inline(open.join("\n"))) : h("span", { class: "run" }, inline(open.join("\n"))));
    open = [];
  };
  const lines = text.split("\n");
  for (const [index, line] of lines.entries()) {
    const whole = /^(?:&gt;|>){3}\s?/.exec(line);
    if (whole) {
      flush();
      nodes.push(h("blockquote", {}, inline([line.slice(whole[0].length), ...lines.slice(index + 1)].join("\n"))));
      return nodes;
    }
    const one = /^(?:&gt;|>(?!\S*\|))\s?/.exec(line);
    if (Boolean(one) !== quoted) flush();
    quoted = Boolean(one);
    open.push(one ? line.slice(one[0].length) : line);
  }
  flush();
  return nodes;
}

/** Render Slack's mrkdwn. */
export function mrkdwn(text) {
  const nodes = [];
  for (const [index, part] of String(text ?? "").split("```").entries()) {
    if (index % 2) nodes.push(h("pre", {}, h("code", { text: unescape(part.replace(/^\n|\n$/g, "")) })));
    else if (part.trim() || (part && !nodes.length)) nodes.push(...paragraphs(index ? part.replace(/^\n/, "") : part));
  }
  return nodes;
}

/** Render text whose only markup is `:emoji:`. */
function withEmoji(text) {
  return text.split(EMOJI).map((part, index) => (index % 2 ? emojiNode(part) : document.createTextNode(unescape(part))));
}

/** Render a text object of Block Kit: mrkdwn, or plain text whose only markup is `:emoji:`. */
export function textObject(object) {
  if (!object) return [];
  if (object.type === "mrkdwn") return mrkdwn(object.text);
  return withEmoji(String(object.text ?? ""));
}

/** Return the words alone, for labels and for screen readers. */
export function plain(text) {
  return h("div", {}, mrkdwn(text)).textContent.replace(/\s+/g, " ").trim();
}

/** Return whether the text is nothing but a few emoji, which are then shown large. */
export function onlyEmoji(text) {
  const rest = String(text ?? "").replace(EMOJI, (whole, name) => (emojiOf(name) ? "😀" : whole)).trim();
  return /^(?:\p{Extended_Pictographic}[\p{Emoji_Modifier}\u200d\ufe0f]*\s*){1,12}$/u.test(rest);
}

/** Return Slack's text as a person would type it. */
export function typed(text) {
  return unescape(
    String(text ?? "").replace(/<([^<>\n]+)>/g, (whole, inner) => {
      const [target, label] = inner.split("|");
      if (target.startsWith("@")) return `@${workspace.users.get(target.slice(1))?.name ?? label ?? target.slice(1)}`;
      if (target.startsWith("#")) return `#${workspace.channels.get(target.slice(1))?.name ?? label ?? target.slice(1)}`;
      if (target.startsWith("!")) return BROADCASTS[target.slice(1)] ?? label ?? target;
      return target;
    }),
  );
}

/** List everybody who can be mentioned: apps first, since this is how one talks to them. */
export const mentionable = () => [...bots(), ...people()];
