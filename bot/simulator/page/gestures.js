// What a person does to a message. A refusal is shown as a toast; nothing here throws.

import { h } from "./dom.js";
import { confirmed, menu, toast } from "./floating.js";
import { pickEmoji } from "./picker.js";
import { act, Refused } from "./wire.js";
import { workspace } from "./workspace.js";
import { t } from "./words.js";

/** Call the verb and return its answer, or null after telling the person why it was refused. */
export async function tryTo(verb, body = {}) {
  try {
    return await act(verb, body);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    toast(error.message, "error");
    return null;
  }
}

/** Return the options that the app offers for what was typed in one of its menus; none after a refusal. */
export const suggest = async (body) => (await tryTo("suggest", body))?.options ?? [];

/** Add our reaction `name` to the message, or remove it if it is there. */
export function toggleReaction(channel, message, name) {
  const mine = message.reactions?.find((reaction) => reaction.name === name)?.users.includes(workspace.me.id);
  return tryTo(mine ? "unreact" : "react", { channel, ts: message.ts, name });
}

/** Open the picker; the chosen emoji toggles our reaction. */
export function pickReaction(anchor, channel, message) {
  pickEmoji(anchor, (name) => toggleReaction(channel, message, name));
}

/** Copy the message's permalink, in the form that chat.getPermalink gives, to the clipboard. */
async function copyLink(channel, message) {
  const url = new URL(`/archives/${channel}/p${message.ts.replace(".", "")}`, location.origin);
  if ((message.thread_ts ?? message.ts) !== message.ts) {
    url.searchParams.set("thread_ts", message.thread_ts);
    url.searchParams.set("cid", channel);
  }
  await navigator.clipboard?.writeText(url.href).catch(() => {});
  toast(t("copied"));
}

/** Delete the message if the person is sure. */
export async function remove(channel, message) {
  const sure = await confirmed({ title: t("ask_delete"), text: h("p", { text: t("ask_delete_text") }), yes: t("delete_yes"), danger: true });
  if (sure) await tryTo("delete", { channel, ts: message.ts });
}

/** Open the menu with everything that can be done to a message; `host` offers openThread and edit. */
export function messageMenu(anchor, channel, message, host) {
  const mine = message.user === workspace.me.id && !message.ephemeral;
  menu(anchor, t("more"), [
    ...workspace.shortcuts.map((shortcut) => ({
      label: shortcut.name, note: shortcut.description, icon: "tag", dataset: { callbackId: shortcut.callback_id },
      onpick: () => tryTo("shortcut", { channel, ts: message.ts, callback_id: shortcut.callback_id, app: shortcut.app_id }),
    })),
    workspace.shortcuts.length ? null : undefined,
    host.inThread ? undefined : { label: t("reply"), icon: "thread", dataset: { do: "thread" }, onpick: () => host.openThread(message.thread_ts ?? message.ts) },
    { label: t("copy_link"), icon: "link", dataset: { do: "copy" }, onpick: () => copyLink(channel, message) },
    ...(mine ? [null,
      { label: t("edit"), icon: "edit", dataset: { do: "edit" }, onpick: () => host.edit(message.ts) },
      { label: t("delete"), icon: "trash", danger: true, dataset: { do: "delete" }, onpick: () => remove(channel, message) }] : []),
  ].filter((item) => item !== undefined), { end: true });
}
