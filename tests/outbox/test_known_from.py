"""A reply that repeats what people said of another message says so, to those who may read that one."""

import pytest

from bot.outbox.context import OutboxContext
from bot.outbox.replies import known_from
from bot.simulator.workspace import Workspace
from model.judgements import Gesture, Kind
from model.labels import seed_taxonomy
from model.schema import Message, Prediction, Source
from model.store.outbox_row import State, reply_key
from model.store.predictions import NewPrediction
from model.store.store import Store
from model.store.tables import outbox
from tests.outbox.replying import CHANNEL, ON_SQLITE, judged, reply_again, reply_now, row_of, said_by_ana

PUBLIC, PRIVATE = "C0SIMURECLAMOS", "C0SIMUFRAUDES"
SOURCE_TS = "1716400000.000001"


def a_judged_message(store: Store, channel: str = CHANNEL) -> int:
    """Luis says that it is about an agency."""
    message = Message(channel=channel, ts=SOURCE_TS, user="U0SIMUMARIA", text="perdí la tarjeta", source=Source.CHANNEL)
    message_id, _ = store.messages.save(message)
    gesture = Gesture(user="U0SIMULUIS", handle="h", at=5, kind=Kind.SET, labels=("agencia",))
    store.gestures.add(gesture, channel=channel, item_ts=SOURCE_TS)
    return message_id


def a_repeat(context: OutboxContext, workspace: Workspace, source: str) -> tuple[int, str]:
    """Ana writes the same, and it is labelled by that."""
    ts = said_by_ana(workspace)
    message = Message(channel=CHANNEL, ts=ts, user="U0SIMUANA", text="Perdí la tarjeta!", source=Source.CHANNEL)
    message_id, _ = context.store.messages.save(message)
    prediction = Prediction(version=1, base="mini", scores={"agencia": 0.99}, labels=("agencia",), known_from=source)
    context.store.predictions.save([NewPrediction(message_id, 1, prediction, 0.01)])
    reply_now(context, message_id)
    return message_id, shown(context, workspace, message_id)


def shown(context: OutboxContext, workspace: Workspace, message_id: int) -> str:
    ts = row_of(context, message_id).ts
    assert ts is not None
    return str(workspace.channel(CHANNEL).messages[ts]["blocks"])


@pytest.mark.parametrize("channel", [CHANNEL, PUBLIC])
@ON_SQLITE
def test_who_corrected_the_same_elsewhere_is_named_and_not_called(
    channel: str, context: OutboxContext, workspace: Workspace
) -> None:
    """Whoever reads the labels must be able to look where they come from; a mention would call Luis at every repeat."""
    a_judged_message(context.store, channel)
    _, told = a_repeat(context, workspace, f"{channel}:{SOURCE_TS}")
    assert f"archives/{channel}/p{SOURCE_TS.replace('.', '')}|otro mensaje>, corregido por @" in told
    assert "@luis" in told.lower()
    assert "<@U0SIMULUIS>" not in told


@ON_SQLITE
def test_of_a_private_channel_nothing_is_told_elsewhere(context: OutboxContext, workspace: Workspace) -> None:
    a_judged_message(context.store, PRIVATE)
    _, told = a_repeat(context, workspace, f"{PRIVATE}:{SOURCE_TS}")
    assert "como en un mensaje que corrigió el equipo" in told
    assert PRIVATE not in told
    assert "luis" not in told.lower()


@ON_SQLITE
def test_people_of_another_organisation_are_told_of_no_other_channel(context: OutboxContext, workspace: Workspace) -> None:
    """They read the reply where the channel is shared with them, and no other channel of ours, public or not."""
    workspace.channel(CHANNEL).is_ext_shared = True
    a_judged_message(context.store, PUBLIC)
    _, told = a_repeat(context, workspace, f"{PUBLIC}:{SOURCE_TS}")
    assert "como en un mensaje que corrigió el equipo" in told
    assert PUBLIC not in told
    assert "luis" not in told.lower()


@pytest.mark.parametrize(("channel", "source"), [(CHANNEL, Source.COMMAND), ("D0ALONE", Source.CHANNEL)])
@pytest.mark.parametrize(("user", "sees"), [("U0SIMUANA", True), ("U0SIMUCARLOS", False), ("", False)])
@ON_SQLITE
def test_a_guest_who_tries_texts_out_learns_of_no_other_channel(
    user: str, sees: bool, channel: str, source: Source, context: OutboxContext
) -> None:
    """By `/beto clasifica`, or in a direct message, they could ask for one text after the other who corrected it, and where."""
    a_judged_message(context.store, PUBLIC)
    asked = Message(channel=channel, ts="1716400000.000009", user=user, text="Perdí la tarjeta!", source=source)
    message_id, _ = context.store.messages.save(asked)
    stored = context.store.messages.get(message_id)
    assert stored is not None
    told = known_from(context, f"{PUBLIC}:{SOURCE_TS}", stored, seed_taxonomy())
    assert (PUBLIC in told) == ("luis" in told.lower()) == sees


@ON_SQLITE
def test_a_message_is_no_reason_for_its_own_labels(context: OutboxContext, workspace: Workspace) -> None:
    """Whoever corrected it stands there already."""
    ts = said_by_ana(workspace)
    message_id, _ = context.store.messages.save(
        Message(channel=CHANNEL, ts=ts, user="U0SIMUANA", text="perdí la tarjeta", source=Source.CHANNEL)
    )
    own = Prediction(version=1, base="mini", scores={"agencia": 0.99}, labels=("agencia",), known_from=f"{CHANNEL}:{ts}")
    context.store.predictions.save([NewPrediction(message_id, 1, own, 0.01)])
    judged(context.store, ts, kind=Kind.CORRECT)
    reply_now(context, message_id)
    assert "como en" not in shown(context, workspace, message_id)


@pytest.mark.parametrize("gone", ["erased", "its judge erased", "deleted"])
def test_what_is_erased_is_named_nowhere_any_more(gone: str, context: OutboxContext, workspace: Workspace) -> None:
    """The reply elsewhere is rendered anew by itself, on both databases."""
    store = context.store
    source_id = a_judged_message(store)
    message_id, told = a_repeat(context, workspace, f"{CHANNEL}:{SOURCE_TS}")
    assert "luis" in told.lower()
    if gone == "deleted":
        store.messages.delete(CHANNEL, SOURCE_TS)
    else:
        whose = {"message_id": source_id} if gone == "erased" else {"user": "U0SIMULUIS"}
        store.erasure.execute(store.erasure.create_request(by="U0SIMULUIS", **whose))  # type: ignore[arg-type]  # by name
    row = store.outbox.get(reply_key(message_id))
    assert row is not None
    assert row.state is State.DUE
    with store.database.writing() as connection:  # a second has passed
        connection.execute(outbox.update().values(rendered_at=None))
    reply_again(context, message_id)
    told = shown(context, workspace, message_id)
    assert "como en" not in told
    assert "luis" not in told.lower()
