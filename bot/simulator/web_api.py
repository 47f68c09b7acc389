"""The Web API: each method with its scopes, its tier and its replies."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from aiohttp import web

from bot.simulator import arguments
from bot.simulator.arguments import Arguments, page
from bot.simulator.blocks import check_message
from bot.simulator.chat_methods import ChatMethods
from bot.simulator.clock import Clock
from bot.simulator.conversation_methods import ConversationMethods
from bot.simulator.errors import Json, SlackError, invalid_arguments
from bot.simulator.faults import Faults, Trouble
from bot.simulator.installation import Installation, Method
from bot.simulator.rate_limits import RateLimited, RateLimits
from bot.simulator.uploads import Uploads
from bot.simulator.views import Views
from bot.simulator.wire import Wire
from bot.simulator.workspace import User

ALT_TEXT_CHARACTERS = 1_000
SNIPPET_BYTES = 1_000_000


class Call(NamedTuple):
    """One call that was answered; `error` is "" when it succeeded."""

    method: str
    arguments: Json
    error: str


class WebApi:
    """Answers `/api/METHOD`."""

    def __init__(
        self,
        app: Installation,
        views: Views,
        uploads: Uploads,
        faults: Faults,
        *,
        bot_token: str,
        app_token: str,
        base: Callable[[], str],
        open_socket: Callable[[], str] | None,
        limits: RateLimits | None,
        clock: Clock,
        wire: Wire,
    ) -> None:
        self.transcript: deque[Call] = deque(maxlen=10_000)
        self._app = app
        self._views = views
        self._uploads = uploads
        self._faults = faults
        self._bot_token = bot_token
        self._app_token = app_token
        self._base = base
        self._open_socket = open_socket
        self._limits = limits
        self._clock = clock
        self._wire = wire
        # Scopes, tiers and JSON support here and in the other tables are those of Slack's reference of each method.
        self.methods: dict[str, Method] = {
            "api.test": Method(lambda args: {"args": args.values} if args.values else {}, tier=4),
            "apps.connections.open": Method(self._apps_connections_open, app_token=True),
            "auth.test": Method(self._auth_test, tier=5),
            "bots.info": Method(self._bots_info, "users:read", takes_json=False),
            "files.completeUploadExternal": Method(self._files_complete, "files:write", tier=4),
            "files.getUploadURLExternal": Method(self._files_get_upload_url, "files:write", tier=4, takes_json=False),
            "files.info": Method(self._files_info, "files:read", tier=4, takes_json=False),
            "team.info": Method(self._team_info, "team:read"),
            "usergroups.users.list": Method(self._usergroups_users_list, "usergroups:read", tier=2, takes_json=False),
            "users.info": Method(self._users_info, "users:read", tier=4, takes_json=False),
            "users.list": Method(self._users_list, "users:read", tier=2, takes_json=False),
            "views.open": Method(self._views_open, tier=4),
            "views.publish": Method(self._views_publish, tier=4),
            "views.push": Method(self._views_push, tier=4),
            "views.update": Method(self._views_update, tier=4),
            **ChatMethods(app, self._limits, base).methods,
            **ConversationMethods(app, faults, limits or RateLimits(clock.unix)).methods,
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Slack's answer to one call."""
        name = request.match_info["method"]
        trouble = self._faults.take_trouble(name)
        transfer = self._wire.begin("call", name, {})
        if trouble.delay_s:
            await self._clock.sleep(trouble.delay_s)
        if trouble.failure is not None:
            self._wire.settle(transfer, str(trouble.failure))
            return _fail(request, trouble)
        headers: dict[str, str] = {}
        values: Json = {}
        status = 200
        try:
            method = self.methods.get(name)
            args = await arguments.read(request, takes_json=method is None or method.takes_json)
            transfer.request = values = args.values
            self._authorise(args.token, method)
            if method is None:
                raise SlackError("unknown_method", req_method=name)
            headers = self._scope_headers(method)
            if method.scope:
                self._app.need(method.scope)
            if self._limits is not None:
                self._limits.call(name, method.tier)
            reply: Json = {"ok": True, **method.run(args)}
        except RateLimited as error:
            reply, status = error.reply, 429
            headers["Retry-After"] = str(error.retry_after_s)
        except SlackError as error:
            reply = error.reply
        self.transcript.append(Call(name, values, reply.get("error", "")))
        self._wire.settle(transfer, reply.get("error", "ok"), reply)
        return web.json_response(reply, status=status, headers=headers)

    # --- who calls, and whether they may ---

    def _authorise(self, token: str, method: Method | None) -> None:
        if not token:
            raise SlackError("not_authed")
        if token not in (self._bot_token, self._app_token):
            raise SlackError("invalid_auth")
        if method is not None and (token == self._app_token) != method.app_token:
            raise SlackError("not_allowed_token_type")
        if self._app.revoked and token == self._bot_token:
            raise SlackError("token_revoked")

    def _scope_headers(self, method: Method) -> dict[str, str]:
        if method.app_token:
            return {"x-oauth-scopes": "connections:write", "x-accepted-oauth-scopes": "connections:write"}
        return {"x-oauth-scopes": ",".join(self._app.scopes)} | (
            {"x-accepted-oauth-scopes": method.scope} if method.scope else {}
        )

    # --- app, team, users ---

    def _apps_connections_open(self, args: Arguments) -> Json:
        if args.http_method != "POST":
            raise SlackError("insecure_request")
        if self._open_socket is None:
            raise SlackError("forbidden_team")  # the app is set to HTTP
        return {"url": self._open_socket()}

    def _auth_test(self, _args: Arguments) -> Json:
        workspace = self._app.workspace
        return {
            "url": f"{self._base()}/", "team": workspace.team_name, "user": self._app.bot.name, "team_id": workspace.team_id,
            "user_id": workspace.bot_user_id, "bot_id": workspace.bot_id, "is_enterprise_install": False,
        }  # fmt: skip

    def _team_info(self, args: Arguments) -> Json:
        workspace = self._app.workspace
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
        workspace = self._app.workspace
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
        user = self._app.workspace.users.get(args.optional("user") or "")
        if user is None:
            raise SlackError("user_not_found")
        return {"user": self._user(user)}

    def _usergroups_users_list(self, args: Arguments) -> Json:
        members = self._app.workspace.user_groups.get(args.optional("usergroup") or "")
        if members is None:
            raise SlackError("no_such_subteam")
        return {"users": list(members)}

    def _users_list(self, args: Arguments) -> Json:
        users, cursor = page(args, sorted(self._app.workspace.users))
        members = [self._user(self._app.workspace.users[id_]) for id_ in users]
        return {"members": members, "cache_ts": self._app.workspace.started, "response_metadata": {"next_cursor": cursor}}

    def _user(self, user: User) -> Json:
        team = self._app.workspace.team_id
        first, _, last = user.real_name.partition(" ")
        profile: Json = {
            "real_name": user.real_name, "real_name_normalized": user.real_name, "display_name": user.name,
            "display_name_normalized": user.name, "first_name": first, "last_name": last, "title": "", "phone": "", "skype": "",
            "avatar_hash": "", "status_text": "", "status_emoji": "", "status_expiration": 0, "team": team,
        }  # fmt: skip
        if user.is_bot:
            profile |= {"bot_id": self._app.workspace.bot_id, "api_app_id": self._app.workspace.app_id, "always_active": True}
        return {
            "id": user.id, "team_id": team, "name": user.name, "deleted": False, "color": user.color, "real_name": user.real_name,
            "tz": "America/Guayaquil", "tz_label": "Ecuador Time", "tz_offset": -18000, "profile": profile,
            "is_admin": user.is_admin, "is_owner": user.is_admin, "is_primary_owner": user.is_admin,
            "is_restricted": user.is_restricted,
            "is_ultra_restricted": False, "is_bot": user.is_bot, "is_app_user": False, "updated": self._app.workspace.started,
            "is_email_confirmed": not user.is_bot, "who_can_share_contact_card": "EVERYONE",
        }  # fmt: skip

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
        alt_text = args.optional("alt_txt") or ""
        if len(alt_text) > ALT_TEXT_CHARACTERS:
            raise SlackError("alt_txt_too_large")
        if args.optional("snippet_type") and int(length) > SNIPPET_BYTES:
            raise SlackError("snippet_too_large")
        return self._uploads.new(args.required("filename"), int(length), alt_text)

    def _files_complete(self, args: Arguments) -> Json:
        several = (args.optional("channels") or "").split(",")
        if len(several) > 100:
            raise SlackError("channels_limit_exceeded")
        blocks_given = args.data("blocks", "invalid_blocks")
        shown = check_message(blocks_given) if blocks_given else None
        wanted = [one for one in (args.optional("channel_id"), *several) if one]
        channels = [self._app.own_channel(one) for one in wanted]  # before anything is shared
        uploads = self._uploads.complete(args.data("files", "invalid_arguments"))
        for upload in uploads:
            upload.channels.extend(one.id for one in channels)
        files = [self._uploads.file(upload) for upload in uploads]
        for channel in channels:
            message = self._app.workspace.post_as_bot(
                channel,
                args.optional("initial_comment") or "",
                blocks=shown,
                files=files,
                thread_ts=args.stamp("thread_ts", "invalid_thread_ts"),
            )
            share: Json = {"ts": message["ts"], "reply_users": [], "reply_users_count": 0, "reply_count": 0}
            if "thread_ts" in message:
                share["thread_ts"] = message["thread_ts"]
            for upload in uploads:
                upload.shares.setdefault("public" if channel.kind == "channel" else "private", {})[channel.id] = [share]
        return {"files": files}

    def _files_info(self, args: Arguments) -> Json:
        file = self._uploads.file(self._uploads.get(args.optional("file") or ""))
        return {"file": file, "comments": [], "response_metadata": {"next_cursor": ""}}


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


def _fail(request: web.Request, trouble: Trouble) -> web.StreamResponse:
    failure = trouble.failure
    if failure == "ratelimited":
        headers = {"Retry-After": str(trouble.retry_after_s)}
        return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)
    if failure == "reset":
        if isinstance(request.transport, asyncio.Transport):
            request.transport.abort()
        return web.Response(status=500)
    if isinstance(failure, str) and failure != "not_json":
        return web.json_response({"ok": False, "error": failure})
    status = failure if isinstance(failure, int) else 200
    return web.Response(status=status, text="<html><body>upstream failure</body></html>", content_type="text/html")
