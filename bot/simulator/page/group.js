// Opening a group direct message: three to nine people, apps among them.

import { avatar, h } from "./dom.js";
import { popup } from "./floating.js";
import { nameOf, workspace } from "./workspace.js";
import { t } from "./words.js";

/** Ask who is to be in it, beside the person we act as; `open(names)` is called with those chosen. */
export function askForGroup(anchor, open) {
  const others = [...workspace.users.values()].filter((user) => user.id !== workspace.me.id);
  const go = h("button", { type: "submit", class: "button primary", disabled: true, dataset: { testid: "group-open" } }, t("group_open"));
  const form = h("form", {
    class: "member-list", role: "dialog", "aria-label": t("group"),
    onchange: () => { go.disabled = form.querySelectorAll(":checked").length < 2; },
    onsubmit: (event) => {
      event.preventDefault();
      const names = [...form.querySelectorAll(":checked")].map((box) => box.value);
      close();
      open(names);
    } },
  h("h3", { text: t("group") }),
  others.map((user) => h("label", { class: "menu-item" }, h("input", { type: "checkbox", value: user.name, dataset: { testid: `group-${user.name}` } }),
    avatar(user, "small"), h("span", { class: "menu-text" }, nameOf(user)))), go);
  const close = popup(anchor, form);
}
