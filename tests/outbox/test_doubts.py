"""Where the network is least sure, the author is asked in the thread: a few times a day, once a message, and thanked."""

import pytest

from bot.outbox.context import OutboxContext
from bot.outbox.executor import deliver
from bot.simulator.workspace import Workspace
from model.schema import Message, Prediction, Source
from model.store.outbox_row import Row, State
from model.store.predictions import NewPrediction
from model.store.tables import outbox
from tests.outbox.replying import CHANNEL, ON_SQLITE, judged, reply_now

ONE_A_DAY = pytest.mark.parametrize("replies_settings", [{"BETO_ASK_A_DAY": "1"}], indirect=True)


def answered(context: OutboxContext, workspace: Workspace, *, doubt: float = 0.5, author: str = "ana", **more: object) -> str:
    """Somebody writes, and the bot has replied; return the message's ts."""
    ts = str(workspace.post_as_person(workspace.user(author), workspace.channel("atencion"), "no sé qué hacer")["ts"])
    user = workspace.user(author).id
    message = Message(channel=CHANNEL, ts=ts, user=user, text="no sé qué hacer", source=Source.CHANNEL, **more)
    message_id, _ = context.store.messages.save(message)
    prediction = Prediction(version=1, base="mini", scores={"tarjeta": doubt, "app": 0.001}, labels=())
    context.store.predictions.save([NewPrediction(message_id, 1, prediction, 0.01)])
    reply_now(context, message_id)
    return ts


@pytest.fixture(autouse=True)
def sure_ones(context: OutboxContext) -> None:
    """What was labelled before, of which all is sure."""
    for number in range(30):
        message = Message(channel="C9", ts=f"1.{number}", user="U9", text="x", source=Source.CHANNEL)
        message_id, _ = context.store.messages.save(message)
        sure = Prediction(version=1, base="mini", scores={"tarjeta": 0.99, "app": 0.001}, labels=("tarjeta",))
        context.store.predictions.save([NewPrediction(message_id, 1, sure, 0.01)])


def asked(context: OutboxContext) -> list[Row]:
    with context.store.database.reading() as connection:
        return [Row.of(row) for row in connection.execute(outbox.select().where(outbox.c.kind == "doubt"))]


def bring(context: OutboxContext, workspace: Workspace) -> str:
    """What stands in Slack once the only question is up to date; "" where nothing does."""
    [row] = asked(context)
    with context.store.database.writing() as connection:
        connection.execute(outbox.update().where(outbox.c.id == row.id).values(rendered_at=None))
    deliver(context, row.key)
    [row] = asked(context)
    return "" if row.ts is None else str(workspace.channel(CHANNEL).messages[row.ts]["text"])


def test_the_author_is_asked_in_the_thread_and_thanked(context: OutboxContext, workspace: Workspace) -> None:
    """One tap there teaches most; a question that is answered does not stand there as one."""
    answered(context, workspace, doubt=0.995)  # as sure as the others
    ts = answered(context, workspace)
    [row] = asked(context)
    assert (row.thread_ts, row.channel) == (ts, CHANNEL)
    told = bring(context, workspace)
    assert told.startswith("<@U0SIMUANA>, aquí dudo: ¿Tarjeta?")
    judged(context.store, ts)
    [row] = asked(context)
    assert row.state == State.DUE
    assert "gracias" in bring(context, workspace)


@ON_SQLITE
def test_what_is_judged_before_it_is_asked_is_not_asked(context: OutboxContext, workspace: Workspace) -> None:
    ts = answered(context, workspace)
    judged(context.store, ts)
    assert bring(context, workspace) == ""
    assert asked(context)[0].state == State.GONE


def test_a_deleted_message_takes_its_question_along(context: OutboxContext, workspace: Workspace) -> None:
    ts = answered(context, workspace)
    assert bring(context, workspace)
    context.store.messages.delete(CHANNEL, ts)
    assert bring(context, workspace) == ""


@ONE_A_DAY
def test_no_more_are_asked_than_a_day_has(context: OutboxContext, workspace: Workspace) -> None:
    """Whoever is asked too often answers nothing; two processes that ask at once take one place, too."""
    answered(context, workspace)
    answered(context, workspace, doubt=0.51)
    assert len(asked(context)) == 1
    assert context.store.reviews.open_doubt(1, 1) is None


@pytest.mark.parametrize("replies_settings", [{"BETO_ASK_A_DAY": "0"}], indirect=True)
@ON_SQLITE
def test_nobody_is_asked_where_that_is_off(context: OutboxContext, workspace: Workspace) -> None:
    answered(context, workspace)
    assert asked(context) == []


def test_a_message_is_asked_about_once(context: OutboxContext, workspace: Workspace) -> None:
    """Also where the reply's process died in between, and another comes."""
    answered(context, workspace)
    [row] = asked(context)
    assert row.message_id is not None
    assert context.store.reviews.open_doubt(row.message_id, 9) is None


@ON_SQLITE
def test_guests_and_hidden_labels_are_left_alone(context: OutboxContext, workspace: Workspace) -> None:
    """A guest's word would not count; a blind message asks already."""
    answered(context, workspace, author="carlos")
    answered(context, workspace, blind=True)
    assert asked(context) == []
