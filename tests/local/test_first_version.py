"""What `beto up` tells of the first training while it goes on."""

from pathlib import Path

import pytest

from bot.local.first_version import Teller
from bot.settings import BotSettings
from model.schema import Progress
from model.store.store import Store


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """SQLite alone: a run is a run."""
    return f"sqlite:///{tmp_path / 'beto.db'}"


def test_each_quarter_of_the_first_training_is_told_once(store: Store, tmp_path: Path) -> None:
    """Who looks at a terminal for two minutes sees that it goes on, and is not flooded."""
    teller = Teller(BotSettings(home=tmp_path, base="e5"))
    run_id, _ = store.runs.open("beto")
    assert "waits to train" in teller.news()
    store.runs.start(run_id, "somebody")
    told = []
    for stage, step in (
        ("preparing", 0),
        ("preparing", 100),
        ("training", 10),
        ("training", 20),
        ("training", 60),
        ("training", 90),
    ):
        store.runs.beat(run_id, "somebody", Progress.model_validate({"stage": stage, "step": step, "steps": 100}))
        told.append(teller.news())
    teller.close()
    assert told[0].endswith("trains the first from e5, which takes minutes.")
    assert [bool(each) for each in told] == [True, False, True, False, True, True]
    assert "27 % done" in told[2]
    assert "87 % done" in told[5]
