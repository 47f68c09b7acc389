// Everything that floats above the page: pop-ups, menus, dialogs, tooltips and toasts. One per need, all closed by Esc.

import { h, icon, iconButton } from "./dom.js";
import { t } from "./words.js";

/** Place `element` beside `anchor`, inside the window; `above` prefers the upper side. */
export function place(element, anchor, { above = false, end = false } = {}) {
  const gap = 6;
  // At its old place it may have had too little room: measure its own width at the window's edge.
  Object.assign(element.style, { top: "0", left: "0" });
  const box = anchor.getBoundingClientRect();
  const own = element.getBoundingClientRect();
  const roomBelow = innerHeight - box.bottom - gap;
  const up = above ? box.top - gap >= own.height || box.top > roomBelow : roomBelow < own.height && box.top > roomBelow;
  const top = up ? box.top - own.height - gap : box.bottom + gap;
  const left = end ? box.right - own.width : box.left;
  element.style.top = `${Math.max(8, Math.min(top, innerHeight - own.height - 8))}px`;
  element.style.left = `${Math.max(8, Math.min(left, innerWidth - own.width - 8))}px`;
}

// A press on the button of an open pop-up first closes it from outside; the click that follows must not open it again.
const dismissed = { anchor: null, at: 0 };

/** Show `content` beside `anchor` (or `beside`) until Esc, a click elsewhere or `close()`; focus then returns to `anchor`. */
export function popup(anchor, content, { above, end, beside = anchor, onclose } = {}) {
  if (dismissed.anchor === anchor && performance.now() - dismissed.at < 250) return () => {};
  content.popover = "auto";
  content.classList.add("popup");
  // A modal dialog makes everything outside it inert, so its pop-ups must be inside it.
  (anchor.closest("dialog") ?? document.body).append(content);
  content.showPopover();
  place(content, beside, { above, end });
  anchor.setAttribute("aria-expanded", "true");
  let done = false;
  const close = () => {
    if (done) return;
    done = true;
    const inside = content.contains(document.activeElement) || document.activeElement === document.body;
    content.remove();
    // Focus first: a message's toolbar is visible only while its menu is open, and could not take the focus afterwards.
    if (inside && anchor.isConnected) anchor.focus();
    anchor.setAttribute("aria-expanded", "false");
    onclose?.();
  };
  content.addEventListener("beforetoggle", (event) => event.newState === "closed" && Object.assign(dismissed, { anchor, at: performance.now() }));
  content.addEventListener("toggle", (event) => event.newState === "closed" && close());
  return close;
}

/** Let arrow keys, Home and End move the focus among `items()` of `container`. */
export function roving(container, items) {
  container.addEventListener("keydown", (event) => {
    const all = items();
    const at = all.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 }[event.key];
    if (to === undefined || !all.length) return;
    event.preventDefault();
    event.stopPropagation();
    all[(to + all.length) % all.length].focus();
  });
}

/**
 * Open a menu beside `anchor`. An item is {label, note?, icon?, picture?, danger?, checked?, onpick, dataset?}, or null for a line.
 */
export function menu(anchor, label, items, options = {}) {
  const list = h("div", { class: "menu", role: "menu", "aria-label": label, dataset: { testid: "menu" } });
  const close = popup(anchor, list, options);
  for (const item of items) {
    if (!item) {
      list.append(h("div", { class: "menu-line", role: "separator" }));
      continue;
    }
    list.append(
      h("button", {
        type: "button",
        class: `menu-item ${item.danger ? "danger" : ""}`,
        role: item.checked === undefined ? "menuitem" : "menuitemradio",
        "aria-checked": item.checked === undefined ? null : String(item.checked),
        dataset: item.dataset,
        onclick: () => {
          close();
          item.onpick();
        },
      },
      item.picture ?? (item.icon ? icon(item.icon) : null),
      h("span", { class: "menu-text" }, h("span", {}, item.label), item.note ? h("small", { text: item.note }) : null),
      item.checked ? icon("check") : null),
    );
  }
  roving(list, () => [...list.querySelectorAll("button")]);
  place(list, anchor, options);
  (list.querySelector('[aria-checked="true"]') ?? list.querySelector("button"))?.focus();
  return close;
}

/** Open a modal dialog; the browser keeps the focus inside and makes the rest inert. `onclose` runs however it closes. */
export function dialog({ title, body, footer, className = "", dataset = {}, onclose, picture = null }) {
  const id = `d${crypto.randomUUID().slice(0, 8)}`;
  const element = h("dialog", { class: `dialog ${className}`, "aria-labelledby": id, dataset },
    h("header", { class: "dialog-head" }, picture, h("h2", { id }, title), iconButton("close", t("close"), () => element.requestClose?.() ?? element.close(), { class: "icon-button dialog-close" })),
    h("div", { class: "dialog-body", tabindex: footer ? null : "0" }, body), // without a footer it holds only words, which must be scrollable by keyboard
    footer ? h("footer", { class: "dialog-foot" }, footer) : null);
  element.addEventListener("close", () => {
    element.remove();
    // The browser gives the focus back to a text field without its caret: what is typed there would go nowhere.
    const field = document.activeElement;
    if (field?.selectionStart != null) field.setSelectionRange(field.selectionStart, field.selectionEnd);
    onclose?.();
  });
  document.body.append(element);
  element.showModal();
  return element;
}

/** Ask a question and resolve to true when the person says yes. */
export function confirmed({ title, text, yes, no = t("cancel"), danger = false }) {
  return new Promise((resolve) => {
    let answer = false;
    const say = (value) => () => {
      answer = value;
      box.close();
    };
    const box = dialog({
      title,
      body: text,
      className: "small",
      dataset: { testid: "confirm" },
      footer: [
        h("button", { type: "button", class: "button", onclick: say(false), dataset: { testid: "confirm-no" } }, no),
        h("button", { type: "button", class: `button ${danger ? "danger solid" : "primary"}`, onclick: say(true), dataset: { testid: "confirm-yes" }, autofocus: true }, yes),
      ],
      onclose: () => resolve(answer),
    });
    box.querySelector('[data-testid="confirm-yes"]').focus();
  });
}

/** Show the text for a few seconds, read aloud by screen readers; `level` is "info" or "error". */
export function toast(text, level = "info") {
  const place_ = document.getElementById("toasts");
  const element = h("div", { class: `toast ${level}`, role: level === "error" ? "alert" : "status", dataset: { testid: "toast", level } },
    h("span", { text }), iconButton("close", t("close"), () => gone()));
  const gone = () => {
    element.remove();
    if (!place_.childElementCount && place_.matches(":popover-open")) place_.hidePopover();
  };
  place_.append(element);
  // Shown again, so that it is above a dialog that was opened meanwhile.
  if (place_.matches(":popover-open")) place_.hidePopover();
  place_.showPopover();
  while (place_.childElementCount > 4) place_.firstElementChild.remove();
  setTimeout(gone, level === "error" ? 8000 : 4500);
}

/** Show the text of `data-tip` beside an element while it is hovered or focused. */
export function tooltips() {
  const tip = h("div", { class: "tip", popover: "manual", role: "tooltip" });
  document.body.append(tip);
  const hide = () => tip.matches(":popover-open") && tip.hidePopover();
  const show = (event) => {
    const target = event.target.closest?.("[data-tip]");
    if (!target) return hide();
    if (event.type === "focusin" && !target.matches(":focus-visible")) return;
    tip.textContent = target.dataset.tip;
    hide();
    tip.showPopover();
    place(tip, target, { above: true });
  };
  document.addEventListener("pointerover", show);
  document.addEventListener("focusin", show);
  for (const kind of ["pointerdown", "keydown", "focusout"]) document.addEventListener(kind, hide);
  document.addEventListener("scroll", hide, true);
}
