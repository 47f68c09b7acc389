"""How the replies process begins, and what its rows of a training say once somebody has decided."""

from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import StartRefused
from bot.outbox import states
from bot.outbox.context import OutboxContext, build_context
from bot.outbox.executor import deliver
from bot.simulator.server import Simulator
from model.schema import Message, Source
from model.store.outbox_row import State, picture_key, report_key, status_key
from model.store.runs import owner_name
from model.store.store import Store
from tests.outbox_rows import a_report, add_version

CHANNEL, OTHER = "C0SIMUATENCION", "C0SIMURECLAMOS"
ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@ON_SQLITE
def test_another_workspaces_database_is_refused(context: OutboxContext, tmp_path: Path) -> None:
    """The replies of a customer's production database were claimed by a demo, and recorded as answered."""
    theirs = Store(f"sqlite:///{tmp_path / 'theirs.db'}", tmp_path)
    theirs.migrate()
    theirs.belongs_to("T0THEIRS")
    with pytest.raises(StartRefused, match="belongs to the workspace T0THEIRS, and SLACK_BOT_TOKEN is of T0SIMULADOR"):
        build_context(context.settings, theirs, wait=lambda _: None)
    theirs.close()


@ON_SQLITE
@pytest.mark.parametrize("fault", [503, "reset", "ratelimited"])
def test_a_slack_that_is_away_at_the_start_is_waited_for(
    context: OutboxContext, replies_slack: Simulator, fault: int | str
) -> None:
    """A machine that starts before its network is there must not need somebody who starts it again."""
    replies_slack.faults.fail_next("auth.test", fault, retry_after_s=60)
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        context.limiter.block_method_for("auth.test", 0.001)  # the minute is over

    assert build_context(context.settings, context.store, wait=wait).team == "T0SIMULADOR"
    assert len(waits) == 1


@ON_SQLITE
def test_a_token_that_slack_refuses_ends_the_start(context: OutboxContext, replies_slack: Simulator) -> None:
    """It would refuse every reply, and only the log would know."""
    replies_slack.faults.fail_next("auth.test", "invalid_auth")
    with pytest.raises(StartRefused, match="invalid_auth"):
        build_context(context.settings, context.store, wait=lambda _: None)


@ON_SQLITE
@pytest.mark.parametrize("fault", ["", "ratelimited", 503, "reset", "internal_error"])
def test_a_decision_is_shown_with_all_links_whatever_becomes_of_them(
    context: OutboxContext, replies_slack: Simulator, trained_version: Path, monkeypatch: pytest.MonkeyPatch, fault: int | str
) -> None:
    """A click put the version to work, and its report lost its links, or said that nothing had been done."""
    monkeypatch.setattr(states, "REDRAW_EVERY_S", 0.0)
    monkeypatch.setattr(states, "STATUS_EVERY_S", 0.0)
    impatient = replace(context, patient_slack=context.slack)
    store, channel = context.store, replies_slack.workspace.channel("atencion")
    workspace = replies_slack.workspace
    workspace.join(workspace.channel("reclamos"), workspace.user("beto"))
    ids = []
    for place in (CHANNEL, OTHER):
        ts = str(workspace.post_as_person(workspace.user("ana"), workspace.channel(place), "la app no abre")["ts"])
        message = Message(channel=place, ts=ts, user="U0SIMUANA", text="la app no abre", source=Source.CHANNEL)
        ids.append(store.messages.save(message)[0])
    run_id, _ = store.runs.open("U0SIMUANA", channel=CHANNEL)
    owner = owner_name()
    store.runs.start(run_id, owner)
    assert [add_version(store, trained_version, made_by) for made_by in (None, run_id)] == [1, 2]
    store.runs.close(run_id, owner, "done", report=a_report(2, flips=tuple(ids)))
    for key in (status_key(run_id), picture_key(run_id), report_key(run_id)):
        deliver(impatient, key)
    report, status = store.outbox.get(report_key(run_id)), store.outbox.get(status_key(run_id))
    assert report is not None
    assert status is not None
    assert report.ts is not None
    assert status.ts is not None
    before = str(channel.messages[report.ts]["blocks"])
    assert "run_promote" in before
    assert "espera a que alguien decida" in channel.messages[status.ts]["text"]

    store.registry.promote(2, by="U0SIMUANA", reason="button")
    if fault:
        replies_slack.faults.fail_next("chat.getPermalink", fault)
    for key in (status_key(run_id), report_key(run_id)):
        deliver(impatient, key)
        row = store.outbox.get(key)
        assert row is not None
        assert row.state is State.SHOWN
    after = str(channel.messages[report.ts]["blocks"])
    assert "<@U0SIMUANA> la puso a responder" in after
    assert "run_promote" not in after
    assert after.count("|la app no abre>") == (fault != "internal_error")  # what Slack knows no link of has none
    assert "|…>" in after  # in another public channel: a link, and no words
    assert "desde ahora responde la versión 2" in channel.messages[status.ts]["text"]
