"""What looks wrong in what people said of messages, kept to ask them about. Every method is one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select

from model.store.database import Database, now
from model.store.tables import messages, suspicions


@dataclass(frozen=True)
class Suspicion:
    """A label of a judged message that looks wrong: `says` whether it applies. The lower `score`, the less believable."""

    message_id: int
    label: str
    says: bool
    score: float


class Suspicions:
    """The suspicions of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replace(self, found: Sequence[Suspicion]) -> None:
        """Keep these instead of what was kept before; what was asked about once is not asked again (`Reviews.suspects`)."""
        with self._database.writing() as connection:
            connection.execute(suspicions.delete())
            alive = set(
                connection.execute(select(messages.c.id).where(messages.c.id.in_({each.message_id for each in found}))).scalars()
            )
            rows = [
                {"message_id": each.message_id, "label": each.label, "says": each.says, "score": each.score, "found_at": now()}
                for each in found
                if each.message_id in alive
            ]
            if rows:
                connection.execute(suspicions.insert(), rows)

    def of(self, message_id: int) -> list[Suspicion]:
        """Return what looks wrong of this message."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select(suspicions).where(suspicions.c.message_id == message_id).order_by(suspicions.c.label)
            )
            return [Suspicion(row.message_id, row.label, row.says, row.score) for row in rows]
