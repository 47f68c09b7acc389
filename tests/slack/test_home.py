"""The Home tab and `/beto cifras`: a place to work from, and numbers with what they are of; over the wire, on both databases."""

import json
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.person import Person
from bot.views import home_blocks, review_blocks
from bot.views.figure_blocks import SEND_BUTTON, bars
from bot.views.home_blocks import Workplace, home
from bot.views.texts import load_texts
from model.judgements import Gesture, Kind
from model.labels import Label, Taxonomy
from model.schema import Message, Prediction, Source
from model.store.predictions import NewPrediction
from model.store.standing import Standing
from model.store.store import Store
from model.store.tables import messages, outbox
from tests.slack.connected import connected
from tests.town import SimulatorThread, publish_version, until

GENERAL, ANA, LUIS = "C0SIMUGENERAL", "U0SIMUANA", "U0SIMULUIS"
View = dict[str, Any]


@pytest.fixture
def slack() -> Iterator[SimulatorThread]:
    thread = SimulatorThread(rate_limits=False)
    yield thread
    thread.stop()


@pytest.fixture
def team(slack: SimulatorThread, store: Store, tmp_path: Path) -> Iterator[SimulatorThread]:
    """A workspace where the bot listens; Luis may retrain."""
    with connected(slack, store, tmp_path, []):
        yield slack


def came(store: Store, number: int, *said: tuple[str, tuple[str, ...]]) -> None:
    """A message of a moment ago that is given `tarjeta`, of which these people said this."""
    ts = f"{int(time.time())}.{number:06}"
    message_id, _ = store.messages.save(Message(channel=GENERAL, ts=ts, user=LUIS, text=f"texto {number}", source=Source.CHANNEL))
    answer = Prediction(version=1, base="mini", scores={"tarjeta": 0.9}, labels=("tarjeta",))
    store.predictions.save([NewPrediction(message_id, 1, answer, 0.1)])
    for user, labels in said:
        gesture = Gesture(user=user, handle=user, at=time.time_ns() // 1000, kind=Kind.SET, labels=labels)
        store.gestures.add(gesture, channel=GENERAL, item_ts=ts)
    stored, judged = store.messages.get(message_id), store.judged.of(message_id, store.labels.current())
    assert stored is not None
    assert judged is not None
    store.standings.keep_new([(stored, Standing.of(stored, judged.state))])


def visit(team: SimulatorThread, user: str, act: Callable[[Person, Any], Awaitable[None]]) -> None:
    async def go(person: Person) -> None:
        await act(person, person.changes())

    team.as_person(user, go)


async def tab(person: Person, changes: Any, words: str = "") -> View:
    """Their tab, once it says this: one that was shown before stands there until the next comes."""
    await person.home()
    return dict((await until(changes, lambda change: change["type"] == "home" and words in str(change)))["view"])


def actions(view: View) -> set[str]:
    return {each["action_id"] for block in view["blocks"] if block["type"] == "actions" for each in block["elements"]}


def test_it_tells_the_team_s_week_and_whoever_looks_their_part(
    team: SimulatorThread, store: Store, trained_version: Path
) -> None:
    publish_version(store, trained_version)
    came(store, 1)
    came(store, 2, (ANA, ("app",)))
    came(store, 3, (ANA, ("tarjeta",)), (LUIS, ("tarjeta",)))

    async def look(ana: Person, changes: Any) -> None:
        shown = json.dumps(await tab(ana, changes), ensure_ascii=False)
        assert "*3 mensajes*, 0 sin etiqueta. Juzgaron 2, y en 1 cambiaron las etiquetas." in shown
        assert "El equipo dijo 3 cosas de ellas; tú, 2." in shown
        assert "La versión elegida es la 1" in shown  # no process serves it here
        assert "Acierta todas las etiquetas en unos" in shown
        assert "No te espera nada" in shown

    visit(team, "ana", look)


def test_everybody_finds_the_buttons_for_what_they_may(team: SimulatorThread, trained_version: Path, store: Store) -> None:
    """A button that only says no is worse than none."""
    publish_version(store, trained_version)
    everybodys = {home_blocks.LABELS_BUTTON, home_blocks.FIGURES_BUTTON}
    expected = {
        "carlos": everybodys,
        "ana": everybodys | {review_blocks.OPEN_BUTTON},
        "luis": everybodys | {review_blocks.OPEN_BUTTON, home_blocks.RETRAIN_BUTTON},
    }
    for user, buttons in expected.items():

        async def look(person: Person, changes: Any, buttons: set[str] = buttons) -> None:
            assert actions(await tab(person, changes)) == buttons

        visit(team, user, look)


def test_a_retraining_begun_there_is_told_there_and_in_a_direct_message(
    team: SimulatorThread, store: Store, trained_version: Path
) -> None:
    publish_version(store, trained_version)

    async def retrain(luis: Person, changes: Any) -> None:
        view = await tab(luis, changes)
        block = next(each for each in view["blocks"] if each["type"] == "actions")
        await luis.action(home_blocks.RETRAIN_BUTTON, view_id=view["id"], block_id=block["block_id"])
        shown = await until(changes, lambda change: change["type"] == "home" and "En cola" in str(change))
        assert home_blocks.RETRAIN_BUTTON not in actions(dict(shown["view"]))

    visit(team, "luis", retrain)
    run = store.runs.last()
    assert run is not None
    assert (run.requested_by, str(run.channel)[0]) == (LUIS, "D")


def test_what_waits_for_a_word_of_theirs_is_counted_where_they_read(team: SimulatorThread, store: Store) -> None:
    """A dispute that they have not spoken on; not one of a channel that is closed to them."""
    came(store, 1, (ANA, ("app",)), (LUIS, ("cuenta",)))
    with store.database.writing() as connection:
        row = outbox.insert().values(
            key="question:1:app", kind="question", message_id=1, channel=GENERAL, state="shown", wanted=1
        )
        connection.execute(row)

    async def one(maria: Person, changes: Any) -> None:
        await tab(maria, changes, "Un mensaje con desacuerdo o con una nota")

    visit(team, "maria", one)
    with store.database.writing() as connection:
        connection.execute(messages.update().values(channel="G0SECRETO"))

    async def none(maria: Person, changes: Any) -> None:
        await tab(maria, changes, "No te espera nada")

    visit(team, "maria", none)


def test_figures_say_of_how_many_they_are_in_the_reader_s_language(
    team: SimulatorThread, store: Store, trained_version: Path
) -> None:
    version = publish_version(store, trained_version)
    workspace = team.simulator.workspace
    workspace.users[ANA] = replace(workspace.users[ANA], locale="en-US")
    came(store, 1, (ANA, ()))
    came(store, 2, (ANA, ("tarjeta",)))
    came(store, 3)

    async def look(ana: Person, changes: Any) -> None:
        assert await ana.command("general", "/beto", "cifras")
        change = await until(changes, lambda change: change["type"] == "view" and "By weeks" in str(change))
        shown = json.dumps(change["view"], ensure_ascii=False)
        assert "*3 messages* · without a label 1 of 3 (33%) · 1 corrected of 2 that were judged (50%)" in shown
        assert "There is no retraining to tell of yet." in shown
        assert f"*Calibration* of version {version}" in shown
        assert "Card" in shown

    visit(team, "ana", look)


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("refused", [False, True])
def test_whoever_wants_the_figures_as_charts_has_them_in_a_message_of_their_own(
    team: SimulatorThread, store: Store, trained_version: Path, refused: bool
) -> None:
    """A modal takes no charts; where the workspace takes none at all, the message has what the screen has."""
    publish_version(store, trained_version)
    came(store, 1, (ANA, ("tarjeta",)))
    if refused:
        team.simulator.faults.fail_next("chat.postMessage", "invalid_blocks")

    async def send(ana: Person, changes: Any) -> None:
        assert await ana.command("general", "/beto", "cifras")
        shown = await until(changes, lambda change: change["type"] == "view" and SEND_BUTTON in str(change))
        assert await ana.action(SEND_BUTTON, view_id=shown["view"]["id"])
        post = await until(changes, lambda change: change["type"] == "message" and "Cifras" in str(change.get("message")))
        types = [block["type"] for block in post["message"]["blocks"]]
        charts = ["data_visualization", "data_table", "data_visualization"]
        assert types == ["section", *(["section"] * 2 if refused else charts)]
        assert str(post["channel"]).startswith("D")
        assert "Tarjeta" in str(post["message"]["blocks"])
        await until(changes, lambda change: change["type"] == "view" and "Te lo mandé" in str(change))

    visit(team, "ana", send)


def test_weeks_are_drawn_beside_each_other() -> None:
    assert bars([0, 1, 4, 8]) == "·▂▅█"
    assert bars([0, 0]) == "··"
    assert bars([]) == ""


@pytest.mark.parametrize("labels", [0, 1, 1000])
def test_slack_takes_the_tab_however_many_labels_there_are(labels: int) -> None:
    made = Taxonomy(tuple(Label(name=f"l{n}", title=f"T{n}", title_en=f"T{n}", emoji="", description="x") for n in range(labels)))
    assert len(home(Workplace(), made, load_texts("es"), "beto")["blocks"]) <= 100
