"""The Web API: each method with its scopes, its tier and its replies."""

import asyncio
import bisect
import re
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from aiohttp import web

from bot.simulator import arguments, blocks
from bot.simulator.arguments import Arguments, next_cursor
from bot.simulator.errors import Json, SlackError, invalid_arguments
from bot.simulator.faults import Failure, Faults
from bot.simulator.rate_limits import RateLimited, RateLimits
from bot.simulator.uploads import Uploads
from bot.simulator.views import Views
from bot.simulator.workspace import TEXT_LIMIT, Channel, User, Workspace

UPDATE_TEXT_LIMIT = 4_000
METADATA_BYTES = 8_000
_HISTORY_SCOPES = {"channel": "channels:history", "group": "groups:history", "im": "im:history"}
_READ_SCOPES = {"channel": "channels:read", "group": "groups:read", "im": "im:read"}
_TYPES = {"public_channel": "channel", "private_channel": "group", "im": "im", "mpim": "mpim"}


class Call(NamedTuple):
    """One call that was answered; `error` is "" when it succeeded."""

    method: str
    arguments: Json
    error: str


class _Method(NamedTuple):
    run: Callable[[Arguments], Json]
    scope: str = ""
    tier: int = 3
    takes_json: bool = True
    app_token: bool = False


class WebApi:
    """Answers `/api/METHOD`."""

    def __init__(
        self,
        workspace: Workspace,
        views: Views,
        uploads: Uploads,
        faults: Faults,
        *,
        scopes: tuple[str, ...],
        bot_token: str,
        app_token: str,
        open_socket: Callable[[], str] | None,
        rate_limits: bool,
    ) -> None:
        self.base = ""  # set once the server knows its port
        self.transcript: deque[Call] = deque(maxlen=10_000)
        self._workspace = workspace
        self._views = views
        self._uploads = uploads
        self._faults = faults
        self._scopes = scopes
        self._bot_token = bot_token
        self._app_token = app_token
        self._open_socket = open_socket
        self._limits = RateLimits() if rate_limits else None
        # Scopes, tiers and JSON support as in Slack's reference of each method.
        self._methods: dict[str, _Method] = {
            "api.test": _Method(lambda args: {"args": args.values} if args.values else {}, tier=4),
            "apps.connections.open": _Method(self._apps_connections_open, app_token=True),
            "auth.test": _Method(self._auth_test, tier=5),
            "bots.info": _Method(self._bots_info, "users:read", takes_json=False),
            "chat.delete": _Method(self._chat_delete, "chat:write"),
            "chat.getPermalink": _Method(self._chat_get_permalink, tier=5, takes_json=False),
            "chat.postEphemeral": _Method(self._chat_post_ephemeral, "chat:write", tier=4),
            "chat.postMessage": _Method(self._chat_post_message, "chat:write", tier=5),
            "chat.update": _Method(self._chat_update, "chat:write"),
            "conversations.history": _Method(self._conversations_history),
            "conversations.info": _Method(self._conversations_info, takes_json=False),
            "conversations.join": _Method(self._conversations_join, "channels:join"),
            "conversations.list": _Method(self._conversations_list, tier=2, takes_json=False),
            "conversations.members": _Method(self._conversations_members, tier=4, takes_json=False),
            "conversations.open": _Method(self._conversations_open, "im:write"),
            "conversations.replies": _Method(self._conversations_replies, takes_json=False),
            "files.completeUploadExternal": _Method(self._files_complete, "files:write", tier=4),
            "files.getUploadURLExternal": _Method(self._files_get_upload_url, "files:write", tier=4, takes_json=False),
            "files.info": _Method(self._files_info, "files:read", tier=4, takes_json=False),
            "reactions.add": _Method(self._reactions_add, "reactions:write"),
            "reactions.get": _Method(self._reactions_get, "reactions:read", takes_json=False),
            "reactions.remove": _Method(self._reactions_remove, "reactions:write", tier=2),
            "team.info": _Method(self._team_info, "team:read"),
            "users.info": _Method(self._users_info, "users:read", tier=4, takes_json=False),
            "users.list": _Method(self._users_list, "users:read", tier=2, takes_json=False),
            "views.open": _Method(self._views_open, tier=4),
            "views.publish": _Method(self._views_publish, tier=4),
            "views.push": _Method(self._views_push, tier=4),
            "views.update": _Method(self._views_update, tier=4),
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Slack's answer to one call."""
        name = request.match_info["method"]
        failure = self._faults.take_failure(name)
        if failure is not None:
            return _fail(request, failure)
        headers: dict[str, str] = {}
        values: Json = {}
        status = 200
        try:
            method = self._methods.get(name)
            args = await arguments.read(request, takes_json=method is None or method.takes_json)
            values = args.values
            self._authorise(args.token, method)
            if method is None:
                raise SlackError("unknown_method", req_method=name)
            headers = self._scope_headers(method)
            if method.scope:
                self._need(method.scope)
            if self._limits is not None:
                self._limits.call(name, method.tier)
            reply: Json = {"ok": True, **method.run(args)}
        except RateLimited as error:
            reply, status = error.reply, 429
            headers["Retry-After"] = str(error.retry_after_s)
        except SlackError as error:
            reply = error.reply
        self.transcript.append(Call(name, values, reply.get("error", "")))
        return web.json_response(reply, status=status, headers=headers)

    # --- who calls, and whether they may ---

    def _authorise(self, token: str, method: _Method | None) -> None:
        if not token:
            raise SlackError("not_authed")
        if token not in (self._bot_token, self._app_token):
            raise SlackError("invalid_auth")
        if method is not None and (token == self._app_token) != method.app_token:
            raise SlackError("not_allowed_token_type")

    def _scope_headers(self, method: _Method) -> dict[str, str]:
        if method.app_token:
            return {"x-oauth-scopes": "connections:write", "x-accepted-oauth-scopes": "connections:write"}
        return {"x-oauth-scopes": ",".join(self._scopes)} | ({"x-accepted-oauth-scopes": method.scope} if method.scope else {})

    def _need(self, scope: str) -> None:
        if scope not in self._scopes:
            raise SlackError("missing_scope", needed=scope, provided=",".join(self._scopes))

    def _channel(self, key: str) -> Channel:
        """The channel, as far as the bot may know of it: a private one only as a member."""
        channel = self._workspace.channels.get(key)
        if channel is None or (channel.kind != "channel" and not self._is_member(channel)):
            raise SlackError("channel_not_found")
        return channel

    def _own_channel(self, key: str) -> Channel:
        channel = self._channel(key)
        if not self._is_member(channel):
            raise SlackError("not_in_channel")
        return channel

    def _is_member(self, channel: Channel) -> bool:
        return self._workspace.bot_user_id in channel.members

    def _post_channel(self, key: str) -> Channel:
        """Where a post goes: a channel's id or name, or a person's id for the direct messages with them."""
        user = self._workspace.users.get(key)
        if user is not None and not user.is_bot:
            return self._workspace.direct_channel(self._bot, user)
        return self._own_channel(self._workspace.channel_ids.get(key.removeprefix("#"), key))

    @property
    def _bot(self) -> User:
        return self._workspace.users[self._workspace.bot_user_id]

    # --- app, team, users ---

    def _apps_connections_open(self, _args: Arguments) -> Json:
        if self._open_socket is None:
            raise SlackError("forbidden_team")  # the app is set to HTTP
        return {"url": self._open_socket()}

    def _auth_test(self, _args: Arguments) -> Json:
        workspace = self._workspace
        return {
            "url": f"{self.base}/", "team": workspace.team_name, "user": self._bot.name, "team_id": workspace.team_id,
            "user_id": workspace.bot_user_id, "bot_id": workspace.bot_id, "is_enterprise_install": False,
        }  # fmt: skip

    def _team_info(self, args: Arguments) -> Json:
        workspace = self._workspace
        if args.optional("team") not in (None, workspace.team_id):
            raise SlackError("team_not_found")
        icon = {"image_default": True}
        return {
            "team": {
                "id": workspace.team_id,
                "name": workspace.team_name,
                "domain": workspace.domain,
                "email_domain": "",
                "icon": icon,
            }
        }

    def _bots_info(self, args: Arguments) -> Json:
        workspace = self._workspace
        if args.optional("bot") not in (None, workspace.bot_id):
            raise SlackError("bot_not_found")
        if args.optional("bot") is None:
            return {}
        return {
            "bot": {
                "id": workspace.bot_id, "deleted": False, "name": workspace.app_name, "updated": workspace.started,
                "app_id": workspace.app_id, "user_id": workspace.bot_user_id, "icons": {},
            }
        }  # fmt: skip

    def _users_info(self, args: Arguments) -> Json:
        user = self._workspace.users.get(args.optional("user") or "")
        if user is None:
            raise SlackError("user_not_found")
        return {"user": self._user(user)}

    def _users_list(self, args: Arguments) -> Json:
        users, cursor = self._page(args, sorted(self._workspace.users))
        members = [self._user(self._workspace.users[id_]) for id_ in users]
        return {"members": members, "cache_ts": self._workspace.started, "response_metadata": {"next_cursor": cursor}}

    def _user(self, user: User) -> Json:
        team = self._workspace.team_id
        first, _, last = user.real_name.partition(" ")
        profile: Json = {
            "real_name": user.real_name, "real_name_normalized": user.real_name, "display_name": user.name,
            "display_name_normalized": user.name, "first_name": first, "last_name": last, "title": "", "phone": "", "skype": "",
            "avatar_hash": "", "status_text": "", "status_emoji": "", "status_expiration": 0, "team": team,
        }  # fmt: skip
        if user.is_bot:
            profile |= {"bot_id": self._workspace.bot_id, "api_app_id": self._workspace.app_id, "always_active": True}
        return {
            "id": user.id, "team_id": team, "name": user.name, "deleted": False, "color": user.color, "real_name": user.real_name,
            "tz": "America/Guayaquil", "tz_label": "Ecuador Time", "tz_offset": -18000, "profile": profile,
            "is_admin": user.is_admin, "is_owner": user.is_admin, "is_primary_owner": user.is_admin, "is_restricted": user.is_restricted,
            "is_ultra_restricted": False, "is_bot": user.is_bot, "is_app_user": False, "updated": self._workspace.started,
            "is_email_confirmed": not user.is_bot, "who_can_share_contact_card": "EVERYONE",
        }  # fmt: skip

    # --- chat ---

    def _chat_post_message(self, args: Arguments) -> Json:
        channel = self._post_channel(args.required("channel"))
        if self._limits is not None:
            self._limits.post(channel.id)
        text, content = self._content(args)
        metadata = _metadata(args)
        message = self._workspace.post_as_bot(
            channel,
            text,
            **content,
            thread_ts=args.stamp("thread_ts", "invalid_thread_ts"),
            broadcast=args.flag("reply_broadcast"),
            metadata=metadata,
        )
        reply: Json = {
            "channel": channel.id,
            "ts": message["ts"],
            "message": message | ({"metadata": metadata} if metadata else {}),
        }
        if len(text) > TEXT_LIMIT:
            reply |= {"warning": "message_truncated", "response_metadata": {"warnings": ["message_truncated"]}}
        return reply

    def _chat_post_ephemeral(self, args: Arguments) -> Json:
        channel = self._own_channel(args.required("channel"))
        user = self._workspace.users.get(args.required("user"))
        if user is None or user.id not in channel.members:
            raise SlackError("user_not_in_channel")
        text, content = self._content(args)
        if len(text) > TEXT_LIMIT:
            raise SlackError("msg_too_long")
        message = self._workspace.bot_message(text, **content)
        self._workspace.post_ephemeral(channel, user, message, args.stamp("thread_ts", "invalid_thread_ts"))
        return {"message_ts": message["ts"]}

    def _chat_update(self, args: Arguments) -> Json:
        channel = self._channel(args.required("channel"))
        ts = args.required("ts")
        if self._workspace.message(channel, ts).get("bot_id") != self._workspace.bot_id:
            raise SlackError("cant_update_message")
        if len(args.optional("text") or "") > UPDATE_TEXT_LIMIT:
            raise SlackError("msg_too_long")
        text, content = self._content(args)
        fields: Json = {"text": self._workspace.bot_message(text)["text"]}
        # Text alone takes the blocks away, and so does an empty list; attachments likewise.
        fields |= {"blocks": content["blocks"], "attachments": content["attachments"]}
        if "metadata" in args.values:
            channel.metadata.pop(ts, None)
            if metadata := _metadata(args):
                channel.metadata[ts] = metadata
        message = self._workspace.edit(channel, ts, self._workspace.bot_user_id, fields)
        return {"channel": channel.id, "ts": ts, "text": message["text"], "message": message}

    def _chat_delete(self, args: Arguments) -> Json:
        channel = self._channel(args.required("channel"))
        ts = args.required("ts")
        if self._workspace.message(channel, ts).get("bot_id") != self._workspace.bot_id:
            raise SlackError("cant_delete_message")
        self._workspace.delete(channel, ts, self._workspace.bot_user_id)
        return {"channel": channel.id, "ts": ts}

    def _chat_get_permalink(self, args: Arguments) -> Json:
        channel = self._channel(args.required("channel"))
        message = self._workspace.message(channel, args.required("message_ts"))
        link = f"{self.base}/archives/{channel.id}/p{message['ts'].replace('.', '')}"
        if message.get("thread_ts", message["ts"]) != message["ts"]:
            link += f"?thread_ts={message['thread_ts']}&cid={channel.id}"
        return {"channel": channel.id, "permalink": link}

    def _content(self, args: Arguments) -> tuple[str, dict[str, Any]]:
        """The text and, as post_as_bot takes them, the blocks and attachments of a message."""
        given = args.data("blocks", "invalid_blocks_format")
        attachments = args.data("attachments", "invalid_attachments")
        text = args.optional("text") or ""
        markdown = args.optional("markdown_text")
        if markdown is not None:
            if text or given:
                raise SlackError("markdown_text_conflict")
            text = markdown
        if attachments is not None and (
            not isinstance(attachments, list) or not all(isinstance(one, dict) for one in attachments)
        ):
            raise SlackError("invalid_attachments")
        if attachments and len(attachments) > 100:
            raise SlackError("too_many_attachments")
        shown = blocks.check_message(given) if given is not None else None
        if not text.strip() and not shown and not attachments:
            raise SlackError("no_text")
        return text or ("This content can't be displayed." if shown else ""), {
            "blocks": shown or None,
            "attachments": attachments or None,
        }

    # --- reactions ---

    def _reactions_add(self, args: Arguments) -> Json:
        channel, ts = self._item(args)
        self._workspace.react(channel, ts, self._workspace.bot_user_id, args.required("name"))
        return {}

    def _reactions_remove(self, args: Arguments) -> Json:
        channel, ts = self._item(args)
        self._workspace.unreact(channel, ts, self._workspace.bot_user_id, args.required("name"))
        return {}

    def _reactions_get(self, args: Arguments) -> Json:
        channel, ts = self._item(args)
        message = self._workspace.message(channel, ts)
        link = f"{self.base}/archives/{channel.id}/p{ts.replace('.', '')}"
        return {"type": "message", "channel": channel.id, "message": {**message, "permalink": link}}

    def _item(self, args: Arguments) -> tuple[Channel, str]:
        ts = args.stamp("timestamp", "bad_timestamp")
        if args.optional("channel") is None or ts is None:
            raise SlackError("no_item_specified")
        return self._own_channel(args.required("channel")), ts

    # --- conversations ---

    def _conversations_history(self, args: Arguments) -> Json:
        channel = self._readable(args)
        limit = args.number("limit", 100, most=999)
        stamps = channel.roots
        low, high = self._window(args, stamps)
        cursor = args.cursor()
        if cursor:
            high = min(high, bisect.bisect_left(stamps, cursor))
        start = max(low, high - limit)
        page = [channel.messages[ts] for ts in reversed(stamps[start:high])]
        more = start > low
        return {
            "messages": [self._with_metadata(args, channel, one) for one in page], "has_more": more, "pin_count": 0,
            "channel_actions_ts": None, "channel_actions_count": 0,
            **({"response_metadata": {"next_cursor": next_cursor(stamps[start])}} if more else {}),
        }  # fmt: skip

    def _conversations_replies(self, args: Arguments) -> Json:
        channel = self._readable(args)
        ts = args.optional("ts")
        if ts is None:
            raise SlackError("thread_not_found")
        thread = self._workspace.thread(channel, ts)
        parent, stamps = thread[0], [one["ts"] for one in thread[1:]]
        limit = args.number("limit", 1000, most=1000)
        low, high = self._window(args, stamps)
        cursor = args.cursor()
        if cursor:
            low = max(low, bisect.bisect_right(stamps, cursor))
        page = stamps[low : min(high, low + max(limit - 1, 1))]  # the parent comes with every page
        more = low + len(page) < high
        messages = [parent, *(channel.messages[one] for one in page)]
        return {
            "messages": [self._with_metadata(args, channel, one) for one in messages], "has_more": more,
            **({"response_metadata": {"next_cursor": next_cursor(page[-1])}} if more else {}),
        }  # fmt: skip

    def _readable(self, args: Arguments) -> Channel:
        channel = self._channel(args.optional("channel") or "")
        self._need(_HISTORY_SCOPES[channel.kind])
        if not self._is_member(channel):
            raise SlackError("not_in_channel")
        return channel

    def _window(self, args: Arguments, stamps: list[str]) -> tuple[int, int]:
        """The part of the ascending stamps between `oldest` and `latest`."""
        oldest, latest = args.stamp("oldest", "invalid_ts_oldest"), args.stamp("latest", "invalid_ts_latest")
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
            self._need(_READ_SCOPES.get(kind, "mpim:read"))
        seen = [
            one.id
            for one in self._workspace.channels.values()
            if one.kind in kinds and (one.kind == "channel" or self._is_member(one))
        ]
        page, cursor = self._page(args, sorted(seen))
        channels = []
        for id_ in page:
            channel = self._workspace.channels[id_]
            channels.append(self._describe(channel) | ({} if channel.kind == "im" else {"num_members": len(channel.members)}))
        return {"channels": channels, "response_metadata": {"next_cursor": cursor}}

    def _conversations_members(self, args: Arguments) -> Json:
        members, cursor = self._page(args, sorted(self._known(args).members))
        return {"members": members, "response_metadata": {"next_cursor": cursor}}

    def _conversations_join(self, args: Arguments) -> Json:
        channel = self._channel(args.optional("channel") or "")
        if channel.kind != "channel":
            raise SlackError("method_not_supported_for_channel_type")
        if self._is_member(channel):
            warning = {"warning": "already_in_channel", "response_metadata": {"warnings": ["already_in_channel"]}}
            return {"channel": self._describe(channel), **warning}
        self._workspace.join(channel, self._bot)
        return {"channel": self._describe(channel)}

    def _conversations_open(self, args: Arguments) -> Json:
        known = args.optional("channel")
        if known is not None:
            channel = self._channel(known)
            if channel.kind != "im":
                raise SlackError("method_not_supported_for_channel_type")
            already = True
        else:
            users = [one for one in re.split(r"[,\s]+", args.optional("users") or "") if one]
            if not users:
                raise SlackError("users_list_not_supplied")
            if len(users) > 1:
                raise SlackError("missing_scope", needed="mpim:write", provided=",".join(self._scopes))
            user = self._workspace.users.get(users[0])
            if user is None or user.is_bot:
                raise SlackError("user_not_found")
            before = len(self._workspace.channels)
            channel = self._workspace.direct_channel(self._bot, user)
            already = len(self._workspace.channels) == before
        state = {"no_op": True, "already_open": True} if already else {}
        return {**state, "channel": self._describe(channel) if args.flag("return_im") else {"id": channel.id}}

    def _known(self, args: Arguments) -> Channel:
        channel = self._channel(args.optional("channel") or "")
        self._need(_READ_SCOPES[channel.kind])
        return channel

    def _describe(self, channel: Channel) -> Json:
        team = self._workspace.team_id
        if channel.kind == "im":
            other = next(one for one in channel.members if one != self._workspace.bot_user_id)
            return {
                "id": channel.id, "created": channel.created, "is_im": True, "is_org_shared": False, "is_archived": False,
                "context_team_id": team, "user": other, "is_open": True, "is_user_deleted": False, "priority": 0,
            }  # fmt: skip
        nothing = {"value": "", "creator": "", "last_set": 0}
        return {
            "id": channel.id, "name": channel.name, "is_channel": channel.kind == "channel", "is_group": channel.kind == "group",
            "is_im": False, "is_mpim": False, "is_private": channel.kind == "group", "created": channel.created,
            "is_archived": False, "is_general": channel.name == "general", "unlinked": 0, "name_normalized": channel.name, "is_shared": False,
            "is_org_shared": False, "is_pending_ext_shared": False, "pending_shared": [], "context_team_id": team,
            "updated": channel.created * 1000, "parent_conversation": None, "creator": channel.creator, "is_ext_shared": False,
            "shared_team_ids": [team], "pending_connected_team_ids": [], "is_member": self._is_member(channel),
            "topic": nothing, "purpose": nothing, "previous_names": [],
        }  # fmt: skip

    def _page(self, args: Arguments, items: list[str]) -> tuple[list[str], str]:
        """One page of the ascending items, and the cursor of the next."""
        start = bisect.bisect_right(items, args.cursor())
        limit = args.number("limit", 100, most=1000)
        page = items[start : start + limit]
        return page, next_cursor(page[-1]) if start + limit < len(items) else ""

    # --- views ---

    def _views_open(self, args: Arguments) -> Json:
        return {"view": self._views.open(_trigger(args), _view(args))}

    def _views_push(self, args: Arguments) -> Json:
        return {"view": self._views.push(_trigger(args), _view(args))}

    def _views_update(self, args: Arguments) -> Json:
        return {
            "view": self._views.update(args.optional("view_id"), args.optional("external_id"), _view(args), args.optional("hash"))
        }

    def _views_publish(self, args: Arguments) -> Json:
        return {"view": self._views.publish(args.required("user_id"), _view(args), args.optional("hash"))}

    # --- files ---

    def _files_get_upload_url(self, args: Arguments) -> Json:
        length = args.required("length")
        if not length.isdigit():
            raise invalid_arguments("must be an integer: length")
        return self._uploads.new(args.required("filename"), int(length))

    def _files_complete(self, args: Arguments) -> Json:
        several = (args.optional("channels") or "").split(",")
        wanted = [one for one in (args.optional("channel_id"), *several) if one]
        channels = [self._own_channel(one) for one in wanted]  # before anything is shared
        uploads = self._uploads.complete(args.data("files", "invalid_arguments"))
        for upload in uploads:
            upload.channels.extend(one.id for one in channels)
        files = [self._uploads.file(upload) for upload in uploads]
        for channel in channels:
            self._workspace.post_as_bot(
                channel,
                args.optional("initial_comment") or "",
                files=files,
                thread_ts=args.stamp("thread_ts", "invalid_thread_ts"),
            )
        return {"files": files}

    def _files_info(self, args: Arguments) -> Json:
        file = self._uploads.file(self._uploads.get(args.optional("file") or ""))
        return {"file": file, "comments": [], "response_metadata": {"next_cursor": ""}}


def _full(ts: str) -> str:
    """A timestamp in the width in which stamps are compared."""
    seconds, _, fraction = ts.partition(".")
    return f"{int(seconds):010d}.{fraction:0<6}"


def _trigger(args: Arguments) -> str:
    trigger_id = args.optional("trigger_id") or args.optional("interactivity_pointer")
    if trigger_id is None:
        raise invalid_arguments("missing required field: trigger_id")
    return trigger_id


def _view(args: Arguments) -> object:
    view = args.data("view", "invalid_arguments")
    if view is None:
        raise invalid_arguments("missing required field: view")
    return view


def _metadata(args: Arguments) -> Json | None:
    metadata = args.data("metadata", "invalid_metadata_format")
    if not metadata:
        return None
    if not isinstance(metadata, dict):
        raise SlackError("invalid_metadata_format")
    if metadata.keys() - {"event_type", "event_payload", "entities"}:
        raise SlackError("invalid_metadata_format")
    if not isinstance(metadata.get("event_type"), str) or not isinstance(metadata.get("event_payload"), dict):
        raise SlackError("invalid_metadata_format")
    if len(str(metadata).encode()) > METADATA_BYTES:
        raise SlackError("metadata_too_large")
    return metadata


def _fail(request: web.Request, failure: Failure) -> web.StreamResponse:
    if failure == "ratelimited":
        return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers={"Retry-After": "1"})
    if failure == "reset":
        if isinstance(request.transport, asyncio.Transport):
            request.transport.abort()
        return web.Response(status=500)
    return web.Response(status=int(failure), text="<html><body>upstream failure</body></html>", content_type="text/html")
