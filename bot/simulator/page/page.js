// The chat page of the simulator: one person's view of the workspace, live. This file ties the parts together;
// each part is a noun beside it. State worth sharing stands in the address: ?user=ana&channel=general&thread=TS.

import { Composer } from "./composer.js";
import { avatar, fill, h, icon, iconButton } from "./dom.js";
import { loadEmoji } from "./emoji.js";
import { Feed } from "./feed.js";
import { popup, toast, tooltips } from "./floating.js";
import { tryTo } from "./gestures.js";
import { showKeys } from "./keys.js";
import { drawSidebar, findDirect } from "./sidebar.js";
import { Unread } from "./unread.js";
import { Home, Modals } from "./views.js";
import { actAs, Connection, readMessages, readState, Refused } from "./wire.js";
import { adopt, findChannel, findUser, isMember, nameOf, theBot, titleOf, workspace } from "./workspace.js";
import { count, speak, spoken, t } from "./words.js";

const at = (id) => document.getElementById(id);
const [frame, nav, scrim, head, banner, stage, side] = ["frame", "sidebar", "scrim", "head", "banner", "stage", "thread"].map(at);
const query = new URLSearchParams(location.search);
const here = { channel: null, thread: null, tab: "messages" };
const unread = new Unread();
const modals = new Modals();
const home = new Home();
let connection = null;
let tellLost = 0;
let feed, threadFeed, composer, threadComposer;

const theChannel = () => workspace.channels.get(here.channel);

/** The address says where we are, so that a reload or a shared link comes back here. */
function remember(push = false) {
  const channel = theChannel();
  const params = new URLSearchParams({ user: workspace.me.name });
  if (channel) params.set("channel", channel.is_im ? findUser(channel.user)?.name ?? channel.id : channel.name);
  if (here.tab === "home") params.set("tab", "home");
  if (here.thread) params.set("thread", here.thread);
  if (spoken() === "en") params.set("lang", "en");
  const url = `?${params}`;
  if (url !== location.search || location.hash) history[push ? "pushState" : "replaceState"](null, "", url);
  document.title = `${channel ? `${titleOf(channel)} · ` : ""}${workspace.name}`;
}

// ---- what is seen

function drawAll() {
  drawSidebar(nav, { channel: here.channel, unread, openChannel, openPerson, sitDown });
  drawHead();
  drawStage();
}

function drawHead() {
  const channel = theChannel();
  if (!channel) return;
  const other = channel.is_im ? workspace.users.get(channel.user) : null;
  const bot = theBot();
  const members = channel.members.map((id) => workspace.users.get(id)).filter(Boolean);
  const tab = (name, label) => h("button", {
    type: "button", class: "tab", role: "tab", "aria-selected": String(here.tab === name), dataset: { testid: `tab-${name}` }, onclick: () => openTab(name) }, label);
  const dark = getComputedStyle(document.documentElement).colorScheme === "dark"
    || (!document.documentElement.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  fill(head,
    iconButton("menu", t("menu"), () => showSidebar(true), { class: "icon-button burger", dataset: { testid: "burger" } }),
    h("div", { class: "head-title" },
      other ? avatar(other, "small") : icon(channel.is_private ? "lock" : "hash"),
      h("h1", { text: other ? nameOf(other) : channel.name, dataset: { testid: "channel-name" } }),
      other?.is_bot ? h("span", { class: "badge", text: t("app") }) : null),
    other?.is_bot ? h("div", { class: "tabs", role: "tablist" }, tab("home", t("home")), tab("messages", t("messages"))) : null,
    h("span", { class: "grow" }),
    !channel.is_im && bot && isMember(channel) && !channel.members.includes(bot.id)
      ? h("button", { type: "button", class: "button invite", dataset: { testid: "invite-bot" }, onclick: () => tryTo("invite", { channel: channel.id, member: bot.id }) },
        avatar(bot, "tiny"), t("invite_bot", { name: bot.name })) : null,
    channel.is_im ? null : h("button", {
      type: "button", class: "members", "aria-label": `${count("members", members.length)}`, "data-tip": t("members"), "aria-haspopup": "dialog", dataset: { testid: "members" },
      onclick: (event) => showMembers(event.currentTarget, members) },
    h("span", { class: "faces" }, members.slice(0, 3).map((user) => avatar(user, "tiny"))), h("span", { text: members.length })),
    h("button", { type: "button", class: "button flat language", "aria-label": t("language_name"), onclick: toggleLanguage, dataset: { testid: "language" } }, spoken() === "es" ? "EN" : "ES"),
    iconButton(dark ? "sun" : "moon", t(dark ? "theme_light" : "theme_dark"), () => chooseTheme(dark ? "light" : "dark"), { dataset: { testid: "theme" } }),
    iconButton("keyboard", `${t("about_keys")} (?)`, () => showKeys(spoken()), { dataset: { testid: "show-keys" } }));
}

function showMembers(anchor, members) {
  popup(anchor, h("div", { class: "member-list", role: "dialog", "aria-label": t("members") }, h("h3", { text: t("members") }),
    members.map((user) => h("button", { type: "button", class: "menu-item", onclick: () => openPerson(user) },
      avatar(user, "small"), h("span", { class: "menu-text" }, h("span", { text: nameOf(user) }),
        h("small", { text: user.is_bot ? t("app") : user.is_restricted ? t("guest") : `@${user.name}` }))))), { end: true }) ;
}

let staged = "";
function drawStage() {
  const channel = theChannel();
  const mode = here.tab === "home" ? "home" : channel && isMember(channel) ? "write" : "look";
  if (staged === mode) return;
  staged = mode;
  if (mode === "home") return stage.replaceChildren(home.element);
  const join = h("div", { class: "join" }, h("span", { text: t("join_why", { name: titleOf(channel) }) }),
    h("button", { type: "button", class: "button primary", dataset: { testid: "join" }, onclick: () => tryTo("invite", { channel: here.channel, member: workspace.me.id }) }, t("join")));
  return stage.replaceChildren(feed.element, mode === "write" ? composer.element : join);
}

/** What stands above a channel's first message: where we are, and for newcomers what to try. */
let introSeen = { key: "", node: null };
function intro() {
  const channel = theChannel();
  const bot = theBot();
  const other = channel?.is_im ? workspace.users.get(channel.user) : null;
  const answered = feed.messages.some((message) => message.reply_users?.includes(bot?.id));
  const invited = channel?.members.includes(bot?.id);
  const key = JSON.stringify([channel?.id, answered, invited, spoken(), workspace.me.id]);
  if (introSeen.key === key) return introSeen.node;
  const about = other ? t(other.is_bot ? "channel_dm_app" : "channel_dm", { name: nameOf(other) }) : t(channel?.is_private ? "channel_private" : "channel_public");
  const card = (number, title, text, code, done, testid) => h("li", { class: `try ${done ? "done" : ""}` },
    h("span", { class: "try-number", "aria-hidden": "true" }, done ? icon("check") : String(number)),
    h("strong", { text: title }), h("p", { text }),
    h("button", { type: "button", class: "try-code", dataset: { testid }, "aria-label": `${t("try_write")}: ${code}`, onclick: () => composer.write(code) }, h("code", { text: code })));
  const cards = !other && bot && !answered && channel && isMember(channel) ? h("div", { class: "tries" }, h("h3", { text: t("try_title") }),
    h("ol", {},
      card(1, t("try_1"), t("try_1_text"), `/invite @${bot.name}`, invited, "try-invite"),
      card(2, t("try_2"), t("try_2_text"), "/beto watch", false, "try-watch"),
      card(3, t("try_3"), t("try_3_text"), t("try_example"), false, "try-message")),
    h("p", { class: "hint try-local" }, icon("lock"), t("simulator"))) : null;
  const node = h("div", { class: "intro", dataset: { testid: "intro" } },
    h("div", { class: "intro-sign" }, other ? avatar(other, "large") : icon(channel?.is_private ? "lock" : "hash")),
    h("h2", { text: other ? nameOf(other) : t("channel_intro", { name: titleOf(channel) }) }), h("p", { text: about }), cards);
  introSeen = { key, node };
  return node;
}

// ---- where we are

async function openChannel(id, { thread = null, push = true, tab = "messages", focus = true } = {}) {
  const channel = workspace.channels.get(id);
  if (!channel) return toast(t("not_found"), "error");
  here.channel = id;
  here.tab = tab;
  showSidebar(false);
  unread.clear(id);
  composer.show(`${workspace.me.id}/${id}`, t("write_in", { name: titleOf(channel) }));
  staged = "";
  drawAll();
  feed.list.setAttribute("aria-label", t("messages_in", { name: titleOf(channel) }));
  if (thread) openThread(thread, { push: false, focus });
  else closeThread(false);
  remember(push);
  if (tab === "home") home.open();
  else if (focus && !thread && matchMedia("(hover: hover)").matches) composer.focus();
  await guarded(feed.show(id));
  return undefined;
}

async function openPerson(user) {
  const known = findDirect(user);
  const id = known?.id ?? (await tryTo("open_dm", { other: user.name }))?.channel;
  if (!id) return;
  if (!workspace.channels.has(id.id ?? id)) await refreshState();
  openChannel(id.id ?? id);
}

function openTab(name) {
  here.tab = name;
  staged = "";
  drawAll();
  remember(true);
  if (name === "home") home.open();
  else guarded(feed.show(here.channel));
  head.querySelector(`[data-testid="tab-${name}"]`)?.focus();
}

async function openThread(ts, { push = true, focus = true } = {}) {
  here.thread = ts;
  frame.classList.add("with-thread");
  side.hidden = false;
  side.setAttribute("aria-label", t("thread"));
  side.replaceChildren(
    h("header", { class: "head" }, h("div", { class: "head-title" }, h("h2", { text: t("thread") }), h("span", { class: "hint", text: titleOf(theChannel()) })),
      h("span", { class: "grow" }), iconButton("close", t("close"), () => closeThread(), { dataset: { testid: "close-thread" } })),
    threadFeed.element, isMember(theChannel()) ? threadComposer.element : "");
  threadComposer.show(`${workspace.me.id}/${here.channel}/${ts}`, t("reply_placeholder"));
  remember(push);
  if (focus) threadComposer.focus();
  await guarded(threadFeed.show(here.channel, ts));
}

function closeThread(focus = true) {
  const was = here.thread;
  here.thread = null;
  frame.classList.remove("with-thread");
  side.hidden = true;
  threadFeed.channel = null;
  if (!was || !focus) return;
  remember(true);
  feed.reveal(was);
}

/** The person at the keyboard is this one now; everything is read again through their eyes. */
async function sitDown(person, { channel = null, thread = null, tab = "messages" } = {}) {
  const wanted = channel ?? (theChannel()?.is_im ? null : theChannel()?.name);
  connection?.close();
  modals.clear();
  home.clear();
  actAs(person.name ?? person);
  adopt(await readState());
  unread.actAs(workspace.me);
  connection = new Connection(onChange, onLink);
  const bot = findUser(wanted);
  let target = findChannel(wanted);
  if (!target && bot?.is_bot) {
    const opened = await tryTo("open_dm", { other: bot.name });
    await refreshState();
    target = workspace.channels.get(opened?.channel?.id ?? opened?.channel);
  }
  if (!target && channel) toast(t("not_found"), "error");
  target ??= findChannel("general") ?? [...workspace.channels.values()][0];
  await openChannel(target.id, { thread, tab, push: false });
  for (const one of workspace.channels.values()) {
    if (one.id !== here.channel && isMember(one)) unread.recount(one.id, await readMessages(one.id).catch(() => []));
  }
  drawSidebar(nav, { channel: here.channel, unread, openChannel, openPerson, sitDown });
}

async function refreshState() {
  adopt(await readState());
  drawAll();
  if (here.tab === "messages" && feed.channel) feed.draw();
}

// ---- what comes in

function onChange(change) {
  if (change.type === "state") return guarded(refreshState());
  if (change.type === "view") return modals.show(change.view);
  if (change.type === "view_closed") return modals.drop(change.view_id);
  if (change.type === "view_errors") return modals.fail(change.view_id, change.errors);
  if (change.type === "home") return home.show(change.view);
  if (change.type === "notice") return toast(change.text, change.level === "error" ? "error" : "info");
  feed.take(change);
  threadFeed.take(change);
  if (change.type !== "message") return undefined;
  if (change.channel === here.channel && here.tab === "messages" && !document.hidden) unread.clear(change.channel, change.message.ts);
  else if (isMember(workspace.channels.get(change.channel) ?? { is_im: true })) unread.add(change.channel, change.message);
  if (!workspace.channels.has(change.channel)) return guarded(refreshState());
  return drawSidebar(nav, { channel: here.channel, unread, openChannel, openPerson, sitDown });
}

function onLink(up, again) {
  clearTimeout(tellLost);
  if (!up) {
    // A moment's patience: a page that is being left also loses its connection.
    tellLost = setTimeout(() => {
      banner.replaceChildren(icon("offline"), t("offline"));
      banner.hidden = false;
    }, 400);
    return;
  }
  if (!banner.hidden) toast(t("online"));
  banner.hidden = true;
  if (!again) return;
  guarded(refreshState().then(() => feed.show(here.channel)).then(() => here.thread && threadFeed.show(here.channel, here.thread)));
}

/** A refusal is told; anything else is a fault of ours and stays one. */
async function guarded(promise) {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.code !== "offline") toast(error.message, "error");
    return null;
  }
}

// ---- what goes out

/** What was typed goes as it is: the simulator turns names, addresses and commands into what Slack makes of them. */
async function send(text, threadTs = null) {
  const body = { channel: here.channel, text, ...(threadTs ? { thread_ts: threadTs } : {}) };
  const taken = Boolean(await tryTo("message", body));
  if (taken) (threadTs ? threadFeed : feed).toEnd();
  return taken;
}

// ---- the page as a whole

function showSidebar(open) {
  frame.classList.toggle("with-sidebar", open);
  scrim.hidden = !open;
  if (open) nav.querySelector("button")?.focus();
}

function chooseTheme(name) {
  document.documentElement.dataset.theme = name;
  store("beto.theme", name);
  drawHead();
}

function toggleLanguage() {
  speak(spoken() === "es" ? "en" : "es");
  store("beto.language", spoken());
  makeParts();
  openChannel(here.channel, { thread: here.thread, tab: here.tab, push: false });
}

function store(key, value) {
  try {
    if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch {
    return null; // storage is refused in some private windows; the choice then lasts as long as the page
  }
}

/** The parts whose words are drawn once. */
function makeParts() {
  const say = (text) => { at("live").textContent = text; };
  const host = (write) => ({ openThread: (ts) => openThread(ts), intro, write, say });
  feed = new Feed(host(() => composer.focus()), t("messages"));
  threadFeed = new Feed(host(() => threadComposer.focus()), t("thread"));
  composer = new Composer("composer", (text) => send(text), { up: () => feed.editLast(), leave: () => feed.focus() });
  threadComposer = new Composer("thread-composer", (text) => send(text, here.thread), { up: () => threadFeed.editLast(), leave: () => closeThread() });
}

function step(by) {
  const entries = [...nav.querySelectorAll("[data-testid=channel]")];
  const now = entries.findIndex((entry) => entry.getAttribute("aria-current"));
  entries[(now + by + entries.length) % entries.length]?.click();
}

function nextRegion(back) {
  const regions = [[nav, () => nav.querySelector('[aria-current="page"]')?.focus()], [feed.element, () => feed.focus()], [composer.element, () => composer.focus()]];
  if (here.thread) regions.push([threadFeed.element, () => threadFeed.focus()], [threadComposer.element, () => threadComposer.focus()]);
  const now = regions.findIndex(([element]) => element.contains(document.activeElement));
  regions[(now + (back ? -1 : 1) + regions.length) % regions.length][1]();
}

function onKey(event) {
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const typing = event.target.matches("input, textarea, select");
  if (event.altKey && (event.key === "ArrowDown" || event.key === "ArrowUp")) step(event.key === "ArrowDown" ? 1 : -1);
  else if (event.key === "F6") nextRegion(event.shiftKey);
  else if (event.key === "?" && !typing) showKeys(spoken());
  else if (event.key === "Escape" && frame.classList.contains("with-sidebar")) showSidebar(false);
  else return;
  event.preventDefault();
}

async function start() {
  speak(query.get("lang") ?? store("beto.language") ?? "es");
  const theme = query.get("theme") ?? store("beto.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  at("splash-text").textContent = t("starting");
  makeParts();
  tooltips();
  addEventListener("keydown", onKey);
  scrim.addEventListener("click", () => showSidebar(false));
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-open-channel]");
    if (link) openChannel(link.dataset.openChannel);
  });
  addEventListener("popstate", () => {
    const params = new URLSearchParams(location.search);
    const target = findChannel(params.get("channel"));
    if (target) openChannel(target.id, { thread: params.get("thread"), tab: params.get("tab") ?? "messages", push: false });
  });
  addEventListener("visibilitychange", () => {
    if (document.hidden || !here.channel) return;
    unread.clear(here.channel);
    drawSidebar(nav, { channel: here.channel, unread, openChannel, openPerson, sitDown });
  });
  // A permalink of the simulator ends in #CHANNEL/TS.
  const [, channel, ts] = /^#(\w+)\/([\d.]+)$/.exec(location.hash) ?? [null, query.get("channel"), query.get("thread")];
  try {
    await loadEmoji();
    await sitDown({ name: query.get("user") ?? "ana" }, { channel, thread: ts, tab: query.get("tab") ?? "messages" });
    at("splash").remove();
    document.body.dataset.ready = "true";
  } catch (error) {
    at("splash-text").textContent = error instanceof Refused && error.code !== "offline" ? error.message : t("start_failed");
    throw error;
  }
}

start();
