"""Who may do what, as one table: `pytest -s` prints it. What is refused changes nothing, and whoever asked is told."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.workspace import User
from bot.slack.listeners.corrections import fingerprint
from bot.views import label_blocks, reply_blocks, review_blocks, route_blocks
from bot.views.texts import load_texts
from model.judgements import Gesture, Kind
from model.labels import LabelEvent
from model.routes import Route
from model.store.reviews import Candidate, Reason
from model.store.store import Store
from tests.slack.dispatching import a_context, dispatcher, published, slack
from tests.slack.telling import PUBLIC, REPLY_TS, TS, Told, a_base, a_command, button, rooms, store, told

__all__ = ["published", "rooms", "slack", "store", "told"]

TEXTS = load_texts("es")
# Judges are named, and so are leads; nobody is named to train or to change labels, so that is the admins'.
PEOPLE = {
    "guest": "U0SIMUCARLOS", "member": "U0SIMULUIS", "judge": "U0SIMUMARIA", "lead": "U0SIMUPEDRO", "admin": "U0SIMUANA",
}  # fmt: skip
SETTINGS = {"BETO_JUDGES": "U0SIMUMARIA,U0SIMUPEDRO,U0SIMUANA", "BETO_LEADS": "U0SIMUPEDRO,U0SIMUANA"}
OTHER = "U0SIMUBETO"
TABLE = """
                                guest   member  judge   lead    admin
read the labels                 yes     yes     yes     yes     yes
read the guide                  yes     yes     yes     yes     yes
add a label                     no      no      no      no      yes
change a label                  no      no      no      no      yes
merge labels                    no      no      no      no      yes
retire a label                  no      no      no      no      yes
bring a label back              no      no      no      no      yes
move a label                    no      no      no      no      yes
undo a change of labels         no      no      no      no      yes
keep the shipped labels         no      no      no      no      yes
begin with own labels           no      no      no      no      yes
judge                           no      no      yes     yes     yes
judge by a thumb                no      no      yes     yes     yes
say that a label does not apply no      no      yes     yes     yes
review                          no      no      yes     yes     yes
be reminded of the review       no      no      yes     yes     yes
remind a channel of the review  no      no      no      yes     yes
settle a dispute                no      no      no      yes     yes
see how far people agree        no      no      no      yes     yes
watch a channel                 no      yes     yes     yes     yes
put emoji on messages           no      yes     yes     yes     yes
choose where reactions count    no      yes     yes     yes     yes
choose a channel's labels       no      yes     yes     yes     yes
choose how labels are shown     no      yes     yes     yes     yes
choose its summaries            no      yes     yes     yes     yes
read a channel's summary        no      yes     yes     yes     yes
read the figures                yes     yes     yes     yes     yes
read the routes                 yes     yes     yes     yes     yes
make a route                    no      no      no      no      yes
switch a route on               no      no      no      no      yes
retrain                         no      no      no      no      yes
roll back                       no      no      no      no      yes
choose how long texts are kept  no      no      no      no      yes
forget one's own messages       yes     yes     yes     yes     yes
forget another's messages       no      no      no      no      yes
"""


@dataclass
class Cell:
    """One person about to do one thing."""

    told: Told
    store: Store
    user: str

    @property
    def message(self) -> int:
        found = self.store.messages.find(PUBLIC, TS)
        assert found is not None
        return found.id

    @property
    def said(self) -> str:
        return self.told.text()

    def command(self, words: str) -> dict[str, Any]:
        return a_command(words, self.told, self.user, PUBLIC)

    def submit(self, name: str, metadata: dict[str, Any], **fields: str | dict[str, Any]) -> dict[str, Any]:
        values = {field: {field: {"value": value} if isinstance(value, str) else value} for field, value in fields.items()}
        view = {
            "id": "V2", "root_view_id": "V1", "type": "modal", "callback_id": name, "state": {"values": values},
            "private_metadata": json.dumps(metadata),
        }  # fmt: skip
        return a_base(self.told, self.user) | {"type": "view_submission", "view": view}

    def press(self, action: str, value: str, **metadata: Any) -> dict[str, Any]:
        view = {"id": "V2", "root_view_id": "V1", "type": "modal", "private_metadata": json.dumps(metadata)}
        return a_base(self.told, self.user) | {
            "type": "block_actions", "container": {"type": "view", "view_id": "V2"}, "view": view,
            "actions": [{"type": "button", "action_id": action, "block_id": "b", "action_ts": "1816400009.9", "value": value}],
        }  # fmt: skip

    @property
    def labels(self) -> tuple[str, ...]:
        return self.store.labels.recorded().names


def change(cell: Cell, kind: str, name: str) -> int:
    """Somebody changed the labels before."""
    cell.store.labels.record(LabelEvent.model_validate({"kind": kind, "name": name, "at": 10, "by": "command line"}))
    return cell.store.labels.events()[-1][0]


def take_back_all(cell: Cell) -> None:
    """No label was ever changed."""
    with cell.store.database.writing() as connection:
        connection.exec_driver_sql("delete from label_events")


def a_route(cell: Cell) -> int:
    """Somebody made a route, which is off."""
    return cell.store.routes.add(Route(labels=("app",), channels=(PUBLIC,), emoji="eyes"), by=PEOPLE["admin"], told_in=PUBLIC)


def settling(cell: Cell) -> dict[str, Any]:
    """They have a card in hand on which two people differ."""
    store, taxonomy = cell.store, cell.store.labels.current()
    with store.database.writing() as connection:
        connection.exec_driver_sql("delete from gestures")
    for user, labels in (("U7", ("app",)), ("U8", ())):
        gesture = Gesture(user=user, handle=user, at=1716400001000000, kind=Kind.SET, labels=labels)
        store.gestures.add(gesture, channel=PUBLIC, item_ts=TS)
    with store.database.writing() as connection:
        connection.exec_driver_sql("delete from review_cards")
    card = store.reviews.claim(Candidate(cell.message, Reason.DISPUTE), cell.user, blind=False)
    judged, stored = store.judged.of(cell.message, taxonomy), store.messages.get(cell.message)
    assert card is not None
    assert judged is not None
    assert stored is not None
    seen = fingerprint(judged.state, stored.revision)
    return cell.press(review_blocks.SETTLE_YES_BUTTON, "app", card=card.id, seen=seen)


def is_settled(cell: Cell) -> bool:
    judged = cell.store.judged.of(cell.message, cell.store.labels.current())
    return judged is not None and judged.state.labels["app"].settled_by == cell.user


def refused(*keys: str) -> Callable[[Cell], bool]:
    return lambda cell: not any(TEXTS(key) in cell.said for key in keys)


Act = tuple[Callable[[Cell], dict[str, Any]], Callable[[Cell], bool]]
ACTS: dict[str, Act] = {
    "read the labels": (lambda cell: cell.command("etiquetas"), lambda cell: "Tarjetas de débito" in cell.said),
    "read the guide": (lambda cell: cell.command("guía"), lambda cell: "Tarjetas de débito" in cell.said),
    "add a label": (
        lambda cell: cell.submit(label_blocks.LABEL_VIEW, {}, title="Nómina"), lambda cell: "nomina" in cell.labels
    ),
    "change a label": (
        lambda cell: cell.submit(label_blocks.LABEL_VIEW, {"label": "app"}, title="Aplicación"),
        lambda cell: cell.store.labels.recorded()["app"].title == "Aplicación",
    ),
    "merge labels": (
        lambda cell: cell.submit(label_blocks.MERGE_VIEW, {"label": "comision"}, labels="cuenta"),
        lambda cell: "comision" not in cell.labels,
    ),
    "retire a label": (
        lambda cell: cell.submit(label_blocks.RETIRE_VIEW, {"label": "agencia"}), lambda cell: "agencia" not in cell.labels
    ),
    "bring a label back": (
        lambda cell: change(cell, "retire", "urgente") and cell.press(label_blocks.RESTORE_BUTTON, "urgente"),
        lambda cell: "urgente" in cell.labels,
    ),
    "move a label": (
        lambda cell: cell.press(label_blocks.MENU, "up:tarjeta"), lambda cell: cell.labels.index("tarjeta") == 0
    ),
    "undo a change of labels": (
        lambda cell: cell.press(label_blocks.UNDO_BUTTON, str(change(cell, "retire", "ahorro"))),
        lambda cell: "ahorro" in cell.labels,
    ),
    "keep the shipped labels": (
        lambda cell: take_back_all(cell) or cell.press(label_blocks.BANK_BUTTON, ""),
        lambda cell: bool(cell.store.labels.events()),
    ),
    "begin with own labels": (
        lambda cell: take_back_all(cell) or cell.press(label_blocks.OWN_BUTTON, ""), lambda cell: cell.labels == ()
    ),
    "judge": (
        lambda cell: (
            take_back_all(cell) or button(reply_blocks.CORRECT_ACTION, REPLY_TS)(cell.told, PUBLIC, cell.user, cell.message)
        ),
        refused("judge.refused"),
    ),
    "judge by a thumb": (
        lambda cell: take_back_all(cell)
        or button(reply_blocks.FEEDBACK_ACTION, REPLY_TS, reply_blocks.Thumb.UP)(cell.told, PUBLIC, cell.user, cell.message),
        refused("judge.refused"),
    ),
    "say that a label does not apply": (
        lambda cell: take_back_all(cell)
        or button(f"{reply_blocks.NOT_ACTION}0", REPLY_TS, "tarjeta")(cell.told, PUBLIC, cell.user, cell.message),
        refused("judge.refused"),
    ),
    "review": (lambda cell: cell.command("revisa"), refused("judge.refused", "review.refused_guest")),
    "be reminded of the review": (
        lambda cell: cell.command("revisa a las 9"), refused("judge.refused", "review.refused_guest")
    ),
    "remind a channel of the review": (
        lambda cell: cell.command("revisa canal 9"), lambda cell: cell.store.portions.get(PUBLIC) is not None
    ),
    "settle a dispute": (settling, is_settled),
    "see how far people agree": (lambda cell: cell.command("acuerdo"), refused("lead.refused", "lead.refused_guest")),
    "watch a channel": (lambda cell: cell.command("watch"), lambda cell: cell.store.channels.mode(PUBLIC) == "auto"),
    "put emoji on messages": (lambda cell: cell.command("emoji on"), lambda cell: cell.store.channels.seeds(PUBLIC)),
    "choose where reactions count": (
        lambda cell: cell.command("reacciones mensaje"), lambda cell: cell.store.channels.reactions(PUBLIC) == "message"
    ),
    "choose a channel's labels": (lambda cell: cell.command("etiquetas canal"), refused("command.guest")),
    "choose how labels are shown": (
        lambda cell: cell.command("watch emoji"), lambda cell: cell.store.channels.showing(PUBLIC).display == "emoji"
    ),
    "choose its summaries": (
        lambda cell: cell.command("resumen diario"),
        lambda cell: PUBLIC in {each.channel for each in cell.store.channels.summaries()},
    ),
    "read a channel's summary": (lambda cell: cell.command(f"resumen <#{PUBLIC}> 7d"), refused("summary.hidden")),
    "read the figures": (lambda cell: cell.command("cifras"), lambda cell: TEXTS("figures.title") in cell.said),
    "read the routes": (lambda cell: cell.command("rutas"), lambda cell: TEXTS("routes.nobody") in cell.said),
    "make a route": (
        lambda cell: cell.submit(
            route_blocks.ROUTE_VIEW, {},
            labels={"selected_options": [{"value": "tarjeta"}]}, channels={"selected_conversations": [PUBLIC]}, emoji=":eyes:",
        ),
        lambda cell: bool(cell.store.routes.all()),
    ),
    "switch a route on": (
        lambda cell: cell.press(route_blocks.MENU, f"on:{a_route(cell)}"),
        lambda cell: any(each.status == "on" for each in cell.store.routes.all()),
    ),
    "retrain": (lambda cell: cell.command("reentrena"), lambda cell: cell.store.runs.last() is not None),
    "roll back": (lambda cell: cell.command("vuelve"), refused("run.refused", "run.refused_guest")),
    "choose how long texts are kept": (
        lambda cell: cell.command("conserva 3"), lambda cell: cell.store.retention.kept_days(30, 0)[0] == 3
    ),
    "forget one's own messages": (lambda cell: cell.command("olvida mis mensajes"), refused("forget.refused")),
    "forget another's messages": (lambda cell: cell.command(f"olvida <@{OTHER}>"), refused("forget.refused")),
}  # fmt: skip


async def test_who_may_do_what(
    told: Told, tmp_path: Path, published: list[str], monkeypatch: pytest.MonkeyPatch, store: Store
) -> None:
    """A bank's auditor asks for this page; each line is tried by each kind of person, and seen in what is stored or told."""
    told.slack.simulator.workspace._add_user(User("U0SIMUPEDRO", "pedro", "Pedro Loor", "7b68ee"))
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    found: dict[str, dict[str, bool]] = {name: {} for name in ACTS}
    for role, user in PEOPLE.items():
        own = tmp_path / role
        own.mkdir()
        with sqlite3.connect(tmp_path / "beto.db") as known, sqlite3.connect(own / "beto.db") as copy:
            known.backup(copy)
        mine = Store(f"sqlite:///{own / 'beto.db'}", own)
        context = a_context(told.slack, mine, own, published, trainers="")
        send, cell = dispatcher(told.slack, mine, own, published, context=context), Cell(told, mine, user)
        for name, (request, is_done) in ACTS.items():
            body = request(cell)
            told.answers.clear()
            told.seen = len(told.slack.simulator.transcript)
            context.labels.forget()
            told.answers.append(str((await send(body)).body))
            mine.labels._read_at = 0.0
            found[name][role] = is_done(cell)
        mine.close()
    table = "".join(
        f"{name:<32}{''.join(f'{word:<8}' for word in words)}".rstrip() + "\n"
        for name, words in [
            ("", list(PEOPLE)), *((name, ["yes" if each else "no" for each in cells.values()]) for name, cells in found.items())
        ]
    )  # fmt: skip
    print(table)
    assert table == TABLE.lstrip("\n")
