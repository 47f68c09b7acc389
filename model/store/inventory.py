"""What there is and what waits, in figures: for whoever watches the whole from outside.

Nothing here reads more than what waits, however much is stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, case, func, select, text

from model.schema import Progress
from model.store.database import Database, aware, now, tally
from model.store.outbox_row import Kind, State
from model.store.tables import messages, outbox, promotions, runs, workers
from model.store.workers import SILENT_S

# What a row of the outbox can wait in. What is settled is not counted: that would take the longer, the more is stored.
WAITING = (
    State.AWAITING_PREDICTION,
    State.DUE,
    State.CLAIMED,
    State.WAITING_TURN,
    State.UNSURE,
    State.REFUSED,
)
# What a message without a reply can wait for.
UNANSWERED = (State.AWAITING_PREDICTION, State.DUE, State.WAITING_TURN)


@dataclass(frozen=True)
class Figures:
    """What there was at one moment. Times are in seconds.

    `oldest_s` is of messages that no reply was shown to yet, by what the reply waits for. `gestures_untrained` are those since
    the newest run that made a version was asked for; `failed_in_a_row` counts runs, whether another is under way or not.
    `progress` and `silence_s` are of the run at work: None, and 0, without one.
    """

    waiting: Mapping[State, int]
    oldest_s: Mapping[State, float]
    messages: int
    gestures: int
    gestures_untrained: int
    workers: int
    workers_behind: int
    live: int
    runs: Mapping[str, int]
    failed_in_a_row: int
    progress: Progress | None
    silence_s: float


class Inventory:
    """The figures of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> Figures:
        """Return what there is now (see `database` for what it raises)."""
        with self._database.reading() as connection:
            moment = now()
            waiting, oldest_s = _outbox(connection, moment)
            live = connection.execute(select(promotions.c.version).order_by(promotions.c.id.desc()).limit(1)).scalar_one_or_none()
            alive = workers.c.seen_at > moment - timedelta(seconds=SILENT_S)
            serving = list(connection.execute(select(workers.c.version).where(alive)).scalars())
            gestures = tally(connection, "gestures")
            trained = connection.execute(
                select(runs.c.judgements).where(runs.c.version.is_not(None)).order_by(runs.c.id.desc()).limit(1)
            ).scalar_one_or_none()
            statuses = {row.status: row.rows for row in connection.execute(_RUNS)}
            sound = select(func.max(runs.c.id)).where(runs.c.status.in_(["done", "cancelled"])).scalar_subquery()
            failed = select(func.count()).where(runs.c.status == "failed", runs.c.id > func.coalesce(sound, 0))
            working = connection.execute(
                select(runs.c.progress, runs.c.beat_at).where(runs.c.open, runs.c.status == "running")
            ).one_or_none()
            return Figures(
                waiting=waiting,
                oldest_s=oldest_s,
                messages=tally(connection, "messages"),
                gestures=gestures,
                gestures_untrained=gestures - (trained or 0),
                workers=len(serving),
                workers_behind=sum(version != (live or 0) for version in serving),
                live=live or 0,
                runs=statuses,
                failed_in_a_row=connection.execute(failed).scalar_one(),
                progress=None if working is None or working.progress is None else Progress.model_validate(working.progress),
                silence_s=0.0 if working is None else (moment - aware(working.beat_at)).total_seconds(),
            )


_RUNS = select(runs.c.status, func.count().label("rows")).group_by(runs.c.status)


def _outbox(connection: Connection, moment: datetime) -> tuple[dict[State, int], dict[State, float]]:
    claimed = and_(outbox.c.claimed_by.is_not(None), outbox.c.state.in_([State.DUE, State.WAITING_TURN]))
    state = case(
        (and_(claimed, outbox.c.claimed_until > moment), State.CLAIMED.value),
        (claimed, State.UNSURE.value),
        else_=outbox.c.state,
    )
    unanswered = and_(outbox.c.kind == Kind.REPLY, outbox.c.posted_at.is_(None), outbox.c.digest_id.is_(None))
    oldest = func.min(case((unanswered, outbox.c.message_id)))
    rows = connection.execute(
        select(state.label("state"), func.count().label("rows"), oldest.label("oldest"))
        .where(outbox.c.retry_at.is_not(None))
        .group_by(state)
    ).all()
    waiting = dict.fromkeys(WAITING, 0) | {State(row.state): row.rows for row in rows if row.state in WAITING}
    # Also those that are tried again only when somebody asks; in the words of `ix_outbox_refused`.
    refused = select(func.count()).select_from(outbox).where(text("state = 'refused'"))
    waiting[State.REFUSED] = connection.execute(refused).scalar_one()
    first = {row.oldest: State(row.state) for row in rows if row.state in UNANSWERED and row.oldest is not None}
    received = select(messages.c.id, messages.c.received_at).where(messages.c.id.in_(list(first)))
    ages = {first[row.id]: (moment - aware(row.received_at)).total_seconds() for row in connection.execute(received)}
    return waiting, dict.fromkeys(UNANSWERED, 0.0) | ages
