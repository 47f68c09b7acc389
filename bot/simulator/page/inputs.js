// The interactive elements of Block Kit. Each is {node, value(), set(value), focus()}: `value()` is the element's entry in
// `view.state.values`, without its action; `onact(payload)` is called when the person used it.

import { h, icon } from "./dom.js";
import { fold } from "./emoji.js";
import { confirmed, menu, popup, roving } from "./floating.js";
import { mrkdwn, plain, textObject } from "./mrkdwn.js";
import { people, workspace } from "./workspace.js";
import { t } from "./words.js";

const words = (object) => (object ? textObject(object).map((node) => node.textContent).join("") : "");
const optionsOf = (element) => element.options ?? (element.option_groups ?? []).flatMap((group) => group.options);

/** Return what a choice sends to the app: the option as Slack repeats it. */
const chosen = (option) => (option ? { text: option.text, value: option.value } : null);

/** Ask the question of the element's `confirm` object, if it has one; resolve to true when accepted. */
async function agreed(element) {
  const ask = element.confirm;
  if (!ask) return true;
  return confirmed({
    title: words(ask.title), text: h("div", { class: "text" }, ask.text?.type === "plain_text" ? textObject(ask.text) : mrkdwn(ask.text?.text)),
    yes: words(ask.confirm) || t("yes"), no: words(ask.deny) || t("cancel"), danger: ask.style === "danger",
  });
}

function button(element, onact) {
  const style = { primary: "primary", danger: "danger" }[element.style] ?? "";
  const node = h("button", {
    type: "button", class: `button ${style}`, "aria-label": element.accessibility_label, dataset: { actionId: element.action_id, value: element.value },
    onclick: async () => {
      if (node.getAttribute("aria-busy") || !(await agreed(element))) return;
      if (element.url && /^https?:/i.test(element.url)) window.open(element.url, "_blank", "noopener");
      node.setAttribute("aria-busy", "true");
      try {
        await onact({ type: "button", value: element.value, text: element.text });
      } finally {
        node.removeAttribute("aria-busy");
      }
    },
  }, textObject(element.text));
  return { node, value: () => null, set: () => {}, focus: () => node.focus() };
}

/** Two thumbs; the one that was pressed last is marked, and pressing it again tells the app again, as in Slack. */
function feedback(element, onact) {
  const thumbs = [["positive_button", "thumb_up"], ["negative_button", "thumb_down"]].map(([name, sign]) => {
    const { text, value, accessibility_label: label } = element[name];
    const node = h("button", {
      type: "button", class: "icon-button thumb", "aria-label": label ?? words(text), "data-tip": words(text), "aria-pressed": "false",
      dataset: { actionId: element.action_id, value },
      onclick: () => {
        for (const one of thumbs) one.setAttribute("aria-pressed", String(one === node));
        return onact({ type: element.type, value });
      },
    }, icon(sign));
    return node;
  });
  return { node: h("span", { class: "thumbs" }, thumbs), value: () => null, set: () => {}, focus: () => thumbs[0].focus() };
}

/** An icon that does something; only those see it for whom it is meant. */
function iconAction(element, onact) {
  if (element.visible_to_user_ids && !element.visible_to_user_ids.includes(workspace.me.id)) return { node: "", value: () => null, set: () => {}, focus: () => {} };
  const label = element.accessibility_label ?? words(element.text);
  const node = h("button", {
    type: "button", class: "icon-button", "aria-label": label, "data-tip": words(element.text), dataset: { actionId: element.action_id, value: element.value },
    onclick: async () => (await agreed(element)) && onact({ type: element.type, value: element.value }),
  }, icon(element.icon));
  return { node, value: () => null, set: () => {}, focus: () => node.focus() };
}

function overflow(element, onact) {
  const node = h("button", {
    type: "button", class: "button overflow", "aria-label": t("more"), "aria-haspopup": "menu", dataset: { actionId: element.action_id },
    onclick: () => menu(node, t("more"), element.options.map((option) => ({
      label: words(option.text), note: words(option.description), dataset: { value: option.value },
      onpick: async () => (await agreed(element)) && onact({ type: "overflow", selected_option: chosen(option) }),
    })), { end: true }),
  }, icon("more"));
  return { node, value: () => null, set: () => {}, focus: () => node.focus() };
}

function staticSelect(element, onact, props) {
  const all = optionsOf(element);
  const entry = (option) => h("option", { value: String(all.indexOf(option)) }, words(option.text));
  const node = h("select", { class: "select", dataset: { actionId: element.action_id }, ...props },
    h("option", { value: "" }, words(element.placeholder) || t("choose")),
    element.option_groups ? element.option_groups.map((group) => h("optgroup", { label: words(group.label) }, group.options.map(entry))) : all.map(entry));
  const select = (option) => {
    const index = all.findIndex((one) => one.value === option?.value);
    node.value = index < 0 ? "" : String(index);
  };
  const value = () => ({ type: element.type, selected_option: chosen(all[Number(node.value || -1)]) });
  let before = "";
  select(element.initial_option);
  before = node.value;
  node.addEventListener("change", async () => {
    if (node.value && (await agreed(element))) {
      before = node.value;
      await onact(value());
    } else if (node.value) node.value = before;
  });
  return { node, value, set: (entry_) => { select(entry_.selected_option); before = node.value; }, focus: () => node.focus() };
}

/** Return [id, name] of the workspace's people, or of its channels. */
function peopleOrChannels(users) {
  return users ? people().map((user) => [user.id, user.real_name || user.name])
    : [...workspace.channels.values()].filter((channel) => !channel.is_im).map((channel) => [channel.id, `#${channel.name}`]);
}

/** Make a menu of several users or channels, which is searched by typing. */
function workspaceSelects(element, onact, props, suggest) {
  const users = element.type === "multi_users_select";
  const key = users ? "selected_users" : element.type === "multi_channels_select" ? "selected_channels" : "selected_conversations";
  const options = peopleOrChannels(users).map(([id, name]) => ({ text: { type: "plain_text", text: name }, value: id }));
  const named = (ids) => options.filter((option) => (ids ?? []).includes(option.value));
  const said = (given) => ({ type: element.type, [key]: given.selected_options.map((option) => option.value) });
  const initial = named(element.initial_users ?? element.initial_channels ?? element.initial_conversations);
  const inner = searchedSelect({ ...element, type: "multi_static_select", options, initial_options: initial }, (given) => onact(said(given)), props, suggest);
  return { ...inner, value: () => said(inner.value()), set: (entry) => inner.set({ selected_options: named(entry[key]) }) };
}

/** Make a select of users or channels: an ordinary select with the workspace's people or channels as options. */
function workspaceSelect(element, onact, props) {
  const users = element.type === "users_select";
  const from = peopleOrChannels(users);
  const key = users ? "selected_user" : element.type === "channels_select" ? "selected_channel" : "selected_conversation";
  const initial = element.initial_user ?? element.initial_channel ?? element.initial_conversation;
  const node = h("select", { class: "select", dataset: { actionId: element.action_id }, ...props },
    h("option", { value: "" }, words(element.placeholder) || t("choose")), from.map(([id, name]) => h("option", { value: id }, name)));
  node.value = initial ?? "";
  const value = () => ({ type: element.type, [key]: node.value || null });
  node.addEventListener("change", () => node.value && onact(value()));
  return { node, value, set: (entry) => { node.value = entry[key] ?? ""; }, focus: () => node.focus() };
}

/**
 * Make a menu that is searched by typing, for many options or for one. Where the app has the options (an external source),
 * it is asked for those that match: from `min_query_length` characters on, three if it names none, as in Slack.
 */
function searchedSelect(element, onact, props, suggest) {
  const external = element.type.endsWith("external_select");
  const many = element.type.startsWith("multi_");
  const shortest = element.min_query_length ?? 3;
  const all = external ? [] : optionsOf(element);
  // An external option is known once it was chosen before or offered: always as the same object.
  const known = (option) => {
    const found = all.find((one) => one.value === option.value);
    if (found || !external) return found;
    all.push(option);
    return option;
  };
  let picked = (element.initial_options ?? [element.initial_option]).filter(Boolean).map(known).filter(Boolean);
  const id = `m${crypto.randomUUID().slice(0, 8)}`;
  const chips = h("span", { class: "chips" });
  const node = h("div", { class: "multi", dataset: { actionId: element.action_id } });
  const opener = h("button", { type: "button", class: "multi-open", "aria-haspopup": "listbox", "aria-expanded": "false", ...props, onclick: () => open() }, icon("down"));
  node.append(chips, opener);
  node.addEventListener("click", (event) => (event.target === node || event.target === chips) && open());

  const renderChips = () => {
    chips.replaceChildren(...picked.map((option) => h("span", { class: "chip", dataset: { value: option.value } }, textObject(option.text),
      h("button", { type: "button", class: "chip-x", "aria-label": t("remove", { name: words(option.text) }), onclick: () => {
        toggle(option);
        onact(value());
        opener.focus();
      } }, icon("close")))));
    if (!picked.length) chips.append(h("span", { class: "hint", text: words(element.placeholder) || t("choose_many") }));
    opener.setAttribute("aria-label", `${props["aria-label"] ?? t("choose_many")}: ${picked.map((option) => words(option.text)).join(", ") || t("none_chosen")}`);
  };
  const toggle = (option) => {
    if (picked.includes(option)) picked = picked.filter((one) => one !== option);
    else if (!many) picked = [option];
    else if (!element.max_selected_items || picked.length < element.max_selected_items) picked = all.filter((one) => one === option || picked.includes(one));
    renderChips();
  };
  const value = () => ({ type: element.type, ...(many ? { selected_options: picked.map(chosen) } : { selected_option: chosen(picked[0]) }) });

  const open = () => {
    const before = picked;
    // Not of type "search": there Esc empties the field, and here it must close the list.
    const search = h("input", { type: "text", class: "field", placeholder: t("search"), "aria-label": t("search"), autocomplete: "off", spellcheck: "false", dataset: { testid: "multi-search" } });
    const list = h("div", { class: "multi-list", role: "listbox", id, "aria-multiselectable": String(many), "aria-label": t("choose_many") });
    let turn = 0;
    const render = async () => {
      const typed = search.value.trim();
      if (!external) return draw(all.filter((option) => fold(`${words(option.text)} ${words(option.description)}`).includes(fold(typed))));
      const mine = ++turn;
      list.setAttribute("aria-busy", "true");
      await new Promise((done) => setTimeout(done, typed ? 150 : 0)); // somebody who types fast asks once
      if (mine !== turn) return;
      const offered = typed.length < shortest ? [] : await suggest(typed);
      if (mine !== turn) return;
      list.removeAttribute("aria-busy");
      draw(offered.map((option) => Object.assign(known(option), option)));
    };
    const draw = (shown) => {
      list.replaceChildren(...shown.map((option) => h("button", {
        type: "button", class: "multi-option", role: "option", "aria-selected": String(picked.includes(option)), tabindex: "-1", dataset: { value: option.value },
        onclick: (event) => {
          toggle(option);
          event.currentTarget.setAttribute("aria-selected", String(picked.includes(option)));
          if (!many) close();
        },
      }, h("span", { class: "box" }, icon("check")), h("span", {}, textObject(option.text), option.description ? h("small", {}, textObject(option.description)) : null))));
      if (!shown.length) list.append(h("p", { class: "picker-none", text: t("no_match", { text: search.value }) }));
    };
    search.addEventListener("input", render);
    let close = () => {};
    // Enter takes the first option found and empties the field for the next one; Enter in the empty field closes the list.
    search.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.ctrlKey || event.metaKey || event.isComposing) return;
      event.preventDefault();
      if (!search.value.trim()) return close();
      if (list.getAttribute("aria-busy") || !list.querySelector("button")) return;
      list.querySelector("button").click();
      search.value = "";
      render();
    });
    const box = h("div", { class: "multi-box" }, search, list);
    roving(box, () => [search, ...list.querySelectorAll("button")]);
    render();
    box.style.width = `${Math.max(260, node.offsetWidth)}px`;
    close = popup(opener, box, { beside: node, onclose: () => picked !== before && onact(value()) });
    search.focus();
  };
  renderChips();
  return {
    node, value, focus: () => opener.focus(),
    set: (entry) => {
      picked = (entry.selected_options ?? [entry.selected_option]).filter(Boolean).map(known).filter(Boolean);
      renderChips();
    },
  };
}

function choices(element, onact, props, many) {
  const name = `c${crypto.randomUUID().slice(0, 8)}`;
  const initial = many ? element.initial_options ?? [] : [element.initial_option].filter(Boolean);
  const boxes = element.options.map((option) => h("input", {
    type: many ? "checkbox" : "radio", name, value: option.value, checked: initial.some((one) => one.value === option.value) }));
  const node = h("div", { class: "choices", role: many ? "group" : "radiogroup", dataset: { actionId: element.action_id }, ...props },
    element.options.map((option, index) => h("label", { class: "choice", dataset: { value: option.value } }, boxes[index],
      h("span", {}, textObject(option.text), option.description ? h("small", {}, textObject(option.description)) : null))));
  const picked = () => element.options.filter((_, index) => boxes[index].checked).map(chosen);
  const value = () => (many ? { type: element.type, selected_options: picked() } : { type: element.type, selected_option: picked()[0] ?? null });
  node.addEventListener("change", () => onact(value()));
  return {
    node, value, focus: () => boxes[0]?.focus(),
    set: (entry) => {
      const values = [...(entry.selected_options ?? []), entry.selected_option].filter(Boolean).map((option) => option.value);
      element.options.forEach((option, index) => { boxes[index].checked = values.includes(option.value); });
    },
  };
}

function textInput(element, onact, props) {
  const kind = { number_input: "number", datepicker: "date", timepicker: "time", email_text_input: "email", url_text_input: "url" }[element.type] ?? "text";
  const key = { datepicker: "selected_date", timepicker: "selected_time" }[element.type] ?? "value";
  const node = h(element.multiline ? "textarea" : "input", {
    class: "field", type: element.multiline ? null : kind, rows: element.multiline ? "4" : null, placeholder: words(element.placeholder) || null,
    minlength: element.min_length, maxlength: element.max_length, min: element.min_value, max: element.max_value, autocomplete: "off",
    step: element.is_decimal_allowed ? "any" : null, dataset: { actionId: element.action_id }, ...props });
  node.value = element.initial_value ?? element.initial_date ?? element.initial_time ?? "";
  const value = () => ({ type: element.type, [key]: node.value || null });
  node.addEventListener(key === "value" ? "keydown" : "change", (event) => {
    if (event.type === "change" || (event.key === "Enter" && !element.multiline && element.dispatch)) onact(value());
  });
  return { node, value, set: (entry) => { node.value = entry[key] ?? ""; }, focus: () => node.focus() };
}

const KINDS = {
  button, overflow, feedback_buttons: feedback, icon_button: iconAction,
  static_select: staticSelect,
  multi_static_select: searchedSelect, multi_external_select: searchedSelect, external_select: searchedSelect,
  multi_users_select: workspaceSelects, multi_channels_select: workspaceSelects, multi_conversations_select: workspaceSelects,
  users_select: workspaceSelect, channels_select: workspaceSelect, conversations_select: workspaceSelect,
  checkboxes: (element, onact, props) => choices(element, onact, props, true),
  radio_buttons: (element, onact, props) => choices(element, onact, props, false),
  plain_text_input: textInput, number_input: textInput, datepicker: textInput, timepicker: textInput, email_text_input: textInput, url_text_input: textInput,
};

/** Make the control for a Block Kit element, or return null where the page has none. `props` are attributes such as aria-label;
 * `suggest(typed)` promises the options of a menu with an external source. */
export function control(element, onact, props = {}, suggest = async () => []) {
  return KINDS[element.type]?.(element, onact, props, suggest) ?? null;
}

/** Return whether nothing was entered or chosen. */
export function isEmpty(value) {
  return Object.entries(value ?? {}).every(([key, one]) => key === "type" || one === null || one === "" || (Array.isArray(one) && !one.length));
}

/** Return the words of a text object, without markup. */
export const wordsOf = (object) => (object?.type === "mrkdwn" ? plain(object.text) : words(object));
