"""What the store costs as it fills: a message, a correction, commands, screens, a snapshot, at 10^3 ... 10^6 stored messages."""

import itertools
import json
import random
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Table, func, select, text

from bot.slack.listeners.figures import drift_of_live, proposal_of
from model.judgements import Gesture, Kind
from model.labels import seed_taxonomy
from model.learning.dataset import seed_messages
from model.learning.near_duplicates import first_near_duplicates
from model.learning.retraining import judged_examples, snapshot
from model.schema import Message, Prediction, Source
from model.store.outbox_row import reply_key
from model.store.predictions import NewPrediction
from model.store.standing import Standing, microseconds
from model.store.standings import Span
from model.store.store import Store
from model.store.tables import gestures, messages, predictions, standing_labels, standings
from model.store.tables import outbox as outbox_table
from tests.bench.machine import machine_facts
from tests.postgres import new_database, postgres_programs, running_postgres

TEAM, CHANNELS, PEOPLE = "T0GROWTH", tuple(f"C{number:02}" for number in range(20)), 200
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
# One message in ten is judged, by one gesture; one in fifty was a `/beto clasifica`; one in a thousand was asked about blind.
JUDGED, COMMAND, BLIND = 10, 50, 1000
# So many judged messages are there before the others are added: a snapshot of the same, among more and more stored.
FEW = 100
SMALLEST = 1000
# SQLite's own default, and what it has while it is filled.
SQLITE_CACHE_KB, FILL_CACHE_KB = 2_000, 1_000_000
NAMES = tuple(label.name for label in seed_taxonomy())
# A screen is made so often, and tells of so many days before the newest message. In a step it tells of two minutes.
SCREENS, WEEK, MINUTES = 5, timedelta(days=7), timedelta(minutes=2)

Step = tuple[str, Callable[[], Any]]


def measure(*, messages: int, repeats: int, databases: Sequence[str], texts: int) -> dict[str, Any]:
    """Return the milliseconds of each step of the store at 10^3, 10^4 ... `messages` stored, on each database; sizes and memory.

    A tenth of the messages is judged. Each step is one transaction, durable: SQLite with synchronous=full, PostgreSQL with
    fsync. Medians and 99th percentiles of `repeats`; the sizes take turns, so that what else the machine does meanwhile is
    shared by all. The snapshot of 100 judged messages among all that are stored must not grow; that of all judged messages
    grows with them and is given per judged message. Near-duplicates are looked for among `texts` drawn word by word from the
    shipped messages.
    """
    sizes = [size for size in (SMALLEST * 10**power for power in range(10)) if size < messages] + [messages]
    result: dict[str, Any] = {"bench": "growth", "seed": 0, **machine_facts(), "sizes": sizes, "repeats": repeats}
    for name in databases:
        with _urls(name, sizes) as urls:
            if urls is None:
                click.echo("PostgreSQL is not installed: not measured", err=True)
                continue
            stores = [_Filled(url, size) for url, size in zip(urls, sizes, strict=True)]
            chance = random.Random(0)
            for turn in range(1, 1 + repeats):
                for each in stores:
                    each.take_steps(each.size + turn, chance.randrange(1, each.size + 1))
            result[name] = [each.result() for each in stores]
            _show(name, result[name])
    result["near_duplicates"] = _near_duplicates(texts)
    return result


@contextmanager
def _urls(name: str, sizes: Sequence[int]) -> Iterator[list[str] | None]:
    """Make a new database for each size; yield None where there is no PostgreSQL."""
    programs = postgres_programs()
    if name == "sqlite":
        with tempfile.TemporaryDirectory(prefix="beto-growth-") as home:
            yield [f"sqlite:///{home}/{size}.db" for size in sizes]
    elif programs is None:
        yield None
    else:
        with running_postgres(programs, durable=True) as server:
            yield [new_database(server, f"growth_{size}") for size in sizes]


class _Filled:
    """A store with so many messages, and what was measured in it."""

    def __init__(self, url: str, size: int) -> None:
        self.size = size
        self.taken: dict[str, list[float]] = defaultdict(list)
        self.store = Store(url, Path())
        self.store.migrate()
        began = time.perf_counter()
        judged_every = size // FEW
        fill(self.store, range(1, size + 1), judged_every=judged_every)
        self.few = _snapshot(self.store)
        judge(self.store, [n for n in range(1, size + 1) if n % JUDGED == 0 and n % judged_every])
        click.echo(f"{size} messages are stored, in {time.perf_counter() - began:.0f} s", err=True)

    def take_steps(self, number: int, known: int) -> None:
        """Take each step once more, and time it."""
        for name, step in steps(self.store, number, known):
            began = time.perf_counter()
            step()
            self.taken[name].append(time.perf_counter() - began)

    def result(self) -> dict[str, Any]:
        """Return what was measured, and close the store."""
        everything, on_disk = _snapshot(self.store), _bytes(self.store)
        self.store.close()
        return {
            "messages": self.size,
            "judgements": self.size // JUDGED,
            "steps": {
                name: {
                    "p50_ms": round(1000 * statistics.median(each), 3),
                    "p99_ms": round(1000 * sorted(each)[min(len(each) - 1, 99 * len(each) // 100)], 3),
                }
                for name, each in self.taken.items()
            },
            "screens": _screens(self.store, self.size),
            "snapshot_of_few": self.few,
            "snapshot_of_all": everything,
            "megabytes_on_disk": round(on_disk / 1e6, 1),
            "bytes_per_message": round(on_disk / self.size),
        }


def steps(store: Store, number: int, known: int) -> Iterator[Step]:
    """Yield what the message `number` does in the store, a correction of it, and each question of a person about `known`.

    One after the other: each is to be done before the next is asked for.
    """
    said, taxonomy = store.gestures, seed_taxonomy()
    channel, ts = _place(number)
    message = Message(channel=channel, ts=ts, user="U1", text=f"hola {number}", source=Source.CHANNEL)
    prediction = Prediction(version=1, base="mini", scores=dict.fromkeys(NAMES, 0.5), labels=NAMES[:2])
    yield "message: save", partial(store.messages.save, message)
    message_id, _ = store.messages.save(message)

    outbox, key = store.outbox, reply_key(message_id)

    def record() -> Callable[[], object]:
        row = outbox.get(key)
        assert row is not None
        return partial(outbox.record, key, "bench", wanted=row.wanted, ts=_reply_ts(number), standing=standing)

    standing = Standing(microseconds(ts), NAMES[:2])

    labelled = [NewPrediction(message_id, 1, prediction, 0.01)]
    yield "message: to_label", partial(store.predictions.texts_to_predict, [(message_id, 1)], 1)
    yield "message: save_predictions", partial(store.predictions.save, labelled)
    yield "message: claim_reply", partial(outbox.claim, key, "bench", 60)
    yield "message: record_reply", record()
    gesture = Gesture(user="U1", handle=f"h{number}", at=time.time_ns() // 1000, kind=Kind.LABEL, labels=NAMES[:1])
    yield "correction: add", partial(said.add, gesture, channel=channel, item_ts=_reply_ts(number))
    yield "correction: claim_reply", partial(outbox.claim, key, "bench", 60)
    yield "correction: judged", partial(store.judged.of, message_id, taxonomy)
    yield "correction: record_reply", record()
    until = datetime.fromtimestamp(float(ts), UTC)
    span = Span.between(until - MINUTES, until)
    yield "/beto resumen: summary", partial(store.standings.summary, channel, until - MINUTES, until, taxonomy)
    yield "Home: week", partial(store.standings.count, span, taxonomy, by_label=False)
    yield "/beto cifras: a week", partial(store.standings.count, span, taxonomy)
    yield "Home: judges", partial(store.insight.judges, span)
    yield "Home: doubts", partial(store.insight.doubts_of, "U1", 3)
    yield "/beto cifras: waits", store.insight.waits_s
    yield "/beto estado: counts", store.messages.counts
    yield "/beto estado: channel_mode", partial(store.channels.mode, channel)
    place, old_ts = _place(known)
    yield "old message: read", partial(store.messages.get, known)
    yield "old message: judged", partial(store.judged.of, known, taxonomy)
    yield "old message: edit", partial(store.messages.edit, place, old_ts, f"otra vez {number}", time.time_ns() // 1000)
    yield "/beto historial: message_of", partial(said.message_of, place, _reply_ts(known))
    yield "/beto historial: last_message", partial(store.messages.last_in, place)
    yield "/beto historial: predictions_of", partial(store.predictions.all_of, known)
    yield "/beto historial: history", partial(said.history, known)
    yield "/beto deshacer: last_of", partial(said.last_of, _judge(known))
    yield "sweep: overdue", partial(outbox.overdue, 5)
    yield "line: waiting", partial(outbox.line, channel, 60, newest_first=False)
    yield "trainer: new_judgements", store.runs.new_judgements
    yield "report: recent_texts", partial(store.messages.recent_texts, 200)


def short_prediction(number: int) -> str:
    """Return a prediction whose probabilities have three digits, as JSON."""
    scores = {name: (number % 100 * 37 + at * 11) % 1000 / 1000 for at, name in enumerate(NAMES)}
    given = {"version": 1, "base": "mini", "scores": scores, "labels": NAMES[number % 14 : number % 14 + 2]}
    return json.dumps({**given, "truncated": False})


def fill(store: Store, numbers: Iterable[int], *, judged_every: int, prediction: Callable[[int], str] = short_prediction) -> None:
    """Store the messages of these numbers, labelled and answered, one in `judged_every` of them judged."""
    write, some = made_up_texts(0), list(numbers)

    def message_rows() -> Iterator[tuple[Any, ...]]:
        for n in some:
            channel, ts = _place(n)
            source = "command" if n % COMMAND == 0 else "channel"
            ts = f"command-{n:032}" if n % COMMAND == 0 else ts
            at = BEGAN + timedelta(seconds=n)
            yield n, channel, ts, f"U{n % PEOPLE}", next(write), source, n % BLIND == 0, at, 1, 0

    def prediction_rows() -> Iterator[tuple[Any, ...]]:
        for n in some:
            yield n, n, 1, 1, prediction(n), 0.003, BEGAN + timedelta(seconds=n)

    def reply_rows() -> Iterator[tuple[Any, ...]]:
        for n in some:
            at = BEGAN + timedelta(seconds=n + 1)
            place = _place(n)
            yield n, f"reply:{n}", "reply", n, *place, _reply_ts(n), "shown", 2, 2, at, at, "[]"

    standing = [n for n in some if n % COMMAND and (n % BLIND or n % judged_every == 0)]

    def standing_rows() -> Iterator[tuple[Any, ...]]:
        for n in standing:
            channel, ts = _place(n)
            judged = n % judged_every == 0
            yield n, channel, microseconds(ts), len(NAMES[n % 14 : n % 14 + 2]), judged, judged and n % 3 == 0

    def label_rows() -> Iterator[tuple[Any, ...]]:
        for n in standing:
            channel, ts = _place(n)
            for name in NAMES[n % 14 : n % 14 + 2]:
                yield n, name, channel, microseconds(ts)

    columns = "id channel ts user text source blind received_at revision edited_at"
    _load(store, messages, columns, message_rows())
    _load(store, predictions, "id message_id revision version prediction model_s created_at", prediction_rows())
    columns = "id key kind message_id channel thread_ts ts state wanted shown posted_at rendered_at asked"
    _load(store, outbox_table, columns, reply_rows())
    _load(store, standings, "message_id channel at labels judged corrected", standing_rows())
    _load(store, standing_labels, "message_id label channel at", label_rows())
    judge(store, [n for n in some if n % judged_every == 0])


def judge(store: Store, numbers: Sequence[int]) -> None:
    """Judge each of these messages by one gesture, on its reply or on itself; then let the planner look at the tables."""

    def rows() -> Iterator[tuple[Any, ...]]:
        for n in numbers:
            channel, ts = _place(n)
            item = ts if n % 4 == 0 and n % COMMAND else _reply_ts(n)
            kind, labels = ("label", [NAMES[n % 14]]) if n % 3 else ("set", [NAMES[n % 14], NAMES[(n + 5) % 14]])
            at = int((BEGAN + timedelta(seconds=n + 9)).timestamp() * 1e6)
            said = (_judge(n), f"r/{n}", at, kind, json.dumps(labels), "[]", False, "reaction", n)
            yield (n, f"{n:064}", channel, item, *said, BEGAN + timedelta(seconds=n + 9))

    columns = "id key channel item_ts user handle at kind labels silent withdrawn via prediction_id saved_at"
    _load(store, gestures, columns, rows())
    if store.database.engine.dialect.name == "postgresql":
        with store.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for table in (messages, predictions, gestures, outbox_table):  # those whose ids the database gives
                newest = connection.execute(select(func.max(table.c.id))).scalar_one()
                connection.execute(select(func.setval(func.pg_get_serial_sequence(table.name, "id"), newest + 1_000_000)))
            connection.execute(text("vacuum analyze"))  # as its own daemon does before long


def made_up_texts(seed: int) -> Iterator[str]:
    """Yield texts without end, word by word as the shipped ones go on: of their length, all different, of few words."""
    chance, following, first = random.Random(seed), defaultdict[str, list[str]](list), []
    for example in seed_messages():
        words = example.text.split()
        first.append(words[0])
        for word, after in itertools.pairwise([*words, ""]):
            following[word].append(after)
    while True:
        words = [chance.choice(first)]
        while len(words) < 40 and (after := chance.choice(following[words[-1]])):
            words.append(after)
        if len(words) > 3:
            yield " ".join(words)


def _load(store: Store, table: Table, columns: str, rows: Iterator[tuple[Any, ...]]) -> None:
    names = ", ".join(f'"{name}"' for name in columns.split())
    connection: Any = store.database.engine.raw_connection()
    cursor = connection.cursor()
    if store.database.engine.dialect.name == "postgresql":
        with cursor.copy(f"copy {table.name} ({names}) from stdin") as copy:
            for row in rows:
                copy.write_row(row)
    else:
        marks = ", ".join("?" * len(columns.split()))
        cursor.execute(f"pragma cache_size={-FILL_CACHE_KB}")  # else a million rows wait for the disk, in the order of an index
        cursor.execute("begin immediate")
        plain = (tuple(f"{each:%Y-%m-%d %H:%M:%S.%f}" if isinstance(each, datetime) else each for each in row) for row in rows)
        cursor.executemany(f"insert into {table.name} ({names}) values ({marks})", plain)
    connection.commit()
    if store.database.engine.dialect.name == "sqlite":
        cursor.execute(f"pragma cache_size={-SQLITE_CACHE_KB}")
        cursor.execute("pragma wal_checkpoint(truncate)")
    connection.close()


def _place(number: int) -> tuple[str, str]:
    """Return a message's channel and ts."""
    return CHANNELS[number % len(CHANNELS)], f"{1_767_225_600 + number}.000100"


def _reply_ts(number: int) -> str:
    return f"{1_767_225_601 + number}.000200"


def _judge(number: int) -> str:
    return f"U{number * 7 // JUDGED % PEOPLE}"


def _screens(store: Store, size: int) -> dict[str, dict[str, float]]:
    """Time what the store does for each screen of the last week, in ms: medians of SCREENS, each for another channel.

    `cpu_ms` is this process's own: of SQLite all of it, of PostgreSQL what is not its server's.
    """
    taxonomy, until = seed_taxonomy(), datetime.fromtimestamp(float(_place(size)[1]) + 1, UTC)
    weeks = [Span.between(until - (each + 1) * WEEK, until - each * WEEK) for each in range(8)]
    week = weeks[0]

    def home(user: str) -> None:
        live = store.registry.live()
        drift_of_live(store, live)
        store.runs.last()
        store.insight.judges(week)
        store.standings.count(week, taxonomy, by_label=False)
        store.insight.recent_scores(1)
        proposal_of(store)
        store.reviews.waiting(user)
        store.insight.doubts_of(user, 3)

    screens: dict[str, Callable[[int], object]] = {
        "/beto resumen hoy": lambda n: store.standings.summary(CHANNELS[n], until - timedelta(days=1), until, taxonomy),
        "/beto resumen 7d": lambda n: store.standings.summary(CHANNELS[n], until - WEEK, until, taxonomy),
        "Home": lambda n: home(f"U{n}"),
        "/beto cifras": lambda _: [store.standings.count(each, taxonomy) for each in weeks],
    }
    taken = {}
    for name, make in screens.items():
        times, busy = [], []
        for number in range(SCREENS):
            began, began_busy = time.perf_counter(), time.process_time()
            make(number)
            busy.append(1000 * (time.process_time() - began_busy))
            times.append(1000 * (time.perf_counter() - began))
        taken[name] = {"ms": round(statistics.median(times), 1), "cpu_ms": round(statistics.median(busy), 1)}
    return taken


def _snapshot(store: Store) -> dict[str, float]:
    """Time reading the judged messages, finding the blind ones, and dividing all with the shipped ones; and measure the memory.

    In a new process, whose memory is nobody else's.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
        return alone.submit(_snapshot_alone, store.database.url).result()


def _snapshot_alone(url: str) -> dict[str, float]:
    store = Store(url, Path())
    store.ping()
    at_rest_mb, began = _memory_at_most(), time.perf_counter()
    judged = sum(1 for _ in judged_examples(store))
    read_s, read_mb = time.perf_counter() - began, _memory_at_most()
    began = time.perf_counter()
    list(store.judged.said_blind(seed_taxonomy()))
    blind_s = time.perf_counter() - began
    began = time.perf_counter()
    snapshot(store)
    whole_s = time.perf_counter() - began
    with store.database.writing() as connection:
        connection.execute(text("delete from split_assignments"))
    store.close()
    return {
        "judged": judged,
        "read_s": round(read_s, 3),
        "read_ms_per_judged": round(1000 * read_s / judged, 3),
        "blind_s": round(blind_s, 3),
        "whole_s": round(whole_s, 3),
        "whole_ms_per_judged": round(1000 * whole_s / judged, 3),
        "at_rest_mb": round(at_rest_mb, 1),
        "read_mb": round(read_mb, 1),
        "whole_mb": round(_memory_at_most(), 1),
    }


def _memory_at_most() -> float:
    """Return this process's largest memory so far in MB."""
    status = Path("/proc/self/status")
    if status.exists():  # the other way counts what this process was forked from, too
        return next(int(line.split()[1]) for line in status.read_text("ascii").splitlines() if line.startswith("VmHWM")) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _bytes(store: Store) -> int:
    with store.database.reading() as connection:
        if connection.dialect.name == "postgresql":
            return int(connection.execute(text("select pg_database_size(current_database())")).scalar_one())
        pages = connection.execute(text("pragma page_count")).scalar_one()
        return int(pages * connection.execute(text("pragma page_size")).scalar_one())


def _near_duplicates(largest: int) -> list[dict[str, float]]:
    found = []
    for count in [each for each in (5_000, 20_000, 50_000, 100_000) if each < largest] + [largest]:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            found.append(alone.submit(_near_duplicates_alone, count).result())
        click.echo("near-duplicates: " + "  ".join(f"{name} {value}" for name, value in found[-1].items()), err=True)
    return found


def _near_duplicates_alone(count: int) -> dict[str, float]:
    texts = list(itertools.islice(made_up_texts(0), count))
    before, began = _memory_at_most(), time.perf_counter()
    near = sum(first is not None for first in first_near_duplicates(texts))
    seconds = time.perf_counter() - began
    return {"texts": count, "near": near, "seconds": round(seconds, 2), "more_mb": round(_memory_at_most() - before)}


def _show(name: str, measured: Sequence[dict[str, Any]]) -> None:
    """Print the table: a line a step, a column a size; p50/p99 in ms, and the last size's median over the first's."""
    click.echo(
        f"\n{name}, ms (p50/p99)".ljust(44) + "".join(f"{each['messages']:>16}" for each in measured) + "   ratio", err=True
    )
    for step in measured[0]["steps"]:
        cells = [each["steps"][step] for each in measured]
        ratio = cells[-1]["p50_ms"] / cells[0]["p50_ms"]
        row = "".join(f"{cell['p50_ms']:>8.2f}/{cell['p99_ms']:<7.2f}" for cell in cells)
        click.echo(f"{step:43}{row}{ratio:>8.2f}", err=True)
    for way, unit in (("message", "message: "), ("correction", "correction: ")):
        sums = [sum(cell["p50_ms"] for step, cell in each["steps"].items() if step.startswith(unit)) for each in measured]
        line = "".join(f"{each:>8.2f}{'':8}" for each in sums)
        click.echo(f"{f'a {way}, all steps':43}{line}{sums[-1] / sums[0]:>8.2f}", err=True)
    for screen in measured[0]["screens"]:
        shown = [each["screens"][screen] for each in measured]
        line = "".join(f"{each['ms']:>8.1f}/{each['cpu_ms']:<7.1f}" for each in shown)
        click.echo(f"{screen + ', of a week, ms/own CPU ms':43}{line}", err=True)
    rows = {
        "the same 100 judged: read, s": ("snapshot_of_few", "read_s"),
        "the same 100 judged: blind ones, s": ("snapshot_of_few", "blind_s"),
        "the same 100 judged: snapshot, s": ("snapshot_of_few", "whole_s"),
        "the same 100 judged: snapshot, MB": ("snapshot_of_few", "whole_mb"),
        "a tenth judged: read, ms/judged": ("snapshot_of_all", "read_ms_per_judged"),
        "a tenth judged: snapshot, ms/judged": ("snapshot_of_all", "whole_ms_per_judged"),
        "a tenth judged: snapshot, s": ("snapshot_of_all", "whole_s"),
        "a tenth judged: at rest, MB": ("snapshot_of_all", "at_rest_mb"),
        "a tenth judged: read one by one, MB": ("snapshot_of_all", "read_mb"),
        "a tenth judged: snapshot, MB": ("snapshot_of_all", "whole_mb"),
    }
    for label, (which, key) in rows.items():
        values = [each[which][key] for each in measured]
        ratio = f"{values[-1] / values[0]:8.2f}" if values[0] else ""
        click.echo(f"{label:43}" + "".join(f"{value:>8.3f}{'':8}" for value in values) + ratio, err=True)
    for label, key in (("on disk, MB", "megabytes_on_disk"), ("on disk, bytes a message", "bytes_per_message")):
        click.echo(f"{label:43}" + "".join(f"{each[key]:>8}{'':8}" for each in measured), err=True)
