"""The labels that a team uses today: the shipped ones, and what was added, changed, merged and retired since."""

import threading
import time

from sqlalchemy import Connection, select, text

from model.errors import StoreUnavailable
from model.labels import LabelEvent, Taxonomy, seed_taxonomy
from model.store.announcements import announce_change, label_content, label_key, watched_channels
from model.store.database import Database
from model.store.tables import label_events

# People see a new label so many seconds later at most.
KNOWN_FOR_S = 5.0


class LabelBook:
    """The set of labels in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._read_at = 0.0
        self._current = seed_taxonomy()

    def current(self) -> Taxonomy:
        """Return the labels of today, at most `KNOWN_FOR_S` old; the last ones known while the database is away."""
        with self._lock:
            if not self._read_at or time.monotonic() - self._read_at > KNOWN_FOR_S:
                try:
                    with self._database.reading() as connection:
                        self._current = _folded(connection)
                except StoreUnavailable:
                    if not self._read_at:
                        raise
                self._read_at = time.monotonic()
            return self._current

    def record(self, event: LabelEvent) -> Taxonomy:
        """Record the event and return the labels after it. BadData where it cannot be, and nothing is recorded then.

        The channels whose every message is labelled are told.
        """
        with self._lock:
            with self._database.writing() as connection:
                if connection.dialect.name == "postgresql":
                    connection.execute(text("select pg_advisory_xact_lock(7240)"))
                after = _folded(connection).evolve(event)
                saved = event.model_dump(mode="json")
                event_id = connection.execute(label_events.insert().values(event=saved).returning(label_events.c.id)).scalar_one()
                rows = {channel: label_key(event_id, channel) for channel in watched_channels(connection)}
                announce_change(self._database, connection, rows, label_content(saved))
            self._current, self._read_at = after, time.monotonic()
            return after


def _folded(connection: Connection) -> Taxonomy:
    taxonomy = seed_taxonomy()
    for event in connection.execute(select(label_events.c.event).order_by(label_events.c.id)).scalars():
        taxonomy = taxonomy.evolve(LabelEvent.model_validate(event))
    return taxonomy
