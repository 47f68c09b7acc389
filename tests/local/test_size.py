"""What `beto size` foretells, beside databases that are really there."""

import json
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.local.size import POSTGRESQL, SQLITE, a_prediction, expected_bytes
from model.store.store import Store
from tests.bench.growth import fill
from tests.terminal import beto

ROOT = Path(__file__).parent.parent.parent
MESSAGES = 3000


def bytes_of(store: Store) -> int:
    pages = "select page_count * page_size from pragma_page_count(), pragma_page_size()"
    query = "select pg_database_size(current_database())" if store.database.url.startswith("postgresql") else pages
    with store.database.engine.connect() as connection:
        return int(connection.execute(text(query)).scalar_one())


@pytest.mark.parametrize("labels", [14, 77])
def test_a_database_is_as_large_as_was_foretold(store: Store, labels: int) -> None:
    """Whoever orders the disk orders it before there is anything to measure."""
    names = [f"etiqueta_{n}" for n in range(labels)]
    rows = POSTGRESQL if store.database.url.startswith("postgresql") else SQLITE

    def prediction(number: int) -> str:
        return json.dumps(a_prediction(names, number).model_dump(mode="json"))

    fill(store, range(1, MESSAGES + 1), judged_every=10, prediction=prediction)
    foretold = expected_bytes(rows, messages=MESSAGES, judged=0.1, labels=names)
    there = bytes_of(store)
    assert foretold == pytest.approx(there, rel=0.15)


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
    """And that removed texts do not make it smaller, which somebody might count on."""
    said = beto("size", "--messages-a-day", "2000", "--keep-days", "90", home=tmp_path)
    assert said.status == 0, said.err
    first, sqlite, postgresql, kept = said.out.splitlines()
    assert first.startswith("730,000 messages in 365 days, 10 % of them judged, 14 labels, 98 bytes a text")
    megabytes = [float(line.split()[1].replace(",", "")) for line in (sqlite, postgresql)]
    assert 500 < megabytes[0] < megabytes[1] < 2000
    assert kept.startswith("Texts are removed after 90 days; rows, labels and judgements stay")
