"""What people judged so far, kept up to date by reading what was said since: of a hundred thousand messages, a few."""

import time
from dataclasses import dataclass

from model.labels import Taxonomy
from model.learning.retraining import judged_example
from model.schema import Example
from model.store.judged_messages import Mark
from model.store.store import Store

# What expired goes from memory so much later at most.
_READ_ANEW_S = 3600.0


@dataclass(frozen=True)
class Judged:
    """A message as people judged it, and when the newest gesture that counts was made, in microseconds."""

    example: Example
    at: int


class JudgedSoFar:
    """The judged messages of one store. For one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: dict[int, Judged] = {}  # by message
        self._mark: Mark | None = None
        self._basis: object = None  # what all states rest on
        self._read_at = 0.0

    def read(self, taxonomy: Taxonomy) -> dict[int, Judged]:
        """Return by message what is judged now, oldest first; all is read where labels, people or erasures changed."""
        judged = self._store.judged
        basis = (taxonomy.labels, taxonomy.renamed, taxonomy.absent, self._store.refits.basis())
        anew = self._mark is None or basis != self._basis or time.monotonic() - self._read_at > _READ_ANEW_S
        ids, mark = judged.changed_since(None if anew else self._mark)
        found = {} if anew else dict(self._found)
        for message_id in ids:
            found.pop(message_id, None)
        for each in judged.messages(taxonomy, ids=ids):
            example = judged_example(each)
            if example is not None and each.said:
                found[each.row.id] = Judged(example, max(said.gesture.at for said in each.said))
        # Only now: what went wrong on the way is read again.
        self._found = dict(sorted(found.items()))
        self._mark, self._basis = mark, basis
        self._read_at = time.monotonic() if anew else self._read_at
        return self._found
