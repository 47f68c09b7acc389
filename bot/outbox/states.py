"""What comes next for a row of the outbox, decided without any call: `next_action` before a call, `after` when it has an outcome.

`steps` puts the two together. The executor (`bot.outbox.process`) carries out what it yields; the tests drive it through every
interleaving of two executors that may die at any moment. `python -m bot.outbox.states` prints the diagram of the states.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace
from enum import StrEnum

from model.store.outbox_row import RETRY_AFTER_S, Kind, State

# Seconds. The sweep looks at what is waited for when RETRY_AFTER_S more have passed: only where a task was lost. For what is
# far away there is no task: it would wait in some process's memory.
LONGEST_COUNTDOWN_S = 60.0
# What Slack did not answer is looked at again so much later.
AGAIN_S = 3.0
# What Slack refused, and may not refuse for ever.
REFUSED_AGAIN_S = 30.0
# Channels that the bot is not in: it is told when it joins one, so this is for what it was not told.
NOT_THERE_AGAIN_S = 3600.0
MOST_DOUBLED = 5
# Between two renderings of the same row. Slack allows an update about once a second, and people read no faster; a training
# tells little.
REDRAW_EVERY_S = 1.0
STATUS_EVERY_S = 3.0
# Uploads of one picture, also of processes that died of it: the words of the report matter more.
MOST_UPLOADS = 2

# Slack will never take these, however often we try. Nothing about tokens: those are replaced, and what waits is said then.
PERMANENT_ERRORS = {
    "cant_update_message", "edit_window_closed", "is_archived", "message_not_found", "restricted_action", "thread_not_found",
}  # fmt: skip
# What is not there needs no deletion.
NOTHING_TO_DELETE = {"message_not_found", "thread_not_found"}
# Not while the bot is not in the channel.
NOT_THERE = {"channel_not_found", "not_in_channel"}


def redraw_every_s(kind: Kind) -> float:
    """Return the seconds that pass between two renderings of a row of this kind."""
    return STATUS_EVERY_S if kind in (Kind.STATUS, Kind.BACKFILL) else REDRAW_EVERY_S


class Subject(StrEnum):
    """What there is to say."""

    PRESENT = "present"
    GONE = "gone"  # what stood in Slack is to go
    UNKNOWN = "unknown"  # nothing to say, and nothing to take back: a text that expired before it was predicted
    QUIET = "quiet"  # there is something, and it is not to be shown; what stands already is kept true
    CLOSED = "closed"  # what stood in Slack is to say that it is over; where nothing does, nothing is said


@dataclass(frozen=True)
class Facts:
    """What is known of a claimed row when the next step is decided."""

    kind: Kind
    ts: str | None = None  # the post of ours that is known
    in_doubt: bool = False  # another of ours may stand there that nobody recorded
    found: tuple[str, ...] | None = None  # what a look found, the oldest first; None: nobody has looked
    subject: Subject = Subject.PRESENT
    private: bool = False  # one person reads it, once, by a response URL
    early_s: float = 0.0  # until it may be rendered again
    waits_s: float = 0.0  # for another row to be done
    refused_with: str = ""  # the other row that this one follows was refused with this
    in_order: bool = False  # posts of its kind are made one after the other in a channel
    behind_others: bool = False  # somebody else's turn is first
    uploads: int = 0  # attempts so far, of a picture
    tries: int = 0  # how often the sweep sent it again
    is_last: bool = True  # what is shown now stays, until somebody wants it to look different


# What to do next. Those without an outcome end the work on the claim.


@dataclass(frozen=True)
class Wait:
    """Give the claim back; come back in so many seconds."""

    seconds: float


@dataclass(frozen=True)
class TakeTurn:
    """Give the claim back; the channel's line serves the row when its turn comes."""


@dataclass(frozen=True)
class Settle:
    """Record that there is nothing more to do."""

    state: State
    reason: str | None = None


@dataclass(frozen=True)
class Look:
    """Look in Slack for posts of this row that nobody recorded."""


@dataclass(frozen=True)
class Post:
    """Post it."""


@dataclass(frozen=True)
class Update:
    """Render the post anew."""

    ts: str


@dataclass(frozen=True)
class Delete:
    """Take the post away."""

    ts: str


@dataclass(frozen=True)
class AnswerPrivately:
    """Send it to the response URL."""


Call = Look | Post | Update | Delete | AnswerPrivately
Action = Wait | TakeTurn | Settle | Call


# What a call came to.


@dataclass(frozen=True)
class Done:
    """Slack has done it. `ts` is of what was posted; `misplaced`: into the channel, since the message is gone."""

    ts: str | None = None
    misplaced: bool = False


@dataclass(frozen=True)
class ClaimTooOld:
    """Nothing was done: we were frozen, and somebody else may hold the claim by the time that Slack has the post."""


@dataclass(frozen=True)
class Found:
    """These posts of ours stand there, the oldest first."""

    ts: tuple[str, ...]


class RateLimited(Exception):
    """Nothing was done: `method` may be called again in `retry_after_s` seconds."""

    def __init__(self, method: str, retry_after_s: float) -> None:
        super().__init__(f"{method} may be called again in {retry_after_s:.1f} s")
        self.method = method
        self.retry_after_s = retry_after_s


class AmbiguousResult(Exception):
    """No answer that could be read: the call may have been carried out or not. `late`: it may yet be."""

    def __init__(self, method: str, reason: object, *, late: bool = False) -> None:
        super().__init__(f"{method} may or may not have been carried out: {reason}")
        self.late = late


class Refused(Exception):
    """A clear no: nothing was done. `permanent`: and never will be."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error
        self.permanent = error in PERMANENT_ERRORS


class Unprepared(Exception):
    """What was to be sent could not be made, for `cause`: the call itself was not tried."""

    def __init__(self, cause: RateLimited | AmbiguousResult | Refused) -> None:
        super().__init__(str(cause))
        self.cause = cause


Outcome = Done | Found | ClaimTooOld | RateLimited | AmbiguousResult | Refused | Unprepared


@dataclass(frozen=True)
class Write:
    """What the row is to say when the work on a claim ends.

    `recorded`: `ts` and what it shows are the truth about Slack now. Else the claim is given back, `in_doubt` or not; with
    `keep_claim` it is left to run out. `come_back_s`: a task of its own is sent so much later; `turn_s`: the channel's line is
    served so much later; `retry_in_s`: when the sweep takes it up, None: never.
    """

    state: State
    recorded: bool = False
    ts: str | None = None
    in_doubt: bool = False
    keep_claim: bool = False
    retry_in_s: float | None = None
    come_back_s: float | None = None
    turn_s: float | None = None
    reason: str | None = None


def next_action(facts: Facts) -> Action:
    """Return what is to be done now."""
    if (wait_s := facts.early_s or facts.waits_s) > 0:
        # Fifty people who react within a second are one rendering, not fifty.
        return Wait(wait_s)
    if facts.in_doubt and facts.found is None and not facts.private:
        return Look()
    ts = _known(facts)
    for surplus in facts.found or ():
        if surplus != ts:
            return Delete(surplus)
    if facts.subject is Subject.GONE and ts is not None:
        return Delete(ts)
    if facts.subject is Subject.QUIET and ts is None:
        return Settle(State.SHOWN)
    if facts.subject in {Subject.GONE, Subject.UNKNOWN} or (facts.subject is Subject.CLOSED and ts is None):
        return Settle(State.GONE if ts is None else State.SHOWN)
    if facts.refused_with:
        return Settle(State.REFUSED, facts.refused_with)
    if facts.private:
        return AnswerPrivately()
    if ts is not None:
        # A picture is never rendered anew.
        return Settle(State.SHOWN) if facts.kind is Kind.PICTURE else Update(ts)
    if facts.kind is Kind.PICTURE and facts.uploads >= MOST_UPLOADS:
        return Settle(State.REFUSED, "upload failed")
    if facts.in_order and facts.behind_others and not facts.in_doubt:
        return TakeTurn()
    return Post()


def after(facts: Facts, action: Action, outcome: Outcome | None) -> Facts | Write:
    """Return what is known once the action had this outcome, or what to write where the work on the claim is over."""
    match action:
        case Wait(seconds):
            return _later(facts, seconds)
        case TakeTurn():
            return Write(State.WAITING_TURN, retry_in_s=1.0 + RETRY_AFTER_S, turn_s=1.0)
        case Settle(state, reason):
            retry_in_s = _not_there_again_s(facts) if state is State.REFUSED and reason in NOT_THERE else None
            return Write(state, recorded=True, ts=_known(facts), retry_in_s=retry_in_s, reason=reason)
    match outcome:
        case Unprepared(cause=cause):
            # Nothing was tried that could leave a doubt.
            return _unprepared(facts, cause)
        case RateLimited(retry_after_s=seconds):
            if isinstance(action, Post) and facts.in_order and not facts.in_doubt:
                return Write(State.WAITING_TURN, retry_in_s=seconds + RETRY_AFTER_S, turn_s=seconds)
            return _later(facts, seconds)
        case AmbiguousResult(late=late):
            # Another post may stand there, unless all that was tried was to look, or to change the one that we know.
            doubt = facts.in_doubt or isinstance(action, Post | AnswerPrivately)
            if late:
                # The claim runs out by itself: by then the call has come, or never will.
                return Write(State.DUE, keep_claim=True)
            return _later(replace(facts, in_doubt=doubt), AGAIN_S)
        case Refused():
            return _refused(facts, action, outcome)
        case ClaimTooOld():
            return _later(facts, AGAIN_S)
        case Found(ts=found):
            return replace(facts, found=found)
        case Done():
            return _done(facts, action, outcome)
    raise ValueError(f"{action} has no outcome")


def steps(facts: Facts) -> Generator[Call, Outcome, Write]:
    """Yield each call that the work on a claim takes, be sent its outcome, and return what to write in the end."""
    while True:
        action = next_action(facts)
        reached = after(facts, action, None if isinstance(action, Wait | TakeTurn | Settle) else (yield action))
        if isinstance(reached, Write):
            return reached
        facts = reached


def _known(facts: Facts) -> str | None:
    return facts.ts or next(iter(facts.found or ()), None)


def _later(facts: Facts, seconds: float) -> Write:
    return Write(
        State.DUE,
        in_doubt=facts.in_doubt,
        retry_in_s=seconds + RETRY_AFTER_S,
        come_back_s=seconds if seconds <= LONGEST_COUNTDOWN_S else None,
    )


def _not_there_again_s(facts: Facts) -> float:
    """Return ever longer pauses: a busy channel that the bot has left has thousands of rows, and each try is a call."""
    return NOT_THERE_AGAIN_S * 2.0 ** min(facts.tries, MOST_DOUBLED)


def _unprepared(facts: Facts, cause: RateLimited | AmbiguousResult | Refused) -> Write:
    if isinstance(cause, Refused):
        return Write(State.DUE, in_doubt=facts.in_doubt, retry_in_s=REFUSED_AGAIN_S, reason=cause.error)
    return _later(facts, cause.retry_after_s if isinstance(cause, RateLimited) else AGAIN_S)


def _refused(facts: Facts, action: Action, no: Refused) -> Facts | Write:
    not_there, ts = no.error in NOT_THERE, _known(facts)
    retry_in_s = _not_there_again_s(facts) if not_there else None
    if isinstance(action, Delete) and (no.error in NOTHING_TO_DELETE or (no.permanent and action.ts != ts)):
        return _without(facts, action.ts)  # it is not there, or nobody can take it away any more
    if not (no.permanent or not_there):
        if facts.kind is Kind.DIGEST and isinstance(action, Post):
            # What each of its messages is refused for, each finds out: forty of them must not wait for one bad line.
            return Write(State.REFUSED, recorded=True, reason=no.error)
        if facts.kind is Kind.PICTURE:
            return _later(facts, AGAIN_S)
        # A clear no, so nothing was done; the sweep tries again.
        return Write(State.DUE, in_doubt=facts.in_doubt, retry_in_s=REFUSED_AGAIN_S, reason=no.error)
    if isinstance(action, Look) or (isinstance(action, Delete) and action.ts != ts):
        # Nobody can look, so nobody may post: the doubt stays.
        return Write(State.REFUSED, in_doubt=True, retry_in_s=_not_there_again_s(facts), reason=no.error)
    return Write(State.REFUSED, recorded=True, ts=ts, retry_in_s=retry_in_s, reason=no.error)


def _done(facts: Facts, action: Action, done: Done) -> Facts | Write:
    if isinstance(action, Delete):
        return _without(facts, action.ts)
    ts = done.ts if isinstance(action, Post) else _known(facts)
    if done.misplaced:
        # The message was deleted a moment ago, and Slack put the reply into the channel itself (slack-go#1571). Until that is
        # away again, whoever comes next must look for it.
        assert ts is not None
        return replace(facts, ts=ts, found=(ts,), in_doubt=True, subject=Subject.GONE)
    if facts.is_last:
        return Write(State.SHOWN, recorded=True, ts=ts)
    every_s = redraw_every_s(facts.kind)
    return Write(State.DUE, recorded=True, ts=ts, retry_in_s=every_s + RETRY_AFTER_S, come_back_s=every_s)


def _without(facts: Facts, ts: str) -> Facts:
    return replace(facts, ts=None if facts.ts == ts else facts.ts, found=tuple(each for each in facts.found or () if each != ts))


# What takes a row from one state to another; `python -m bot.outbox.states` draws it.
TRANSITIONS: tuple[tuple[State, State, str], ...] = (
    (State.AWAITING_PREDICTION, State.DUE, "predicted, or deleted"),
    (State.AWAITING_PREDICTION, State.CLAIMED, "predicted while somebody is at it"),
    (State.AWAITING_PREDICTION, State.UNSURE, "predicted, and an older call's answer is lost"),
    (State.AWAITING_PREDICTION, State.GONE, "the text expired"),
    (State.DUE, State.CLAIMED, "somebody begins"),
    (State.DUE, State.AWAITING_PREDICTION, "edited"),
    (State.DUE, State.GONE, "the text expired"),
    (State.DUE, State.SHOWN, "the text expired, a reply stands there"),
    (State.WAITING_TURN, State.CLAIMED, "its turn"),
    (State.WAITING_TURN, State.IN_DIGEST, "too many wait"),
    (State.WAITING_TURN, State.DUE, "deleted"),
    (State.WAITING_TURN, State.AWAITING_PREDICTION, "edited"),
    (State.WAITING_TURN, State.GONE, "the text expired"),
    (State.CLAIMED, State.SHOWN, "posted or updated, or nothing is to be shown here"),
    (State.CLAIMED, State.GONE, "deleted, or nothing to show"),
    (State.CLAIMED, State.REFUSED, "a clear no"),
    (State.CLAIMED, State.DUE, "not yet, or more to show"),
    (State.CLAIMED, State.WAITING_TURN, "too fast for the channel"),
    (State.CLAIMED, State.UNSURE, "the answer, or the process, was lost"),
    (State.CLAIMED, State.AWAITING_PREDICTION, "edited"),
    (State.UNSURE, State.CLAIMED, "somebody looks"),
    (State.UNSURE, State.DUE, "given back late, nothing done"),
    (State.UNSURE, State.WAITING_TURN, "given back late, nothing done"),
    (State.UNSURE, State.AWAITING_PREDICTION, "edited"),
    (State.UNSURE, State.SHOWN, "recorded late, or the text expired"),
    (State.UNSURE, State.GONE, "recorded late, or the text expired"),
    (State.UNSURE, State.REFUSED, "recorded late"),
    (State.IN_DIGEST, State.DUE, "corrected, deleted, or the digest was refused"),
    (State.IN_DIGEST, State.AWAITING_PREDICTION, "edited"),
    (State.SHOWN, State.DUE, "to look different, or deleted"),
    (State.SHOWN, State.AWAITING_PREDICTION, "edited"),
    (State.SHOWN, State.UNSURE, "a second post is recorded"),
    (State.REFUSED, State.DUE, "tried again, or to look different"),
    (State.REFUSED, State.CLAIMED, "tried again"),
    (State.REFUSED, State.AWAITING_PREDICTION, "edited"),
    (State.REFUSED, State.GONE, "the text expired"),
    (State.GONE, State.DUE, "deleted"),
    (State.GONE, State.AWAITING_PREDICTION, "edited"),
)


def diagram() -> str:
    """Return the states and what leads from one to another, in Mermaid's words."""
    lines = [
        "stateDiagram-v2",
        f"    [*] --> {State.AWAITING_PREDICTION}: a message is saved",
        f"    [*] --> {State.DUE}: any other",
    ]
    lines += [f"    {before} --> {then}: {why}" for before, then, why in TRANSITIONS]
    lines += [f"    {state} --> [*]" for state in (State.SHOWN, State.GONE)]
    return "\n".join(lines)


if __name__ == "__main__":
    print(diagram())
