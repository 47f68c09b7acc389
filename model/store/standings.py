"""What stands under the messages, counted: a row for each message, and one for each of its labels.

Kept by whoever shows it (`outbox.record`), so the two cannot differ. Every method is one transaction (see `database` for what
it raises).
"""

from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, and_, case, func, select

from model.labels import Taxonomy
from model.schema import Source
from model.store.database import Database, lock_channel
from model.store.judged_messages import JudgedMessages
from model.store.standing import Standing, keep_standing
from model.store.stored_message import StoredMessage
from model.store.tables import messages, standing_labels, standings, workspace
from model.summary import Counted, Seen, Summary, first_labels

# Of what was stored before standings were kept, so much is noted at once.
FORMER_AT_ONCE = 200
# Of what a summary shows: so many labels first, so many messages of each, and so many of the rest.
MOST_FIRST, LINES_EACH, MOST_OTHERS = 6, 8, 10


@dataclass(frozen=True)
class Span:
    """From a moment to before another, in microseconds."""

    since: int
    until: int

    @classmethod
    def between(cls, since: datetime, until: datetime) -> "Span":
        """Return the span between two moments."""
        return cls(int(since.timestamp() * 1_000_000), int(until.timestamp() * 1_000_000))


class Standings:
    """What stands under the messages of one database."""

    def __init__(self, database: Database, judged: JudgedMessages) -> None:
        self._database = database
        self._judged = judged

    def count(self, span: Span, taxonomy: Taxonomy, *, channel: str | None = None, by_label: bool = True) -> Counted:
        """Count what stands under the messages of this span, of all channels or of one, in the labels of today.

        Reads the span's index entries and nothing else; not `by_label`, a third of them, and what is unlabelled is as it was
        shown, whatever labels were retired since.
        """
        there = _within(standings, span, channel)
        with self._database.reading() as connection:
            row = connection.execute(
                select(
                    func.count(),
                    func.sum(case((standings.c.labels == 0, 1), else_=0)),
                    func.sum(case((standings.c.judged, 1), else_=0)),
                    func.sum(case((standings.c.corrected, 1), else_=0)),
                ).where(there)
            ).one()
            total, unlabelled, judged, corrected = (int(each or 0) for each in row)
            raw = _counted(connection, span, channel) if by_label else {}
            groups = _today(raw, taxonomy)
            carrying = {name: _carrying(connection, raw, names, span, channel) for name, names in groups.items()}
            current = [name for names in groups.values() for name in names]
            if len(current) < len(raw):  # whoever carries nothing but labels that are no more carries none
                unlabelled = total - _distinct(connection, current, span, channel)
        labels = {label.name: carrying[label.name] for label in taxonomy if label.name in carrying}
        return Counted(total, unlabelled, judged, corrected, labels)

    def newest(
        self, span: Span, channel: str, taxonomy: Taxonomy, *, labels: Collection[str] | None = None, most: int
    ) -> list[int]:
        """Return the newest messages of the channel in this span, newest first; those that carry one of `labels`, if given."""
        with self._database.reading() as connection:
            if labels is None:
                wanted = select(standings.c.message_id).where(_within(standings, span, channel))
                rows = connection.execute(wanted.order_by(standings.c.at.desc()).limit(most))
                return [int(each) for each in rows.scalars()]
            names = _today(_counted(connection, span, channel), taxonomy)
        return self._newest_of(span, channel, [name for label in labels for name in names.get(label, ())], most)

    def _newest_of(self, span: Span, channel: str, names: Sequence[str], most: int) -> list[int]:
        """Return the newest messages of the channel in this span that carry one of these names, newest first."""
        carrying = and_(_within(standing_labels, span, channel), standing_labels.c.label.in_(names))
        wanted = select(standing_labels.c.message_id).where(carrying).order_by(standing_labels.c.at.desc())
        with self._database.reading() as connection:
            # A message may carry several of them.
            rows = connection.execute(wanted.limit(most * max(len(names), 1)))
            return list(dict.fromkeys(int(each) for each in rows.scalars()))[:most]

    def summary(self, channel: str, since: datetime, until: datetime, taxonomy: Taxonomy) -> Summary:
        """Return what came in a channel in this time: counts, and the newest messages, of the labels that come first first."""
        span = Span.between(since, until)
        counted = self.count(span, taxonomy, channel=channel)
        with self._database.reading() as connection:
            names = _today(_counted(connection, span, channel), taxonomy)
        first: list[tuple[str, list[Seen]]] = []
        told: set[int] = set()
        for name in [label for label in first_labels(taxonomy) if counted.labels.get(label)][:MOST_FIRST]:
            ids = self._newest_of(span, channel, names[name], LINES_EACH + len(told))
            seen = self._seen([each for each in ids if each not in told][:LINES_EACH], taxonomy)
            told.update(each.message_id for each in seen)
            first.append((name, seen))
        newest = self.newest(span, channel, taxonomy, most=MOST_OTHERS + len(told))
        others = self._seen([each for each in newest if each not in told][:MOST_OTHERS], taxonomy)
        return Summary(channel, since, counted, first, others)

    def _seen(self, ids: Sequence[int], taxonomy: Taxonomy) -> list[Seen]:
        """Return these messages as they stand, in this order; those that are gone are left out."""
        found = {
            each.row.id: Seen(each.row.id, each.row.ts, each.row.text, each.state, each.prediction)
            for each in self._judged.messages(taxonomy, ids=array("q", ids))
        }
        return [found[each] for each in ids if each in found]

    def keep_new(self, found: Sequence[tuple[StoredMessage, Standing]]) -> None:
        """Keep what stands under those of these messages of which nothing is kept: what was shown since is newer."""
        with self._database.writing() as connection:
            for channel in sorted({stored.message.channel for stored, _ in found}):
                lock_channel(connection, channel)  # as whoever records a reply there
            ids = [stored.id for stored, _ in found]
            known = set(connection.execute(select(standings.c.message_id).where(standings.c.message_id.in_(ids))).scalars())
            for stored, standing in found:
                if stored.id not in known:
                    keep_standing(connection, stored.id, stored.message.channel, standing)

    def has_former(self) -> bool:
        """Return whether `note_former` has something left to look at."""
        with self._database.reading() as connection:
            return connection.execute(select(workspace.c.standings_from)).scalar_one_or_none() is not None

    def note_former(self, taxonomy: Taxonomy) -> int:
        """Note what stands under some of the messages that were answered before standings were kept, the newest first.

        Returns how many messages were looked at; 0: nothing is left. Done twice it changes nothing.
        """
        with self._database.reading() as connection:
            below = connection.execute(select(workspace.c.standings_from)).scalar_one_or_none()
            if below is None:
                return 0
            older = select(messages).where(messages.c.id < below).order_by(messages.c.id.desc()).limit(FORMER_AT_ONCE)
            rows = connection.execute(older).all()
        found = []
        for row in rows:
            stored = StoredMessage.of(row)
            if stored.deleted or stored.message.source is Source.COMMAND:
                continue
            judged = self._judged.of(stored.id, taxonomy)
            if judged is not None and judged.prediction is not None:
                found.append((stored, Standing.of(stored, judged.state)))
        self.keep_new(found)
        with self._database.writing() as connection:
            lowest = rows[-1].id if len(rows) == FORMER_AT_ONCE else None
            connection.execute(workspace.update().values(standings_from=lowest))
        return len(rows)


def _within(table: Any, span: Span, channel: str | None) -> Any:
    there = and_(table.c.at >= span.since, table.c.at < span.until)
    return there if channel is None else and_(table.c.channel == channel, there)


def _counted(connection: Connection, span: Span, channel: str | None) -> dict[str, int]:
    """Return how many messages carry each label, by the name that it had."""
    there, name = _within(standing_labels, span, channel), standing_labels.c.label
    if channel is None:  # each name on its own stretch of the index, where SQLite would sort all that it counts
        there = and_(there, name.in_(_names(connection)))
    rows = connection.execute(select(name, func.count()).where(there).group_by(name))
    return {str(each): int(counted) for each, counted in rows}


def _names(connection: Connection) -> list[str]:
    """Return the names of labels that stand somewhere: one look into the index for each."""
    name = standing_labels.c.label
    first = select(func.min(name).label("name")).cte("names", recursive=True)
    after = select(func.min(name)).where(name > first.c.name).scalar_subquery()
    names = first.union_all(select(after).where(first.c.name.is_not(None)))
    return list(connection.execute(select(names.c.name).where(names.c.name.is_not(None))).scalars())


def _carrying(connection: Connection, raw: Mapping[str, int], names: Sequence[str], span: Span, channel: str | None) -> int:
    """Return how many messages carry any of these names, each once: of labels that were merged one may carry several."""
    return raw[names[0]] if len(names) == 1 else _distinct(connection, names, span, channel)


def _distinct(connection: Connection, names: Sequence[str], span: Span, channel: str | None) -> int:
    there = and_(_within(standing_labels, span, channel), standing_labels.c.label.in_(names))
    return int(connection.execute(select(func.count(standing_labels.c.message_id.distinct())).where(there)).scalar_one())


def _today(names: Iterable[str], taxonomy: Taxonomy) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name in names:
        for label in taxonomy.today([name]):
            if label in taxonomy:
                found.setdefault(label, []).append(name)
    return found
