"""What a training's posts say: nothing that their readers may not know, nothing that was forgotten, nothing that is not so."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.outbox import public_channels, states
from bot.outbox.context import OutboxContext
from bot.outbox.executor import deliver
from bot.outbox.public_channels import PublicChannels
from bot.simulator.server import Simulator
from model.schema import Message, Prediction, Source
from model.store.database import now
from model.store.outbox_row import State, picture_key, reply_key, report_key, status_key
from model.store.predictions import NewPrediction
from model.store.runs import owner_name
from model.store.tables import messages
from tests.outbox_rows import a_report, add_version

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
def test_a_report_without_scores_comes_without_a_picture(bench: Bench) -> None:
    """Axes without a dot told nobody anything; the report waited for them."""
    comparison = a_report(2, flips=()).comparison.model_copy(update={"texts": 0, "per_label": {}})
    run_id = bench.ran(comparison=comparison)
    picture = bench.context.store.outbox.get(picture_key(run_id))
    assert picture is None or picture.ts is None
    assert bench.shown(report_key(run_id))


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


@pytest.mark.parametrize("how", ["forgotten", "deleted", "edited", "expired"])
def test_words_that_are_gone_leave_the_report_too(bench: Bench, how: str) -> None:
    """`/beto olvida` promised that the text is gone, and the report of a training still quoted it."""
    store = bench.context.store
    kept, gone = bench.said(HERE, "se queda"), bench.said(HERE, "me cobraron de más")
    run_id, other = bench.ran(kept, gone), bench.ran(kept)
    assert "me cobraron" in bench.shown(report_key(run_id))
    stored = store.messages.get(gone)
    assert stored is not None
    place = stored.message.channel, stored.message.ts
    match how:
        case "forgotten":
            store.erasure.execute(store.erasure.create_request(by="U0SIMUANA", message_id=gone))
        case "deleted":
            store.messages.delete(*place)
        case "edited":
            store.messages.edit(*place, "otra cosa", 1_900_000_000_000_000)
        case "expired":
            with store.database.writing() as connection:
                connection.execute(messages.update().where(messages.c.id == gone).values(received_at=now() - timedelta(days=99)))
            assert store.retention.expire(30, 0) == 1
    unconcerned = store.outbox.get(report_key(other))
    assert unconcerned is not None
    assert unconcerned.state is State.SHOWN
    bench.tell(run_id)
    assert "me cobraron" not in bench.shown(report_key(run_id))
    assert "se queda" in bench.shown(report_key(run_id))


def test_an_erasure_leaves_no_word_in_any_post_of_the_bot(bench: Bench) -> None:
    """Reports, replies, digests, questions: all that stands in Slack in the bot's name is looked through."""
    store, workspace = bench.context.store, bench.slack.workspace
    gone = [bench.said(HERE, f"Filomena Zurita {number}") for number in range(3)]
    for message_id in gone:
        prediction = Prediction(version=1, base="mini", scores={"app": 0.9}, labels=("app",))
        store.predictions.save([NewPrediction(message_id, 1, prediction, 0.01)])
        store.outbox.claim(reply_key(message_id), "test", 60)
        store.outbox.release(reply_key(message_id), "test", 0.0, state=State.WAITING_TURN)
    digest, _ = store.outbox.open_digest(HERE, 40, newest_first=False)
    assert digest is not None
    deliver(bench.context, digest)
    run_id = bench.ran(*gone)

    def said_by_the_bot() -> str:
        return str([message for message in workspace.channel(HERE).messages.values() if message.get("bot_id")])

    assert said_by_the_bot().count("Filomena") > 5
    store.erasure.execute(store.erasure.create_request(by="U0SIMUANA", user="U0SIMUANA"))
    for key in (digest, *map(reply_key, gone), report_key(run_id)):
        deliver(bench.context, key)
    assert "Filomena" not in said_by_the_bot()


def test_a_run_goes_on_being_told_in_a_channel_whose_id_changes(bench: Bench) -> None:
    """All buttons of status and report did nothing, and nothing more was told; also where the bot hears of it too late."""
    store, channel = bench.context.store, bench.slack.workspace.channel(HERE)
    run_id, _ = store.runs.open("U0SIMUANA", channel=HERE)
    deliver(bench.context, status_key(run_id))
    owner = owner_name()
    assert store.runs.start(run_id, owner)
    bench.slack.workspace.change_id(channel)
    deliver(bench.context, status_key(run_id))
    refused = store.outbox.get(status_key(run_id))
    assert refused is not None
    assert (refused.state, refused.reason) == (State.REFUSED, "channel_not_found")
    store.channels.rename(HERE, channel.id)
    assert store.runs.close(run_id, owner, "done", report=a_report(2))
    assert {row.key for row in store.outbox.overdue()} == {key(run_id) for key in (status_key, picture_key, report_key)}
    bench.tell(run_id)
    for key in (status_key(run_id), report_key(run_id)):
        row = store.outbox.get(key)
        assert row is not None
        assert row.ts is not None
        assert (row.channel, row.state) == (channel.id, State.SHOWN)
        shown = store.runs.shown_at(channel.id, row.ts)
        assert shown is not None
        assert shown.id == run_id
    thread = [message for message in channel.messages.values() if message.get("thread_ts") == refused.ts]
    assert sum("Veredicto" in str(message) for message in thread) == 1


@ON_SQLITE
def test_what_stands_in_slack_says_what_is_true_after_every_promotion(bench: Bench, trained_version: Path) -> None:
    """The status still said that the version is kept and does not answer, the report that it does; neither said who."""
    registry, runs, owner = bench.context.store.registry, bench.context.store.runs, owner_name()
    for number in (1, 2):
        run_id, _ = runs.open("U0SIMUANA", channel=HERE)
        assert runs.start(run_id, owner)
        assert add_version(bench.context.store, trained_version, run_id) == number
        assert runs.close(run_id, owner, "done", report=a_report(number))

    def told(run_id: int) -> tuple[str, str]:
        bench.tell(run_id)
        return bench.shown(status_key(run_id)), bench.shown(report_key(run_id))

    assert all("espera a que alguien decida" in told(run_id)[0] for run_id in (1, 2))
    registry.promote(1, by="U0SIMUANA", reason="button under run 1")
    status, report = told(1)
    assert "desde ahora responde la versión 1" in status
    assert "<@U0SIMUANA> la puso a responder" in report
    registry.promote(2, by="U0SIMULUIS", reason="/beto vuelve")
    status, report = told(1)
    assert "respondió hasta que se puso otra" in status
    assert "Ya no responde. <@U0SIMULUIS> puso otra." in report
    status, report = told(2)
    assert "desde ahora responde la versión 2" in status
    assert "Volver a la versión 1" in report
    assert "<@U0SIMULUIS> la puso a responder" in report
