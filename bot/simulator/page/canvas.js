// The canvases of a channel: a button above the conversation opens one, as Slack's tabs do.

import { h, icon, iconButton } from "./dom.js";
import { emojiOf } from "./emoji.js";
import { t } from "./words.js";

/** Show emoji for their names, and take the backslashes off that keep markdown's signs from being read as more than signs. */
const unescaped = (text) => text.replace(/(?<!\\):([\w+-]+):/g, (whole, name) => emojiOf(name) ?? whole).replace(/\\([\\`*_{}[\]<>()#+\-.!|~:@$])/g, "$1");

/** Render the parts of markdown that a guide has: headings, items of lists, and paragraphs. */
function rendered(markdown) {
  const nodes = [];
  for (const line of markdown.split("\n")) {
    const [, marks, heading] = /^(#{1,3}) (.*)$/.exec(line) ?? [];
    const item = /^- (.*)$/.exec(line);
    if (heading) nodes.push(h(`h${marks.length + 2}`, { text: unescaped(heading) }));
    else if (item && nodes.at(-1)?.tagName === "UL") nodes.at(-1).append(h("li", { text: unescaped(item[1]) }));
    else if (item) nodes.push(h("ul", {}, h("li", { text: unescaped(item[1]) })));
    else if (line.trim()) nodes.push(h("p", { text: unescaped(line) }));
  }
  return nodes;
}

/** Make a button for each canvas of the channel. */
export function canvasButtons(channel) {
  return (channel.canvases ?? []).map((canvas) => h("button", {
    type: "button", class: "button flat canvas-tab", dataset: { testid: "canvas-tab" }, onclick: () => openCanvas(canvas) }, icon("edit"), canvas.title || t("canvas")));
}

function openCanvas(canvas) {
  const dialog = h("dialog", { class: "canvas", "aria-label": canvas.title || t("canvas"), dataset: { testid: "canvas" } },
    h("header", { class: "head" }, h("h2", { text: canvas.title || t("canvas") }), h("span", { class: "grow" }), iconButton("close", t("close"), () => dialog.close())),
    h("div", { class: "canvas-body", tabindex: "0" }, rendered(canvas.markdown)));
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
