"""conversations.* of the Web API."""

import bisect
import re

from bot.simulator.arguments import Arguments, next_cursor, page
from bot.simulator.channel import Channel
from bot.simulator.errors import Json, SlackError
from bot.simulator.faults import Faults
from bot.simulator.installation import Installation, Method
from bot.simulator.rate_limits import RateLimits

LIMITED_HISTORY = 15  # messages in one call, for apps that are distributed outside the Marketplace
_HISTORY_SCOPES = {"channel": "channels:history", "group": "groups:history", "im": "im:history", "mpim": "mpim:history"}
_READ_SCOPES = {"channel": "channels:read", "group": "groups:read", "im": "im:read", "mpim": "mpim:read"}
_TYPES = {"public_channel": "channel", "private_channel": "group", "im": "im", "mpim": "mpim"}


class ConversationMethods:
    """Channels as the bot sees them. Scopes depend on the kind of channel, so each method asks for its own."""

    def __init__(self, app: Installation, faults: Faults, limits: RateLimits) -> None:
        self._app = app
        self._faults = faults
        self._limits = limits  # of histories, applied only while faults.history_limited
        self.methods = {
            "conversations.history": Method(self._conversations_history),
            "conversations.info": Method(self._conversations_info, takes_json=False),
            "conversations.join": Method(self._conversations_join, "channels:join"),
            "conversations.list": Method(self._conversations_list, tier=2, takes_json=False),
            "conversations.members": Method(self._conversations_members, tier=4, takes_json=False),
            "conversations.open": Method(self._conversations_open, "im:write"),
            "conversations.replies": Method(self._conversations_replies, takes_json=False),
        }

    def _conversations_history(self, args: Arguments) -> Json:
        channel = self._readable(args)
        limit = args.number("limit", 100, most=self._most(999))
        stamps = channel.roots
        low, high = self._window(args, stamps)
        cursor = args.cursor()
        if cursor:
            high = min(high, bisect.bisect_left(stamps, cursor))
        start = max(low, high - limit)
        found = [channel.messages[ts] for ts in reversed(stamps[start:high])]
        more = start > low
        return {
            "messages": [self._with_metadata(args, channel, one) for one in found], "has_more": more, "pin_count": 0,
            "channel_actions_ts": None, "channel_actions_count": 0,
            **({"response_metadata": {"next_cursor": next_cursor(stamps[start])}} if more else {}),
        }  # fmt: skip

    def _conversations_replies(self, args: Arguments) -> Json:
        channel = self._readable(args)
        ts = args.optional("ts")
        if ts is None:
            raise SlackError("thread_not_found")
        thread = channel.thread(ts)
        parent, stamps = thread[0], [one["ts"] for one in thread[1:]]
        limit = args.number("limit", self._most(1000), most=self._most(1000))
        low, high = self._window(args, stamps)
        cursor = args.cursor()
        if cursor:
            low = max(low, bisect.bisect_right(stamps, cursor))
        shown = stamps[low : min(high, low + max(limit - 1, 1))]  # every page includes the parent
        more = low + len(shown) < high
        messages = [parent, *(channel.messages[one] for one in shown)]
        return {
            "messages": [self._with_metadata(args, channel, one) for one in messages], "has_more": more,
            **({"response_metadata": {"next_cursor": next_cursor(shown[-1])}} if more else {}),
        }  # fmt: skip

    def _readable(self, args: Arguments) -> Channel:
        channel = self._app.channel(args.optional("channel") or "")
        self._app.require_scope(_HISTORY_SCOPES[channel.kind])
        keys = args.data("metadata_keys_to_include", "invalid_metadata_filter_keys")
        if keys is not None and not (isinstance(keys, list) and all(isinstance(one, str) for one in keys)):
            raise SlackError("invalid_metadata_filter_keys")
        if not self._app.is_member(channel):
            raise SlackError("not_in_channel")
        if self._faults.history_limited:
            self._limits.history()
        return channel

    def _most(self, most: int) -> int:
        """Return how many messages one call may return."""
        return LIMITED_HISTORY if self._faults.history_limited else most

    def _window(self, args: Arguments, stamps: list[str]) -> tuple[int, int]:
        """Return the part of the ascending timestamps between `oldest` and `latest`, as indices."""
        oldest, latest = args.timestamp("oldest", "invalid_ts_oldest"), args.timestamp("latest", "invalid_ts_latest")
        after, before = (
            (bisect.bisect_left, bisect.bisect_right) if args.flag("inclusive") else (bisect.bisect_right, bisect.bisect_left)
        )
        return after(stamps, _full(oldest)) if oldest else 0, before(stamps, _full(latest)) if latest else len(stamps)

    def _with_metadata(self, args: Arguments, channel: Channel, message: Json) -> Json:
        metadata = channel.metadata.get(message["ts"])
        return {**message, "metadata": metadata} if metadata and args.flag("include_all_metadata") else message

    def _conversations_info(self, args: Arguments) -> Json:
        channel = self._known(args)
        described = self._describe(channel)
        if args.flag("include_num_members"):
            described["num_members"] = len(channel.members)
        return {"channel": described}

    def _conversations_list(self, args: Arguments) -> Json:
        wanted = (args.optional("types") or "public_channel").split(",")
        try:
            kinds = {_TYPES[one.strip()] for one in wanted}
        except KeyError:
            raise SlackError("invalid_types") from None
        for kind in sorted(kinds):
            self._app.require_scope(_READ_SCOPES.get(kind, "mpim:read"))
        seen = [
            one.id
            for one in self._app.workspace.channels.values()
            if one.kind in kinds
            and not (one.is_archived and args.flag("exclude_archived"))
            and (one.kind == "channel" or self._app.is_member(one))
        ]
        found, cursor = page(args, sorted(seen))
        channels = []
        for id_ in found:
            channel = self._app.workspace.channels[id_]
            channels.append(self._describe(channel) | ({} if channel.kind == "im" else {"num_members": len(channel.members)}))
        return {"channels": channels, "response_metadata": {"next_cursor": cursor}}

    def _conversations_members(self, args: Arguments) -> Json:
        members, cursor = page(args, sorted(self._known(args).members))
        return {"members": members, "response_metadata": {"next_cursor": cursor}}

    def _conversations_join(self, args: Arguments) -> Json:
        channel = self._app.channel(args.optional("channel") or "")
        if channel.kind != "channel":
            raise SlackError("method_not_supported_for_channel_type")
        if self._app.is_member(channel):
            warning = {"warning": "already_in_channel", "response_metadata": {"warnings": ["already_in_channel"]}}
            return {"channel": self._describe(channel), **warning}
        self._app.workspace.join(channel, self._app.user)
        return {"channel": self._describe(channel)}

    def _conversations_open(self, args: Arguments) -> Json:
        known = args.optional("channel")
        if known is not None:
            channel = self._app.channel(known)
            if channel.kind not in ("im", "mpim"):
                raise SlackError("method_not_supported_for_channel_type")
            already = True
        else:
            users = [one for one in re.split(r"[,\s]+", args.optional("users") or "") if one]
            if not users:
                raise SlackError("users_list_not_supplied")
            if len(users) > 8:
                raise SlackError("too_many_users")
            people = [self._app.workspace.users.get(one) for one in users]
            found = [one for one in people if one is not None and not one.is_bot]
            if len(found) < len(people):
                raise SlackError("user_not_found")
            before = len(self._app.workspace.channels)
            if len(found) > 1:
                self._app.require_scope("mpim:write")
                channel = self._app.workspace.group_channel([self._app.user, *found])
            else:
                channel = self._app.workspace.direct_channel(self._app.user, found[0])
            already = len(self._app.workspace.channels) == before
        state = {"no_op": True, "already_open": True} if already else {}
        return {**state, "channel": self._describe(channel) if args.flag("return_im") else {"id": channel.id}}

    def _known(self, args: Arguments) -> Channel:
        channel = self._app.channel(args.optional("channel") or "")
        self._app.require_scope(_READ_SCOPES[channel.kind])
        return channel

    def _describe(self, channel: Channel) -> Json:
        team = self._app.workspace.team_id
        if channel.kind == "im":
            other = next(one for one in channel.members if one != self._app.bot.user_id)
            return {
                "id": channel.id, "created": channel.created, "is_im": True, "is_org_shared": False, "is_archived": False,
                "context_team_id": team, "user": other, "is_open": True, "is_user_deleted": False, "priority": 0,
            }  # fmt: skip
        nothing = {"value": "", "creator": "", "last_set": 0}
        return {
            "id": channel.id, "name": channel.name, "is_channel": channel.kind == "channel", "is_group": channel.kind == "group",
            "is_im": False, "is_mpim": channel.kind == "mpim", "is_private": channel.kind != "channel",
            "created": channel.created,
            "is_archived": channel.is_archived,
            "is_general": channel.name == "general", "unlinked": 0, "name_normalized": channel.name, "is_shared": False,
            "is_frozen": False, "is_org_shared": False, "is_pending_ext_shared": False, "pending_shared": [],
            "context_team_id": team, "updated": channel.created * 1000, "parent_conversation": None,
            "creator": channel.creator, "is_ext_shared": channel.is_ext_shared,
            "shared_team_ids": [team], "pending_connected_team_ids": [], "is_member": self._app.is_member(channel),
            "topic": nothing, "purpose": nothing, "previous_names": [],
        }  # fmt: skip


def _full(ts: str) -> str:
    """Pad a timestamp to the width in which timestamps are compared."""
    seconds, _, fraction = ts.partition(".")
    return f"{int(seconds):010d}.{fraction:0<6}"
