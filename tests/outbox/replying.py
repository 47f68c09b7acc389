"""A message of Ana's, what people say of it, and its reply, step by step."""

from typing import Any

import pytest

from bot.outbox.context import OutboxContext
from bot.outbox.executor import deliver
from bot.simulator.workspace import Workspace
from model.judgements import Gesture, Kind
from model.reactions import Reaction
from model.schema import Message, Prediction, Source
from model.store.outbox_row import SETTLED, Row, reply_key
from model.store.predictions import NewPrediction
from model.store.store import Store
from tests.town import wait_until

CHANNEL = "C0SIMUATENCION"
# Where the same questions to the store are tested on both databases elsewhere.
ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def a_predicted_message(store: Store, ts: str) -> int:
    message = Message(channel=CHANNEL, ts=ts, user="U0SIMUANA", text="perdí la tarjeta", source=Source.CHANNEL)
    message_id, _ = store.messages.save(message)
    prediction = Prediction(version=1, base="mini", scores={"tarjeta": 0.9, "app": 0.2}, labels=("tarjeta",))
    store.predictions.save([NewPrediction(message_id, 1, prediction, 0.01)])
    return message_id


def said_by_ana(workspace: Workspace) -> str:
    return str(workspace.post_as_person(workspace.user("ana"), workspace.channel("atencion"), "perdí la tarjeta")["ts"])


def judged(store: Store, ts: str, user: str = "U0SIMULUIS", kind: Kind = Kind.NONE, *, at: int = 0, **more: Any) -> None:
    gesture = Gesture(user=user, handle=f"{user}{at}", at=1_900_000_000_000_000 + at, kind=kind, **more)
    store.gestures.add(gesture, channel=CHANNEL, item_ts=ts)


def bots_posts(context: OutboxContext, ts: str) -> list[str]:
    thread = context.slack.conversations_replies(channel=CHANNEL, ts=ts)["messages"]
    return [message["ts"] for message in thread if message.get("bot_id")]


def row_of(context: OutboxContext, message_id: int) -> Row:
    row = context.store.outbox.get(reply_key(message_id))
    assert row is not None
    return row


def reply(context: OutboxContext, message_id: int) -> None:
    deliver(context, reply_key(message_id))


def reply_again(context: OutboxContext, message_id: int) -> None:
    """As its task that comes later would, which the queue does not bring here."""
    context.locks.unlock(f"deliver/{reply_key(message_id)}")
    reply(context, message_id)


def reply_now(context: OutboxContext, message_id: int) -> None:
    """Until there is nothing more to do; nobody else waits in the channel."""

    def is_settled() -> bool:
        context.locks.unlock(f"line/{CHANNEL}")
        reply_again(context, message_id)
        return row_of(context, message_id).state in SETTLED

    wait_until(is_settled, 10, "it is answered")


def emoji_on(workspace: Workspace, ts: str) -> dict[str, list[str]]:
    message = workspace.channel("atencion").message(ts)
    return {each["name"]: each["users"] for each in message.get("reactions", ())}


def tap(context: OutboxContext, ts: str, emoji: str, kind: Kind | None, labels: tuple[str, ...] = ()) -> bool:
    reaction = Reaction(user="U0SIMULUIS", handle=f"r{emoji}", emoji=emoji, at=1_900_000_000_000_009, kind=kind, labels=labels)
    _, new = context.store.gestures.add_reaction(reaction, channel=CHANNEL, item_ts=ts)
    return new
