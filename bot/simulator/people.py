"""The person API, with which the page, the demo, tests and benchmarks act as a person."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable

from aiohttp import web

from bot.simulator.app import App
from bot.simulator.channel import Channel
from bot.simulator.errors import Json, SlackError
from bot.simulator.screens import Screens
from bot.simulator.workspace import User, Workspace

_COMMAND = re.compile(r"/(?P<name>[\w-]+)(?:\s+(?P<text>.*))?", re.DOTALL)
_SENTENCES = {
    "action_not_found": "Ese botón ya no existe.",
    "already_archived": "Este canal ya está archivado.",
    "already_in_channel": "Ya es miembro de este canal.",
    "already_reacted": "Ya reaccionaste con ese emoji.",
    "cant_delete_message": "Solo puedes eliminar tus propios mensajes.",
    "cant_update_message": "Solo puedes editar tus propios mensajes.",
    "channel_not_found": "No existe ese canal, o no puedes verlo.",
    "command_in_thread": "Los comandos no funcionan dentro de un hilo.",
    "function_execution_not_found": "Ese paso no se ejecutó.",
    "function_not_found": "Ninguna app tiene ese paso.",
    "invalid_arguments": "Falta algo en la petición.",
    "invalid_name": "Ese emoji no existe.",
    "is_archived": "Este canal está archivado.",
    "message_not_found": "Ese mensaje ya no existe.",
    "method_not_supported_for_channel_type": "Eso no se puede hacer en un mensaje directo.",
    "missing_fields": "Completa los campos marcados.",
    "msg_too_long": "El mensaje es demasiado largo.",
    "no_reaction": "No habías reaccionado con ese emoji.",
    "name_taken": "Ya hay un canal con ese nombre.",
    "invalid_name_specials": "El nombre de un canal lleva minúsculas, números, guiones y nada más, hasta 80.",
    "no_text": "Escribe algo antes de enviar.",
    "not_enough_users": "Un mensaje directo de grupo es de tres personas o más.",
    "not_archived": "Este canal no está archivado.",
    "not_in_channel": "Solo los miembros del canal pueden hacer eso.",
    "parameter_validation_failed": "Al paso le falta un dato, o le sobra.",
    "thread_not_found": "Ese hilo ya no existe.",
    "too_many_reactions": "Ya pusiste todas las reacciones que caben en un mensaje.",
    "unknown_command": "Ese comando no existe.",
    "unknown_option": "Esa opción ya no existe.",
    "unknown_shortcut": "Ese atajo no existe.",
    "too_many_users": "Un mensaje directo de grupo es de nueve personas como mucho.",
    "unknown_verb": "El simulador no conoce esa acción.",
    "user_not_found": "No existe esa persona.",
    "view_not_found": "Esa ventana ya no está abierta.",
}

Verb = Callable[[User, Json], Awaitable[Json]]


class People:
    """The endpoints under `/person/`."""

    def __init__(self, workspace: Workspace, screens: Screens, apps: list[App]) -> None:
        self._workspace = workspace
        self._screens = screens
        self._apps = apps
        self._verbs: dict[str, Verb] = {
            "message": self._message, "edit": self._edit, "delete": self._delete, "react": self._react, "unreact": self._unreact,
            "command": self._command, "action": self._action, "shortcut": self._shortcut, "view_submit": self._view_submit,
            "view_close": self._view_close, "open_dm": self._open_dm, "invite": self._invite, "kick": self._kick,
            "home": self._home, "archive": self._archive, "unarchive": self._unarchive, "rename": self._rename,
            "suggest": self._suggest, "open_group_dm": self._open_group_dm, "run_step": self._run_step, "step": self._step,
        }  # fmt: skip

    # --- HTTP ---

    async def act(self, request: web.Request) -> web.StreamResponse:
        """Answer POST /person/VERB."""
        try:
            body = await _body(request)
            verb = self._verbs.get(request.match_info["verb"])
            if verb is None:
                raise SlackError("unknown_verb")
            return web.json_response({"ok": True, **await verb(self._person(body), body)})
        except SlackError as error:
            return _refuse(error)

    async def state(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /person/state: the team, the people and the channels that this person may see."""
        try:
            me = self._person(dict(request.query))
        except SlackError as error:
            return _refuse(error)
        workspace = self._workspace
        app_ids = {app.user.id: app.bot.app_id for app in self._apps}
        users = [
            {
                "id": one.id, "name": one.name, "real_name": one.real_name, "is_bot": one.is_bot, "is_admin": one.is_admin,
                "is_restricted": one.is_restricted, "color": one.color, "app_id": app_ids.get(one.id),
            }
            for one in workspace.users.values()
        ]  # fmt: skip
        channels = [self._describe(me, one) for one in workspace.channels.values() if workspace.can_see(me, one)]
        team = {"id": workspace.team_id, "name": workspace.team_name, "domain": workspace.domain}
        commands = {name: one for app in self._apps for name, one in app.interactions.commands.items()}
        shortcuts = [{**one, "app_id": app.bot.app_id} for app in self._apps for one in app.interactions.shortcuts.values()]
        steps = [
            {"callback_id": name, "app_id": app.bot.app_id, **{key: one.get(key, {}) for key in ("title", "input_parameters")}}
            for app in self._apps
            for name, one in app.functions.by_callback_id.items()
        ]
        state = {
            "ok": True, "team": team, "me": me.id, "users": users, "channels": channels, "commands": list(commands.values()),
            "shortcuts": shortcuts, "steps": steps,
        }  # fmt: skip
        return web.json_response(state)

    async def messages(self, request: web.Request) -> web.StreamResponse:
        """Answer GET /person/messages: a channel's messages, or a thread's, with those that only this person sees."""
        try:
            query = dict(request.query)
            me = self._person(query)
            channel = self._seen_channel(me, query)
            thread_ts = query.get("thread_ts")
            workspace = self._workspace
            found = channel.thread(thread_ts) if thread_ts else [channel.messages[ts] for ts in channel.roots]
            own = workspace.ephemerals.get((channel.id, me.id), {}).values()
            found = [*found, *(one for one in own if one.get("thread_ts") == thread_ts)]
            return web.json_response({"ok": True, "messages": sorted(found, key=lambda one: str(one["ts"]))})
        except SlackError as error:
            return _refuse(error)

    async def socket(self, request: web.Request) -> web.StreamResponse:
        """Serve the websocket /person/socket: one JSON object for each change that this person may see."""
        try:
            me = self._person(dict(request.query))
        except SlackError as error:
            return _refuse(error)
        shown = [{"type": "view", "view": view} for app in self._apps for view in app.views.shown(me.id)]
        return await self._screens.serve(request, me, shown)

    # --- verbs ---

    async def _message(self, user: User, body: Json) -> Json:
        channel = self._member_channel(user, body)
        text = _text(body, "text")
        thread_ts = body.get("thread_ts") or None
        command = _COMMAND.fullmatch(text.strip()) if text.startswith("/") else None
        if command is None:
            return {"ts": self._workspace.post_as_person(user, channel, text, thread_ts)["ts"]}
        if thread_ts:
            raise SlackError("command_in_thread")
        return await self._run(user, channel, "/" + command["name"], command["text"] or "")

    async def _command(self, user: User, body: Json) -> Json:
        return await self._run(user, self._member_channel(user, body), _text(body, "command"), str(body.get("text") or ""))

    async def _run(self, user: User, channel: Channel, command: str, text: str) -> Json:
        if command in ("/invite", "/remove", "/kick"):
            for name in text.split() or [""]:
                member = self._workspace.user(name.removeprefix("@"))
                if command == "/invite":
                    self._workspace.join(channel, member, inviter=user.id)
                else:
                    self._workspace.leave(channel, member, by=user.id)
            return {}
        for app in reversed(self._apps):  # if two apps have the same command, the last installed gets it, as in Slack
            if command in app.interactions.commands:
                return {"acknowledged": await app.interactions.command(user, channel, command, text)}
        raise SlackError("unknown_command")

    async def _edit(self, user: User, body: Json) -> Json:
        channel = self._member_channel(user, body)
        return {"ts": self._workspace.edit_as_person(user, channel, _text(body, "ts"), _text(body, "text"))["ts"]}

    async def _delete(self, user: User, body: Json) -> Json:
        channel = self._member_channel(user, body)
        ts = _text(body, "ts")
        own = self._workspace.ephemerals.get((channel.id, user.id), {})
        if ts in own:
            self._workspace.replace_ephemeral(channel, user, ts, None)
            return {}
        if channel.message(ts)["user"] != user.id and not user.is_admin:
            raise SlackError("cant_delete_message")
        self._workspace.delete(channel, ts, user.id)
        return {}

    async def _react(self, user: User, body: Json) -> Json:
        self._workspace.react(self._member_channel(user, body), _text(body, "ts"), user.id, _text(body, "name").strip(":"))
        return {}

    async def _unreact(self, user: User, body: Json) -> Json:
        self._workspace.unreact(self._member_channel(user, body), _text(body, "ts"), user.id, _text(body, "name").strip(":"))
        return {}

    async def _action(self, user: User, body: Json) -> Json:
        action_id, block_id = _text(body, "action_id"), body.get("block_id") or None
        if body.get("view_id"):
            view_id = _text(body, "view_id")
            app = self._app_of_view(user, view_id)
            return {"acknowledged": await app.interactions.press_in_view(user, view_id, action_id, block_id, body, _values(body))}
        channel, ts = self._seen_channel(user, body), _text(body, "ts")
        interactions = self._app_of_message(user, channel, ts).interactions
        return {"acknowledged": await interactions.press(user, channel, ts, action_id, block_id, body)}

    async def _suggest(self, user: User, body: Json) -> Json:
        action_id, block_id, typed = _text(body, "action_id"), body.get("block_id") or None, str(body.get("typed") or "")
        if body.get("view_id"):
            view_id = _text(body, "view_id")
            found = await self._app_of_view(user, view_id).interactions.suggest(user, view_id, action_id, block_id, typed)
        else:
            channel, ts = self._seen_channel(user, body), _text(body, "ts")
            interactions = self._app_of_message(user, channel, ts).interactions
            found = await interactions.suggest(user, (channel, ts), action_id, block_id, typed)
        return {"acknowledged": found is not None, "options": found or []}

    async def _shortcut(self, user: User, body: Json) -> Json:
        channel = self._seen_channel(user, body)
        ts, callback_id = _text(body, "ts"), _text(body, "callback_id")
        for app in self._apps:  # two apps may have the same callback_id; `app` says which is meant
            if callback_id in app.interactions.shortcuts and body.get("app") in (None, app.bot.app_id):
                return {"acknowledged": await app.interactions.shortcut(user, channel, ts, callback_id)}
        raise SlackError("unknown_shortcut")

    async def _view_submit(self, user: User, body: Json) -> Json:
        view_id = _text(body, "view_id")
        return {"acknowledged": await self._app_of_view(user, view_id).interactions.submit(user, view_id, _values(body))}

    async def _view_close(self, user: User, body: Json) -> Json:
        view_id = _text(body, "view_id")
        return {"acknowledged": await self._app_of_view(user, view_id).interactions.close(user, view_id)}

    async def _open_dm(self, user: User, body: Json) -> Json:
        other = self._workspace.user(_text(body, "other"))
        channel = self._workspace.direct_channel(user, other)
        if other.is_bot:
            self._announce_home(self._app_of_bot(other), user, channel, "messages", None)
        return {"channel": channel.id}

    async def _open_group_dm(self, user: User, body: Json) -> Json:
        others = body.get("others")
        if not isinstance(others, list) or not all(isinstance(one, str) for one in others):
            raise SlackError("invalid_arguments")
        return {"channel": self._workspace.group_channel([user, *map(self._workspace.user, others)]).id}

    async def _invite(self, user: User, body: Json) -> Json:
        member = self._workspace.user(_text(body, "member"))
        channel = self._seen_channel(user, body)
        if member.id != user.id and user.id not in channel.members:
            raise SlackError("not_in_channel")
        self._workspace.join(channel, member, inviter="" if member.id == user.id else user.id)
        return {}

    async def _kick(self, user: User, body: Json) -> Json:
        channel = self._member_channel(user, body)
        self._workspace.leave(channel, self._workspace.user(_text(body, "member")), by=user.id)
        return {}

    async def _archive(self, user: User, body: Json) -> Json:
        self._workspace.archive(self._member_channel(user, body), user)
        return {}

    async def _unarchive(self, user: User, body: Json) -> Json:
        self._workspace.unarchive(self._member_channel(user, body), user)
        return {}

    async def _rename(self, user: User, body: Json) -> Json:
        self._workspace.rename(self._member_channel(user, body), user, _text(body, "name"))
        return {}

    async def _home(self, user: User, body: Json) -> Json:
        app = self._app_of_bot(self._workspace.user(_text(body, "app"))) if body.get("app") else self._apps[0]
        view = app.views.home(user.id)
        if view is not None:
            self._screens.tell(user.id, {"type": "home", "view": view})
        channel = self._workspace.direct_channel(user, app.user)
        self._announce_home(app, user, channel, "home", view)
        return {"view": view}

    async def _run_step(self, _user: User, body: Json) -> Json:
        callback_id, inputs = _text(body, "callback_id"), body.get("inputs") or {}
        if not isinstance(inputs, dict):
            raise SlackError("invalid_arguments")
        for app in self._apps:
            if callback_id in app.functions.by_callback_id and body.get("app") in (None, app.bot.app_id):
                return {"execution": app.run_step(callback_id, inputs)}
        raise SlackError("function_not_found")

    async def _step(self, _user: User, body: Json) -> Json:
        wanted, timeout_s = _text(body, "execution"), body.get("timeout_s")
        for app in self._apps:
            if wanted in app.functions.executions:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(app.functions.ended[wanted].wait(), float(timeout_s or 0))
                known = app.functions.executions[wanted]
                return {name: known[name] for name in ("status", "outputs", "error") if name in known}
        raise SlackError("function_execution_not_found")

    def _announce_home(self, app: App, user: User, channel: Channel, tab: str, view: Json | None) -> None:
        for payload in app.events.home_opened(user.id, channel, tab, view):
            app.transport.send_event(payload)

    # --- which app ---

    def _app_of_bot(self, bot: User) -> App:
        for app in self._apps:
            if app.user.id == bot.id:
                return app
        raise SlackError("user_not_found")

    def _app_of_message(self, user: User, channel: Channel, ts: str) -> App:
        message = self._workspace.ephemerals.get((channel.id, user.id), {}).get(ts) or channel.message(ts)
        for app in self._apps:
            if app.bot.app_id == message.get("app_id"):
                return app
        raise SlackError("action_not_found")

    def _app_of_view(self, user: User, view_id: str) -> App:
        for app in self._apps:
            if app.views.has(user.id, view_id):
                return app
        raise SlackError("view_not_found")

    # --- reading the request ---

    def _person(self, body: Json) -> User:
        user = self._workspace.user(_text(body, "user"))
        if user.is_bot:
            raise SlackError("user_not_found")
        return user

    def _seen_channel(self, user: User, body: Json) -> Channel:
        channel = self._workspace.channel(_text(body, "channel"))
        if not self._workspace.can_see(user, channel):
            raise SlackError("channel_not_found")
        return channel

    def _member_channel(self, user: User, body: Json) -> Channel:
        channel = self._seen_channel(user, body)
        if user.id not in channel.members:
            raise SlackError("not_in_channel")
        return channel

    def _describe(self, me: User, channel: Channel) -> Json:
        described: Json = {
            "id": channel.id, "name": channel.name, "is_private": channel.kind != "channel", "is_im": channel.kind == "im",
            "is_mpim": channel.kind == "mpim",
            "is_archived": channel.is_archived, "members": list(channel.members),
        }  # fmt: skip
        for app in self._apps:
            shown = app.assistant.shown(channel)
            described.setdefault("statuses", []).extend(
                {"user": app.user.id, "thread_ts": ts, "status": words} for ts, words in shown["statuses"].items()
            )
            described |= {"prompts": shown["prompts"]} if "prompts" in shown else {}
            described.setdefault("canvases", []).extend(app.canvases.shown(channel))
        if channel.kind == "im":
            described["user"] = next((one for one in channel.members if one != me.id), me.id)
            described["name"] = self._workspace.users[described["user"]].name
        if channel.kind == "mpim":
            described["name"] = ", ".join(self._workspace.users[one].name for one in channel.members if one != me.id)
        return described


async def _body(request: web.Request) -> Json:
    try:
        body = await request.json()
    except ValueError:
        raise SlackError("invalid_arguments") from None
    if not isinstance(body, dict):
        raise SlackError("invalid_arguments")
    return body


def _text(body: Json, name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise SlackError("invalid_arguments")
    return value


def _values(body: Json) -> Json:
    """Return {block_id: {action_id: {...}}}, empty when it is missing."""
    values = body.get("values") or {}
    if not isinstance(values, dict) or not all(isinstance(one, dict) for one in values.values()):
        raise SlackError("invalid_arguments")
    return values


def _refuse(error: SlackError) -> web.Response:
    sentence = _SENTENCES.get(error.code, f"Slack respondió «{error.code}».")
    return web.json_response({**error.reply, "message": sentence}, status=400)
