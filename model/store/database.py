"""The connections to one database, SQLite or PostgreSQL, and how each of them is asked.

`StoreUnavailable` is raised when the database does not answer; nothing was changed then, and the call may be repeated.
"""

import functools
import importlib
import json
import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, create_engine, event, func, select, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError, InterfaceError, OperationalError
from sqlalchemy.pool import QueuePool

from model.errors import BadSetting, StoreUnavailable
from model.store import schema
from model.store.tables import tallies

log = logging.getLogger(__name__)

Access = Literal["read", "write"]
# How long a process waits for another's turn with a SQLite file.
SQLITE_PATIENCE_S = 10.0
# How long a process waits for those of older code to end; whatever supervises it then starts it again.
OLDER_CODE_S = 120.0


def now() -> datetime:
    """Return the present time, aware, UTC: the only kind of time that is stored."""
    return datetime.now(UTC)


def aware(moment: datetime) -> datetime:
    """Return `moment` as UTC; SQLite gives back times without a zone."""
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


# A prediction is mostly punctuation: with blanks after it it takes a twelfth more.
_COMPACT = json.JSONEncoder(separators=(",", ":"))


class Database:
    """The database behind one URL. Call `migrate` once before the first use; any thread may call.

    `on_transaction` is called after each one, also after one that failed, in its thread: with the kind of access, the seconds
    until it had its connection and its turn, and those that it then took.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.on_transaction: Callable[[Access, float, float], None] = lambda *_: None
        self.engine = _engine(url)
        self._reader = self.engine.execution_options(read_only=True)
        # SQLite has one writer, and who finds it busy sleeps for up to 0.1 s at a time: threads of one process take turns.
        self._turn = threading.Lock() if self.engine.dialect.name == "sqlite" else nullcontext()

    def migrate(self, to: str = "head") -> None:
        """Bring the schema to the newest migration, or at least to `to`; safe to call from several processes at once.

        Where that takes away what older code needs, it waits until no process of older code is connected. BadSetting where one
        still is after OLDER_CODE_S, and where newer code has made something of the database that this cannot work on.
        """
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
        deadline, told = time.monotonic() + OLDER_CODE_S, False
        while self._older_code():
            what = "an older version of the bot is connected to the database, and cannot work on what this one makes of it"
            if time.monotonic() > deadline:
                raise BadSetting(f"{what}: stop its processes, then start this one again")
            if not told:
                log.warning("%s: this one waits until its processes have ended", what)
                told = True
            time.sleep(random.uniform(0.2, 0.5))  # noqa: S311 - so that two who wait do not see each other each time
        with self.migrating() as connection:
            schema.upgrade(connection, to)

    def _older_code(self) -> bool:
        """Return whether the migrations to come have to wait for processes of older code."""
        if self.file is not None and not self.file.exists():
            return False
        with self.reading() as connection:
            if not schema.needs_older_code_gone(connection):
                return False
            if self.file is None:
                return schema.clients_on_postgresql(connection, schema.TAKES_AWAY) > 0
        self.close()
        return schema.is_open_elsewhere(self.file)

    def go_back(self, to: str) -> tuple[str, str]:
        """Bring the schema back to an older migration (`schema.downgrade`); BadSetting while anybody is connected."""
        with self.reading() as connection:
            others = self.file is None and schema.clients_on_postgresql(connection, None) > 0
        if self.file is not None:
            self.close()
            others = schema.is_open_elsewhere(self.file)
        if others:
            raise BadSetting("processes of the bot are connected to the database: stop them first")
        with self.migrating() as connection:
            return schema.downgrade(connection, to)

    @property
    def file(self) -> Path | None:
        """Return the SQLite file, or None where the database is none."""
        path = make_url(self.url).database if self.engine.dialect.name == "sqlite" else None
        return Path(path) if path else None

    @contextmanager
    def migrating(self) -> Iterator[Connection]:
        """Open a transaction in which tables may be made and rebuilt, by one process at a time."""
        # Alembic takes 0.3 s to import, and most processes never need it; those that do must not let others wait for that.
        importlib.import_module("alembic.command")
        if self.engine.dialect.name != "sqlite":
            with self.writing() as connection:
                # SQLite's BEGIN IMMEDIATE already lets one in at a time.
                connection.execute(text("select pg_advisory_xact_lock(7238)"))
                yield connection
            return
        with self._turn, _unavailable(), self.engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            # SQLite rebuilds a table by dropping the old one, which would delete all rows that refer to it. The pragma means
            # nothing inside a transaction, so it is given before.
            raw.execute("pragma foreign_keys=off")  # type: ignore[union-attr]  # open, since we are connected
            try:
                with connection.begin():
                    yield connection
                    if broken := connection.execute(text("pragma foreign_key_check")).first():
                        raise BadSetting(f"the database refers to rows that are not there, and is left as it was: {broken}")
            finally:
                raw.execute("pragma foreign_keys=on")  # type: ignore[union-attr]  # likewise

    def ping(self) -> None:
        """Ask the database something; StoreUnavailable where it does not answer."""
        with self.reading() as connection:
            connection.execute(text("select 1"))

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Open a transaction that may change things: committed at the end, rolled back on an exception."""
        with self._timed("write") as begun, self._turn, _unavailable(), self.engine.begin() as connection:
            begun()
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a connection that changes nothing and waits for no writer."""
        with self._timed("read") as begun, _unavailable(), self._reader.connect() as connection:
            begun()
            yield connection

    @contextmanager
    def reading_one_moment(self) -> Iterator[Connection]:
        """Open a connection to which the database stands still, whatever others write; it holds nobody up."""
        if self.engine.dialect.name == "sqlite":
            # Its write-ahead log shows a reader, until the end of the transaction, what was there at the first query.
            with self.reading() as connection:
                connection.execute(text("select 1 from sqlite_master"))
                yield connection
            return
        with _unavailable(), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    def empty_journal(self) -> None:
        """Empty SQLite's write-ahead log of old pages; where readers are in the way, the next one does."""
        if self.engine.dialect.name == "sqlite":
            with self.engine.connect() as connection:
                raw = connection.connection.dbapi_connection
                assert raw is not None
                raw.execute("pragma wal_checkpoint(truncate)")

    def connections(self) -> tuple[int, int]:
        """Return how many connections this process's pool has in use, and how many are idle."""
        pool = self.engine.pool
        return (pool.checkedout(), pool.checkedin()) if isinstance(pool, QueuePool) else (0, 0)

    @contextmanager
    def _timed(self, access: Access) -> Iterator[Callable[[], None]]:
        asked = time.perf_counter()
        begun: list[float] = []
        try:
            yield lambda: begun.append(time.perf_counter())
        finally:
            ended = time.perf_counter()
            began = begun[0] if begun else ended
            self.on_transaction(access, began - asked, ended - began)

    def insert(self, table: Any) -> Any:
        """Return an insert of this database's own kind, which can say what is to happen on a conflict."""
        dialect = postgresql if self.engine.dialect.name == "postgresql" else sqlite
        return dialect.insert(table)

    def insert_or_ignore(self, table: Any) -> Any:
        """Return an insert that leaves a row with the same key as it is."""
        return _insert_or_ignore(self.engine.dialect.name, table, None)


def insert_or_ignore(connection: Connection, table: Any, *, returning: str | None = None) -> Any:
    """Return an insert of this connection's own kind that leaves a row with the same key as it is, and may return a column."""
    return _insert_or_ignore(connection.dialect.name, table, returning)


@functools.cache  # to build one takes longer than to carry it out
def _insert_or_ignore(dialect: str, table: Any, returning: str | None) -> Any:
    ignoring = (postgresql if dialect == "postgresql" else sqlite).insert(table).on_conflict_do_nothing()
    return ignoring if returning is None else ignoring.returning(table.c[returning])


def lock_channel(connection: Connection, channel: str) -> None:
    """Keep everybody else from linking gestures with replies in this channel until the transaction ends.

    Else a gesture on a reply and the record of that reply could each miss the other. SQLite has one writer anyway.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(channel, 0))))


def tally(connection: Connection, what: Literal["messages", "gestures"]) -> int:
    """Return how many rows there are, in the same time however many they are."""
    return int(connection.execute(select(func.coalesce(func.sum(tallies.c[what]), 0))).scalar_one())


def _engine(url: str) -> Engine:
    try:
        dialect = make_url(url).get_backend_name()
    except (ArgumentError, ValueError):
        dialect = ""
    if dialect not in {"sqlite", "postgresql"}:  # never the URL itself in a message: it may hold a password
        raise BadSetting("BETO_DATABASE_URL is no URL of a database that we know: postgresql://USER:PASSWORD@HOST:PORT/DATABASE")
    # Parameters are people's words: no error, and so no log, quotes them.
    if not url.startswith("sqlite"):
        return create_engine(
            url,
            hide_parameters=True,
            json_serializer=_COMPACT.encode,
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=20,
            connect_args={"connect_timeout": 5, "application_name": f"{schema.APPLICATION}{schema.newest()}"},
        )
    patience = {"timeout": SQLITE_PATIENCE_S, "isolation_level": None}
    engine = create_engine(url, hide_parameters=True, json_serializer=_COMPACT.encode, connect_args=patience)

    @event.listens_for(engine, "connect")
    def _configure(connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        _use_wal(cursor)
        # What is forgotten is overwritten, not only unlinked: the file must not tell it to whoever copies it.
        cursor.execute("pragma secure_delete=on")
        # FULL: an acknowledged message survives a power cut, at about a millisecond a commit.
        cursor.execute("pragma synchronous=full")
        cursor.execute("pragma foreign_keys=on")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A write takes the lock at once; upgrading a read later fails under load whatever the timeout is.
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("begin" if read_only else "begin immediate")

    return engine


def _use_wal(cursor: Any) -> None:
    """Readers and the writer of this SQLite file do not wait for each other.

    The switch needs the file alone for a moment, and SQLite's own time-out does not cover it: processes that start together
    on a new file would fail here.
    """
    deadline = time.monotonic() + SQLITE_PATIENCE_S
    while True:
        try:
            cursor.execute("pragma journal_mode=wal")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        raise StoreUnavailable(f"the database does not answer: {error.orig}") from error
