"""What a training's posts say: nothing that their readers may not know, nothing that was forgotten, nothing that is not so."""

from dataclasses import dataclass
from typing import Any

import pytest

from bot.outbox import public_channels, states
from bot.outbox.context import OutboxContext
from bot.outbox.executor import deliver
from bot.outbox.public_channels import PublicChannels
from bot.simulator.server import Simulator
from model.schema import Message, Source
from model.store.outbox import picture_key, report_key, status_key
from model.store.runs import owner_name
from tests.outbox_rows import a_report

HERE, PUBLIC, PRIVATE = "C0SIMUATENCION", "C0SIMURECLAMOS", "C0SIMUFRAUDES"
ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)


@dataclass
class Bench:
    """A replies process and the channels of its Slack."""

    context: OutboxContext
    slack: Simulator

    def said(self, channel: str, text: str, **more: Any) -> int:
        """Ana has said this; its id."""
        workspace = self.slack.workspace
        ts = str(workspace.post_as_person(workspace.user("ana"), workspace.channel(channel), text)["ts"])
        message = Message(channel=channel, ts=ts, user="U0SIMUANA", text=text, source=Source.CHANNEL, **more)
        return self.context.store.messages.save(message)[0]

    def ran(self, *flips: int, **changes: Any) -> int:
        """A run has ended with a report on these messages; its id."""
        runs, owner = self.context.store.runs, owner_name()
        run_id, _ = runs.open("U0SIMUANA", channel=HERE)
        assert runs.start(run_id, owner)
        assert runs.close(run_id, owner, "done", report=a_report(2, flips=flips).model_copy(update=changes))
        self.tell(run_id)
        return run_id

    def tell(self, run_id: int) -> None:
        """All that is due of the run is shown."""
        for key in (status_key(run_id), picture_key(run_id), report_key(run_id)):
            deliver(self.context, key)

    def shown(self, key: str) -> str:
        """All that the post of this row says."""
        row = self.context.store.outbox.get(key)
        assert row is not None
        assert row.ts is not None
        message = self.slack.workspace.channel(row.channel).messages[row.ts]
        return f"{message['text']} {message['blocks']}"


@pytest.fixture
def bench(context: OutboxContext, replies_slack: Simulator, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(states, "REDRAW_EVERY_S", 0.0)
    monkeypatch.setattr(states, "STATUS_EVERY_S", 0.0)
    workspace = replies_slack.workspace
    for channel in (PUBLIC, PRIVATE):
        workspace.join(workspace.channel(channel), workspace.user("beto"))
    return Bench(context, replies_slack)


@ON_SQLITE
def test_a_report_tells_only_of_its_own_channel_and_of_public_ones(bench: Bench) -> None:
    """Whoever read the report of #atencion learnt the labels of the private #fraudes, and had links to its messages."""
    ids = [bench.said(HERE, "aquí"), bench.said(PUBLIC, "público"), bench.said(PRIVATE, "secreto"), bench.said(PRIVATE, "otro")]
    shown = bench.shown(report_key(bench.ran(*ids)))
    assert "|aquí>" in shown
    assert f"archives/{PUBLIC}/" in shown
    assert "público" not in shown  # a guest here does not read every public channel
    assert PRIVATE not in shown
    assert "secreto" not in shown
    assert shown.count("→") == 2
    assert "y 2 más en canales privados" in shown


@ON_SQLITE
def test_what_is_said_of_private_channels_alone_is_a_number(bench: Bench) -> None:
    """`And 1 more` after nothing would be a riddle."""
    shown = bench.shown(report_key(bench.ran(bench.said(PRIVATE, "secreto"))))
    assert "• 1 en un canal privado" in shown
    assert "→" not in shown


@ON_SQLITE
@pytest.mark.parametrize("fault", ["channel_not_found", "ratelimited", 503, "reset"])
def test_a_channel_that_slack_tells_nothing_of_is_private(bench: Bench, fault: int | str) -> None:
    """Nobody can see from an id who may read."""
    bench.slack.faults.fail_next("conversations.info", fault, retry_after_s=60)
    shown = bench.shown(report_key(bench.ran(bench.said(PUBLIC, "público"))))
    assert PUBLIC not in shown
    assert "• 1 en un canal privado" in shown


@ON_SQLITE
def test_a_blind_messages_labels_are_not_told_in_a_report(bench: Bench) -> None:
    """They are hidden until somebody has said their own, and the report told what the bot thinks."""
    assert "→" not in bench.shown(report_key(bench.ran(bench.said(HERE, "a ciegas", blind=True))))


@ON_SQLITE
def test_whether_a_channel_is_public_is_asked_once_a_minute(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten messages of a channel in a report are one call, and a channel that is made private is so a minute later."""
    channels = PublicChannels(bench.context.slack)
    assert channels.has(PUBLIC)
    assert not channels.has(PRIVATE)
    workspace = bench.slack.workspace
    assert not channels.has(workspace.direct_channel(workspace.user("ana"), workspace.user("beto")).id)
    workspace.channel(PUBLIC).kind = "group"
    assert channels.has(PUBLIC)
    monkeypatch.setattr(public_channels, "KNOWN_FOR_S", -1.0)  # the minute is over
    assert not channels.has(PUBLIC)
