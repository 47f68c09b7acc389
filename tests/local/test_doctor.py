"""`beto doctor`: a line for each check, and for what fails what to do."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.local.ports import free_port
from bot.simulator.pytest_plugin import SimulatorThread
from tests.terminal import Said, beto
from tests.town import Town, running_town

CHECKS = ["home", "database", "redis", "model", "device", "proxies", "tokens", "slack", "processes"]


def lines_of(said: Said) -> dict[str, tuple[str, str]]:
    """By check, ok or FAIL and what was said."""
    assert "Traceback" not in said.err
    found = re.findall(r"^  (ok|FAIL) +(\w+) +(.+)", said.out, re.MULTILINE)
    assert [name for _, name, _ in found] == CHECKS
    return {name: (verdict, text) for verdict, name, text in found}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, trained_version: Path) -> Iterator[Town]:
    home = tmp_path_factory.mktemp("doctor") / "home"
    home.mkdir()
    with running_town(home, f"sqlite:///{home / 'beto.db'}", trained_version, http=False) as made:
        made.machine.write_running()
        yield made


def test_with_everything_missing_each_line_says_what_to_do(tmp_path: Path) -> None:
    """Nobody calls the doctor when all is well: one matter that fails must not hide the others."""
    (tmp_path / "file").write_text("", encoding="ascii")
    said = beto(
        "doctor",
        home=tmp_path / "home",
        BETO_HOME=str(tmp_path / "file" / "home"),
        BETO_DATABASE_URL=f"postgresql://beto:geheim@127.0.0.1:{free_port()}/beto",
        BETO_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
        HTTPS_PROXY="http://127.0.0.1:9",
    )
    assert said.status == 1
    lines = lines_of(said)
    for matter, way_out in {
        "home": "Set BETO_HOME",
        "database": "BETO_DATABASE_URL",
        "redis": "BETO_REDIS_URL",
        "model": "database must work first",
        "tokens": "SLACK_BOT_TOKEN is missing",
        "slack": "no bot token",
    }.items():
        verdict, text = lines[matter]
        assert verdict == "FAIL", matter
        assert way_out in text
    assert "SLACK_APP_TOKEN is missing" in lines["tokens"][1]
    assert "beto demo" in lines["tokens"][1]
    assert "HTTPS_PROXY set" in lines["proxies"][1]
    assert f"6 of {len(CHECKS)} checks failed" in said.out
    assert "geheim" not in said.out + said.err


@pytest.mark.parametrize(
    ("variable", "value", "matter"),
    [("BETO_REDIS_URL", "localhost", "redis"), ("BETO_DATABASE_URL", "beto.db", "database")],
)
def test_a_url_that_is_none_is_said_to_be_none(tmp_path: Path, variable: str, value: str, matter: str) -> None:
    """What people paste into a settings file."""
    verdict, text = lines_of(beto("doctor", home=tmp_path / "home", **{variable: value}))[matter]
    assert verdict == "FAIL"
    assert f"{variable} is no URL" in text


def test_a_token_that_slack_refuses_fails(tmp_path: Path, town: Town) -> None:
    """It looks like a token, and is another app's."""
    environment = town.environment | {"SLACK_BOT_TOKEN": "xoxb-of-another-app"}
    lines = lines_of(beto("doctor", home=tmp_path / "home", **environment))
    assert lines["tokens"][0] == "ok"
    assert lines["slack"][0] == "FAIL"
    assert "invalid_auth" in lines["slack"][1]
    assert "install the app" in lines["slack"][1]


def test_an_app_token_that_slack_refuses_fails(tmp_path: Path, town: Town) -> None:
    """Only opening a connection shows whether it is right: auth.test knows nothing of it."""
    environment = town.environment | {"SLACK_APP_TOKEN": "xapp-of-another-app"}
    lines = lines_of(beto("doctor", home=tmp_path / "home", **environment))
    assert lines["tokens"][0] == "ok"
    assert lines["slack"][0] == "FAIL"
    assert "refuses the app token (invalid_auth)" in lines["slack"][1]
    assert "connections:write" in lines["slack"][1]


@pytest.mark.parametrize("option", [[], ["--http"]])
def test_by_http_the_doctor_asks_for_a_signing_secret_and_no_app_token(tmp_path: Path, town: Town, option: list[str]) -> None:
    """An installation that Slack reaches by HTTP has no app token, and is well."""
    environment = town.environment | {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "geheim"}
    lines = lines_of(beto("doctor", *option, home=tmp_path / "home", **environment))
    assert lines["tokens"] == ("ok", "a bot token and a signing secret are set, for HTTP")
    assert lines["slack"][0] == "ok"
    lines = lines_of(beto("doctor", "--http", home=tmp_path / "home", **(environment | {"SLACK_SIGNING_SECRET": ""})))
    assert "SLACK_SIGNING_SECRET is missing" in lines["tokens"][1]


def test_a_slack_that_cannot_be_reached_fails(tmp_path: Path, town: Town) -> None:
    """A firewall is the operator's to open: say which address."""
    url = f"http://127.0.0.1:{free_port()}"
    environment = town.environment | {"SLACK_API_URL": f"{url}/api/"}
    verdict, text = lines_of(beto("doctor", home=tmp_path / "home", **environment))["slack"]
    assert verdict == "FAIL"
    assert f"cannot be reached at {url}/api/" in text


def test_scopes_that_the_app_lacks_are_named(tmp_path: Path) -> None:
    """An app that was made from an older manifest fails only when somebody presses the button that needs the new scope."""
    from bot.simulator.server import MANIFEST, read_manifest

    manifest = read_manifest(MANIFEST)
    manifest["oauth_config"]["scopes"]["bot"].remove("chat:write")
    thread = SimulatorThread(manifest=manifest)
    try:
        verdict, text = lines_of(beto("doctor", home=tmp_path / "home", **thread.environment))["slack"]
    finally:
        thread.stop()
    assert verdict == "FAIL"
    assert "lacks the scopes chat:write:" in text
    assert "install it again" in text


def test_where_all_works_it_says_so_and_what_each_process_weighs(town: Town) -> None:
    """bot and replies run where no torch is installed, and stay small: their sizes are the proof."""
    home = town.machine.home
    environment = {key: value for key, value in town.machine.environment.items() if key.startswith(("SLACK_", "BETO_"))}
    said = beto("doctor", home=home, **environment)
    lines = lines_of(said)
    assert said.status == 0, said.out
    assert "Everything works." in said.out
    assert "all scopes granted" in lines["slack"][1]
    assert "version 1 (mini) loads" in lines["model"][1]
    found = dict(re.findall(r"(\w+) (\d+\.\d MiB \(.+?\))", lines["processes"][1]))
    assert set(found) == {"bot", "replies", "worker"}
    assert "no torch" in found["bot"]
    assert "no torch" in found["replies"]
    assert "no torch" in found["worker"]  # it serves by the packed graph
    assert max(float(text.split()[0]) for text in found.values()) < 250  # torch and transformers alone are 400


def test_processes_that_were_killed_do_not_count_as_running(tmp_path: Path) -> None:
    """A file that nobody could take away is no finding."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "running.json").write_text('{"pid": 99999999, "health": {"bot": 1}}', encoding="utf-8")
    assert "neither `beto up` nor `beto demo` runs here" in lines_of(beto("doctor", home=home))["processes"][1]


def test_the_speed_of_this_machine_is_told_with_what_it_was_measured_on(town: Town) -> None:
    """An operator who wonders whether one worker is enough needs a number of this machine, not of ours."""
    environment = {key: value for key, value in town.machine.environment.items() if key.startswith(("SLACK_", "BETO_"))}
    said = beto("doctor", "--speed", home=town.machine.home, **environment)
    assert said.status == 0, said.err
    found = re.fullmatch(
        r"version 1 \(mini\) on (?:cpu|cuda.*), (?:fp32|int8|bf16): (\d+) messages/s with 32 at a time; "
        r"a message alone takes (\d+\.\d) ms\n",
        said.out,
    )
    assert found is not None, said.out
    assert int(found[1]) > 10
    assert float(found[2]) > 0


def test_without_a_version_there_is_no_speed_and_a_sentence_says_why(tmp_path: Path) -> None:
    """On the first day there is nothing to measure."""
    assert "no version to measure yet" in beto("doctor", "--speed", home=tmp_path / "home").refusal()
