"""What came in a channel, told there by itself: when, once, and not at all where nothing came."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.outbox import states, summaries
from bot.outbox.context import OutboxContext
from bot.outbox.executor import deliver
from bot.outbox.summaries import last_due, open_summaries
from bot.simulator.workspace import Workspace
from model.judgements import Kind as Said
from model.store.channels import SummaryChoice
from model.store.outbox_row import Kind, State
from model.store.tables import outbox
from tests.outbox.replying import CHANNEL, a_predicted_message, judged, reply_now, said_by_ana

# A Monday.
MONDAY = datetime(2026, 3, 2, 0, 0, tzinfo=UTC)
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("zone", ["America/Guayaquil", "America/Santiago", "Asia/Kolkata"])
@pytest.mark.parametrize("frequency", ["daily", "weekly"])
def test_every_hour_of_a_year_belongs_to_one_post(zone: str, frequency: Any) -> None:
    """By the clock on the wall of the zone, also when that is changed; and what comes is told once."""
    choice = SummaryChoice(CHANNEL, frequency, 9, zone, LONG_AGO)
    posts = []
    for hour in range(366 * 24):
        moment = MONDAY + timedelta(hours=hour, minutes=30)
        due = last_due(choice, moment)
        assert due.since < due.at <= moment < due.at + (due.at - due.since) + timedelta(hours=2)
        assert (due.at.hour, due.since.hour) == (9, 9)
        assert frequency == "daily" or due.at.weekday() == 0
        if not posts or posts[-1] != due:
            assert not posts or posts[-1].at == due.since
            posts.append(due)
    assert len(posts) == (367 if frequency == "daily" else 54)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    moment = [datetime.now(UTC)]
    monkeypatch.setattr(summaries, "now", lambda: moment[0])
    return moment


def posts(workspace: Workspace) -> list[dict[str, Any]]:
    return [each for each in workspace.channel(CHANNEL).messages.values() if "Resumen" in str(each.get("text"))]


def rows(context: OutboxContext) -> list[Any]:
    with context.store.database.reading() as connection:
        return list(connection.execute(outbox.select().where(outbox.c.kind == Kind.SUMMARY)))


def test_a_channel_is_told_once_what_came_and_people_said(
    context: OutboxContext, workspace: Workspace, clock: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many processes look, however often."""
    monkeypatch.setattr(states, "REDRAW_EVERY_S", 0.0)
    store = context.store
    store.channels.set_summary(CHANNEL, "daily", clock[0].hour, "UTC")
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(store, ts)
    judged(store, ts, labels=("app",), kind=Said.SET)
    reply_now(context, message_id)
    assert open_summaries(context) == 0  # of what was before nobody asked to be told
    clock[0] += timedelta(days=1)
    assert [open_summaries(context) for _ in range(3)] == [1, 0, 0]
    [row] = rows(context)
    deliver(context, row.key)
    deliver(context, row.key)
    [post] = posts(workspace)
    told = json.dumps(post, ensure_ascii=False)
    assert "perdí la tarjeta" in told
    assert "*Un mensaje* · juzgaron 1 · corrigieron 1" in told
    store.messages.delete(CHANNEL, ts)
    deliver(context, row.key)
    assert "perdí" not in json.dumps(posts(workspace), ensure_ascii=False)  # its words are gone there, too
    clock[0] += timedelta(days=9)
    assert open_summaries(context) == 1  # the last day, and not one for each that was missed


def test_where_nothing_came_nothing_is_said(context: OutboxContext, workspace: Workspace, clock: list[datetime]) -> None:
    context.store.channels.set_summary(CHANNEL, "weekly", 9, "America/Guayaquil")
    clock[0] += timedelta(days=8)
    assert open_summaries(context) == 1
    [row] = rows(context)
    deliver(context, row.key)
    assert posts(workspace) == []
    assert [each.state for each in rows(context)] == [State.GONE]


def test_a_zone_that_is_not_known_here_is_utc() -> None:
    choice = SummaryChoice(CHANNEL, "daily", 9, "Mars/Olympus", LONG_AGO)
    assert last_due(choice, MONDAY) == last_due(replace(choice, zone="UTC"), MONDAY)
