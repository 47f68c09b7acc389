"""Old and new code on one database: forward and back with data, and who waits for whom."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from sqlalchemy import create_engine, inspect, text

from model.errors import BadData, BadSetting
from model.judgements import Gesture, Kind
from model.schema import Message, Source
from model.store import database as databases
from model.store import schema
from model.store.database import Database
from model.store.dump import dumping
from model.store.store import Store
from tests.store.old_home import load

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def old(empty_url: str) -> Iterator[Database]:
    """A database as version 0.1.0 left it."""
    load(empty_url)
    made = Database(empty_url)
    yield made
    made.close()


def tables(database: Database) -> dict[str, object]:
    """Columns, keys and indexes of every table, in no order."""
    engine = create_engine(database.url)
    inspector = inspect(engine)
    found = {
        name: (
            {(each["name"], str(each["type"]), each["nullable"], each["default"]) for each in inspector.get_columns(name)},
            inspector.get_pk_constraint(name)["constrained_columns"],
            {tuple(each["column_names"]) for each in inspector.get_unique_constraints(name)},
            {(each["name"], tuple(each["column_names"]), bool(each["unique"])) for each in inspector.get_indexes(name)},
        )
        for name in inspector.get_table_names()
    }
    engine.dispose()
    return found


def rows(database: Database) -> Rows:
    with dumping(database) as dump:
        found = {
            each.name: [dict(zip(each.columns, json.loads(line), strict=True)) for line in each.lines()] for each in dump.tables
        }
    database.close()
    return found


def without(found: Rows, *moments: str) -> Rows:
    """The rows but for these columns, which say when somebody is to look next."""
    return {name: [{key: each[key] for key in each if key not in moments} for each in kept] for name, kept in found.items()}


def test_what_0_1_0_left_goes_forward_back_and_forward_again(old: Database) -> None:
    """Whoever finds that the new release does not suit them keeps what people wrote and said since."""
    as_it_was, in_tables = rows(old), tables(old)
    old.migrate()
    forward, in_new_tables = rows(old), tables(old)
    assert old.go_back("0006") == (schema.newest(), "0006")
    assert tables(old) == in_tables
    # When nothing is owed, nobody looks; whoever began to tell of a run, began again.
    moments = ("retry_at", "reporting_at", "told_at")
    back = rows(old)
    assert without(back, *moments) == without(as_it_was, *moments)
    owed = [each for each in back["messages"] if each["owed"] != "nothing"]
    assert owed == [each for each in as_it_was["messages"] if each["owed"] != "nothing"]
    assert [each["told_at"] is None for each in back["runs"]] == [each["told_at"] is None for each in as_it_was["runs"]]
    old.migrate()
    assert tables(old) == in_new_tables
    assert without(rows(old), "retry_at", "claimed_until") == without(forward, "retry_at", "claimed_until")


def test_what_was_said_since_is_there_after_a_way_back(store: Store) -> None:
    """To 0.2.0, whose tables have no place for review cards and doubts, but for all that was judged by them."""
    made = Message(channel="C1", ts="1.000100", user="U1", text="perdí la tarjeta", source=Source.CHANNEL)
    message_id, _ = store.messages.save(made)
    gesture = Gesture(user="U0ANA", handle="h1", at=1, kind=Kind.SET, labels=("tarjeta",))
    store.gestures.add(gesture, channel="C1", item_ts=made.ts, note="ojo")
    with store.database.writing() as connection:
        doubt = (
            "insert into outbox (key, kind, message_id, channel, state, wanted) values ('doubt:1', 'doubt', 1, 'C1', 'due', 1)"
        )
        connection.execute(text(doubt))
    before = rows(store.database)
    store.database.close()
    store.database.go_back(schema.RELEASES["0.2.0"])
    back = rows(store.database)
    assert "review_cards" not in back
    assert [each["key"] for each in back["outbox"]] == [f"reply:{message_id}"]
    assert (back["gestures"], len(back["messages"])) == (before["gestures"], 1)
    store.migrate()
    assert without(rows(store.database), "known_from")["gestures"] == before["gestures"]


@pytest.mark.parametrize("release", [*schema.RELEASES])
def test_a_release_is_known_by_its_migration(release: str) -> None:
    """A way back to the wrong place would leave old code with tables that it does not know."""
    assert schema.RELEASES[release] in schema.known()


def connected(url: str) -> Any:
    """A connection as code of 0.1.0 has it: without a name."""
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"), check_same_thread=False)
        connection.execute("pragma journal_mode=wal")
        connection.execute("select count(*) from messages").fetchall()
        return connection
    return psycopg.connect(url.replace("+psycopg", ""))


def test_new_code_waits_until_processes_of_0_1_0_have_ended(old: Database, caplog: pytest.LogCaptureFixture) -> None:
    """They would go on saving into tables that are gone, and Slack would give up what they cannot acknowledge."""
    with closing(connected(old.url)) as process:
        migrating = threading.Thread(target=old.migrate)
        migrating.start()
        deadline = time.monotonic() + 20
        while not caplog.messages and time.monotonic() < deadline:
            time.sleep(0.02)
        assert "waits until its processes have ended" in caplog.text
        assert migrating.is_alive()
        process.execute("select count(*) from replies").fetchall()  # the tables that it knows are there
        process.commit()
    migrating.join(20)
    assert not migrating.is_alive()
    assert len(rows(old)["messages"]) == 21


def test_new_code_does_not_wait_for_ever_nor_go_back_under_others(old: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator who forgot a process is told so, and finds the database as it was."""
    monkeypatch.setattr(databases, "OLDER_CODE_S", 0.0)
    before = rows(old)
    with closing(connected(old.url)):
        with pytest.raises(BadSetting, match="stop its processes"):
            old.migrate()
        with pytest.raises(BadSetting, match="stop them first"):
            old.go_back("0005")
    assert rows(old) == before


def test_code_of_before_goes_on_where_newer_code_has_only_added(store: Store) -> None:
    """In the minutes of a rolling upgrade an old process may die, and has to come back."""
    at(store, "9998")
    store.migrate()
    assert store.messages.save(Message(channel="C1", ts="1.0001", user="U1", text="hola", source=Source.CHANNEL)) == (1, True)
    with pytest.raises(BadData, match="use the version of the bot that made it"):
        store.database.go_back("0012")


def test_code_of_before_refuses_in_one_sentence_what_newer_code_has_rebuilt(store: Store) -> None:
    """A traceback about a column says nobody what to install."""
    at(store, "2-9999")
    with pytest.raises(BadSetting, match="install the newer version, or restore the backup"):
        store.migrate()


def at(store: Store, migration: str) -> None:
    with store.database.writing() as connection:
        connection.execute(text("update alembic_version set version_num = :to"), {"to": migration})
    store.database.close()


def test_migrations_take_nothing_away_but_in_a_new_generation() -> None:
    """Else the process that is not replaced yet fails on what it reads."""
    taking = ("drop_column", "drop_table", "rename_table", "alter_column", "drop_constraint", "nullable=False")
    for file in (schema.FOLDER / "versions").glob("[0-9]*.py"):
        migration, forward = file.name.split("_", 1)[0], file.read_text(encoding="utf-8").split("def downgrade")[0]
        if migration > schema.TAKES_AWAY:
            found = [each for each in taking if each in forward]
            # A new table may want all its columns, and a new column one with a default.
            assert set(found) <= {"nullable=False"}, (file.name, found)
            for line in forward.splitlines():
                assert not ("add_column" in line and "nullable=False" in line) or "server_default" in line, file.name
