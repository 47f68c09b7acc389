"""The daily reminder of the review: at an hour of one's own, once a day, and in silence where nothing waits."""

from datetime import UTC, datetime, timedelta

from model.store.portions import Portion, portion_key
from model.store.store import Store

QUITO_S = -5 * 3600
NINE = datetime(2026, 11, 30, 14, 0, tzinfo=UTC)  # nine o'clock in Quito


def keys(store: Store, moment: datetime, *, worth: bool = True) -> list[str]:
    return store.portions.open_due(lambda _: worth, moment)


def test_it_comes_once_a_day_at_the_hour_of_whoever_asked(store: Store) -> None:
    """Two processes look, one dies: one reminder."""
    store.portions.set(Portion("D1", "U1", 9, QUITO_S), NINE - timedelta(hours=3))
    store.portions.set(Portion("C1", "U2", 9, 0), NINE - timedelta(hours=3))  # that hour is over there
    assert keys(store, NINE - timedelta(minutes=1)) == []
    assert keys(store, NINE) == [portion_key("D1", "2026-11-30")]
    assert keys(store, NINE + timedelta(hours=9)) == []
    assert sorted(keys(store, NINE + timedelta(days=1))) == [portion_key("C1", "2026-12-01"), portion_key("D1", "2026-12-01")]
    row = store.outbox.get(portion_key("D1", "2026-11-30"))
    assert row is not None
    assert (row.channel, row.content) == ("D1", {"portion": {"direct": True}})


def test_a_day_without_anything_to_review_passes_in_silence(store: Store) -> None:
    """A reminder of nothing is the first that is ignored."""
    store.portions.set(Portion("D1", "U1", 9, QUITO_S), NINE - timedelta(hours=3))
    assert keys(store, NINE, worth=False) == []
    assert keys(store, NINE + timedelta(hours=1)) == []
    assert len(keys(store, NINE + timedelta(days=1))) == 1


def test_another_hour_takes_the_place_of_the_first_and_never_is_never(store: Store) -> None:
    for hour in (9, 11):
        store.portions.set(Portion("D1", "U1", hour, QUITO_S), NINE)
    assert keys(store, NINE + timedelta(hours=1)) == []
    assert len(keys(store, NINE + timedelta(hours=2))) == 1
    assert store.portions.stop("D1")
    assert not store.portions.stop("D1")
    assert keys(store, NINE + timedelta(days=1, hours=3)) == []
