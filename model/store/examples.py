"""Labelled texts that somebody imported, and the split in which each text was put.

Every method is one transaction (see `database` for what it raises).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import select

from model.schema import Example, Split
from model.store.database import Database, aware, now
from model.store.tables import examples, split_assignments


class Examples:
    """The imported texts of one database. Every text passes `mask` before it is kept."""

    def __init__(self, database: Database, mask: Callable[[str], str]) -> None:
        self._database = database
        self._mask = mask

    def save(self, keyed: Sequence[tuple[str, Example]]) -> tuple[int, int]:
        """Save labelled texts under their keys, a known text with its new labels; return how many are (new, changed)."""
        new = changed = 0
        with self._database.writing() as connection:
            for key, example in keyed:
                values = {"labels": list(example.labels), "unknown": list(example.unknown)}
                before = connection.execute(select(examples).where(examples.c.text_key == key)).one_or_none()
                if before is None:
                    new += 1
                    connection.execute(
                        examples.insert().values(text_key=key, text=self._mask(example.text), saved_at=now(), **values)
                    )
                elif (before.labels, before.unknown) != (values["labels"], values["unknown"]):
                    changed += 1
                    connection.execute(examples.update().where(examples.c.text_key == key).values(**values))
        return new, changed

    def all(self) -> Iterator[tuple[Example, datetime]]:
        """Return the imported texts and when they came, in the order of their keys, which is by chance but always the same."""
        with self._database.reading() as connection:
            for row in connection.execute(select(examples).order_by(examples.c.text_key)):
                yield Example(text=row.text, labels=tuple(row.labels), unknown=tuple(row.unknown)), aware(row.saved_at)

    def splits(self) -> dict[str, Split]:
        """Return the split of every text that was ever divided, by its text key."""
        with self._database.reading() as connection:
            return {row.text_key: row.split for row in connection.execute(select(split_assignments))}

    def save_splits(self, assigned: Mapping[str, Split]) -> None:
        """Save the split of texts that have none yet, by their text keys; an assignment never changes."""
        if assigned:
            rows = [{"text_key": key, "split": split} for key, split in assigned.items()]
            with self._database.writing() as connection:
                connection.execute(self._database.insert_or_ignore(split_assignments), rows)
