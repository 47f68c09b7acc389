"""Messages, edits and deletions in whatever order Slack's two sockets bring them."""

import itertools
from typing import Any

import pytest

from bot.slack.listeners.messages import is_sampled, save_deletion, save_edit, save_if_wanted
from bot.slack.payloads.events import Deletion, Edit
from bot.slack.payloads.payload import microseconds
from model.schema import Message, Source
from model.store.outbox_row import State
from model.store.store import Store
from tests.outbox_rows import reply_of

CHANNEL, TS = "C1", "1700000000.000100"
FIRST = Message(channel=CHANNEL, ts=TS, user="U1", text="hola", source=Source.CHANNEL)


def an_edit(text: str, after_s: float, ts: str = TS) -> Edit:
    whole = FIRST.model_copy(update={"text": text, "ts": ts})
    return Edit(CHANNEL, ts, text, microseconds(ts) + int(after_s * 1_000_000), whole)


def test_the_outcome_is_the_same_in_every_order(store: Store) -> None:
    """Slack promises no order: the labels must be of the words that stand there, and of none where they are gone."""
    store.channels.set_mode(CHANNEL, "auto")
    news = ("message", "edit", "later edit", "deletion")
    for number, order in enumerate(itertools.permutations(news, 3)):
        ts = f"{1_700_000_000 + number}.000100"
        for each in order:
            tell(store, each, ts)
        stored = store.messages.find(CHANNEL, ts)
        assert stored is not None
        wanted = "" if "deletion" in order else "buenas" if "later edit" in order else "adiós"
        assert (stored.message.text, stored.deleted) == (wanted, "deletion" in order), order
        assert reply_of(store, stored.id).state is State.AWAITING_PREDICTION or "deletion" in order


def tell(store: Store, news: str, ts: str) -> None:
    """The bot hears of it."""
    if news == "message":
        save_if_wanted(store, FIRST.model_copy(update={"ts": ts}), 0)
    elif news == "edit":
        save_edit(store, an_edit("adiós", 5, ts), 0)
    elif news == "later edit":
        save_edit(store, an_edit("buenas", 9, ts), 0)
    else:
        save_deletion(store, Deletion(CHANNEL, ts, microseconds(ts) + 20_000_000))


def test_the_outcome_is_the_same_when_somebody_takes_an_edit_back(store: Store) -> None:
    """The edit back brings the words that are known already, and must still win over the one before it."""
    store.channels.set_mode(CHANNEL, "auto")
    for number, order in enumerate(itertools.permutations([("hola", 0), ("adiós", 5), ("hola", 9)])):
        ts = f"{1_700_000_000 + number}.000100"
        for text, after_s in order:
            if after_s:
                save_edit(store, an_edit(text, after_s, ts), 0)
            else:
                tell(store, "message", ts)
        stored = store.messages.find(CHANNEL, ts)
        assert stored is not None
        assert stored.message.text == "hola", order


@pytest.mark.parametrize("moment", ["messages.edit", "channels.mode", "messages.save"])
def test_an_edit_counts_whenever_its_message_comes_meanwhile(store: Store, monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    """Two bots: one has the edit in hand while the other saves the message, before or after any look of the first."""
    store.channels.set_mode(CHANNEL, "auto")
    noun, _, method = moment.partition(".")
    look, save, come = getattr(getattr(store, noun), method), store.messages.save, []

    def just_before(*args: Any) -> Any:
        if not come:
            come.append(save(FIRST))
        return look(*args)

    def just_after(*args: Any) -> Any:
        seen = look(*args)
        if not come:
            come.append(save(FIRST))
        return seen

    monkeypatch.setattr(getattr(store, noun), method, just_after if moment == "messages.edit" else just_before)
    assert save_edit(store, an_edit("adiós", 5), 0) is not None
    stored = store.messages.find(CHANNEL, TS)
    assert stored is not None
    assert (stored.message.text, reply_of(store, stored.id).state) == ("adiós", State.AWAITING_PREDICTION)


def test_an_edit_of_an_old_message_that_nobody_asked_about_is_left_alone(store: Store) -> None:
    """Watching a channel is no wish to see last month's messages answered when somebody mends a typing error."""
    store.channels.set_mode(CHANNEL, "auto")
    assert save_edit(store, an_edit("adiós", 3600), 0) is None
    assert store.messages.find(CHANNEL, TS) is None


def test_an_edit_in_a_channel_that_is_not_watched_is_left_alone(store: Store) -> None:
    """An invited bot must not talk unasked."""
    assert save_edit(store, an_edit("adiós", 5), 0) is None
    assert store.messages.find(CHANNEL, TS) is None


def test_a_few_messages_are_sampled_to_be_blind_and_always_the_same() -> None:
    """About the share that is set, and by no choice of anybody's."""

    def a_message(ts: str, text: str = "hola", user: str = "U1") -> Message:
        return Message(channel="C1", ts=ts, user=user, text=text, source=Source.CHANNEL)

    sampled = [is_sampled(a_message(f"1700000000.{n:06d}"), 2.0) for n in range(5000)]
    assert 60 <= sum(sampled) <= 140
    assert is_sampled(a_message("1700000000.000007", "otra", "U2"), 2.0) == sampled[7]
    assert not any(is_sampled(a_message(f"1.{n}"), 0) for n in range(500))
