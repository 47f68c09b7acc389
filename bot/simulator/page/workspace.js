// The people and channels of the workspace: the page's one copy of `/person/state`.

import { t } from "./words.js";

export const workspace = {
  name: "",
  me: null, // the person we act as
  users: new Map(), // id -> user
  channels: new Map(), // id -> channel that this person may see
  commands: [],
  shortcuts: [],
  steps: [], // of workflows
};

/** Replace the copy by `state`. */
export function setState(state) {
  workspace.name = state.team?.name ?? "";
  workspace.users = new Map(state.users.map((user) => [user.id, user]));
  workspace.channels = new Map(state.channels.map((channel) => [channel.id, channel]));
  workspace.commands = state.commands ?? [];
  workspace.shortcuts = (state.shortcuts ?? []).filter((shortcut) => shortcut.type === "message");
  workspace.steps = state.steps ?? [];
  workspace.me = workspace.users.get(state.me?.id ?? state.me) ?? findUser(state.me?.name ?? state.me);
}

/** Return the user with this id or handle, or undefined. */
export function findUser(nameOrId) {
  return workspace.users.get(nameOrId) ?? [...workspace.users.values()].find((user) => user.name === nameOrId);
}

/** Return the channel with this id or name; a handle means the direct messages with that user. */
export function findChannel(nameOrId) {
  const all = [...workspace.channels.values()];
  return (
    workspace.channels.get(nameOrId) ??
    all.find((channel) => !channel.is_im && channel.name === nameOrId) ??
    all.find((channel) => channel.is_im && workspace.users.get(channel.user)?.name === nameOrId)
  );
}

/** List the people, without apps, in the simulator's order. */
export const people = () => [...workspace.users.values()].filter((user) => !user.is_bot);

/** List the apps of this workspace (their bot users). */
export const bots = () => [...workspace.users.values()].filter((user) => user.is_bot);

/** Return the first app of this workspace (its bot user), or undefined. */
export const theBot = () => bots()[0];

/** Return what a user is called on the page. */
export const nameOf = (user) => (user?.is_bot ? user.name : user?.real_name || user?.name) || t("unknown_person");

/** Return the title of a channel: "#general", "Luis Andrade". */
export function titleOf(channel) {
  if (!channel) return "";
  if (channel.is_mpim) return channel.name;
  return channel.is_im ? nameOf(workspace.users.get(channel.user)) : `#${channel.name}`;
}

/** Return whether the person we act as is in the channel. */
export const isMember = (channel) => channel.is_im || channel.members.includes(workspace.me.id);

/** Return the author of a message: a known user, or the name that an app without a user gives itself. */
export function authorOf(message) {
  return workspace.users.get(message.user) ?? { name: message.username || t("unknown_person"), is_bot: Boolean(message.bot_id), id: message.user };
}
