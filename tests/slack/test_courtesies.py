"""Prompts in direct messages and the line that says that an answer is under way: there for whoever asks, missed by nobody."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.locks import TtlLock
from bot.simulator.person import Person
from bot.slack import asked, courtesies
from bot.slack.context import ListenerContext
from bot.slack.courtesies import PROMPTS, Courtesies
from bot.slack.listeners import commands
from bot.slack.listeners.addressed import SCREENS
from bot.views.texts import load_texts
from model.schema import Prediction
from model.store.predictions import NewPrediction
from model.store.store import Store
from tests.outbox_rows import answer
from tests.slack.connected import connected
from tests.slack.dispatching import TEAM, a_context, dispatcher, inside, patient, published, slack, store
from tests.town import SimulatorThread, until

__all__ = ["inside", "patient", "published", "slack", "store"]

CHANNEL, LUIS, TS = "C0SIMUATENCION", "U0SIMULUIS", "1716400000.000009"
SET_STATUS, SET_PROMPTS = "assistant.threads.setStatus", "assistant.threads.setSuggestedPrompts"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courtesies, "RECORDED_WITHIN_S", 0.0)


def courteous(slack: SimulatorThread, store: Store, home: Path, published: list[str], **options: Any) -> ListenerContext:
    """What listeners work with, where an answer is late at once."""
    made = a_context(slack, store, home, published)
    return replace(made, courtesies=Courtesies(made.slack, TtlLock("redis://127.0.0.1:1/0"), after_s=0.0, **options))


async def settle(context: ListenerContext) -> None:
    """Everything that was begun for courtesy is over."""
    await context.background.finish(10)
    while context.courtesies._tasks:
        await asyncio.wait(context.courtesies._tasks)


def calls(slack: SimulatorThread, method: str, since: int = 0) -> list[Any]:
    return [call for call in list(slack.simulator.transcript)[since:] if call.method == method]


def test_every_prompt_is_a_word_of_ours_in_its_language() -> None:
    """A suggestion that is answered by “I don't know that word” is worse than none."""
    for language in ("es", "en"):
        texts = load_texts(language)
        titles = [texts(f"prompts.{name}") for name in PROMPTS]
        assert len(set(titles)) == len(PROMPTS) <= 4
        for name in PROMPTS:
            wish = asked.read(texts(f"prompts.{name}_word"), commands.WORDS, "beto")
            assert wish is not None, name
            assert wish.what == ("help" if name == "help" else "word")
            if wish.what == "word":
                assert commands.WORDS[wish.word] in {*SCREENS, commands.status}


@pytest.fixture
def team(store: Store, tmp_path: Path) -> Iterator[SimulatorThread]:
    thread = SimulatorThread(rate_limits=False)
    try:
        with connected(thread, store, tmp_path, []):
            yield thread
    finally:
        thread.stop()


def test_whoever_opens_the_direct_messages_is_offered_what_to_ask_in_their_language(team: SimulatorThread) -> None:
    """By the whole way: the tab is opened, the prompts stand there, one is chosen, and its answer opens the window."""
    team.simulator.workspace.users[LUIS] = replace(team.simulator.workspace.users[LUIS], locale="en-GB")

    async def go(luis: Person) -> None:
        changes = luis.changes()
        direct = await luis.open_dm("beto")
        channel = team.simulator.workspace.channels[direct]
        for _ in range(200):
            if "prompts" in (shown := team.simulator.apps[0].assistant.shown(channel)):
                break
            await asyncio.sleep(0.05)
        offered = [one["message"] for one in shown["prompts"]["prompts"]]
        assert offered == ["help", "guide", "status", "review"]
        await luis.message(direct, offered[1])
        change = await until(changes, lambda change: "screen_open" in str(change))
        assert "That opens in a window" in change["message"]["text"]
        assert await luis.action("screen_open", channel=direct, ts=change["message"]["ts"])
        opened = await until(changes, lambda change: change["type"] == "view")
        assert opened["view"]["title"]["text"] == load_texts("en")("guide.title")

    team.as_person("luis", go)


async def mention(
    slack: SimulatorThread, store: Store, home: Path, published: list[str], context: ListenerContext, ts: str
) -> None:
    dispatch = dispatcher(slack, store, home, published, context=context, wait=False)
    event = {"type": "app_mention", "user": LUIS, "ts": ts, "channel": CHANNEL, "text": "<@UBETO> me robaron la tarjeta"}
    body = {"type": "event_callback", "team_id": TEAM, "api_app_id": "A1", "event": event}
    assert (await dispatch(body)).status == 200


def serve(monkeypatch: pytest.MonkeyPatch, store: Store) -> None:
    """A version answers here."""
    monkeypatch.setattr(store, "first_training", lambda: None)


async def test_a_mention_that_waits_is_told_that_it_is_read_and_no_longer_once_it_is_answered(
    inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the thread of the message; where the answer came meanwhile, the line is taken away again."""
    serve(monkeypatch, store)
    workspace = inside.simulator.workspace
    ts = str(workspace.post_as_person(workspace.user("luis"), workspace.channel(CHANNEL), "me robaron la tarjeta")["ts"])
    context, since = courteous(inside, store, tmp_path, published), len(inside.simulator.transcript)
    await mention(inside, store, tmp_path, published, context, ts)
    await settle(context)
    (call,) = calls(inside, SET_STATUS, since)
    assert (call.error, call.arguments["thread_ts"], call.arguments["channel_id"]) == ("", ts, CHANNEL)
    assert call.arguments["status"] == load_texts("es")("prompts.working")

    answers = iter([False, True])

    async def is_answered() -> bool:
        return next(answers)

    context.courtesies.show_work(CHANNEL, ts, "lee…", is_answered)
    await settle(context)
    assert [one.arguments["status"] for one in calls(inside, SET_STATUS, since)[1:]] == ["lee…", ""]
    assert inside.simulator.apps[0].assistant.shown(workspace.channel(CHANNEL))["statuses"] == {}


async def test_an_answer_that_is_there_at_once_costs_no_call(
    inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that flashes up tells nobody anything, and a second call for each answer would halve what Slack lets through."""
    serve(monkeypatch, store)
    context, since = courteous(inside, store, tmp_path, published), len(inside.simulator.transcript)
    asked_for: list[Any] = []
    with monkeypatch.context() as patched:
        patched.setattr(context.courtesies, "show_work", lambda *given: asked_for.append(given))
        await mention(inside, store, tmp_path, published, context, TS)
        await context.background.finish(10)
    (given,) = asked_for
    stored = store.messages.find(CHANNEL, TS)
    assert stored is not None
    assert not await given[-1]()
    said = Prediction(version=1, base="mini", scores={"fraude": 0.97}, labels=("fraude",))
    store.predictions.save([NewPrediction(stored.id, 1, said, 0.1)])
    answer(store, stored.id, "1716400000.000010")
    context.courtesies.show_work(*given)
    await settle(context)
    assert calls(inside, SET_STATUS, since) == []


@pytest.mark.parametrize("method", [SET_STATUS, SET_PROMPTS])
@pytest.mark.parametrize(("failure", "again"), [("missing_scope", False), ("invalid_thread_ts", True), (500, True)])
async def test_what_slack_refuses_is_missed_by_nobody_and_what_it_always_refuses_is_not_asked_again(
    method: str,
    failure: str | int,
    again: bool,
    inside: SimulatorThread,
    store: Store,
    tmp_path: Path,
    published: list[str],
) -> None:
    """Apps of before have no `assistant:write`: no error reaches anybody, and no call is made for nothing all day."""
    context, since = courteous(inside, store, tmp_path, published), len(inside.simulator.transcript)
    workspace = inside.simulator.workspace
    direct = workspace.direct_channel(workspace.user("luis"), workspace.user("beto")).id
    ts = str(workspace.post_as_person(workspace.user("luis"), workspace.channel(CHANNEL), "hola")["ts"])

    async def is_answered() -> bool:
        return False

    for _ in range(2):
        inside.simulator.faults.fail_next(method, failure)
        if method == SET_STATUS:
            context.courtesies.show_work(CHANNEL, ts, "lee…", is_answered)
        else:
            await context.courtesies.offer_prompts(direct, load_texts("es"))
        await settle(context)
    fault = inside.simulator.faults.take_call_fault(method)
    assert (fault.failure is None) is again  # whether the second one was asked for
    assert calls(inside, "chat.postEphemeral", since) == []


async def test_whoever_chose_classic_screens_has_no_courtesies(
    inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """`BETO_SCREENS=classic` is how it was before, calls and all."""
    context = courteous(inside, store, tmp_path, published, wanted=False)

    async def is_answered() -> bool:
        return False

    since = len(inside.simulator.transcript)
    context.courtesies.show_work(CHANNEL, TS, "lee…", is_answered)
    await context.courtesies.offer_prompts("D1", load_texts("es"))
    await settle(context)
    assert len(inside.simulator.transcript) == since
