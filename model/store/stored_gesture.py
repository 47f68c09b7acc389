"""A gesture as the store knows it, and the message that it is about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import BindParameter, Connection, Row, Select, and_, bindparam, select, union_all

from model.judgements import Gesture, Kind
from model.labels import Taxonomy
from model.store.database import aware
from model.store.outbox_changes import of_message
from model.store.tables import gestures, messages, outbox, predictions

# What every reply asks, built once: to build a query takes longer than to ask it.
_ids: BindParameter[int] = bindparam("ids", expanding=True)
_here = gestures.c.channel == messages.c.channel
_on_message = messages.join(gestures, and_(_here, gestures.c.item_ts == messages.c.ts))
_on_reply = messages.join(outbox, and_(*of_message(messages.c.id))).join(gestures, and_(_here, gestures.c.item_ts == outbox.c.ts))
_GESTURES = union_all(
    *(
        select(gestures, messages.c.id.label("message_id")).select_from(joined).where(messages.c.id.in_(_ids))
        for joined in (_on_message, _on_reply)
    )
)
_PREDICTIONS: Select[Any] = (
    select(predictions.c.id, predictions.c.message_id, predictions.c.revision, predictions.c.prediction)
    .where(predictions.c.message_id.in_(_ids))
    .order_by(predictions.c.id)
)


@dataclass(frozen=True)
class StoredGesture:
    """A gesture with what stands around it in the store."""

    id: int
    gesture: Gesture
    channel: str
    item_ts: str
    note: str | None
    saved_at: datetime
    stale: bool  # made before the text was changed
    waits: bool = False  # made before the network said anything of the text, which it still has not


def read_gesture(row: Row[Any], predicted: tuple[str, ...], edited_at: int, taxonomy: Taxonomy | None = None) -> StoredGesture:
    """Read a row of `gestures` about a text where the network said `predicted`, last edited at `edited_at`; with a taxonomy in
    its labels.
    """
    labels, silent = tuple(row.labels), tuple(row.silent)
    if taxonomy is not None:
        # Nobody who spoke while a label was not there said anything about it.
        absent = taxonomy.absent_at(row.at)
        labels, silent = taxonomy.today(labels), taxonomy.today((*silent, *absent))
        # What the channel does not use, or was no label then, stood on nobody's screen.
        predicted = tuple(name for name in taxonomy.today(predicted) if name not in silent)
    return StoredGesture(
        id=row.id,
        gesture=Gesture(
            user=row.user,
            handle=row.handle,
            at=row.at,
            kind=Kind(row.kind),
            labels=labels,
            silent=silent,
            withdrawn=row.withdrawn,
            predicted=predicted,
            via=row.via,
        ),
        channel=row.channel,
        item_ts=row.item_ts,
        note=row.note,
        saved_at=aware(row.saved_at),
        stale=row.at < edited_at,
    )


def gestures_of(
    connection: Connection,
    rows: Sequence[Row[Any]],
    taxonomy: Taxonomy | None = None,
    *,
    given: Mapping[int, list[Row[Any]]],
) -> dict[int, list[StoredGesture]]:
    """Return by message its gestures in Slack's order of time; each with the labels that the network had `given` by then."""
    own = {row.id: row for row in rows}
    found: dict[int, list[Row[Any]]] = {message_id: [] for message_id in own}
    for row in sorted(connection.execute(_GESTURES, {"ids": list(own)}), key=lambda row: (row.at, row.id)):
        found[row.message_id].append(row)
    labels: dict[int, tuple[str, ...]] = {}
    first: dict[int, tuple[str, ...]] = {}
    for row in (row for each in given.values() for row in each):
        labels[row.id] = tuple(row.prediction["labels"])
        if row.revision == own[row.message_id].revision:
            first.setdefault(row.message_id, labels[row.id])
    said: dict[int, list[StoredGesture]] = {}
    for message_id, each in found.items():
        said[message_id] = []
        for row in each:
            # What came before the network's first word is taken to be about that word.
            shown = labels.get(row.prediction_id or 0, first.get(message_id))
            read = read_gesture(row, shown or (), own[message_id].edited_at, taxonomy)
            said[message_id].append(replace(read, waits=shown is None))
    return said


def predictions_of(connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, list[Row[Any]]]:
    """Return by message what the versions said of it, of earlier texts too, oldest first."""
    found: dict[int, list[Row[Any]]] = {row.id: [] for row in rows}
    for row in connection.execute(_PREDICTIONS, {"ids": list(found)}):
        found[row.message_id].append(row)
    return found


def own_message(connection: Connection, channel: str, ts: str) -> Row[Any] | None:
    """Return the row of the message that a person wrote there."""
    return connection.execute(select(messages).where(messages.c.channel == channel, messages.c.ts == ts)).one_or_none()


def message_of(connection: Connection, channel: str, item_ts: str) -> Row[Any] | None:
    """Return the row of the message that `item_ts` is, or whose reply it is."""
    own = own_message(connection, channel, item_ts)
    if own is not None:
        return own
    # The channel is compared here: asked for it too, SQLite would begin with all messages of the channel.
    of_replies = select(messages).join(outbox, and_(*of_message(messages.c.id))).where(outbox.c.ts == item_ts)
    return next((row for row in connection.execute(of_replies) if row.channel == channel), None)
