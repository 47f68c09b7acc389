// The left column: the workspace, who we are, channels, people and the app, with what is unread.

import { avatar, h, icon } from "./dom.js";
import { menu } from "./floating.js";
import { askForGroup } from "./group.js";
import { bots, findChannel, isMember, nameOf, people, theBot, workspace } from "./workspace.js";
import { t } from "./words.js";

const SVG = "http://www.w3.org/2000/svg";

/** Make the sign of the workspace: a sun over mountains. */
function sign() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 32 32");
  svg.setAttribute("class", "sign");
  svg.setAttribute("aria-hidden", "true");
  for (const [tag, attributes] of [["circle", { cx: 16, cy: 13, r: 6.5, class: "sign-sun" }], ["path", { d: "M2 26l9-10 5 5 5-7 9 12z", class: "sign-hill" }]]) {
    const shape = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) shape.setAttribute(name, value);
    svg.append(shape);
  }
  return svg;
}

const role = (user) => (user.is_admin ? t("admin") : user.is_restricted ? t("guest") : "");

/** Open the menu of people; `switchPerson(user)` is called with the chosen one. */
function personMenu(anchor, switchPerson) {
  menu(anchor, t("who_menu"), people().map((user) => ({
    label: nameOf(user), note: role(user), picture: avatar(user, "small"), checked: user.id === workspace.me.id,
    dataset: { person: user.name }, onpick: () => switchPerson(user) })));
}

/** Render the workspace in `nav`. `view` is {channel, unread, openChannel(id), openPerson(user), switchPerson(user), openTools()}. */
export function renderSidebar(nav, view) {
  const channels = [...workspace.channels.values()].filter((channel) => !channel.is_im && !channel.is_mpim)
    .sort((a, b) => Number(a.is_private) - Number(b.is_private) || 0);
  const me = workspace.me;
  const who = h("button", {
    type: "button", class: "who", "aria-haspopup": "menu", "aria-label": `${t("who")} ${nameOf(me)}. ${t("who_menu")}`, dataset: { testid: "person", person: me.name },
    onclick: (event) => personMenu(event.currentTarget, view.switchPerson) },
  avatar(me, "small"), h("span", { class: "who-text" }, h("span", { class: "who-label", text: t("who") }), " ", h("strong", { text: nameOf(me).split(" ")[0] })), icon("down"));

  const entry = ({ channel, user, name, picture, open, quiet }) => {
    const { messages, mentions } = channel ? view.unread.of(channel.id) : { messages: 0, mentions: 0 };
    const current = channel && channel.id === view.channel;
    const badge = mentions || (channel?.is_im ? messages : 0);
    return h("li", {}, h("button", {
      type: "button", class: ["entry", messages && "unread", current && "current", quiet && "quiet"].filter(Boolean).join(" "), "aria-current": current ? "page" : null,
      "aria-label": messages ? `${name}, ${t("unread", { n: messages })}` : channel?.is_private && !channel.is_im ? `${name}, ${t("private")}` : name,
      dataset: { testid: "channel", channel: channel?.id, name: user?.name ?? channel?.name, unread: messages || null, user: user?.id }, onclick: open },
    picture, h("span", { class: "entry-name" }, name, user && user.id === me.id ? h("span", { class: "hint" }, ` (${t("you")})`) : null),
    badge ? h("span", { class: "count", text: badge }) : messages ? h("span", { class: "dot" }) : null));
  };
  const section = (title, entries) => h("section", {}, h("h2", { text: title }), h("ul", { role: "list" }, entries));
  const groups = [...workspace.channels.values()].filter((channel) => channel.is_mpim);
  const direct = (user) => entry({
    channel: findDirect(user), user, name: nameOf(user), picture: avatar(user, "tiny"), open: () => view.openPerson(user) });
  const focused = nav.contains(document.activeElement) ? document.activeElement.dataset : null;
  nav.setAttribute("aria-label", t("menu"));
  nav.replaceChildren(
    h("div", { class: "brand" }, sign(), h("strong", { text: workspace.name })),
    who,
    h("div", { class: "entries" },
      section(t("channels"), channels.map((channel) => entry({
        channel, name: channel.name, picture: icon(channel.is_private ? "lock" : "hash"), open: () => view.openChannel(channel.id), quiet: !isMember(channel) }))),
      section(t("direct"), [
        ...people().filter((user) => user.id !== me.id).map(direct),
        ...groups.map((channel) => entry({ channel, name: channel.name, picture: icon("users"), open: () => view.openChannel(channel.id) })),
        h("li", {}, h("button", { type: "button", class: "entry quiet", dataset: { testid: "open-group" }, onclick: (event) => askForGroup(event.currentTarget, view.openGroup) },
          icon("users"), h("span", { class: "entry-name", text: t("group") })))]),
      theBot() ? section(t("apps"), bots().map((bot) => direct(bot))) : null),
    h("div", { class: "local" }, h("p", { dataset: { testid: "simulator-note" } }, icon("lock"), h("span", { text: t("simulator") })),
      h("button", { type: "button", class: "entry quiet", dataset: { testid: "open-tools" }, onclick: view.openTools }, icon("code"), h("span", { class: "entry-name", text: t("tools") }))));
  if (focused?.testid === "channel") nav.querySelector(`[data-testid="channel"][data-name="${CSS.escape(focused.name ?? "")}"]`)?.focus();
  else if (focused?.testid === "person") nav.querySelector('[data-testid="person"]')?.focus();
}

/** Return the direct messages with a user, or undefined where none was opened yet. */
export function findDirect(user) {
  const channel = findChannel(user.name);
  return channel?.is_im ? channel : [...workspace.channels.values()].find((one) => one.is_im && one.user === user.id);
}
