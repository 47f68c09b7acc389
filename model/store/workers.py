"""Which version the workers really serve: each of them says what it has in memory, as long as it lives.

The promotions tell which version is chosen; loading it takes time, and may fail. Every method is one transaction (see
`database` for what it raises).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from model.store.database import Database, aware, now
from model.store.tables import workers

# A worker says so every few seconds, and one that was silent for long serves nothing any more.
BEAT_EVERY_S = 10.0
SILENT_S = 35.0
# Rows of workers that ended; the last of them tells since when the version was served before a restart.
KEPT_FOR = timedelta(days=1)


@dataclass(frozen=True)
class Serving:
    """What one worker serves: `version` (0: none yet) since when, and the versions that it could not load."""

    version: int
    since: datetime
    refused: tuple[int, ...]


class Workers:
    """The workers of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def beat(self, name: str, version: int, refused: Sequence[int] = ()) -> None:
        """Save that this worker lives, serves `version` (0: none yet), and could not load those that are `refused`."""
        with self._database.writing() as connection:
            moment = now()
            values = {"version": version, "refused": list(refused), "seen_at": moment}
            same = (workers.c.name == name, workers.c.version == version)
            if connection.execute(workers.update().where(*same).values(**values)).rowcount:
                return
            since = _served_since(connection, version) or moment
            connection.execute(workers.delete().where(workers.c.seen_at < moment - KEPT_FOR))
            insert = self._database.insert(workers).values(name=name, since=since, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=["name"], set_={"since": since, **values}))

    def serving(self) -> list[Serving]:
        """Return what each living worker serves."""
        with self._database.reading() as connection:
            alive = workers.c.seen_at > now() - timedelta(seconds=SILENT_S)
            rows = connection.execute(select(workers).where(alive).order_by(workers.c.name)).all()
        return [Serving(row.version, aware(row.since), tuple(row.refused)) for row in rows]


def _served_since(connection: Connection, version: int) -> datetime | None:
    """Return since when the version was served without a break until now; None where another one was served last.

    A worker that starts again has not changed who answers.
    """
    last = connection.execute(select(workers).order_by(workers.c.seen_at.desc()).limit(1)).one_or_none()
    return aware(last.since) if last is not None and last.version == version else None
