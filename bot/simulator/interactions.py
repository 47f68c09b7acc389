"""Commands, buttons, shortcuts and modals: what people do, sent to the app, and what the app answers."""

import json
from collections.abc import Callable

from bot.simulator import blocks, composer, inputs
from bot.simulator.channel import Channel
from bot.simulator.delivery import Kind, Transport, Unanswered
from bot.simulator.errors import Json, SlackError
from bot.simulator.response_urls import ResponseUrls
from bot.simulator.views import Views
from bot.simulator.workspace import Bot, User, Workspace

_MENUS_KEPT = 100  # of those with an external source: the options that were offered in them can be chosen
_CHANNEL_NAMES = {"im": "directmessage", "group": "privategroup"}


class Interactions:
    """Sends what people do to one app and applies the app's answers. Each method returns whether the app acknowledged in time."""

    def __init__(
        self,
        workspace: Workspace,
        bot: Bot,
        views: Views,
        response_urls: ResponseUrls,
        transport: Transport,
        manifest: Json,
        tell: Callable[[str, Json], None],
    ) -> None:
        self._workspace = workspace
        self._bot = bot
        self._views = views
        self._response_urls = response_urls
        self._transport = transport
        self._tell = tell
        self.commands: dict[str, Json] = {one["command"]: one for one in manifest["features"].get("slash_commands", ())}
        self.shortcuts: dict[str, Json] = {
            one["callback_id"]: one for one in manifest["features"].get("shortcuts", ()) if one["type"] == "message"
        }
        self._message_states: dict[tuple[str, str, str], Json] = {}
        # For each place with a menu of the app's own search: what the app offered there, by value.
        self._suggested: dict[tuple[str, ...], dict[str, Json]] = {}

    async def command(self, user: User, channel: Channel, command: str, text: str) -> bool:
        """Send a slash command; show what the app answers in its acknowledgement."""
        known = self.commands.get(command)
        if known is None:
            raise SlackError("unknown_command")
        workspace = self._workspace
        written = (
            composer.compose(text, workspace.user_ids, workspace.channel_ids)
            if known.get("should_escape")
            else composer.escape(text)
        )
        payload: Json = {
            "token": "simulator-verification-token", "team_id": workspace.team_id, "team_domain": workspace.domain,
            "channel_id": channel.id, "channel_name": _CHANNEL_NAMES.get(channel.kind, channel.name),
            "user_id": user.id, "user_name": user.name, "command": command, "text": written.strip(),
            "api_app_id": self._bot.app_id, "is_enterprise_install": "false",
            "response_url": self._response_urls.new("commands", channel, user), "trigger_id": self._views.new_trigger(user.id),
        }  # fmt: skip
        answer = await self._ask("slash_commands", payload, user, f"«{command}»")
        if answer and (answer.get("text") or answer.get("blocks")):
            self._response_urls.show(channel, user, answer)
        return answer is not None

    async def press(self, user: User, channel: Channel, ts: str, action_id: str, block_id: str | None, chosen: Json) -> bool:
        """Press a button, or use another element, of a message."""
        workspace = self._workspace
        ephemeral = workspace.ephemerals.get((channel.id, user.id), {}).get(ts)
        message = ephemeral or channel.message(ts)
        block, element = inputs.find(message.get("blocks", []), action_id, block_id)
        element = self._with_options(element, (user.id, channel.id, ts, block["block_id"], action_id))
        action = self._action(block, element, chosen)
        values = self._message_states.setdefault((channel.id, ts, user.id), inputs.initial_values(message["blocks"]))
        inputs.note(values, block, element, action)
        container: Json = {"type": "message", "message_ts": ts, "channel_id": channel.id, "is_ephemeral": ephemeral is not None}
        if "thread_ts" in message:
            container["thread_ts"] = message["thread_ts"]
        payload = self._interaction("block_actions", user) | {
            "container": container,
            "channel": self._channel(channel),
            "state": {"values": values},
            "response_url": self._response_urls.new("actions", channel, user, ts),
            "actions": [action],
        }
        if ephemeral is None:  # Slack never sends an ephemeral message back
            payload["message"] = message
        return await self._ask("interactive", payload, user, "el botón") is not None

    async def press_in_view(
        self, user: User, view_id: str, action_id: str, block_id: str | None, chosen: Json, given: Json
    ) -> bool:
        """Press a button, or use another element, of a modal or a Home tab; `given` holds the values of its other elements."""
        view = self._views.get(user.id, view_id)
        block, element = inputs.find(view["blocks"], action_id, block_id)
        element = self._with_options(element, (user.id, view_id, block["block_id"], action_id))
        action = self._action(block, element, chosen)
        values = inputs.filled(view, given)
        inputs.note(values, block, element, action)
        view = self._views.set_state(view_id, values)
        modal = view_id if view["type"] == "modal" else None
        payload = self._interaction("block_actions", user, modal) | {
            "container": {"type": "view", "view_id": view_id}, "view": view, "actions": [action],
        }  # fmt: skip
        return await self._ask("interactive", payload, user, "el botón") is not None

    async def suggest(
        self, user: User, where: str | tuple[Channel, str], action_id: str, block_id: str | None, typed: str
    ) -> list[Json] | None:
        """Ask the app for the options that match what the person typed in a menu with an external source.

        `where` is a view's id, or a channel and a message's ts. None where the app did not answer, or with what Slack does
        not show: the person is told.
        """
        place: Json
        key: tuple[str, ...]
        if isinstance(where, str):
            view = self._views.get(user.id, where)
            shown, key = view["blocks"], (user.id, where)
            place = {"container": {"type": "view", "view_id": where}, "view": view}
        else:
            channel, ts = where
            ephemeral = self._workspace.ephemerals.get((channel.id, user.id), {}).get(ts)
            message = ephemeral or channel.message(ts)
            shown, key = message.get("blocks", []), (user.id, channel.id, ts)
            container = {"type": "message", "message_ts": ts, "channel_id": channel.id, "is_ephemeral": ephemeral is not None}
            place = {"container": container, "channel": self._channel(channel)} | ({} if ephemeral else {"message": message})
        block, element = inputs.find(shown, action_id, block_id)
        if not element["type"].endswith("external_select"):
            raise SlackError("unsupported_element")
        # Unlike every other interaction it has no trigger: nothing can be opened because somebody types.
        payload = self._interaction("block_suggestion", user) | place
        del payload["trigger_id"]
        payload |= {"action_id": action_id, "block_id": block["block_id"], "value": typed}
        answer = await self._ask("interactive", payload, user, "la búsqueda")
        if answer is None:
            return None
        try:
            offered = blocks.check_options(answer)
        except SlackError as error:
            detail = json.dumps(error.reply, ensure_ascii=False)
            self._tell(user.id, {"type": "notice", "level": "error", "text": f"La lista no se pudo cargar: {detail}"})
            return None
        known = self._suggested.setdefault((*key, block["block_id"], action_id), {})
        known.update({option["value"]: option for option in offered})
        while len(self._suggested) > _MENUS_KEPT:
            del self._suggested[next(iter(self._suggested))]
        return offered

    async def shortcut(self, user: User, channel: Channel, ts: str, callback_id: str) -> bool:
        """Send a message shortcut, chosen in the channel or in a thread."""
        if callback_id not in self.shortcuts:
            raise SlackError("unknown_shortcut")
        payload = self._interaction("message_action", user) | {
            "action_ts": self._workspace.next_ts(),
            "callback_id": callback_id,
            "channel": self._channel(channel),
            "message_ts": ts,
            "message": channel.message(ts),
            "response_url": self._response_urls.new("app", channel, user),
        }
        return await self._ask("interactive", payload, user, f"«{self.shortcuts[callback_id]['name']}»") is not None

    async def submit(self, user: User, view_id: str, given: Json) -> bool:
        """Submit a modal with the values given; fields that are missing keep their initial values."""
        view = self._views.get(user.id, view_id)
        values = inputs.filled(view, given)
        errors = inputs.unfilled(view["blocks"], values)
        if errors:
            self._tell(user.id, {"type": "view_errors", "view_id": view_id, "errors": errors})
            raise SlackError("missing_fields", errors=errors)
        view = self._views.set_state(view_id, values)
        payload = self._interaction("view_submission", user, view_id) | {"view": view, "response_urls": []}
        answer = await self._ask("interactive", payload, user, "el formulario")
        if answer is None:
            return False
        try:
            self._apply(user, view, answer)
        except SlackError as error:
            # As in Slack: an answer that it cannot use leaves the modal open and shows a notice.
            detail = json.dumps(error.reply, ensure_ascii=False)
            self._tell(user.id, {"type": "notice", "level": "error", "text": f"Algo falló al responder el formulario: {detail}"})
        return True

    async def close(self, user: User, view_id: str) -> bool:
        """Close a modal; tell the app if it asked for that."""
        view = self._views.get(user.id, view_id)
        self._views.close(user.id, view_id)
        if not view.get("notify_on_close"):
            return True
        payload = self._interaction("view_closed", user) | {"view": view, "is_cleared": False}
        return await self._ask("interactive", payload, user, "el formulario") is not None

    def _apply(self, user: User, view: Json, answer: Json) -> None:
        kind = answer.get("response_action")
        if kind == "errors":
            inputs = {block["block_id"] for block in view["blocks"] if block["type"] == "input"}
            errors = answer.get("errors") or {}
            if not errors or not errors.keys() <= inputs:
                raise SlackError("invalid_arguments", errors=errors)
            self._tell(user.id, {"type": "view_errors", "view_id": view["id"], "errors": errors})
        elif kind == "update":
            self._views.replace(view["id"], blocks.check_view(answer.get("view"), "modal"))
        elif kind == "push":
            self._views.push_onto(user.id, blocks.check_view(answer.get("view"), "modal"))
        elif kind == "clear" or view.get("clear_on_close"):
            self._views.close_all(user.id)
        else:
            self._views.close(user.id, view["id"])

    async def _ask(self, kind: Kind, payload: Json, user: User, what: str) -> Json | None:
        try:
            return await self._transport.ask(kind, payload)
        except Unanswered as error:
            reason = "no respondió a tiempo" if error.code == "operation_timeout" else "no está conectada"
            text = f"{what} falló: {self._bot.app_name} {reason} ({error.code})."
            self._tell(user.id, {"type": "notice", "level": "error", "text": text[0].upper() + text[1:]})
            return None

    def _with_options(self, element: Json, key: tuple[str, ...]) -> Json:
        """Return a menu of an external source with what was offered in it; any other element as it is."""
        if not element["type"].endswith("external_select"):
            return element
        initial = [*element.get("initial_options", ()), *([element["initial_option"]] if "initial_option" in element else ())]
        return element | {"options": [*initial, *self._suggested.get(key, {}).values()]}

    def _interaction(self, kind: str, user: User, view_id: str | None = None) -> Json:
        workspace = self._workspace
        return {
            "type": kind,
            "user": {"id": user.id, "username": user.name, "name": user.name, "team_id": workspace.team_id},
            "api_app_id": self._bot.app_id,
            "token": "simulator-verification-token",
            "trigger_id": self._views.new_trigger(user.id, view_id),
            "team": {"id": workspace.team_id, "domain": workspace.domain},
            "enterprise": None,
            "is_enterprise_install": False,
        }

    def _channel(self, channel: Channel) -> Json:
        return {"id": channel.id, "name": _CHANNEL_NAMES.get(channel.kind, channel.name)}

    def _action(self, block: Json, element: Json, chosen: Json) -> Json:
        kind = element["type"]
        action: Json = {"action_id": element["action_id"], "block_id": block["block_id"], "type": kind}
        action["action_ts"] = self._workspace.next_ts()
        if kind == "button":
            return action | {name: element[name] for name in ("text", "value", "style", "url") if name in element}
        if kind == "icon_button":
            return action | {name: element[name] for name in ("icon", "text", "value") if name in element}
        if kind == "feedback_buttons":
            return action | inputs.thumb(element, chosen)
        if "placeholder" in element:
            action["placeholder"] = element["placeholder"]
        return action | inputs.choice(element, chosen)
