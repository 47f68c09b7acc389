// The list of the page's keys, in a dialog.

import { h } from "./dom.js";
import { dialog } from "./floating.js";
import { t } from "./words.js";

const GROUPS = [
  ["key_in_list", [["↑ ↓", "key_arrows"], ["Inicio Fin|Home End", "key_ends"], ["R", "key_react"], ["T", "key_thread"], ["M", "key_more"], ["E", "key_edit"]]],
  ["key_in_composer", [["Intro|Enter", "key_send"], ["Mayús + Intro|Shift + Enter", "key_newline"], ["↑", "key_last"], ["/ @ # :", "commands"], ["Ctrl + B I E", "bold"]]],
  ["key_anywhere", [["Alt + ↑ ↓", "key_channels"], ["F6", "key_regions"], ["Esc", "key_escape"], ["?", "key_help"]]],
];
const ABOUT = { commands: () => [t("commands"), t("mention").toLowerCase(), "#", t("emoji").toLowerCase()].join(", "), bold: () => [t("bold"), t("italic").toLowerCase(), t("code").toLowerCase()].join(", ") };

/** Open the dialog with all keys. */
export function showKeys(language) {
  const row = ([keys, about]) => h("tr", {}, h("th", { scope: "row" }, h("kbd", { text: keys.split("|")[language === "en" ? 1 : 0] ?? keys })), h("td", { text: (ABOUT[about] ?? (() => t(about)))() }));
  dialog({
    title: t("about_keys"), className: "keys", dataset: { testid: "keys" },
    body: GROUPS.map(([title, rows]) => h("section", {}, h("h3", { text: t(title) }), h("table", {}, h("tbody", {}, rows.map(row))))),
  });
}
