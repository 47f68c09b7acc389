"""The channels and what each of them chose.

Every method is one transaction (see `database` for what it raises).
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import bindparam, false, func, select

from model.reactions import Place
from model.showing import Display, Rest, Showing
from model.store.channel_choices import chosen_labels, read_showing
from model.store.database import Database, aware, now
from model.store.outbox_changes import mark_archived_due, mark_refused_due, settle_channel
from model.store.tables import channels, gestures, messages, mutes, outbox, runs, standing_labels, standings, training_texts

Mode = Literal["auto", "mention"]
Frequency = Literal["daily", "weekly"]

_CHANNEL = select(channels).where(channels.c.channel == bindparam("of_channel"))


@dataclass(frozen=True)
class SummaryChoice:
    """When a channel is told what came in it: at this hour in this zone, first after `since`."""

    channel: str
    frequency: Frequency
    hour: int
    zone: str
    since: datetime


class Channels:
    """The channels of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def mode(self, channel: str) -> Mode:
        """Return `auto` (every message is labelled) or `mention` (where nobody chose: only those that ask for it)."""
        with self._database.reading() as connection:
            row = connection.execute(_CHANNEL, {"of_channel": channel}).one_or_none()
            return "auto" if row is not None and row.mode == "auto" else "mention"

    def set_mode(self, channel: str, mode: Mode) -> bool:
        """Set the channel's mode; return whether it had another."""
        with self._database.writing() as connection:
            before = connection.execute(select(channels.c.mode).where(channels.c.channel == channel)).scalar_one_or_none()
            insert = self._database.insert(channels).values(channel=channel, mode=mode)
            connection.execute(insert.on_conflict_do_update(index_elements=["channel"], set_={"mode": mode}))
            return (before or "mention") != mode

    def watched(self, limit: int) -> list[str]:
        """Return the channels whose every message is labelled and of which one is kept, those with the newest first."""
        newest = func.max(messages.c.id)
        wanted = select(channels.c.channel).join(messages, messages.c.channel == channels.c.channel)
        with self._database.reading() as connection:
            found = wanted.where(channels.c.mode == "auto").group_by(channels.c.channel).order_by(newest.desc()).limit(limit)
            return [str(channel) for channel in connection.execute(found).scalars()]

    def showing(self, channel: str) -> Showing:
        """Return how labels are shown in this channel: in threads and at once where nobody chose."""
        with self._database.reading() as connection:
            return read_showing(connection.execute(_CHANNEL, {"of_channel": channel}).one_or_none())

    def set_showing(self, channel: str, display: Display, *, delay_minutes: int | None = None, rest: Rest | None = None) -> bool:
        """Set how labels are shown from now on; return whether that was otherwise. Without a delay, delay and rest stay."""
        values: dict[str, object] = {"display": display}
        if delay_minutes is not None:
            values |= {"delay_minutes": delay_minutes, "rest": None if rest is None else asdict(rest)}
        with self._database.writing() as connection:
            before = connection.execute(select(channels).where(channels.c.channel == channel)).one_or_none()
            insert = self._database.insert(channels).values(channel=channel, mode="mention", seeds=False, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=["channel"], set_=values))
        was = {"display": "thread", "delay_minutes": 0, "rest": None} if before is None else before._mapping
        return any(was[name] != value for name, value in values.items())

    def seeds(self, channel: str) -> bool:
        """Return whether the likely labels' emoji are put on this channel's messages."""
        with self._database.reading() as connection:
            return bool(connection.execute(select(channels.c.seeds).where(channels.c.channel == channel)).scalar_one_or_none())

    def set_seeds(self, channel: str, seeds: bool) -> None:
        """Set whether the likely labels' emoji are put on this channel's messages."""
        with self._database.writing() as connection:
            insert = self._database.insert(channels).values(channel=channel, mode="mention", seeds=seeds)
            connection.execute(insert.on_conflict_do_update(index_elements=["channel"], set_={"seeds": seeds}))

    def reactions(self, channel: str) -> Place:
        """Return what reactions count on: `reply` alone (where nobody chose), or also the `message` itself."""
        with self._database.reading() as connection:
            chosen = select(channels.c.reactions).where(channels.c.channel == channel)
            return "message" if connection.execute(chosen).scalar_one_or_none() == "message" else "reply"

    def set_reactions(self, channel: str, place: Place) -> bool:
        """Set what reactions count on from now on; return whether it was something else."""
        with self._database.writing() as connection:
            chosen = select(channels.c.reactions).where(channels.c.channel == channel)
            before = connection.execute(chosen).scalar_one_or_none()
            insert = self._database.insert(channels).values(channel=channel, mode="mention", reactions=place)
            connection.execute(insert.on_conflict_do_update(index_elements=["channel"], set_={"reactions": place}))
            return (before or "reply") != place

    def set_summary(self, channel: str, frequency: Frequency | None, hour: int, zone: str) -> bool:
        """Set when the channel is told what came in it, None: never; return whether it was otherwise."""
        chosen = {"summary": frequency, "summary_hour": hour, "summary_zone": zone}
        with self._database.writing() as connection:
            before = connection.execute(select(channels).where(channels.c.channel == channel)).one_or_none()
            same = before is not None and all(getattr(before, name) == value for name, value in chosen.items())
            if same or (frequency is None and (before is None or before.summary is None)):
                return False
            values = {**chosen, "summary_since": now()}
            insert = self._database.insert(channels).values(channel=channel, mode="mention", **values)
            connection.execute(insert.on_conflict_do_update(index_elements=["channel"], set_=values))
            return True

    def summaries(self) -> list[SummaryChoice]:
        """Return which channels are told what came in them, and when."""
        with self._database.reading() as connection:
            rows = connection.execute(select(channels).where(channels.c.summary.is_not(None))).all()
        return [
            SummaryChoice(row.channel, row.summary, row.summary_hour, row.summary_zone, aware(row.summary_since)) for row in rows
        ]

    def labels(self, channel: str) -> tuple[str, ...] | None:
        """Return the labels that the channel chose, by their names of then; None for all."""
        with self._database.reading() as connection:
            return chosen_labels(connection, [channel]).get(channel)

    def set_labels(self, channel: str, names: tuple[str, ...] | None) -> bool:
        """Let the channel use these labels from now on, None: all; return whether it used others.

        What was judged stays as it was said.
        """
        with self._database.writing() as connection:
            before, kept = chosen_labels(connection, [channel]).get(channel), None if names is None else list(names)
            insert = self._database.insert(channels).values(channel=channel, mode="mention", labels=kept)
            connection.execute(insert.on_conflict_do_update(index_elements=["channel"], set_={"labels": kept}))
            return before != names

    def canvas(self, channel: str) -> str | None:
        """Return Slack's id of the canvas with the label guide in this channel; None where there is none."""
        with self._database.reading() as connection:
            return connection.execute(select(channels.c.canvas).where(channels.c.channel == channel)).scalar_one_or_none()

    def keep_canvas(self, channel: str, made: str, *, instead_of: str | None) -> str:
        """Keep the canvas that was made there; return the one that is kept, another where somebody made one meanwhile."""
        with self._database.writing() as connection:
            insert = self._database.insert(channels).values(channel=channel, mode="mention", canvas=None)
            connection.execute(insert.on_conflict_do_nothing(index_elements=["channel"]))
            there = select(channels.c.canvas).where(channels.c.channel == channel).with_for_update()
            kept = connection.execute(there).scalar_one()
            if kept not in (None, instead_of):
                return str(kept)
            connection.execute(channels.update().where(channels.c.channel == channel).values(canvas=made))
            return made

    def delete(self, channel: str) -> int:
        """Remove the texts of a channel that is gone, and expect nothing more to be posted there; return how many there were."""
        with self._database.writing() as connection:
            values = {"mode": "mention", "seeds": False, "summary": None, "display": "thread", "delay_minutes": 0, "rest": None}
            connection.execute(channels.update().where(channels.c.channel == channel).values(**values))
            there = (messages.c.channel == channel, messages.c.deleted_at.is_(None))
            gone = connection.execute(messages.update().where(*there).values(text="", deleted_at=now()).returning(messages.c.id))
            ids = list(gone.scalars())
            settle_channel(connection, channel, ids)
            return len(ids)

    def reopen(self, channel: str) -> int:
        """Make due what was refused because the channel was archived; return how much that is."""
        with self._database.writing() as connection:
            return mark_archived_due(connection, channel)

    def rename(self, old: str, new: str) -> None:
        """Move all that is kept under a channel's old id to its new one: Slack changes ids now and then.

        What was refused since, as Slack knew no such channel any more, is due.
        """
        with self._database.writing() as connection:
            # What came under the new id before we heard of it, or the same news twice: the new rows stand.
            taken = {
                channels: select(channels.c.channel).where(channels.c.channel == new).exists(),
                messages: messages.c.ts.in_(select(messages.c.ts).where(messages.c.channel == new)),
                gestures: false(),
                mutes: mutes.c.ts.in_(select(mutes.c.ts).where(mutes.c.channel == new)),
                runs: false(),
                outbox: false(),
                standings: false(),
                standing_labels: false(),
            }
            for table, is_taken in taken.items():
                connection.execute(table.update().where(table.c.channel == old, ~is_taken).values(channel=new))
            mark_refused_due(connection, new)
            connection.execute(
                training_texts.update()
                .where(training_texts.c.text_id.startswith(f"{old}:", autoescape=True))
                .values(text_id=f"{new}:" + func.substr(training_texts.c.text_id, len(old) + 2))
            )
