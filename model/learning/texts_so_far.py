"""The texts that people judged so far, as workers are given them: of a hundred thousand, what changed since costs time alone."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model.labels import Taxonomy
from model.learning.judged import Judged
from model.learning.light_fit import columns_of
from model.schema import Example
from model.serving.judged_texts import JudgedTexts, rows_of, sketch


class TextsSoFar:
    """Sketches of judged texts with what was said of them, by message. For one thread."""

    def __init__(self) -> None:
        self._of: tuple[Any, ...] = ()  # the labels at which what was said holds
        self._examples: dict[int, Example] = {}  # by message
        self._ids = np.zeros(0, np.int64)  # of the rows
        self._rows = rows_of((), np.zeros((0, 0), np.int8), ())

    def read(
        self, judged: Mapping[int, Judged], taxonomy: Taxonomy, labels: Sequence[str], speaks: tuple[str, ...]
    ) -> JudgedTexts:
        """Return what is judged now; of messages with the same text that with the highest id counts.

        What was said has a column for each of the version's `labels`, and then for each of those that speak.
        """
        width = len(labels) + len(speaks)
        of = taxonomy.labels, taxonomy.renamed, taxonomy.absent, tuple(labels), speaks
        if of != self._of:
            self._of, self._examples, self._ids = of, {}, np.zeros(0, np.int64)
            self._rows = rows_of((), np.zeros((0, width), np.int8), ())
        columns = columns_of(labels, taxonomy)
        for at, name in enumerate(speaks, start=len(labels)):
            columns.setdefault(name, []).append(at)
        new = {
            message_id: each.example for message_id, each in judged.items() if self._examples.get(message_id) is not each.example
        }
        gone = self._examples.keys() - judged.keys()
        if new or gone:
            said = np.frombuffer(b"".join(_said(example, columns, width) for example in new.values()), np.int8)
            rows = rows_of(
                [sketch(example.text) for example in new.values()],
                said.reshape(len(new), width),
                [example.id or "" for example in new.values()],
            )
            kept = ~np.isin(self._ids, np.array([*new, *gone], np.int64))
            ids = np.concatenate([self._ids[kept], np.array([*new], np.int64)])
            order = np.argsort(ids, kind="stable")
            self._ids, self._rows = ids[order], self._rows.at(kept).and_then(rows).at(order)
            for message_id in gone:
                del self._examples[message_id]
            self._examples |= new
        return self._rows.gathered()


def _said(example: Example, columns: dict[str, list[int]], width: int) -> bytes:
    """Return what was said of each column as a signed byte: 1, -1, or 0 where nothing."""
    said = np.zeros(width, np.int8)
    for name, places in columns.items():
        if name not in example.unknown:
            said[places] = 1 if name in example.labels else -1
    return said.tobytes()
