"""Since when which version really serves: what the workers say, not what was chosen."""

from datetime import timedelta

import pytest

from model.store import workers
from model.store.store import Store
from model.store.workers import KEPT_FOR, SILENT_S


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that the store's clock is ahead."""
    ahead, now = [0.0], workers.now
    monkeypatch.setattr(workers, "now", lambda: now() + timedelta(seconds=ahead[0]))
    return ahead


def test_a_worker_serves_since_it_loaded_the_version(store: Store, clock: list[float]) -> None:
    """Neither since it was trained nor since it was promoted: loading takes a while, and may fail."""
    store.workers.beat("a", 1)
    [first] = store.workers.serving()
    clock[0] = 20.0
    store.workers.beat("a", 1, (2,))
    [same] = store.workers.serving()
    assert (same.version, same.since, same.refused) == (1, first.since, (2,))
    store.workers.beat("a", 2)
    [other] = store.workers.serving()
    assert other.version == 2
    assert other.since - first.since > timedelta(seconds=19)
    assert other.refused == ()


def test_a_worker_that_starts_again_has_not_changed_who_answers(store: Store, clock: list[float]) -> None:
    """A deployment at noon is no promotion at noon."""
    store.workers.beat("a", 1)
    [before] = store.workers.serving()
    clock[0] = 3600.0
    store.workers.beat("b", 1)
    assert [each.since for each in store.workers.serving()] == [before.since]


def test_a_version_that_comes_back_serves_since_it_came_back(store: Store, clock: list[float]) -> None:
    """Rolled back at eleven and promoted again at twelve: it answers since twelve, whatever a dead worker once said."""
    store.workers.beat("dead", 2)
    for seconds, version in ((60.0, 1), (120.0, 2)):
        clock[0] = seconds
        store.workers.beat("a", version)
    [now] = store.workers.serving()
    clock[0] = 0.0
    assert now.version == 2
    assert now.since - workers.now() > timedelta(seconds=100)


def test_a_silent_worker_serves_nothing_and_is_forgotten(store: Store, clock: list[float]) -> None:
    """`estado` must not name what nobody serves, and a thousand restarts must not fill the table."""
    store.workers.beat("a", 1)
    clock[0] = SILENT_S + 1
    assert store.workers.serving() == []
    clock[0] = KEPT_FOR.total_seconds() + 1
    store.workers.beat("b", 1)
    with store.database.reading() as connection:
        assert [row.name for row in connection.execute(workers.workers.select())] == ["b"]
