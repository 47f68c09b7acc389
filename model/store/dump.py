"""All rows of a database at one moment, as text that SQLite and PostgreSQL write alike, and the way back.

A row is a line: a JSON array in the order of the columns, times in ISO 8601 and UTC, a JSON column as the text that stands in
it. The same rows give the same bytes on both databases, so that a hash compares them. Tables are read as they are found, not as
this code would make them: a database of an older version can be dumped, and loaded.
"""

import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    MetaData,
    String,
    Table,
    Text,
    cast,
    func,
    inspect,
    select,
)
from sqlalchemy.exc import DataError, IntegrityError

from model.errors import BadData
from model.store.database import Database, aware
from model.store.schema import known, newest, revision_of, upgrade

# Triggers count `tallies` anew, the trainer makes `refits` anew; Alembic writes its own table.
DERIVED = {"tallies", "refits", "alembic_version"}
# Rows that are in memory at a time.
BATCH = 1000
# SQLite's own default, and what it has while it is filled: else each row waits for the disk, in the order of every index.
SQLITE_CACHE_KB, FILL_CACHE_KB = 2_000, 200_000

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

OnRows = Callable[[str, int], None]  # a table, and how many of its rows are done


class TableRows(Protocol):
    """The rows of one table, wherever they come from."""

    @property
    def name(self) -> str:
        """Return the table's name."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns, in the order of each row."""

    def lines(self) -> Iterator[bytes]:
        """Yield each row as a line without its end, in the order of the primary key."""


@dataclass(frozen=True)
class DumpedTable:
    """One table of a database at the moment of its dump."""

    name: str
    columns: tuple[str, ...]
    rows: int
    connection: Connection
    table: Table
    keys: tuple[str, ...]

    def lines(self) -> Iterator[bytes]:
        """Yield each row as a line without its end, in the order of the primary key."""
        # Text in the order of its UTF-8, as SQLite has it, whatever PostgreSQL's locale says.
        in_order = [
            key.collate("C") if isinstance(key.type, String) and self.connection.dialect.name == "postgresql" else key
            for key in (self.table.c[name] for name in self.keys)
        ]
        query = select(*(cast(column, Text) if isinstance(column.type, JSON) else column for column in self.table.c))
        writers = [(at, write) for at, column in enumerate(self.table.c) if (write := _writer(column)) is not None]
        with self.connection.execute(query.order_by(*in_order), execution_options={"yield_per": BATCH}) as rows:
            for row in rows:
                values = list(row)
                for at, write in writers:
                    if values[at] is not None:
                        values[at] = write(values[at])
                yield _ENCODER.encode(values).encode()


@dataclass(frozen=True)
class Dump:
    """A database at one moment: its migration, and its tables, each after those that it refers to."""

    revision: str
    tables: tuple[DumpedTable, ...]


@contextmanager
def dumping(database: Database) -> Iterator[Dump]:
    """Open the database at one moment for reading; others go on writing. BadData where there is nothing in it."""
    if database.file is not None and not database.file.exists():
        raise BadData(f"there is no database at {database.file}")
    with database.reading_one_moment() as connection:
        revision = revision_of(connection)
        if revision is None:
            raise BadData("the database has no tables of ours: nothing was ever kept in it")
        yield Dump(revision, tuple(_tables(connection)))


def load(connection: Connection, revision: str, tables: Sequence[TableRows], on_rows: OnRows) -> int:
    """Fill an empty database with these rows, compare them, bring the schema to the newest migration; return the count of rows.

    In a transaction of `Database.migrating`, so that a failure leaves nothing. BadData where the database is not empty, where
    this code does not know the migration `revision`, and where what is read back is not what was written, byte by byte.
    """
    check_revision(revision)
    found = revision_of(connection)
    if found is None and inspect(connection).get_table_names():
        raise BadData("the database holds tables that are not ours: name an empty one")
    if found is not None:
        for table in _tables(connection):
            if table.rows:
                raise BadData(f"the database is not empty: {table.rows} rows in {table.name}. Name an empty one")
    upgrade(connection, revision)
    if (found := revision_of(connection)) != revision:
        raise BadData(f"the database has the tables of migration {found}, newer than {revision}: name one without tables")
    there = {table.name: table for table in _tables(connection)}
    if there.keys() != {table.name for table in tables}:
        odd = sorted(there.keys() ^ {table.name for table in tables})
        raise BadData(f"the tables are not those of migration {revision}: {', '.join(odd)}")
    rows = 0
    by_name = {table.name: table for table in tables}
    for name, target in there.items():
        source = by_name[name]
        written, expected = _fill(connection, target, source, on_rows)
        read, digest = 0, hashlib.sha256()
        for line in target.lines():
            digest.update(line + b"\n")
            read += 1
        if (read, digest.hexdigest()) != (written, expected):
            raise BadData(f"{name}: {written} rows were written, and {read} that are not the same are there")
        rows += written
    upgrade(connection)
    return rows


def check_revision(revision: str) -> None:
    """Raise BadData where this code does not know the migration."""
    if revision not in known():
        raise BadData(
            f"it has the tables of migration {revision}, and this version of the bot knows those up to {newest()}: "
            "install the version that made it, or a newer one"
        )


def _fill(connection: Connection, target: DumpedTable, source: TableRows, on_rows: OnRows) -> tuple[int, str]:
    """Write the rows into the empty table, and return how many there were, and the SHA-256 of their lines."""
    if set(source.columns) != set(target.columns):
        raise BadData(f"{target.name}: the columns are not those of this migration")
    digest = hashlib.sha256()
    rows = 0

    def values() -> Iterator[list[Any]]:
        nonlocal rows
        for line in source.lines():
            digest.update(line + b"\n")
            yield _row(line, source)
            rows += 1
            if rows % BATCH == 0:
                on_rows(target.name, rows)

    try:
        if connection.dialect.name == "postgresql":
            _copy_to_postgresql(connection, target, source.columns, values())
        else:
            _copy_to_sqlite(connection, target, source.columns, values())
    except (DataError, IntegrityError) as error:
        raise BadData(f"{target.name}, row {rows + 1} or soon after: the database refuses it: {error.orig}") from error
    if rows:
        on_rows(target.name, rows)
    return rows, digest.hexdigest()


def _row(line: bytes, source: TableRows) -> list[Any]:
    try:
        row = json.loads(line.decode())
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, list) or len(row) != len(source.columns):
        raise BadData(f"{source.name}: a line is no row of {len(source.columns)} columns")
    return row


def _copy_to_sqlite(connection: Connection, target: DumpedTable, columns: Sequence[str], rows: Iterable[list[Any]]) -> None:
    names = ", ".join(f'"{name}"' for name in columns)
    insert = f'insert into "{target.name}" ({names}) values ({", ".join("?" * len(columns))})'  # noqa: S608 - names of our own tables
    times = [at for at, name in enumerate(columns) if isinstance(target.table.c[name].type, DateTime)]
    connection.exec_driver_sql(f"pragma cache_size={-FILL_CACHE_KB}")
    rows = iter(rows)
    while batch := list(itertools.islice(rows, BATCH)):
        for row in batch:
            for at in times:
                if row[at] is not None:
                    row[at] = f"{datetime.fromisoformat(row[at]).astimezone(UTC):%Y-%m-%d %H:%M:%S.%f}"
        connection.exec_driver_sql(insert, [tuple(row) for row in batch])
    connection.exec_driver_sql(f"pragma cache_size={-SQLITE_CACHE_KB}")


def _copy_to_postgresql(connection: Connection, target: DumpedTable, columns: Sequence[str], rows: Iterable[list[Any]]) -> None:
    import psycopg

    names = ", ".join(f'"{name}"' for name in columns)
    cursor: Any = connection.connection.cursor()
    try:
        with cursor.copy(f'copy "{target.name}" ({names}) from stdin') as copy:
            for row in rows:
                copy.write_row(row)
    except (psycopg.DataError, psycopg.IntegrityError) as error:
        # Never its detail, which quotes the row: people's words.
        raise BadData(f"{target.name}: PostgreSQL refuses a row: {str(error).splitlines()[0]}") from error
    for key in target.keys:
        sequence = connection.execute(select(func.pg_get_serial_sequence(target.name, key))).scalar_one()
        newest = connection.execute(select(func.max(target.table.c[key]))).scalar_one() if sequence else None
        if newest is not None:
            connection.execute(select(func.setval(sequence, newest)))


def _tables(connection: Connection) -> Iterator[DumpedTable]:
    inspector = inspect(connection)
    metadata = MetaData()
    for name, _ in inspector.get_sorted_table_and_fkc_names():
        if name is None or name in DERIVED:
            continue
        columns = [Column(each["name"], each["type"]) for each in inspector.get_columns(name)]
        table = Table(name, metadata, *columns)
        rows = connection.execute(select(func.count()).select_from(table)).scalar_one()
        keys = tuple(inspector.get_pk_constraint(name)["constrained_columns"])
        yield DumpedTable(name, tuple(column.name for column in columns), rows, connection, table, keys)


def _writer(column: Column[Any]) -> Callable[[Any], Any] | None:
    """Return what makes a value of this column one that JSON can hold, or None where it is one."""
    if isinstance(column.type, DateTime):
        return lambda moment: aware(moment).astimezone(UTC).isoformat(timespec="microseconds")
    return bool if isinstance(column.type, Boolean) else None
