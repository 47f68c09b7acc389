"""Several apps in one workspace: each receives what belongs to it, and nothing of the others."""

import asyncio
import copy
import json
import re
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator.app import App
from bot.simulator.errors import Json, SlackError
from bot.simulator.person import Person
from bot.simulator.server import Simulator
from tests.simulated import listening

GENERAL, ANA = "C0SIMUGENERAL", "U0SIMUANA"
SCOPES = [
    "app_mentions:read", "channels:history", "channels:read", "chat:write", "commands", "files:write", "im:history",
    "reactions:read", "users:read",
]  # fmt: skip
EVENTS = [
    "app_home_opened", "app_mention", "app_uninstalled", "channel_id_changed", "channel_rename", "member_joined_channel",
    "message.channels", "message.im", "reaction_added",
]  # fmt: skip
BUTTON = {"type": "button", "action_id": "go", "text": {"type": "plain_text", "text": "Ya"}, "value": "1"}
BUTTONS = [{"type": "actions", "block_id": "row", "elements": [BUTTON]}]
MODAL = {
    "type": "modal", "callback_id": "edit", "external_id": "form", "notify_on_close": True,
    "title": {"type": "plain_text", "text": "Nota"}, "submit": {"type": "plain_text", "text": "Guardar"}, "blocks": BUTTONS,
}  # fmt: skip
HOME = {"type": "home", "blocks": BUTTONS}


def manifest(name: str, command: str) -> Json:
    """Return the manifest of an app that may do what these tests do, with one command and one shortcut."""
    return {
        "display_information": {"name": name},
        "features": {
            "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
            "bot_user": {"display_name": name.lower()},
            "slash_commands": [{"command": command, "description": "x"}],
            "shortcuts": [{"name": f"Con {name}", "type": "message", "callback_id": "same", "description": "x"}],
        },
        "oauth_config": {"scopes": {"bot": list(SCOPES)}},
        "settings": {"event_subscriptions": {"bot_events": list(EVENTS)}},
    }


class Bolt:
    """A real Bolt app on Socket Mode, with everything that it received."""

    def __init__(self, simulator: Simulator, installed: App) -> None:
        self.installed = installed
        self.client = AsyncWebClient(token=installed.bot_token, base_url=f"{simulator.url}/api/")
        self.bolt = AsyncApp(client=self.client, signing_secret=installed.signing_secret, ignoring_self_events_enabled=False)
        self.heard: list[Json] = []
        self._news = asyncio.Condition()
        self.bolt.use(self._record)
        self._handler = AsyncSocketModeHandler(self.bolt, installed.app_token)

        async def acknowledge(ack: Any) -> None:
            await ack()

        for every in (self.bolt.event, self.bolt.command, self.bolt.action, self.bolt.shortcut, self.bolt.view):
            every(re.compile(".*"))(acknowledge)
        self.bolt.view_closed(re.compile(".*"))(acknowledge)

    async def _record(self, body: Json, next: Any) -> None:
        await next()
        async with self._news:
            self.heard.append(body)
            self._news.notify_all()

    async def connect(self) -> None:
        await self._handler.connect_async()

    async def close(self) -> None:
        await self._handler.close_async()

    def kinds(self) -> list[str]:
        """List the kinds of the payloads received, in their order."""
        return [str(one.get("command") or one.get("event", one)["type"]) for one in self.heard]

    async def hears(self, **fields: object) -> Json:
        """Return the first payload whose event (or which itself) has those fields; wait for it if it has not come yet."""

        def find() -> Json | None:
            for one in self.heard:
                inner = one.get("event", one)
                if all(inner.get(name) == value for name, value in fields.items()):
                    return one
            return None

        async with asyncio.timeout(5), self._news:
            await self._news.wait_for(find)
        found = find()
        assert found is not None
        return found

    async def post(self, text: str = "hola", **fields: Any) -> str:
        """Post a message of the app in #general and return its ts."""
        return str((await self.client.chat_postMessage(channel=GENERAL, text=text, **fields))["ts"])


class Two:
    """Two Bolt apps, Eco and Faro, both members of #general, and Ana."""

    def __init__(self, simulator: Simulator, eco: Bolt, faro: Bolt, ana: Person) -> None:
        self.simulator, self.eco, self.faro, self.ana = simulator, eco, faro, ana

    async def settle(self) -> None:
        """Wait until everything sent to either app before this has arrived."""
        text = f"hasta aquí {len(self.eco.heard)} {len(self.faro.heard)}"
        await self.ana.message("general", text)
        await self.eco.hears(type="message", text=text)
        await self.faro.hears(type="message", text=text)


@pytest.fixture
async def two() -> AsyncIterator[Two]:
    simulator = Simulator(manifest=manifest("Eco", "/eco"), rate_limits=False)
    installed = simulator.install(manifest("Faro", "/faro"))
    await simulator.start()
    eco, faro = Bolt(simulator, simulator.apps[0]), Bolt(simulator, installed)
    await eco.connect()
    await faro.connect()
    async with Person(simulator.url, "ana") as ana:
        for name in ("eco", "faro"):
            await ana.invite("general", name)
        await eco.hears(type="member_joined_channel", user=eco.installed.bot_user_id)
        await faro.hears(type="member_joined_channel", user=faro.installed.bot_user_id)
        yield Two(simulator, eco, faro, ana)
    await eco.close()
    await faro.close()
    await simulator.stop()


async def refusal(call: Any) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


def test_each_app_has_its_own_tokens_ids_and_bot_user() -> None:
    """Even the same app twice: nothing of the one opens anything of the other."""
    simulator = Simulator(manifest=manifest("Eco", "/eco"))
    other, third = (simulator.install(manifest("Eco", "/eco")) for _ in range(2))
    apps = [simulator.apps[0], other, third]
    for name in ("bot_token", "app_token", "signing_secret", "bot_user_id"):
        assert len({getattr(app, name) for app in apps}) == 3, name
    assert len({app.bot.app_id for app in apps}) == len({app.bot.id for app in apps}) == 3
    assert [app.user.name for app in apps] == ["eco", "eco2", "eco3"]
    assert (apps[0].bot_token, apps[0].app_token) == (Simulator.bot_token, Simulator.app_token)
    assert other.bot_token.startswith("xoxb-")
    assert other.app_token.startswith("xapp-")


async def test_each_token_speaks_for_its_own_bot(two: Two) -> None:
    """auth.test is how every app learns who it is."""
    for one in (two.eco, two.faro):
        who = await one.client.auth_test()
        bot = one.installed.bot
        assert (who["user_id"], who["bot_id"], who["user"]) == (bot.user_id, bot.id, bot.app_name.lower())
        assert (await one.client.users_info(user=bot.user_id))["user"]["profile"]["api_app_id"] == bot.app_id
    assert (await two.eco.client.bots_info(bot=two.faro.installed.bot.id))["bot"]["name"] == "Faro"


async def test_what_a_person_writes_reaches_both(two: Two) -> None:
    """Each in its own envelope, addressed to it."""
    await two.ana.message("general", "a todos")
    for one in (two.eco, two.faro):
        body = await one.hears(type="message", text="a todos")
        assert body["api_app_id"] == one.installed.bot.app_id
        assert body["authorizations"][0]["user_id"] == one.installed.bot_user_id
    assert len({(await one.hears(type="message", text="a todos"))["event_id"] for one in (two.eco, two.faro)}) == 2


async def test_only_members_hear_a_channel(two: Two) -> None:
    """An app that was never invited to a channel must not learn what is said there."""
    await two.ana.invite("atencion", "faro")
    await two.ana.message("atencion", "solo para Faro")
    await two.faro.hears(type="message", text="solo para Faro")
    await two.settle()
    assert not any(one.get("event", {}).get("channel") == "C0SIMUATENCION" for one in two.eco.heard)


@pytest.mark.parametrize("lacking", ["scope", "subscription"])
async def test_scopes_and_subscriptions_are_each_apps_own(lacking: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """One app's rights must not let another hear, and its lack must not silence another."""
    poor = copy.deepcopy(manifest("Sordo", "/sordo"))
    if lacking == "scope":
        poor["oauth_config"]["scopes"]["bot"].remove("channels:history")
    else:
        poor["settings"]["event_subscriptions"]["bot_events"].remove("message.channels")
    simulator = Simulator(manifest=poor)
    rich = simulator.install(manifest("Eco", "/eco"))
    workspace = simulator.workspace
    sent: list[Json] = []
    for app in simulator.apps:
        workspace.join(workspace.channel("general"), app.user)
        monkeypatch.setattr(app.transport, "send_event", sent.append)
    workspace.post_as_person(workspace.user("ana"), workspace.channel("general"), "hola")
    assert [one["api_app_id"] for one in sent if one["event"]["type"] == "message" and one["event"].get("text") == "hola"] == [
        rich.bot.app_id
    ]


async def test_another_bots_message_says_whose_it_is(two: Two) -> None:
    """Apps that answer bots talk to each other for ever: bot_id and app_id are what they tell it by."""
    await two.faro.post("soy Faro")
    event = (await two.eco.hears(type="message", text="soy Faro"))["event"]
    bot = two.faro.installed.bot
    assert (event["bot_id"], event["app_id"], event["user"]) == (bot.id, bot.app_id, bot.user_id)
    assert event["bot_profile"]["name"] == "Faro"


async def test_a_bot_that_mentions_another_is_heard_and_one_that_mentions_itself_is_not(two: Two) -> None:
    """Slack sends app_mention for other bots' posts, with their bot_id, and never for an app's own."""
    eco, faro = two.eco.installed, two.faro.installed
    await two.faro.post(f"<@{eco.bot_user_id}> y <@{faro.bot_user_id}>")
    assert (await two.eco.hears(type="app_mention"))["event"]["bot_id"] == faro.bot.id
    await two.settle()
    assert "app_mention" not in two.faro.kinds()


async def test_an_app_cannot_change_or_delete_anothers_message(two: Two) -> None:
    """Only who wrote it may."""
    ts = await two.faro.post()
    assert await refusal(two.eco.client.chat_update(channel=GENERAL, ts=ts, text="otra")) == "cant_update_message"
    assert await refusal(two.eco.client.chat_delete(channel=GENERAL, ts=ts)) == "cant_delete_message"
    assert (await two.faro.client.chat_update(channel=GENERAL, ts=ts, text="otra"))["ok"]
    assert (await two.faro.client.chat_delete(channel=GENERAL, ts=ts))["ok"]


@pytest.mark.parametrize("ephemeral", [False, True])
async def test_a_button_reaches_the_app_that_posted_it(two: Two, ephemeral: bool) -> None:
    """Both apps have a button of that name."""
    for one, other in ((two.eco, two.faro), (two.faro, two.eco)):
        if ephemeral:
            posted = await one.client.chat_postEphemeral(channel=GENERAL, user=ANA, text="x", blocks=BUTTONS)
            ts = posted["message_ts"]
        else:
            ts = await one.post(blocks=BUTTONS)
        before = other.kinds().count("block_actions")
        assert await two.ana.action("go", channel="general", ts=ts)
        assert (await one.hears(type="block_actions"))["api_app_id"] == one.installed.bot.app_id
        await two.settle()
        assert other.kinds().count("block_actions") == before


async def test_a_command_reaches_the_app_that_has_it(two: Two) -> None:
    """The other one does not hear that it was typed."""
    assert await two.ana.command("general", "/faro", "x")
    body = await two.faro.hears(command="/faro")
    assert body["api_app_id"] == two.faro.installed.bot.app_id
    await two.settle()
    assert "/faro" not in two.eco.kinds()
    assert [one["command"] for one in (await two.ana.state())["commands"]] == ["/eco", "/faro"]


async def test_of_two_apps_with_one_command_the_last_installed_has_it(two: Two) -> None:
    """As Slack decides it."""
    later = Bolt(two.simulator, two.simulator.install(manifest("Otro", "/eco")))
    await later.connect()
    try:
        assert await two.ana.command("general", "/eco")
        await later.hears(command="/eco")
        await two.settle()
        assert "/eco" not in two.eco.kinds()
    finally:
        await later.close()


async def test_a_shortcut_reaches_the_app_that_was_chosen(two: Two) -> None:
    """Both have one with the same callback_id."""
    ts = await two.ana.message("general", "hola")
    assert await two.ana.shortcut("general", ts, "same", app=two.faro.installed.bot.app_id)
    await two.faro.hears(type="message_action")
    await two.settle()
    assert "message_action" not in two.eco.kinds()
    assert [one["app_id"] for one in (await two.ana.state())["shortcuts"]] == [
        two.eco.installed.bot.app_id,
        two.faro.installed.bot.app_id,
    ]


async def test_views_belong_to_the_app_that_opened_them(two: Two) -> None:
    """Neither its trigger nor its id opens, changes or answers anything for another app."""
    assert await two.ana.command("general", "/faro")
    trigger = (await two.faro.hears(command="/faro"))["trigger_id"]
    assert await refusal(two.eco.client.views_open(trigger_id=trigger, view=MODAL)) == "invalid_trigger_id"
    view = (await two.faro.client.views_open(trigger_id=trigger, view=MODAL))["view"]
    assert (view["app_id"], view["bot_id"]) == (two.faro.installed.bot.app_id, two.faro.installed.bot.id)
    for known in ({"view_id": view["id"]}, {"external_id": "form"}):
        assert await refusal(two.eco.client.views_update(**known, view=MODAL)) == "not_found"
    assert await two.ana.action("go", view_id=view["id"])
    assert await two.ana.view_submit(view["id"])
    for kind in ("block_actions", "view_submission"):
        await two.faro.hears(type=kind)
    await two.settle()
    assert not {"block_actions", "view_submission"} & set(two.eco.kinds())


async def test_each_app_has_its_own_home(two: Two) -> None:
    """Publishing one leaves the other as it was, and opening one is told to its app alone."""
    await two.faro.client.views_publish(user_id=ANA, view=HOME)
    await two.ana.home("faro")
    event = (await two.faro.hears(type="app_home_opened"))["event"]
    assert event["view"]["app_id"] == two.faro.installed.bot.app_id
    await two.settle()
    assert "app_home_opened" not in two.eco.kinds()
    await two.ana.home("eco")
    assert "view" not in (await two.eco.hears(type="app_home_opened"))["event"]


async def test_direct_messages_are_between_a_person_and_one_app(two: Two) -> None:
    """The other neither hears them nor finds the channel."""
    channel = await two.ana.open_dm("faro")
    ts = await two.ana.message(channel, "en privado")
    await two.faro.hears(type="message", text="en privado")
    await two.settle()
    assert not any(one.get("event", {}).get("channel") == channel for one in two.eco.heard)
    assert await refusal(two.eco.client.chat_update(channel=channel, ts=ts, text="x")) == "channel_not_found"
    assert await refusal(two.eco.client.chat_postMessage(channel=channel, text="x")) == "channel_not_found"


async def test_what_is_answered_to_a_response_url_is_the_apps_own(two: Two) -> None:
    """The second app's answer must not appear under the first one's name."""
    assert await two.ana.command("general", "/faro")
    url = (await two.faro.hears(command="/faro"))["response_url"]
    async with aiohttp.ClientSession() as session:
        await session.post(url, json={"text": "respuesta", "response_type": "in_channel"})
    event = (await two.eco.hears(type="message", text="respuesta"))["event"]
    assert event["app_id"] == two.faro.installed.bot.app_id


async def test_a_file_is_shared_by_the_app_that_uploads_it(two: Two) -> None:
    """Nobody shares a file that another app is still uploading."""
    ticket = await two.faro.client.files_getUploadURLExternal(filename="a.txt", length=1)
    async with aiohttp.ClientSession() as session:
        await session.post(str(ticket["upload_url"]), data=b"x")
    share: dict[str, Any] = {"files": [{"id": ticket["file_id"]}], "channel_id": GENERAL}
    assert await refusal(two.eco.client.files_completeUploadExternal(**share)) == "file_not_found"
    shared = await two.faro.client.files_completeUploadExternal(**share)
    assert shared["files"][0]["user"] == two.faro.installed.bot_user_id
    assert (await two.eco.hears(type="message", subtype="file_share"))["event"]["bot_id"] == two.faro.installed.bot.id


async def test_an_event_goes_to_one_of_the_apps_sockets_and_to_none_of_anothers(two: Two) -> None:
    """Two sockets of one app must not both work, and a ticket opens its own app's socket alone."""
    second = AsyncSocketModeHandler(two.eco.bolt, two.eco.installed.app_token)
    await second.connect_async()
    try:
        assert (two.eco.installed.sockets, two.faro.installed.sockets) == (2, 1)
        for n in range(20):
            await two.ana.message("general", f"número {n}")
        await two.settle()
        texts = [one["event"]["text"] for one in two.eco.heard if one.get("event", {}).get("text", "").startswith("número")]
        assert sorted(texts) == sorted(f"número {n}" for n in range(20))
    finally:
        await second.close_async()


async def test_a_ticket_opens_no_socket_of_another_app(two: Two) -> None:
    """Otherwise one app could hear for the other."""
    client = AsyncWebClient(base_url=f"{two.simulator.url}/api/")
    url = str((await client.apps_connections_open(app_token=two.eco.installed.app_token))["url"])
    stolen = url.replace(two.eco.installed.bot.app_id, two.faro.installed.bot.app_id)
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
            await session.ws_connect(stolen)


async def test_an_app_that_is_removed_leaves_the_others_as_they_were(two: Two) -> None:
    """Its token is worth nothing and it hears no more; the other works on."""
    gone = two.faro.installed
    async with aiohttp.ClientSession() as session:
        await session.post(f"{two.simulator.url}/control/uninstall", json={"app": gone.bot.app_id})
    await two.faro.hears(type="app_uninstalled")
    assert await refusal(two.faro.client.auth_test()) == "token_revoked"
    await two.ana.message("general", "sigue")
    await two.eco.hears(type="message", text="sigue")
    assert (await two.eco.client.auth_test())["ok"]
    assert "app_uninstalled" not in two.eco.kinds()
    assert all(one.get("event", {}).get("text") != "sigue" for one in two.faro.heard)
    assert not [one for one in two.simulator.wire if one.name == "message" and one.request["event"].get("text") == "sigue"][1:]


async def test_rate_limits_are_each_apps_own() -> None:
    """A busy app must not silence another."""
    simulator = Simulator(manifest=manifest("Eco", "/eco"))
    other = simulator.install(manifest("Faro", "/faro"))
    await simulator.start()
    try:
        eco, faro = (AsyncWebClient(token=one.bot_token, base_url=f"{simulator.url}/api/") for one in (simulator.apps[0], other))
        for _ in range(20):
            await eco.users_list()
        assert await refusal(eco.users_list()) == "ratelimited"
        assert (await faro.users_list())["ok"]
        assert [call.app_id for call in simulator.transcript][-2:] == [simulator.apps[0].bot.app_id, other.bot.app_id]
    finally:
        await simulator.stop()


async def test_one_app_may_be_on_http_and_another_on_socket_mode(two: Two) -> None:
    """An app that is installed while the workspace runs is verified and served, with a secret of its own."""
    async with listening() as (url, heard):
        third = two.simulator.install(manifest("Web", "/web"), events_url=url)
        await two.ana.invite("general", "web")
        await two.ana.message("general", "por los dos caminos")
        await two.eco.hears(type="message", text="por los dos caminos")
        body: bytes = b""
        headers: Any = {}
        while b"dos caminos" not in body:
            body, headers = await asyncio.wait_for(heard.get(), 5)
        assert json.loads(body)["api_app_id"] == third.bot.app_id
        signatures = SignatureVerifier(third.signing_secret)
        given = {"timestamp": headers["X-Slack-Request-Timestamp"], "signature": headers["X-Slack-Signature"]}
        assert signatures.is_valid(body, **given)
        assert not SignatureVerifier(two.eco.installed.signing_secret).is_valid(body, **given)


async def test_faults_of_sockets_befall_the_app_that_is_named(two: Two) -> None:
    """A test of one app's reconnection must leave the other alone."""
    async with aiohttp.ClientSession() as session:
        control = f"{two.simulator.url}/control"
        await session.post(f"{control}/disturb", json={"what": "link_disabled", "app": two.faro.installed.bot.app_id})
        wrong = await session.post(f"{control}/disturb", json={"what": "refresh", "app": "A0"})
        assert wrong.status == 400
        state = await (await session.get(control)).json()
    assert [one["name"] for one in state["apps"]] == ["Eco", "Faro"]
    client = AsyncWebClient(base_url=f"{two.simulator.url}/api/")
    assert await refusal(client.apps_connections_open(app_token=two.faro.installed.app_token)) == "forbidden_team"
    assert (await client.apps_connections_open(app_token=two.eco.installed.app_token))["ok"]


async def test_a_renamed_channel_is_known_by_its_new_name_only(two: Two) -> None:
    """Apps that keep names learn the new one from the event."""
    await two.ana.rename("general", "todos")
    event = (await two.eco.hears(type="channel_rename"))["event"]
    assert {**event["channel"], "created": 0} == {"id": GENERAL, "name": "todos", "created": 0}
    said = (await two.faro.hears(subtype="channel_name"))["event"]
    assert (said["old_name"], said["name"]) == ("general", "todos")
    assert (await two.eco.client.conversations_info(channel=GENERAL))["channel"]["name"] == "todos"
    assert await refusal(two.eco.client.chat_postMessage(channel="#general", text="x")) == "channel_not_found"
    for name, code in (("atencion", "name_taken"), ("Con Espacio", "invalid_name_specials")):
        with pytest.raises(SlackError, match=code):
            await two.ana.rename("todos", name)


async def test_a_channel_with_another_id_is_found_by_that_one_only(two: Two) -> None:
    """Ids are not for ever: what an app keeps under the old one has to move."""
    ts = await two.eco.post("antes")
    async with aiohttp.ClientSession() as session:
        await session.post(f"{two.simulator.url}/control/change_channel_id", json={"channel": "general"})
    event = (await two.eco.hears(type="channel_id_changed"))["event"]
    assert event["old_channel_id"] == GENERAL
    assert await refusal(two.eco.client.chat_update(channel=GENERAL, ts=ts, text="x")) == "channel_not_found"
    assert (await two.eco.client.chat_update(channel=event["new_channel_id"], ts=ts, text="x"))["ok"]


async def test_an_app_hears_of_the_metadata_that_it_subscribes_to_and_of_no_other() -> None:
    """An integration needs no code of the app whose messages it reads: posted, changed, gone."""
    one, other = manifest("Uno", "/uno"), manifest("Otro", "/otro")
    one["settings"]["event_subscriptions"]["bot_events"] = []
    slack = Simulator(manifest=other, rate_limits=False)
    await slack.start()
    try:
        first = slack.apps[0]
        wanted = [{"app_id": first.bot.app_id, "event_type": "labels"}]
        one["oauth_config"]["scopes"]["bot"] = ["metadata.message:read"]
        one["settings"]["event_subscriptions"] |= {
            "bot_events": [f"message_metadata_{each}" for each in ("posted", "updated", "deleted")],
            "metadata_subscriptions": wanted,
        }
        heard: list[Json] = []
        app = slack.install(one)
        app.transport.send_event = lambda payload: heard.append(payload["event"])  # type: ignore[method-assign]  # what it would get
        general = slack.workspace.channels[GENERAL]
        for each in (first, app):
            slack.workspace.join(general, slack.workspace.users[each.bot.user_id])
        client = AsyncWebClient(token=first.bot_token, base_url=f"{slack.url}/api/")
        labels = {"event_type": "labels", "event_payload": {"labels": ["a"]}}
        posted = await client.chat_postMessage(channel=GENERAL, text="x", metadata=labels)
        await client.chat_postMessage(channel=GENERAL, text="x", metadata={"event_type": "else", "event_payload": {}})
        changed = {"event_type": "labels", "event_payload": {"labels": ["b"]}}
        await client.chat_update(channel=GENERAL, ts=posted["ts"], text="y", metadata=changed)
        await client.chat_update(channel=GENERAL, ts=posted["ts"], text="z", metadata=changed)
        await client.chat_delete(channel=GENERAL, ts=posted["ts"])
    finally:
        await slack.stop()
    assert [(each["type"], each.get("metadata"), each.get("previous_metadata")) for each in heard] == [
        ("message_metadata_posted", labels, None),
        ("message_metadata_updated", changed, labels),
        ("message_metadata_deleted", None, changed),
    ]
    assert {(each["channel_id"], each["message_ts"], each["app_id"]) for each in heard} == {
        (GENERAL, posted["ts"], first.bot.app_id)
    }
