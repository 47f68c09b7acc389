"""What people see of each fault of Slack's, call by call; `pytest -s tests/outbox/test_fault_matrix.py` prints the two tables."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from bot.forms import Forms
from bot.outbox import reports, states
from bot.outbox.context import OutboxContext
from bot.outbox.executor import deliver
from bot.outbox.judges import Judges
from bot.simulator.errors import Json
from bot.simulator.person import Person
from bot.simulator.server import Simulator
from model.judgements import Gesture, Kind
from model.schema import Message, Prediction, Source
from model.store.outbox_row import SETTLED, State, greeting_key, picture_key, question_key, reply_key, report_key, status_key
from model.store.predictions import NewPrediction
from model.store.runs import owner_name
from tests.outbox_rows import a_report
from tests.town import Town, running_town, wait_until

TEAM, CHANNEL = "T0SIMULADOR", "C0SIMUATENCION"
PASSING: tuple[int | str, ...] = ("ratelimited", 500, 503, "not_json", "reset", "answer_lost", "internal_error", "token_revoked")
FAULTS = (*PASSING, "is_archived")
# Slack will never take these calls: there is nothing to wait for.
FINAL = {"is_archived"}
ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)

Posts = list[dict[str, Any]]
Arm = Callable[[], None]


class Bench:
    """One thing to be said after another, each of which meets a fault."""

    def __init__(self, simulator: Simulator, context: OutboxContext) -> None:
        self.simulator = simulator
        self.context = context
        self.store = context.store
        self.channel = simulator.workspace.channel("atencion")

    def said(self) -> tuple[str, int]:
        """A message of Ana's that was predicted."""
        ana = self.simulator.workspace.user("ana")
        ts = str(self.simulator.workspace.post_as_person(ana, self.channel, "perdí la tarjeta")["ts"])
        message = Message(channel=CHANNEL, ts=ts, user="U0SIMUANA", text="perdí la tarjeta", source=Source.CHANNEL)
        message_id, _ = self.store.messages.save(message)
        prediction = Prediction(version=1, base="mini", scores={"tarjeta": 0.9, "app": 0.2}, labels=("tarjeta",))
        self.store.predictions.save([NewPrediction(message_id, 1, prediction, 0.01)])
        return ts, message_id

    def judged(self, ts: str, user: str, kind: Kind = Kind.NONE, **more: Any) -> None:
        """Somebody said something of it."""
        gesture = Gesture(user=user, handle=f"{user}{ts}", at=1_900_000_000_000_000, kind=kind, **more)
        self.store.gestures.add(gesture, channel=CHANNEL, item_ts=ts)

    def step(self, key: str) -> None:
        """As a task would that comes now."""
        self.context.locks.unlock(f"line/{CHANNEL}")
        deliver(self.context, key)

    def settle(self, *keys: str, until: Callable[[], bool] | None = None) -> None:
        """Nothing is due any more: the tasks were run that a queue would have brought."""
        deadline = time.monotonic() + 20
        for key in keys:
            while not (until or (lambda key=key: self.store.outbox.get(key).state in SETTLED))():
                assert time.monotonic() < deadline, f"{key} is never settled: {self.store.outbox.get(key)}"
                self.step(key)

    def reply(self, message_id: int) -> None:
        self.settle(reply_key(message_id))

    def replies_to(self, ts: str) -> Posts:
        return [each for each in self.channel.messages.values() if each.get("bot_id") and each.get("thread_ts") == ts]

    def named(self, event_type: str, value: str) -> Posts:
        """Posts that carry this metadata."""
        found = [ts for ts, each in self.channel.metadata.items() if each.get("event_type") == event_type]
        payloads = {ts: self.channel.metadata[ts]["event_payload"] for ts in found if ts in self.channel.messages}
        return [self.channel.messages[ts] for ts, payload in payloads.items() if value in payload.values()]

    def pictures(self, thread_ts: str) -> Posts:
        return [each for each in self.replies_to(thread_ts) if each.get("files")]

    def answers(self, ts: str) -> Posts:
        """The replies to a message, and the digests that name it."""
        link = f"/p{ts.replace('.', '')}"
        in_channel = [each for each in self.channel.messages.values() if each.get("bot_id") and not each.get("thread_ts")]
        return [*self.replies_to(ts), *(each for each in in_channel if link in str(each.get("blocks")))]

    def open_run(self) -> int:
        run_id, new = self.store.runs.open("U0SIMUANA", channel=CHANNEL)
        assert new
        return run_id

    def end(self, run_id: int) -> None:
        """The run has made a version."""
        owner = owner_name()
        assert self.store.runs.start(run_id, owner)
        assert self.store.runs.close(run_id, owner, "done", report=a_report(run_id, flips=(1,)))

    def told(self, run_id: int, *, but: str = "") -> str:
        """All of the run is told, but for this row; the ts of its status message."""
        for key in (status_key(run_id), picture_key(run_id), report_key(run_id)):
            if key != but:
                self.settle(key)
            else:
                break
        status = self.store.outbox.get(status_key(run_id))
        assert status is not None
        return status.ts or ""


def first_reply(bench: Bench, arm: Arm) -> Posts:
    ts, message_id = bench.said()
    arm()
    bench.reply(message_id)
    return bench.replies_to(ts)


def look_for_a_dead_ones(bench: Bench, arm: Arm) -> Posts:
    ts, message_id = bench.said()
    bench.simulator.faults.fail_next("chat.postMessage", "answer_lost")
    bench.step(reply_key(message_id))
    arm()
    bench.reply(message_id)
    return bench.replies_to(ts)


def redrawn(user: str) -> Callable[[Bench, Arm], Posts]:
    def correct(bench: Bench, arm: Arm) -> Posts:
        ts, message_id = bench.said()
        bench.reply(message_id)
        bench.judged(ts, user)
        arm()
        bench.reply(message_id)
        return bench.replies_to(ts)

    return correct


def expert(bench: Bench, arm: Arm) -> Posts:
    context = bench.context
    judges = Judges(context.slack, context.store.people, context.settings, TEAM)  # who asks every five minutes only
    return redrawn("U0SIMULUIS")(Bench(bench.simulator, replace(context, judges=judges)), arm)


def deleted(bench: Bench, arm: Arm) -> Posts:
    ts, message_id = bench.said()
    bench.reply(message_id)
    bench.simulator.workspace.delete(bench.channel, ts, "U0SIMUANA")
    bench.store.messages.delete(CHANNEL, ts)
    arm()
    bench.reply(message_id)
    return bench.replies_to(ts)


def question(bench: Bench, arm: Arm) -> Posts:
    ts, message_id = bench.said()
    bench.judged(ts, "U0SIMULUIS", Kind.LABEL, labels=("app",))
    bench.judged(ts, "U0SIMUMARIA")
    bench.reply(message_id)
    arm()
    bench.settle(question_key(message_id, "app"))
    return bench.named("beto_question", f"{TEAM}:{CHANNEL}:{ts}:app")


def digest(bench: Bench) -> tuple[str, str, str]:
    """A message that is to be answered together with another: its ts, its reply's key and the digest's."""
    said = [bench.said() for _ in range(2)]
    for _, message_id in said:
        bench.context.locks.lock(f"line/{CHANNEL}", 60)
        deliver(bench.context, reply_key(message_id))
    key, alone = bench.store.outbox.open_digest(CHANNEL, 40, newest_first=False)
    assert key is not None
    assert alone == []
    return said[0][0], reply_key(said[0][1]), key


def first_digest(bench: Bench, arm: Arm) -> Posts:
    ts, reply, key = digest(bench)
    arm()
    bench.settle(key, reply)
    return bench.answers(ts)


def look_for_a_dead_digest(bench: Bench, arm: Arm) -> Posts:
    ts, reply, key = digest(bench)
    bench.simulator.faults.fail_next("chat.postMessage", "answer_lost")
    bench.step(key)
    arm()
    bench.settle(key, reply)
    return bench.answers(ts)


def digest_redrawn(bench: Bench, arm: Arm) -> Posts:
    ts, reply, key = digest(bench)
    bench.settle(key)
    bench.judged(ts, "U0SIMULUIS")
    bench.settle(reply)
    arm()
    bench.settle(key)
    return bench.answers(ts)


def announcement(bench: Bench, arm: Arm) -> Posts:
    key = greeting_key(CHANNEL, f"{time.time():.6f}")
    assert bench.store.outbox.announce(key, CHANNEL, "greeting.invited")
    arm()
    bench.settle(key)
    return bench.named("beto_announcement", key)


def status(bench: Bench, arm: Arm) -> Posts:
    run_id, key = bench.open_run(), ""
    key = status_key(run_id)
    arm()
    bench.settle(key, until=lambda: (row := bench.store.outbox.get(key)).ts is not None or row.state is State.REFUSED)
    assert bench.store.runs.cancel(run_id, "U0SIMUANA")
    bench.settle(key)
    return bench.named("beto_run", str(run_id))


def status_redrawn(bench: Bench, arm: Arm) -> Posts:
    run_id = bench.open_run()
    bench.step(status_key(run_id))
    assert bench.store.runs.cancel(run_id, "U0SIMUANA")
    arm()
    bench.settle(status_key(run_id))
    return bench.named("beto_run", str(run_id))


def chart(bench: Bench, arm: Arm) -> Posts:
    run_id = bench.open_run()
    bench.end(run_id)
    bench.told(run_id, but=picture_key(run_id))
    arm()
    bench.told(run_id)
    assert len(bench.named("beto_report", str(run_id))) == 1  # whatever became of the chart
    return bench.named("beto_picture", str(run_id))


def picture(bench: Bench, arm: Arm) -> Posts:
    classic(bench.context)
    run_id = bench.open_run()
    bench.end(run_id)
    thread = bench.told(run_id, but=picture_key(run_id))
    arm()
    bench.told(run_id)
    assert len(bench.named("beto_report", str(run_id))) == 1  # whatever became of the picture
    return bench.pictures(thread)


def report(bench: Bench, arm: Arm) -> Posts:
    run_id = bench.open_run()
    bench.end(run_id)
    bench.told(run_id, but=report_key(run_id))
    arm()
    bench.told(run_id)
    return bench.named("beto_report", str(run_id))


def report_redrawn(bench: Bench, arm: Arm) -> Posts:
    run_id = bench.open_run()
    bench.end(run_id)
    bench.told(run_id)
    bench.store.runs.decide(run_id, "kept", "U0SIMUANA")
    bench.told(run_id, but=report_key(run_id))  # the status message says it too, by the same method
    arm()
    bench.told(run_id)
    return bench.named("beto_report", str(run_id))


Scene = Callable[[Bench, Arm], Posts]
# (method, what happens, how many posts stand there in the end, what they say in the end)
SCENES: tuple[tuple[str, Scene, int, str], ...] = (
    ("chat.postMessage", first_reply, 1, "Tarjeta"),
    ("conversations.replies", look_for_a_dead_ones, 1, "Tarjeta"),
    ("chat.update", redrawn("U0SIMULUIS"), 1, "Ninguna etiqueta"),
    ("users.info", redrawn("U0SIMUMARIA"), 1, "Ninguna etiqueta"),
    ("usergroups.users.list", expert, 1, "Ninguna etiqueta"),
    ("chat.postEphemeral", redrawn("U0SIMUCARLOS"), 1, "Tarjeta"),
    ("chat.delete", deleted, 0, ""),
    ("chat.postMessage", question, 1, "App"),
    ("chat.postMessage", first_digest, 1, "Tarjeta"),
    ("conversations.history", look_for_a_dead_digest, 1, "Tarjeta"),
    ("chat.update", digest_redrawn, 1, "Ninguna etiqueta"),
    ("chat.postMessage", announcement, 1, "beto"),
    ("chat.postMessage", status, 1, "lo canceló"),
    ("chat.update", status_redrawn, 1, "lo canceló"),
    ("chat.postMessage", chart, 1, "data_visualization"),
    ("files.getUploadURLExternal", picture, 1, "png"),
    ("files.completeUploadExternal", picture, 1, "png"),
    ("chat.postMessage", report, 1, "Veredicto"),
    ("chat.getPermalink", report, 1, "Veredicto"),
    ("chat.update", report_redrawn, 1, "decidió dejar"),
)
# Where Slack never takes a call: how many posts stand there in the end, and whether they say what they should.
NEVER_TAKEN: dict[tuple[str, str], tuple[int, bool]] = {
    ("first_reply", "chat.postMessage"): (0, True),
    ("look_for_a_dead_ones", "conversations.replies"): (1, True),  # the dead one's: nobody can look, so nobody posts a second
    ("correct", "chat.update"): (1, False),
    ("correct", "users.info"): (1, True),  # no channel's refusal: it is asked again, and the reply changes after all
    ("expert", "usergroups.users.list"): (1, True),
    ("deleted", "chat.delete"): (1, True),
    ("question", "chat.postMessage"): (0, True),
    ("first_digest", "chat.postMessage"): (1, True),  # each of its messages is answered by itself
    ("look_for_a_dead_digest", "conversations.history"): (1, True),
    ("digest_redrawn", "chat.update"): (2, False),  # it goes on naming the message beside its own reply
    ("announcement", "chat.postMessage"): (0, True),
    ("status", "chat.postMessage"): (0, True),
    ("status_redrawn", "chat.update"): (1, False),
    ("chart", "chat.postMessage"): (0, True),
    ("picture", "files.getUploadURLExternal"): (0, True),
    ("picture", "files.completeUploadExternal"): (0, True),
    ("report", "chat.postMessage"): (0, True),
    ("report_redrawn", "chat.update"): (1, False),
}
# Without these calls the rest is as good: nobody may notice that they failed.
EXTRAS = {"chat.postEphemeral", "chat.getPermalink"}


@ON_SQLITE
@pytest.mark.parametrize(("method", "scene", "wanted", "words"), SCENES, ids=[f"{each[1].__name__}-{each[0]}" for each in SCENES])
def test_each_fault_of_each_call_costs_time_and_neither_an_answer_nor_a_second_one(
    method: str,
    scene: Scene,
    wanted: int,
    words: str,
    context: OutboxContext,
    replies_slack: Simulator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """People see an answer later, never two, and never a wrong one."""
    for module, name in ((states, "AGAIN_S"), (reports, "AGAIN_S"), (states, "REDRAW_EVERY_S"), (states, "STATUS_EVERY_S")):
        monkeypatch.setattr(module, name, 0.05 if name == "AGAIN_S" else 0.0)
    bench = Bench(replies_slack, context)
    bench.reply(bench.said()[1])  # one that reports can name
    cells = []
    for fault in FAULTS:
        wait_until(lambda: context.limiter.take(method) == 0.0, 5, "Slack may be asked again")
        began = time.monotonic()
        with context.store.database.writing() as connection:  # whoever judged is asked about anew
            connection.execute(text("delete from people"))
        found = scene(bench, lambda fault=fault: replies_slack.faults.fail_next(method, fault, retry_after_s=1))
        later = time.monotonic() - began
        right = all(words in str(each) for each in found)
        if fault in FINAL and method not in EXTRAS:
            assert (len(found), right) == NEVER_TAKEN[scene.__name__, method], (fault, found)
        else:
            assert (len(found), right) == (wanted, True), (fault, found)
        assert replies_slack.faults.waiting()["calls"] == {}, f"{method} was never called"
        if method == "chat.delete":
            seen = "gone" if not found else "stays"
        else:
            seen = "nothing" if not found else "one, right" if right else "as it was"
        cells.append(seen + (", when Slack allows" if fault == "ratelimited" and later > 0.9 else ""))
    print("\n| call | " + " | ".join(map(str, FAULTS)) + " |")
    print(f"| {method} ({scene.__name__}) | " + " | ".join(cells) + " |")


@contextmanager
def answering(answer: int | None) -> Iterator[str]:
    """The address of a proxy that answers every upload with its page and this status; None: it hangs up."""

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if answer is not None:
                self.send_response(answer)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"<html><body>Acceso denegado</body></html>")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@ON_SQLITE
@pytest.mark.parametrize("how", ["blocked", 200, 403, 502, None])
def test_a_picture_that_cannot_be_uploaded_keeps_no_report_away(
    context: OutboxContext, replies_slack: Simulator, monkeypatch: pytest.MonkeyPatch, how: int | str | None
) -> None:
    """files.slack.com is another host than slack.com, and blocked by many a firewall: the words matter more."""
    if isinstance(how, str):
        upload_by(replies_slack, context, "http://127.0.0.1:9", monkeypatch)
    else:
        with answering(how) as address:
            upload_by(replies_slack, context, address, monkeypatch)


def classic(context: OutboxContext) -> None:
    """This workspace takes none of Slack's newer blocks."""
    context.slack.forms = context.patient_slack.forms = Forms(context.locks, "classic")


def upload_by(replies_slack: Simulator, context: OutboxContext, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run is told where uploads go to this address."""
    classic(context)
    monkeypatch.setattr(states, "AGAIN_S", 0.05)
    monkeypatch.setattr(reports, "AGAIN_S", 0.05)
    monkeypatch.setattr(replies_slack._uploads, "_app_base", lambda: address)
    bench = Bench(replies_slack, context)
    run_id = bench.open_run()
    bench.end(run_id)
    thread = bench.told(run_id)
    row = context.store.outbox.get(picture_key(run_id))
    assert row is not None
    assert (row.state, row.content["uploads"], row.retry_at) == (State.REFUSED, states.MOST_UPLOADS, None)
    assert bench.pictures(thread) == []
    assert len(bench.named("beto_report", str(run_id))) == 1


# What somebody asks for, which Slack never asks a second time for them.


@pytest.fixture(scope="module")
def quiet_town(tmp_path_factory: pytest.TempPathFactory, trained_version: Path) -> Iterator[Town]:
    """Everything runs, over Socket Mode with SQLite."""
    home = tmp_path_factory.mktemp("faults")
    with running_town(home, f"sqlite:///{home / 'beto.db'}", trained_version, http=False) as made:
        made.store.channels.set_mode(CHANNEL, "auto")
        yield made


@pytest.fixture
async def asker(quiet_town: Town) -> AsyncIterator[Person]:
    async with Person(quiet_town.url, "ana") as person:
        await person.invite("atencion", quiet_town.slack.workspace.bot_user_id)
        yield person


def tells(words: str) -> Callable[[Json], bool]:
    """A change in which these words come before this person's eyes."""
    return lambda change: words in str(change)


def opens(change: Json) -> bool:
    """A modal stands there and can be sent."""
    return change["type"] == "view" and bool(change["view"].get("submit"))


# Method -> (what the person does, what they wanted to see)
ASKED: dict[str, tuple[Callable[[Person, str, str], Awaitable[object]], Callable[[Json], bool]]] = {
    "views.open": (lambda ana, _, reply: ana.action("labels_feedback", channel=CHANNEL, ts=reply, value="wrong"), opens),
    "views.update": (lambda ana, _, reply: ana.action("labels_feedback", channel=CHANNEL, ts=reply, value="wrong"), opens),
    "users.info": (lambda ana, *_: ana.command(CHANNEL, "/beto", "vuelve 99"), tells("No hay una versión 99")),
    "conversations.info": (lambda ana, *_: ana.command(CHANNEL, "/beto", "watch"), tells("Ya etiquetaba cada mensaje")),
    "chat.getPermalink": (lambda ana, ts, _: ana.shortcut(CHANNEL, ts, "classify_message"), tells("ya tiene sus etiquetas")),
    "chat.postEphemeral": (lambda ana, ts, _: ana.shortcut(CHANNEL, ts, "label_history"), tells("mini")),
    "views.publish": (lambda ana, *_: ana.home(), tells("etiquetas a los mensajes de tu equipo")),
}


async def test_each_fault_of_what_somebody_asked_for_is_made_good_or_told(quiet_town: Town, asker: Person) -> None:
    """Who clicked and sees nothing at all clicks again, and then asks whether the bot is dead."""
    ts = await asker.message(CHANNEL, "perdí la tarjeta")
    reply = (await asker.wait_for_reply(CHANNEL, ts, 30))["ts"]
    rows = ["| call | " + " | ".join(map(str, PASSING)) + " |", "| --- " * (len(PASSING) + 1) + "|"]
    for method, (act, wanted) in ASKED.items():
        cells = []
        for fault in PASSING:
            quiet_town.slack.faults.fail_next(method, fault, retry_after_s=1)
            quiet_town.slack.apps[0].views._homes.clear()  # else the tab that stands there already would be seen
            changes = asker.changes()
            await act(asker, ts, reply)
            seen = "nothing"
            with suppress(TimeoutError):
                async with asyncio.timeout(15):
                    async for change in changes:
                        # Before it has met the fault, all that is seen is what the one before it has left.
                        if quiet_town.slack.faults.waiting()["calls"]:
                            continue
                        if wanted(change) or "No he podido hacerlo" in str(change):
                            seen = "as asked" if wanted(change) else "told to try again"
                            break
            changes.close()
            assert seen != "nothing", (method, fault)
            cells.append(seen)
        rows.append(f"| {method} | " + " | ".join(cells) + " |")
    print("\n" + "\n".join(rows))
