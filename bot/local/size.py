"""`beto size`: how large the database will be, before there is one.

What a message takes was measured (docs/operations.md, Sizing): rows with their indexes, in a table that was filled in order.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from model.digits import shortened
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

    `standing` is what stands under a message, to be counted, with two labels; `taught`, that a version learnt from a message.
    Predictions stand in pages of `page` bytes, each of which tells of itself in `header`; each has `beside` more, and `index`
    outside of them. Where rows go as fast as they come, the gaps among them take `gaps` times what the rows do.
    """

    empty: int
    message: int
    reply: int
    standing: int
    gesture: int
    taught: int
    page: int
    header: int
    beside: int
    index: int
    gaps: float

    def prediction(self, written: int) -> float:
        """Return the bytes of a prediction whose JSON has so many: no row is in two pages, so that the rest of one is lost."""
        row = written + self.beside
        in_a_page = (self.page - self.header) // row
        return (self.page / in_a_page if in_a_page else row + self.page / 4) + self.index


SQLITE = Rows(
    empty=320_000, message=172, reply=214, standing=286, gesture=351, taught=130,
    page=4096, header=8, beside=57, index=14, gaps=0.05,
)  # fmt: skip
POSTGRESQL = Rows(
    empty=8_840_000, message=239, reply=299, standing=539, gesture=473, taught=250,
    page=8192, header=24, beside=84, index=55, gaps=0.4,
)  # fmt: skip


@dataclass(frozen=True)
class Kept:
    """For how many days what is kept: texts that nobody judged and that somebody did, and messages without one. 0: for ever."""

    texts: int
    judged_texts: int
    messages: int

    @property
    def unjudged_days(self) -> int:
        """Return for how many days a message is there that nobody judged."""
        return max(self.texts, self.messages) if self.texts and self.messages else 0

    @property
    def judged_days(self) -> int:
        """Return for how many days a message is there that somebody judged."""
        return max(self.judged_texts, self.messages) if self.judged_texts and self.messages else 0


def expected_bytes(
    rows: Rows,
    *,
    messages: float,
    judged: float,
    labels: Sequence[str],
    text_bytes: int = TEXT_BYTES,
    predictions: float = 1.0,
    versions: int = 0,
    gaps: bool = False,
) -> int:
    """Return the size of a database with so many messages of so many bytes each, a share `judged` of them by one gesture.

    Within 15 % where texts and labels are as told. `predictions` are those of one message: an edit and a prediction by a later
    version add one. `versions` are those that learnt from what is judged. `gaps`: as many were removed as came.
    """
    written = len(as_stored(a_prediction(labels)))
    if rows is POSTGRESQL and written > COMPRESSED_FROM:
        kept = written * COMPRESSED_TO + rows.beside + rows.index
    else:
        kept = rows.prediction(written)
    each = rows.message + text_bytes + rows.reply + rows.standing + predictions * kept
    each += judged * (rows.gesture + versions * rows.taught)
    return round(rows.empty + messages * each * (1 + rows.gaps if gaps else 1))


def bytes_after(
    rows: Rows,
    days: int,
    kept: Kept,
    *,
    messages_a_day: int,
    judged: float,
    labels: Sequence[str],
    text_bytes: int,
    versions: int,
) -> int:
    """Return the size after so many days of a database that retention keeps to what is `kept`; `judged` as above."""
    share = min(judged, 1.0)
    unjudged = messages_a_day * (1 - share) * min(days, kept.unjudged_days or days)
    judged_messages = messages_a_day * share * min(days, kept.judged_days or days)
    messages = unjudged + judged_messages
    said = messages_a_day * judged * min(days, kept.judged_days or days)
    removes = bool(kept.unjudged_days and days > kept.unjudged_days)
    ratio = said / messages if messages else 0.0
    more: dict[str, Any] = {"labels": labels, "text_bytes": text_bytes, "versions": versions}
    return expected_bytes(rows, messages=messages, judged=ratio, gaps=removes, **more)


def a_prediction(labels: Sequence[str], number: int = 0) -> Prediction:
    """Return a prediction as long as those of a version that knows these labels; two of them are given."""
    scores = {name: shortened((number + at + 1) * GOLDEN % 1, 0.5) for at, name in enumerate(labels)}
    return Prediction(version=1, base="mini", scores=scores, labels=tuple(labels[:2]))


def as_stored(prediction: Prediction) -> str:
    """Return the prediction as the database has it."""
    return json.dumps(prediction.model_dump(mode="json"), separators=(",", ":"))


def told(
    *,
    messages_a_day: int,
    days: int,
    judged_percent: float,
    labels: Sequence[str],
    text_bytes: int,
    kept: Kept,
    versions: int,
) -> str:
    """Return what the database will take, in words: after so many days, and where it ends, or what it grows by for ever."""
    counted = f"{messages_a_day * days:,} messages in {days} days, {judged_percent:g} % of them judged"
    lines = [f"{counted}, {len(labels)} labels, {text_bytes} bytes a text:"]
    ends = max(kept.unjudged_days, kept.judged_days)
    for name, rows in (("SQLite", SQLITE), ("PostgreSQL", POSTGRESQL)):

        def size(after: int, rows: Rows = rows) -> float:
            given: dict[str, Any] = {"messages_a_day": messages_a_day, "judged": judged_percent / 100, "labels": labels}
            more: dict[str, Any] = {"text_bytes": text_bytes, "versions": versions}
            return bytes_after(rows, after, kept, **given, **more) / 1e6

        line = f"{name:<10} {size(days):>10,.0f} MB after {days} days"
        if kept.unjudged_days and kept.judged_days:
            line += f"; {size(ends + 1):,.0f} MB at most, from day {ends} on"
        elif kept.unjudged_days:
            a_year = size(ends + 366) - size(ends + 1)
            line += f"; {size(ends + 1):,.0f} MB after {ends + 1}, and {a_year:,.0f} MB more each year after that"
        lines.append(line)
    if not kept.unjudged_days:
        why = "BETO_RETENTION_DAYS" if not kept.texts else "BETO_RETENTION_MESSAGES_DAYS"
        lines.append(f"It grows with every message, since {why} is 0.")
    elif not kept.judged_days:
        lines.append(
            f"A message that nobody judged is removed after {kept.unjudged_days} days; what people judged stays, and is learnt "
            "from (BETO_RETENTION_CORRECTED_DAYS=0)."
        )
    else:
        lines.append(f"Messages are removed after {kept.unjudged_days} days, those that people judged after {kept.judged_days}.")
    lines.append("Versions, backups and logs come on top: docs/operations.md, Sizing.")
    return "\n".join(lines)
