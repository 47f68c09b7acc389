"""The newest steps of the schema go forward, back and forward again on both databases, with what was kept before them."""

from pathlib import Path

from alembic import command
from sqlalchemy import inspect

from model.schema import Message, Source
from model.store.database import _alembic
from model.store.store import Store
from model.store.tables import metadata


def test_the_newest_steps_go_back_and_forward_again(store_url: str, tmp_path: Path) -> None:
    """Whoever must return to the version before does so without losing a message."""
    store = Store(store_url, tmp_path)
    store.messages.save(Message(channel="C1", ts="1.1", user="U1", text="hola", source=Source.CHANNEL))
    config = _alembic()
    with store.database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0016")
        assert "display" not in {column["name"] for column in inspect(connection).get_columns("channels")}
        assert "mutes" not in inspect(connection).get_table_names()
        command.upgrade(config, "head")
        for table in metadata.tables.values():
            assert {each["name"] for each in inspect(connection).get_columns(table.name)} == set(table.columns.keys())
    assert store.messages.find("C1", "1.1") is not None
    store.close()
