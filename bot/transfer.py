"""`beto import` and `beto export`: labelled messages between the store and files."""

import hashlib
from pathlib import Path

from bot.settings import BotSettings
from model.dataset import normalise, read_examples, write_examples
from model.labels import seed_taxonomy
from model.store import Store


def import_file(path: Path) -> str:
    """Every line of the file is in the store, or, where one is wrong, none is (BadData names it); a sentence with counts."""
    examples = read_examples(path, seed_taxonomy())
    store = _store()
    try:
        new, changed = store.save_examples([(_text_key(example.text), example) for example in examples])
    finally:
        store.close()
    same = len(examples) - new - changed
    return f"{len(examples)} messages read: {new} new, {changed} with other labels than before, {same} as they were"


def export_file(path: Path) -> str:
    """The file holds every labelled message that was imported; a sentence with the count."""
    store = _store()
    try:
        examples = list(store.examples())
    finally:
        store.close()
    write_examples(path, examples)
    return f"{len(examples)} messages written to {path}"


def _text_key(text: str) -> str:
    return hashlib.sha256(normalise(text).encode("utf-8", "replace")).hexdigest()


def _store() -> Store:
    store = Store(BotSettings().store_url)
    store.migrate()
    return store
