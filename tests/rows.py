"""How many rows a store keeps."""

from typing import Literal

from model.store.database import tally
from model.store.store import Store


def count(store: Store, what: Literal["messages", "gestures"]) -> int:
    """Return how many messages or gestures are kept."""
    with store.database.reading() as connection:
        return tally(connection, what)
