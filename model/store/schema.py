"""The schema of the database: its migrations, forward and back, and which code may run on which.

A migration has a number, and may have a generation before it, as in `2-0020`; without one it is of the first. Within a
generation migrations only add, so that code of an older release goes on working on what a newer one has made of the database,
and both run beside each other for the minutes of an upgrade. Whatever takes something away that older code needs begins the
next generation, and waits until that code has ended.
"""

import contextlib
import sqlite3
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from model.errors import BadData, BadSetting

FOLDER = Path(__file__).parent / "migrations"
# The newest migration that takes away what older code needs; those from before there were generations count as such.
TAKES_AWAY = "0008"
# The migration that each release has made of the database.
RELEASES = {"0.1.0": "0006", "0.2.0": "0012"}
# What each connection to PostgreSQL is called, with the newest migration that its code knows. Code up to 0.2.0 gives no name.
APPLICATION = "beto "


@cache
def newest() -> str:
    """Return the newest migration that this code knows."""
    return max(known())


@cache
def known() -> frozenset[str]:
    """Return the migrations that this code knows."""
    return frozenset(file.name.split("_", 1)[0] for file in (FOLDER / "versions").glob("[0-9]*.py"))


def revision_of(connection: Connection) -> str | None:
    """Return the migration that the database is at; None where it has no tables of ours."""
    if "alembic_version" not in inspect(connection).get_table_names():
        return None
    return connection.execute(text("select version_num from alembic_version")).scalar_one_or_none()


def upgrade(connection: Connection, to: str = "head") -> None:
    """Bring the schema to the newest migration, or at least to `to`, in a transaction that `Database.migrating` opened.

    A schema of newer code stays as it is where this code can work on it; BadSetting where it cannot.
    """
    found = revision_of(connection)
    if found is not None and found not in known():
        if _generation(found) != _generation(newest()):
            raise BadSetting(
                f"a newer version of the bot has changed the database (migration {found}) so that this one, which knows those up "
                f"to {newest()}, cannot work on it: install the newer version, or restore the backup of before"
            )
        return
    from alembic import command

    command.upgrade(_alembic(connection), to)


def downgrade(connection: Connection, to: str) -> tuple[str, str]:
    """Bring the schema back to the migration `to`, with all that it can hold; return the migrations before and after.

    In a transaction that `Database.migrating` opened. What older code has no place for is gone: the migrations say what.
    BadData where the database is older, or made by code that is newer than this.
    """
    found = revision_of(connection)
    if found is None or found not in known():
        raise BadData(f"the database is at migration {found}: use the version of the bot that made it")
    if to > found:
        raise BadData(f"the database is at migration {found}, which is older than {to} already")
    from alembic import command

    command.downgrade(_alembic(connection), to)
    return found, to


def needs_older_code_gone(connection: Connection) -> bool:
    """Return whether the migrations to come take away what the code needs that made this database."""
    found = revision_of(connection)
    return found is not None and found < TAKES_AWAY


def clients_on_postgresql(connection: Connection, before: str | None) -> int:
    """Return how many connections others have to this database: those of code that does not know `before`, None: of any of ours.

    A connection without a name is one of code up to 0.2.0.
    """
    names = connection.execute(
        text(
            "select application_name from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() "
            "and backend_type = 'client backend'"
        )
    ).scalars()
    ours = [name.removeprefix(APPLICATION) for name in names if not name or name.startswith(APPLICATION)]
    return sum(before is None or each < before for each in ours)


def is_open_elsewhere(file: Path) -> bool:
    """Return whether anybody has this SQLite file open; nobody here may."""
    with contextlib.closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
        try:
            # Only who is alone can leave the write-ahead log; it comes back with the next connection.
            return bool(connection.execute("pragma journal_mode=delete").fetchone()[0] == "wal")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            return True


def _generation(migration: str) -> str:
    before, dash, _ = migration.partition("-")
    return before if dash else "1"


def _alembic(connection: Connection) -> Any:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    return config
