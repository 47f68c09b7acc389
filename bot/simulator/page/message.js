// One message as an article: author, time, text or blocks, pictures, reactions, the line of its thread.

import { avatar, h, icon } from "./dom.js";
import { attachment, picture, Surface } from "./blocks.js";
import { emojiOf, meaningNamed } from "./emoji.js";
import { pickReaction, suggest, toggleReaction, tryTo } from "./gestures.js";
import { mention, mrkdwn, onlyEmoji, plain, typed } from "./mrkdwn.js";
import { authorOf, nameOf, workspace } from "./workspace.js";
import { clock, count, fullDate, moment, names, t } from "./words.js";

const LONG = 4000; // characters; longer texts are cut until a person asks for the rest
const SYSTEM = new Set(["channel_join", "channel_leave", "group_join", "group_leave", "channel_topic", "channel_purpose", "channel_name"]);

/** Return whether this is a line such as "beto joined", without reactions, replies or menu. */
export const isSystem = (message) => SYSTEM.has(message.subtype);

/** Return whether the message was deleted together with its whole thread; where replies are left, a line marks its place. */
export const isGone = (message) => message.subtype === "tombstone" && !message.reply_count;

/** Return the message as text for screen readers and for the live region. */
export function spokenMessage(message) {
  if (message.subtype === "tombstone") return t("tombstone");
  return `${nameOf(authorOf(message))}: ${plain(message.text) || (message.blocks ?? []).map((block) => plain(block.text?.text ?? "")).join(" ")}`;
}

/**
 * Render a message as an article. `view` is {channel, compact, inThread, editing, openThread(ts), edit(ts|null)}.
 */
export function renderMessage(message, view) {
  const author = authorOf(message);
  const deleted = message.subtype === "tombstone";
  const inner = isSystem(message) ? system(message, author) : [
    deleted ? h("span", { class: "avatar deleted" }, icon("trash"))
      : view.compact ? h("time", { class: "gutter", text: clock(message.ts), "aria-hidden": "true" }) : avatar(author),
    h("div", { class: "content" },
      message.ephemeral ? h("div", { class: "ephemeral-note" }, icon("lock"), t("ephemeral"), " · ",
        h("button", { type: "button", class: "link", dataset: { do: "dismiss" }, onclick: () => tryTo("delete", { channel: view.channel, ts: message.ts }) }, t("dismiss"))) : null,
      view.compact || deleted ? null : h("div", { class: "byline" },
        h("span", { class: "author", text: nameOf(author) }), author.is_bot ? h("span", { class: "badge", text: t("app") }) : null,
        author.is_restricted ? h("span", { class: "badge quiet", text: t("guest") }) : null,
        h("time", { text: clock(message.ts), "data-tip": fullDate(message.ts) })),
      view.editing ? editor(message, view) : body(message, view),
      reactions(message, view),
      view.inThread || message.ephemeral ? null : threadLine(message, view)),
  ];
  return h("article", {
    class: ["message", deleted && "deleted", view.compact && "compact", message.ephemeral && "ephemeral", isSystem(message) && "system", view.editing && "editing"].filter(Boolean).join(" "),
    tabindex: "-1", "aria-label": `${spokenMessage(message)}. ${clock(message.ts)}`,
    dataset: { testid: "message", ts: message.ts, channel: view.channel, user: author.name, ephemeral: message.ephemeral ? "true" : null, threadTs: message.thread_ts },
  }, inner);
}

const system = (message, author) => [
  avatar(author, "small"),
  h("div", { class: "content" }, h("span", { class: "text" }, happened(message)), h("time", { text: clock(message.ts), "data-tip": fullDate(message.ts) })),
];

/** Render a system line, in the page's language for joining and leaving. */
function happened(message) {
  const key = { channel_join: "joined", group_join: "joined", channel_leave: "left", group_leave: "left" }[message.subtype];
  if (!key) return mrkdwn(message.text);
  return [mention(message.user), ` ${t(key)}`, message.inviter ? [` · ${t("invited_by")} `, mention(message.inviter)] : null];
}

/** Render text or blocks, then attachments and files. */
function body(message, view) {
  const where = { channel: view.channel, ts: message.ts, ...(message.thread_ts ? { thread_ts: message.thread_ts } : {}) };
  const surface = new Surface((payload) => tryTo("action", { ...where, ...payload }), (payload) => suggest({ ...where, ...payload }));
  if (message.subtype === "tombstone") return h("div", { class: "message-body" }, h("div", { class: "text hint", text: t("tombstone") }));
  const edited = message.edited && !message.bot_id ? h("span", { class: "edited", text: ` ${t("edited")}` }) : null;
  // A person's rich_text repeats the text, and the text is what mrkdwn() renders.
  const blocks = message.bot_id || authorOf(message).is_bot ? message.blocks : null;
  const rendered = blocks?.length ? surface.render(blocks) : [text(message.text, edited)];
  return h("div", { class: "message-body" }, rendered, blocks?.length ? edited : null,
    (message.attachments ?? []).map((one) => attachment(one, surface)),
    (message.files ?? []).map(file));
}

function text(words, edited) {
  const node = h("div", { class: `text ${onlyEmoji(words) ? "jumbo" : ""}` });
  const whole = String(words ?? "");
  if (whole.length <= LONG) {
    node.append(...mrkdwn(whole), edited ?? "");
    return node;
  }
  node.append(...mrkdwn(`${whole.slice(0, LONG)}…`), h("button", {
    type: "button", class: "link more-text", text: t("cut"), onclick: () => node.replaceChildren(...mrkdwn(whole), edited ?? "") }));
  return node;
}

function file(one) {
  const name = one.title || one.name || t("file");
  if (one.mimetype?.startsWith("image/")) return picture(one.url_private ?? one.permalink, one.alt_txt ?? name, name);
  return h("a", { class: "file", href: one.url_private ?? one.permalink ?? null, target: "_blank", rel: "noopener" }, icon("link"), name);
}

function reactions(message, view) {
  if (!message.reactions?.length) return null;
  const me = workspace.me.id;
  const pills = message.reactions.map((reaction) => {
    const mine = reaction.users.includes(me);
    const others = reaction.users.filter((id) => id !== me).map((id) => nameOf(workspace.users.get(id)));
    const who = names(mine ? [...others, t("you")] : others);
    const phrase = reaction.users.length > 1 ? "reacted_n" : mine ? "reacted_me" : "reacted";
    const meaning = meaningNamed(reaction.name);
    const tip = `${t(phrase, { names: who, emoji: reaction.name })}${meaning ? ` · ${meaning}` : ""}`;
    return h("button", {
      type: "button", class: `pill ${mine ? "mine" : ""}`, "aria-pressed": String(mine), "aria-label": `${tip}. ${reaction.count}`, "data-tip": tip,
      dataset: { testid: "reaction", emoji: reaction.name, count: reaction.count },
      onclick: () => toggleReaction(view.channel, message, reaction.name),
    }, h("span", { class: "emoji" }, emojiOf(reaction.name) ?? `:${reaction.name}:`), h("span", { text: reaction.count }));
  });
  const add = h("button", {
    type: "button", class: "pill add", "aria-label": t("add_reaction"), "data-tip": t("add_reaction"), dataset: { do: "react" },
    onclick: (event) => pickReaction(event.currentTarget, view.channel, message) }, icon("smile"));
  return h("div", { class: "reactions" }, pills, add);
}

function threadLine(message, view) {
  if (!message.reply_count) return null;
  const faces = (message.reply_users ?? []).slice(0, 4).map((id) => avatar(workspace.users.get(id), "tiny"));
  return h("button", { type: "button", class: "thread-line", dataset: { testid: "replies", count: message.reply_count }, onclick: () => view.openThread(message.ts) },
    h("span", { class: "faces" }, faces), h("strong", { text: count("replies", message.reply_count) }),
    message.latest_reply ? h("span", { class: "hint", text: t("last_reply", { when: moment(message.latest_reply) }) }) : null);
}

/** Make a small form in place of the text: Enter saves, Esc cancels. */
function editor(message, view) {
  const field = h("textarea", { class: "field", rows: "2", "aria-label": t("edit"), dataset: { testid: "editor" } });
  field.value = typed(message.text);
  const save = () => view.save(message, field.value);
  field.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Escape") view.edit(null);
    else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      save();
    }
  });
  return h("form", { class: "editor", onsubmit: (event) => { event.preventDefault(); save(); } }, field,
    h("div", { class: "row" }, h("button", { type: "button", class: "button", onclick: () => view.edit(null) }, t("cancel")),
      h("button", { type: "submit", class: "button primary" }, t("save"))));
}
