"""Why a message has its labels, once the worker has said so: whatever became of it meanwhile, somebody sees something."""

from typing import Any

import pytest

from bot.outbox.context import OutboxContext
from bot.outbox.executor import deliver
from bot.outbox.sweep import sweep
from bot.simulator.server import Simulator
from bot.views import why_blocks
from model.judgements import Gesture, Kind
from model.schema import Carried, Explanation, Message, Source
from model.store.outbox_row import State, why_key
from model.store.store import Store
from model.store.tables import outbox
from tests.outbox.replying import CHANNEL, ON_SQLITE
from tests.store.rows import everything
from worker.app import app

KEY = why_key("1.1")
PUBLIC, PRIVATE = "C0SIMURECLAMOS", "C0SIMUFRAUDES"
TEXT = "me clonaron la tarjeta <@U0SIMULUIS> de Zoraida"
TS = "1716400000.000001"


def a_message(store: Store, channel: str = CHANNEL, text: str = TEXT, ts: str = TS, **more: Any) -> int:
    message = Message(channel=channel, ts=ts, user="U0SIMUANA", text=text, source=Source.CHANNEL, **more)
    return store.messages.save(message)[0]


def judge(store: Store, channel: str, ts: str) -> None:
    gesture = Gesture(user="U0SIMULUIS", handle="h", at=5, kind=Kind.SET, labels=("agencia",))
    store.gestures.add(gesture, channel=channel, item_ts=ts)


def carried(label: str, score: float, *words: tuple[int, int], given: bool = True) -> Carried:
    return Carried(label=label, score=score, given=given, words=words, against=())


FOUND = (carried("fraude", 0.87, (1, 2)), carried("tarjeta", 0.99, (2, 4)), carried("app", 0.01, given=False))


def told(
    context: OutboxContext,
    slack: Simulator,
    message_id: int,
    *,
    labels: tuple[Carried, ...] | None = FOUND,
    is_member: bool = True,
    label: str | None = None,
    language: str = "",
    meanwhile: Any = lambda: None,
    **more: Any,
) -> str:
    """What Ana's modal says in the end; `meanwhile` is between the answer and its showing."""
    views, store = slack.apps[0].views, context.store
    opened = context.slack.views_open(trigger_id=views.new_trigger("U0SIMUANA"), view=why_blocks.loading(context.texts))
    asked: dict[str, str | bool] = {"user": "U0SIMUANA", "view": opened["view"]["id"], "is_member": is_member}
    asked |= {"language": language} if language else {}
    store.explanations.ask(KEY, message_id, CHANNEL, asked | ({"label": label} if label else {}))
    made = None
    if labels is not None:
        made = Explanation(version=3, base="mini", corrections=2, revision=1, labels=labels, **more)
    store.explanations.save(KEY, made)
    meanwhile()
    deliver(context, KEY)
    row = store.outbox.get(KEY)
    assert row is not None
    assert (row.state, row.content) == (State.SHOWN, {})
    return str(views.get("U0SIMUANA", str(opened["view"]["id"]))["blocks"])


def test_the_words_are_the_message_s_own_and_nothing_is_kept(context: OutboxContext, replies_slack: Simulator) -> None:
    """On both databases: only places of words are stored until it is shown, and then nothing."""
    store = context.store
    message_id = a_message(store)

    def no_word_is_stored_twice() -> None:
        assert everything(store).count("Zoraida") == 1

    found = told(context, replies_slack, message_id, meanwhile=no_word_is_stored_twice)
    assert "*Fraude* 87\\xa0%: por «clonaron»" in found
    assert "*Tarjeta* 99\\xa0%: por «la tarjeta»" in found
    assert "mini · versión 3 + 2 correcciones" in found
    assert "*App" not in found


@ON_SQLITE
def test_a_label_that_was_asked_for_comes_first(context: OutboxContext, replies_slack: Simulator) -> None:
    found = told(context, replies_slack, a_message(context.store), label="app")
    assert found.index("no la doy") < found.index("*Fraude*")


@ON_SQLITE
def test_what_people_said_is_theirs(context: OutboxContext, replies_slack: Simulator) -> None:
    """A label that a person put there has no words that carry it, and a reason all the same."""
    message_id = a_message(context.store)
    judge(context.store, CHANNEL, TS)
    found = told(context, replies_slack, message_id)
    assert "*Agencia y atención*: la pone <@U0SIMULUIS>" in found
    assert "*Agencia y atención*: todavía no la he aprendido" in found, "mini does not know it by its description"
    assert "*Fraude*: no, según <@U0SIMULUIS>" in found


@pytest.mark.parametrize(
    ("labels", "says", "explains"), [(FOUND, "*Fraud* 87%: for «clonaron»", True), ((), "I see nothing of any label", False)]
)
@ON_SQLITE
def test_it_is_told_in_the_language_of_whoever_asked(
    labels: tuple[Carried, ...], says: str, explains: bool, context: OutboxContext, replies_slack: Simulator
) -> None:
    """And what the words are is explained where there are any."""
    found = told(context, replies_slack, a_message(context.store), labels=labels, language="en")
    assert says in found
    assert ("The words are those" in found) == explains


@pytest.mark.parametrize("what", ["erased", "deleted", "edited", "expired", "nothing to explain", "blind"])
@ON_SQLITE
def test_whatever_becomes_of_the_message_something_is_seen(what: str, context: OutboxContext, replies_slack: Simulator) -> None:
    """And never a word of it, where it is gone."""
    store = context.store
    message_id = a_message(store, blind=what == "blind")

    def meanwhile() -> None:
        if what == "erased":
            store.erasure.execute(store.erasure.create_request(by="U0SIMUANA", message_id=message_id))
        elif what == "deleted":
            store.messages.delete(CHANNEL, TS)
        elif what == "edited":
            store.messages.edit(CHANNEL, TS, "otra cosa", 9)
        elif what == "expired":
            store.retention.choose(days=1)
            with store.database.writing() as connection:
                connection.exec_driver_sql("update messages set received_at = '2020-01-01 00:00:00'")
            assert store.retention.expire(1, 1) == 1

    labels = None if what == "nothing to explain" else FOUND
    found = told(context, replies_slack, message_id, labels=labels, meanwhile=meanwhile)
    sentences = {
        "erased": "ya no existe", "deleted": "ya no existe", "edited": "acaba de cambiar", "expired": "ya no se guarda",
        "nothing to explain": "ya no se guarda", "blind": "todavía no digo mis etiquetas",
    }  # fmt: skip
    assert sentences[what] in found
    assert "clonaron" not in found


@pytest.mark.parametrize(
    ("channel", "is_member", "shown"),
    [(CHANNEL, False, True), (PUBLIC, True, True), (PUBLIC, False, False), (PRIVATE, True, False)],
)
@ON_SQLITE
def test_near_messages_are_shown_to_who_may_see_them(
    channel: str, is_member: bool, shown: bool, context: OutboxContext, replies_slack: Simulator
) -> None:
    """Of the same channel, and of public ones to full members; an erased one never."""
    store = context.store
    message_id = a_message(store)
    near = a_message(store, channel, "robo de tarjeta de Nicanor", "1716400000.000002")
    judge(store, channel, "1716400000.000002")
    erased = a_message(store, CHANNEL, "algo de Filomena", "1716400000.000003")
    judge(store, CHANNEL, "1716400000.000003")
    store.erasure.execute(store.erasure.create_request(by="U0SIMUANA", message_id=erased))
    found = told(context, replies_slack, message_id, near=(erased, near), is_member=is_member)
    assert ("Nicanor" in found) == shown
    assert (f"archives/{channel}/p1716400000000002" in found) == shown
    assert "Filomena" not in found


@ON_SQLITE
def test_what_decided_is_said_before_what_the_version_thinks(context: OutboxContext, replies_slack: Simulator) -> None:
    store = context.store
    a_message(store, ts="1716400000.000002")
    judge(store, CHANNEL, "1716400000.000002")
    found = told(context, replies_slack, a_message(store), known_from=f"{CHANNEL}:1716400000.000002")
    assert "Ya lo había visto" in found
    assert "corregido por @" in found


@pytest.mark.parametrize("is_member", [True, False])
@ON_SQLITE
def test_a_guest_is_not_told_in_which_other_channel_it_was_decided(
    is_member: bool, context: OutboxContext, replies_slack: Simulator
) -> None:
    """Full members may open every public channel; a guest sees those alone that they were invited to."""
    store = context.store
    a_message(store, PUBLIC, ts="1716400000.000002")
    judge(store, PUBLIC, "1716400000.000002")
    found = told(
        context, replies_slack, a_message(store), known_from=f"{PUBLIC}:1716400000.000002", is_member=is_member
    )  # fmt: skip
    assert (PUBLIC in found) == ("corregido por @" in found) == is_member
    assert "Ya lo había visto" in found


@ON_SQLITE
def test_whoever_closed_the_window_is_waited_for_no_more(context: OutboxContext, replies_slack: Simulator) -> None:
    """Slack knows the modal no more: the row is done, and nothing is tried again for ever."""
    message_id = a_message(context.store)
    context.store.explanations.ask(KEY, message_id, CHANNEL, {"user": "U0SIMUANA", "view": "V0GONE", "is_member": True})
    context.store.explanations.save(KEY, None)
    deliver(context, KEY)
    row = context.store.outbox.get(KEY)
    assert row is not None
    assert (row.state, row.retry_at) == (State.SHOWN, None)


@ON_SQLITE
def test_a_lost_task_is_sent_again(context: OutboxContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis was emptied, or the worker died of it: the sweep asks the worker anew, and not for a classification."""
    message_id = a_message(context.store)
    context.store.explanations.ask(KEY, message_id, CHANNEL, {"user": "U0SIMUANA", "view": "V1", "is_member": True})
    with context.store.database.writing() as connection:
        connection.execute(outbox.update().where(outbox.c.key != KEY).values(retry_at=None))
        connection.exec_driver_sql("update outbox set retry_at = '2020-01-01 00:00:00' where retry_at is not null")
    sent: list[tuple[str, object]] = []
    monkeypatch.setattr(app, "send_task", lambda name, args, **_: sent.append((name, args)))
    monkeypatch.setattr("celery.canvas.Signature.apply_async", lambda self, **_: sent.append((self.task, self.args)))
    assert sweep(context) == 1
    assert sent == [("worker.explain", (KEY,))]
