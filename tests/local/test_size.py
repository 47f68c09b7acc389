"""What `beto size` foretells, beside databases that are really there."""

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from bot.local.size import (
    POSTGRESQL,
    SQLITE,
    TEXT_BYTES,
    Kept,
    Rows,
    a_prediction,
    as_stored,
    bytes_after,
    expected_bytes,
)
from model.store.store import Store
from model.store.tables import messages
from tests.bench.growth import BEGAN, fill
from tests.terminal import beto

ROOT = Path(__file__).parent.parent.parent
MESSAGES = 2000
# Seconds between two messages of a long run: a prime, so that channels, labels and kinds take turns.
APART_S = 2879
DAYS = 130


def rows_of(store: Store) -> Rows:
    return POSTGRESQL if store.database.file is None else SQLITE


def bytes_of(store: Store) -> int:
    pages = "select page_count * page_size from pragma_page_count(), pragma_page_size()"
    query = pages if store.database.file is not None else "select pg_database_size(current_database())"
    with store.database.engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())


@pytest.mark.parametrize("labels", [14, 77])
def test_a_database_is_as_large_as_was_foretold(store: Store, labels: int) -> None:
    """Whoever orders the disk orders it before there is anything to measure."""
    names = [f"etiqueta_{n}" for n in range(labels)]

    def prediction(number: int) -> str:
        return as_stored(a_prediction(names, number))

    fill(store, range(1, MESSAGES + 1), judged_every=10, prediction=prediction)
    foretold = expected_bytes(rows_of(store), messages=MESSAGES, judged=0.1, labels=names)
    assert foretold == pytest.approx(bytes_of(store), rel=0.15)


def test_a_database_stops_growing_where_that_was_foretold(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some months in which texts are kept for ten, messages for forty and what people judged for eighty."""
    names = [f"etiqueta_{n}" for n in range(14)]
    a_day, step = 86_400 // APART_S, 10
    kept, sizes, number = Kept(texts=10, judged_texts=80, messages=40), [], 0

    def look(seconds: int) -> datetime:
        return BEGAN + timedelta(seconds=seconds)

    for _ in range(0, DAYS, step):
        new = [APART_S * (number + each) for each in range(1, a_day * step + 1)]
        fill(store, new, judged_every=10 * APART_S, prediction=lambda n: as_stored(a_prediction(names, n)))
        number += len(new)
        monkeypatch.setattr("model.store.retention.now", partial(look, APART_S * number))
        store.retention.expire(kept.texts, kept.judged_texts)
        store.retention.remove(kept.messages, 10**6)
        sizes.append(bytes_of(store))
    rows = rows_of(store)
    # So many days are there at most: the messages of a step come before the old ones go.
    there = Kept(texts=step, judged_texts=80 + step, messages=40 + step)
    foretold = bytes_after(
        rows, DAYS, there, messages_a_day=a_day, judged=0.1, labels=names, text_bytes=TEXT_BYTES, versions=0
    )  # fmt: skip
    assert sizes[-1] == pytest.approx(foretold, rel=0.15)
    ended, last = sizes[90 // step], sizes[-1]
    assert last - ended < 0.15 * (ended - rows.empty)
    with store.database.reading() as connection:
        left = connection.execute(select(func.count()).select_from(messages)).scalar_one()
    assert left == pytest.approx(a_day * (0.9 * 40 + 0.1 * 80), abs=2)


def table() -> str:
    """The table of the page on sizing as it has to be."""
    rows = ["| a year, SQLite / PostgreSQL | 14 labels | 30 labels | 77 labels |", "| --- | --- | --- | --- |"]
    for a_day in (200, 2_000, 20_000, 200_000):
        cells = []
        for labels in (14, 30, 77):
            names = [f"etiqueta_{n}" for n in range(labels)]
            both = [expected_bytes(each, messages=365 * a_day, judged=0.1, labels=names) for each in (SQLITE, POSTGRESQL)]
            cells.append(" / ".join(f"{size / 1e9:.1f}" if size > 1e8 else f"{size / 1e9:.2f}" for size in both) + " GB")
        rows.append(f"| {a_day:,} messages a day | {' | '.join(cells)} |")
    return "\n".join(rows) + "\n"


def test_the_page_on_sizing_says_what_the_command_says() -> None:
    """Two numbers for one thing are one too many."""
    page = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    there = page.split("<!-- size -->\n")[1].split("<!-- /size -->", maxsplit=1)[0]
    assert there == table(), f"put this into docs/operations.md:\n{table()}"


def test_the_command_says_it_for_both_databases(tmp_path: Path) -> None:
    """And where it ends, or what it grows by for ever."""
    more = ("--messages-a-day", "2000", "--keep-days", "90")
    said = beto("size", *more, home=tmp_path)
    assert said.status == 0, said.err
    first, *sizes, kept, _ = said.out.splitlines()
    assert first.startswith("730,000 messages in 365 days, 10 % of them judged, 14 labels, 98 bytes a text")
    megabytes = [float(line.split()[1].replace(",", "")) for line in sizes]
    assert 500 < megabytes[0] < megabytes[1] < 2000
    assert all("MB more each year after that" in line for line in sizes)
    assert "removed after 400 days" in kept
    ends = beto("size", *more, "--keep-judged-days", "800", home=tmp_path).out
    assert ends.count("MB at most, from day 800 on") == 2
    grows = beto("size", *more, "--keep-messages-days", "0", home=tmp_path).out
    assert "It grows with every message, since BETO_RETENTION_MESSAGES_DAYS is 0." in grows
