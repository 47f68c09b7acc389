"""The labels that channels use, for whoever reads or keeps what is said there."""

from collections.abc import Iterable

from sqlalchemy import Connection, select

from model.store.tables import channels


def chosen_labels(connection: Connection, of: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return by channel the labels that it chose, by their names of then; a channel that uses all is left out."""
    wanted = (channels.c.channel.in_(set(of)), channels.c.labels.is_not(None))
    rows = connection.execute(select(channels.c.channel, channels.c.labels).where(*wanted))
    return {row.channel: tuple(row.labels) for row in rows}
