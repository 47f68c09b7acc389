"""The events that an app receives for each change of the workspace."""

import secrets
from collections.abc import Iterator

from bot.simulator.channel import Channel
from bot.simulator.errors import Json
from bot.simulator.workspace import Bot, Change, Workspace

CHANNEL_TYPES = {"channel": "C", "group": "G", "im": "D", "mpim": "G"}
_MESSAGE_EVENTS = {"channel": "message.channels", "group": "message.groups", "im": "message.im", "mpim": "message.mpim"}
_SCOPES = {
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "app_mention": "app_mentions:read",
    "reaction_added": "reactions:read",
    "reaction_removed": "reactions:read",
}
_MEMBER_SCOPES = {"channel": "channels:read", "group": "groups:read", "im": "im:read", "mpim": "mpim:read"}


class Events:
    """Turns changes into one app's `event_callback` payloads, if the manifest subscribes to them and its scopes allow it."""

    def __init__(self, workspace: Workspace, bot: Bot, manifest: Json) -> None:
        self._workspace = workspace
        self._bot = bot
        self._scopes = frozenset(manifest["oauth_config"]["scopes"].get("bot", ()))
        subscriptions = manifest["settings"].get("event_subscriptions", {})
        self._subscribed = frozenset(subscriptions.get("bot_events", ()))
        # Of other apps' metadata (docs.slack.dev/messaging/message-metadata): whose, and of which type.
        self._metadata = {(one["app_id"], one["event_type"]) for one in subscriptions.get("metadata_subscriptions", ())}
        self._known_metadata: dict[tuple[str, str], Json] = {}

    def payloads(self, change: Change) -> Iterator[Json]:
        """Yield the payloads that Slack sends for one change, in Slack's order."""
        channel = change.channel
        bot = self._bot.user_id
        if change.kind == "left" and change.user == bot:
            kind = "channel_left" if channel.kind == "channel" else "group_left"
            left = {"type": kind, "channel": channel.id, "actor_id": change.inviter or bot, "event_ts": change.ts}
            yield from self._when(kind, _MEMBER_SCOPES[channel.kind], left)
        if bot not in channel.members:
            return
        if change.kind in ("posted", "changed", "deleted"):
            name = _MESSAGE_EVENTS[channel.kind]
            yield from self._when(name, _SCOPES[name], self._message(change))
            if self._mentions_anew(change):
                yield from self._when("app_mention", _SCOPES["app_mention"], self._mention(change))
            if self._metadata:
                yield from self._metadata_of(change)
        elif change.kind in ("reacted", "unreacted"):
            name = "reaction_added" if change.kind == "reacted" else "reaction_removed"
            yield from self._when(name, _SCOPES[name], self._reaction(name, change))
        elif change.kind in ("archived", "unarchived"):
            name = f"{channel.kind}_{change.kind.removesuffix('d')}"
            event = {"type": name, "channel": channel.id, "user": change.user, "event_ts": change.ts}
            yield from self._when(name, _MEMBER_SCOPES[channel.kind], event | {"is_moved": 0})
        elif change.kind == "renamed":
            name = f"{channel.kind}_rename"
            about = {"id": channel.id, "name": channel.name, "created": channel.created}
            renamed: Json = {"type": name, "channel": about, "event_ts": change.ts}
            yield from self._when(name, _MEMBER_SCOPES[channel.kind], renamed)
        elif change.kind == "reidentified":
            name, old = "channel_id_changed", change.message["old_id"]
            event = {"type": name, "old_channel_id": old, "new_channel_id": channel.id, "event_ts": change.ts}
            yield from self._when(name, None, event)
        elif change.kind in ("joined", "left") and channel.kind not in ("im", "mpim"):
            name = "member_joined_channel" if change.kind == "joined" else "member_left_channel"
            yield from self._when(name, _MEMBER_SCOPES[channel.kind], self._member(name, change))

    def home_opened(self, user: str, channel: Channel, tab: str, view: Json | None) -> Iterator[Json]:
        """Yield the payload that says that somebody opened the app's Home or Messages tab."""
        event: Json = {
            "type": "app_home_opened", "user": user, "channel": channel.id, "tab": tab, "event_ts": self._workspace.next_ts(),
        }  # fmt: skip
        yield from self._when("app_home_opened", None, event | ({"view": view} if view else {}))

    def uninstalled(self) -> Iterator[Json]:
        """Yield the payloads that tell an app that it was uninstalled and its tokens were revoked."""
        tokens = {"oauth": [], "bot": [self._bot.user_id]}
        yield from self._when(
            "tokens_revoked", None, {"type": "tokens_revoked", "tokens": tokens, "event_ts": self._workspace.next_ts()}
        )
        yield from self._when("app_uninstalled", None, {"type": "app_uninstalled", "event_ts": self._workspace.next_ts()})

    def _when(self, name: str, scope: str | None, event: Json) -> Iterator[Json]:
        if name in self._subscribed and (scope is None or scope in self._scopes):
            yield self.envelope(event)

    def envelope(self, event: Json) -> Json:
        """Return the payload around an event, whether the app subscribes to it or not: a step's is sent to its own app."""
        workspace = self._workspace
        channel = event.get("channel") or event.get("channel_id") or event.get("item", {}).get("channel", "")
        if isinstance(channel, dict):  # channel_rename tells all about it
            channel = channel["id"]
        authorization = {
            "enterprise_id": None, "team_id": workspace.team_id, "user_id": self._bot.user_id, "is_bot": True,
            "is_enterprise_install": False,
        }  # fmt: skip
        return {
            "token": "simulator-verification-token",
            "team_id": workspace.team_id,
            "context_team_id": workspace.team_id,
            "context_enterprise_id": None,
            "api_app_id": self._bot.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": new_event_id(),
            "event_time": int(event["event_ts"].partition(".")[0]),
            "authorizations": [authorization],
            "is_ext_shared_channel": False,
            "event_context": f"1-{event['type']}-{workspace.team_id}-{channel}",
        }

    def _message(self, change: Change) -> Json:
        where = {"channel": change.channel.id, "event_ts": change.ts, "channel_type": change.channel.kind}
        if change.kind == "posted":
            return {**change.message, **where}
        event: Json = {"type": "message", "hidden": True, "ts": change.ts, **where}
        if change.kind == "deleted":
            return event | {
                "subtype": "message_deleted", "deleted_ts": change.message["ts"], "previous_message": change.message,
            }  # fmt: skip
        return event | {"subtype": "message_changed", "message": change.message, "previous_message": change.previous}

    def _metadata_of(self, change: Change) -> Iterator[Json]:
        """Yield what an app hears of metadata that it subscribes to: posted, changed, or gone with its message."""
        message, place = change.message, (change.channel.id, change.message["ts"])
        before = self._known_metadata.pop(place, None)
        after = None if change.kind == "deleted" else change.channel.metadata.get(place[1])
        if after is not None and (message.get("app_id"), after["event_type"]) not in self._metadata:
            after = None
        if after is not None:
            self._known_metadata[place] = after
        if after == before:
            return
        name = f"message_metadata_{'deleted' if after is None else 'posted' if before is None else 'updated'}"
        event: Json = {
            "type": name, "app_id": message.get("app_id", ""), "bot_id": message.get("bot_id", ""),
            "user_id": message.get("user", ""), "team_id": self._workspace.team_id,
            "channel_id": place[0], "message_ts": place[1], "event_ts": change.ts,
        }  # fmt: skip
        event |= {} if after is None else {"metadata": after}
        event |= {} if before is None else {"previous_metadata": before}
        yield from self._when(name, "metadata.message:read", event)

    def _mentions_anew(self, change: Change) -> bool:
        mention = f"<@{self._bot.user_id}>"
        if change.channel.kind == "im" or change.kind == "deleted" or mention not in change.message.get("text", ""):
            return False
        # An app does not hear itself (bolt-js#1573), but it hears other bots, by their bot_id (slack-go#727).
        if "subtype" in change.message or change.message.get("bot_id") == self._bot.id:
            return False
        return change.kind == "posted" or (change.previous is not None and mention not in change.previous.get("text", ""))

    def _mention(self, change: Change) -> Json:
        return {**change.message, "type": "app_mention", "channel": change.channel.id, "event_ts": change.ts}

    def _reaction(self, name: str, change: Change) -> Json:
        event: Json = {
            "type": name,
            "user": change.user,
            "reaction": change.reaction,
            "item": {"type": "message", "channel": change.channel.id, "ts": change.message["ts"]},
            "event_ts": change.ts,
        }
        author = change.message.get("user")
        return event | ({"item_user": author} if author else {})

    def _member(self, name: str, change: Change) -> Json:
        event: Json = {
            "type": name,
            "user": change.user,
            "channel": change.channel.id,
            "channel_type": CHANNEL_TYPES[change.channel.kind],
            "team": self._workspace.team_id,
            "event_ts": change.ts,
        }
        return event | ({"inviter": change.inviter} if change.inviter and change.kind == "joined" else {})


def new_event_id() -> str:
    """Return a new id in the form that Slack gives to events."""
    return "Ev" + secrets.token_hex(5).upper()
