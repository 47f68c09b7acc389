"""What stands under one message, and how it is kept inside the transactions of others."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from model.judgements import MessageState
from model.store.stored_message import StoredMessage
from model.store.tables import standing_labels, standings


@dataclass(frozen=True)
class Standing:
    """What stands under a message that was written at this moment, in microseconds.

    `corrected`: people judged it, and what stands is not what was predicted. None in place of labels: what is predicted of it
    is hidden from all.
    """

    at: int
    labels: tuple[str, ...] | None
    judged: bool = False
    corrected: bool = False

    @classmethod
    def of(cls, stored: StoredMessage, state: MessageState) -> "Standing":
        """Return what stands under the message, of which this is said."""
        at, judged = microseconds(stored.message.ts), bool(state.judges)
        if stored.message.blind and not judged:
            return cls(at, None)
        return cls(at, state.shown, judged, judged and set(state.shown) != state.predicted & set(state.labels))


def keep_standing(connection: Connection, message_id: int, channel: str, standing: Standing) -> None:
    """Keep what stands under a message in place of what was kept of it."""
    if connection.execute(standings.delete().where(standings.c.message_id == message_id)).rowcount:
        connection.execute(standing_labels.delete().where(standing_labels.c.message_id == message_id))
    if standing.labels is None:
        return
    where = {"message_id": message_id, "channel": channel, "at": standing.at}
    said = {"judged": standing.judged, "corrected": standing.corrected}
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    # Whoever else keeps it at this moment keeps the same.
    row = dialect.insert(standings).values(**where, labels=len(standing.labels), **said)
    connection.execute(row.on_conflict_do_nothing())
    if standing.labels:
        rows = [{**where, "label": name} for name in standing.labels]
        connection.execute(dialect.insert(standing_labels).on_conflict_do_nothing(), rows)


def forget_standing(connection: Connection, message_ids: Iterable[int]) -> None:
    """Forget what stood under these messages."""
    ids = list(message_ids)
    for table in (standing_labels, standings):
        connection.execute(table.delete().where(table.c.message_id.in_(ids)))


def microseconds(ts: str) -> int:
    """Return Slack's `1716400000.123456` as an integer, exactly."""
    seconds, _, fraction = ts.partition(".")
    return int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))
