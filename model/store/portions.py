"""The daily portions of the review: where somebody is reminded of it, and at which hour of their own."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from model.store.database import Database, now
from model.store.outbox_row import Kind, State
from model.store.tables import outbox, portions


@dataclass(frozen=True)
class Portion:
    """A reminder in a channel, or in somebody's direct messages with the bot, at `hour` by a clock `offset_s` ahead of UTC."""

    channel: str
    user: str  # who asked for it
    hour: int
    offset_s: int

    @property
    def is_direct(self) -> bool:
        """Return whether it is one person's own."""
        return self.channel.startswith("D")


def portion_key(channel: str, day: str) -> str:
    """Return the key of a day's reminder: there is one, whoever looks."""
    return f"portion:{channel}:{day}"


class Portions:
    """The portions of one database. Every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, channel: str) -> Portion | None:
        """Return what was asked for there."""
        with self._database.reading() as connection:
            row = connection.execute(select(portions).where(portions.c.channel == channel)).one_or_none()
            return None if row is None else Portion(row.channel, row.user, row.hour, row.offset_s)

    def set(self, portion: Portion, moment: datetime | None = None) -> None:
        """Remind there daily from now on, in place of another hour; today where that hour is still to come."""
        local = (moment or now()) + timedelta(seconds=portion.offset_s)
        day = local if local.hour >= portion.hour else local - timedelta(days=1)
        values = {
            "user": portion.user, "hour": portion.hour, "offset_s": portion.offset_s, "last_day": f"{day:%Y-%m-%d}",
        }  # fmt: skip
        with self._database.writing() as connection:
            insert = self._database.insert(portions).values(channel=portion.channel, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=["channel"], set_=values))

    def stop(self, channel: str) -> bool:
        """Remind there no more; return whether that changes anything."""
        with self._database.writing() as connection:
            return bool(connection.execute(portions.delete().where(portions.c.channel == channel)).rowcount)

    def open_due(self, is_worth_it: Callable[[Portion], bool], moment: datetime | None = None) -> list[str]:
        """Open the rows of the outbox for reminders whose hour has come, once a day each, and return their keys.

        Where nothing waits (`is_worth_it`) the day passes in silence.
        """
        moment = moment or now()
        with self._database.reading() as connection:
            rows = connection.execute(select(portions)).all()
        opened = []
        for row in rows:
            local = moment + timedelta(seconds=row.offset_s)
            day = f"{local:%Y-%m-%d}"
            if local.hour < row.hour or row.last_day >= day:
                continue
            portion = Portion(row.channel, row.user, row.hour, row.offset_s)
            is_wanted = is_worth_it(portion)
            with self._database.writing() as connection:
                mine = (portions.c.channel == row.channel, portions.c.last_day == row.last_day)
                if not connection.execute(portions.update().where(*mine).values(last_day=day)).rowcount or not is_wanted:
                    continue  # another process was faster, or there is nothing to do
                connection.execute(
                    self._database.insert_or_ignore(outbox).values(
                        key=portion_key(row.channel, day),
                        kind=Kind.ANNOUNCEMENT,
                        channel=row.channel,
                        state=State.DUE,
                        wanted=1,
                        retry_at=moment,
                        content={"portion": {"direct": portion.is_direct}},
                    )
                )
                opened.append(portion_key(row.channel, day))
        return opened
