// Renders Block Kit. A surface is one message, modal or home: it knows its blocks' controls and their values.

import { h, localPicture } from "./dom.js";
import { control, wordsOf } from "./inputs.js";
import { link, mrkdwn, textObject } from "./mrkdwn.js";
import { NEWER } from "./newer.js";
import { richText } from "./richtext.js";
import { t } from "./words.js";

export class Surface {
  /** `onact({block_id, action_id, ...payload})` returns a promise: whether the simulator took the action.
   * `suggest({block_id, action_id, typed})` returns a promise of the options that the app offers for what was typed. */
  constructor(onact, suggest = async () => []) {
    this.onact = onact;
    this.suggest = suggest;
    this.controls = []; // {block, element, control}
  }

  /** Render the blocks, one node each. */
  render(blocks) {
    return (blocks ?? []).map((block, index) => {
      const node = (BLOCKS[block.type] ?? unknown)(block, this, index);
      node.classList.add("block", block.type);
      if (block.block_id) node.dataset.blockId = block.block_id;
      return node;
    });
  }

  /** Make the control of an element and remember it under its block. */
  add(block, element, { acts = true, props = {} } = {}) {
    const onact = (payload) => (acts ? this.onact({ block_id: block.block_id, action_id: element.action_id, ...payload }) : undefined);
    const made = control(element, onact, props, (typed) => this.suggest({ block_id: block.block_id, action_id: element.action_id, typed }));
    if (!made) return h("span", { class: "unknown", text: t("not_shown", { type: element.type }) });
    this.controls.push({ block, element, control: made });
    return made.node;
  }

  /** Return {block_id: {action_id: entry}}, as `view.state.values`. */
  values() {
    const values = {};
    for (const { block, element, control: one } of this.controls) {
      const entry = one.value();
      if (entry) (values[block.block_id] ??= {})[element.action_id] = entry;
    }
    return values;
  }

  /** Put `values` back into the controls of the same block and action. */
  restore(values) {
    for (const { block, element, control: one } of this.controls) {
      const entry = values[block.block_id]?.[element.action_id];
      if (entry) one.set(entry);
    }
  }
}

/** Make a picture from this machine; one from elsewhere is only named, since nothing leaves or enters this machine. */
export function picture(url, alt, title = null) {
  const local = localPicture(url);
  const caption = title ? h("figcaption", {}, title) : null;
  if (!local) return h("figure", { class: "picture" }, caption, h("span", { class: "unknown", text: t("image_external", { name: alt || url }) }));
  return h("figure", { class: "picture" }, caption,
    h("a", { href: local, target: "_blank", rel: "noopener" }, h("img", { src: local, alt: alt ?? "" })));
}

const unknown = (block) => h("div", { class: "unknown", text: t("not_shown", { type: block.type }) });

const BLOCKS = {
  section(block, surface) {
    const accessory = block.accessory;
    return h("div", { class: accessory ? "with-accessory" : "" },
      h("div", { class: "section-body" },
        block.text ? h("div", { class: "text" }, textObject(block.text)) : null,
        block.fields?.length ? h("div", { class: "fields" }, block.fields.map((field) => h("div", { class: "text" }, textObject(field)))) : null),
      accessory ? h("div", { class: "accessory" }, accessory.type === "image" ? picture(accessory.image_url, accessory.alt_text)
        : surface.add(block, accessory, { props: { "aria-label": wordsOf(block.text) || null } })) : null);
  },
  context: (block) => h("div", {}, block.elements.map((element) =>
    element.type === "image" ? (localPicture(element.image_url) ? h("img", { src: localPicture(element.image_url), alt: element.alt_text ?? "" }) : h("span", { text: element.alt_text }))
      : h("span", { class: "text" }, textObject(element)))),
  divider: () => h("hr"),
  header: (block) => h("h3", {}, textObject(block.text)),
  actions: (block, surface) => h("div", {}, block.elements.map((element) => surface.add(block, element, { props: { "aria-label": wordsOf(element.placeholder) || null } }))),
  image: (block) => picture(block.image_url ?? block.slack_file?.url, block.alt_text, block.title ? textObject(block.title) : null),
  input(block, surface, index) {
    const id = `f-${block.block_id ?? index}-${crypto.randomUUID().slice(0, 6)}`;
    const grouped = ["checkboxes", "radio_buttons", "multi_static_select"].includes(block.element.type);
    const label = wordsOf(block.label);
    const props = { "aria-describedby": `${id}-note`, "aria-required": block.optional ? null : "true", ...(grouped ? { "aria-label": label } : { id }) };
    return h("div", { dataset: { testid: "input" } },
      h(grouped ? "div" : "label", { class: "label", for: grouped ? null : id }, textObject(block.label),
        block.optional ? h("span", { class: "hint", text: ` ${t("optional")}` }) : null),
      surface.add(block, { ...block.element, dispatch: block.dispatch_action }, { acts: Boolean(block.dispatch_action), props }),
      h("div", { class: "note", id: `${id}-note` },
        block.hint ? h("span", { class: "hint" }, textObject(block.hint)) : null, h("span", { class: "error", role: "alert", dataset: { testid: "field-error" } })));
  },
  rich_text: (block) => richText(block),
  ...NEWER,
};

/** Render a message's old-style attachment: a coloured bar beside text, fields and blocks. */
export function attachment(one, surface) {
  const node = h("div", { class: "attachment" },
    one.pretext ? h("div", { class: "text" }, mrkdwn(one.pretext)) : null,
    one.title ? h("strong", {}, one.title_link ? link(one.title_link, one.title) : one.title) : null,
    one.text && !one.blocks ? h("div", { class: "text" }, mrkdwn(one.text)) : null,
    surface.render(one.blocks),
    one.image_url ? picture(one.image_url, one.fallback) : null);
  if (/^#?[0-9a-f]{6}$/i.test(one.color ?? "")) node.style.borderLeftColor = `#${one.color.replace("#", "")}`;
  return node;
}
