"""While no version can answer: whoever asks for something is told why, and what comes next, on every surface."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.views.texts import load_texts
from model.schema import Failure, Progress
from model.settings import BASES_WITHOUT_HUB
from model.store.database import now
from model.store.store import RETRY_FIRST_AFTER_S, Store
from model.store.tables import runs
from tests.slack.dispatching import TEAM, dispatcher, inside, patient, published, slack, store
from tests.town import SimulatorThread, publish_version

__all__ = ["inside", "patient", "published", "slack", "store"]

CHANNEL, LUIS = "C0SIMUATENCION", "U0SIMULUIS"
ES = load_texts("es")
WAY_OUT = f"`BETO_BASE={BASES_WITHOUT_HUB[0]}`"


@pytest.fixture
def dispatch(inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]) -> Callable[..., Any]:
    return dispatcher(inside, store, tmp_path, published)


def command(words: str) -> dict[str, Any]:
    return {
        "command": "/beto", "text": words, "team_id": TEAM, "channel_id": CHANNEL, "user_id": LUIS,
        "trigger_id": f"17.{words}", "response_url": "http://127.0.0.1:1/",
    }  # fmt: skip


def event(**fields: Any) -> dict[str, Any]:
    return {"type": "event_callback", "team_id": TEAM, "api_app_id": "A1", "event": {"channel": CHANNEL, "user": LUIS, **fields}}


def fail(store: Store, failure: Failure, times: int = 1) -> None:
    """The first training failed so often."""
    for _ in range(times):
        run_id, _ = store.runs.open("beto")
        store.runs.start(run_id, "somebody")
        store.runs.close(run_id, "somebody", "failed", error="ValueError: <nada>\nTraceback", failure=failure)


def seen_by_luis(slack: SimulatorThread, channel: str = "atencion") -> list[str]:
    """What was shown in this channel to Luis alone."""
    shown = slack.as_person("luis", lambda luis: luis.messages(channel))
    return [message["text"] for message in shown if message.get("ephemeral")]


async def test_status_tells_every_state_of_the_first_training(dispatch: Callable[..., Any], store: Store) -> None:
    """`/beto estado` said "it is being trained" of a training that had failed for hours."""

    async def said() -> str:
        return str((await dispatch(command("estado"))).body)

    assert ES("first.none") in await said()
    run_id, _ = store.runs.open("beto")
    assert ES("first.queued") in await said()
    store.runs.start(run_id, "somebody")
    store.runs.beat(run_id, "somebody", Progress(stage="preparing"))
    assert ES("first.preparing") in await said()
    store.runs.beat(run_id, "somebody", Progress(stage="preparing", part="words", step=70, steps=1000))
    assert (
        "cuento las palabras de los mensajes de los que aprende mi primera versión y voy por el 7\N{NO-BREAK SPACE}%"
        in await said()
    )
    store.runs.beat(run_id, "somebody", Progress(stage="preparing", part="reading", step=40, steps=100))
    assert "leo los mensajes de los que aprende mi primera versión y voy por el 40\N{NO-BREAK SPACE}%" in await said()
    store.runs.beat(run_id, "somebody", Progress(stage="training", step=30, steps=100))
    assert "voy por el 30\N{NO-BREAK SPACE}%" in await said()
    store.runs.cancel(run_id, "U0SIMUANA")
    store.runs.close(run_id, "somebody", "cancelled")
    assert "<@U0SIMUANA> canceló" in await said()
    fail(store, "base")
    told = await said()
    assert ES("first.failed_base") in told
    assert WAY_OUT in told
    assert "En este canal: etiqueto lo que me piden" in told
    assert "0 mensajes guardados · esperan etiquetas: 0" in told


async def test_a_failure_is_told_with_when_it_is_tried_again_and_at_last_that_it_is_not(
    dispatch: Callable[..., Any], store: Store
) -> None:
    """Who waits wants to know for what."""
    fail(store, "other")
    told = str((await dispatch(command("estado"))).body)
    assert "Lo que falló: ValueError: &lt;nada&gt;\nLo intento otra vez a las <!date^" in told
    assert "Traceback" not in told
    with store.database.writing() as connection:
        connection.execute(runs.update().values(beat_at=now() - timedelta(hours=1)))
    fail(store, "killed", times=len(RETRY_FIRST_AFTER_S))
    told = str((await dispatch(command("status"))).body)
    assert "murió 1 veces, casi siempre por falta de memoria" in told
    assert ES("first.no_more") in told


async def test_a_text_to_classify_is_told_why_not_and_kept_only_where_an_answer_will_come(
    dispatch: Callable[..., Any], store: Store, published: list[str]
) -> None:
    """`/beto clasifica` answered nothing at all."""
    run_id, _ = store.runs.open("beto")
    assert str((await dispatch(command("clasifica perdí la tarjeta"))).body) == ES("first.queued")
    assert store.messages.counts()["prediction"] == 1
    assert published == ["worker.classify"]
    store.runs.start(run_id, "somebody")
    store.runs.close(run_id, "somebody", "failed", error="no hub", failure="base")
    assert ES("first.failed_base") in str((await dispatch(command("clasifica otra cosa"))).body)
    assert store.messages.counts()["prediction"] == 1


async def test_a_mention_and_a_direct_message_are_told_why_nothing_comes_and_others_talk_undisturbed(
    dispatch: Callable[..., Any], store: Store, inside: SimulatorThread
) -> None:
    """Somebody asked, so they are answered, once and alone; a channel that is only watched is not filled with excuses."""
    fail(store, "base")
    store.channels.set_mode(CHANNEL, "auto")
    for _ in range(2):  # `app_mention` and `message` are twins
        await dispatch(event(type="message", ts="1.000001", text="<@UBETO> perdí la tarjeta", channel_type="channel"))
    await dispatch(event(type="message", ts="1.000002", text="¿almorzamos?", channel_type="channel"))
    told = seen_by_luis(inside)
    assert len(told) == 1
    assert ES("first.failed_base") in told[0]
    direct = inside.as_person("luis", lambda luis: luis.open_dm("beto"))
    await dispatch(event(type="message", ts="1.000003", text="perdí la tarjeta", channel=direct, channel_type="im"))
    assert [ES("first.failed_base") in each for each in seen_by_luis(inside, direct)] == [True]


async def test_watching_a_channel_says_that_nothing_is_labelled_yet(dispatch: Callable[..., Any], store: Store) -> None:
    """ "From now on I label every message" is not so."""
    fail(store, "base")
    said = str((await dispatch(command("watch"))).body)
    assert said.startswith(ES("command.watch"))
    assert ES("first.failed_base") in said


async def test_the_home_tab_begins_with_it_and_with_who_answers_once_a_version_does(
    dispatch: Callable[..., Any], store: Store, inside: SimulatorThread, trained_version: Path
) -> None:
    """Who opens the app looks for what is wrong where it is told what it does."""
    fail(store, "base")

    def home() -> str:
        return str(inside.simulator.apps[0].views.home(LUIS))

    opened = {"type": "app_home_opened", "user": LUIS, "tab": "home"}
    await dispatch(event(**opened))
    assert ES("first.failed_base") in home()
    number = publish_version(store, trained_version)
    store.workers.beat("w", number)
    refit_id = store.refits.claim(number, "what was said", 60)
    assert refit_id is not None
    store.refits.save(refit_id, b"", corrections=12)
    await dispatch(event(**opened))
    assert ES("first.failed_base") not in home()
    assert f"*mini · versión {number} + 12 correcciones* responde desde" in home()


@pytest.mark.parametrize("known", [False, True], ids=["first time", "asked before"])
async def test_the_menu_of_a_message_tells_it_too(
    dispatch: Callable[..., Any], store: Store, inside: SimulatorThread, known: bool
) -> None:
    """ "Its labels are on their way" is not so either."""
    fail(store, "base")
    ts = inside.as_person("ana", lambda ana: ana.message("atencion", "perdí la tarjeta"))
    shortcut = {
        "type": "message_action", "callback_id": "classify_message", "team": {"id": TEAM},
        "user": {"id": LUIS, "team_id": TEAM}, "channel": {"id": CHANNEL}, "trigger_id": "1.1", "api_app_id": "A1",
        "message": {"ts": ts, "text": "perdí la tarjeta", "user": "U0SIMUANA"}, "response_url": "http://127.0.0.1:1/",
    }  # fmt: skip
    for _ in range(1 + known):
        before = len(seen_by_luis(inside))
        await dispatch(shortcut)
    told = seen_by_luis(inside)[before:]
    assert [ES("first.failed_base") in each for each in told] == [True]
