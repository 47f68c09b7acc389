"""From forty corrections to a version that has learnt from them, and back: over signed HTTP and PostgreSQL, all real."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from selenium.webdriver import Keys

from bot.local.running import read_health
from bot.simulator.person import Person
from model.serving import classifier
from model.store.runs import Run, Runs
from tests.conftest import missing
from tests.journeys.browser import THREAD, Window, complaints, installed, running_browser
from tests.learning.cheques import CORRECTED, EMOJI, LABEL, UNSEEN, train_beginner
from tests.outbox_rows import is_told, report_ts
from tests.town import Town, running_town, until, wait_until, watch_channel

TEAM, CHANNEL = "T0SIMULADOR", "C0SIMUATENCION"
TRAINED_WITHIN_S = 600


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, postgres_server: str) -> Iterator[Town]:
    """A town with a trainer, whose people have corrected forty messages on a topic that version 1 does not know."""
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute("create database school")
    url = f"{postgres_server}/school".replace("postgresql://", "postgresql+psycopg://")
    beginner = train_beginner(tmp_path_factory.mktemp("beginner") / "version")
    with running_town(tmp_path_factory.mktemp("school"), url, beginner, http=True, trainer=True) as town:
        asyncio.run(_correct(town))
        yield town


async def _correct(town: Town) -> None:
    async with Person(town.url, "ana") as ana, Person(town.url, "luis") as luis:
        await ana.invite("atencion", town.slack.workspace.bot_user_id)
        await watch_channel(ana, "atencion")
        for number, text in enumerate(CORRECTED):
            ts = await luis.message("atencion", text)
            reply = await luis.wait_for_reply("atencion", ts, 30)
            await (ana, luis)[number % 2].react("atencion", str(reply["ts"]), EMOJI)


@pytest.fixture
async def ana(school: Town) -> AsyncIterator[Person]:
    """An admin."""
    async with Person(school.url, "ana") as person:
        yield person


async def labels_of(person: Person, text: str) -> str:
    ts = await person.message("atencion", text)
    return str((await person.wait_for_reply("atencion", ts, 60))["text"])


async def said(person: Person, words: str) -> str:
    """What `/beto words` answers in private."""
    changes = person.changes()
    assert await person.command("atencion", "/beto", words)
    change = await until(changes, lambda change: change["type"] == "message" and change["message"].get("ephemeral"))
    changes.close()
    return str(change["message"]["text"])


async def status_message(person: Person, runs: Runs, run_id: int) -> dict[str, object]:
    run = runs.get(run_id)
    return next(message for message in await person.messages("atencion") if message["ts"] == run.status_ts)


async def wait(true: Callable[[], object], timeout_s: float, what: str) -> None:
    """As `wait_until`, while the person's own socket is read: the simulator takes who does not answer for one who has left."""
    await asyncio.to_thread(wait_until, true, timeout_s, what)


def knows(school: Town, number: int) -> int:
    """How many of the unseen messages this version labels as they were taught, without what it learnt at once since."""
    version = school.store.registry.get(number)
    assert version is not None
    return sum(LABEL in each.labels for each in classifier.load(version.folder, device="cpu").predict(UNSEEN))


def serves(school: Town, number: int) -> bool:
    """Whether the worker says that it serves this version."""
    health = read_health(school.processes["worker"].port)
    return health is not None and health["serving"] == number


async def test_only_those_who_may_retrain_and_go_back(school: Town) -> None:
    before = school.store.runs.last()
    async with Person(school.url, "luis") as luis:
        for words in ("reentrena", "vuelve"):
            assert "Solo puede hacerlo quien administra" in await said(luis, words)
    assert school.store.runs.last() == before


async def test_a_run_is_cancelled_by_its_button(school: Town, ana: Person) -> None:
    """Within a step, and what was being built is gone."""
    runs = school.store.runs
    assert await ana.command("atencion", "/beto", "reentrena --prueba")  # trains also where there is nothing new
    run_id = runs.last().id
    await wait(lambda: (run := runs.get(run_id)).progress and run.progress.stage == "training", TRAINED_WITHIN_S, "it trains")
    assert "Ya hay un reentrenamiento en marcha: <http" in await said(ana, "reentrena")
    message = await status_message(ana, runs, run_id)
    assert await ana.action("run_cancel", channel=CHANNEL, ts=message["ts"])
    await wait(lambda: runs.get(run_id).status == "cancelled", 10, "it is cancelled")
    await wait(lambda: not list((school.machine.home / "versions").glob("run-*")), 10, "nothing is left of it")
    await wait(lambda: is_told(school.store, run_id), 10, "all is told")
    message = await status_message(ana, runs, run_id)
    assert "<@U0SIMUANA> lo canceló" in message["text"]
    assert "run_cancel" not in str(message["blocks"])


@dataclass(frozen=True)
class Lesson:
    """What was seen while a version was made of the forty corrections, the first time."""

    live_before: int
    stages: set[str]  # of the status message
    status_ts: str
    run: Run


@pytest.fixture(scope="module")
def lesson(school: Town) -> Lesson:
    """`/beto reentrena`, until all of it is told; what it made is live."""
    return asyncio.run(_teach(school))


async def _teach(school: Town) -> Lesson:
    """From the word to the report. One status message is redrawn meanwhile."""
    runs, registry = school.store.runs, school.store.registry
    stages: set[str] = set()
    async with Person(school.url, "ana") as ana:
        live_before = registry.live().number
        changes = ana.changes()
        assert await ana.command("atencion", "/beto", "reentrena")
        first = await until(
            changes, lambda change: change["type"] == "message" and "Reentrenamiento n.º" in change["message"]["text"]
        )
        status_ts = str(first["message"]["ts"])
        async with asyncio.timeout(TRAINED_WITHIN_S):
            async for change in changes:
                if change["type"] == "message_changed" and change["message"]["ts"] == status_ts:
                    text = change["message"]["text"]
                    stages |= {stage for stage in ("Reúno", "Entreno", "Listo") if stage in text}
                    if "Listo" in text:
                        break
    run = runs.last()
    await wait(lambda: is_told(school.store, run.id), 20, "the report is posted")
    return Lesson(live_before, stages, status_ts, run)


async def go_live(school: Town, ana: Person, number: int) -> None:
    """This version answers from now on, whichever did before."""
    if school.store.registry.live().number != number:
        assert f"Desde ahora responde la versión {number}" in await said(ana, f"vuelve {number}")
    await wait(lambda: serves(school, number), 20, f"version {number} serves")


async def test_forty_corrections_teach_a_topic_and_going_back_forgets_it(school: Town, ana: Person, lesson: Lesson) -> None:
    """The product's second promise, from `/beto reentrena` to the labels of the next message."""
    registry = school.store.registry
    assert knows(school, lesson.live_before) < len(UNSEEN) / 2

    # One status message, redrawn; then the report in its thread, with its chart and its buttons.
    assert {"Entreno", "Listo"} <= lesson.stages
    thread = await ana.messages("atencion", lesson.status_ts)
    assert [block["type"] for block in thread[1]["blocks"]] == ["data_visualization", "data_table"]
    report = next(message for message in thread if message["ts"] == report_ts(school.store, lesson.run.id))
    assert "40 de ellos corregidos por el equipo (2" in str(report["blocks"])
    assert f"40 de esas correcciones son nuevas desde la versión {lesson.live_before}" in str(report["blocks"])
    assert "Gracias, <@U0SIMU" in str(report["blocks"])
    assert "Veredicto: mejor" in str(report["blocks"])
    assert "Cambiarían estas etiquetas recientes" in str(report["blocks"])
    made = lesson.run.report.version
    await go_live(school, ana, made)
    assert LABEL in registry.live().card.labels
    assert registry.live().card.parent == lesson.live_before

    # The same kind of message is right now, by the version itself; the one before has only what it learnt at once.
    assert knows(school, made) == len(UNSEEN)
    after = [await labels_of(ana, f"{text} por favor") for text in UNSEEN]
    assert sum("Cuenta" in labels for labels in after) == len(UNSEEN)
    assert f"Desde ahora responde la versión {lesson.live_before} (mini)" in await said(ana, f"vuelve {lesson.live_before}")
    await wait(lambda: serves(school, lesson.live_before), 20, "the version before serves")
    versions = await said(ana, "versiones")
    assert f":large_green_circle: *{lesson.live_before}*" in versions
    assert f":white_circle: *{made}*" in versions


async def test_nothing_new_to_learn_is_said_and_makes_no_version(school: Town, ana: Person, lesson: Lesson) -> None:
    """The version of the lesson has learnt all of it already."""
    runs, registry = school.store.runs, school.store.registry
    await go_live(school, ana, lesson.run.report.version)
    versions = registry.all()
    assert await ana.command("atencion", "/beto", "reentrena")
    run_id = runs.last().id
    await wait(lambda: runs.get(run_id).over, 60, "it is over")
    await wait(lambda: is_told(school.store, run_id), 20, "all is told")
    assert "no hay nada nuevo que aprender" in (await status_message(ana, runs, run_id))["text"]
    assert len(registry.all()) == len(versions)
    await go_live(school, ana, lesson.live_before)


@pytest.fixture
def window(school: Town, tmp_path: Path) -> Iterator[Window]:
    """Ana's, on no page yet. What the page complained of in its console fails the test."""
    if (paths := installed()) is None:
        missing("Chromium")
    with running_browser(*paths, tmp_path / "profile") as chrome:
        yield Window(chrome, school.url)
        assert complaints(chrome) == []


def test_a_rehearsal_in_the_browser_is_promoted_by_its_button_and_taken_back(school: Town, window: Window) -> None:
    """From a tap on an emoji to a version that answers, by somebody who never sees a terminal."""
    runs, registry = school.store.runs, school.store.registry
    before = registry.live().number
    window.resize(1280, 900)
    window.open("ana", "atencion")
    text = f"{UNSEEN[0]}, ¿me ayudan?"
    window.write(text)
    message = window.message(text)
    window.react(window.labelled(message), "bank")

    # Its progress on the page, then the report in the thread.
    earlier = 0 if (last := runs.last()) is None else last.id
    window.write("/beto reentrena --prueba")
    run = window.until(lambda: (run := runs.last()) and run.id > earlier and run, "the run is asked for")
    status = window.message(f"Reentrenamiento n.º {run.id} · lo pidió @ana · prueba: no cambiará nada")
    window.until(lambda: "%" in window.see(status), "a step that goes on", timeout_s=120)
    window.until(lambda: "Listo" in window.see(status), "the end of the run", timeout_s=TRAINED_WITHIN_S)
    window.until(lambda: is_told(school.store, run.id), "the report is posted", timeout_s=20)
    window.click(f"{status} [data-testid=replies]")
    window.see(THREAD, "Veredicto")
    window.see(f"{THREAD} .data_visualization", "F1")
    if folder := os.environ.get("BETO_SHOTS"):
        window.chrome.save_screenshot(f"{folder}/report.png")

    # Details, promotion by the button, and back by a word.
    report = f'{THREAD} [data-ts="{report_ts(school.store, run.id)}"]'
    window.click(f"{report} [data-action-id=run_details]")
    window.see("[data-testid=modal]", "parent: ")
    window.press(Keys.ESCAPE)
    window.see_none("[data-testid=modal]")
    window.click(f"{report} [data-action-id=run_promote]")
    if runs.get(run.id).report.found_worse:  # asked about first
        window.click("[data-testid=confirm-yes]")
    window.see(report, "la puso a responder")
    assert registry.live().number == runs.get(run.id).report.version != before
    window.see_none(f"{report} [data-action-id=run_promote]")
    window.write("/beto vuelve")
    window.until(lambda: registry.live().number == before, "the version before answers")
    window.see(report, "Ya no responde")
    window.message(f"Desde ahora responde la versión {before}")

    # What she taught is taken back: the other tests count the corrections.
    window.click(f"{message} [data-testid=replies]")
    window.click(f"{THREAD} [data-testid=reaction].mine")
    window.see_none(f"{THREAD} [data-testid=reaction].mine")
