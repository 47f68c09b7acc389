"""What a channel wrote before is labelled in quiet, once, by pages, whatever dies; and whoever asked hears how far it is."""

from typing import Any

import pytest

from bot.outbox.backfills import PAGE
from bot.outbox.context import OutboxContext
from bot.outbox.executor import deliver
from bot.simulator.server import Simulator
from bot.simulator.workspace import Workspace
from model.schema import Message, Prediction, Source
from model.store.outbox_row import State, reply_key
from model.store.predictions import NewPrediction
from model.store.standings import Span
from model.store.tables import messages, outbox
from tests.outbox.replying import CHANNEL, ON_SQLITE

ANA, LUIS = "U0SIMUANA", "U0SIMULUIS"


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages follow each other without the pause in which people read."""
    monkeypatch.setattr("bot.outbox.work.redraw_every_s", lambda _kind: 0.0)


def write(workspace: Workspace, count: int) -> list[str]:
    ana, channel = workspace.user("ana"), workspace.channel("atencion")
    return [str(workspace.post_as_person(ana, channel, f"mensaje {n}")["ts"]) for n in range(count)]


def begin(context: OutboxContext, workspace: Workspace, request: str = "1.1") -> str:
    key = context.store.backfills.open(CHANNEL, LUIS, oldest="1.000000", latest=workspace.next_ts(), request=request)
    assert key is not None
    return key


def go_on(context: OutboxContext, key: str) -> Any:
    """One task of the row, as the queue would bring it; how far it is then."""
    context.locks.unlock(f"deliver/{key}")
    deliver(context, key)
    return context.store.backfills.progress(key)


def predict_all(context: OutboxContext) -> None:
    """A worker has labelled all that waits."""
    with context.store.database.reading() as connection:
        waiting = connection.execute(
            outbox.select().where(outbox.c.state == State.AWAITING_PREDICTION).with_only_columns(outbox.c.message_id)
        )
        ids = list(waiting.scalars())
    said = Prediction(version=1, base="mini", scores={"tarjeta": 0.99}, labels=("tarjeta",))
    context.store.predictions.save([NewPrediction(each, 1, said, 0.1) for each in ids])


def saved(context: OutboxContext) -> list[str]:
    with context.store.database.reading() as connection:
        return list(connection.execute(messages.select().with_only_columns(messages.c.text)).scalars())


def told(context: OutboxContext, slack: Simulator) -> list[str]:
    """What stands in the direct messages of whoever asked."""
    workspace = slack.workspace
    direct = workspace.direct_channel(workspace.user("luis"), workspace.user("beto"))
    return [str(direct.messages[ts]["text"]) for ts in direct.roots]


def test_pages_are_read_to_the_end_and_nothing_is_shown(
    context: OutboxContext, replies_slack: Simulator, workspace: Workspace
) -> None:
    """On both databases: no thread, no emoji, no route; one message to whoever asked, which ends with the sum."""
    stamps = write(workspace, PAGE + 20)
    workspace.post_as_person(workspace.user("ana"), workspace.channel("atencion"), "@beto y esto?")  # was answered then
    workspace.post_as_person(workspace.user("ana"), workspace.channel("atencion"), "en un hilo", stamps[0])
    workspace.post_as_bot(workspace.channel("atencion"), "algo mío")
    key = begin(context, workspace)
    assert go_on(context, key)["state"] == "running"
    assert go_on(context, key)["read"] == PAGE  # no page while the first one waits for a worker
    predict_all(context)
    far = go_on(context, key)
    # The bot's own arrival and post, and the call by its name, are read and left alone; the thread is not in the channel.
    assert (far["state"], far["read"], far["saved"]) == ("done", PAGE + 23, PAGE + 20)
    predict_all(context)
    assert sorted(saved(context)) == sorted(f"mensaje {n}" for n in range(PAGE + 20))
    for ts in (stamps[0], stamps[-1]):
        stored = context.store.messages.find(CHANNEL, ts)
        assert stored is not None
        deliver(context, reply_key(stored.id))
        row = context.store.outbox.get(reply_key(stored.id))
        assert row is not None
        assert (row.state, row.ts) == (State.SHOWN, None)
    # Those two are settled by now, and counted on the day on which they were written.
    span = Span(int(float(stamps[0]) * 1e6) - 1, int(float(stamps[-1]) * 1e6) + 2)
    assert context.store.standings.count(span, context.store.labels.current(), channel=CHANNEL).messages == 2
    assert not [call for call in replies_slack.transcript if call.method == "reactions.add"]
    posts = [call for call in replies_slack.transcript if call.method == "chat.postMessage" and not call.error]
    assert len(posts) == 1
    (only,) = told(context, replies_slack)
    assert f"leí {PAGE + 23} mensajes" in only
    assert f"{PAGE + 20} eran nuevos" in only


@ON_SQLITE
def test_a_process_that_dies_after_a_page_leaves_it_to_the_next(
    context: OutboxContext, replies_slack: Simulator, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read and not saved: it is read again. Saved: it is not counted twice, by whoever comes with the same page."""
    stamps = write(workspace, 5)
    key = begin(context, workspace)

    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> list[int]:
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(context.store.backfills, "save_page", killed)
        with pytest.raises(Killed):
            go_on(context, key)
    with context.store.database.writing() as connection:
        connection.execute(outbox.update().where(outbox.c.key == key).values(claimed_by=None, claimed_until=None))
    assert go_on(context, key)["saved"] == 5
    page = [Message(channel=CHANNEL, ts=ts, user=ANA, text="x", source=Source.CHANNEL) for ts in stamps]
    assert context.store.backfills.save_page(key, page, read=5, before=stamps[0], is_last=True) == []
    assert context.store.backfills.progress(key)["read"] == 6  # and the bot's arrival
    assert len(saved(context)) == 5


@ON_SQLITE
def test_what_came_live_is_never_doubled_and_what_comes_live_later_gets_its_reply(
    context: OutboxContext, replies_slack: Simulator, workspace: Workspace
) -> None:
    """A channel is watched and backfilled at once: the event of a message may come after the page that had it."""
    first, second = write(workspace, 2)
    live = Message(channel=CHANNEL, ts=first, user=ANA, text="mensaje 0", source=Source.CHANNEL)
    message_id, _ = context.store.messages.save(live)
    key = begin(context, workspace)
    assert go_on(context, key)["saved"] == 1
    predict_all(context)
    deliver(context, reply_key(message_id))
    row = context.store.outbox.get(reply_key(message_id))
    assert row is not None
    assert row.ts is not None  # the live one has its thread
    late = live.model_copy(update={"ts": second, "text": "mensaje 1"})
    late_id, new = context.store.messages.save(late)
    assert new
    assert context.store.messages.save(late) == (late_id, False)
    deliver(context, reply_key(late_id))
    row = context.store.outbox.get(reply_key(late_id))
    assert row is not None
    assert row.ts is not None


@ON_SQLITE
def test_an_app_that_slack_limits_goes_on_page_by_page(
    context: OutboxContext, replies_slack: Simulator, workspace: Workspace
) -> None:
    """Fifteen messages a minute for an app that is distributed outside the Marketplace: it waits as long as Slack says."""
    write(workspace, 20)
    replies_slack.faults.limit_history()
    key = begin(context, workspace)
    assert go_on(context, key)["read"] == 15
    assert "pocos mensajes por minuto" in told(context, replies_slack)[0]
    predict_all(context)
    far = go_on(context, key)
    assert (far["state"], far["read"]) == ("running", 15)
    with context.store.database.reading() as connection:
        row = connection.execute(outbox.select().where(outbox.c.key == key)).one()
    assert row.state == State.DUE
    replies_slack.faults.limit_history(on=False)
    context.limiter.block_method_for("conversations.history", 0.0)


@ON_SQLITE
@pytest.mark.parametrize("how", ["cancelled", "refused"])
def test_it_ends_where_somebody_or_slack_says_so(
    how: str, context: OutboxContext, replies_slack: Simulator, workspace: Workspace
) -> None:
    """Whoever asked is told, and what is labelled stays."""
    write(workspace, PAGE + 1)
    key = begin(context, workspace)
    go_on(context, key)
    predict_all(context)
    assert context.store.backfills.open(CHANNEL, ANA, oldest="1.0", latest="2.0", request="2.2") is None  # one at a time
    if how == "cancelled":
        assert context.store.backfills.end(key, "cancelled")
        assert not context.store.backfills.end(key, "cancelled")
    else:
        workspace.leave(workspace.channel("atencion"), workspace.user("beto"))
    far = go_on(context, key)
    assert (far["state"], far["saved"]) == (how, PAGE)
    go_on(context, key)
    assert ("Detenido" if how == "cancelled" else "not_in_channel") in told(context, replies_slack)[0]
    assert context.store.backfills.running(CHANNEL) is None


@ON_SQLITE
def test_the_post_can_be_stopped_from_itself_while_it_goes_on(
    context: OutboxContext, replies_slack: Simulator, workspace: Workspace
) -> None:
    """Whoever asked is in their direct messages, not in the channel; what is over has no button."""
    write(workspace, PAGE + 1)
    key = begin(context, workspace)
    go_on(context, key)
    row = context.store.outbox.get(key)
    assert row is not None
    assert row.ts is not None
    direct = workspace.direct_channel(workspace.user("luis"), workspace.user("beto"))
    assert "backfill_stop" in str(direct.messages[row.ts]["blocks"])
    assert context.store.backfills.of_post(ANA, row.ts) is None  # nobody stops what another one asked for
    assert context.store.backfills.of_post(LUIS, row.ts) == key
    assert context.store.backfills.end(key, "cancelled")
    go_on(context, key)
    assert "Detenido" in told(context, replies_slack)[0]
    assert "backfill_stop" not in str(direct.messages[row.ts]["blocks"])
