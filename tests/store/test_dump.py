"""All rows of a database leave it as text, and come back into another: SQLite or PostgreSQL, of today or of 0.1.0."""

import hashlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from model.errors import BadData
from model.schema import Message, Source
from model.store.database import Database
from model.store.dump import DumpedTable, dumping, load
from model.store.store import Store
from tests.postgres import new_database
from tests.store.old_home import load as load_0_1


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Another database, without a table."""
    if request.param == "sqlite":
        (tmp_path / "target").mkdir()
        database = Database(f"sqlite:///{tmp_path / 'target' / 'beto.db'}")
    else:
        database = Database(new_database(request.getfixturevalue("postgres_server"), f"target_{time.monotonic_ns()}"))
    yield database
    database.close()


@pytest.fixture
def source(sqlite_store: Store) -> Store:
    """A store on SQLite, for what does not depend on where rows come from."""
    return sqlite_store


def rows_of(database: Database) -> dict[str, list[bytes]]:
    with dumping(database) as dump:
        return {table.name: list(table.lines()) for table in dump.tables}


def copy(source: Database, target: Database) -> int:
    with dumping(source) as dump, target.migrating() as connection:
        return load(connection, dump.revision, dump.tables, lambda _table, _rows: None)


@pytest.mark.parametrize("upgraded", [True, False], ids=["of today", "of 0.1.0"])
def test_rows_are_the_same_bytes_in_whichever_database_they_are(
    empty_url: str, target: Database, tmp_path: Path, upgraded: bool
) -> None:
    """Whoever moves to PostgreSQL, or restores a backup of an older version, has what there was, and the newest tables."""
    load_0_1(empty_url)
    source = Store(empty_url, tmp_path)
    if upgraded:
        source.migrate()
    assert copy(source.database, target) > 50
    source.migrate()
    before, after = rows_of(source.database), rows_of(target)
    assert before.keys() == after.keys()
    for table, rows in before.items():
        if upgraded or table != "outbox":  # a migration stamps what it makes with its own moment
            assert after[table] == rows, table
    other = Store(target.url, tmp_path)
    message = Message(channel="C9", ts="9.000001", user="U1", text="después", source=Source.CHANNEL)
    assert other.messages.save(message) == source.messages.save(message)  # under the next id, and the tallies count on
    assert other.messages.counts() == source.messages.counts()
    for each in (source, other):
        each.close()


def test_a_dump_shows_one_moment_and_holds_nobody_up(store: Store) -> None:
    """A judgement without its message would be what a copy of a moving target holds."""
    message = Message(channel="C1", ts="1.000001", user="U1", text="antes", source=Source.CHANNEL)
    store.messages.save(message)
    with dumping(store.database) as dump:
        store.messages.save(message.model_copy(update={"ts": "2.000001"}))
        tables = {table.name: list(table.lines()) for table in dump.tables}
    assert len(tables["messages"]) == len(tables["outbox"]) == 1
    assert len(rows_of(store.database)["messages"]) == 2


def test_texts_come_back_in_every_script_and_empty_is_not_missing(store: Store, target: Database) -> None:
    """What people wrote is the one thing that cannot be had again."""
    texts = ["ñandú 😀 \u2028 \ud7ff", '"comillas"\\n\t', "", "NULL", "\\N", "\\."]
    for number, each in enumerate(texts):
        store.messages.save(Message(channel="C1", ts=f"{number}.000001", user="U1", text=each, source=Source.CHANNEL))
    copy(store.database, target)
    kept = [json.loads(row) for row in rows_of(target)["messages"]]
    assert [row[5] for row in kept] == [store.mask(each) for each in texts]
    assert {row[3] for row in kept} == {None}
    assert rows_of(store.database) == rows_of(target)


def test_a_database_with_a_row_in_it_is_refused_and_left_as_it_was(source: Store, target: Database, tmp_path: Path) -> None:
    """Two workspaces in one database would see each other's messages."""
    there = Store(target.url, tmp_path)
    there.migrate()
    there.channels.set_mode("C1", "auto")
    before = rows_of(target)
    with pytest.raises(BadData, match="1 rows in channels"):
        copy(source.database, target)
    assert rows_of(target) == before
    there.close()


def test_a_database_that_somebody_elses_tables_are_in_is_refused(source: Store, target: Database) -> None:
    """A URL with a typing mistake in it names another program's database."""
    with target.writing() as connection:
        connection.execute(text("create table facturas (id integer)"))
    with pytest.raises(BadData, match="not ours"):
        copy(source.database, target)


class Altered:
    """A table whose rows are not what they were."""

    def __init__(self, table: DumpedTable, lines: list[bytes]) -> None:
        self.name, self.columns, self._lines = table.name, table.columns, lines

    def lines(self):  # type: ignore[no-untyped-def]  # as in TableRows
        return iter(self._lines)


ODD = {
    "no array": [b"{}"],
    "a column too few": [b'["C1"]'],
    "cut": [b'["C1","auto",true'],
    "no UTF-8": [b"\xff"],
    "twice": [b'["C1","auto",true]'] * 2,
    "nothing where something must be": [b'["C1",null,true]'],
    "deep": [b"[" * 100_000],
}


def test_rows_that_are_none_are_refused_and_nothing_is_kept(source: Store, target: Database) -> None:
    """Half a restore would be taken for all of it."""
    for lines in ODD.values():
        with dumping(source.database) as dump:
            tables = [Altered(each, lines if each.name == "channels" else []) for each in dump.tables]
        with pytest.raises(BadData, match="channels"), target.migrating() as connection:
            load(connection, dump.revision, tables, lambda _table, _rows: None)
        with pytest.raises(BadData, match="nothing was ever kept"), dumping(target):
            pass


def test_no_error_quotes_a_row(source: Store, postgres_url: str) -> None:
    """What the database says of a row that it refuses ends up in logs; people's words must not."""
    with dumping(source.database) as dump:
        secret = [b'["C1","lo que dijo Ana, que es mucho mas largo que dieciseis",true]']
        tables = [Altered(each, secret if each.name == "channels" else []) for each in dump.tables]
    target = Database(postgres_url)
    with pytest.raises(BadData) as refused, target.migrating() as connection:
        load(connection, dump.revision, tables, lambda _table, _rows: None)
    assert "Ana" not in str(refused.value)
    target.close()


def test_a_hash_of_the_rows_does_not_depend_on_the_order_of_writing(store: Store, target: Database, tmp_path: Path) -> None:
    """PostgreSQL gives rows back as it likes; what is compared is in the order of the key, by bytes and not by a locale."""
    other = Store(target.url, tmp_path)
    other.migrate()
    for channel in ("Cb", "CA", "Cé", "Ca"):
        store.channels.set_mode(channel, "auto")
    for channel in ("Ca", "Cé", "Cb", "CA"):
        other.channels.set_mode(channel, "auto")
    one, two = (hashlib.sha256(b"\n".join(rows_of(each)["channels"])).digest() for each in (store.database, target))
    assert one == two
    other.close()
