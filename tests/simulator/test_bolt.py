"""A real Bolt app connected to the simulator, through both transports: Socket Mode and signed HTTP."""

import asyncio
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.local.ports import free_port
from bot.simulator.errors import SlackError
from bot.simulator.person import Changes, Person
from bot.simulator.server import Simulator

GENERAL, FRAUDES, ANA, LUIS, BETO = "C0SIMUGENERAL", "C0SIMUFRAUDES", "U0SIMUANA", "U0SIMULUIS", "U0SIMUBETO"
MODAL = {
    "type": "modal",
    "callback_id": "edit",
    "private_metadata": "secreto",
    "title": {"type": "plain_text", "text": "Etiquetas"},
    "submit": {"type": "plain_text", "text": "Guardar"},
    "blocks": [
        {
            "type": "input", "block_id": "labels", "label": {"type": "plain_text", "text": "Cuáles"},
            "element": {
                "type": "multi_static_select", "action_id": "chosen",
                "options": [{"text": {"type": "plain_text", "text": one}, "value": one} for one in ("fraude", "tarjeta")],
            },
        },
        {
            "type": "input", "block_id": "note", "optional": True, "label": {"type": "plain_text", "text": "Nota"},
            "element": {"type": "plain_text_input", "action_id": "text", "initial_value": "nada"},
        },
    ],
}  # fmt: skip
CHOSEN = {"labels": {"chosen": {"type": "multi_static_select", "selected_options": [{"value": "fraude"}]}}}
BUTTONS = [
    {"type": "section", "text": {"type": "mrkdwn", "text": "*Fraude* 90 %"}},
    {
        "type": "actions", "block_id": "row",
        "elements": [
            {"type": "button", "action_id": "right", "text": {"type": "plain_text", "text": "Correcto"}, "value": "v1"},
            {
                "type": "static_select", "action_id": "other", "placeholder": {"type": "plain_text", "text": "Otra"},
                "options": [{"text": {"type": "plain_text", "text": "Tarjeta"}, "value": "tarjeta"}],
            },
        ],
    },
]  # fmt: skip


class Bot:
    """A Bolt app, the simulator that it is connected to, and everything that it received."""

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator
        self.client = AsyncWebClient(token=simulator.bot_token, base_url=f"{simulator.url}/api/")
        # Bolt would hide the bot's own posts from us.
        self.app = AsyncApp(client=self.client, signing_secret=simulator.signing_secret, ignoring_self_events_enabled=False)
        self.heard: asyncio.Queue[tuple[dict[str, Any], dict[str, Any]]] = asyncio.Queue()
        self.app.use(self._record)
        self.app.event("member_joined_channel")(self._joined)

    async def _record(self, req: Any, next: Any) -> None:
        self.heard.put_nowait((req.body, req.headers))
        await next()

    async def _joined(self) -> None:
        pass

    async def next(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Return the next event of that type with those fields."""
        while True:
            body, _ = await asyncio.wait_for(self.heard.get(), 5)
            event = body.get("event", {})
            if event.get("type") == kind and all(event.get(name) == value for name, value in fields.items()):
                return event

    def ignore_events(self) -> None:
        """Acknowledge events without a listener of their own."""

        @self.app.event(re.compile(".*"))
        async def ignore() -> None:
            pass


@pytest.fixture(params=["socket", "http"])
async def transport(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def clock_scale() -> float:
    return 1.0


@pytest.fixture
async def bot(transport: str, clock_scale: float) -> AsyncIterator[Bot]:
    """Connect a bot that is a member of #general."""
    if transport == "socket":
        simulator = Simulator(rate_limits=False, clock_scale=clock_scale)
        await simulator.start()
        bot = Bot(simulator)
        handler = AsyncSocketModeHandler(bot.app, simulator.app_token)
        await handler.connect_async()
        stop = handler.close_async
    else:
        port = free_port()
        url = f"http://127.0.0.1:{port}/slack/events"
        simulator = Simulator(rate_limits=False, clock_scale=clock_scale, events_url=url)
        await simulator.start()
        bot = Bot(simulator)
        runner = web.AppRunner(bot.app.web_app("/slack/events"))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        stop = runner.cleanup
    async with Person(simulator.url, "ana") as ana:
        await ana.invite("general", "beto")
        await bot.next("member_joined_channel")
    yield bot
    await stop()
    await simulator.stop()


@pytest.fixture
async def ana(bot: Bot) -> AsyncIterator[Person]:
    async with Person(bot.simulator.url, "ana") as ana:
        yield ana


async def until(changes: Changes, kind: str, **fields: Any) -> dict[str, Any]:
    """Return the next change of that type whose message has those fields."""
    async with asyncio.timeout(5):
        async for change in changes:
            if change["type"] == kind and all((change.get("message") or {}).get(name) == value for name, value in fields.items()):
                return change
    raise AssertionError("the simulator closed the screen")


async def test_a_message_is_answered_in_its_thread(bot, ana):
    """The whole way, there and back: the reason why the simulator exists."""

    @bot.app.event("message")
    async def echo(event: dict[str, Any], say: Any) -> None:
        if "bot_id" not in event and "subtype" not in event:
            await say(text=f"eco: {event['text']}", thread_ts=event["ts"])

    ts = await ana.message("general", "¿dónde está mi tarjeta? & <ya>")
    reply = await ana.wait_for_reply("general", ts, 5)
    assert (reply["text"], reply["user"]) == ("eco: ¿dónde está mi tarjeta? &amp; &lt;ya&gt;", BETO)


async def test_an_event_is_complete(bot, ana):
    """Listeners read these fields; a missing one would be an error in production only."""
    bot.ignore_events()
    ts = await ana.message("general", "hola")
    body: dict[str, Any] = {}
    while body.get("event", {}).get("ts") != ts:
        body, _ = await asyncio.wait_for(bot.heard.get(), 5)
    assert body.keys() == {
        "token", "team_id", "context_team_id", "context_enterprise_id", "api_app_id", "event", "type", "event_id", "event_time",
        "authorizations", "is_ext_shared_channel", "event_context",
    }  # fmt: skip
    assert body["authorizations"][0] == {
        "enterprise_id": None, "team_id": "T0SIMULADOR", "user_id": BETO, "is_bot": True, "is_enterprise_install": False,
    }  # fmt: skip
    event = body["event"]
    assert event.keys() == {
        "client_msg_id", "type", "text", "user", "ts", "team", "blocks", "channel", "event_ts", "channel_type",
    }  # fmt: skip
    assert (event["channel"], event["channel_type"], event["event_ts"]) == (GENERAL, "channel", ts)


async def test_the_bot_hears_its_own_posts(bot):
    """Loops start here: the bot must leave itself alone."""
    bot.ignore_events()
    await bot.client.chat_postMessage(channel=GENERAL, text="yo")
    event = await bot.next("message", text="yo")
    assert (event["bot_id"], event["user"], event["app_id"]) == ("B0SIMUBETO", BETO, "A0SIMUBETO")


async def test_a_mention_comes_twice(bot, ana):
    """app_mention and message for one ts, under two event ids: only one reply may follow."""
    bot.ignore_events()
    ts = await ana.message("general", "@beto ¿y esto?")
    bodies = []
    while len(bodies) < 2:
        body, _ = await asyncio.wait_for(bot.heard.get(), 5)
        bodies += [body] if body["event"].get("ts") == ts else []
    assert {body["event"]["type"] for body in bodies} == {"message", "app_mention"}
    assert bodies[0]["event_id"] != bodies[1]["event_id"]
    mention = next(body["event"] for body in bodies if body["event"]["type"] == "app_mention")
    assert mention["text"] == f"<@{BETO}> ¿y esto?"
    assert "channel_type" not in mention


async def test_a_mention_added_by_an_edit_is_a_mention(bot, ana):
    """People forget the mention and add it afterwards."""
    bot.ignore_events()
    ts = await ana.message("general", "¿y esto?")
    await ana.edit("general", ts, "@beto ¿y esto?")
    assert (await bot.next("app_mention"))["edited"]["user"] == ANA


async def test_edits_replies_and_deletions_are_told(bot, ana):
    """message_changed has both texts on an edit, and the same text twice when only a reply was added."""
    bot.ignore_events()
    ts = await ana.message("general", "antes")
    await ana.edit("general", ts, "después")
    event = await bot.next("message", subtype="message_changed")
    assert (event["previous_message"]["text"], event["message"]["text"]) == ("antes", "después")
    assert event["hidden"]
    assert event["ts"] != ts == event["message"]["ts"]
    reply = await ana.message("general", "respuesta", thread_ts=ts)
    assert (await bot.next("message", ts=reply))["parent_user_id"] == ANA
    event = await bot.next("message", subtype="message_changed")
    assert event["message"]["text"] == event["previous_message"]["text"]
    assert event["message"]["reply_count"] == 1
    await ana.delete("general", reply)
    event = await bot.next("message", subtype="message_deleted")
    assert (event["deleted_ts"], event["previous_message"]["text"]) == (reply, "respuesta")


async def test_reactions_are_told_without_the_text(bot, ana):
    """The bot must find the message by channel and ts, and knows whose it was."""
    bot.ignore_events()
    ts = await ana.message("general", "hola")
    await ana.react("general", ts, "white_check_mark")
    await ana.unreact("general", ts, "white_check_mark")
    added, removed = await bot.next("reaction_added"), await bot.next("reaction_removed")
    assert added.pop("event_ts") < removed.pop("event_ts")
    assert added == {
        "type": "reaction_added", "user": ANA, "reaction": "white_check_mark", "item_user": ANA,
        "item": {"type": "message", "channel": GENERAL, "ts": ts},
    }  # fmt: skip
    assert removed == added | {"type": "reaction_removed"}


async def test_only_channels_where_the_bot_is_a_member_are_heard(bot, ana):
    """Membership decides; direct messages with the bot always arrive, with another channel_type."""
    bot.ignore_events()
    await ana.message("atencion", "@beto no oído")
    await ana.message("fraudes", "no oído")
    await ana.message(await ana.open_dm("luis"), "no oído")
    await ana.message(await ana.open_dm("beto"), "oído")
    event = await bot.next("message", subtype=None)
    assert (event["text"], event["channel_type"]) == ("oído", "im")


async def test_an_invited_bot_hears_that_it_joined(bot, ana):
    """It introduces itself then; private channels come as G and group."""
    bot.ignore_events()
    await ana.message("fraudes", "/invite @beto")
    joined = await bot.next("member_joined_channel", user=BETO)
    assert (joined["channel"], joined["channel_type"], joined["inviter"]) == (FRAUDES, "G", ANA)
    await ana.message("fraudes", "hola")
    assert (await bot.next("message", text="hola"))["channel_type"] == "group"
    await ana.message("fraudes", "/remove @beto")
    await ana.message("fraudes", "no oído")
    await ana.message("general", "oído")
    assert (await bot.next("message", subtype=None))["text"] == "oído"


async def test_a_command_is_answered_in_private_and_through_its_address(bot, ana):
    """The acknowledgement's text is for that person only; response_url reaches the channel, five times."""
    bodies: list[dict[str, Any]] = []

    @bot.app.command("/beto")
    async def answer(ack: Any, body: dict[str, Any], respond: Any) -> None:
        bodies.append(body)
        await ack("solo para ti")
        for n in range(5):
            await respond(f"a todos {n}", response_type="in_channel")
        assert (await respond("de más")).status_code == 404

    changes, others = ana.changes(), ana.changes()  # the acknowledgement and the answers travel apart, in either order
    assert await ana.command("general", "/beto", "clasifica @luis & <b> #atencion")
    private = await until(changes, "message", text="solo para ti")
    await until(others, "message", text="a todos 4")
    assert private["message"]["ephemeral"]
    async with Person(bot.simulator.url, "luis") as luis:
        texts = [one["text"] for one in await luis.messages("general")]
    assert texts[-5:] == [f"a todos {n}" for n in range(5)]
    assert "solo para ti" not in texts
    body = bodies[0]
    assert body["text"] == f"clasifica <@{LUIS}> &amp; &lt;b&gt; <#C0SIMUATENCION|atencion>"
    assert body.keys() == {
        "token", "team_id", "team_domain", "channel_id", "channel_name", "user_id", "user_name", "command", "text", "api_app_id",
        "is_enterprise_install", "response_url", "trigger_id",
    }  # fmt: skip


async def test_a_button_sends_the_message_and_the_state_back(bot, ana):
    """The listener redraws the message from this payload alone."""
    bodies: list[dict[str, Any]] = []

    @bot.app.action(re.compile(".*"))
    async def pressed(ack: Any, body: dict[str, Any], respond: Any) -> None:
        bodies.append(body)
        await ack()
        await respond(text="gracias", replace_original=True)

    ts = (await bot.client.chat_postMessage(channel=GENERAL, text="Fraude", blocks=BUTTONS))["ts"]
    changes = ana.changes()
    assert await ana.action("other", channel="general", ts=ts, block_id="row", selected_option="tarjeta")
    await until(changes, "message_changed", text="gracias")
    body = bodies[0]
    assert body.keys() == {
        "type", "user", "api_app_id", "token", "container", "trigger_id", "team", "enterprise", "is_enterprise_install",
        "channel", "message", "state", "response_url", "actions",
    }  # fmt: skip
    assert body["container"] == {"type": "message", "message_ts": ts, "channel_id": GENERAL, "is_ephemeral": False}
    assert body["message"]["ts"] == ts
    (action,) = body["actions"]
    assert (action["action_id"], action["selected_option"]["value"]) == ("other", "tarjeta")
    assert body["state"]["values"]["row"]["other"]["selected_option"]["text"]["text"] == "Tarjeta"


async def test_a_button_under_an_ephemeral_message_can_remove_it(bot, ana):
    """Slack does not send an ephemeral message back; only response_url can touch it."""
    bodies: list[dict[str, Any]] = []

    @bot.app.action("right")
    async def pressed(ack: Any, body: dict[str, Any], respond: Any) -> None:
        bodies.append(body)
        await ack()
        await respond(delete_original=True)

    changes = ana.changes()
    await bot.client.chat_postEphemeral(channel=GENERAL, user=ANA, text="Fraude", blocks=BUTTONS)
    shown = (await until(changes, "message", text="Fraude"))["message"]
    assert await ana.action("right", channel="general", ts=shown["ts"])
    await until(changes, "message_deleted")
    assert "message" not in bodies[0]
    assert bodies[0]["container"]["is_ephemeral"]
    assert not [one for one in await ana.messages("general") if one.get("ephemeral")]


async def test_a_modal_goes_the_whole_round(bot, ana):
    """Shortcut, modal, refused fields, correction, submission: as the bot's label editor does."""
    submitted: list[dict[str, Any]] = []
    shortcuts: list[dict[str, Any]] = []

    @bot.app.shortcut("edit_labels")
    async def open_modal(ack: Any, shortcut: dict[str, Any], client: AsyncWebClient) -> None:
        shortcuts.append(shortcut)
        await ack()
        await client.views_open(trigger_id=shortcut["trigger_id"], view=MODAL)

    @bot.app.view("edit")
    async def save(ack: Any, view: dict[str, Any]) -> None:
        submitted.append(view)
        if len(submitted) == 1:
            await ack(response_action="errors", errors={"labels": "elige otra"})
        else:
            await ack()

    parent = await ana.message("general", "hilo")
    ts = await ana.message("general", "me robaron", thread_ts=parent)
    changes = ana.changes()
    assert await ana.shortcut("general", ts, "edit_labels")
    view = (await until(changes, "view"))["view"]
    assert shortcuts[0]["message"]["thread_ts"] == parent
    assert shortcuts[0].keys() == {
        "type", "token", "action_ts", "team", "user", "channel", "is_enterprise_install", "enterprise", "callback_id",
        "trigger_id", "response_url", "message_ts", "message", "api_app_id",
    }  # fmt: skip
    assert await ana.view_submit(view["id"], CHOSEN)
    assert (await until(changes, "view_errors"))["errors"] == {"labels": "elige otra"}
    assert await ana.view_submit(view["id"], CHOSEN)
    assert (await until(changes, "view_closed"))["view_id"] == view["id"]
    assert submitted[1]["private_metadata"] == "secreto"
    assert submitted[1]["state"]["values"] == CHOSEN | {"note": {"text": {"type": "plain_text_input", "value": "nada"}}}


async def test_a_modal_can_be_updated_pushed_and_cleared_by_the_answer(bot, ana):
    """response_action has four values, and each must do what Slack does."""
    answers = [
        {"response_action": "update", "view": MODAL | {"private_metadata": "dos"}},
        {"response_action": "push", "view": MODAL | {"private_metadata": "tres"}},
        {"response_action": "clear"},
    ]

    @bot.app.shortcut("edit_labels")
    async def open_modal(ack: Any, shortcut: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=shortcut["trigger_id"], view=MODAL)

    @bot.app.view("edit")
    async def save(ack: Any) -> None:
        await ack(**answers.pop(0))

    ts = await ana.message("general", "me robaron")
    changes = ana.changes()
    await ana.shortcut("general", ts, "edit_labels")
    first = (await until(changes, "view"))["view"]
    await ana.view_submit(first["id"], CHOSEN)
    updated = (await until(changes, "view"))["view"]
    assert (updated["id"], updated["private_metadata"]) == (first["id"], "dos")
    assert updated["hash"] != first["hash"]
    await ana.view_submit(first["id"], CHOSEN)
    pushed = (await until(changes, "view"))["view"]
    assert (pushed["previous_view_id"], pushed["root_view_id"]) == (first["id"], first["id"])
    await ana.view_submit(pushed["id"], CHOSEN)
    closed = [(await until(changes, "view_closed"))["view_id"] for _ in range(2)]
    assert closed == [pushed["id"], first["id"]]


SEARCHED = {
    "type": "multi_external_select", "action_id": "city", "min_query_length": 0,
    "placeholder": {"type": "plain_text", "text": "Ciudad"},
}  # fmt: skip
CITIES = [{"text": {"type": "plain_text", "text": name}, "value": name.lower()} for name in ("Quito", "Quevedo")]


async def test_a_menu_of_an_external_source_asks_the_app_for_what_is_typed(bot, ana):
    """In a modal with its metadata, in a message with the message; nothing can be opened because of it."""
    asked: list[dict[str, Any]] = []
    pressed: list[dict[str, Any]] = []

    @bot.app.options("city")
    async def search(ack: Any, body: dict[str, Any]) -> None:
        asked.append(body)
        await ack(options=[city for city in CITIES if city["value"].startswith(body["value"])])

    @bot.app.shortcut("edit_labels")
    async def open_modal(ack: Any, shortcut: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        field = {"type": "input", "block_id": "where", "label": {"type": "plain_text", "text": "Dónde"}, "element": SEARCHED}
        await client.views_open(trigger_id=shortcut["trigger_id"], view=MODAL | {"blocks": [field]})

    @bot.app.action("city")
    async def choose(ack: Any, body: dict[str, Any]) -> None:
        pressed.append(body)
        await ack()

    ts = await ana.message("general", "me robaron")
    changes = ana.changes()
    await ana.shortcut("general", ts, "edit_labels")
    view = (await until(changes, "view"))["view"]
    found = await ana.suggest("city", "qui", view_id=view["id"])
    assert [one["value"] for one in found] == ["quito"]
    assert asked[0].keys() == {
        "type", "user", "api_app_id", "token", "team", "enterprise", "is_enterprise_install", "container", "view", "action_id",
        "block_id", "value",
    }  # fmt: skip
    assert (asked[0]["value"], asked[0]["block_id"], asked[0]["view"]["private_metadata"]) == ("qui", "where", "secreto")
    assert await ana.suggest("city", "x", view_id=view["id"]) == []

    row = {"type": "actions", "block_id": "row", "elements": [SEARCHED]}
    shown = await bot.client.chat_postMessage(channel=GENERAL, text="x", blocks=[row])
    with pytest.raises(SlackError, match="unknown_option"):  # nobody was offered it yet
        await ana.action("city", channel=GENERAL, ts=shown["ts"], selected_options=["quevedo"])
    assert len(await ana.suggest("city", "qu", channel=GENERAL, ts=shown["ts"])) == 2
    assert asked[-1]["message"]["ts"] == shown["ts"]
    assert await ana.action("city", channel=GENERAL, ts=shown["ts"], selected_options=["quevedo"])
    assert [one["value"] for one in pressed[0]["actions"][0]["selected_options"]] == ["quevedo"]
    with pytest.raises(SlackError, match="action_not_found"):
        await ana.suggest("right", "qu", channel=GENERAL, ts=shown["ts"])


@pytest.mark.parametrize(
    "answer", [{}, {"options": CITIES * 51}, {"options": [{"text": "Quito", "value": "quito"}]}, {"option_groups": [{}]}]
)
async def test_options_that_slack_does_not_show_are_not_shown(bot, ana, answer):
    """An answer that is too long or of another form: Slack's menu stays empty, and so must ours."""

    @bot.app.options("city")
    async def search(ack: Any) -> None:
        await ack(**answer)

    row = {"type": "actions", "block_id": "row", "elements": [SEARCHED]}
    shown = await bot.client.chat_postMessage(channel=GENERAL, text="x", blocks=[row])
    changes = ana.changes()
    assert await ana.suggest("city", "qu", channel=GENERAL, ts=shown["ts"]) == []
    notice = await until(changes, "notice")
    assert "La lista no se pudo cargar" in notice["text"]


async def test_the_home_tab_is_published_for_one_person(bot, ana):
    """app_home_opened says which tab; views.publish shows the view at once."""

    @bot.app.event("app_home_opened")
    async def publish(event: dict[str, Any], client: AsyncWebClient) -> None:
        if event["tab"] == "home":
            await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": [{"type": "divider"}]})

    changes = ana.changes()
    await ana.home()
    assert (await until(changes, "home"))["view"]["blocks"][0]["type"] == "divider"
    event = await bot.next("app_home_opened")
    assert "view" not in event
    await ana.home()
    assert (await bot.next("app_home_opened"))["view"]["type"] == "home"


@pytest.mark.parametrize("clock_scale", [0.005])
async def test_an_event_that_nobody_acknowledges_comes_four_times(bot, ana):
    """Bolt leaves events without a listener unanswered: Slack sends them again after 0, 60 and 300 s, then gives up."""
    ts = await ana.message("general", "hola")
    tries = []
    while len(tries) < 4:
        body, headers = await asyncio.wait_for(bot.heard.get(), 5)
        if body["event"].get("ts") == ts:
            tries.append((body["event_id"], headers.get("x-slack-retry-num", ["0"])[0]))
    assert len({event_id for event_id, _ in tries}) == 1
    assert [attempt for _, attempt in tries] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("clock_scale", [0.1])
async def test_a_lost_acknowledgement_brings_the_event_again(bot, ana):
    """The bot did its work, and yet hears the event again: it must not answer twice."""
    bot.ignore_events()
    bot.simulator.faults.drop_acks(1)
    ts = await ana.message("general", "hola")
    assert [(await bot.next("message", ts=ts))["text"] for _ in range(2)] == ["hola", "hola"]


@pytest.mark.parametrize("new_id", [True, False])
async def test_a_duplicate_may_have_another_event_id(bot, ana, new_id):
    """event_id alone does not tell a repeat (node-slack-sdk#2141)."""
    bot.ignore_events()
    bot.simulator.faults.duplicate_next(new_event_id=new_id)
    ts = await ana.message("general", "hola")
    ids = []
    while len(ids) < 2:
        body, _ = await asyncio.wait_for(bot.heard.get(), 5)
        ids += [body["event_id"]] if body["event"].get("ts") == ts else []
    assert (ids[0] != ids[1]) is new_id


@pytest.mark.parametrize("clock_scale", [0.05])
async def test_a_slow_interaction_times_out_and_is_not_sent_again(bot, ana):
    """Slack tells the person, and the app never hears of it again."""
    release = asyncio.Event()

    @bot.app.command("/beto")
    async def slow(ack: Any) -> None:
        await release.wait()
        await ack("tarde")

    changes = ana.changes()
    assert not await ana.command("general", "/beto")
    notice = await until(changes, "notice")
    assert "operation_timeout" in notice["text"]
    release.set()


async def test_a_trigger_opens_one_modal(bot, ana):
    """trigger_id is good once, and only if Slack gave it out."""
    outcomes: asyncio.Queue[str] = asyncio.Queue()

    @bot.app.command("/beto")
    async def open_thrice(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        for trigger_id in (body["trigger_id"], body["trigger_id"], "1.2.x"):
            try:
                await client.views_open(trigger_id=trigger_id, view=MODAL)
                outcomes.put_nowait("ok")
            except SlackApiError as error:
                outcomes.put_nowait(error.response["error"])

    await ana.command("general", "/beto")
    assert [await asyncio.wait_for(outcomes.get(), 5) for _ in range(3)] == ["ok", "exchanged_trigger_id", "invalid_trigger_id"]


@pytest.mark.parametrize("clock_scale", [0.05])
async def test_a_trigger_expires(bot, ana):
    """Three seconds: open a loading view first, fill it after."""
    outcomes: asyncio.Queue[str] = asyncio.Queue()

    @bot.app.command("/beto")
    async def open_late(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        while asyncio.get_running_loop().time() < late:
            await client.auth_test()
        try:
            await client.views_open(trigger_id=body["trigger_id"], view=MODAL)
        except SlackApiError as error:
            outcomes.put_nowait(error.response["error"])

    late = asyncio.get_running_loop().time() + 0.3
    await ana.command("general", "/beto")
    assert await asyncio.wait_for(outcomes.get(), 5) == "expired_trigger_id"
