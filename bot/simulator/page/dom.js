// Builds elements without innerHTML: whatever people or apps wrote can only become text.

const SVG = "http://www.w3.org/2000/svg";

/** The paths of our icons, on a grid of 24. */
const ICONS = {
  at: "M16 8v5a3 3 0 0 0 6 0v-1a10 10 0 1 0-4 8M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0",
  bold: "M7 5h6a3.5 3.5 0 0 1 0 7H7zM7 12h7a3.5 3.5 0 0 1 0 7H7z",
  check: "M5 12.5l4.5 4.5L19 7.5",
  clock: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 7v5l3 2",
  close: "M6 6l12 12M18 6L6 18",
  code: "M8 7l-5 5 5 5M16 7l5 5-5 5",
  down: "M6 9l6 6 6-6",
  edit: "M4 20h4L19 9l-4-4L4 16zM13.5 6.5l4 4",
  hash: "M9 4L7 20M17 4l-2 16M4 9h17M3 15h17",
  home: "M4 11l8-7 8 7v9h-5v-6H9v6H4z",
  info: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM12 11v5.5M12 7.5h.01",
  italic: "M10 5h8M6 19h8M14 5l-4 14",
  keyboard: "M3 7h18v11H3zM7 11h.01M11 11h.01M15 11h.01M18 11h.01M8 15h8",
  link: "M10 14a4 4 0 0 0 6 .5l3-3a4 4 0 0 0-6-6l-1 1M14 10a4 4 0 0 0-6-.5l-3 3a4 4 0 0 0 6 6l1-1",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  menu: "M4 7h16M4 12h16M4 17h16",
  moon: "M20 14a8 8 0 1 1-9-10 6.5 6.5 0 0 0 9 10z",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  offline: "M3 3l18 18M5 12a10 10 0 0 1 5-2.7M8.5 15.5a5 5 0 0 1 7 0M14.5 9.6A10 10 0 0 1 19 12M12 19h.01",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM16 16l5 5",
  send: "M4 12l16-8-6 16-3-7z",
  slash: "M15 5L9 19",
  smile: "M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18zM9 10h.01M15 10h.01M8.5 14.5a4.5 4.5 0 0 0 7 0",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 3v1.5M12 19.5V21M3 12h1.5M19.5 12H21M5.6 5.6l1 1M17.4 17.4l1 1M5.6 18.4l1-1M17.4 6.6l1-1",
  tag: "M4 4h8l8 8-8 8-8-8zM8.5 8.5h.01",
  thread: "M4 5h16v11H9l-5 4zM8 9h8M8 12.5h5",
  thumb_down: "M17 4v10M7 4h10l3 3v5l-3 2-4 7a2 2 0 0 1-2-2v-4H5a2 2 0 0 1-2-2.4z",
  thumb_up: "M7 20V10M17 20H7l-4-3v-5l4-2 4-7a2 2 0 0 1 2 2v4h6a2 2 0 0 1 2 2.4z",
  trash: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
  turning: "M20 12a8 8 0 1 1-2.4-5.7M20 3v4h-4",
  users: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM3 20a6 6 0 0 1 12 0M16 4.5a3.5 3.5 0 0 1 0 6M17.5 14.5A6 6 0 0 1 21 20",
  warning: "M12 4l9 16H3zM12 10v4.5M12 17.5h.01",
};

/**
 * Make an element. `props`: `on*` functions are listeners, `class`, `text` and `dataset` set what they are named after,
 * true sets an empty attribute, null/false/undefined leaves it out, everything else is an attribute.
 * Children may be nodes, strings, arrays, and null.
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(props ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "class") element.className = value;
    else if (key === "text") element.textContent = value;
    else if (key === "dataset") mark(element, value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...flat(children));
  return element;
}

/** Set `data-*` attributes; those without a value are left out. */
function mark(element, marks) {
  for (const [name, value] of Object.entries(marks)) if (value !== null && value !== undefined) element.dataset[name] = value;
}

/** Flatten the children and leave out those that are empty. */
function flat(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false);
}

/** Make an icon that screen readers skip; its button carries the label. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Make a button that is only an icon, with its label as name and as tooltip. */
export function iconButton(name, label, onclick, props = {}) {
  return h("button", { type: "button", class: "icon-button", "aria-label": label, "data-tip": label, onclick, ...props }, icon(name));
}

/** Make a picture with a person's initials on that person's colour; an app's is squarer. */
export function avatar(user, size = "") {
  const name = user?.real_name || user?.name || "?";
  const words = name.split(/\s+/).filter(Boolean);
  const initials = (words.length > 1 ? words[0][0] + words[1][0] : name.slice(0, user?.is_bot ? 1 : 2)).toUpperCase();
  // Hidden from screen readers: the name stands beside it.
  const element = h("span", { class: `avatar ${size} ${user?.is_bot ? "bot" : ""}`, "aria-hidden": "true", dataset: { initials } });
  const color = String(user?.color ?? "");
  if (!user?.is_bot && /^#?[0-9a-f]{6}$/i.test(color)) {
    // Darker than Slack's colour, so that white letters are readable on it.
    element.style.backgroundColor = `color-mix(in srgb, #${color.replace("#", "")} 66%, #101828)`;
  }
  return element;
}

/** Replace the children of `parent`; children are given as for `h`. */
export function fill(parent, ...children) {
  parent.replaceChildren(...flat(children));
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Return {channel, thread} of a permalink of this workspace, null for any other address. */
export function permalinkTarget(url) {
  const { hostname, port, pathname, searchParams } = new URL(url, location.href);
  const found = LOOPBACK.test(hostname) && port === location.port && /^\/archives\/(\w+)\/p(\d+)(\d{6})$/.exec(pathname);
  return found ? { channel: found[1], thread: searchParams.get("thread_ts") ?? `${found[2]}.${found[3]}` } : null;
}

/** Return the picture's address if it is on this machine (under any loopback name), else null: nothing else is loaded. */
export function localPicture(url) {
  try {
    const parsed = new URL(url, location.href);
    if (parsed.protocol === "data:") return parsed.href;
    return LOOPBACK.test(parsed.hostname) && parsed.port === location.port ? parsed.pathname + parsed.search : null;
  } catch {
    return null;
  }
}
