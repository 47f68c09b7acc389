// The line above the conversation: its name, the app's tabs, members, language, theme and keys.

import { canvasButtons } from "./canvas.js";
import { avatar, fill, h, icon, iconButton } from "./dom.js";
import { popup } from "./floating.js";
import { tryTo } from "./gestures.js";
import { showKeys } from "./keys.js";
import { bots, isMember, nameOf, workspace } from "./workspace.js";
import { count, currentLanguage, t } from "./words.js";

/** Return whether dark colours are shown, by the person's choice or by the system's. */
const isDark = () => (document.documentElement.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

function showMembers(anchor, members, openPerson) {
  const close = popup(anchor, h("div", { class: "member-list", role: "dialog", "aria-label": t("members") }, h("h3", { text: t("members") }),
    members.map((user) => h("button", {
      type: "button", class: "menu-item", disabled: user.id === workspace.me.id, onclick: () => {
        close();
        openPerson(user);
      } },
    avatar(user, "small"), h("span", { class: "menu-text" }, h("span", { text: nameOf(user) }),
      h("small", { text: user.id === workspace.me.id ? t("you") : user.is_bot ? t("app") : user.is_restricted ? t("guest") : `@${user.name}` }))))), { end: true });
}

/** Render the head of a channel. `view` is {tab, openTab(name), openPerson(user), toggleLanguage(), chooseTheme(name), showSidebar()}. */
export function renderHead(head, channel, view) {
  const other = channel.is_im ? workspace.users.get(channel.user) : null;
  const bot = bots().find((one) => !channel.members.includes(one.id));
  const members = channel.members.map((id) => workspace.users.get(id)).filter(Boolean);
  const dark = isDark();
  const otherLanguage = currentLanguage() === "es" ? "EN" : "ES";
  const tab = (name, label) => h("button", {
    type: "button", class: "tab", role: "tab", "aria-selected": String(view.tab === name), dataset: { testid: `tab-${name}` }, onclick: () => view.openTab(name) }, label);
  fill(head,
    iconButton("menu", t("menu"), view.showSidebar, { class: "icon-button burger", dataset: { testid: "burger" } }),
    h("div", { class: "head-title" },
      other ? avatar(other, "small") : icon(channel.is_mpim ? "users" : channel.is_private ? "lock" : "hash"),
      h("h1", { text: other ? nameOf(other) : channel.name, dataset: { testid: "channel-name" } }),
      other?.is_bot ? h("span", { class: "badge", text: t("app") }) : null),
    other?.is_bot ? h("div", { class: "tabs", role: "tablist" }, tab("home", t("home")), tab("messages", t("messages"))) : null,
    canvasButtons(channel),
    h("span", { class: "grow" }),
    !channel.is_im && bot && isMember(channel) && !channel.members.includes(bot.id)
      ? h("button", { type: "button", class: "button invite", dataset: { testid: "invite-bot" }, onclick: () => tryTo("invite", { channel: channel.id, member: bot.id }) },
        avatar(bot, "tiny"), t("invite_bot", { name: bot.name })) : null,
    channel.is_im ? null : h("button", {
      type: "button", class: "members", "aria-label": count("members", members.length), "data-tip": t("members"), "aria-haspopup": "dialog", dataset: { testid: "members" },
      onclick: (event) => showMembers(event.currentTarget, members, view.openPerson) },
    h("span", { class: "faces" }, members.slice(0, 3).map((user) => avatar(user, "tiny"))), h("span", { text: members.length })),
    h("button", {
      type: "button", class: "button flat language", "aria-label": `${otherLanguage}: ${t("language_name")}`, "data-tip": t("language_name"), dataset: { testid: "language" },
      onclick: view.toggleLanguage }, otherLanguage),
    iconButton(dark ? "sun" : "moon", t(dark ? "theme_light" : "theme_dark"), () => view.chooseTheme(dark ? "light" : "dark"), { dataset: { testid: "theme" } }),
    iconButton("keyboard", `${t("about_keys")} (?)`, () => showKeys(currentLanguage()), { dataset: { testid: "show-keys" } }));
}
