"""The state of the simulated workspace, and what changes it: people, channels and what they say, without network or threads."""

import itertools
import re
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from bot.simulator import composer, reactions
from bot.simulator.channel import Channel
from bot.simulator.errors import Json, SlackError

TEXT_LIMIT = 40_000  # how many characters Slack keeps of a text

_CHANNEL_NAME = re.compile(r"[a-z0-9à-öø-ÿ_-]{1,80}")


@dataclass(frozen=True, slots=True)
class User:
    """A person in the workspace, or a bot user."""

    id: str
    name: str
    real_name: str
    color: str
    is_bot: bool = False
    is_admin: bool = False
    is_restricted: bool = False
    locale: str = "es-LA"


class Bot(NamedTuple):
    """The bot user of an app, as the author of its posts."""

    id: str
    app_id: str
    app_name: str
    user_id: str


class Change(NamedTuple):
    """One change. `message` is its state after the change (before it, for "deleted"), `previous` its state before."""

    kind: Literal[
        "posted", "changed", "deleted", "reacted", "unreacted", "joined", "left", "archived", "unarchived",
        "renamed", "reidentified",
        "ephemeral", "ephemeral_changed", "ephemeral_deleted",
    ]  # fmt: skip
    channel: Channel
    message: Json
    ts: str
    user: str = ""  # who did it; for ephemeral messages, who alone sees them
    previous: Json | None = None
    reaction: str = ""
    inviter: str = ""


class Workspace:
    """One Slack workspace, with one app or more. All `watchers` are called for every change, in order."""

    team_id = "T0SIMULADOR"
    team_name = "Cooperativa Sol Andino"
    domain = "cooperativa-sol-andino"
    bot_user_id = "U0SIMUBETO"  # of the first app

    def __init__(self, *, bot_name: str = "beto", app_name: str = "BETO", clock: Callable[[], float] = time.time) -> None:
        self.watchers: list[Callable[[Change], None]] = []
        self.users: dict[str, User] = {}
        self.channels: dict[str, Channel] = {}
        self.user_ids: dict[str, str] = {}  # by name
        self.channel_ids: dict[str, str] = {}  # by name, without direct messages
        self.user_groups = {"S0SIMUEXPERTOS": ("U0SIMUANA",)}
        self.ephemerals: dict[tuple[str, str], dict[str, Json]] = {}  # by channel and person, then by ts
        self._direct: dict[frozenset[str], str] = {}
        self._clock = clock
        self._last_ts = 0
        self.started = int(clock())
        self.bots: dict[str, Bot] = {}  # by bot_id, the first app's first
        self._add_user(User("U0SIMUANA", "ana", "Ana Quishpe", "9f69e7", is_admin=True))
        self._add_user(User("U0SIMULUIS", "luis", "Luis Cevallos", "4bbe2e"))
        self._add_user(User("U0SIMUMARIA", "maria", "María Guamán", "e7392d"))
        self._add_user(User("U0SIMUCARLOS", "carlos", "Carlos Vera", "3c989f", is_restricted=True))
        self.add_bot(bot_name, app_name)
        self._add_channel("C0SIMUGENERAL", "general", "channel", ("ana", "luis", "maria", "carlos"))
        self._add_channel("C0SIMUATENCION", "atencion", "channel", ("ana", "luis", "maria", "carlos"))
        self._add_channel("C0SIMURECLAMOS", "reclamos", "channel", ("ana", "luis", "maria"))
        self._add_channel("C0SIMUFRAUDES", "fraudes", "group", ("ana", "luis"))

    def add_bot(self, bot_name: str, app_name: str) -> Bot:
        """Add the bot user of one more app; it gets a number after its name where another has that name."""
        suffix = "BETO" if not self.bots else f"APP{len(self.bots) + 1}"
        bot = Bot(f"B0SIMU{suffix}", f"A0SIMU{suffix}", app_name, f"U0SIMU{suffix}")
        names = itertools.chain([bot_name], (f"{bot_name}{n}" for n in itertools.count(2)))
        name = next(one for one in names if one not in self.user_ids)
        self.bots[bot.id] = bot
        self._add_user(User(bot.user_id, name, app_name, "1d3f72", is_bot=True))
        return bot

    # --- looking up ---

    def user(self, key: str) -> User:
        """Return the user with that id or name."""
        found = self.users.get(self.user_ids.get(key, key))
        if found is None:
            raise SlackError("user_not_found")
        return found

    def channel(self, key: str) -> Channel:
        """Return the channel with that id, or with that name (with or without #)."""
        found = self.channels.get(key) or self.channels.get(self.channel_ids.get(key.removeprefix("#"), ""))
        if found is None:
            raise SlackError("channel_not_found")
        return found

    def next_ts(self) -> str:
        """Return a message timestamp that is later than every one before."""
        self._last_ts = max(int(self._clock() * 1_000_000), self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    # --- messages ---

    def post_as_person(self, user: User, channel: Channel, typed: str, thread_ts: str | None = None) -> Json:
        """Post a person's message in the channel or in the thread; what they typed is stored in Slack's markup."""
        text = composer.compose(typed, self.user_ids, self.channel_ids)
        if not text.strip():
            raise SlackError("no_text")
        if len(text) > TEXT_LIMIT:
            raise SlackError("msg_too_long")
        ts = self.next_ts()
        message: Json = {
            "client_msg_id": str(uuid.uuid4()), "type": "message", "text": text, "user": user.id, "ts": ts,
            "team": self.team_id, "blocks": [composer.rich_text(text, secrets.token_urlsafe(4))],
        }  # fmt: skip
        return self._store(channel, message, thread_ts)

    def post_as_bot(
        self,
        channel: Channel,
        text: str,
        *,
        blocks: list[Json] | None = None,
        attachments: list[Json] | None = None,
        files: list[Json] | None = None,
        thread_ts: str | None = None,
        broadcast: bool = False,
        metadata: Json | None = None,
        bot: Bot | None = None,
    ) -> Json:
        """Post the bot's message (the first app's, unless `bot` is given) in the channel or in the thread.

        As in Slack, a reply to a deleted message is posted in the channel itself (slack-go#1571).
        """
        message = self.bot_message(text, blocks=blocks, attachments=attachments, bot=bot)
        if files:
            message |= {"subtype": "file_share", "files": files, "upload": False}
        if metadata:
            channel.metadata[message["ts"]] = metadata
        parent = channel.messages.get(thread_ts or "")
        if parent is None or parent.get("subtype") == "tombstone":
            thread_ts = None
        return self._store(channel, message, thread_ts, broadcast=broadcast)

    def bot_message(
        self, text: str, *, blocks: list[Json] | None = None, attachments: list[Json] | None = None, bot: Bot | None = None
    ) -> Json:
        """Make a message object of the bot's (the first app's, unless `bot` is given) without posting it."""
        bot = bot or next(iter(self.bots.values()))
        profile = {
            "id": bot.id, "app_id": bot.app_id, "name": bot.app_name, "deleted": False,
            "icons": {}, "updated": self.started, "team_id": self.team_id,
        }  # fmt: skip
        message: Json = {
            "user": bot.user_id, "type": "message", "ts": self.next_ts(), "bot_id": bot.id, "app_id": bot.app_id,
            "text": composer.sanitise(text[:TEXT_LIMIT]), "team": self.team_id, "bot_profile": profile,
        }  # fmt: skip
        if blocks:
            message["blocks"] = blocks
        if attachments:
            message["attachments"] = attachments
        return message

    def edit(self, channel: Channel, ts: str, user: str, fields: Json) -> Json:
        """Replace `fields` of the message (None removes one) and record who edited it."""
        previous = channel.message(ts)
        now = self.next_ts()
        message = {key: value for key, value in {**previous, **fields}.items() if value is not None}
        message["edited"] = {"user": user, "ts": f"{now.partition('.')[0]}.000000"}
        channel.messages[ts] = message
        self._tell(Change("changed", channel, message, now, user=user, previous=previous))
        return message

    def edit_as_person(self, user: User, channel: Channel, ts: str, typed: str) -> Json:
        """Edit a person's own message."""
        if channel.message(ts)["user"] != user.id:
            raise SlackError("cant_update_message")
        text = composer.compose(typed, self.user_ids, self.channel_ids)
        if not text.strip():
            raise SlackError("no_text")
        blocks = [composer.rich_text(text, secrets.token_urlsafe(4))]
        return self.edit(channel, ts, user.id, {"text": text, "blocks": blocks})

    def delete(self, channel: Channel, ts: str, user: str) -> None:
        """Delete the message; a parent with replies leaves a tombstone, as in Slack."""
        previous, tombstone = channel.message(ts), channel.remove(ts)
        if tombstone is not None:
            self._tell(Change("changed", channel, tombstone, self.next_ts(), user=user, previous=previous))
            return
        self._tell(Change("deleted", channel, previous, self.next_ts(), user=user))
        parent = previous.get("thread_ts")
        if parent is not None and parent != ts:
            self._count_replies(channel, parent, afresh=True)

    def _store(self, channel: Channel, message: Json, thread_ts: str | None, *, broadcast: bool = False) -> Json:
        channel.place(message, thread_ts, broadcast=broadcast)
        self._tell(Change("posted", channel, message, message["ts"], user=message["user"]))
        if "thread_ts" in message:
            self._count_replies(channel, message["thread_ts"])
        return message

    def _count_replies(self, channel: Channel, ts: str, *, afresh: bool = False) -> None:
        """Update the parent's number of replies; Slack sends this as a change without a new text, or as the tombstone's end."""
        previous = channel.messages[ts]
        message = channel.count_replies(ts, self.bot_user_id, afresh=afresh)
        if message is None:
            self._tell(Change("deleted", channel, previous, self.next_ts(), user=previous["user"]))
        else:
            self._tell(Change("changed", channel, message, self.next_ts(), user=message["user"], previous=previous))

    # --- what one person sees ---

    def post_ephemeral(self, channel: Channel, user: User, message: Json, thread_ts: str | None = None) -> Json:
        """Show a message to `user` alone; it is in no history."""
        message = {**message, "ephemeral": True}
        if thread_ts:
            message["thread_ts"] = thread_ts
        self.ephemerals.setdefault((channel.id, user.id), {})[message["ts"]] = message
        self._tell(Change("ephemeral", channel, message, message["ts"], user=user.id))
        return message

    def replace_ephemeral(self, channel: Channel, user: User, ts: str, message: Json | None) -> None:
        """Replace the ephemeral message, or delete it (None)."""
        shown = self.ephemerals.get((channel.id, user.id), {})
        previous = shown.get(ts)
        if previous is None:
            raise SlackError("message_not_found")
        if message is None:
            del shown[ts]
            self._tell(Change("ephemeral_deleted", channel, previous, self.next_ts(), user=user.id))
            return
        kept: Json = {key: previous[key] for key in ("ts", "thread_ts") if key in previous}
        shown[ts] = {**message, "ephemeral": True, **kept}
        self._tell(Change("ephemeral_changed", channel, shown[ts], self.next_ts(), user=user.id, previous=previous))

    # --- reactions ---

    def react(self, channel: Channel, ts: str, user: str, name: str) -> None:
        """Add `user`'s reaction `name` to the message."""
        name = reactions.kept_name(name)
        if channel.is_archived:
            raise SlackError("is_archived")
        previous = channel.message(ts)
        message = channel.messages[ts] = reactions.added(previous, user, name)
        self._tell(Change("reacted", channel, message, self.next_ts(), user=user, previous=previous, reaction=name))

    def unreact(self, channel: Channel, ts: str, user: str, name: str) -> None:
        """Remove `user`'s reaction `name` from the message."""
        name = reactions.kept_name(name)
        previous = channel.message(ts)
        message = channel.messages[ts] = reactions.removed(previous, user, name)
        self._tell(Change("unreacted", channel, message, self.next_ts(), user=user, previous=previous, reaction=name))

    # --- channels ---

    def join(self, channel: Channel, user: User, inviter: str = "") -> None:
        """Make `user` a member and post Slack's message about it."""
        if channel.kind in ("im", "mpim"):
            raise SlackError("method_not_supported_for_channel_type")
        if channel.is_archived:
            raise SlackError("is_archived")
        if user.id in channel.members:
            raise SlackError("already_in_channel")
        channel.members[user.id] = None
        self._tell(Change("joined", channel, {}, self.next_ts(), user=user.id, inviter=inviter))
        subtype = "channel_join" if channel.kind == "channel" else "group_join"
        message: Json = {
            "type": "message", "subtype": subtype, "ts": self.next_ts(), "user": user.id,
            "text": f"<@{user.id}> has joined the {'channel' if channel.kind == 'channel' else 'group'}",
        }  # fmt: skip
        self._store(channel, message | ({"inviter": inviter} if inviter else {}), None)

    def leave(self, channel: Channel, user: User, by: str = "") -> None:
        """Remove `user` from the channel and post Slack's message about it."""
        if channel.kind in ("im", "mpim"):
            raise SlackError("method_not_supported_for_channel_type")
        if user.id not in channel.members:
            raise SlackError("not_in_channel")
        del channel.members[user.id]
        self._tell(Change("left", channel, {}, self.next_ts(), user=user.id, inviter=by))
        subtype = "channel_leave" if channel.kind == "channel" else "group_leave"
        text = f"<@{user.id}> has left the {'channel' if channel.kind == 'channel' else 'group'}"
        message: Json = {"type": "message", "subtype": subtype, "ts": self.next_ts(), "user": user.id, "text": text}
        self._store(channel, message, None)

    def archive(self, channel: Channel, user: User) -> None:
        """Archive the channel: it can only be read from now on."""
        if channel.kind in ("im", "mpim"):
            raise SlackError("method_not_supported_for_channel_type")
        if channel.is_archived:
            raise SlackError("already_archived")
        subtype = f"{channel.kind}_archive"
        message: Json = {
            "type": "message", "subtype": subtype, "ts": self.next_ts(), "user": user.id, "text": "archived the channel",
        }  # fmt: skip
        self._store(channel, message, None)
        channel.is_archived = True
        self._tell(Change("archived", channel, {}, self.next_ts(), user=user.id))

    def unarchive(self, channel: Channel, user: User) -> None:
        """Unarchive the channel."""
        if not channel.is_archived:
            raise SlackError("not_archived")
        channel.is_archived = False
        self._tell(Change("unarchived", channel, {}, self.next_ts(), user=user.id))
        subtype = f"{channel.kind}_unarchive"
        message: Json = {
            "type": "message", "subtype": subtype, "ts": self.next_ts(), "user": user.id, "text": "un-archived the channel",
        }  # fmt: skip
        self._store(channel, message, None)

    def rename(self, channel: Channel, user: User, name: str) -> None:
        """Rename the channel and post Slack's message about it."""
        if channel.kind in ("im", "mpim"):
            raise SlackError("method_not_supported_for_channel_type")
        if channel.is_archived:
            raise SlackError("is_archived")
        if not _CHANNEL_NAME.fullmatch(name):
            raise SlackError("invalid_name_specials")
        if name in self.channel_ids:
            raise SlackError("name_taken")
        old = channel.name
        del self.channel_ids[old]
        self.channel_ids[name] = channel.id
        channel.name = name
        self._tell(Change("renamed", channel, {}, self.next_ts(), user=user.id))
        message: Json = {
            "type": "message", "subtype": f"{channel.kind}_name", "ts": self.next_ts(), "user": user.id, "old_name": old,
            "name": name, "text": f'has renamed the channel from "{old}" to "{name}"',
        }  # fmt: skip
        self._store(channel, message, None)

    def change_id(self, channel: Channel) -> None:
        """Give the channel a new id, as when Slack moves it; its messages, members and name stay."""
        if channel.kind in ("im", "mpim"):
            raise SlackError("method_not_supported_for_channel_type")
        old, channel.id = channel.id, f"{channel.id[0]}{secrets.token_hex(5).upper()}"
        self.channels = {one.id: one for one in self.channels.values()}
        self.channel_ids[channel.name] = channel.id
        self.ephemerals = {(channel.id if key == old else key, user): own for (key, user), own in self.ephemerals.items()}
        self._tell(Change("reidentified", channel, {"old_id": old}, self.next_ts()))

    def direct_channel(self, one: User, other: User) -> Channel:
        """Return the direct messages between the two, opened if they were not."""
        pair = frozenset((one.id, other.id))
        if pair not in self._direct:
            channel = Channel(f"D0SIMU{len(self._direct) + 1:05d}", "", "im", int(self._clock()), one.id)
            channel.members = dict.fromkeys((one.id, other.id))
            self.channels[channel.id] = channel
            self._direct[pair] = channel.id
            self._tell(Change("joined", channel, {}, self.next_ts(), user=one.id))
        return self.channels[self._direct[pair]]

    def group_channel(self, people: list[User]) -> Channel:
        """Return the direct messages of exactly these people, opened if they were not; Slack takes three to nine."""
        if not 3 <= len({one.id for one in people}) <= 9:
            raise SlackError("too_many_users" if len(people) > 9 else "not_enough_users")
        group = frozenset(one.id for one in people)
        if group not in self._direct:
            number = sum(one.kind == "mpim" for one in self.channels.values()) + 1
            name = f"mpdm-{'--'.join(sorted(one.name for one in people))}-1"
            channel = Channel(f"C0SIMUMPIM{number:02d}", name, "mpim", int(self._clock()), people[0].id)
            channel.members = dict.fromkeys(one.id for one in people)
            self.channels[channel.id] = channel
            self._direct[group] = channel.id
            self._tell(Change("joined", channel, {}, self.next_ts(), user=people[0].id))
        return self.channels[self._direct[group]]

    def can_see(self, user: User, channel: Channel) -> bool:
        """Return whether `user` may read the channel: members, and everybody but guests where it is public."""
        return user.id in channel.members or (channel.kind == "channel" and not user.is_restricted)

    def _add_user(self, user: User) -> None:
        self.users[user.id] = user
        self.user_ids[user.name] = user.id

    def _add_channel(self, id_: str, name: str, kind: Literal["channel", "group"], members: tuple[str, ...]) -> None:
        ids = [self.user_ids[member] for member in members]
        self.channels[id_] = Channel(id_, name, kind, self.started, ids[0], dict.fromkeys(ids))
        self.channel_ids[name] = id_

    def _tell(self, change: Change) -> None:
        for watcher in self.watchers:
            watcher(change)
