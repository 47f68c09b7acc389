"""`beto size`: how large the database will be, before there is one.

What a message takes was measured (docs/operations.md, Sizing): rows with their indexes, in a table that was filled in order.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from model.schema import Prediction

# Of the shipped messages, in UTF-8.
TEXT_BYTES = 98
# PostgreSQL compresses a prediction that would not fit beside three others on a page, to so much of it: digits give little.
COMPRESSED_FROM, COMPRESSED_TO = 2_000, 0.72
# Its multiples have as many digits as a probability.
GOLDEN = 0.6180339887498949


@dataclass(frozen=True)
class Rows:
    """Bytes of what one database keeps, indexes among them: `message` without its text, `gesture` one judgement.

    `standing` is what stands under a message, to be counted, with two labels.

    Predictions stand in pages of `page` bytes, each with `beside` more, and `index` outside of them.
    """

    empty: int
    message: int
    reply: int
    standing: int
    gesture: int
    page: int
    beside: int
    index: int

    def prediction(self, written: int) -> float:
        """Return the bytes of a prediction whose JSON has so many: no row is in two pages, so that the rest of one is lost."""
        row = written + self.beside
        in_a_page = (self.page - 24) // row
        return (self.page / in_a_page if in_a_page else row + self.page / 4) + self.index


SQLITE = Rows(empty=320_000, message=172, reply=214, standing=286, gesture=351, page=4096, beside=40, index=14)
POSTGRESQL = Rows(empty=8_840_000, message=239, reply=299, standing=539, gesture=473, page=8192, beside=84, index=55)


def expected_bytes(
    rows: Rows, *, messages: int, judged: float, labels: Sequence[str], text_bytes: int = TEXT_BYTES, predictions: float = 1.0
) -> int:
    """Return the size of a database with so many messages of so many bytes each, a share `judged` of them by one gesture.

    Within 15 % where texts and labels are as told. `predictions` are those of one message: an edit and a prediction by a later
    version add one.
    """
    written = len(json.dumps(a_prediction(labels).model_dump(mode="json")))
    if rows is POSTGRESQL and written > COMPRESSED_FROM:
        kept = written * COMPRESSED_TO + rows.beside + rows.index
    else:
        kept = rows.prediction(written)
    each = rows.message + text_bytes + rows.reply + rows.standing + predictions * kept + judged * rows.gesture
    return round(rows.empty + messages * each)


def a_prediction(labels: Sequence[str], number: int = 0) -> Prediction:
    """Return a prediction as long as those of a version that knows these labels; two of them are given."""
    scores = {name: (number + at + 1) * GOLDEN % 1 for at, name in enumerate(labels)}
    return Prediction(version=1, base="mini", scores=scores, labels=tuple(labels[:2]))


def told(*, messages_a_day: int, days: int, judged_percent: float, labels: Sequence[str], text_bytes: int, kept_days: int) -> str:
    """Return what the database will take, in words; `kept_days` are those of a text that nobody corrected, 0: for ever."""
    messages = messages_a_day * days
    counted = f"{messages:,} messages in {days} days, {judged_percent:g} % of them judged"
    lines = [f"{counted}, {len(labels)} labels, {text_bytes} bytes a text:"]
    for name, rows in (("SQLite", SQLITE), ("PostgreSQL", POSTGRESQL)):
        size = expected_bytes(rows, messages=messages, judged=judged_percent / 100, labels=labels, text_bytes=text_bytes)
        lines.append(f"{name:<10} {size / 1e6:>10,.0f} MB, {(size - rows.empty) / max(messages, 1):,.0f} bytes a message")
    texts = f"Texts are removed after {kept_days} days" if kept_days else "Texts are kept for ever (BETO_RETENTION_DAYS=0)"
    lines.append(
        f"{texts}; rows, labels and judgements stay, so that it grows with every message. "
        "Versions, backups and logs come on top: docs/operations.md, Sizing."
    )
    return "\n".join(lines)
