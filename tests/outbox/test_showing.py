"""What a channel chose to be shown of its messages: in threads, by emoji, or nothing; after a while, not by night."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.outbox.context import OutboxContext
from bot.outbox.executor import deliver, serve_line
from bot.simulator.server import Simulator
from bot.simulator.workspace import Workspace
from model.judgements import Kind
from model.showing import Rest
from model.store.database import now
from model.store.outbox_row import SETTLED, State, emoji_key
from model.store.tables import outbox
from tests.outbox.replying import (
    CHANNEL,
    ON_SQLITE,
    a_predicted_message,
    bots_posts,
    emoji_on,
    judged,
    reply,
    reply_again,
    reply_now,
    row_of,
    said_by_ana,
    tap,
)

ALL_DAY = Rest("00:00", "23:59", "UTC")


@pytest.fixture
def shows(context: OutboxContext) -> OutboxContext:
    """People who judge count, so that nobody has to be asked."""
    for user in ("U0SIMULUIS", "U0SIMUANA"):
        context.store.people.save(user, may_judge=True, expert=False)
    return context


def shown(context: OutboxContext, message_id: int) -> None:
    """Reply and emoji are brought up to date, as far as anything is to come now; what was rendered last is a while ago."""
    with context.store.database.writing() as connection:
        long_ago = {"rendered_at": now() - timedelta(seconds=9)}
        connection.execute(outbox.update().where(outbox.c.message_id == message_id).values(**long_ago))
    reply_again(context, message_id)
    deliver(context, emoji_key(message_id))


def test_with_emoji_a_message_gets_those_of_its_sure_labels_and_no_thread(shows: OutboxContext, workspace: Workspace) -> None:
    """A thread under every message is what people leave a bot for."""
    shows.store.channels.set_showing(CHANNEL, "emoji")
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(shows.store, ts)
    shown(shows, message_id)
    assert emoji_on(workspace, ts) == {"credit_card": ["U0SIMUBETO"]}
    assert bots_posts(shows, ts) == []
    assert row_of(shows, message_id).state is State.SHOWN
    shown(shows, message_id)
    assert emoji_on(workspace, ts) == {"credit_card": ["U0SIMUBETO"]}


@ON_SQLITE
def test_a_tap_on_our_emoji_is_a_yes_and_every_other_reaction_to_the_message_is_its_peoples(
    shows: OutboxContext, workspace: Workspace
) -> None:
    """Its emoji is all that is shown there: ✅ on a customer's message goes on meaning that it was attended to."""
    shows.store.channels.set_showing(CHANNEL, "emoji")
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(shows.store, ts)
    shown(shows, message_id)
    assert not tap(shows, ts, "white_check_mark", Kind.CORRECT)
    assert not tap(shows, ts, "pray", Kind.LABEL, ("agradecimiento",))
    assert tap(shows, ts, "credit_card", Kind.LABEL, ("tarjeta",))
    shown(shows, message_id)
    assert bots_posts(shows, ts) == []  # they agree: there is nothing to discuss
    assert emoji_on(workspace, ts)["credit_card"] == ["U0SIMUBETO"]


@ON_SQLITE
@pytest.mark.parametrize("display", ["emoji", "quiet"])
def test_what_people_see_otherwise_is_shown_by_emoji_and_in_the_thread_and_where_nothing_shows_not_at_all(
    display: str, shows: OutboxContext, workspace: Workspace
) -> None:
    """Whoever corrects sees it counted; whoever wants quiet gets it."""
    shows.store.channels.set_showing(CHANNEL, display)  # type: ignore[arg-type]  # one of them
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(shows.store, ts)
    shown(shows, message_id)
    judged(shows.store, ts, kind=Kind.SET, labels=("fraude",))
    shown(shows, message_id)
    reply_now(shows, message_id)
    assert list(emoji_on(workspace, ts)) == (["rotating_light"] if display == "emoji" else [])
    assert len(bots_posts(shows, ts)) == (display == "emoji")


@pytest.mark.parametrize("display", ["emoji", "quiet"])
def test_whoever_asks_gets_the_thread(display: str, shows: OutboxContext, workspace: Workspace) -> None:
    shows.store.channels.set_showing(CHANNEL, display, delay_minutes=60, rest=ALL_DAY)  # type: ignore[arg-type]  # one of them
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(shows.store, ts)
    shown(shows, message_id)
    assert bots_posts(shows, ts) == []
    shows.store.messages.ask(message_id)
    reply_now(shows, message_id)
    assert len(bots_posts(shows, ts)) == 1


@pytest.mark.parametrize("waits", ["a delay", "the night"])
def test_nothing_is_posted_before_its_time_and_nothing_is_lost(waits: str, shows: OutboxContext, workspace: Workspace) -> None:
    """People act first, or sleep; what waits is a row like any other, also when they choose otherwise meanwhile."""
    rest, minutes = (ALL_DAY, 0) if waits == "the night" else (None, 60)
    shows.store.channels.set_showing(CHANNEL, "thread", delay_minutes=minutes, rest=rest)
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(shows.store, ts)
    shown(shows, message_id)
    row = row_of(shows, message_id)
    assert (bots_posts(shows, ts), row.state) == ([], State.DUE)
    assert row.retry_at is not None
    assert row.retry_at > now() + timedelta(minutes=0 if waits == "the night" else 50)
    shows.store.channels.set_showing(CHANNEL, "thread", delay_minutes=0, rest=None)
    reply_now(shows, message_id)
    assert len(bots_posts(shows, ts)) == 1


@ON_SQLITE
def test_where_somebody_acted_first_nobody_waits_any_more(shows: OutboxContext, workspace: Workspace) -> None:
    shows.store.channels.set_showing(CHANNEL, "thread", delay_minutes=60)
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(shows.store, ts)
    reply(shows, message_id)
    assert bots_posts(shows, ts) == []
    judged(shows.store, ts, kind=Kind.SET, labels=("tarjeta",))
    reply_now(shows, message_id)
    assert len(bots_posts(shows, ts)) == 1


@ON_SQLITE
def test_what_waits_for_its_turn_is_shown_as_the_channel_wants_it_by_then(shows: OutboxContext, workspace: Workspace) -> None:
    """Sixty waited in the line when somebody chose quiet: no digest, and nothing owed for ever."""
    shows = replace(shows, settings=shows.settings.model_copy(update={"digest_after": 1}))
    stamps = [said_by_ana(workspace) for _ in range(3)]
    ids = [a_predicted_message(shows.store, ts) for ts in stamps]
    for message_id in ids:
        claim = shows.store.outbox.claim(f"reply:{message_id}", "x", 60)
        assert claim is not None
        shows.store.outbox.release(claim.row.key, "x", 0, state=State.WAITING_TURN)
    shows.store.channels.set_showing(CHANNEL, "quiet")
    for _ in ids:
        shows.locks.unlock(f"line/{CHANNEL}")
        serve_line(shows, CHANNEL)
    assert {row_of(shows, message_id).state for message_id in ids} == {State.SHOWN}
    assert [each for each in workspace.channel("atencion").messages.values() if each.get("bot_id")] == []


@pytest.mark.parametrize("on", ["message", "reply"])
def test_a_muted_message_is_left_alone_until_somebody_takes_that_back(
    on: str, shows: OutboxContext, workspace: Workspace
) -> None:
    """🔇 ends what a bot says in a thread, in whatever order Slack tells of it."""
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(shows.store, ts)
    item = ts
    if on == "reply":
        reply_now(shows, message_id)
        item = bots_posts(shows, ts)[0]
    mutes = shows.store.mutes
    assert mutes.set(CHANNEL, item, "U0SIMULUIS", at=10, muted=True) == message_id
    shown(shows, message_id)
    reply_now(shows, message_id)
    thread = [str(each) for each in workspace.channel("atencion").messages.values() if each.get("bot_id")]
    assert ["Tarjeta" in each for each in thread] == ([False] if on == "reply" else [])
    assert mutes.set(CHANNEL, ts, "U0SIMULUIS", at=9, muted=False) == message_id  # comes late, and is older
    assert mutes.of(CHANNEL, ts) == ["U0SIMULUIS"]
    mutes.set(CHANNEL, ts, "U0SIMULUIS", at=11, muted=False)
    shown(shows, message_id)
    reply_now(shows, message_id)
    thread = [str(each) for each in workspace.channel("atencion").messages.values() if each.get("bot_id")]
    assert ["Tarjeta" in each for each in thread] == [True]


@ON_SQLITE
def test_a_mute_of_what_nobody_reads_here_is_not_kept(shows: OutboxContext) -> None:
    """Of people's reactions only what counts is kept."""
    assert shows.store.mutes.set("C9", "1.1", "U1", at=1, muted=True) is None
    assert shows.store.mutes.of("C9", "1.1") == []
    shows.store.channels.set_mode("C9", "auto")
    shows.store.mutes.set("C9", "1.1", "U1", at=1, muted=True)  # the message itself is on its way
    assert shows.store.mutes.of("C9", "1.1") == ["U1"]


@ON_SQLITE
@pytest.mark.parametrize("fault", ["ratelimited", 503, "reset", "answer_lost", "internal_error"])
def test_emoji_are_put_once_and_all_of_them_whatever_slack_does(
    fault: str | int, shows: OutboxContext, replies_slack: Simulator
) -> None:
    """The emoji are the whole answer there: one that is lost is a message without labels."""
    workspace = replies_slack.workspace
    shows.store.channels.set_showing(CHANNEL, "emoji")
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(shows.store, ts)
    judged(shows.store, ts, kind=Kind.SET, labels=("tarjeta", "fraude", "reclamo"))
    replies_slack.faults.fail_next("reactions.add", fault, retry_after_s=0)
    for _ in range(4):
        shown(shows, message_id)
    row = shows.store.outbox.get(emoji_key(message_id))
    assert row is not None
    assert row.state in SETTLED
    assert len(emoji_on(workspace, ts)) == 3
    assert set(row.content["put"].values()) == {"tarjeta", "fraude", "reclamo"}


def test_a_rest_over_midnight_ends_in_the_morning_by_the_clock_on_the_wall() -> None:
    """Madrid's clocks go back on 2026-10-25: that night is an hour longer."""
    rest = Rest("22:00", "07:00", "Europe/Madrid")
    summer = datetime(2026, 7, 1, 20, 30, tzinfo=UTC)  # 22:30 there
    assert rest.wait_s(summer) == 8.5 * 3600
    assert rest.wait_s(datetime(2026, 7, 2, 4, 59, tzinfo=UTC)) == 60
    assert rest.wait_s(datetime(2026, 7, 2, 5, 0, tzinfo=UTC)) == 0
    assert rest.wait_s(datetime(2026, 7, 1, 19, 59, tzinfo=UTC)) == 0
    assert rest.wait_s(datetime(2026, 10, 24, 20, 0, tzinfo=UTC)) == 10 * 3600
