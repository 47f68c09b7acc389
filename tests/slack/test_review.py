"""`/beto revisa`: one message after the other, in a modal that only its reviewer sees; over the wire, on both databases."""

import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.local.ports import free_port
from bot.settings import EVENTS_PATH
from bot.simulator.person import Person
from bot.views import review_blocks
from model.judgements import Gesture, Kind, MessageState
from model.labels import seed_taxonomy
from model.schema import Message, Prediction, Source
from model.store.database import now
from model.store.predictions import NewPrediction
from model.store.reviews import ReviewCard
from model.store.store import Store
from model.store.suspicions import Suspicion
from model.store.tables import outbox, portions, review_cards
from tests.slack.connected import connected
from tests.town import SimulatorThread, until

GENERAL, SECRET_CHANNEL = "C0SIMUGENERAL", "G0SECRETO"
ANA, LUIS, MARIA = "U0SIMUANA", "U0SIMULUIS", "U0SIMUMARIA"
NAMES = seed_taxonomy().names

View = dict[str, Any]


@pytest.fixture(autouse=True)
def no_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which messages come is the score's choice, unless a test wants chance."""
    monkeypatch.setenv("BETO_REVIEW_BLIND_EVERY", "0")


@pytest.fixture
def slack() -> Iterator[SimulatorThread]:
    thread = SimulatorThread(rate_limits=False)
    yield thread
    thread.stop()


@pytest.fixture
def published() -> list[str]:
    return []


@pytest.fixture
def team(slack: SimulatorThread, store: Store, tmp_path: Path, published: list[str]) -> Iterator[SimulatorThread]:
    """A workspace where the bot listens."""
    with connected(slack, store, tmp_path, published):
        yield slack


def wrote(store: Store, number: int, text: str, *, doubt: float = 0.5, channel: str = GENERAL, **more: Any) -> int:
    """A message that the network gives `ahorro`, with this probability."""
    message = Message(channel=channel, ts=f"170000000{number}.000001", user=LUIS, text=text, source=Source.CHANNEL, **more)
    message_id, _ = store.messages.save(message)
    said = Prediction(version=1, base="mini", scores=dict.fromkeys(NAMES, 0.001) | {"ahorro": doubt}, labels=("ahorro",))
    store.predictions.save([NewPrediction(message_id, 1, said, 0.1)])
    return message_id


class Reviewer:
    """What one person sees of the review, and does there."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.changes = person.changes()
        self.view: View = {}

    async def shown(self, words: str) -> View:
        """The review once it shows this."""

        def fits(change: dict[str, Any]) -> bool:
            return change["type"] == "view" and words in json.dumps(change["view"], ensure_ascii=False)

        self.view = dict((await until(self.changes, fits))["view"])
        return self.view

    async def open(self, words: str, word: str = "revisa") -> View:
        assert await self.person.command("general", "/beto", word)
        return await self.shown(words)

    async def press(self, action: str, words: str) -> View:
        [block, *_] = [each for each in self.view["blocks"] if each["type"] == "actions"]
        assert await self.person.action(action, view_id=self.view["id"], block_id=block["block_id"])
        return await self.shown(words)

    async def settle(self, action: str, label: str, words: str) -> View:
        [block] = [each for each in self.view["blocks"] if str(each.get("block_id")).startswith("settle:")]
        assert await self.person.action(action, view_id=self.view["id"], block_id=block["block_id"], value=label)
        return await self.shown(words)

    async def save(self, words: str, *labels: str, note: str = "") -> View:
        assert await self.submit(*labels, note=note)
        return await self.shown(words)

    async def submit(self, *labels: str, note: str = "") -> bool:
        values: dict[str, Any] = {}
        for block in self.view["blocks"]:
            if block["type"] != "input":
                continue
            element = block["element"]
            if element["type"] == "plain_text_input":
                values[block["block_id"]] = {element["action_id"]: {"type": element["type"], "value": note}}
            else:
                chosen = [option for option in element["options"] if option["value"] in labels]
                values[block["block_id"]] = {element["action_id"]: {"type": element["type"], "selected_options": chosen}}
        return await self.person.view_submit(self.view["id"], values)

    @property
    def actions(self) -> set[str]:
        return {each["action_id"] for block in self.view["blocks"] if block["type"] == "actions" for each in block["elements"]}

    @property
    def ticked(self) -> set[str]:
        fields = [block["element"] for block in self.view["blocks"] if block["type"] == "input"]
        return {option["value"] for element in fields for option in element.get("initial_options", ())}


def as_reviewer(team: SimulatorThread, act: Callable[[Reviewer], Awaitable[None]], user: str = "ana") -> None:
    async def visit(person: Person) -> None:
        await act(Reviewer(person))

    team.as_person(user, visit)


def said_of(store: Store, message_id: int) -> list[Gesture]:
    return [each.gesture for each in store.gestures.history(message_id)]


def state_of(store: Store, message_id: int) -> MessageState:
    judged = store.judged.of(message_id, seed_taxonomy())
    assert judged is not None
    return judged.state


def rows_of(store: Store) -> list[Any]:
    with store.database.reading() as connection:
        return list(connection.execute(outbox.select()))


def in_hand(store: Store, user: str) -> ReviewCard:
    card = store.reviews.open_of(user)
    assert card is not None
    return card


def test_what_is_least_sure_comes_first_and_each_answer_brings_the_next(
    team: SimulatorThread, store: Store, published: list[str]
) -> None:
    """Ten judgements should be the ten that teach most; a click and a form say what they say under a reply."""
    sure, doubtful = wrote(store, 1, "Quiero abrir una cuenta", doubt=0.99), wrote(store, 2, "¿Cuánto me pagan?", doubt=0.6)

    async def review(ana: Reviewer) -> None:
        card = await ana.open("¿Cuánto me pagan?")
        assert "*0 de 10 hoy*" in str(card)
        assert "Dudo: Ahorro" in str(card)
        assert ana.ticked == {"ahorro"}
        card = await ana.press(review_blocks.CORRECT_BUTTON, "Quiero abrir una cuenta")
        assert "*1 de 10 hoy*" in str(card)
        last = await ana.save("No queda nada que revisar", "cuenta", note="llamar a a@b.ec")
        assert "Hoy revisaste 2 mensajes" in str(last)

    as_reviewer(team, review)
    [correct], [chosen] = said_of(store, doubtful), said_of(store, sure)
    assert (correct.kind, correct.user, correct.via) == (Kind.CORRECT, ANA, "review")
    assert (chosen.kind, chosen.labels, chosen.via) == (Kind.SET, ("cuenta",), "review")
    assert state_of(store, doubtful).shown == ("ahorro",)
    [note] = [each.note for each in store.gestures.history(sure)]
    assert "a@b.ec" not in str(note)
    assert len(published) == 2  # both replies show it


def test_two_reviewers_never_have_the_same_message_and_what_runs_out_is_given_again(team: SimulatorThread, store: Store) -> None:
    """Two people's time on one message teaches half as much; a modal that somebody forgot keeps nothing from others."""
    first = wrote(store, 1, "¿Cuánto me pagan?")

    async def open_it(reviewer: Reviewer) -> None:
        await reviewer.open("¿Cuánto me pagan?")

    async def find_nothing(reviewer: Reviewer) -> None:
        await reviewer.open("No queda nada que revisar")

    as_reviewer(team, open_it)
    as_reviewer(team, open_it)  # she opens it anew: it is still hers
    as_reviewer(team, find_nothing, "luis")
    with store.database.writing() as connection:
        connection.execute(review_cards.update().values(claimed_until=now() - timedelta(seconds=1)))
    as_reviewer(team, open_it, "luis")
    as_reviewer(team, find_nothing)
    assert in_hand(store, LUIS).message_id == first


def test_a_closed_review_leaves_its_message_to_others(team: SimulatorThread, store: Store) -> None:
    wrote(store, 1, "¿Cuánto me pagan?")

    async def close(ana: Reviewer) -> None:
        view = await ana.open("¿Cuánto me pagan?")
        assert await ana.person.view_close(view["id"])

    async def open_it(luis: Reviewer) -> None:
        await luis.open("¿Cuánto me pagan?")

    as_reviewer(team, close)
    as_reviewer(team, open_it, "luis")


def test_what_is_skipped_does_not_come_back_and_an_undo_takes_back_the_last_word(team: SimulatorThread, store: Store) -> None:
    first, second = wrote(store, 1, "Uno y nada más", doubt=0.5), wrote(store, 2, "Otro bien distinto", doubt=0.9)

    async def review(ana: Reviewer) -> None:
        await ana.open("Uno y nada más")
        await ana.press(review_blocks.SKIP_BUTTON, "Otro bien distinto")
        await ana.save("No queda nada", "cuenta")
        await ana.press(review_blocks.BACK_BUTTON, "Retiré lo que habías dicho")
        assert ana.ticked == {"ahorro"}
        await ana.save("No queda nada", "app")

    as_reviewer(team, review)
    assert said_of(store, first) == []
    state = state_of(store, second)
    assert state.shown == ("app",)
    assert [each.withdrawn for each in said_of(store, second)] == [False, True, False]


def test_a_dispute_comes_before_all_and_only_to_whom_it_is_news(team: SimulatorThread, store: Store) -> None:
    """A third word settles it; those who disagree have said theirs."""
    wrote(store, 1, "¿Cuánto me pagan?")
    disputed = in_dispute(store, 2, "Se tragó mi tarjeta", between=(MARIA, "U0SIMUPEDRO"))

    async def settle(ana: Reviewer) -> None:
        card = await ana.open("Se tragó mi tarjeta")
        assert "Hay desacuerdo sobre Cajero" in str(card)
        assert review_blocks.CORRECT_BUTTON not in ana.actions  # correct would be no answer to it
        assert "Decido" not in str(card)  # she is no lead
        await ana.save("¿Cuánto me pagan?", "cajero")

    async def see(maria: Reviewer) -> None:
        await maria.open("¿Cuánto me pagan?")

    as_reviewer(team, see, "maria")
    store.reviews.end(in_hand(store, MARIA).id, "expired")
    as_reviewer(team, settle)
    assert state_of(store, disputed).labels["cajero"].applies is True


def test_a_note_finds_its_reviewer_once(team: SimulatorThread, store: Store) -> None:
    """The form asks for a note "for whoever reviews it": somebody must."""
    wrote(store, 1, "¿Cuánto me pagan?", doubt=0.99)
    gesture = Gesture(user=LUIS, handle="h", at=1700000009000000, kind=Kind.SET, labels=("app",))
    store.gestures.add(gesture, channel=GENERAL, item_ts="1700000001.000001", note="¿o es cuenta?")

    async def review(ana: Reviewer) -> None:
        card = await ana.open("¿Cuánto me pagan?")
        assert "Alguien dejó una nota" in str(card)
        assert f"<@{LUIS}>: «¿o es cuenta?»" in str(card)
        await ana.press(review_blocks.CORRECT_BUTTON, "No queda nada")

    async def nothing(reviewer: Reviewer) -> None:
        await reviewer.open("No queda nada")

    as_reviewer(team, nothing, "luis")  # his own note
    as_reviewer(team, review)
    as_reviewer(team, nothing)


def test_what_a_reviewer_may_not_read_is_not_shown(team: SimulatorThread, store: Store) -> None:
    """Private channels, direct messages and what somebody asked by a command stay theirs."""
    wrote(store, 1, "de un canal ajeno", channel=SECRET_CHANNEL)
    wrote(store, 2, "escrito al bot", channel="D0ANA")
    message = Message(channel=GENERAL, ts="command-1", user=LUIS, text="solo para mí", source=Source.COMMAND)
    store.messages.save(message)
    wrote(store, 3, "borrado")
    store.messages.delete(GENERAL, "1700000003.000001")

    async def nothing(ana: Reviewer) -> None:
        await ana.open("No queda nada")

    as_reviewer(team, nothing)


def test_guests_do_not_review(team: SimulatorThread, store: Store) -> None:
    wrote(store, 1, "¿Cuánto me pagan?")

    async def refused(ana: Reviewer) -> None:
        card = await ana.open("no sus invitados")
        assert "¿Cuánto me pagan?" not in str(card)

    as_reviewer(team, refused, "carlos")


def test_a_random_card_shows_no_labels_and_is_measured_as_blind(
    slack: SimulatorThread, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads labels tends to agree with them: what is said without them says how often they are right."""
    monkeypatch.setenv("BETO_REVIEW_BLIND_EVERY", "1")
    wrote(store, 1, "¿Cuánto me pagan?")

    async def review(ana: Reviewer) -> None:
        await ana.open("Elegido al azar")
        assert ana.ticked == set()
        assert review_blocks.CORRECT_BUTTON not in ana.actions
        assert not any(block["type"] == "input" and block["element"]["type"] == "checkboxes" for block in ana.view["blocks"])
        await ana.save("No queda nada", "cuenta")

    with connected(slack, store, tmp_path, []):
        as_reviewer(slack, review)
    [(state, prediction)] = store.judged.said_blind(seed_taxonomy())
    assert (state.shown, prediction.labels) == (("cuenta",), ("ahorro",))


def test_it_works_before_the_first_version(team: SimulatorThread, store: Store) -> None:
    """A team that begins with nothing judges its first messages there."""
    message = Message(channel=GENERAL, ts="1700000001.000001", user=LUIS, text="El primero", source=Source.CHANNEL)
    message_id, _ = store.messages.save(message)

    async def review(ana: Reviewer) -> None:
        await ana.open("El primero")
        assert review_blocks.CORRECT_BUTTON not in ana.actions
        await ana.save("No queda nada", "cuenta")

    as_reviewer(team, review)
    assert [each.labels for each in said_of(store, message_id)] == [("cuenta",)]


def test_what_somebody_said_meanwhile_is_shown_and_not_overwritten(team: SimulatorThread, store: Store) -> None:
    message_id = wrote(store, 1, "¿Cuánto me pagan?")

    async def review(ana: Reviewer) -> None:
        await ana.open("¿Cuánto me pagan?")
        gesture = Gesture(user=LUIS, handle="h", at=1700000009000000, kind=Kind.SET, labels=("app",))
        store.gestures.add(gesture, channel=GENERAL, item_ts="1700000001.000001")
        await ana.press(review_blocks.CORRECT_BUTTON, "Mientras tanto alguien cambió")
        assert len(said_of(store, message_id)) == 1
        await ana.press(review_blocks.CORRECT_BUTTON, "No queda nada")

    as_reviewer(team, review)
    assert state_of(store, message_id).labels["app"].yes == (ANA, LUIS)


def test_the_home_tab_opens_the_review_and_a_slip_of_the_pen_is_forgiven(team: SimulatorThread, store: Store) -> None:
    wrote(store, 1, "¿Cuánto me pagan?")

    async def visit(ana: Reviewer) -> None:
        await ana.person.home()
        opens = review_blocks.OPEN_BUTTON
        home = (await until(ana.changes, lambda change: change["type"] == "home" and opens in str(change)))["view"]
        [block, *_] = [each for each in home["blocks"] if review_blocks.OPEN_BUTTON in str(each)]
        assert await ana.person.action(review_blocks.OPEN_BUTTON, view_id=home["id"], block_id=block["block_id"])
        await ana.shown("¿Cuánto me pagan?")
        assert await ana.person.command("general", "/beto", "revsa")
        told = await until(ana.changes, lambda change: "revsa" in str(change))
        assert "`/beto revisa`" in str(told)

    as_reviewer(team, visit)


def test_erasure_takes_the_cards_along(store: Store) -> None:
    """Who reviewed what is about people too."""
    first, second = wrote(store, 1, "Uno"), wrote(store, 2, "Dos")
    for message_id, user in ((first, ANA), (second, ANA), (second, LUIS)):
        found = next(each for each in store.reviews.candidates(user, 10) if each.message_id == message_id)
        card = store.reviews.claim(found, user, blind=False)
        assert card is not None
        store.reviews.end(card.id, "skipped")
    store.erasure.execute(store.erasure.create_request(by="x", message_id=first))
    store.erasure.execute(store.erasure.create_request(by="x", user=ANA))
    with store.database.reading() as connection:
        assert [(row.message_id, row.user) for row in connection.execute(review_cards.select())] == [(second, LUIS)]


def in_dispute(store: Store, number: int, text: str, *, between: tuple[str, str] = (LUIS, "U0SIMUPEDRO")) -> int:
    """A message on whose `cajero` these two differ, and whose thread was asked about it."""
    message_id = wrote(store, number, text, doubt=0.99)
    for user, labels in zip(between, (("cajero",), ()), strict=True):
        gesture = Gesture(user=user, handle=f"h{user}", at=1700000009000000, kind=Kind.SET, labels=labels)
        store.gestures.add(gesture, channel=GENERAL, item_ts=f"170000000{number}.000001")
    store.outbox.claim(f"reply:{message_id}", "o", 60)
    store.outbox.record(f"reply:{message_id}", "o", wanted=4, ts="1700000009.000002", questions={"cajero": "x"})
    return message_id


def test_a_lead_settles_a_dispute_whatever_the_majority_says_and_those_who_spoke_are_told(
    team: SimulatorThread, store: Store, published: list[str]
) -> None:
    """Somebody answers for what the bot learns; those who said otherwise must hear it, and an undo leaves it open again."""
    disputed = in_dispute(store, 1, "Se tragó mi tarjeta")

    async def settle(luis: Reviewer) -> None:
        card = await luis.open("Se tragó mi tarjeta")
        assert "Decido: no lleva Cajero" in str(card)
        await luis.settle(review_blocks.SETTLE_NO_BUTTON, "cajero", "No queda nada")
        label = state_of(store, disputed).labels["cajero"]
        assert (label.status, label.applies, label.settled_by) == ("rejected", False, LUIS)
        later = Gesture(user=ANA, handle="later", at=2 * 10**15, kind=Kind.SET, labels=("cajero",))
        store.gestures.add(later, channel=GENERAL, item_ts="1700000001.000001")
        assert state_of(store, disputed).labels["cajero"].applies is False
        await luis.press(review_blocks.BACK_BUTTON, "Retiré lo que habías dicho")
        assert state_of(store, disputed).labels["cajero"].settled_by == ""

    as_reviewer(team, settle, "luis")  # he is one of the two, and a lead
    [told] = [row for row in rows_of(store) if row.kind == "announcement"]
    assert (told.channel, told.thread_ts, told.content["text"]) == (GENERAL, "1700000001.000001", "lead.settled_no")
    assert told.content["values"]["people"] == "<@U0SIMUPEDRO>"
    assert "bot.deliver" in published


def test_what_looks_wrong_is_a_question_asked_once_and_changes_nothing_by_itself(team: SimulatorThread, store: Store) -> None:
    """Old mistakes teach for ever; who answers may as well say that all is right."""
    message_id = wrote(store, 1, "¿Cuánto me pagan?")
    gesture = Gesture(user=LUIS, handle="h", at=1700000009000000, kind=Kind.SET, labels=("app",))
    store.gestures.add(gesture, channel=GENERAL, item_ts="1700000001.000001")
    store.suspicions.replace([Suspicion(message_id, "app", True, 0.1), Suspicion(message_id, "ahorro", True, 0.2)])

    async def answer(ana: Reviewer) -> None:
        card = await ana.open("¿Cuánto me pagan?")
        assert "dijeron que lleva App" in str(card)
        assert "lleva Ahorro" not in card["blocks"][2]["elements"][0]["text"]  # nobody says that any more
        assert state_of(store, message_id).shown == ("app",)
        await ana.press(review_blocks.CORRECT_BUTTON, "No queda nada")

    async def nothing(reviewer: Reviewer) -> None:
        await reviewer.open("No queda nada")

    as_reviewer(team, answer)
    assert state_of(store, message_id).labels["app"].yes == (ANA, LUIS)
    as_reviewer(team, nothing)
    as_reviewer(team, nothing, "luis")


def test_over_signed_http_a_review_goes_the_same_way(store: Store, tmp_path: Path, published: list[str]) -> None:
    """Opening, judging, skipping and taking back: not every team lets a socket out."""
    first, second = wrote(store, 1, "Uno y nada más", doubt=0.5), wrote(store, 2, "Otro bien distinto", doubt=0.9)
    port = free_port()
    http = SimulatorThread(events_url=f"http://127.0.0.1:{port}{EVENTS_PATH}", rate_limits=False)

    async def review(ana: Reviewer) -> None:
        await ana.open("Uno y nada más")
        await ana.press(review_blocks.SKIP_BUTTON, "Otro bien distinto")
        await ana.press(review_blocks.CORRECT_BUTTON, "No queda nada")
        await ana.press(review_blocks.BACK_BUTTON, "Retiré lo que habías dicho")
        view = await ana.save("No queda nada", "app", note="¿o cuenta?")
        assert await ana.person.view_close(view["id"])

    try:
        with connected(http, store, tmp_path, published, port=port):
            as_reviewer(http, review)
    finally:
        http.stop()
    assert said_of(store, first) == []
    assert state_of(store, second).shown == ("app",)
    assert store.gestures.history(second)[-1].note == "¿o cuenta?"


def test_an_hour_behind_the_word_has_the_review_come_daily(team: SimulatorThread, store: Store) -> None:
    """In one's own direct messages; a channel's is for leads, and what is no hour gets a sentence."""

    async def ask(reviewer: Reviewer, words: str, told: str) -> None:
        assert await reviewer.person.command("general", "/beto", words)
        await until(reviewer.changes, lambda change: told in str(change))

    async def choose(ana: Reviewer) -> None:
        await ask(ana, "revisa a las 9", "cada día a las 9:00, por privado")
        await ask(ana, "review at 25", "Escribe una hora")
        await ask(ana, "revisa canal 9", "quienes responden de la revisión")
        await ask(ana, "revisa nunca", "Ya no te recuerdo la revisión")

    async def for_all(luis: Reviewer) -> None:
        await ask(luis, "revisa canal a las 8", "Lo recordaré aquí cada día a las 8:00")

    as_reviewer(team, choose)
    as_reviewer(team, for_all, "luis")
    found = store.portions.get(GENERAL)
    assert found is not None
    assert (found.user, found.hour) == (LUIS, 8)
    with store.database.reading() as connection:
        assert [row.channel for row in connection.execute(portions.select())] == [GENERAL]
