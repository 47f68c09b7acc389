"""What channels chose, for whoever reads or keeps what is said there."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, select

from model.showing import DISPLAYS, NOT_CHOSEN, Display, Showing, rest_of
from model.store.tables import channels

_LABELS = select(channels.c.channel, channels.c.labels).where(
    channels.c.channel.in_(bindparam("wanted", expanding=True)), channels.c.labels.is_not(None)
)


def chosen_labels(connection: Connection, of: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return by channel the labels that it chose, by their names of then; a channel that uses all is left out."""
    return {row.channel: tuple(row.labels) for row in connection.execute(_LABELS, {"wanted": list(set(of))})}


def read_showing(row: Any) -> Showing:
    """Return how labels are shown in the channel of this row of `channels`, which may be None or lack all: nobody chose."""
    if row is None or row.display is None:
        return NOT_CHOSEN
    display: Display = row.display if row.display in DISPLAYS else "thread"
    return Showing(display, row.delay_minutes, rest_of(row.rest), row.seeds)
