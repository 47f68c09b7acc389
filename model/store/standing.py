"""What stands under one message, and how it is kept inside the transactions of others."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam

from model.judgements import MessageState
from model.store.database import insert_or_ignore
from model.store.stored_message import StoredMessage
from model.store.tables import standing_labels, standings

_FORGET = standings.delete().where(standings.c.message_id == bindparam("of_message"))
_FORGET_LABELS = standing_labels.delete().where(standing_labels.c.message_id == bindparam("of_message"))


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
    if connection.execute(_FORGET, {"of_message": message_id}).rowcount:
        connection.execute(_FORGET_LABELS, {"of_message": message_id})
    if standing.labels is None:
        return
    where = {"message_id": message_id, "channel": channel, "at": standing.at}
    said = {"judged": standing.judged, "corrected": standing.corrected}
    # Whoever else keeps it at this moment keeps the same.
    connection.execute(insert_or_ignore(connection, standings), {**where, "labels": len(standing.labels), **said})
    if standing.labels:
        rows = [{**where, "label": name} for name in standing.labels]
        connection.execute(insert_or_ignore(connection, standing_labels), rows)


def forget_standing(connection: Connection, message_ids: Iterable[int]) -> None:
    """Forget what stood under these messages."""
    ids = list(message_ids)
    for table in (standing_labels, standings):
        connection.execute(table.delete().where(table.c.message_id.in_(ids)))


def microseconds(ts: str) -> int:
    """Return Slack's `1716400000.123456` as an integer, exactly."""
    seconds, _, fraction = ts.partition(".")
    return int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))
