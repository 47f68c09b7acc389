"""Which reactions are judgements: those where labels are shown, and those that the channel chose to count."""

from typing import Any

import pytest
from sqlalchemy import func, select

from model import gesture_handles
from model.judgements import Gesture, Kind
from model.labels import seed_taxonomy
from model.reactions import Reaction
from model.schema import Message, Prediction, Source
from model.store.outbox_row import greeting_key, reply_key
from model.store.predictions import NewPrediction
from model.store.store import Store
from model.store.tables import gestures, outbox
from tests.outbox_rows import answer

CHANNEL, TS, REPLY_TS = "C1", "1.000001", "1.000002"


def a_message(store: Store, ts: str = TS, reply_ts: str | None = REPLY_TS, **more: Any) -> int:
    message = Message(channel=CHANNEL, ts=ts, user="U1", text="Se tragó mi tarjeta el cajero", source=Source.CHANNEL)
    message = message.model_copy(update=more)
    message_id, _ = store.messages.save(message)
    said = Prediction(version=1, base="mini", scores={"cajero": 0.9}, labels=("cajero",))
    store.predictions.save([NewPrediction(message_id, 1, said, 0.1)])
    if reply_ts is not None:
        answer(store, message_id, reply_ts)
    return message_id


def a_reaction(emoji: str, item_ts: str, at: int, **more: Any) -> Reaction:
    handle = gesture_handles.of_reaction("U2", item_ts, emoji)
    return Reaction(user="U2", handle=handle, emoji=emoji, at=at, **more)


def thanks(store: Store, item_ts: str = TS, *, at: int = 5, **more: Any) -> tuple[int | None, bool]:
    """Somebody puts a prayer there: thanks for a colleague, and the label of thanks for us."""
    more = {"kind": Kind.LABEL, "labels": ("agradecimiento",)} | more
    return store.gestures.add_reaction(a_reaction("pray", item_ts, at, **more), channel=CHANNEL, item_ts=item_ts)


def kept(store: Store) -> int:
    with store.database.reading() as connection:
        return int(connection.execute(select(func.count()).select_from(gestures)).scalar_one())


def is_thanks(store: Store, message_id: int) -> bool:
    judged = store.judged.of(message_id, seed_taxonomy())
    assert judged is not None
    return judged.state.labels["agradecimiento"].applies is True


def test_a_reaction_on_the_reply_always_counts(store: Store) -> None:
    """Labels are shown there."""
    message_id = a_message(store)
    assert thanks(store, REPLY_TS) == (message_id, True)
    assert is_thanks(store, message_id)


@pytest.mark.parametrize(
    ("kind", "labels"), [(Kind.LABEL, ("agradecimiento",)), (Kind.CORRECT, ()), (Kind.WRONG, ()), (Kind.NONE, ())]
)
def test_everyday_reactions_on_a_persons_message_are_no_judgement(store: Store, kind: Kind, labels: tuple[str, ...]) -> None:
    """Thanks for a colleague was learnt as a label, and *attended to* as *labels are right*."""
    message_id = a_message(store)
    assert thanks(store, kind=kind, labels=labels) == (None, False)
    judged = store.judged.of(message_id, seed_taxonomy())
    assert judged is not None
    assert judged.state.judges == ()
    # Nothing is kept of it: it is in no history, takes no text out of retention and asks for no retraining.
    assert kept(store) == 0
    assert store.gestures.last_of("U2") is None


@pytest.mark.parametrize("chosen", ["reactions", "offering"])
def test_a_reaction_on_a_message_counts_where_the_channel_chose_it(store: Store, chosen: str) -> None:
    """A team that reacts on the message itself; and offering, which shows labels there."""
    message_id = a_message(store)
    if chosen == "reactions":
        assert store.channels.set_reactions(CHANNEL, "message")
    else:
        store.channels.set_seeds(CHANNEL, True)
    assert thanks(store) == (message_id, True)
    assert is_thanks(store, message_id)


def test_what_a_channel_chooses_is_its_own(store: Store) -> None:
    a_message(store)
    store.channels.set_reactions("C2", "message")
    assert thanks(store) == (None, False)


def test_a_choice_that_is_none_changes_nothing(store: Store) -> None:
    """What a channel watches and shows stays as it is, and the other way round."""
    store.channels.set_mode(CHANNEL, "auto")
    store.channels.set_seeds(CHANNEL, True)
    assert store.channels.reactions(CHANNEL) == "reply"
    assert store.channels.set_reactions(CHANNEL, "message")
    assert not store.channels.set_reactions(CHANNEL, "message")
    assert not store.channels.set_reactions("C2", "reply")
    assert (store.channels.mode(CHANNEL), store.channels.seeds(CHANNEL)) == ("auto", True)
    store.channels.set_mode(CHANNEL, "mention")
    store.channels.set_seeds(CHANNEL, False)
    assert store.channels.reactions(CHANNEL) == "message"


def test_a_choice_says_nothing_about_what_was_done_before_it(store: Store) -> None:
    """Last week's thanks must not become labels today, nor last week's labels thanks."""
    first, second = a_message(store), a_message(store, "2.000001", "2.000002")
    thanks(store)
    store.channels.set_reactions(CHANNEL, "message")
    assert not is_thanks(store, first)
    thanks(store, "2.000001")
    store.channels.set_reactions(CHANNEL, "reply")
    assert is_thanks(store, second)


def test_an_emoji_that_we_put_there_counts_and_others_do_not(store: Store) -> None:
    """Also once offering is off again, and in any skin tone: it is our question, whoever taps it answers."""
    message_id = a_message(store)
    store.messages.set_offered(message_id, {"pray": "agradecimiento"})
    assert thanks(store, kind=Kind.CORRECT, labels=())[1] is True  # it says what it was put there for
    assert is_thanks(store, message_id)
    key = a_reaction("key", TS, 6, kind=Kind.LABEL, labels=("acceso",))
    assert store.gestures.add_reaction(key, channel=CHANNEL, item_ts=TS) == (None, False)
    toned = a_reaction("pray::skin-tone-3", TS, 7)
    assert store.gestures.add_reaction(toned, channel=CHANNEL, item_ts=TS) == (message_id, True)


def test_an_emoji_that_says_nothing_is_not_kept(store: Store) -> None:
    a_message(store)
    store.channels.set_reactions(CHANNEL, "message")
    pizza = a_reaction("pizza", REPLY_TS, 5)
    assert store.gestures.add_reaction(pizza, channel=CHANNEL, item_ts=REPLY_TS) == (None, False)
    gone = pizza.model_copy(update={"at": 6, "withdrawn": True})
    assert store.gestures.add_reaction(gone, channel=CHANNEL, item_ts=REPLY_TS) == (None, False)
    assert kept(store) == 0


@pytest.mark.parametrize("says", [(Kind.LABEL, ("agradecimiento",)), (Kind.NONE, ()), (None, ())])
def test_what_counted_before_is_taken_back_wherever_and_whatever_it_says_by_now(
    store: Store, says: tuple[Kind | None, tuple[str, ...]]
) -> None:
    """Gestures keep the meaning that they were made with: those of before the channels chose, and of other emoji."""
    message_id = a_message(store)
    handle = gesture_handles.of_reaction("U2", TS, "pray")
    old = Gesture(user="U2", handle=handle, at=5, kind=Kind.LABEL, labels=("agradecimiento",))
    store.gestures.add(old, channel=CHANNEL, item_ts=TS)
    assert is_thanks(store, message_id)
    kind, labels = says
    assert thanks(store, at=6, kind=kind, labels=labels, withdrawn=True) == (message_id, True)
    assert not is_thanks(store, message_id)
    last = store.gestures.history(message_id)[-1].gesture
    assert (last.kind, last.labels, last.withdrawn) == (Kind.LABEL, ("agradecimiento",), True)
    # And made again, it is an everyday reaction.
    assert thanks(store, at=7) == (None, False)
    assert not is_thanks(store, message_id)


def test_taking_back_what_never_counted_is_not_kept(store: Store) -> None:
    a_message(store)
    thanks(store)
    assert thanks(store, at=6, withdrawn=True) == (None, False)
    assert kept(store) == 0


def test_taking_back_may_come_first_where_reactions_count(store: Store) -> None:
    """Events of one moment overtake each other."""
    message_id = a_message(store)
    assert thanks(store, REPLY_TS, at=6, withdrawn=True) == (message_id, True)
    thanks(store, REPLY_TS, at=5)
    assert not is_thanks(store, message_id)


def test_a_reaction_on_our_reply_counts_before_the_reply_is_recorded(store: Store) -> None:
    """People are faster than the record of a post whose process died; Slack says whose post it is."""
    message_id = a_message(store, reply_ts=None)
    assert thanks(store, REPLY_TS, on_ours=True) == (None, True)
    answer(store, message_id, REPLY_TS)
    assert is_thanks(store, message_id)


def test_a_reaction_before_its_message_counts_where_the_channel_chose_it_by_then(store: Store) -> None:
    thanks(store)
    thanks(store, "2.000001")
    store.channels.set_reactions(CHANNEL, "message")
    assert thanks(store, "2.000001", at=6) == (None, True)
    assert not is_thanks(store, a_message(store))
    assert is_thanks(store, a_message(store, "2.000001", "2.000002"))


@pytest.mark.parametrize("post", ["greeting", "digest"])
def test_reactions_on_our_other_posts_are_no_judgement(store: Store, post: str) -> None:
    """A digest shows the labels of many messages: nobody can say of which of them a reaction speaks."""
    message_id = a_message(store, reply_ts=None)
    store.channels.set_reactions(CHANNEL, "message")
    store.outbox.announce(greeting_key(CHANNEL, "1"), CHANNEL, "greeting.invited")
    with store.database.writing() as connection:
        ours = outbox.update().where(outbox.c.key == greeting_key(CHANNEL, "1"))
        connection.execute(ours.values(ts="9.000001", kind="announcement" if post == "greeting" else "digest"))
    assert thanks(store, "9.000001", on_ours=True) == (None, False)
    assert kept(store) == 0
    assert not is_thanks(store, message_id)


def test_a_reaction_inside_a_thread_counts_on_the_reply_alone(store: Store) -> None:
    """What people write in a thread is theirs, and so is the message there that called the bot."""
    parent = a_message(store)
    inside = a_message(store, "1.000003", "1.000004", source=Source.MENTION, thread_ts=TS)
    assert thanks(store, "1.000003") == (None, False)
    assert thanks(store, "1.000005") == (None, False)  # of which we know nothing
    assert thanks(store, "1.000004") == (inside, True)
    assert not is_thanks(store, parent)


def test_after_an_edit_the_choice_is_the_same_and_earlier_words_are_stale(store: Store) -> None:
    message_id = a_message(store)
    store.messages.set_offered(message_id, {"pray": "agradecimiento"})
    thanks(store, at=5)
    store.messages.edit(CHANNEL, TS, "otro texto", 10)
    assert not is_thanks(store, message_id)
    assert thanks(store, at=11, kind=Kind.CORRECT, labels=()) == (message_id, True)
    assert is_thanks(store, message_id)


def test_a_channel_that_gets_another_id_takes_its_choice_and_our_emoji_along(store: Store) -> None:
    message_id = a_message(store)
    store.messages.set_offered(message_id, {"pray": "agradecimiento"})
    store.channels.set_reactions(CHANNEL, "message")
    store.channels.rename(CHANNEL, "C9")
    assert store.channels.reactions("C9") == "message"
    assert store.channels.reactions(CHANNEL) == "reply"
    reaction = a_reaction("pray", TS, 5)
    assert store.gestures.add_reaction(reaction, channel="C9", item_ts=TS) == (message_id, True)


def test_a_reaction_that_is_delivered_twice_counts_once(store: Store) -> None:
    message_id = a_message(store)
    assert [thanks(store, REPLY_TS) for _ in range(2)] == [(message_id, True), (message_id, False)]


def test_what_was_erased_is_known_to_have_our_emoji_until_they_are_taken_off(store: Store) -> None:
    """They tell the labels of a message that is to be forgotten."""
    message_id, other = a_message(store), a_message(store, "2.000001", "2.000002")
    for each in (message_id, other):
        store.messages.set_offered(each, {"pray": "agradecimiento"})
    assert store.messages.offered_and_gone(10) == []
    store.erasure.execute(store.erasure.create_request(by="U1", message_id=message_id))
    assert store.messages.offered_and_gone(10) == [message_id]
    store.messages.set_offered(message_id, {})
    assert store.messages.offered_and_gone(10) == []


def test_the_reply_is_due_again_after_a_reaction_that_counts_alone(store: Store) -> None:
    message_id = a_message(store)
    thanks(store)
    row = store.outbox.get(reply_key(message_id))
    assert row is not None
    before = row.wanted
    thanks(store, REPLY_TS)
    row = store.outbox.get(reply_key(message_id))
    assert row is not None
    assert row.wanted == before + 1
