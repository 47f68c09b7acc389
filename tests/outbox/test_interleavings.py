"""Two processes with the same row, in any order, with any faults, dying at any moment: Slack shows one post in the end.

The row is a real one in a real database, the decisions are the product's own; Slack and the clock are small models, so that
thousands of evenings fit into a minute.
"""

from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bot.outbox.executor import LEASE_S
from bot.outbox.states import (
    TRANSITIONS,
    AmbiguousResult,
    AnswerPrivately,
    Call,
    ClaimTooOld,
    Delete,
    Done,
    Facts,
    Found,
    Look,
    Outcome,
    Post,
    RateLimited,
    Refused,
    Subject,
    Update,
    Write,
    steps,
)
from model.judgements import Gesture
from model.judgements import Kind as GestureKind
from model.schema import Message, Prediction, Source
from model.store import gestures as gestures_module
from model.store import messages as messages_module
from model.store import outbox as outbox_module
from model.store import outbox_changes as changes_module
from model.store.outbox_row import SETTLED, Claim, Kind, State, reply_key
from model.store.predictions import NewPrediction
from model.store.store import Store

CHANNEL = "C1"


@dataclass
class Slack:
    """What stands in one thread, and calls that were sent and have not arrived."""

    posts: dict[str, int] = field(default_factory=dict)  # what each shows, by its ts
    late: list[str] = field(default_factory=list)
    count: int = 0
    most: int = 0

    def post(self, shows: int) -> str:
        self.count += 1
        ts = f"2.{self.count:06}"
        self.posts[ts] = shows
        self.most = max(self.most, len(self.posts))
        return ts


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Worker:
    """One process's work on the row, a step at a time: between two of them anything may happen."""

    name: str
    store: Store
    key: str
    slack: Slack
    clock: Clock
    work: Generator[Call, Outcome, Write] | None = None
    claim: Claim | None = None
    call: Call | None = None
    write: Write | None = None
    claimed_at: datetime | None = None

    def die(self) -> None:
        """Whatever it held stays as it is in the database."""
        self.work = self.claim = self.call = self.write = None

    def step(self, fault: str) -> None:
        """Claim the row, or make one call, or write what came of it."""
        if self.write is not None:
            self._record(self.write)
        elif self.work is None:
            self._begin()
        else:
            self._advance(self._outcome(fault))

    def _begin(self) -> None:
        self.claim = self.store.outbox.claim(self.key, self.name, LEASE_S)
        if self.claim is None:
            return
        self.claimed_at = self.clock.now
        message = self.claim.message
        subject = Subject.PRESENT if self.claim.prediction is not None else Subject.UNKNOWN
        facts = Facts(
            Kind.REPLY,
            ts=self.claim.row.ts,
            in_doubt=self.claim.in_doubt,
            subject=Subject.GONE if message is not None and message.deleted else subject,
        )
        self.work = steps(facts)
        self._advance(None)

    def _advance(self, outcome: Outcome | None) -> None:
        assert self.work is not None
        try:
            self.call = next(self.work) if outcome is None else self.work.send(outcome)
        except StopIteration as end:
            self.write = end.value

    def _outcome(self, fault: str) -> Outcome:
        assert self.claim is not None
        assert self.claimed_at is not None
        call, shows = self.call, self.claim.row.wanted
        if isinstance(call, Post) and self.clock.now - self.claimed_at > timedelta(seconds=LEASE_S / 2):
            return ClaimTooOld()
        if fault == "ratelimited":
            return RateLimited("a call", 1.0)
        if fault == "refused":
            return Refused("internal_error")
        if fault == "not done":
            return AmbiguousResult("a call", "reset")
        if fault == "late" and isinstance(call, Post):
            self.slack.late.append(str(shows))
            return AmbiguousResult("a call", "timeout", late=True)
        done = self._carry_out(call, shows)
        return AmbiguousResult("a call", "reset") if fault == "answer lost" else done

    def _carry_out(self, call: Call | None, shows: int) -> Outcome:
        match call:
            case Look():
                return Found(tuple(sorted(self.slack.posts)))
            case Post():
                return Done(self.slack.post(shows))
            case Update(ts):
                if ts not in self.slack.posts:
                    return Refused("message_not_found")
                self.slack.posts[ts] = shows
                return Done(ts)
            case Delete(ts):
                if self.slack.posts.pop(ts, None) is None:
                    return Refused("message_not_found")
                return Done()
            case AnswerPrivately() | None:
                raise AssertionError("a reply in a thread is not private")

    def _record(self, write: Write) -> None:
        claim, outbox = self.claim, self.store.outbox
        assert claim is not None
        self.die()
        if write.keep_claim:
            return
        if not write.recorded:
            assert write.retry_in_s is not None
            outbox.release(self.key, self.name, write.retry_in_s, state=write.state, in_doubt=write.in_doubt)
            return
        recorded = outbox.record(
            self.key,
            self.name,
            wanted=claim.row.wanted,
            state=write.state,
            ts=write.ts,
            before=claim.row.ts,
            retry_in_s=write.retry_in_s,
        )
        if recorded == "surplus":
            assert write.ts is not None
            self.slack.posts.pop(write.ts, None)
            outbox.release(self.key, self.name, 0.0)


FAULTS = ["", "", "", "ratelimited", "refused", "not done", "answer lost", "late"]
EVENTS = st.one_of(
    st.tuples(st.sampled_from(["first", "second"]), st.sampled_from(FAULTS)),
    st.tuples(st.sampled_from(["first dies", "second dies", "lease ends", "gesture", "edit", "delete", "predict"]), st.just("")),
)


class Evening:
    """One message, and all that happens to it."""

    def __init__(self, store: Store, clock: Clock, number: int) -> None:
        self.store = store
        self.clock = clock
        self.slack = Slack()
        self.ts = f"1.{number:06}"
        message = Message(channel=CHANNEL, ts=self.ts, user="U1", text="hola", source=Source.CHANNEL)
        self.message_id, _ = store.messages.save(message)
        self.key = reply_key(self.message_id)
        self.workers = {name: Worker(name, store, self.key, self.slack, clock) for name in ("first", "second")}
        self.edits = 0
        self.predict()
        self.seen = [self.state]

    @property
    def state(self) -> State:
        row = self.store.outbox.get(self.key)
        assert row is not None
        return row.state_at(self.clock.now)

    def predict(self) -> None:
        stored = self.store.messages.get(self.message_id)
        assert stored is not None
        prediction = Prediction(version=1, base="mini", scores={"app": 0.9}, labels=("app",))
        self.store.predictions.save([NewPrediction(self.message_id, stored.revision, prediction, 0.1)])

    def happen(self, event: str, fault: str) -> None:
        match event:
            case "first" | "second":
                self.workers[event].step(fault)
            case "first dies" | "second dies":
                self.workers[event.removesuffix(" dies")].die()
            case "lease ends":
                # A call that is under way has arrived by then, or never will: Slack was given less time than the lease.
                for shows in self.slack.late:
                    self.slack.post(int(shows))
                self.slack.late.clear()
                self.note()
                self.clock.now += timedelta(seconds=LEASE_S + 1)
            case "gesture":
                at = self.clock.now.timestamp() * 1e6 + self.edits
                gesture = Gesture(user="U2", handle=f"h{at}", at=int(at), kind=GestureKind.NONE)
                self.store.gestures.add(gesture, channel=CHANNEL, item_ts=self.ts)
            case "edit":
                self.edits += 1
                self.store.messages.edit(CHANNEL, self.ts, f"hola {self.edits}", self.edits)
            case "delete":
                self.store.messages.delete(CHANNEL, self.ts)
            case "predict":
                self.predict()
        self.clock.now += timedelta(milliseconds=10)
        self.note()

    def note(self) -> None:
        if self.state is not self.seen[-1]:
            self.seen.append(self.state)

    def calm_down(self) -> None:
        """No more faults: the sweep brings whatever is not settled."""
        for _ in range(40):
            self.happen("predict", "")
            self.happen("lease ends", "")
            for _ in range(8):
                self.happen("first", "")
                self.happen("second", "")
            if self.state in SETTLED and all(worker.work is None for worker in self.workers.values()):
                return
        raise AssertionError(f"never settled: {self.store.outbox.get(self.key)}, {self.slack}")


@pytest.fixture(scope="module")
def evenings(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Store, Clock, list[int]], None, None]:
    """A store whose clock is a model's."""
    folder: Path = tmp_path_factory.mktemp("evenings")
    store = Store(f"sqlite:///{folder / 'beto.db'}", folder)
    store.migrate()
    clock = Clock()
    with pytest.MonkeyPatch.context() as patched:
        for module in (outbox_module, changes_module, messages_module, gestures_module):
            patched.setattr(module, "now", clock)
        yield store, clock, []
    store.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(EVENTS, max_size=40))
# Whoever took over cannot look, or dies, and the one before records late that all is done.
@example(events=[("first", ""), ("first", ""), ("lease ends", ""), ("second", ""), ("second", "ratelimited")])
@example(events=[("delete", ""), ("second", ""), ("lease ends", ""), ("first", ""), ("first dies", ""), ("second", "")])
def test_whatever_happens_slack_shows_one_reply_in_the_end(
    evenings: tuple[Store, Clock, list[int]], events: list[tuple[str, str]]
) -> None:
    """Nothing lost and nothing doubled: the promise that everything else rests on."""
    store, clock, count = evenings
    count.append(1)
    evening = Evening(store, clock, len(count))
    for event, fault in events:
        evening.happen(event, fault)
        assert len(evening.slack.posts) <= 1
    evening.calm_down()
    stored, row = store.messages.get(evening.message_id), store.outbox.get(evening.key)
    assert stored is not None
    assert row is not None
    if stored.deleted:
        assert evening.slack.posts == {}
        assert (row.state, row.ts) == (State.GONE, None)
    else:
        assert evening.slack.posts == {row.ts: row.wanted}
        assert row.state is State.SHOWN
    assert row.claimed_by is None
    known = {(before, then) for before, then, _ in TRANSITIONS}
    for before, then in zip(evening.seen, evening.seen[1:], strict=False):
        assert (before, then) in known, f"{before} -> {then} is not in the diagram"
