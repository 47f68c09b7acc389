"""What a team wants to know of its labels beside how they are counted (`standings`): who judged, what waits, how fast it was.

Nothing here reads more than its own period, or so many of the newest rows, however much is stored. Every method is one
transaction (see `database` for what it raises).
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from model.schema import Report
from model.store.database import Database, aware, now
from model.store.judged_messages import is_judged
from model.store.outbox_row import Kind, doubt_key
from model.store.standings import Span
from model.store.tables import gestures, messages, outbox, predictions, runs

# Of the newest replies and predictions, so many are looked at.
REPLIES, PREDICTIONS = 200, 1000
# So many days back a question to an author still waits for them, and so many versions are told of.
DOUBT_DAYS, VERSIONS = 7, 12


@dataclass(frozen=True)
class Learnt:
    """What a version had to learn from, in gestures that were kept when it was asked for, and what came of it on test.

    F1 is micro-F1 with its interval; `gain` is over the version that was live then, None where there was none.
    """

    version: int
    judgements: int
    report: Report


class Insight:
    """The insight into one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def judges(self, span: Span) -> Counter[str]:
        """Return how many gestures each person made in this span, those that were taken back left out of the count."""
        made = (gestures.c.at >= span.since, gestures.c.at < span.until, gestures.c.withdrawn.is_(False))
        query = select(gestures.c.user, func.count()).where(*made).group_by(gestures.c.user)
        with self._database.reading() as connection:
            return Counter({str(user): int(count) for user, count in connection.execute(query)})

    def doubts_of(self, user: str, a_day: int) -> list[int]:
        """Return the messages of this person of which they were asked lately, and nobody has said anything."""
        days = [f"{now() - timedelta(days=ago):%Y-%m-%d}" for ago in range(DOUBT_DAYS)]
        keys = [doubt_key(day, number) for day in days for number in range(a_day)]
        asked = (
            select(messages.c.id)
            .join(outbox, outbox.c.message_id == messages.c.id)
            .where(outbox.c.key.in_(keys), outbox.c.kind == Kind.DOUBT.value)
            .where(messages.c.user == user, messages.c.deleted_at.is_(None), ~is_judged())
        )
        with self._database.reading() as connection:
            return [int(each) for each in connection.execute(asked.order_by(messages.c.id.desc())).scalars()]

    def waits_s(self) -> list[float]:
        """Return the seconds from a message to its reply, of the newest that were answered."""
        newest = select(outbox.c.message_id, outbox.c.kind, outbox.c.posted_at).order_by(outbox.c.id.desc()).limit(REPLIES)
        with self._database.reading() as connection:
            posted = {
                row.message_id: aware(row.posted_at)
                for row in connection.execute(newest)
                if row.kind == Kind.REPLY and row.posted_at is not None
            }
            received = select(messages.c.id, messages.c.received_at).where(messages.c.id.in_(list(posted)))
            return [(posted[row.id] - aware(row.received_at)).total_seconds() for row in connection.execute(received)]

    def recent_scores(self, version: int) -> list[dict[str, float]]:
        """Return what this version says of the newest messages, each label's probability; of repeats nothing."""
        newest = select(predictions.c.version, predictions.c.prediction, predictions.c.known_from)
        with self._database.reading() as connection:
            rows = connection.execute(newest.order_by(predictions.c.id.desc()).limit(PREDICTIONS)).all()
        return [dict(row.prediction["scores"]) for row in rows if row.version == version and row.known_from is None]

    def learnt(self) -> list[Learnt]:
        """Return the newest versions that came of runs, the oldest first."""
        made = select(runs.c.version, runs.c.judgements, runs.c.report).where(runs.c.report.is_not(None))
        with self._database.reading() as connection:
            rows = connection.execute(made.order_by(runs.c.id.desc()).limit(VERSIONS)).all()
        return [Learnt(row.version, row.judgements, Report.model_validate(row.report)) for row in reversed(rows)]
