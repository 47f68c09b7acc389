"""Bad input at every entry: only the errors that are documented, no hang, and bounded memory.

A short form runs here; `BETO_FUZZ_EXAMPLES=20000 pytest tests/test_fuzz.py` runs as long as one likes.
"""

import json
import os
import random
import shutil
import time
import traceback
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from slack_sdk.errors import SlackApiError

from bot.forms import Forms
from bot.local.ports import free_port
from bot.locks import TtlLock
from bot.outbox.client import RateLimitedClient
from bot.outbox.context import OutboxContext
from bot.outbox.judges import Judges
from bot.outbox.names import Names
from bot.outbox.public_channels import PublicChannels
from bot.outbox.rate_limit import RateLimiter
from bot.settings import BotSettings
from bot.slack.payloads.events import MessageChanged, MessageEvent, ReactionEvent
from bot.slack.payloads.interactions import MessageShortcut
from bot.slack.payloads.parsing import parse
from bot.slack.payloads.views import ViewSubmission
from bot.views.texts import load_texts
from model.errors import BadData, BrokenVersion
from model.labels import seed_taxonomy
from model.learning.dataset import read_examples
from model.masking import mask
from model.reactions import Signs
from model.serving.normalise import ALPHABET, normalise
from model.serving.version_folder import verify
from model.store.store import Store
from tests.slack.dispatching import TEAM, dispatcher, known, published, slack, surfaces
from tests.store.rows import everything
from tests.town import SimulatorThread

__all__ = ["known", "published", "slack"]

EXAMPLES = int(os.environ.get("BETO_FUZZ_EXAMPLES", "60"))
THOROUGH = settings(
    max_examples=EXAMPLES, deadline=5_000, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)  # fmt: skip
ANY_TEXT = st.text(st.characters(), max_size=200) | st.sampled_from(
    ["\0", "\ud800", "x" * 50_000, "1.1", "C1", "<@U", "{", "\u202e"]
)
JSON_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(ANY_TEXT, inner, max_size=4),
    max_leaves=12,
)


def mutated(body: Any, chance: random.Random, value: Any) -> Any:
    """`body` with one thing in it removed, or replaced by `value`."""
    body = json.loads(json.dumps(body))
    place: Any = body
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return body
        key = chance.choice(keys)
        if isinstance(place[key], dict | list) and place[key] and chance.random() < 0.7:
            place = place[key]
        elif chance.random() < 0.4:
            del place[key]
            return body
        else:
            place[key] = value
            return body


SURFACES = list(surfaces(TEAM).values())


def read(body: Any) -> None:
    """Read all that can be read of a request."""
    parsed = parse(body)
    if isinstance(parsed, MessageEvent | MessageShortcut):
        parsed.message("UBETO")
    elif isinstance(parsed, MessageChanged):
        parsed.change("UBETO")
    elif isinstance(parsed, ReactionEvent):
        parsed.reaction(seed_taxonomy(), Signs(), "UBETO")
    elif isinstance(parsed, ViewSubmission):
        assert isinstance(parsed.note, str | None)


@THOROUGH
@given(st.sampled_from(SURFACES), st.randoms(use_true_random=False), JSON_VALUE)
def test_no_payload_makes_the_readers_fail(body: dict[str, Any], chance: random.Random, value: Any) -> None:
    """What is read raises nothing, so that one odd request cannot make Slack repeat it for an hour."""
    read(mutated(mutated(body, chance, value), chance, value))


async def test_no_payload_brings_the_app_down(
    slack: SimulatorThread, known: Store, published: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The real Bolt app, fed with requests of each kind in which something is wrong: it answers each one, and no traceback
    says that somebody's odd click was more than the listeners could read."""
    dispatch, chance = dispatcher(slack, known, tmp_path, published), random.Random(7)
    values: list[Any] = [None, "", [], {}, 0, True, "\0", "\ud800", "x" * 5_000, [[]], {"id": "U1"}, -1.5, "1.000001"]
    failed: list[str] = []
    for _ in range(4 * EXAMPLES):
        body = mutated(chance.choice(SURFACES), chance, chance.choice(values))
        if chance.random() < 0.5:
            body = mutated(body, chance, chance.choice(values))
        caplog.clear()
        answer = await dispatch(body)
        assert answer is not None
        for record in caplog.records:
            error = record.exc_info[1] if record.exc_info else None
            if error is not None and not isinstance(error, SlackApiError | aiohttp.ClientError):  # nobody is at its addresses
                failed.append("".join(traceback.format_exception(error)[-3:]) + json.dumps(body)[:300])
    assert not failed, "\n".join(failed)


DATA = st.one_of(
    st.binary(max_size=300),
    st.lists(JSON_VALUE, max_size=4).map(lambda rows: "\n".join(map(json.dumps, rows)).encode()),
    st.lists(st.fixed_dictionaries({"text": ANY_TEXT, "labels": st.just([]) | JSON_VALUE}), max_size=2).map(
        lambda rows: "\n".join(map(json.dumps, rows)).encode()
    ),
    st.tuples(st.sampled_from(["text,labels\n", "labels;text\n", "text,labels,id,by\n", ""]), ANY_TEXT).map(
        lambda parts: "".join(parts).encode("utf-8", "surrogatepass")
    ),
    # Built when drawn: hypothesis would print them.
    st.sampled_from(["[", '{"a":', 'text,labels\n"', '{"text": "']).map(lambda piece: piece.encode() * 50_000),
)


@THOROUGH
@given(DATA, st.sampled_from([".jsonl", ".csv"]))
def test_no_data_file_fails_but_with_its_place(tmp_path: Path, content: bytes, ending: str) -> None:
    """Spreadsheets export everything; the person must hear which line is wrong."""
    file = tmp_path / f"data{ending}"
    file.write_bytes(content)
    refused = ""
    try:
        for example in read_examples(file, seed_taxonomy()):
            example.text.encode("utf-8")  # or no database would keep it
    except BadData as error:
        refused = str(error)
    assert not refused or str(file) in refused


@THOROUGH
@given(ANY_TEXT | st.text("<>@!|&;:/#$€0123456789., \u200d\u0301", max_size=300))
def test_any_text_can_be_masked_and_said(text: str) -> None:
    """What cannot be said is an honest [UNK]; nothing else than its letters may come through."""
    said = normalise(mask(text))
    assert normalise(said) == said
    assert all(char in ALPHABET or char.isalpha() for char in said)


@pytest.mark.parametrize(
    "piece", ["<", "<@", "1 ", "a@", ":a", "(1", "cuenta 1", "\u200d", "09-", "A", "&lt;", "=>", "$1", "ñ", "1.", "<mailto:"]
)
def test_no_text_takes_long(piece: str) -> None:
    """One message of Slack's greatest length must not hold up the others: a second is a hundred times what it takes."""
    text = (piece.replace("·", " ") * 40_000)[:40_000]
    began = time.process_time()
    normalise(mask(text))
    assert time.process_time() - began < 10


@pytest.mark.parametrize("name", ["card.json", "manifest.json", "config.json", "model.safetensors"])
def test_no_altered_version_folder_is_taken_for_a_good_one(trained_version: Path, tmp_path: Path, name: str) -> None:
    """Cut, emptied, overwritten here and there, or gone: a worker must refuse it and serve the one before."""
    chance = random.Random(name)
    folder = tmp_path / "v1"
    shutil.copytree(trained_version, folder)
    good = (folder / name).read_bytes()
    for _ in range(max(EXAMPLES // 2, 20)):
        at = chance.randrange(len(good))
        broken = chance.choice(
            [
                good[:at],
                good[:at] + bytes([good[at] ^ chance.randrange(1, 256)]) + good[at + 1 :],
                good[at:] + good[:at],
                b"[]",
                b'{"a":' * 2_000,
                chance.randbytes(100),
            ]
        )
        if broken == good:
            continue
        (folder / name).write_bytes(broken)
        try:
            card = verify(folder)
        except BrokenVersion:
            continue
        # Only the card is given a number later, and so is in no manifest; a manifest with a tab for a space says the same.
        assert name == "card.json" or json.loads(broken) == json.loads(good)
        assert card.labels


NUMBERS = [
    "http_port",
    "health_port",
    "concurrency",
    "batch_tokens",
    "retention_days",
    "blind_percent",
    "keep_versions",
    "label_margin",
]


@THOROUGH
@given(
    st.dictionaries(
        st.sampled_from([*NUMBERS, "redis_url", "database_url", "device", "language", "home", "base", "signs", "label_emoji"]),
        ANY_TEXT,
    )
)
def test_no_setting_fails_but_by_its_name(values: dict[str, str]) -> None:
    """A typing error in `.env` must be named, and what stood there not be shown: it may be a password."""
    refused = ""
    try:
        BotSettings(**values)  # type: ignore[arg-type]  # of many kinds
    except ValidationError as error:
        refused = str(error)
    assert not refused or any(name in refused for name in values)
    assert not [value for value in values.values() if len(value) > 20 and value in refused]


@pytest.mark.parametrize("task", ["worker.classify", "worker.train", "bot.deliver", "bot.seed", "bot.unseed", "bot.line"])
def test_odd_arguments_of_tasks_end_that_task_alone(task: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Whoever writes to Redis, or an older process beside a newer one, must not stop the workers."""
    import bot.outbox.process  # noqa: F401 - its tasks
    from worker.app import app
    from worker.settings import WorkerSettings
    from worker.tasks import TrainerContext, WorkerContext

    store = Store(f"sqlite:///{tmp_path / 'beto.db'}", tmp_path)
    store.migrate()
    settings = WorkerSettings(home=tmp_path, database_url="")
    context: WorkerContext | TrainerContext | OutboxContext = TrainerContext(settings, store)
    if task == "worker.classify":
        context = WorkerContext(settings)
    elif task.startswith("bot."):
        context = unreached_context(store, tmp_path)
    monkeypatch.setattr(app, "context", context)
    before = everything(store)
    for arguments in ([], [None], [-1], ["1"], [2**70], [1, 2, 3, 4, 5], [{}], [[]], ["x" * 10_000, "y"], [0, 0]):
        result = app.tasks[task].apply(args=arguments, throw=False)
        assert not isinstance(result.result, (SystemExit, KeyboardInterrupt, MemoryError)), arguments
        assert everything(store) == before, arguments
    if isinstance(context, WorkerContext):
        context.close()
    store.close()


def unreached_context(store: Store, home: Path) -> OutboxContext:
    """What the replies process works with, where neither Redis nor Slack is there."""
    away, settings = f"redis://127.0.0.1:{free_port()}/0", BotSettings(home=home)
    limiter = RateLimiter(away)
    slack = RateLimitedClient(
        limiter=limiter, forms=Forms(TtlLock(away)), token="xoxb-1", base_url=f"http://127.0.0.1:{free_port()}/api/"
    )
    return OutboxContext(
        settings=settings,
        store=store,
        texts=load_texts("es"),
        locks=TtlLock(away),
        limiter=limiter,
        slack=slack,
        patient_slack=slack,
        judges=Judges(slack, store.people, settings, "T1"),
        public_channels=PublicChannels(slack),
        names=Names(slack),
        team="T1",
        bot_user="UBETO",
        workspace_url="http://127.0.0.1/",
    )
