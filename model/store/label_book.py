"""The labels that a team uses today: the shipped ones, and what was added, changed, merged and retired since."""

import difflib
import threading
import time
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, select, text

from model.errors import BadData, StoreUnavailable
from model.labels import Label, LabelEvent, Taxonomy, fold_labels, label_changes, seed_taxonomy
from model.reactions import Signs, complaints
from model.schema import Preference
from model.store.announcements import announce_change, label_content, label_key, watched_channels
from model.store.database import Database
from model.store.tables import label_events

# People see a new label so many seconds later at most.
KNOWN_FOR_S = 5.0


class LabelBook:
    """The set of labels in one database, with `emoji` in the place of some labels' own.

    `preferences` hold of labels of which nobody has said anything yet.
    """

    def __init__(self, database: Database, emoji: Mapping[str, str], preferences: Mapping[str, Preference]) -> None:
        self._database = database
        self._emoji = emoji
        self._preferences = preferences
        self._lock = threading.Lock()
        self._read_at = 0.0
        self._current = self._as_chosen(seed_taxonomy())

    def current(self) -> Taxonomy:
        """Return the labels of today, at most `KNOWN_FOR_S` old; the last ones known while the database is away."""
        with self._lock:
            if not self._read_at or time.monotonic() - self._read_at > KNOWN_FOR_S:
                try:
                    with self._database.reading() as connection:
                        self._current = self._as_chosen(fold_labels(seed_taxonomy(), _events(connection)))
                except StoreUnavailable:
                    if not self._read_at:
                        raise
                self._read_at = time.monotonic()
            return self._current

    def read_anew(self) -> None:
        """Read the labels anew when they are asked for next: who acts because they changed must not act on those of before."""
        with self._lock:
            self._read_at = 0.0

    def catch_up(self, names: Collection[str]) -> None:
        """Read the labels anew when they are asked for next, where one of these is not among those known: it came just now."""
        if not set(names) <= set(self.current().names):
            self.read_anew()

    def recorded(self) -> Taxonomy:
        """Return the labels of today with their own emoji, as changes are made to them; StoreUnavailable where nobody knows."""
        with self._database.reading() as connection:
            return fold_labels(seed_taxonomy(), _events(connection))

    def emoji_complaints(self, signs: Signs) -> list[str]:
        """Return what is wrong with the chosen emoji beside these signs (see `reactions.complaints`)."""
        return complaints(self.recorded(), self._emoji, signs)

    def preference_complaints(self) -> list[str]:
        """Return a sentence for each label that the settings name and that there is not."""
        return preference_complaints(self.recorded(), self._preferences)

    def _as_chosen(self, taxonomy: Taxonomy) -> Taxonomy:
        return taxonomy.with_emoji(self._emoji).with_preferences(self._preferences)

    def record(self, *events: LabelEvent) -> Taxonomy:
        """Record the events, all or none, and return the labels after them. BadData where one of them cannot be.

        Nothing can be undone that is undone already, or that a later change rests on. Channels whose every message is labelled
        are told what changed there for people: of an undo, what it leads to; of an order, nothing.
        """
        with self._lock:
            with self._database.writing() as connection:
                _take_turns(connection)
                recorded = _events(connection)
                after = fold_labels(seed_taxonomy(), recorded)
                told: list[LabelEvent] = []
                for event in events:
                    if event.kind == "undo":
                        _check_undo(event, recorded)
                    inserted = label_events.insert().values(event=event.model_dump(mode="json")).returning(label_events.c.id)
                    recorded.append((connection.execute(inserted).scalar_one(), event))
                    if event.kind != "undo":
                        after = after.evolve(event)
                        told += [event] if event.kind != "order" else []
                        continue
                    before, after = after, fold_labels(seed_taxonomy(), recorded)
                    effects = label_changes(before, after.labels, at=event.at, by=event.by)
                    told += [each for each in effects if each.kind != "order"]
                if told:
                    rows = {channel: label_key(recorded[-1][0], channel) for channel in watched_channels(connection)}
                    announce_change(self._database, connection, rows, label_content(told))
            self._current, self._read_at = self._as_chosen(after), time.monotonic()
            return self._current

    def begin_with(self, labels: Sequence[Label], by: str) -> bool:
        """Make the labels these where nobody has ever changed them; return whether that was so.

        Of several processes that start at once, one does it.
        """
        with self._lock:
            with self._database.writing() as connection:
                _take_turns(connection)
                if _events(connection):
                    return False
                start = seed_taxonomy()
                for event in label_changes(start, labels, at=time.time_ns() // 1000, by=by):
                    connection.execute(label_events.insert().values(event=event.model_dump(mode="json")))
            self._read_at = 0.0
            return True

    def events(self) -> list[tuple[int, LabelEvent]]:
        """Return all that was ever changed, with the ids by which it can be undone, the oldest first."""
        with self._database.reading() as connection:
            return _events(connection)

    def undoable(self) -> list[tuple[int, LabelEvent]]:
        """Return the changes that are not undone, with their ids, the newest first."""
        events = self.events()
        undone = _undone(events)
        return [(number, event) for number, event in reversed(events) if event.kind != "undo" and number not in undone]


def preference_complaints(taxonomy: Taxonomy, chosen: Mapping[str, Preference]) -> list[str]:
    """Return a sentence for each name in the settings that is, and was, no label, with the likeliest one."""
    found = []
    for name, preference in chosen.items():
        if not any(current in taxonomy for current in taxonomy.today([name])):
            likely = difflib.get_close_matches(name.lower(), taxonomy.names, n=1, cutoff=0.6)
            hint = f"is {likely[0]!r} meant?" if likely else f"there are: {', '.join(taxonomy.names)}"
            found.append(f"BETO_PREFER_{preference.upper()} names {name!r}, which is no label: {hint}")
    return found


def _take_turns(connection: Connection) -> None:
    """Let nobody else change the labels until the transaction ends; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("select pg_advisory_xact_lock(7240)"))


def _events(connection: Connection) -> list[tuple[int, LabelEvent]]:
    rows = connection.execute(select(label_events).order_by(label_events.c.id))
    return [(row.id, LabelEvent.model_validate(row.event)) for row in rows]


def _check_undo(event: LabelEvent, events: list[tuple[int, LabelEvent]]) -> None:
    if event.undoes in _undone(events):
        raise BadData("that change is undone already")
    if event.undoes not in {number for number, _ in events}:
        raise BadData(f"no change has the number {event.undoes}")


def _undone(events: list[tuple[int, LabelEvent]]) -> set[int | None]:
    undone: set[int | None] = set()
    for number, event in reversed(events):
        if event.kind == "undo" and number not in undone:
            undone.add(event.undoes)
    return undone
