// The reaction picker: search in Spanish and English, arrow keys, the label of each emoji.

import { h, icon } from "./dom.js";
import { findEmoji, groups, meaningOf } from "./emoji.js";
import { popup } from "./floating.js";
import { currentLanguage, t } from "./words.js";

/** Open the picker beside `anchor`; `onpick` gets the Slack name of the chosen emoji. */
export function pickEmoji(anchor, onpick) {
  const search = h("input", {
    type: "search", class: "picker-search", placeholder: t("find_emoji"), "aria-label": t("find_emoji"), autocomplete: "off", spellcheck: "false",
    role: "combobox", "aria-expanded": "true", "aria-controls": "picker-grid", dataset: { testid: "picker-search" },
  });
  const grid = h("div", { class: "picker-grid", id: "picker-grid", role: "listbox", "aria-label": t("emoji") });
  const about = h("div", { class: "picker-about", "aria-hidden": "true" });
  const tabs = h("div", { class: "picker-tabs", role: "toolbar", "aria-label": t("emoji") });
  const box = h("div", { class: "picker", role: "dialog", "aria-label": t("add_reaction"), dataset: { testid: "picker" } },
    h("div", { class: "picker-top" }, icon("search"), search), tabs, grid, about);

  const tell = (entry) => {
    if (!entry) return about.replaceChildren();
    const meaning = meaningOf(entry);
    const name = currentLanguage() === "es" && entry.spanish ? entry.spanish : entry.aliases.at(-1).replaceAll("_", " ");
    about.replaceChildren(h("span", { class: "picker-big" }, entry.char),
      h("span", {}, h("strong", { text: meaning ?? name }), h("small", { text: meaning ? `${name} · :${entry.name}:` : `:${entry.name}:` })));
  };
  const cell = (entry) => h("button", {
    type: "button", class: "picker-cell", role: "option", tabindex: "-1", "aria-label": [meaningOf(entry), entry.spanish || entry.name].filter(Boolean).join(", "),
    dataset: { emoji: entry.name }, onfocus: () => tell(entry), onpointerenter: () => tell(entry),
    onclick: () => {
      close();
      onpick(entry.name);
    },
  }, entry.char);
  const section = (title, entries, id) => [
    h("h3", { class: "picker-title", id: `picker-${id}`, role: "presentation" }, title), h("div", { class: "picker-row", role: "group", "aria-labelledby": `picker-${id}` }, entries.map(cell))];

  const render = () => {
    const query = search.value.trim();
    tabs.hidden = Boolean(query);
    const found = query ? findEmoji(query) : null;
    if (found && !found.length) grid.replaceChildren(h("p", { class: "picker-none", role: "presentation", text: t("no_match", { text: query }) }));
    else if (found) grid.replaceChildren(...section(t("found"), found, "found"));
    else grid.replaceChildren(...groups.flatMap((group) => section(t(`group_${group.id}`), group.entries, group.id)));
    grid.scrollTop = 0;
    tell(found?.[0] ?? (found ? null : groups[0].entries[0]));
  };
  for (const group of groups) {
    tabs.append(h("button", {
      type: "button", class: "picker-tab", "aria-label": t(`group_${group.id}`), "data-tip": t(`group_${group.id}`),
      onclick: () => grid.querySelector(`#picker-${group.id}`).scrollIntoView({ block: "start" }),
    }, group.id === "frequent" ? "🕘" : group.entries[0].char));
  }

  const columns = () => Math.max(1, Math.round(grid.querySelector(".picker-row").clientWidth / grid.querySelector(".picker-cell").offsetWidth));
  box.addEventListener("keydown", (event) => {
    const cells = [...grid.querySelectorAll(".picker-cell")];
    const at = cells.indexOf(document.activeElement);
    if (event.key === "Enter" && document.activeElement === search && cells.length) {
      event.preventDefault();
      return cells[0].click();
    }
    if (event.key === "ArrowDown" && at < 0) {
      event.preventDefault();
      return cells[0]?.focus();
    }
    if (at < 0) return undefined;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns(), ArrowUp: -columns() }[event.key];
    if (step) {
      event.preventDefault();
      return (at + step < 0 ? search : cells[Math.min(at + step, cells.length - 1)]).focus();
    }
    if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey) search.focus();
    return undefined;
  });
  search.addEventListener("input", render);
  render();
  const close = popup(anchor, box, { above: true, end: true });
  search.focus();
}
