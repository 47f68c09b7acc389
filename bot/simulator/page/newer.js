// The blocks that Slack has had since late 2025: feedback, tables, charts, tasks, alerts, and boxes that fold.

import { chart } from "./chart.js";
import { h, icon } from "./dom.js";
import { textObject } from "./mrkdwn.js";
import { richText } from "./richtext.js";
import { t } from "./words.js";

const STATES = { pending: "clock", in_progress: "turning", complete: "check", error: "close" };
const SIGNS = { default: "info", info: "info", warning: "warning", error: "warning", success: "check" };

export const NEWER = {
  context_actions: (block, surface) => h("div", {}, block.elements.map((element) => surface.add(block, element))),
  table: (block) => table(block.rows, { settings: block.column_settings ?? [] }),
  data_table: (block) => dataTable(block),
  data_visualization: (block) => h("figure", {}, h("figcaption", { text: block.title }), chart(block.chart, block.title)),
  alert: (block) => h("div", { class: `level-${block.level ?? "default"}`, role: "note" },
    icon(SIGNS[block.level ?? "default"]), h("div", { class: "text" }, textObject(block.text))),
  task_card: (block) => task(block),
  plan: (block) => h("div", {}, h("strong", { text: block.title }), h("ol", {}, (block.tasks ?? []).map((one) => h("li", {}, task(one))))),
  container(block, surface) {
    const title = block.rich_text_title ? richText(block.rich_text_title) : h("strong", {}, textObject(block.title));
    const head = [title, block.subtitle ? h("span", { class: "hint" }, textObject(block.subtitle)) : null];
    const inside = h("div", { class: "container-body" }, surface.render(block.child_blocks));
    if (!block.is_collapsible) return h("div", {}, h("div", { class: "container-head" }, head), inside);
    return h("div", {}, h("details", { open: !block.default_collapsed }, h("summary", { class: "container-head" }, head), inside));
  },
};

/** Render one task with its state, and what there is to say of it. */
function task(one) {
  const status = one.status ?? "pending";
  return h("div", { class: `task is-${status}`, dataset: { status } },
    h("span", { class: "task-state", role: "img", "aria-label": t(`task_${status}`) }, icon(STATES[status])),
    h("div", { class: "task-body" }, h("span", { class: "task-title", text: one.title }),
      one.details ? richText(one.details) : null, one.output ? richText(one.output) : null));
}

const words = (cell) => (cell.type === "rich_text" ? richText(cell).textContent : cell.text);

/** Render rows of cells, the first of them as header; numbers stand to the right. `sorting`: {at, down, by(column)}, if it can be sorted. */
function table([head, ...rows], { settings = [], caption = null, header = null, sorting = null } = {}) {
  const inside = (cell) => (cell.type === "rich_text" ? richText(cell) : cell.text);
  const cell = (tag, one, at, props, ...inner) => h(tag, {
    class: `${settings[at]?.align ?? (one.type === "raw_number" ? "right" : "left")} ${settings[at]?.is_wrapped ? "wrapped" : ""}`, ...props }, ...inner);
  const column = (one, at) => {
    const numbers = rows.length && rows.every((row) => row[at].type === "raw_number") ? { ...one, type: "raw_number" } : one;
    if (!sorting) return cell("th", numbers, at, { scope: "col" }, inside(one));
    const way = sorting.at !== at ? "none" : sorting.down ? "descending" : "ascending";
    const arrow = { none: "", ascending: " ↑", descending: " ↓" }[way];
    return cell("th", numbers, at, { scope: "col", "aria-sort": way },
      h("button", { type: "button", class: "sort", onclick: () => sorting.by(at) }, inside(one), arrow));
  };
  const line = (row) => h("tr", {}, row.map((one, at) => (at === header ? cell("th", one, at, { scope: "row" }, inside(one)) : cell("td", one, at, {}, inside(one)))));
  return h("div", { class: "table-box", tabindex: "0", role: "region", "aria-label": caption ?? t("table") },
    h("table", {}, caption ? h("caption", { text: caption }) : null, h("thead", {}, h("tr", {}, head.map(column))), h("tbody", {}, rows.map(line))));
}

/** Render a table that is sorted by a click on a column, and read page by page. */
function dataTable(block) {
  const [head, ...rows] = block.rows;
  const size = block.page_size ?? 5;
  const box = h("div", {});
  let sorted = null;
  let from = 0;
  const value = (row) => (row[sorted.at].type === "raw_number" ? row[sorted.at].value : words(row[sorted.at]).toLocaleLowerCase());
  const draw = () => {
    const all = sorted ? [...rows].sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (sorted.down ? -1 : 1)) : rows;
    const by = (at) => {
      sorted = { at, down: sorted?.at === at && !sorted.down };
      from = 0;
      draw();
      box.querySelectorAll(".sort")[at].focus();
    };
    const shown = [head, ...all.slice(from, from + size)];
    const page = table(shown, { caption: block.caption, header: block.row_header_column_index ?? 0, sorting: { ...sorted, by } });
    const turn = (step, name, off) => h("button", { type: "button", class: "button flat", disabled: off, "aria-label": t(name), onclick: () => { from += step; draw(); } }, step < 0 ? "‹" : "›");
    const last = Math.min(from + size, rows.length);
    box.replaceChildren(page, ...(rows.length > size ? [h("div", { class: "pages" },
      turn(-size, "page_before", from === 0), h("span", { class: "hint", text: t("page_of", { from: from + 1, to: last, all: rows.length }) }),
      turn(size, "page_after", last === rows.length))] : []));
  };
  draw();
  return box;
}
