"""`beto up` and the machine beneath it: refusals with a name in them, restarts, and nothing left behind."""

import json
import os
import re
import signal
import socket
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from bot.local.ports import free_port
from bot.local.running import read_health
from bot.local.supervisor import Process, Supervisor
from bot.simulator.person import Person
from bot.simulator.pytest_plugin import SimulatorThread
from model.store.store import Store
from tests.terminal import Running, beto, environment, family, lives, started
from tests.town import publish_version, wait_until


@pytest.fixture(scope="module")
def slack() -> Iterator[SimulatorThread]:
    thread = SimulatorThread(rate_limits=False)
    yield thread
    thread.stop()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, trained_version: Path) -> Path:
    """A home with a live version: what is started there trains nothing."""
    return live_home(tmp_path_factory.mktemp("up") / "home", trained_version)


@pytest.fixture
def own_home(tmp_path: Path, trained_version: Path) -> Path:
    """Such a home for one test alone, which ends what runs there."""
    return live_home(tmp_path / "home", trained_version)


def live_home(folder: Path, trained_version: Path) -> Path:
    folder.mkdir()
    store = Store(f"sqlite:///{folder / 'beto.db'}", folder)
    store.migrate()
    publish_version(store, trained_version)
    store.close()
    return folder


@pytest.fixture(scope="module")
def up(home: Path, slack: SimulatorThread) -> Iterator[Running]:
    """`beto up`, which serves."""
    with started("up", home=home, **slack.environment) as running:
        running.wait_for("The bot hears Slack", 90)
        running.wait_for("The worker serves", 60)
        yield running


def command_of(pid: int) -> list[str]:
    """The command line of a process, empty where it has just ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").strip("\0").split("\0")
    except OSError:
        return []


# Start refused, told why


def test_missing_tokens_are_each_named_with_where_to_find_them(tmp_path: Path) -> None:
    """The first thing that everybody lacks."""
    sentence = beto("up", home=tmp_path / "home").refusal()
    assert "SLACK_BOT_TOKEN is missing" in sentence
    assert "SLACK_APP_TOKEN is missing" in sentence
    assert "SLACK_SIGNING_SECRET" not in sentence
    sentence = beto("up", "--http", home=tmp_path / "home").refusal()
    assert "SLACK_SIGNING_SECRET is missing" in sentence
    assert "SLACK_APP_TOKEN" not in sentence


@pytest.mark.parametrize(
    "name",
    [
        "SLACK_BOT_TOKEN",
        "SLACK_APP_TOKEN",
    ],
)
def test_a_token_that_slack_refuses_is_named(tmp_path: Path, slack: SimulatorThread, name: str) -> None:
    """Copied from another app, or revoked: which of the two, and what then."""
    wrong = slack.environment | {name: f"{'xoxb' if 'BOT' in name else 'xapp'}-of-another-app"}
    said = beto("bot", home=tmp_path / "home", timeout_s=12, **wrong)
    assert said.refusal().startswith(f"Slack refuses {name} (invalid_auth)")


def test_a_slack_that_cannot_be_reached_is_named(tmp_path: Path, slack: SimulatorThread) -> None:
    """A firewall, or a mistyped SLACK_API_URL."""
    nowhere = slack.environment | {"SLACK_API_URL": f"http://127.0.0.1:{free_port()}/api/"}
    said = beto("bot", home=tmp_path / "home", **nowhere)
    assert "Slack cannot be reached at http://127.0.0.1:" in said.refusal()


@pytest.mark.parametrize("method", ["auth.test", "apps.connections.open"])
@pytest.mark.parametrize("page", ["not_json", "plain_page", "broken_json"])
def test_a_page_in_slacks_place_is_not_taken_for_slacks_refusal(
    tmp_path: Path, slack: SimulatorThread, method: str, page: str
) -> None:
    """A proxy's login page: whoever was told of a wrong token would search for the fault in the wrong place."""
    slack.simulator.faults.fail_next(method, page)
    said = beto("bot", home=tmp_path / "home", timeout_s=12, **slack.environment)
    assert "what answers there is not Slack, perhaps a proxy" in said.refusal()


def test_a_database_of_another_workspace_is_left_alone(tmp_path: Path, slack: SimulatorThread) -> None:
    """Labels, versions and reports are of the whole database: two banks in one would read each other's."""
    home = tmp_path / "home"
    home.mkdir()
    store = Store(f"sqlite:///{home / 'beto.db'}", home)
    store.migrate()
    assert store.belongs_to("T0ANOTHER") == "T0ANOTHER"
    store.close()
    sentence = beto("bot", home=home, **slack.environment).refusal()
    assert sentence.startswith("the database belongs to the workspace T0ANOTHER, and SLACK_BOT_TOKEN is of T0")
    assert "BETO_DATABASE_URL" in sentence


@pytest.mark.parametrize("name", ["bot", "replies", "worker", "trainer"])
def test_a_database_that_is_away_at_start_is_one_sentence(tmp_path: Path, slack: SimulatorThread, name: str) -> None:
    """Whoever restarts it reads this in a log at night."""
    away = f"postgresql://beto:geheim@127.0.0.1:{free_port()}/beto"
    said = beto(name, home=tmp_path / "home", BETO_DATABASE_URL=away, **slack.environment)
    assert said.refusal().startswith("the database does not answer")
    assert "geheim" not in said.err


def test_up_tells_which_process_could_not_start_and_why(tmp_path: Path, slack: SimulatorThread) -> None:
    """The reason is in that process's log; nobody should have to look for it, nor to kill what did start."""
    away = f"postgresql://beto@127.0.0.1:{free_port()}/beto"
    said = beto("up", home=tmp_path / "home", BETO_DATABASE_URL=away, **slack.environment)
    assert said.status == 1
    assert "trainer ended with status 1" in said.err
    assert "the database does not answer" in said.err
    assert "Traceback" not in said.err


def test_a_port_in_use_in_http_mode_is_named(tmp_path: Path, slack: SimulatorThread) -> None:
    """3000 is everybody's favourite port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = beto("bot", "--http", home=tmp_path / "home", BETO_HTTP_PORT=port, **slack.environment)
    assert f"cannot listen on 127.0.0.1:{port}" in said.refusal()


def test_a_health_port_in_use_is_named(tmp_path: Path, slack: SimulatorThread) -> None:
    """Two services that were given the same one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = beto("replies", home=tmp_path / "home", BETO_HEALTH_PORT=port, **slack.environment)
    sentence = said.refusal()
    assert f"127.0.0.1:{port}" in sentence
    assert "BETO_HEALTH_PORT" in sentence


# Running


async def test_up_brings_the_whole_way_with_real_tokens(up: Running, slack: SimulatorThread) -> None:
    """The second of the product's ways to start: everything on this machine, and Slack elsewhere."""
    async with Person(slack.url, "ana") as ana:
        channel = await ana.open_dm(slack.simulator.workspace.bot_user_id)
        ts = await ana.message(channel, "perdí la tarjeta de débito")
        assert "%" in str((await ana.wait_for_reply(channel, ts, 20))["blocks"])


def test_every_process_tells_how_it_is(up: Running, home: Path) -> None:
    """Whatever watches the processes asks these pages; a person with curl reads them too."""
    ports = json.loads((home / "running.json").read_text(encoding="utf-8"))["health"]
    assert set(ports) == {"trainer", "worker", "replies", "bot"}
    for name, port in ports.items():
        for page in ("live", "ready"):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=5) as answer:
                assert answer.headers["Content-Type"] == "application/json"
                told = json.load(answer)
            assert told["name"] == name
            assert told.get("waiting_for", "") == ""
            assert told["resident_mib"] > 10
            assert told["torch"] is False, f"{name} is to stay small"
            assert lives(told["pid"])


def test_only_those_who_speak_to_slack_are_given_the_tokens(up: Running, slack: SimulatorThread) -> None:
    """Whoever breaks into the process with the model must not find the keys to the workspace."""
    token = slack.environment["SLACK_BOT_TOKEN"]
    holders = set()
    for pid in family(up.process.pid):
        if token in Path(f"/proc/{pid}/environ").read_text(encoding="utf-8", errors="replace"):
            holders.add(command_of(pid)[-1])
    assert holders == {"bot", "replies"}


def test_a_process_that_was_killed_starts_again_and_up_says_so(up: Running, home: Path) -> None:
    """An out-of-memory kill at night must not need a person."""
    port = json.loads((home / "running.json").read_text(encoding="utf-8"))["health"]["replies"]
    before = read_health(port)
    assert before is not None
    os.kill(int(str(before["pid"])), signal.SIGKILL)
    up.wait_for("replies ended with status -9; it starts again in 1 s", 10)
    wait_until(lambda: (now := read_health(port)) is not None and now["pid"] != before["pid"], 60, "another process answers")


def test_sigterm_stops_everything_within_fifteen_seconds(own_home: Path, slack: SimulatorThread) -> None:
    """What systemd and Docker send, and how long people wait before they pull the plug."""
    with started("up", home=own_home, **slack.environment) as running:
        running.wait_for("The bot hears Slack", 90)
        running.wait_for("The worker serves", 60)
        status = running.end(signal.SIGTERM, within_s=15)
    assert status == 0
    assert len(running.children) >= 5
    assert running.left() == []
    assert not (own_home / "running.json").exists()


def test_sigkill_leaves_nothing_running(own_home: Path, slack: SimulatorThread) -> None:
    """No handler runs then: only the kernel can end the others."""
    with started("up", home=own_home, **slack.environment) as running:
        wait_until((own_home / "running.json").exists, 60, "every process was started")
        running.end(signal.SIGKILL, within_s=5)
        assert len(running.children) >= 5
        wait_until(lambda: not running.left(), 5, "what it had started is dead")


def test_sigterm_during_the_start_is_heard(own_home: Path, slack: SimulatorThread) -> None:
    """Whoever sees a typing mistake should not have to wait for a minute."""
    with started("up", home=own_home, **slack.environment) as running:
        wait_until((own_home / "running.json").exists, 60, "every process was started")
        status = running.end(signal.SIGTERM, within_s=15)
    # Told while it starts, it was interrupted; told when it serves, it has ended as it should.
    assert status == (0 if "The bot hears Slack" in running.text else 130)
    assert running.left() == []


def test_up_uses_the_redis_that_dotenv_names_and_doctor_says_the_same(
    own_home: Path, slack: SimulatorThread, redis_url: str
) -> None:
    """A second machine's worker is on that Redis: with another one here it would never get a task."""
    named = redis_url.removesuffix("/0") + "/11"
    dotenv = own_home.parent / ".env"
    dotenv.write_text(f"BETO_REDIS_URL={named}\n", encoding="utf-8")
    try:
        with started("up", home=own_home, **slack.environment) as running:
            running.wait_for("The bot hears Slack", 90)
            with redis.Redis.from_url(redis_url) as client:
                assert [each for each in client.client_list() if each["db"] == "11"]
            assert not [pid for pid in family(running.process.pid) if any("redis-server" in part for part in command_of(pid))]
            said = beto("doctor", home=own_home, **slack.environment)
            running.end(signal.SIGTERM, within_s=15)
    finally:
        dotenv.unlink()
    assert re.search(r"ok +redis +version", said.out), said.out


def test_processes_are_stopped_one_after_the_other_and_the_first_started_last(tmp_path: Path) -> None:
    """Redis is the first to start: whoever still finishes a task needs it until the end."""
    written = tmp_path / "stops"
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n"
        "    with open(sys.argv[2], 'a') as file: file.write(sys.argv[1] + ' asked ')\n"
        "    time.sleep(0.3)\n"
        "    with open(sys.argv[2], 'a') as file: file.write(sys.argv[1] + ' ended ')\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "open(sys.argv[2] + sys.argv[1], 'w').close()\n"
        "while True: time.sleep(0.1)\n"  # a signal that comes just before a sleep is seen after it
    )
    with Supervisor(tmp_path, environment(tmp_path)) as supervisor:
        for name in ("redis", "worker", "bot"):
            process = Process(name, [sys.executable, "-c", code, name, str(written)])
            supervisor.processes.append(process)
            supervisor.spawn(process)
            supervisor.wait_until(f"{name} runs", Path(f"{written}{name}").exists, timeout_s=30)
    order = "bot asked bot ended worker asked worker ended redis asked redis ended"
    assert written.read_text(encoding="utf-8").split() == order.split()


def test_processes_that_keep_dying_wait_longer_each_time(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Else a wrong setting fills the disk with logs and keeps a core busy."""
    said = ""
    with Supervisor(tmp_path, environment(tmp_path, BETO_HTTP_PORT="muchos")) as machine:
        machine.start("bot")
        while "again in 2 s" not in said:
            machine.watch()
            said += capfd.readouterr().err
    assert said.index("bot ended with status 1; it starts again in 1 s") < said.index("it starts again in 2 s")
    assert "BETO_HTTP_PORT" in said
