"""The gesture that `/beto deshacer` takes back next."""

from model.judgements import Gesture, Kind
from model.store.store import Store


def press(store: Store, at: int, handle: str = "button/U1/1.2", *, withdrawn: bool = False, item_ts: str = "1.2") -> None:
    gesture = Gesture(user="U1", handle=handle, at=at, kind=Kind.CORRECT, withdrawn=withdrawn)
    store.gestures.add(gesture, channel="C1", item_ts=item_ts)


def last_at(store: Store) -> int | None:
    last = store.gestures.last_of("U1")
    return None if last is None else last.gesture.at


def test_two_presses_of_one_button_are_taken_back_at_once(store: Store) -> None:
    """They share a handle, so one withdrawal ends both: a second "Retirado" told of something that had no effect."""
    press(store, 1)
    press(store, 2)
    assert last_at(store) == 2
    press(store, 3, withdrawn=True)
    assert last_at(store) is None


def test_what_was_done_again_after_it_was_taken_back_stands(store: Store) -> None:
    press(store, 1)
    press(store, 2, withdrawn=True)
    press(store, 3)
    assert last_at(store) == 3


def test_taking_back_one_leaves_the_one_before(store: Store) -> None:
    press(store, 1, "button/U1/1.1", item_ts="1.1")
    press(store, 2)
    press(store, 3, withdrawn=True)
    assert last_at(store) == 1
