// The chat page of the simulator: one person's live view of the workspace. This file connects the parts;
// each part has a file beside it. The address holds what is shown: ?user=ana&channel=general&thread=TS.

import { Assistant } from "./assistant.js";
import { Composer } from "./composer.js";
import { h, icon, iconButton, permalinkTarget } from "./dom.js";
import { loadEmoji } from "./emoji.js";
import { Feed } from "./feed.js";
import { toast, tooltips } from "./floating.js";
import { tryTo } from "./gestures.js";
import { renderHead } from "./head.js";
import { intro } from "./intro.js";
import { showKeys } from "./keys.js";
import { isGone } from "./message.js";
import { findDirect, renderSidebar } from "./sidebar.js";
import { Tools } from "./tools.js";
import { Unread } from "./unread.js";
import { Home, Modals } from "./views.js";
import { actAs, Connection, readMessages, readState, Refused } from "./wire.js";
import { findChannel, findUser, isMember, setState, theBot, titleOf, workspace } from "./workspace.js";
import { currentLanguage, setLanguage, t } from "./words.js";

const at = (id) => document.getElementById(id);
const [frame, nav, scrim, head, banner, stage, side] = ["frame", "sidebar", "scrim", "head", "banner", "stage", "thread"].map(at);
const query = new URLSearchParams(location.search);
const here = { channel: null, thread: null, tab: "messages" };
const unread = new Unread();
const modals = new Modals();
const home = new Home();
let connection = null;
let tellLost = 0;
let feed, threadFeed, composer, threadComposer, tools, beside, threadBeside;

const theChannel = () => workspace.channels.get(here.channel);

/** Update the address, so that a reload or a shared link shows the same channel and thread. */
function updateAddress(push = false) {
  const channel = theChannel();
  const params = new URLSearchParams({ user: workspace.me.name });
  if (channel) params.set("channel", channel.is_im ? findUser(channel.user)?.name ?? channel.id : channel.name);
  if (here.tab === "home") params.set("tab", "home");
  if (here.thread) params.set("thread", here.thread);
  if (currentLanguage() === "en") params.set("lang", "en");
  const url = `?${params}`;
  if (url !== location.search) history[push ? "pushState" : "replaceState"](null, "", url);
  document.title = `${channel ? `${titleOf(channel)} · ` : ""}${workspace.name}`;
}

// ---- rendering

function renderAll() {
  renderNav();
  renderTop();
  renderStage();
  beside.render(theChannel());
  threadBeside.render(theChannel(), here.thread);
}

function renderNav() {
  renderSidebar(nav, { channel: here.channel, unread, openChannel, openPerson, openGroup, switchPerson, openTools: () => { showSidebar(false); tools.toggle(); } });
}

function renderTop() {
  if (theChannel()) renderHead(head, theChannel(), { tab: here.tab, openTab, openPerson, toggleLanguage, chooseTheme, showSidebar: () => showSidebar(true) });
}

let staged = "";
function renderStage() {
  const channel = theChannel();
  const mode = here.tab === "home" ? "home" : channel && isMember(channel) ? "write" : "look";
  if (staged === mode) return;
  staged = mode;
  if (mode === "home") return stage.replaceChildren(home.element);
  const join = h("div", { class: "join" }, h("span", { text: t("join_why", { name: titleOf(channel) }) }),
    h("button", { type: "button", class: "button primary", dataset: { testid: "join" }, onclick: () => tryTo("invite", { channel: here.channel, member: workspace.me.id }) }, t("join")));
  return stage.replaceChildren(feed.element, ...(mode === "write" ? [beside.element, composer.element] : [join]));
}

// ---- navigation

async function openChannel(id, { thread = null, push = true, tab = "messages", focus = true } = {}) {
  const channel = workspace.channels.get(id);
  if (!channel) return toast(t("not_found"), "error");
  here.channel = id;
  here.tab = tab;
  showSidebar(false);
  unread.clear(id);
  composer.show(`${workspace.me.id}/${id}`, t("write_in", { name: titleOf(channel) }));
  staged = "";
  renderAll();
  feed.list.setAttribute("aria-label", t("messages_in", { name: titleOf(channel) }));
  if (thread) openThread(thread, { push: false, focus: false }); // one writes into the channel, with the thread beside it
  else closeThread(false);
  updateAddress(push);
  if (tab === "home") home.open(workspace.users.get(theChannel().user));
  else if (focus && matchMedia("(hover: hover)").matches) composer.focus();
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

async function openGroup(others) {
  const opened = await tryTo("open_group_dm", { others });
  if (!opened) return;
  await refreshState();
  openChannel(opened.channel);
}

function openTab(name) {
  here.tab = name;
  closeThread(false);
  staged = "";
  renderAll();
  updateAddress(true);
  if (name === "home") home.open(workspace.users.get(theChannel().user));
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
    threadFeed.element, threadBeside.element, isMember(theChannel()) ? threadComposer.element : "");
  threadBeside.render(theChannel(), ts);
  threadComposer.show(`${workspace.me.id}/${here.channel}/${ts}`, t("reply_placeholder"));
  updateAddress(push);
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
  updateAddress(true);
  feed.reveal(was);
}

/** Close a thread that was deleted. */
function leaveThread() {
  if (side.contains(document.activeElement)) composer.focus();
  closeThread(false);
  updateAddress();
}

/** Act as this person from now on; everything is loaded again, as they may see it. */
async function switchPerson(person, { channel = null, thread = null, tab = "messages" } = {}) {
  const wanted = channel ?? (theChannel()?.is_im ? null : theChannel()?.name);
  connection?.close();
  modals.clear();
  home.clear();
  actAs(person.name ?? person);
  setState(await readState());
  unread.actAs(workspace.me);
  store("beto.user", workspace.me.name);
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
  renderNav();
}

async function refreshState() {
  setState(await readState());
  renderAll();
  if (here.tab === "messages" && feed.channel) feed.render();
}

// ---- incoming changes

function onChange(change) {
  if (change.type === "state") return guarded(refreshState());
  if (change.type === "view") return modals.show(change.view);
  if (change.type === "view_closed") return modals.drop(change.view_id);
  if (change.type === "view_errors") return modals.fail(change.view_id, change.errors);
  if (change.type === "home") return home.show(change.view);
  if (change.type === "wire") return tools.take(change.transfers);
  if (change.type === "notice") return toast(change.text, change.level === "error" ? "error" : "info");
  feed.take(change);
  threadFeed.take(change);
  const gone = change.type === "message_deleted" ? change.ts : isGone(change.message) && change.message.ts;
  if (gone && gone === here.thread && change.channel === here.channel) leaveThread();
  if (change.type !== "message") return undefined;
  if (change.channel === here.channel && here.tab === "messages" && !document.hidden) unread.clear(change.channel, change.message.ts);
  else if (isMember(workspace.channels.get(change.channel) ?? { is_im: true })) unread.add(change.channel, change.message);
  if (!workspace.channels.has(change.channel)) return guarded(refreshState());
  return renderNav();
}

function onLink(up) {
  clearTimeout(tellLost);
  if (!up) {
    document.body.dataset.online = "false";
    // Wait a moment: a page that is being closed also loses its connection.
    tellLost = setTimeout(() => {
      banner.replaceChildren(icon("offline"), t("offline"));
      banner.hidden = false;
    }, 400);
    return;
  }
  if (!banner.hidden) toast(t("online"));
  banner.hidden = true;
  document.body.dataset.online = "true";
  tools.resume();
  // Also after the first connection: something may have happened between loading and listening.
  guarded(refreshState().then(() => here.channel && feed.show(here.channel)).then(() => here.thread && threadFeed.show(here.channel, here.thread)));
}

/** Show a refusal as a toast; let any other error pass, since it is a fault of the page. */
async function guarded(promise) {
  try {
    return await promise;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (error.code !== "offline") toast(error.message, "error");
    return null;
  }
}

// ---- outgoing messages

/** Send what was typed as it is: the simulator turns names, addresses and commands into Slack's markup. */
async function send(text, threadTs = null) {
  const body = { channel: here.channel, text, ...(threadTs ? { thread_ts: threadTs } : {}) };
  const taken = Boolean(await tryTo("message", body));
  if (taken) (threadTs ? threadFeed : feed).toEnd();
  return taken;
}

// ---- the whole page

function showSidebar(open) {
  frame.classList.toggle("with-sidebar", open);
  scrim.hidden = !open;
  if (open) nav.querySelector("button")?.focus();
}

function chooseTheme(name) {
  document.documentElement.dataset.theme = name;
  store("beto.theme", name);
  renderTop();
}

function toggleLanguage() {
  setLanguage(currentLanguage() === "es" ? "en" : "es");
  store("beto.language", currentLanguage());
  makeParts();
  openChannel(here.channel, { thread: here.thread, tab: here.tab, push: false });
}

function store(key, value) {
  try {
    if (value !== undefined) localStorage.setItem(key, value);
    return localStorage.getItem(key);
  } catch {
    return null; // some private windows refuse storage; the choice then lasts as long as the page
  }
}

/** Make the parts whose words are rendered only once. */
function makeParts() {
  const say = (text) => { at("live").textContent = text; };
  const first = () => intro(theChannel(), feed.messages.some((message) => message.reply_users?.includes(theBot()?.id)), (text) => composer.write(text));
  const host = (write) => ({ openThread: (ts) => openThread(ts), intro: first, write, say });
  feed = new Feed(host(() => composer.focus()), t("messages"));
  threadFeed = new Feed(host(() => threadComposer.focus()), t("thread"));
  composer = new Composer("composer", (text) => send(text), { up: () => feed.editLast(), leave: () => feed.focus() });
  beside = new Assistant((text) => send(text));
  threadBeside = new Assistant((text) => send(text, here.thread));
  tools?.element.remove();
  tools = new Tools((on) => connection?.listen(on));
  document.body.append(tools.element);
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

/** Open channels, and messages by their permalinks, in this page: the person stays who they are. */
function onClick(event) {
  const name = event.target.closest("[data-open-channel]");
  if (name) return openChannel(name.dataset.openChannel);
  const link = event.target.closest("a[href]");
  const target = link && !event.ctrlKey && !event.metaKey && !event.shiftKey && permalinkTarget(link.href);
  if (!target) return undefined;
  event.preventDefault();
  return openChannel(target.channel, { thread: target.thread });
}

function onKey(event) {
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const typing = event.target.matches("input, textarea, select");
  if (event.altKey && (event.key === "ArrowDown" || event.key === "ArrowUp")) step(event.key === "ArrowDown" ? 1 : -1);
  else if (event.key === "F6") nextRegion(event.shiftKey);
  else if (event.key === "?" && !typing) showKeys(currentLanguage());
  else if (event.key === "Escape" && frame.classList.contains("with-sidebar")) showSidebar(false);
  else return;
  event.preventDefault();
}

async function start() {
  setLanguage(query.get("lang") ?? store("beto.language") ?? "es");
  const theme = query.get("theme") ?? store("beto.theme");
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  at("splash-text").textContent = t("starting");
  tooltips();
  addEventListener("keydown", onKey);
  scrim.addEventListener("click", () => showSidebar(false));
  document.addEventListener("click", onClick);
  addEventListener("popstate", () => {
    const params = new URLSearchParams(location.search);
    const target = findChannel(params.get("channel"));
    if (target) openChannel(target.id, { thread: params.get("thread"), tab: params.get("tab") ?? "messages", push: false });
  });
  addEventListener("visibilitychange", () => {
    if (document.hidden || !here.channel) return;
    unread.clear(here.channel);
    renderNav();
  });
  try {
    await loadEmoji();
    makeParts();
    // A permalink names no person: whoever was here last opens it.
    const name = query.get("user") ?? store("beto.user") ?? "ana";
    await switchPerson({ name }, { channel: query.get("channel"), thread: query.get("thread"), tab: query.get("tab") ?? "messages" });
    at("splash").remove();
    document.body.dataset.ready = "true";
  } catch (error) {
    at("splash-text").textContent = error instanceof Refused && error.code !== "offline" ? error.message : t("start_failed");
    throw error;
  }
}

start();
