"""Every method of the Web API for one app."""

from collections.abc import Callable

from bot.simulator.arguments import Arguments, page
from bot.simulator.blocks import check_message
from bot.simulator.chat_methods import ChatMethods
from bot.simulator.conversation_methods import ConversationMethods
from bot.simulator.errors import Json, SlackError, invalid_arguments
from bot.simulator.faults import Faults
from bot.simulator.installation import Installation, Method
from bot.simulator.rate_limits import RateLimits
from bot.simulator.uploads import Uploads
from bot.simulator.validation import validate
from bot.simulator.views import Views
from bot.simulator.workspace import User

ALT_TEXT_CHARACTERS = 1_000
SNIPPET_BYTES = 1_000_000


class Methods:
    """The table of methods. `open_socket` returns a new websocket's address; it is None where the app uses HTTP."""

    def __init__(
        self,
        app: Installation,
        views: Views,
        uploads: Uploads,
        faults: Faults,
        *,
        base: Callable[[], str],
        open_socket: Callable[[], str] | None,
        limits: RateLimits,
        limited: bool,
    ) -> None:
        self._app = app
        self._views = views
        self._uploads = uploads
        self._base = base
        self._open_socket = open_socket
        # Scopes, tiers and JSON support, here and in the other tables, come from Slack's reference of each method.
        self.by_name: dict[str, Method] = {
            "api.test": Method(lambda args: {"args": args.values} if args.values else {}, tier=4),
            "apps.connections.open": Method(self._apps_connections_open, app_token=True),
            "auth.test": Method(self._auth_test, tier=5),
            "blocks.validate": Method(validate, tier=4, token=False),
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
            **ChatMethods(app, limits if limited else None, base).methods,
            **ConversationMethods(app, faults, limits).methods,
        }

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
            "url": f"{self._base()}/", "team": workspace.team_name, "user": self._app.user.name, "team_id": workspace.team_id,
            "user_id": self._app.bot.user_id, "bot_id": self._app.bot.id, "is_enterprise_install": False,
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
        wanted = args.optional("bot")
        if wanted is None:
            return {}
        bot = workspace.bots.get(wanted)
        if bot is None:
            raise SlackError("bot_not_found")
        return {
            "bot": {
                "id": bot.id, "deleted": False, "name": bot.app_name, "updated": workspace.started,
                "app_id": bot.app_id, "user_id": bot.user_id, "icons": {},
            }
        }  # fmt: skip

    def _users_info(self, args: Arguments) -> Json:
        user = self._app.workspace.users.get(args.optional("user") or "")
        if user is None:
            raise SlackError("user_not_found")
        locale = {"locale": user.locale} if args.flag("include_locale") else {}
        return {"user": {**self._user(user), **locale}}

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
        for bot in self._app.workspace.bots.values():
            if bot.user_id == user.id:
                profile |= {"bot_id": bot.id, "api_app_id": bot.app_id, "always_active": True}
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
        return self._uploads.new(args.required("filename"), int(length), self._app.user.id, alt_text)

    def _files_complete(self, args: Arguments) -> Json:
        several = (args.optional("channels") or "").split(",")
        if len(several) > 100:
            raise SlackError("channels_limit_exceeded")
        blocks_given = args.data("blocks", "invalid_blocks")
        shown = check_message(blocks_given) if blocks_given else None
        wanted = [one for one in (args.optional("channel_id"), *several) if one]
        channels = [self._app.own_channel(one) for one in wanted]  # all channels are checked before anything is shared
        uploads = self._uploads.complete(args.data("files", "invalid_arguments"), self._app.user.id)
        for upload in uploads:
            upload.channels.extend(one.id for one in channels)
        files = [self._uploads.file(upload) for upload in uploads]
        for channel in channels:
            message = self._app.workspace.post_as_bot(
                channel,
                args.optional("initial_comment") or "",
                blocks=shown,
                files=files,
                thread_ts=args.timestamp("thread_ts", "invalid_thread_ts"),
                bot=self._app.bot,
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
