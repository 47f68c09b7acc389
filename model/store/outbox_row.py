"""One row of the outbox: its kind, its key, its states, and the claim that somebody has on it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from model.schema import Prediction
from model.showing import NOT_CHOSEN, Showing
from model.store.database import aware
from model.store.stored_message import StoredMessage

# What waits longer than this after its last step is sent again by the sweep, then after twice as long, and so on.
RETRY_AFTER_S = 15.0
RETRY_AT_MOST_S = 300.0


class Kind(StrEnum):
    """What a row is."""

    REPLY = "reply"  # to a message, in its thread
    QUESTION = "question"  # to a thread, about a label in dispute
    DOUBT = "doubt"  # to a message's author, in its thread, about what the network is least sure of
    DIGEST = "digest"  # the answer to many messages of a channel at once
    STATUS = "status"  # of a run
    PICTURE = "picture"  # of a run's report
    REPORT = "report"  # of a run
    ANNOUNCEMENT = "announcement"  # to a channel
    EMOJI = "emoji"  # on a message
    ROUTE = "route"  # that a message took: a card, or a mention in its thread
    WEBHOOK = "webhook"  # of a route that a message took, called once
    EXPLANATION = "explanation"  # of a message's labels, to one person
    SUMMARY = "summary"  # to a channel, of what came in it
    BACKFILL = "backfill"  # of a channel, told to the person who asked, whose id stands in place of a channel's
    STEP = "step"  # of a workflow, which is told the labels of a text
    THANKS = "thanks"  # to a person, whose id stands in place of a channel's


class State(StrEnum):
    """Where a row is on its way to Slack.

    CLAIMED and UNSURE are not stored: they are read off the claim and the clock (`Row.state_at`).
    """

    AWAITING_PREDICTION = "awaiting_prediction"  # there is nothing to show yet
    DUE = "due"  # Slack is to show something else
    CLAIMED = "claimed"  # somebody is calling Slack
    WAITING_TURN = "waiting_turn"  # a first reply, in the line of its channel
    IN_DIGEST = "in_digest"  # another row answers it, together with others
    UNSURE = "unsure"  # a call was made whose answer nobody knows: look first
    REFUSED = "refused"  # Slack said no, for `reason`
    SHOWN = "shown"  # Slack shows what it should
    GONE = "gone"  # nothing of it stands in Slack, nor should


CLAIMABLE = (State.DUE, State.WAITING_TURN)
SETTLED = (State.IN_DIGEST, State.REFUSED, State.SHOWN, State.GONE)


def reply_key(message_id: int) -> str:
    """Return the key of the reply to this message."""
    return f"{Kind.REPLY}:{message_id}"


def question_key(message_id: int, label: str) -> str:
    """Return the key of the question about a label in dispute."""
    return f"{Kind.QUESTION}:{message_id}:{label}"


def emoji_key(message_id: int) -> str:
    """Return the key of the emoji of ours on this message."""
    return f"{Kind.EMOJI}:{message_id}"


def route_key(route_id: int, message_id: int) -> str:
    """Return the key of what is said in Slack of a message that took this route."""
    return f"{Kind.ROUTE}:{route_id}:{message_id}"


def webhook_key(route_id: int, message_id: int) -> str:
    """Return the key of the call of this route's webhook for a message."""
    return f"{Kind.WEBHOOK}:{route_id}:{message_id}"


def doubt_key(day: str, number: int) -> str:
    """Return the key of the day's nth question to an author: so many keys, so many questions, whoever asks."""
    return f"{Kind.DOUBT}:{day}:{number}"


def status_key(run_id: int) -> str:
    """Return the key of the run's status message."""
    return f"{Kind.STATUS}:{run_id}"


def picture_key(run_id: int) -> str:
    """Return the key of the picture of the run's report."""
    return f"{Kind.PICTURE}:{run_id}"


def report_key(run_id: int) -> str:
    """Return the key of the run's report."""
    return f"{Kind.REPORT}:{run_id}"


def greeting_key(channel: str, event_ts: str) -> str:
    """Return the key of the greeting in a channel that the bot was invited to, by the event that told so."""
    return f"greeting:{channel}:{event_ts}"


def help_key(channel: str, ts: str) -> str:
    """Return the key of what tells what the bot does, in answer to this message."""
    return f"help:{channel}:{ts}"


def change_key(trigger_id: str) -> str:
    """Return the key of what tells a channel that somebody changed something there, by the command's trigger."""
    return f"change:{hashlib.sha256(trigger_id.encode()).hexdigest()[:32]}"


def summary_key(channel: str, day: str) -> str:
    """Return the key of what a channel is told on this day: one, whoever opens it."""
    return f"{Kind.SUMMARY}:{channel}:{day}"


def thanks_key(run_id: int, user: str) -> str:
    """Return the key of what a person is thanked for after a run."""
    return f"{Kind.THANKS}:{run_id}:{user}"


def ids_in(key: str) -> dict[str, int]:
    """Return what the row with this key is about: the `message_id`, or the `run_id`; {} where that is neither."""
    kind, _, rest = key.partition(":")
    about = dict.fromkeys((Kind.REPLY, Kind.QUESTION, Kind.EMOJI), "message_id") | dict.fromkeys(
        (Kind.STATUS, Kind.PICTURE, Kind.REPORT), "run_id"
    )
    number = rest.partition(":")[0]
    return {about[Kind(kind)]: int(number)} if kind in about and number.isdigit() else {}


def why_key(trigger_id: str) -> str:
    """Return the key of what somebody asked about a message, by the trigger of their click or command."""
    return f"{Kind.EXPLANATION}:{hashlib.sha256(trigger_id.encode()).hexdigest()[:32]}"


def backfill_key(channel: str, request: str) -> str:
    """Return the key of what labels what a channel wrote before, by the trigger of the command."""
    return f"{Kind.BACKFILL}:{channel}:{hashlib.sha256(request.encode()).hexdigest()[:16]}"


def step_key(execution: str) -> str:
    """Return the key of what a workflow waits for, by the execution of its step."""
    return f"{Kind.STEP}:{execution}"


def questions_of(asked: Mapping[str, str] | Sequence[str] | None) -> dict[str, str]:
    """Return the labels that a thread was asked about, and how each stood then; 0.1.0 kept the labels alone."""
    return dict(asked) if isinstance(asked, Mapping) else dict.fromkeys(asked or (), "")


@dataclass(frozen=True)
class Row:
    """A row as it is now. `state` is what is stored; `wanted` adds one whenever Slack should show something else.

    `asked`, of a reply: the labels that its thread was asked about, and how each stood when that was last told.
    """

    id: int
    key: str
    kind: Kind
    message_id: int | None
    run_id: int | None
    channel: str
    thread_ts: str | None
    ts: str | None
    state: State
    wanted: int
    shown: int
    claimed_by: str | None
    claimed_until: datetime | None
    tries: int
    retry_at: datetime | None
    rendered_at: datetime | None
    asked: Mapping[str, str]
    digest_id: int | None
    content: Mapping[str, Any]
    reason: str | None

    @classmethod
    def of(cls, row: Any) -> "Row":
        """Return what a row of `outbox` says."""
        return cls(
            id=row.id,
            key=row.key,
            kind=Kind(row.kind),
            message_id=row.message_id,
            run_id=row.run_id,
            channel=row.channel,
            thread_ts=row.thread_ts,
            ts=row.ts,
            state=State(row.state),
            wanted=row.wanted,
            shown=row.shown,
            claimed_by=row.claimed_by,
            claimed_until=_aware(row.claimed_until),
            tries=row.tries,
            retry_at=_aware(row.retry_at),
            rendered_at=_aware(row.rendered_at),
            asked=questions_of(row.asked),
            digest_id=row.digest_id,
            content=row.content or {},
            reason=row.reason,
        )

    def state_at(self, moment: datetime) -> State:
        """Return the state at this moment: what is stored, or what the claim makes of it."""
        if self.state not in CLAIMABLE or self.claimed_until is None:
            return self.state
        return State.CLAIMED if self.claimed_until > moment else State.UNSURE


@dataclass(frozen=True)
class Claim:
    """The right to bring one row up to date until the lease ends.

    `in_doubt`: an earlier claim ended without a word, so a post that nobody recorded may stand in Slack. `message` is the one
    that the row is about; `prediction` is of its present text, None where it is gone or not predicted. What its channel chose
    is `showing`, and `labels` by their names of then, None for all.
    """

    row: Row
    in_doubt: bool
    message: StoredMessage | None = None
    prediction: Prediction | None = None
    is_muted: bool = False
    showing: Showing = NOT_CHOSEN
    labels: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Overdue:
    """A row that has waited for too long. `revision` is of its message's text where a prediction is awaited."""

    id: int
    key: str
    kind: Kind
    tries: int
    message_id: int | None
    revision: int | None


def _aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else aware(moment)
