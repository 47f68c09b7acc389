"""The leak table: every surface that tells of a message, and everybody who may not read it. `pytest -v` prints it.

In place of a column for exports: no command or button exports, only `beto export` on the operator's machine.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bot.local.ports import free_port
from bot.outbox.context import build_context
from bot.outbox.executor import deliver
from bot.settings import BotSettings
from bot.slack.listeners import commands
from bot.slack.payloads.parsing import INTERACTIONS
from bot.views import blocks, erasure_blocks, reply_blocks, review_blocks, run_blocks, summary_blocks
from model.agreement import ENOUGH
from model.judgements import Gesture, Kind
from model.routes import Route
from model.schema import Message, Prediction, Source
from model.store.outbox_row import picture_key, report_key, status_key
from model.store.predictions import NewPrediction
from model.store.runs import owner_name
from model.store.standing import Standing
from model.store.store import Store
from model.store.tables import gestures
from tests.outbox_rows import a_report, answer
from tests.slack.dispatching import named_in_views, published, slack
from tests.slack.telling import (
    ADMIN,
    GUEST,
    MEMBER,
    NOTE,
    OUTSIDER,
    PRIVATE,
    PUBLIC,
    REPLY_TS,
    REPORT_TS,
    SECRETS,
    STRANGER,
    TS,
    WATCHED,
    WORDS,
    Request,
    Told,
    ask,
    button,
    command,
    report,
    rooms,
    shortcut,
    store,
    told,
    train,
    view,
)

__all__ = ["published", "rooms", "slack", "store", "told"]

DIRECT = "D0SIMULUIS"


def nothing(_store: Store, _channel: str) -> None:
    """The message is as it was."""


def erase(store: Store, channel: str) -> None:
    """Its author had the message erased."""
    message = store.messages.find(channel, TS)
    assert message is not None
    store.erasure.execute(store.erasure.create_request(by=MEMBER, message_id=message.id))


def stands(store: Store, channel: str) -> None:
    """It came a moment ago, and what stands under it is kept."""
    message = store.messages.find(channel, TS)
    assert message is not None
    judged = store.judged.of(message.id, store.labels.current())
    assert judged is not None
    store.standings.keep_new([(message, replace(Standing.of(message, judged.state), at=time.time_ns() // 1000))])


def unjudge(store: Store, channel: str) -> None:
    """Nobody has said anything of it: it alone waits for a reviewer."""
    with store.database.writing() as connection:
        connection.execute(gestures.delete())
    for other in {PRIVATE, PUBLIC, DIRECT} - {channel}:
        store.messages.delete(other, TS)


def lead(store: Store, channel: str) -> None:
    """A route from there is switched off, so that its rehearsal shows what would have taken it."""
    store.routes.add(Route(labels=("fraude",), channels=(channel,), card_in=channel), by=ADMIN, told_in=channel)


def disagree(store: Store, channel: str) -> None:
    """Two people judged enough messages there that their agreement is told, by label and by name."""
    for number in range(ENOUGH):
        ts = f"1716400000.10000{number}"
        store.messages.save(Message(channel=channel, ts=ts, user=MEMBER, text=WORDS, source=Source.CHANNEL))
        for user, labels in ((ADMIN, ("fraude",)), (MEMBER, ("fraude", "cajero")[: number % 3])):
            gesture = Gesture(user=user, handle=f"{user}{number}", at=1716400001000000, kind=Kind.SET, labels=labels)
            store.gestures.add(gesture, channel=channel, item_ts=ts)


@dataclass(frozen=True)
class Surface:
    """A way to ask about a message: the request, what it tells those who may read it, and what happened before."""

    request: Request
    tells: str
    before: Callable[[Store, str], None] = nothing
    direct: bool = True  # whether it can be asked about somebody's direct message


def mention(told: Told, channel: str, user: str, _: int) -> dict[str, Any]:
    """`@beto historial` in the message's thread."""
    event = {"type": "app_mention", "channel": channel, "user": user, "ts": "1716400009.1", "text": "<@UBETO> historial",
             "thread_ts": TS}  # fmt: skip
    return {"type": "event_callback", "team_id": "T0SIMULADOR", "api_app_id": "A1", "event": event}


# Why not yet, since there is no version; what comes else is tested with the process that shows it.
WHY_TOLD = "falta el proceso `trainer`"
FORGET = view(erasure_blocks.FORGET_VIEW, "")
SURFACES = {
    "historial": Surface(command("historial {link}"), "Fraude"),
    "historial of an erased message": Surface(command("historial {link}"), "Ese mensaje ya no está", erase),
    "historial by mention": Surface(mention, "Fraude", direct=False),
    "historial by shortcut": Surface(shortcut("label_history"), "Fraude"),
    "olvida": Surface(command("olvida {link}"), WORDS),
    "olvida of an erased message": Surface(command("olvida {link}"), "", erase),
    "olvida, confirmed": Surface(FORGET, "Olvidado: 1 mensaje"),
    "¿Por qué?": Surface(button(reply_blocks.WHY_ACTION), WHY_TOLD, direct=False),
    "¿Por qué? by shortcut": Surface(shortcut("explain_labels"), WHY_TOLD),
    "por qué": Surface(command("por qué {link}"), WHY_TOLD),
    "por qué, of an erased message": Surface(command("por qué {link}"), "", erase),
    "Clasificar": Surface(shortcut("classify_message"), "ya tiene sus etiquetas"),
    "Corregir etiquetas": Surface(shortcut("edit_labels"), WORDS),
    "Editar etiquetas": Surface(button(reply_blocks.EDIT_ACTION), WORDS, direct=False),
    "a thumb down": Surface(button(reply_blocks.FEEDBACK_ACTION, value=reply_blocks.Thumb.DOWN), WORDS, direct=False),
    "modal, sent late": Surface(view(blocks.EDIT_VIEW, "what was there long ago"), WORDS),
    "modal of an erased message": Surface(view(blocks.EDIT_VIEW, "then"), "", erase),
    "revisa": Surface(command("revisa"), WORDS, unjudge),
    "revisa, by its button there": Surface(button(review_blocks.OPEN_ACTION), WORDS, unjudge, direct=False),
    "resumen": Surface(command("resumen <#{channel}> 7d"), WORDS, stands, direct=False),
    "Ver y corregir": Surface(button(summary_blocks.OPEN_ACTION), WORDS, stands, direct=False),
    "rutas, of one from there": Surface(command("rutas"), WORDS, lead),
    "acuerdo": Surface(command("acuerdo"), "De dos en dos", disagree),
    "reentrena, under way there": Surface(command("reentrena"), "en marcha: ", train, direct=False),
    **{
        f"{name} under a report": Surface(button(name, REPORT_TS), "", report, direct=False)
        for variable, name in vars(run_blocks).items()
        if variable.endswith("_ACTION")
    },
}  # fmt: skip
# Words of `/beto` that tell of no message but those that their person asked about, or wrote.
TELL_OF_NO_MESSAGE = {
    "", "ayuda", "help", "watch", "vigila", "unwatch", "deja", "emoji", "reacciones", "reactions", "versiones", "versions",
    "vuelve", "volver", "rollback", "conserva", "keep", "estado", "status",
    "cifras", "figures", "numbers",  # counts alone, of all channels together
    "etiqueta", "label",  # how far it is
    "etiquetas", "labels", "guía", "guia", "guide",  # what is chosen, counted or trained
    "clasifica", "clasificar", "classify", "deshacer", "undo",  # the person's own words, and own gesture
}  # fmt: skip
ASK_OF_A_MESSAGE = {
    "por",
    "porqué",
    "porque",
    "why",
    "historial",
    "history",
    "olvida",
    "olvidar",
    "forget",
    "reentrena",
    "reentrenar",
    "retrain",
    "revisa",
    "revisar",
    "review",
    "resumen",
    "resume",
    "summary",
    "rutas",
    "routes",
    "acuerdo",
    "agreement",
}

PEOPLE = {"guest": GUEST, "outsider": OUTSIDER, "no member": STRANGER, "Slack does not say": MEMBER}
CHANNELS = {"private": PRIVATE, "public": PUBLIC, "direct": DIRECT}
CELLS = [
    pytest.param(surface, channel, person, id=f"{surface} | {channel} | {person}")
    for surface, asks in SURFACES.items()
    for channel in CHANNELS
    for person in PEOPLE
    if not (channel == "public" and person == "no member")  # Slack shows it to them, too
    if not (channel == "direct" and (person == "Slack does not say" or not asks.direct))  # nobody needs to be asked
]


@pytest.fixture
def direct(store: Store) -> Store:
    """What somebody wrote to the bot alone is there, too."""
    message_id, _ = store.messages.save(Message(channel=DIRECT, ts=TS, user=MEMBER, text=WORDS, source=Source.DIRECT))
    said = Prediction(version=1, base="mini", scores={"cajero": 0.9}, labels=("cajero",))
    store.predictions.save([NewPrediction(message_id, 1, said, 0.1)])
    answer(store, message_id, REPLY_TS)
    gesture = Gesture(user=MEMBER, handle="h", at=1716400001000000, kind=Kind.SET, labels=("fraude",))
    store.gestures.add(gesture, channel=DIRECT, item_ts=TS, note=NOTE)
    return store


@pytest.mark.parametrize(("surface", "channel", "person"), CELLS)
async def test_refused(
    surface: str, channel: str, person: str, told: Told, direct: Store, tmp_path: Path, published: list[str]
) -> None:
    """A guest was told a private channel's note word for word, since ids of private channels begin with C, too."""
    asks, store, where = SURFACES[surface], direct, CHANNELS[channel]
    asks.before(store, where)
    # Nobody may be told how often a message was judged, by its ids, or that it is there at all.
    secrets = (*SECRETS, f"archives/{where}", "p1716400000", *([asks.tells] if asks.tells else []))
    before = store.gestures.history(1), store.erasure.pending(), store.messages.find(where, TS), store.runs.last()
    if person == "Slack does not say":
        for method in ("conversations.info", "conversations.members", "users.info"):
            told.slack.simulator.faults.fail_next(method, "internal_error", times=9)
    try:
        answered = await ask(
            asks.request, told, store, tmp_path, published, channel=where, user=PEOPLE[person], trainers=ADMIN
        )  # fmt: skip
    finally:
        told.slack.simulator.faults.calm()
    assert [secret for secret in secrets if secret in answered] == []
    assert (store.gestures.history(1), store.erasure.pending(), store.messages.find(where, TS), store.runs.last()) == before
    assert published == []


@pytest.mark.parametrize("channel", ["private", "public"])
@pytest.mark.parametrize("surface", [name for name, asks in SURFACES.items() if asks.tells])
async def test_told_to_who_reads(
    surface: str, channel: str, told: Told, store: Store, tmp_path: Path, published: list[str]
) -> None:
    """Else the refusals would show nothing."""
    asks, where = SURFACES[surface], CHANNELS[channel]
    asks.before(store, where)
    answered = await ask(asks.request, told, store, tmp_path, published, channel=where, user=MEMBER)
    assert asks.tells in answered


@pytest.mark.parametrize("slack_says", [True, False], ids=["Slack says", "Slack does not say"])
@pytest.mark.parametrize("channel", ["private", "direct"])
def test_told_by_no_report_elsewhere(
    channel: str, slack_says: bool, told: Told, direct: Store, tmp_path: Path, published: list[str]
) -> None:
    """Whoever reads the channel where a training was asked for reads its status and its report; they need ask nothing."""
    environment = {name.lower(): value for name, value in told.slack.environment.items()}
    settings = BotSettings(home=tmp_path, redis_url=f"redis://127.0.0.1:{free_port()}/0", slack_rate=0, **environment)  # type: ignore[arg-type]  # of many kinds
    context = build_context(settings, direct, wait=lambda _: pytest.fail("Slack is there"))
    message = direct.messages.find(CHANNELS[channel], TS)
    assert message is not None
    run_id, _ = direct.runs.open(ADMIN, channel=WATCHED)
    owner = owner_name()
    direct.runs.start(run_id, owner)
    direct.runs.close(run_id, owner, "done", report=a_report(1, flips=(message.id,)))
    for method in ("conversations.info", "conversations.members") if not slack_says else ():
        told.slack.simulator.faults.fail_next(method, "internal_error", times=9)
    try:
        for key in (status_key(run_id), picture_key(run_id), report_key(run_id)):
            deliver(context, key)
    finally:
        told.slack.simulator.faults.calm()
    rows = [direct.outbox.get(key(run_id)) for key in (status_key, report_key)]
    shown = told.slack.simulator.workspace.channel(WATCHED).messages
    posts = [shown[row.ts] for row in rows if row is not None and row.ts is not None]
    assert len(posts) == 2
    secrets = (WORDS, NOTE, CHANNELS[channel], "p1716400000", f"<@{MEMBER}>")
    assert [secret for secret in secrets if secret in str(posts)] == []


def test_the_table_has_every_word_button_and_shortcut() -> None:
    """Whoever adds one must say here what it tells of a message."""
    assert set(commands.WORDS) - TELL_OF_NO_MESSAGE == ASK_OF_A_MESSAGE
    assert set(INTERACTIONS) == {"block_actions", "view_submission", "view_closed", "message_action", "block_suggestion"}
    tells_nothing = {reply_blocks.CORRECT_ACTION, reply_blocks.NOT_ACTION, blocks.STOP_BACKFILL_ACTION}  # in the asker's own post
    assert set(named_in_views("_ACTION")) - tells_nothing == {
        reply_blocks.EDIT_ACTION,
        reply_blocks.FEEDBACK_ACTION,
        reply_blocks.WHY_ACTION,
        review_blocks.OPEN_ACTION,
        summary_blocks.OPEN_ACTION,
        *(n for v, n in vars(run_blocks).items() if v.endswith("_ACTION")),
    }
