"""However much is stored, a step looks only at its own rows: read from the databases' plans, not from a clock."""

import json
import re
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text

from model.judgements import Kind
from model.labels import seed_taxonomy
from model.learning.retraining import judged_examples
from model.schema import Message, Source
from model.store.store import Store
from model.store.tables import gestures, messages
from tests.bench import growth
from tests.bench.growth import BLIND, JUDGED, fill, judge, steps
from tests.rows import count

STORED = 6000
# What one statement may look at, where every table has thousands: its own rows and those beside them on an index.
MOST_ROWS = STORED // 20
LARGE = ("messages", "predictions", "outbox", "gestures", "standings", "standing_labels")
# The newest 200 texts, or replies, by their numbers: on SQLite's plan a scan, which ends after so many.
NEWEST = ("report: recent_texts", "/beto cifras: waits")


@pytest.fixture
def filled(store: Store) -> Store:
    fill(store, range(1, STORED + 1), judged_every=JUDGED)
    return store


@contextmanager
def statements(store: Store) -> Iterator[list[tuple[str, Any]]]:
    """What is executed meanwhile, each with the `set local` of its transaction before it."""
    seen: list[tuple[str, Any]] = []
    settings: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool) -> None:
        if statement.startswith("set local"):
            settings.append(statement)
        elif re.match(r"select|insert|update|delete", statement, re.IGNORECASE):
            seen.append(("; ".join([*settings, statement]), parameters[0] if executemany else parameters))

    def end(_connection: Any) -> None:
        settings.clear()

    listeners = {"before_cursor_execute": note, "commit": end, "rollback": end}
    for name, listener in listeners.items():
        event.listen(store.database.engine, name, listener)
    try:
        yield seen
    finally:
        for name, listener in listeners.items():
            event.remove(store.database.engine, name, listener)


def complaints(store: Store, statement: str, parameters: Any) -> list[str]:
    """What of this statement would take longer the more is stored."""
    with store.database.engine.connect() as connection:
        if connection.dialect.name == "sqlite":
            plan = [row[3] for row in connection.exec_driver_sql(f"explain query plan {statement}", parameters)]
            return [line for line in plan if grows(line)]
        # Small tables are read as a whole where that is allowed; what matters is whether there is another way.
        connection.execute(text("set local enable_seqscan = off"))
        *settings, statement = statement.split("; ")
        for setting in settings:
            connection.execute(text(setting))
        explained = connection.exec_driver_sql(f"explain (analyze, format json) {statement}", parameters).scalar_one()
        connection.rollback()
    touched = rows_of(explained[0]["Plan"])
    return [f"{touched} rows: {json.dumps(explained)}"] if touched > MOST_ROWS else []


def grows(line: str) -> bool:
    """Whether this line of a SQLite plan reads a whole table or a whole channel."""
    found = re.match(rf"(SCAN|SEARCH) ({'|'.join(LARGE)})\b(.*)", line)
    if found is None:
        return False
    way, _, how = found.groups()
    # Partial indexes hold only the rows that wait, or that are blind; the newest of a table come first without an index.
    partial = any(f"ix_{name}" in how for name in ("messages_blind", "outbox_waiting", "outbox_turn", "outbox_refused"))
    by_place_alone = "channel=?" in how and not re.search(r"ts|\bat[<>]", how.split("channel=?")[1])
    return not partial and (way == "SCAN" or by_place_alone)


def rows_of(node: dict[str, Any]) -> int:
    """The rows that a PostgreSQL plan looked at in the large tables, those that it then left out too."""
    own = 0
    if node.get("Relation Name") in LARGE:
        own = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return int(own) + sum(rows_of(child) for child in node.get("Plans", ()))


def test_no_step_looks_at_more_rows_the_more_are_stored(filled: Store) -> None:
    """A team that has used it for a year must not wait longer than one that began today; nor may an index go unnoticed."""
    found = {}
    count = 0
    for number in (STORED + 1, STORED + 2):
        for name, step in steps(filled, number, STORED // 2):
            with statements(filled) as seen:
                step()
            count += len(seen)
            for statement, parameters in seen:
                if name in NEWEST and filled.database.engine.dialect.name == "sqlite":
                    continue
                found |= {(name, each): statement for each in complaints(filled, statement, parameters)}
    assert count > 80
    assert not found, "\n".join(f"{name}: {why}\n{statement}" for (name, why), statement in found.items())


@pytest.mark.parametrize("blind", [False, True])
def test_what_was_judged_is_found_without_looking_at_what_was_not(store: Store, blind: bool) -> None:
    """A retraining every night must not read a year of messages to find what three people said today."""
    fill(store, range(1, STORED + 1), judged_every=BLIND // 2)
    with statements(store) as seen:
        judged = list(store.judged.messages(seed_taxonomy(), blind=blind))
    assert len(judged) == STORED // (BLIND if blind else BLIND // 2)
    assert len(seen) == 6  # those that find the messages; and the page's messages, predictions, gestures and people
    for statement, parameters in seen:
        assert [each for each in complaints(store, statement, parameters) if not each.startswith("SCAN gestures")] == []


def test_each_page_of_what_was_judged_looks_its_own_rows_up(postgres_url: str, tmp_path: Path) -> None:
    """PostgreSQL would rather read all replies and gestures for each page: a snapshot of a large team took five minutes."""
    store = Store(postgres_url, tmp_path)
    store.migrate()
    fill(store, range(1, STORED + 1), judged_every=JUDGED)

    def read_in_whole() -> int:
        """Rows of the large tables that were read without an index, ever."""
        with store.database.engine.connect() as connection:
            connection.execute(text("select pg_stat_force_next_flush()"))
            connection.commit()
        with store.database.engine.connect() as connection:
            query = "select sum(seq_tup_read) from pg_stat_user_tables where relname in ('messages', 'outbox', 'gestures')"
            return int(connection.execute(text(query)).scalar_one())

    before = read_in_whole()
    assert sum(1 for _ in store.judged.messages(seed_taxonomy(), page=50)) == STORED // JUDGED
    store.database.engine.dispose()  # its processes tell what they read, at the latest when they end
    # What finds the judged ones may read each table twice; twelve pages may not.
    assert read_in_whole() - before <= 2 * (2 * STORED + STORED // JUDGED)
    store.close()


def test_the_memory_that_a_snapshot_takes_does_not_grow_with_what_nobody_judged(store: Store) -> None:
    """A trainer on a small machine must not be killed because people write a lot."""
    fill(store, range(1, 2001), judged_every=20)
    peaks = []
    for more in (range(2001, 2001), range(2001, 14_001)):
        fill(store, more, judged_every=10**9)
        list(judged_examples(store))  # what is made once is made
        tracemalloc.start()
        assert len(list(judged_examples(store))) == 100
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    few, many = peaks
    assert many < 1.2 * few, peaks


def test_reading_what_was_judged_takes_a_page_of_memory_however_much_it_is(store: Store) -> None:
    """An export of a large team's corrections must fit where the bot fits."""
    fill(store, range(1, 1201), judged_every=8)
    peaks = []
    for numbers in ([], [n for n in range(1, 1201) if n % 8]):
        judge(store, numbers)
        tracemalloc.start()
        count = sum(1 for _ in store.judged.messages(seed_taxonomy(), page=50))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == 150 + len(numbers)
    one, eight = peaks
    assert eight < 1.5 * one, peaks


def test_the_numbers_shown_are_those_of_the_rows_whoever_adds_or_takes_them_away(store: Store) -> None:
    """`/beto estado` no longer counts; what it says must be what a count would say."""
    fill(store, range(1, 301), judged_every=3)
    message_id, _ = store.messages.save(growth_message(301))
    store.messages.save(growth_message(301))
    assert store.messages.counts()["messages"] == 301
    assert count(store, "gestures") == 100
    with store.database.writing() as connection:
        connection.execute(messages.delete().where(messages.c.id.in_([message_id, 5, 6])))
        connection.execute(gestures.delete().where(gestures.c.kind == Kind.SET.value))
        left = len(connection.execute(gestures.select()).all())
    assert store.messages.counts() == {"messages": 298, "prediction": 0, "reply": 0}
    assert count(store, "gestures") == left < 100


def growth_message(number: int) -> Message:
    channel, ts = growth._place(number)
    return Message(channel=channel, ts=ts, user="U1", text="hola", source=Source.CHANNEL)
