"""Every click, command, mention and shortcut ends in something that its person sees. `pytest -v` prints the table."""

from pathlib import Path
from typing import Any

import pytest

from bot.local.ports import free_port
from bot.slack.context import Publisher
from bot.slack.listeners import corrections
from bot.slack.listeners.commands import WORDS
from bot.views import blocks, erasure_blocks, reply_blocks, run_blocks, summary_blocks
from bot.views.texts import load_texts
from model.store.outbox_row import Kind, State
from model.store.store import Store
from model.store.tables import outbox
from tests.broker import broker
from tests.slack.dispatching import TEAM, a_context, dispatcher, published, slack
from tests.slack.telling import (
    GUEST,
    MEMBER,
    PRIVATE,
    REPORT_TS,
    TS,
    Request,
    Told,
    a_command,
    button,
    link,
    report,
    rooms,
    shortcut,
    store,
    told,
    view,
)
from tests.town import SimulatorThread, publish_version

__all__ = ["published", "rooms", "slack", "store", "told"]

TEXTS = load_texts("es")
# What stands there only until the answer comes.
UNFINISHED = (TEXTS("modal.loading"), TEXTS("forget.working"), TEXTS("why.loading"))
LINK = link(PRIVATE)


def command(words: str) -> Request:
    return lambda told, channel, user, _: a_command(words, told, user, channel)


def event(kind: str, text: str, **more: Any) -> Request:
    return lambda _told, channel, user, _id: {
        "type": "event_callback", "team_id": TEAM, "api_app_id": "A1",
        "event": {"type": kind, "channel": channel, "user": user, "ts": "1716400009.000001", "text": text, **more},
    }  # fmt: skip


def direct(text: str) -> Request:
    made = event("message", text, channel_type="im")
    return lambda told, _channel, user, message_id: made(told, told.direct(user), user, message_id)


def home(told: Told, _channel: str, user: str, _: int) -> dict[str, Any]:
    opened = {"type": "app_home_opened", "user": user, "tab": "home"}
    return {"type": "event_callback", "team_id": TEAM, "api_app_id": "A1", "event": opened}


def on_a_removed_reply(_told: Told, channel: str, user: str, _: int) -> dict[str, Any]:
    item = {"type": "message", "channel": channel, "ts": "1.1"}
    reaction = {"type": "reaction_added", "user": user, "reaction": "x", "item": item, "item_user": "UBETO"}
    event = reaction | {"event_ts": "1716400009.000001"}
    return {"type": "event_callback", "team_id": TEAM, "api_app_id": "A1", "event": event}


def other_command(told: Told, channel: str, user: str, _: int) -> dict[str, Any]:
    return a_command("", told, user, channel) | {"command": "/otra"}


COMMANDS = [
    "", "ayuda", "tonterías", "clasifica", "clasifica no puedo entrar", "watch", "unwatch", "emoji", "emoji on", "reacciones",
    "reacciones mensaje", "deshacer", "historial", f"historial {LINK}", "historial ayer", "por qué", f"por qué {LINK}",
    "por qué ayer", "reentrena", "versiones", "vuelve", "vuelve 1", "vuelve 7", "olvida", f"olvida {LINK}", "olvida mis mensajes",
    "conserva", "conserva 3", "conserva ayer", "etiquetas", "etiquetas canal", "rutas", "resumen", "resumen hoi",
    "resumen semanal", "cifras", "guía", "guía fraude", "revisa", "revisa a las 9", "revisa canal 9", "revisa ayer", "acuerdo",
    "estado", "etiqueta", "etiqueta ayer", "etiqueta 7d", "etiqueta para",
]  # fmt: skip
ANYWHERE: dict[str, Request] = {
    **{f"/beto {words.replace(LINK, 'LINK')}": command(words) for words in COMMANDS},
    "/otra": other_command,
    "Historial": shortcut("label_history"),
    "¿Por qué? by shortcut": shortcut("explain_labels"),
    "Clasificar": shortcut("classify_message"),
    "Corregir etiquetas": shortcut("edit_labels"),
    "a former shortcut": shortcut("label_something"),
}
INSIDE: dict[str, Request] = {
    "@beto": event("app_mention", "<@UBETO>"),
    "@beto ayuda": event("app_mention", "<@UBETO> ayuda"),
    "@beto historial": event("app_mention", "<@UBETO> historial"),
    "@beto estado": event("app_mention", "<@UBETO> estado"),
    "@beto watch": event("app_mention", "<@UBETO> watch"),
    "@beto historal": event("app_mention", "<@UBETO> historal"),
    "@beto and a message": event("app_mention", "<@UBETO> me robaron la tarjeta"),
    "@beto and a message, in a thread": event("app_mention", "<@UBETO> me robaron la tarjeta", thread_ts=TS),
    "a direct hola": direct("hola"),
    "a direct file": direct(""),
    "a direct word": direct("estado"),
    "a direct message": direct("me robaron la tarjeta"),
    "the Home tab": home,
    "a reaction on a reply that was removed": on_a_removed_reply,
    "Correcto": button(reply_blocks.CORRECT_ACTION),
    "Correcto on what is no reply": button(reply_blocks.CORRECT_ACTION, "1.1"),
    "a thumb up": button(reply_blocks.FEEDBACK_ACTION, value=reply_blocks.Thumb.UP),
    "a thumb down": button(reply_blocks.FEEDBACK_ACTION, value=reply_blocks.Thumb.DOWN),
    "a thumb down on what is no reply": button(reply_blocks.FEEDBACK_ACTION, "1.1", reply_blocks.Thumb.DOWN),
    "a label that does not apply": button(f"{reply_blocks.NOT_ACTION}0", value="fraude"),
    "a label that is there no more": button(f"{reply_blocks.NOT_ACTION}0", value="antigua"),
    "a label on what is no reply": button(f"{reply_blocks.NOT_ACTION}0", "1.1", "fraude"),
    "¿Por qué?": button(reply_blocks.WHY_ACTION),
    "¿Por qué? on what is no reply": button(reply_blocks.WHY_ACTION, "1.1"),
    "Editar etiquetas": button(reply_blocks.EDIT_ACTION),
    "Ver y corregir": button(summary_blocks.OPEN_ACTION),
    "Editar etiquetas on what is no reply": button(reply_blocks.EDIT_ACTION, "1.1"),
    "a former button": button("labels_something"),
    **{
        f"{name}{where}": button(name, ts)
        for variable, name in vars(run_blocks).items()
        if variable.endswith("_ACTION")
        for where, ts in (("", REPORT_TS), (" on what is no report", "1.1"))
    },
    "the modal of labels": view(blocks.EDIT_VIEW, ""),
    "the question before erasing": view(erasure_blocks.FORGET_VIEW, ""),
    "a former modal": view("something_view", ""),
}
# Where, by whom and without what: (channel, person).
CIRCUMSTANCES = {
    "a member": (PRIVATE, MEMBER),
    "a guest": (PRIVATE, GUEST),
    "no version": (PRIVATE, MEMBER),
    "no Redis": (PRIVATE, MEMBER),
    "no database": (PRIVATE, MEMBER),
    "a channel without the bot": ("C0SIMUGENERAL", MEMBER),
    "others' direct messages": ("D0OTHERS", MEMBER),
}
CELLS = [
    pytest.param(request, circumstance, id=f"{name} | {circumstance}")
    for circumstance, (channel, _) in CIRCUMSTANCES.items()
    for name, request in {**ANYWHERE, **(INSIDE if channel == PRIVATE else {})}.items()
]


def rows(store: Store) -> set[tuple[str, int]]:
    """What is to be shown in Slack: it comes as soon as Redis is there, and by the sweep before that.

    Nothing can be posted in others' direct messages; a command's labels come by its response URL.
    """
    with store.database.reading() as connection:
        found = connection.execute(outbox.select()).all()
    awaited = State.AWAITING_PREDICTION if store.registry.live() is None else None  # which nobody makes
    comes = [row for row in found if row.state != awaited and (row.channel != "D0OTHERS" or row.kind == Kind.REPLY)]
    return {(row.key, row.wanted) for row in comes}


async def sees(request: Request, circumstance: str, told: Told, store: Store, home: Path, published: list[str]) -> list[str]:
    """Where this person sees what became of it."""
    channel, user = CIRCUMSTANCES[circumstance]
    message = store.messages.find(PRIVATE, TS)
    assert message is not None
    context = a_context(told.slack, store, home, published, trainers=MEMBER)
    await context.taxonomy()
    body = request(told, channel, user, message.id)
    if body.get("type") == "view_submission":
        trigger = told.slack.simulator.apps[0].views.new_trigger(user)
        opened = await context.slack.views_open(trigger_id=trigger, view=blocks.loading(context.texts))
        body["view"]["id"] = opened["view"]["id"]
        del body["response_url"]
    told.seen = len(told.slack.simulator.transcript)
    before = rows(store)
    if circumstance == "no Redis":
        object.__setattr__(context, "publish", Publisher())
    if circumstance == "no database":
        object.__setattr__(context, "store", Store(f"postgresql://beto@127.0.0.1:{free_port()}/beto", home))
    response = await dispatcher(told.slack, store, home, published, context=context)(body)
    found = []
    if response.body not in ("", "{}") and not any(each in str(response.body) for each in UNFINISHED):
        found.append("the answer")
    if told.answers:
        found.append("the response URL")
    shown = [call for call in told.calls() if not call.error and call.method.startswith(("chat.postEphemeral", "views."))]
    if any(call.arguments.get("user") == user for call in shown if call.method == "chat.postEphemeral"):
        found.append("a message to them alone")
    views = [call for call in shown if call.method.startswith("views.")]
    if views and not any(each in str(views[-1].arguments) for each in UNFINISHED):
        found.append("a view")
    if rows(store) != before:
        found.append("a post")
    if body.get("type") == "event_callback" and response.status != 200:
        found.append("later: Slack sends it again")
    return found


@pytest.fixture(scope="module", autouse=True)
def guest_inside(rooms: SimulatorThread) -> None:
    """The guest reads the private channel."""
    rooms.as_person("ana", lambda ana: ana.invite("fraudes", "carlos"))


@pytest.mark.parametrize(("request_", "circumstance"), CELLS)
async def test_somebody_sees_what_became_of_it(
    request_: Request,
    circumstance: str,
    told: Told,
    store: Store,
    trained_version: Path,
    tmp_path: Path,
    published: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever hears nothing does it again, or never again."""
    monkeypatch.setattr(corrections, "STORE_PATIENCE_S", 0.0)
    if circumstance != "no version":
        publish_version(store, trained_version)
        store.workers.beat("a", 1)
    report(store, PRIVATE)
    with broker(f"redis://127.0.0.1:{free_port()}/0"):
        assert await sees(request_, circumstance, told, store, tmp_path, published)


def test_the_table_has_every_command() -> None:
    """Whoever adds a word adds its row."""
    asked = {WORDS[words.split()[0]] for words in COMMANDS if words and words.split()[0] in WORDS}
    assert {WORDS[""], *asked} == set(WORDS.values())
