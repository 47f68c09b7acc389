// Rich text: paragraphs, lists, quotes and code, whose words are given one by one instead of in markup.

import { h } from "./dom.js";
import { channelNode, emojiNode, link, mention } from "./mrkdwn.js";

/** Render a rich_text block. */
export const richText = (block) => h("div", { class: "text" }, (block.elements ?? []).map(richPart));

/** Render one paragraph-like part of rich text. */
function richPart(part) {
  const inside = () => (part.elements ?? []).map((one) => (one.type?.startsWith("rich_text") ? richPart(one) : richRun(one)));
  if (part.type === "rich_text_list") {
    return h(part.style === "ordered" ? "ol" : "ul", { class: `indent-${part.indent ?? 0}` }, part.elements.map((item) => h("li", {}, richPart(item))));
  }
  if (part.type === "rich_text_quote") return h("blockquote", {}, inside());
  if (part.type === "rich_text_preformatted") return h("pre", {}, h("code", {}, inside()));
  return h("span", { class: "run" }, inside());
}

/** Render one run of rich text with its style. */
function richRun(run) {
  const node = {
    emoji: () => emojiNode(run.name),
    link: () => link(run.url, run.text || run.url),
    user: () => mention(run.user_id),
    channel: () => channelNode(run.channel_id),
    broadcast: () => h("span", { class: "mention me", text: `@${run.range}` }),
  }[run.type]?.() ?? h("span", { class: "run", text: run.text ?? "" });
  const style = run.style ?? {};
  return ["bold", "italic", "strike", "code"].reduce((inner, key) => (style[key] ? h({ bold: "b", italic: "i", strike: "s", code: "code" }[key], {}, inner) : inner), node);
}
