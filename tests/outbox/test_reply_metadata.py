"""What a reply's metadata says: by which it is found, and what other apps may read of it."""

import pytest

from bot.outbox import states
from bot.outbox.context import OutboxContext
from bot.outbox.executor import deliver
from bot.outbox.replies import ReplyWork
from bot.simulator.errors import Json
from bot.simulator.server import Simulator
from model.judgements import Gesture, Kind
from model.schema import Message, Prediction, Source
from model.store.outbox_row import reply_key
from model.store.predictions import NewPrediction

CHANNEL = "C0SIMUATENCION"
WORDS = "a la señora Zoraida le robaron"
ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


def said(context: OutboxContext, slack: Simulator, *, blind: bool = False) -> tuple[int, str]:
    """A message of Ana's that is predicted; its id and its ts."""
    workspace = slack.workspace
    ts = str(workspace.post_as_person(workspace.user("ana"), workspace.channel(CHANNEL), WORDS)["ts"])
    message = Message(channel=CHANNEL, ts=ts, user="U0SIMUANA", text=WORDS, source=Source.CHANNEL, blind=blind)
    message_id, _ = context.store.messages.save(message)
    prediction = Prediction(version=3, base="mini", scores={"fraude": 0.97, "app": 0.1}, labels=("fraude",))
    context.store.predictions.save([NewPrediction(message_id, 1, prediction, 0.1)])
    return message_id, ts


def told(context: OutboxContext, slack: Simulator, message_id: int) -> Json:
    """What the reply's metadata says, once it was delivered."""
    deliver(context, reply_key(message_id))
    ts = context.store.outbox.reply_ts(message_id)
    assert ts is not None
    found: Json = slack.workspace.channel(CHANNEL).metadata[ts]
    assert found["event_type"] == "beto_labels"
    assert "Zoraida" not in str(found)
    return dict(found["event_payload"])


def judge(context: OutboxContext, ts: str) -> None:
    gesture = Gesture(user="U0SIMUANA", handle="h", at=1_900_000_000_000_000, kind=Kind.SET, labels=("app",))
    context.store.gestures.add(gesture, channel=CHANNEL, item_ts=ts)


@ON_SQLITE
def test_other_apps_read_the_labels_that_stand_and_no_word_of_the_message(
    context: OutboxContext, replies_slack: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They subscribe to `beto_labels` and need no code of ours; what people correct they hear, too."""
    message_id, ts = said(context, replies_slack)
    place = f"{context.team}:{CHANNEL}:{ts}"
    assert told(context, replies_slack, message_id) == {"message": place, "labels": ["fraude"], "judged": False, "version": 3}
    judge(context, ts)
    monkeypatch.setattr(states, "REDRAW_EVERY_S", 0.0)
    assert told(context, replies_slack, message_id) == {"message": place, "labels": ["app"], "judged": True, "version": 3}


@ON_SQLITE
def test_a_blind_message_tells_no_app_its_labels(context: OutboxContext, replies_slack: Simulator) -> None:
    """Whoever asked the Web API would know what the bot thinks before they said what they think."""
    message_id, ts = said(context, replies_slack, blind=True)
    assert told(context, replies_slack, message_id) == {"message": f"{context.team}:{CHANNEL}:{ts}"}


@ON_SQLITE
def test_a_reply_of_an_older_release_is_found(context: OutboxContext, replies_slack: Simulator) -> None:
    """Its process died after the call, the release was changed, and a second reply would stand below it."""
    message_id, ts = said(context, replies_slack)
    claim = context.store.outbox.claim(reply_key(message_id), "me", 60)
    assert claim is not None
    work = ReplyWork(context, claim)
    for event_type, ours in (("beto_labels", True), ("beto_reply", True), ("beto_route", False)):
        metadata = {"event_type": event_type, "event_payload": {"message": f"{context.team}:{CHANNEL}:{ts}"}}
        assert work.is_ours({"ts": "1.1", "metadata": metadata}) is ours
