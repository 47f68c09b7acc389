"""How to cause each documented error of the Web API in the simulator, and a successful call of each method.

`python -m tests.simulator.conformance FOLDER` prints the table of bot/simulator/README.md. FOLDER holds Slack's reference, one
JSON file for each method (`methods/chat.postMessage.json`, with "scope", "args", "output", "errors" and "examples"); it is not
part of this repository.
"""

import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import aiohttp

from bot.simulator.arguments import Arguments
from bot.simulator.channel import Channel
from bot.simulator.errors import Json
from bot.simulator.rate_limits import PER_MINUTE
from bot.simulator.server import MANIFEST, Simulator, read_manifest

GENERAL, ANA, LUIS, BETO = "C0SIMUGENERAL", "U0SIMUANA", "U0SIMULUIS", "U0SIMUBETO"
# Granted where a method needs them; the shipped app asks for less.
MORE_SCOPES = ("channels:join", "files:read", "im:read", "mpim:write", "team:read")
NO_SUCH = "9000000000.000001"


class Slack:
    """A simulator in which the bot is a member of #general, and a raw client."""

    def __init__(self, *, without: tuple[str, ...] = (), home_tab: bool = True, messages_tab: bool = True) -> None:
        manifest = read_manifest(MANIFEST)
        scopes = manifest["oauth_config"]["scopes"]
        scopes["bot"] = [one for one in (*scopes["bot"], *MORE_SCOPES) if one not in without]
        manifest["features"]["app_home"] |= {"home_tab_enabled": home_tab, "messages_tab_enabled": messages_tab}
        self.scopes: list[str] = scopes["bot"]
        self.simulator = Simulator(manifest=manifest, rate_limits=False)
        self.workspace = self.simulator.workspace
        self.general: Channel = self.workspace.channels[GENERAL]
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> "Slack":
        await self.simulator.start()
        self._session = aiohttp.ClientSession(trust_env=False)
        self.workspace.join(self.general, self.workspace.users[BETO])
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()
        await self.simulator.stop()

    async def call(self, method: str, how: "How") -> Json:
        """Prepare what the call needs, send it, and return Slack's answer."""
        more = how.prepare(self) if how.prepare else {}
        if isinstance(more, Awaitable):
            more = await more
        return await self.send(method, {**how.arguments, **(more or {})}, token=how.token, http=how.http)

    async def send(self, method: str, arguments: Json, *, token: str | None = None, http: str = "POST") -> Json:
        """Send the call, form-encoded with JSON in the fields, and return Slack's answer."""
        assert self._session is not None
        fields = {
            name: value if isinstance(value, str) else json.dumps(value) for name, value in arguments.items() if value is not None
        }
        app = method == "apps.connections.open"
        given = (self.simulator.app_token if app else self.simulator.bot_token) if token is None else token
        sent: Any = {"headers": {"Authorization": f"Bearer {given}"} if given else {}}
        sent |= {"params": fields} if http == "GET" else {"data": fields}
        async with self._session.request(http, f"{self.simulator.url}/api/{method}", **sent) as response:
            answer: Json = await response.json()
        return answer

    # --- what calls need first ---

    def post(self, **fields: Any) -> str:
        """Post a message of the bot in #general and return its ts."""
        return str(self.workspace.post_as_bot(self.general, "hola", **fields)["ts"])

    def say(self) -> str:
        """Post a message of Ana in #general and return its ts."""
        return str(self.workspace.post_as_person(self.workspace.users[ANA], self.general, "hola")["ts"])

    def direct(self) -> str:
        """Open the direct messages of Ana with the bot and return their channel."""
        return self.workspace.direct_channel(self.workspace.users[ANA], self.workspace.users[BETO]).id

    def canvas(self) -> str:
        """Make a canvas in #general and return its id."""
        made = self.simulator.methods["canvases.create"].run(Arguments({"channel_id": GENERAL}, ""))
        return str(made["canvas_id"])

    def archive(self) -> None:
        """Archive #general."""
        self.workspace.archive(self.general, self.workspace.users[ANA])

    def trigger(self, **inside: str) -> str:
        """Return the trigger_id of something that Ana did."""
        return self.simulator.views.new_trigger(ANA, **inside)

    def modal(self, **fields: Any) -> Json:
        """Open a modal for Ana and return it."""
        return self.simulator.views.open(self.trigger(), MODAL | fields)

    async def upload(self) -> str:
        """Upload the bytes of a file without sharing it, and return its id."""
        assert self._session is not None
        ticket = await self.send("files.getUploadURLExternal", {"filename": "a.txt", "length": 1})
        async with self._session.post(ticket["upload_url"], data=b"a"):
            return str(ticket["file_id"])


Prepared = Json | None


class How(NamedTuple):
    """One call: its arguments, what to prepare (which may add arguments), and the app that makes it."""

    arguments: Mapping[str, Any] = MappingProxyType({})
    prepare: Callable[[Slack], Prepared | Awaitable[Prepared]] | None = None
    app: Mapping[str, Any] = MappingProxyType({})  # of Slack(): scopes that are withheld, tabs that are off
    token: str | None = None
    http: str = "POST"


MODAL: Json = {"type": "modal", "title": {"type": "plain_text", "text": "Hola"}, "blocks": [{"type": "divider"}]}
HOME: Json = {"type": "home", "blocks": [{"type": "divider"}]}
LARGE = {"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "a" * 250_000}}]}
LONG_BLOCKS = [{"type": "section", "text": {"type": "mrkdwn", "text": "a" * 2_900}} for _ in range(5)]
BLINK = [{"type": "blink"}]
CLOCKS = [f"clock{n}" for n in range(1, 13)] + [f"clock{n}30" for n in range(1, 13)]
BEASTS = [
    "aries", "taurus", "gemini", "cancer", "leo", "virgo", "libra", "scorpius", "sagittarius", "capricorn", "aquarius", "pisces",
    "dog",
    "cat", "mouse", "hamster", "rabbit", "bear", "panda_face", "koala", "tiger", "lion", "cow", "pig", "frog", "monkey",
]  # fmt: skip
HERE: Json = {"channel": GENERAL}
GUIDE: Json = {"type": "markdown", "markdown": "# Hola"}
LOST: Json = {"channel": "C404"}
OUTSIDE: Json = {"channel": "C0SIMURECLAMOS"}
EVENT = {"event_type": "e", "event_payload": {}}


def _react_as(slack: Slack, people: tuple[str, ...], names: list[str], each: int) -> Json:
    """Post a message, add `each` reactions of each of the people in turn, and return the arguments of the call."""
    ts = slack.post()
    for n, name in enumerate(names):
        slack.workspace.react(slack.general, ts, people[n // each], name)
    return {"timestamp": ts}


def _exchanged(slack: Slack) -> Json:
    trigger = slack.trigger()
    slack.simulator.views.open(trigger, MODAL)
    return {"trigger_id": trigger}


def _expired(slack: Slack) -> Json:
    trigger = slack.trigger()
    slack.simulator.clock.step(4)
    return {"trigger_id": trigger}


def _stack(slack: Slack, height: int) -> Json:
    """Open so many modals, one on top of the other, and return a trigger of the uppermost."""
    view = slack.modal()
    for _ in range(height - 1):
        view = slack.simulator.views.push(slack.trigger(view_id=view["id"]), MODAL)
    return {"trigger_id": slack.trigger(view_id=view["id"])}


def _duplicate(slack: Slack) -> Json:
    slack.modal(external_id="uno")
    return {"trigger_id": slack.trigger()}


def _two_views(slack: Slack) -> Json:
    slack.modal(external_id="uno")
    return {"view_id": slack.simulator.views.push(slack.trigger(view_id=slack.simulator.views.shown(ANA)[0]["id"]), MODAL)["id"]}


def _mine(slack: Slack) -> Json:
    return {"ts": slack.post()}


def _react_once(slack: Slack) -> Json:
    return _react_as(slack, (BETO,), ["x"], 1)


def _posted(slack: Slack) -> Json:
    return {"timestamp": slack.post()}


def _archived(slack: Slack) -> None:
    slack.archive()


def _archived_post(slack: Slack) -> Json:
    ts = slack.post()
    slack.archive()
    return {"ts": ts, "timestamp": ts}


async def _uploaded(slack: Slack) -> Json:
    return {"files": [{"id": await slack.upload()}]}


async def _shared(slack: Slack) -> Json:
    id_ = await slack.upload()
    await slack.send("files.completeUploadExternal", {"files": [{"id": id_}], "channel_id": GENERAL})
    return {"file": id_}


def _step(slack: Slack) -> Json:
    event = slack.simulator.apps[0].functions.execute("classify_text", {"text": "hola"})
    return {"function_execution_id": event["function_execution_id"]}


# A call of each method that succeeds and shows every field that the simulator serves.
GOOD: dict[str, How] = {
    "api.test": How({"foo": "bar"}),
    "blocks.validate": How({"blocks": [{"type": "divider"}]}),
    "apps.connections.open": How(),
    "assistant.threads.setStatus": How({"channel_id": GENERAL, "status": "lee…"}, lambda slack: {"thread_ts": slack.say()}),
    "assistant.threads.setSuggestedPrompts": How(
        {"prompts": [{"title": "Ayuda", "message": "ayuda"}]}, lambda slack: {"channel_id": slack.direct()}
    ),
    "auth.test": How(),
    "bots.info": How({"bot": "B0SIMUBETO"}),
    "canvases.create": How({"channel_id": GENERAL, "title": "Guía", "document_content": GUIDE}),
    "canvases.delete": How({}, lambda slack: {"canvas_id": slack.canvas()}),
    "canvases.edit": How(
        {"changes": [{"operation": "replace", "document_content": GUIDE}]}, lambda slack: {"canvas_id": slack.canvas()}
    ),
    "chat.delete": How(HERE, _mine),
    "chat.getPermalink": How(HERE, lambda slack: {"message_ts": slack.post()}),
    "chat.postEphemeral": How({**HERE, "user": ANA, "text": "hola"}),
    "chat.postMessage": How({**HERE, "text": "hola"}),
    "chat.update": How({**HERE, "text": "adiós"}, _mine),
    "conversations.history": How(HERE, lambda slack: {"limit": 1, "_": slack.say()}),
    "conversations.info": How(HERE),
    "conversations.join": How(OUTSIDE),
    "conversations.list": How({"limit": 1}),
    "conversations.members": How({**HERE, "limit": 1}),
    "conversations.open": How({"users": ANA, "return_im": True}),
    "conversations.replies": How(HERE, lambda slack: {"ts": (ts := slack.say()), "_": slack.post(thread_ts=ts)}),
    "files.completeUploadExternal": How({"channel_id": GENERAL}, _uploaded),
    "files.getUploadURLExternal": How({"filename": "a.txt", "length": 1}),
    "files.info": How({}, _shared),
    "functions.completeError": How({"error": "no hay texto"}, _step),
    "functions.completeSuccess": How({"outputs": {"confidence": 0.5, "sure": False}}, _step),
    "reactions.add": How({**HERE, "name": "x"}, _posted),
    "reactions.get": How(HERE, _react_once),
    "reactions.remove": How({**HERE, "name": "x"}, _react_once),
    "team.info": How(),
    "users.info": How({"user": ANA}),
    "users.list": How(),
    "usergroups.users.list": How({"usergroup": "S0SIMUEXPERTOS"}),
    "views.open": How({"view": MODAL}, lambda slack: {"trigger_id": slack.trigger()}),
    "views.publish": How({"user_id": ANA, "view": HOME}),
    "views.push": How({"view": MODAL}, lambda slack: _stack(slack, 1)),
    "views.update": How({"view": MODAL}, lambda slack: {"view_id": slack.modal()["id"]}),
}

_POST = {**HERE, "text": "x"}
_WHISPER = {**_POST, "user": ANA}
_UPDATE = {**_POST}
# For every documented error that occurs by itself: a call that causes it.
PROVOKED: dict[tuple[str, str], How] = {
    ("apps.connections.open", "insecure_request"): How(http="GET"),
    ("apps.connections.open", "invalid_auth"): How(token="xapp-wrong"),
    ("auth.test", "invalid_auth"): How(token="xoxb-wrong"),
    ("bots.info", "bot_not_found"): How({"bot": "B404"}),
    ("chat.delete", "cant_delete_message"): How(HERE, lambda slack: {"ts": slack.say()}),
    ("chat.delete", "channel_not_found"): How({**LOST, "ts": NO_SUCH}),
    ("chat.delete", "message_not_found"): How({**HERE, "ts": NO_SUCH}),
    ("chat.getPermalink", "channel_not_found"): How({**LOST, "message_ts": NO_SUCH}),
    ("chat.getPermalink", "message_not_found"): How({**HERE, "message_ts": NO_SUCH}),
    ("chat.postEphemeral", "channel_not_found"): How({**_WHISPER, **LOST}),
    ("chat.postEphemeral", "invalid_attachments"): How({**_WHISPER, "attachments": [{"blocks": BLINK}]}),
    ("chat.postEphemeral", "invalid_blocks"): How({**_WHISPER, "blocks": BLINK}),
    ("chat.postEphemeral", "invalid_blocks_format"): How({**_WHISPER, "blocks": "{"}),
    ("chat.postEphemeral", "is_archived"): How(_WHISPER, _archived),
    ("chat.postEphemeral", "markdown_text_conflict"): How({**_WHISPER, "markdown_text": "y"}),
    ("chat.postEphemeral", "messages_tab_disabled"): How({**_WHISPER, "channel": ANA}, app={"messages_tab": False}),
    ("chat.postEphemeral", "msg_too_long"): How({**_WHISPER, "text": "a" * 40_001}),
    ("chat.postEphemeral", "no_text"): How({**_WHISPER, "text": ""}),
    ("chat.postEphemeral", "not_in_channel"): How({**_WHISPER, **OUTSIDE}),
    ("chat.postEphemeral", "too_many_attachments"): How({**_WHISPER, "attachments": [{"text": "x"}] * 101}),
    ("chat.postEphemeral", "user_not_in_channel"): How({**_WHISPER, "user": "U404"}),
    ("chat.postMessage", "channel_not_found"): How({**_POST, **LOST}),
    ("chat.postMessage", "invalid_blocks"): How({**_POST, "blocks": BLINK}),
    ("chat.postMessage", "invalid_blocks_format"): How({**_POST, "blocks": "{"}),
    ("chat.postMessage", "invalid_metadata_format"): How({**_POST, "metadata": "["}),
    ("chat.postMessage", "is_archived"): How(_POST, _archived),
    ("chat.postMessage", "markdown_text_conflict"): How({**_POST, "markdown_text": "y"}),
    ("chat.postMessage", "messages_tab_disabled"): How({**_POST, "channel": ANA}, app={"messages_tab": False}),
    ("chat.postMessage", "metadata_too_large"): How({**_POST, "metadata": EVENT | {"event_payload": {"a": "a" * 9_000}}}),
    ("chat.postMessage", "msg_blocks_too_long"): How({**_POST, "blocks": LONG_BLOCKS}),
    ("chat.postMessage", "no_text"): How(HERE),
    ("chat.postMessage", "not_in_channel"): How({**_POST, **OUTSIDE}),
    ("chat.postMessage", "too_many_attachments"): How({**_POST, "attachments": [{"text": "x"}] * 101}),
    ("chat.update", "cant_update_message"): How(_UPDATE, lambda slack: {"ts": slack.say()}),
    ("chat.update", "channel_not_found"): How({**_UPDATE, **LOST, "ts": NO_SUCH}),
    ("chat.update", "invalid_attachments"): How({**_UPDATE, "attachments": "[1]"}, _mine),
    ("chat.update", "invalid_blocks"): How({**_UPDATE, "blocks": BLINK}, _mine),
    ("chat.update", "invalid_blocks_format"): How({**_UPDATE, "blocks": "{"}, _mine),
    ("chat.update", "invalid_metadata_format"): How({**_UPDATE, "metadata": "["}, _mine),
    ("chat.update", "is_inactive"): How(_UPDATE, _archived_post),
    ("chat.update", "markdown_text_conflict"): How({**_UPDATE, "markdown_text": "y"}, _mine),
    ("chat.update", "message_not_found"): How({**_UPDATE, "ts": NO_SUCH}),
    ("chat.update", "metadata_too_large"): How({**_UPDATE, "metadata": EVENT | {"event_payload": {"a": "a" * 9_000}}}, _mine),
    ("chat.update", "msg_too_long"): How({**_UPDATE, "text": "a" * 4_001}, _mine),
    ("chat.update", "no_text"): How(HERE, _mine),
    ("chat.update", "too_many_attachments"): How({**_UPDATE, "attachments": [{"text": "x"}] * 101}, _mine),
    ("conversations.history", "channel_not_found"): How(LOST),
    ("conversations.history", "invalid_cursor"): How({**HERE, "cursor": "x"}),
    ("conversations.history", "invalid_metadata_filter_keys"): How({**HERE, "metadata_keys_to_include": "{}"}),
    ("conversations.history", "invalid_ts_latest"): How({**HERE, "latest": "soon"}),
    ("conversations.history", "invalid_ts_oldest"): How({**HERE, "oldest": "soon"}),
    ("conversations.history", "not_in_channel"): How(OUTSIDE),
    ("conversations.info", "channel_not_found"): How(LOST),
    ("conversations.info", "missing_scope"): How(HERE, app={"without": ("channels:read",)}),
    ("conversations.join", "channel_not_found"): How(LOST),
    ("conversations.join", "is_archived"): How(OUTSIDE, lambda slack: slack.workspace.archive(
        slack.workspace.channel("reclamos"), slack.workspace.users[ANA])),
    ("conversations.join", "method_not_supported_for_channel_type"): How({}, lambda slack: {
        "channel": slack.workspace.direct_channel(slack.workspace.users[BETO], slack.workspace.users[ANA]).id}),
    ("conversations.join", "missing_scope"): How(OUTSIDE, app={"without": ("channels:join",)}),
    ("conversations.list", "invalid_cursor"): How({"cursor": "x"}),
    ("conversations.list", "invalid_limit"): How({"limit": "many"}),
    ("conversations.list", "invalid_types"): How({"types": "secret"}),
    ("conversations.list", "missing_scope"): How({"types": "mpim"}, app={"without": ("mpim:read",)}),
    ("conversations.members", "channel_not_found"): How(LOST),
    ("conversations.members", "invalid_cursor"): How({**HERE, "cursor": "x"}),
    ("conversations.members", "invalid_limit"): How({**HERE, "limit": "many"}),
    ("conversations.members", "missing_scope"): How(HERE, app={"without": ("channels:read",)}),
    ("conversations.open", "channel_not_found"): How(LOST),
    ("conversations.open", "method_not_supported_for_channel_type"): How(HERE),
    ("conversations.open", "missing_scope"): How({"users": f"{ANA},{LUIS}"}, app={"without": ("mpim:write",)}),
    ("conversations.open", "too_many_users"): How({"users": ",".join(f"U{n}" for n in range(9))}),
    ("conversations.open", "user_not_found"): How({"users": "U404"}),
    ("conversations.open", "users_list_not_supplied"): How(),
    ("conversations.replies", "channel_not_found"): How({**LOST, "ts": NO_SUCH}),
    ("conversations.replies", "invalid_cursor"): How({**HERE, "cursor": "x"}, _mine),
    ("conversations.replies", "invalid_metadata_filter_keys"): How({**HERE, "metadata_keys_to_include": "{}"}, _mine),
    ("conversations.replies", "invalid_ts_latest"): How({**HERE, "latest": "soon"}, _mine),
    ("conversations.replies", "invalid_ts_oldest"): How({**HERE, "oldest": "soon"}, _mine),
    ("conversations.replies", "missing_scope"): How(HERE, _mine, app={"without": ("channels:history",)}),
    ("conversations.replies", "thread_not_found"): How({**HERE, "ts": NO_SUCH}),
    ("files.completeUploadExternal", "channel_not_found"): How({"channel_id": "C404"}, _uploaded),
    ("files.completeUploadExternal", "channels_limit_exceeded"): How({"channels": ",".join([GENERAL] * 101)}, _uploaded),
    ("files.completeUploadExternal", "file_not_found"): How({"files": [{"id": "F404"}]}),
    ("files.completeUploadExternal", "invalid_blocks"): How({"channel_id": GENERAL, "blocks": BLINK}, _uploaded),
    ("files.completeUploadExternal", "not_in_channel"): How({"channel_id": OUTSIDE["channel"]}, _uploaded),
    ("files.getUploadURLExternal", "alt_txt_too_large"): How({"filename": "a.png", "length": 1, "alt_txt": "a" * 1_001}),
    ("files.getUploadURLExternal", "file_upload_size_restricted"): How({"filename": "a.png", "length": 10**9}),
    ("files.getUploadURLExternal", "missing_argument"): How({"filename": "a.png", "length": 0}),
    ("files.getUploadURLExternal", "snippet_too_large"): How({"filename": "a.py", "length": 10**6 + 1, "snippet_type": "python"}),
    ("files.info", "file_not_found"): How({"file": "F404"}),
    ("reactions.add", "already_reacted"): How({**HERE, "name": "x"}, _react_once),
    ("reactions.add", "bad_timestamp"): How({**HERE, "timestamp": "soon", "name": "x"}),
    ("reactions.add", "channel_not_found"): How({**LOST, "timestamp": NO_SUCH, "name": "x"}),
    ("reactions.add", "invalid_name"): How({**HERE, "name": "nope"}, _posted),
    ("reactions.add", "is_archived"): How({**HERE, "name": "x"}, _archived_post),
    ("reactions.add", "message_not_found"): How({**HERE, "timestamp": NO_SUCH, "name": "x"}),
    ("reactions.add", "no_item_specified"): How({"name": "x"}),
    ("reactions.add", "too_many_emoji"): How({**HERE, "name": "x"}, lambda slack: _react_as(
        slack, (ANA, LUIS, "U0SIMUMARIA"), [*CLOCKS, *BEASTS], 17)),
    ("reactions.add", "too_many_reactions"): How({**HERE, "name": "x"}, lambda slack: _react_as(slack, (BETO,), CLOCKS[:23], 23)),
    ("reactions.get", "bad_timestamp"): How({**HERE, "timestamp": "soon"}),
    ("reactions.get", "channel_not_found"): How({**LOST, "timestamp": NO_SUCH}),
    ("reactions.get", "file_comment_not_found"): How({"file_comment": "Fc404"}),
    ("reactions.get", "file_not_found"): How({"file": "F404"}),
    ("reactions.get", "message_not_found"): How({**HERE, "timestamp": NO_SUCH}),
    ("reactions.get", "no_item_specified"): How(),
    ("reactions.remove", "bad_timestamp"): How({**HERE, "timestamp": "soon", "name": "x"}),
    ("reactions.remove", "channel_not_found"): How({**LOST, "timestamp": NO_SUCH, "name": "x"}),
    ("reactions.remove", "file_comment_not_found"): How({"file_comment": "Fc404", "name": "x"}),
    ("reactions.remove", "file_not_found"): How({"file": "F404", "name": "x"}),
    ("reactions.remove", "invalid_name"): How({**HERE, "name": "nope"}, _posted),
    ("reactions.remove", "message_not_found"): How({**HERE, "timestamp": NO_SUCH, "name": "x"}),
    ("reactions.remove", "no_item_specified"): How({"name": "x"}),
    ("reactions.remove", "no_reaction"): How({**HERE, "name": "x"}, _posted),
    ("team.info", "team_not_found"): How({"team": "T404"}),
    ("users.info", "user_not_found"): How({"user": "U404"}),
    ("users.list", "invalid_cursor"): How({"cursor": "x"}),
    ("views.open", "duplicate_external_id"): How({"view": MODAL | {"external_id": "uno"}}, _duplicate),
    ("views.open", "exchanged_trigger_id"): How({"view": MODAL}, _exchanged),
    ("views.open", "expired_trigger_id"): How({"view": MODAL}, _expired),
    ("views.open", "invalid_trigger_id"): How({"view": MODAL, "trigger_id": "1.2.x"}),
    ("views.open", "view_too_large"): How({"view": MODAL | LARGE}, lambda slack: {"trigger_id": slack.trigger()}),
    ("views.publish", "duplicate_external_id"): How({"user_id": ANA, "view": HOME | {"external_id": "uno"}}, _duplicate),
    ("views.publish", "hash_conflict"): How({"user_id": ANA, "view": HOME, "hash": "old"}, lambda slack: {
        "_": slack.simulator.views.publish(ANA, HOME, None)["id"]}),
    ("views.publish", "not_allowed_token_type"): How({"user_id": ANA, "view": HOME}, token="xapp-simulator"),
    ("views.publish", "not_enabled"): How({"user_id": ANA, "view": HOME}, app={"home_tab": False}),
    ("views.publish", "view_too_large"): How({"user_id": ANA, "view": HOME | LARGE}),
    ("views.push", "duplicate_external_id"): How({"view": MODAL | {"external_id": "uno"}}, _duplicate),
    ("views.push", "exchanged_trigger_id"): How({"view": MODAL}, _exchanged),
    ("views.push", "expired_trigger_id"): How({"view": MODAL}, _expired),
    ("views.push", "invalid_trigger_id"): How({"view": MODAL, "trigger_id": "1.2.x"}),
    ("views.push", "not_found"): How({"view": MODAL}, lambda slack: {"trigger_id": slack.trigger()}),
    ("views.push", "push_limit_reached"): How({"view": MODAL}, lambda slack: _stack(slack, 3)),
    ("views.push", "view_too_large"): How({"view": MODAL | LARGE}, lambda slack: _stack(slack, 1)),
    ("views.update", "duplicate_external_id"): How({"view": MODAL | {"external_id": "uno"}}, _two_views),
    ("views.update", "hash_conflict"): How({"view": MODAL, "hash": "old"}, lambda slack: {"view_id": slack.modal()["id"]}),
    ("views.update", "not_found"): How({"view": MODAL, "view_id": "V404"}),
    ("views.update", "view_too_large"): How({"view": MODAL | LARGE}, lambda slack: {"view_id": slack.modal()["id"]}),
}  # fmt: skip

_PICTURES = "nobody here has a picture"
_IMAGES = "the file is a text"
# What the examples of good replies show and the simulator's answer to GOOD does not: paths, or their beginnings, and why.
LEFT_OUT: dict[str, dict[str, str]] = {
    "bots.info": {"/bot/icons/image_": _PICTURES},
    "chat.postMessage": {
        "/message/username": "of bots of old, which have no user",
        "/message/subtype": "of bots of old, which have no user",
        "/message/attachments": "none were sent",
    },
    "conversations.info": {"/channel/properties": "tabs and canvases are not simulated"},
    "conversations.join": {"/warning": "the bot was not in the channel", "/response_metadata": "the bot was not in the channel"},
    "conversations.replies": {
        "/messages[]/last_read": "of user tokens", "/messages[]/unread_count": "of user tokens",
        "/response_metadata": "there is one page",
    },
    "files.info": {
        "/file/thumb_": _IMAGES, "/file/image_": _IMAGES, "/file/original_": _IMAGES, "/file/deanimate": _IMAGES,
        "/file/pjpeg": _IMAGES, "/file/permalink_public": "nothing is public",
        "/file/shares/public/": "by another channel's id",
    },
    "team.info": {"/team/icon/image_": _PICTURES, "/team/enterprise_": "the workspace is in no enterprise"},
    "users.info": {
        "/user/profile/email": "needs users:read.email", "/user/profile/image_": _PICTURES, "/user/has_2fa": "of admins' tokens",
    },
    "users.list": {
        "/members[]/profile/email": "needs users:read.email", "/members[]/profile/image_": _PICTURES,
        "/members[]/has_2fa": "of admins' tokens",
    },
    "views.open": {"/view/blocks[]": "what was sent"},
    "views.publish": {"/view/blocks[]": "what was sent"},
    "views.push": {"/view/blocks[]": "what was sent"},
    "views.update": {"/view/blocks[]": "what was sent"},
}  # fmt: skip


# --- the reference ---


class Reference:
    """Slack's reference in a folder."""

    def __init__(self, folder: Path) -> None:
        self.methods: dict[str, Json] = {
            file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted((folder / "methods").glob("*.json"))
        }

    def served(self) -> dict[str, Json]:
        """Return the reference of each method that the simulator serves."""
        return {name: self.methods[name] for name in Simulator().methods if name in self.methods}

    def errors(self) -> list[tuple[str, str]]:
        """List every documented error of every method served."""
        return [(name, error) for name, one in sorted(self.served().items()) for error in one.get("errors") or {}]

    def table(self) -> str:
        """Return the table of methods in Markdown."""
        rows = ["| method | bot scopes | per minute | errors that occur |", "| --- | --- | --- | --- |"]
        methods = Simulator().methods
        for name in sorted(methods):
            one = self.methods.get(name)
            documented = list(one.get("errors") or {}) if one else []
            occur = sum((name, error) in PROVOKED for error in documented)
            scopes = ", ".join(_scopes(one)) if one else methods[name].scope
            rows.append(
                f"| {name} | {scopes} | {PER_MINUTE[methods[name].tier]} | {f'{occur} of {len(documented)}' if one else '-'} |"
            )
        return "\n".join(rows)

    def summary(self) -> str:
        """Return one line that says how much of what is documented can be provoked."""
        documented = self.errors()
        occur = sum(one in PROVOKED for one in documented)
        return (
            f"{len(documented)} of {len(documented)} documented errors can be provoked: "
            f"{occur} occur by themselves, {len(documented) - occur} only when ordered"
        )


def _scopes(documented: Json) -> list[str]:
    return sorted((documented.get("scope") or {}).get("bot", ()))


# The documentation's own names of things, as far as their type goes.
_NAMED: dict[str, type | tuple[type, ...]] = {
    "app_id": str, "blocks": list, "bot_id": str, "channel": str, "conversation": dict, "enterprise_id": (str, type(None)),
    "file": dict, "file_id": str, "message": dict, "modal": dict, "publishable-view": dict, "response_metadata": dict,
    "team": dict, "team-summary": dict, "team_id": str, "ts": str, "user": dict, "user_id": str, "view": dict,
    "home": dict, "comment": dict, "workflow-step": dict, "app-notification-subscription-configuration": dict,
}  # fmt: skip
_TYPES: dict[str, type | tuple[type, ...]] = {
    "array": list, "boolean": bool, "integer": int, "null": type(None), "number": (int, float), "object": dict, "string": str,
}  # fmt: skip


def departures(schema: Json, value: Any, path: str = "") -> list[str]:
    """List where the value differs from the reference's "output"."""
    for word in ("anyOf", "oneOf"):
        if word in schema:
            tries = [departures(one, value, path) for one in schema[word]]
            return [] if not all(tries) else min(tries, key=len)
    if "schema" in schema:
        return [] if isinstance(value, _NAMED[schema["schema"]]) else [f"{path}: no {schema['schema']}"]
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        return [f"{path}: no {' or '.join(kinds)}"]
    found = []
    if isinstance(value, dict):
        found += [f"{path}/{name}: missing" for name in schema.get("required", ()) if name not in value]
        for name, inside in (schema.get("properties") or {}).items():
            if name in value:
                found += departures(inside, value[name], f"{path}/{name}")
    elif isinstance(value, list) and "items" in schema:
        for one in value:
            found += departures(schema["items"], one, f"{path}[]")
    return found


def lacks(example: Any, value: Any, path: str = "") -> list[str]:
    """List what the documented example has, and the value lacks or has in another type; ids and lengths of lists do not count."""
    if isinstance(example, dict) and isinstance(value, dict):
        found = []
        for name, inside in example.items():
            found += lacks(inside, value[name], f"{path}/{name}") if name in value else [f"{path}/{name}"]
        return found
    if isinstance(example, list) and isinstance(value, list):
        return lacks(example[0], value[0], f"{path}[]") if example and value else []
    if example is None or value is None or type(example) is type(value):
        return []
    return [f"{path}: {type(value).__name__}, not {type(example).__name__}"]


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, _TYPES[kind]) and not (isinstance(value, bool) and kind in ("integer", "number"))


if __name__ == "__main__":
    reference = Reference(Path(sys.argv[1]))
    print(reference.table())
    print(reference.summary())
