"""How `sqlite.sql` and `postgresql.sql` beside this file were made: by the code of version 0.1, commit 532ec3a.

    git worktree add /tmp/home_0_1 532ec3a && cd /tmp/home_0_1 && python -m venv .venv && .venv/bin/pip install -e '.[model,dev]'
    .venv/bin/python THIS_FILE FOLDER_FOR_THE_DUMPS

Every row is written by 0.1's own methods, but for what a process of it leaves when it dies in the middle, and for the clock of
what it did long ago. `messages` below says what each message is there for; tests/store/test_home_0_1.py says what has to come
of it. It imports modules that are no longer there, so nothing else imports it.
"""
# mypy: ignore-errors
# ruff: noqa

import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from bot.bench.postgres import new_database, postgres_programs, running_postgres
from model.database import now
from model.forgetting import Forgetting
from model.gestures import Gestures
from model.judgements import Gesture, Kind
from model.labelbook import LabelBook
from model.labels import LabelEvent, seed_taxonomy
from model.registry import Registry
from model.replies import PENDING, Replies
from model.runs import Runs, owner_name
from model.schema import (
    Card,
    Comparison,
    Example,
    Flip,
    Interval,
    LabelChange,
    LabelScores,
    Message,
    Prediction,
    Progress,
    Reason,
    Report,
    Scores,
    Source,
    Verdict,
)
from model.store import Labelled, Store

TEAM, CHANNEL, OTHER = "T0SIMULADOR", "C0SIMUATENCION", "C0SIMUFRAUDES"
NAMES = seed_taxonomy().names
ANA, LUIS, MARIA = "U0SIMUANA", "U0SIMULUIS", "U0SIMUMARIA"


def fill(url, home):
    store = Store(url)
    store.migrate()
    replies, gestures, runs, forgetting = Replies(store), Gestures(store), Runs(store), Forgetting(store)
    registry = Registry(store, home)
    store.belongs_to(TEAM)

    def said(number, channel=CHANNEL, **more):
        values = {"team": TEAM, "channel": channel, "ts": ts(number), "user": ANA, "text": f"perdí la tarjeta {number}"}
        return store.save_message(Message(**values | {"source": Source.CHANNEL} | more))[0]

    def predicted(message_id, labels=("tarjeta",), version=1, revision=1):
        scores = {name: 0.9 if name in labels else 0.1 for name in NAMES}
        prediction = Prediction(version=version, base="mini", scores=scores, labels=labels)
        store.save_predictions([Labelled(message_id, revision, prediction, 0.01)])
        return message_id

    def shown(message_id, reply_ts, **more):
        claim = replies.claim(message_id, "0.1", 60)
        replies.record(message_id, "0.1", state=claim.message.state, reply_ts=reply_ts, before=claim.reply_ts, **more)
        return message_id

    def judged(number, user, kind, labels=(), note=None, item=None, at=1_795_000_000_000_000):
        gesture = Gesture(user=user, handle=f"{user}{number}", at=at + number, kind=kind, labels=labels)
        gestures.add(gesture, team=TEAM, channel=CHANNEL, item_ts=item or ts(number), note=note)

    # Messages
    shown(predicted(said(1)), reply(1))  # answered
    said(2)  # not predicted yet
    predicted(said(3))  # predicted, not answered
    predicted(said(4))  # being posted: its process has died, and the post may stand there
    replies.claim(4, "died", 0)
    predicted(said(5))
    for each in (6, 7, 8):  # answered together
        predicted(said(each))
        claim = replies.claim(each, "0.1", 60)
        replies.note_digest([each], PENDING)
        replies.record(each, "0.1", state=claim.message.state, reply_ts=None, digest_ts=ts(8, part=900))
    judged(8, LUIS, Kind.NONE)  # and then corrected: it wants a reply of its own
    for each in (9, 10):  # being answered together: the process has died, and the post may stand there
        predicted(said(each))
        replies.claim(each, "died", 0)
    replies.note_digest([9, 10], PENDING)
    shown(predicted(said(11)), reply(11))  # deleted, and its reply with it
    store.delete_message(TEAM, CHANNEL, ts(11))
    shown(11, None)
    shown(predicted(said(12)), reply(12))  # deleted; its reply stands there
    store.delete_message(TEAM, CHANNEL, ts(12))
    store.delete_message(TEAM, CHANNEL, ts(13), may_overtake=True)  # gone before it came
    assert store.find_message(TEAM, CHANNEL, ts(13)).id == 13
    command = {"source": Source.COMMAND, "response_url": "https://hooks.slack.com/commands/T0/1/x"}
    shown(predicted(said(14, ts="command-0e", **command)), None)  # answered
    predicted(said(15, ts="command-0f", **command))  # not answered
    shown(predicted(said(16)), reply(16))  # edited, and not predicted again
    store.edit_message(TEAM, CHANNEL, ts(16), "otra cosa", 1_795_000_000_000_000)
    shown(predicted(said(17, blind=True)), reply(17))
    shown(predicted(said(18)), reply(18))  # in dispute, and the thread was asked
    judged(18, LUIS, Kind.LABEL, ("app",))
    judged(18, MARIA, Kind.NONE)
    shown(18, reply(18), asked=["app"])
    shown(predicted(said(19)), None)  # refused for good: recorded as answered
    said(20)  # kept long enough, never predicted
    with store.writing() as connection:
        connection.execute(text("update messages set received_at = :then where id = 20"), {"then": now() - timedelta(days=99)})
    forgetting.expire(90, 0)
    shown(predicted(said(21, OTHER)), reply(21))  # in another channel, and judged on the reply
    gesture = Gesture(user=LUIS, handle="r/21", at=1_795_000_000_000_021, kind=Kind.LABEL, labels=("fraude",))
    gestures.add(gesture, team=TEAM, channel=OTHER, item_ts=reply(21), note="visto con el equipo")
    shown(21, reply(21))
    judged(1, LUIS, Kind.CORRECT)
    shown(1, reply(1))
    for user, may, expert in ((ANA, True, True), (LUIS, True, False), (MARIA, False, False)):
        gestures.note_person(TEAM, user, may_judge=may, expert=expert)

    # What else is kept
    store.set_channel_mode(TEAM, CHANNEL, "auto")
    store.set_seeds(TEAM, OTHER, True)
    store.save_examples([("0" * 64, Example(text="texto importado", labels=("app",), unknown=("fraude",)))])
    store.save_sides({"0" * 64: "train", "1" * 64: "test"})
    app = next(label for label in seed_taxonomy() if label.name == "app")
    LabelBook(store).record(
        LabelEvent(kind="change", name="app", label=app.model_copy(update={"title": "Aplicación"}), at=1, by=ANA)
    )
    forgetting.ask(TEAM, by=LUIS, message_id=19)
    forgetting.set_retention(TEAM, days=365)

    # Runs and versions
    def version(run_id):
        built = registry.workshop(run_id) / "version"
        built.mkdir()
        return registry.add(built, card(), run_id=run_id).number

    def finished(channel, status_ts, report_ts, *, told, reporting=False):
        run_id, _ = runs.open(LUIS, team=TEAM, channel=channel)
        owner = owner_name()
        runs.start(run_id, owner)
        runs.beat(run_id, owner, Progress(stage="training", step=5, steps=10, loss=0.4))
        number = version(run_id)
        forgetting.note_learnt(run_id, [Example(text="x", labels=(), id=f"{TEAM}:{CHANNEL}:{ts(1)}")])
        runs.note_version(run_id, owner, number, 100)
        runs.close(run_id, owner, "done", report=report(number))
        if status_ts:
            runs.note_status(run_id, TEAM, channel, status_ts)
        if reporting:
            runs.note_reporting(run_id)
        if told:
            runs.note_told(run_id, report_ts)
        return number

    first = finished(CHANNEL, ts(100), ts(100, part=700), told=True)
    registry.promote(first, by=LUIS, reason="better")
    finished(OTHER, ts(200), None, told=False, reporting=True)  # its report may stand there
    failed, _ = runs.open(LUIS, team=TEAM, channel=CHANNEL)
    runs.start(failed, "elsewhere/1/x")
    runs.close(failed, "elsewhere/1/x", "failed", error="no memory")
    runs.note_status(failed, TEAM, CHANNEL, ts(300))
    runs.note_told(failed, None)
    silent, _ = runs.open("beto")  # nobody is to be told of it
    runs.start(silent, "elsewhere/1/x")
    runs.close(silent, "elsewhere/1/x", "failed", error="no memory")
    going, _ = runs.open(ANA, team=TEAM, channel=CHANNEL)  # under way
    runs.start(going, "elsewhere/1/x")
    runs.note_status(going, TEAM, CHANNEL, ts(400))
    with store.writing() as connection:  # a home has no clock: whatever waits has waited for long
        connection.execute(text("update messages set retry_at = :then"), {"then": now() - timedelta(minutes=1)})
    store.close()


def ts(number, part=100):
    return f"{1_790_000_000 + number}.{part:06}"


def reply(number):
    return ts(number, part=500)


def card():
    of_label = LabelScores(precision=0.7, recall=0.7, f1=0.7, support=7)
    scores = Scores(
        texts=100, jaccard=0.7, micro_f1=0.8, macro_f1=0.7, exact_match=0.6, per_label=dict.fromkeys(NAMES, of_label), ece=0.05
    )
    return Card(
        base="mini",
        labels=NAMES,
        thresholds=dict.fromkeys(NAMES, 0.5),
        seed=7,
        settings={"epochs": 5},
        data_sha256="a" * 64,
        texts={"train": 300, "dev": 50, "test": 100},
        scores={"dev": scores, "test": scores},
        floor={"dev": scores, "test": scores},
        seconds=12.0,
        created_at="2026-11-01T10:00:00+00:00",
        code_version="532ec3a",
    )


def report(number):
    half = Interval(value=0.8, low=0.7, high=0.9)
    comparison = Comparison(
        texts=100,
        micro=half,
        macro=half,
        micro_gain=None,
        macro_gain=None,
        micro_floor=0.7,
        macro_floor=0.6,
        ece=0.05,
        ece_live=None,
        per_label={name: LabelChange(support=7, before=None, after=0.7) for name in NAMES},
    )
    return Report(
        version=number,
        live=None,
        comparison=comparison,
        verdict=Verdict(promote=True, reasons=(Reason(code="first", good=True),)),
        promoted=number == 1,
        texts={"train": 300, "dev": 50, "test": 100},
        corrections=3,
        judges=(LUIS, ANA),
        flips=(
            Flip(message_id=1, before=("tarjeta",), after=("tarjeta", "app")),
            Flip(message_id=21, before=(), after=("fraude",)),
        ),
    )


def main(out):
    with TemporaryDirectory() as folder:
        home = Path(folder)
        fill(f"sqlite:///{home / 'beto.db'}", home / "sqlite")
        with sqlite3.connect(home / "beto.db") as connection:
            (out / "sqlite.sql").write_text("\n".join(connection.iterdump()) + "\n", encoding="utf-8")
        with running_postgres(postgres_programs(), durable=False) as server:
            fill(new_database(server, "home"), home / "postgresql")
            command = ["pg_dump", "--inserts", "--no-owner", "--no-privileges", f"{server}/home"]
            dumped = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line for line in dumped.splitlines() if line and not line.startswith(("--", "\\"))]
    (out / "postgresql.sql").write_text("\n".join(lines) + "\n", encoding="utf-8")


main(Path(sys.argv[1]))
