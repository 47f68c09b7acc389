"""Who is kept out, what never shows, and what cannot be climbed out of. Each test fails when its defence is removed."""

import ast
import hashlib
import hmac
import json
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import pytest
import redis
from pydantic import SecretStr, ValidationError
from sqlalchemy.exc import IntegrityError

from bot.local.environment import child_environment
from bot.local.ports import free_port
from bot.settings import BotSettings
from bot.simulator.person import Person
from bot.simulator.server import Simulator
from model.errors import BrokenVersion
from model.schema import Message, Source
from model.serving.classifier import load
from model.store.database import now
from model.store.store import Store
from model.store.tables import metadata, promotions, versions
from tests.slack.cases import eventually
from tests.slack.dispatching import TEAM, dispatcher, known, published, slack, surfaces
from tests.store.rows import everything
from tests.town import SimulatorThread, Town, until, wait_until

ROOT = Path(__file__).parents[2]
FOREIGN = "T2FOREIGN"

__all__ = ["known", "published", "slack"]


# Signed requests


@dataclass
class Door:
    """Two `beto bot --http`, as behind one address, and the store behind them."""

    urls: list[str]
    store: Store
    log: Path

    def post(self, body: str, headers: dict[str, str], *, bot: int = 0) -> int:
        request = urllib.request.Request(self.urls[bot], body.encode(), headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return error.code


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory, redis_url: str) -> Iterator[Door]:
    home, ports, healths = tmp_path_factory.mktemp("door"), (free_port(), free_port()), (free_port(), free_port())
    slack = SimulatorThread(rate_limits=False)
    url = f"sqlite:///{home / 'beto.db'}"
    processes = []
    for port, health in zip(ports, healths, strict=True):
        environment = child_environment(
            None,
            BETO_HOME=str(home), BETO_DATABASE_URL=url, BETO_HTTP_PORT=str(port), BETO_HEALTH_PORT=str(health),
            BETO_REDIS_URL=redis_url.removesuffix("/0") + "/9", **slack.environment,
        )  # fmt: skip
        with (home / "bot.log").open("ab") as log:
            command = [sys.executable, "-P", "-m", "bot", "bot", "--http"]
            processes.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))

    def ready() -> bool:
        with suppress(OSError):
            for health in healths:
                with urllib.request.urlopen(f"http://127.0.0.1:{health}/ready", timeout=2) as response:
                    if response.status != 200:
                        return False
            return True
        return False

    wait_until(ready, 30, "both bots listen")
    store = Store(url, home)
    yield Door([f"http://127.0.0.1:{port}/slack/events" for port in ports], store, home / "bot.log")
    for process in processes:
        process.terminate()
    for process in processes:
        process.wait(20)
    store.close()
    slack.stop()


def signed(body: str, *, secret: str = Simulator.signing_secret, at: float | None = None, kind: str = "json") -> dict[str, str]:
    """Slack's headers for this body (https://docs.slack.dev/authentication/verifying-requests-from-slack)."""
    stamp = str(int(at or time.time()))
    signature = hmac.new(secret.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    content = "application/json" if kind == "json" else "application/x-www-form-urlencoded"
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={signature}", "Content-Type": content}


def event(ts: str, text: str = "Perdí mi tarjeta", team: str = TEAM) -> str:
    message = {"type": "message", "channel": "C1", "channel_type": "im", "user": "U1", "ts": ts, "text": text}
    return json.dumps({"type": "event_callback", "team_id": team, "api_app_id": "A1", "event_id": f"Ev{ts}", "event": message})


def command(words: str, trigger: str, team: str = TEAM) -> str:
    return urlencode(
        {
            "command": "/beto", "text": words, "team_id": team, "channel_id": "C1", "user_id": "U0SIMULUIS",
            "trigger_id": trigger, "response_url": "http://127.0.0.1:1/",
        }
    )  # fmt: skip


def test_a_signed_request_is_let_in(door: Door) -> None:
    """Else the refusals below would show nothing."""
    body = event("10.000001")
    assert door.post(body, signed(body)) == 200
    assert door.store.messages.find("C1", "10.000001") is not None


FORGERIES: dict[str, Callable[[str], tuple[str, dict[str, str]]]] = {
    "no signature": lambda body: (body, {"Content-Type": "application/json"}),
    "empty signature": lambda body: (body, signed(body) | {"X-Slack-Signature": ""}),
    "another secret": lambda body: (body, signed(body, secret="guessed")),
    "no secret": lambda body: (body, signed(body, secret="")),
    "an old request": lambda body: (body, signed(body, at=time.time() - 301)),
    "a request of the future": lambda body: (body, signed(body, at=time.time() + 301)),
    "an old signature under a new time": lambda body: (
        body,
        signed(body, at=time.time() - 301) | {"X-Slack-Request-Timestamp": str(int(time.time()))},
    ),
    "another body": lambda body: (body.replace("Perd", "perd"), signed(body)),
    "the signature of nothing": lambda body: (body, signed("")),
    "a time that is none": lambda body: (body, signed(body) | {"X-Slack-Request-Timestamp": "now"}),
    "a signature of another kind": lambda body: (body, signed(body) | {"X-Slack-Signature": "v1=" + "0" * 64}),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forged_request_is_refused(door: Door, forgery: str) -> None:
    """The address is public in HTTP mode: anybody may knock."""
    ts = f"20.{list(FORGERIES).index(forgery):06d}"
    body, headers = FORGERIES[forgery](event(ts))
    assert door.post(body, headers) == 401
    assert door.store.messages.find("C1", ts) is None


@pytest.mark.parametrize("body", ["", "{", "[1]", "payload=%7B", "payload=[]", "\0", "x" * 2_000_000, '{"a":' * 50_000])
@pytest.mark.parametrize("kind", ["json", "form"])
@pytest.mark.parametrize("genuine", [True, False])
def test_rubbish_is_refused_in_a_word(door: Door, body: str, kind: str, genuine: bool) -> None:
    """No traceback for anybody who knocks, no more than a megabyte read, and the bot goes on listening."""
    headers = signed(body, kind=kind, secret=Simulator.signing_secret if genuine else "guessed")
    if len(body) > 1_000_000:
        # Either it tells, or it does not even read on; that it still listens, the next request shows.
        with suppress(BrokenPipeError, ConnectionResetError, urllib.error.URLError):
            assert door.post(body, headers) == 413
        assert door.post("", signed("", secret="guessed")) == 401
    else:
        assert door.post(body, headers) == (400 if genuine else 401)
    assert "Traceback" not in door.log.read_text(encoding="utf-8")


def test_an_event_that_is_replayed_is_saved_once(door: Door) -> None:
    """Slack itself sends events again, so they are let in; nothing comes of the second time."""
    body = event("30.000001")
    headers = signed(body)
    assert door.post(body, headers) == 200
    once = everything(door.store)
    assert len([row for row in once.splitlines() if "Perdí mi tarjeta" in row and "30.000001" in row]) == 1
    assert [door.post(body, headers, bot=bot) for bot in (0, 1)] == [200, 200]
    assert everything(door.store) == once


def test_a_command_that_is_replayed_is_refused(door: Door) -> None:
    """Who records a request, at a proxy say, must not go back on what was said since."""
    watch, unwatch = command("watch", "1"), command("unwatch", "2")
    recorded = signed(watch, kind="form")
    assert door.post(watch, recorded) == 200
    assert door.store.channels.mode("C1") == "auto"
    assert door.post(unwatch, signed(unwatch, kind="form")) == 200
    assert [door.post(watch, recorded, bot=bot) for bot in (0, 1)] == [401, 401]
    assert door.store.channels.mode("C1") == "mention"


def test_another_workspace_is_left_alone_at_the_door(door: Door) -> None:
    body = event("40.000001", team=FOREIGN)
    assert door.post(body, signed(body)) == 200  # or Slack would repeat it
    assert "40.000001" not in everything(door.store)


# One workspace, and no other


async def test_no_workspace_sees_or_changes_what_is_anothers(
    slack: SimulatorThread, known: Store, published: list[str], tmp_path: Path
) -> None:
    """Every button, view, shortcut, word and event, with the ids of another workspace's messages and runs."""
    dispatch, before = dispatcher(slack, known, tmp_path, published), everything(known)
    calls = [each.id for each in slack.simulator.wire]
    for name, body in surfaces(FOREIGN).items():
        answer = await dispatch(body)
        assert (answer.status, answer.body or "") == (200, ""), name
        assert everything(known) == before, name
    assert [each.id for each in slack.simulator.wire] == calls  # nobody was told anything either
    assert published == []


async def test_the_workspaces_own_requests_do_reach_it(
    slack: SimulatorThread, known: Store, published: list[str], tmp_path: Path
) -> None:
    """Else the test above would pass with an app that does nothing."""
    dispatch = dispatcher(slack, known, tmp_path, published)
    changed, failed, before = set(), set(), everything(known)
    # Somebody answers at once that nobody is there: what is never reached is called again after a second.
    nobody = f"{slack.url}/nobody"
    for name, body in surfaces(TEAM, response_url=nobody).items():
        if (await dispatch(body)).status != 200:
            failed.add(" ".join(name.split(" ")[:2]))
        if (after := everything(known)) != before:
            changed.add(name.split(" ")[0])
        before = after
    assert {"labels_correct", "forget_view", "event", "/beto"} <= changed
    # Those open a dialog, and Slack never gave out these triggers.
    forget, labels = ("olvida", "olvidar", "forget"), ("etiquetas", "labels", "guía", "guia", "guide")
    review, summary = ("revisa", "revisar", "review"), ("resumen", "resume", "summary")
    figures, routes = ("cifras", "figures", "numbers"), ("rutas", "routes")
    assert failed == {f"/beto {word}" for word in (*forget, *labels, *review, *summary, *figures, *routes)}
    assert "worker.classify" in published


# What never shows


def assert_no_token_shows(town: Town) -> None:
    """Nor an address to answer at: not in logs, store, queues and command lines."""
    tokens = [Simulator.bot_token, Simulator.app_token, Simulator.signing_secret]
    pids = [process.popen.pid for process in town.processes.values() if process.popen is not None]
    seen = {f"command line of {pid}": Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8") for pid in pids}
    for file in town.machine.logs.iterdir():
        seen[file.name] = file.read_text(encoding="utf-8", errors="replace")
    seen["the store"] = everything(town.store)
    client = redis.Redis.from_url(town.machine.environment["BETO_REDIS_URL"])
    for key in client.scan_iter():
        seen[f"redis {key!r}"] = str(client.dump(key))
    client.close()
    assert "worker.log" in seen
    for where, text in seen.items():
        assert not [token for token in tokens if token in text], where
        assert not re.search(rf"/(commands|actions|app)/{TEAM}/", text), where  # an address to answer at


async def test_a_command_is_answered_and_neither_its_secret_address_nor_a_token_is_anywhere(town: Town, ana: Person) -> None:
    """Logs are copied into tickets, databases into backups, and `ps` is everybody's; an address is good for half an hour."""
    changes = ana.changes()
    await ana.command("general", "/beto", "clasifica Perdí la tarjeta y necesito que la bloqueen")
    await until(changes, lambda change: "versión" in str(change.get("message", "")))
    await eventually(lambda: town.store.messages.counts()["reply"] == 0, lambda: "the reply was not recorded")
    assert_no_token_shows(town)


def test_settings_and_messages_do_not_show_their_secrets() -> None:
    """A settings object ends up in a traceback sooner or later."""
    settings = BotSettings(
        database_url="postgresql://beto:hunter2@db/beto", redis_url="rediss://:hunter2@redis:6380/0",
        **{name: SecretStr("hunter2") for name in ("slack_bot_token", "slack_app_token", "slack_signing_secret")},  # type: ignore[arg-type]  # of many kinds
    )  # fmt: skip
    message = Message(
        channel="C", ts="1", user="U", text="x", source=Source.COMMAND, response_url="https://hooks.slack.com/hunter2"
    )
    assert "hunter2" not in f"{settings!r} {settings} {message!r} {message}"
    with pytest.raises(ValidationError) as refused:
        Message.model_validate(message.model_dump() | {"source": "hunter2"})
    assert "hunter2" not in str(refused.value)


def test_no_error_of_the_database_quotes_what_people_wrote(store: Store) -> None:
    """Errors are logged with their tracebacks; SQLAlchemy's show every parameter unless told otherwise."""
    twice = metadata.tables["examples"].insert().values(text_key="k", text="hunter2", labels=[], unknown=[], saved_at=now())
    with store.database.writing() as connection:
        connection.execute(twice)
        with pytest.raises(IntegrityError) as refused:
            connection.execute(twice)
        connection.rollback()
    assert "hunter2" not in str(refused.value)


# No code in data


FORBIDDEN = {"pickle", "shelve", "marshal", "dill", "cloudpickle", "joblib", "jsonpickle"}
SOURCES = sorted(path for package in ("bot", "worker", "model") for path in (ROOT / package).rglob("*.py"))


def unsafe_calls(source: str) -> list[str]:
    """Calls and imports that run code found in data, and settings of Celery that would."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").split(".")[0], *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            keywords = {each.arg: ast.unparse(each.value) for each in node.keywords}
            if called in {"torch.load", "yaml.load", "yaml.unsafe_load", "eval", "exec", "tarfile.open", "shutil.unpack_archive"}:
                found.append(called)
            if keywords.get("allow_pickle") == "True" or keywords.get("trust_remote_code") == "True":
                found.append(called)
            if keywords.get("shell") == "True":
                found.append(called)
        found += [name for name in names if name in FORBIDDEN]
    return found


def test_no_source_runs_code_that_stands_in_data() -> None:
    """A pickle that somebody altered runs their code: JSON on the wire, safetensors on disk."""
    assert {str(path): calls for path in SOURCES if (calls := unsafe_calls(path.read_text(encoding="utf-8")))} == {}
    for bad in ("import pickle", "from joblib import load", "torch.load('x')", "np.load('x', allow_pickle=True)", "yaml.load(x)"):
        assert unsafe_calls(bad), bad


def test_the_queues_take_json_only() -> None:
    """Whoever reaches Redis must not run code in the workers."""
    from worker.app import app

    assert (app.conf.task_serializer, list(app.conf.accept_content)) == ("json", ["json"])
    assert app.conf.result_serializer == "json"


def test_a_version_folder_holds_numbers_and_words_only(trained_version: Path) -> None:
    """Folders are copied between machines; one must be able to look into them, and to load them without fear."""
    for file in trained_version.iterdir():
        head = file.read_bytes()[:2]
        assert file.suffix in {".json", ".safetensors", ".txt", ".md", ".onnx"}, file
        assert head not in (b"PK", b"\x80\x02", b"\x80\x04", b"\x80\x05", b"\x1f\x8b"), file


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "engine.onnx.data", "tokenizer.pkl", "modeling.py", "adapter_model.safetensors"]
)
def test_a_file_that_somebody_put_beside_a_version_is_refused(trained_version: Path, tmp_path: Path, name: str) -> None:
    """It is in no manifest, so nobody checked it, and some library might take it up."""
    folder = tmp_path / "v1"
    shutil.copytree(trained_version, folder)
    assert load(folder, device="cpu").labels
    (folder / name).write_bytes(b"\x80\x04cos\nsystem\n(S'touch /tmp/owned'\ntR.")
    with pytest.raises(BrokenVersion, match="put it there later"):
        load(folder, device="cpu")


# Nothing climbs out of BETO_HOME


@pytest.mark.parametrize(
    "name", ["../outside", "/etc", "..", ".", "", "a/../../outside", "v1/../../outside", "..\\outside", "a\0b"]
)
def test_a_folders_name_in_the_database_cannot_lead_out(trained_version: Path, tmp_path: Path, name: str) -> None:
    """Whoever can write a row must not have other folders loaded, or removed to make room."""
    home, outside = tmp_path / "home", tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    store = Store(f"sqlite:///{tmp_path / 'beto.db'}", home)
    store.migrate()
    registry = store.registry
    card = json.loads((trained_version / "card.json").read_text(encoding="utf-8"))
    with store.database.writing() as connection:
        for number in range(1, 6):
            connection.execute(versions.insert().values(number=number, folder=name, card=card, created_at=now()))
        connection.execute(promotions.insert().values(version=5, promoted_by="x", reason="", promoted_at=now()))
    for version in [*registry.all(), *registry.promoted()]:
        assert version.folder.resolve().parent == (home / "versions").resolve()
    registry.remove_old(1)
    store.close()
    assert (outside / "precious").exists()


@pytest.mark.parametrize("name", ["../card.json", "/etc/passwd", "sub/x", ".."])
def test_a_manifest_cannot_name_files_elsewhere(trained_version: Path, tmp_path: Path, name: str) -> None:
    """A folder from somewhere else must not tell, by loading or not, what other files hold."""
    folder = tmp_path / "v1"
    shutil.copytree(trained_version, folder)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    (folder / "manifest.json").write_text(json.dumps(manifest | {name: "0" * 64}), encoding="utf-8")
    with pytest.raises(BrokenVersion, match="no file of this folder"):
        load(folder, device="cpu")
