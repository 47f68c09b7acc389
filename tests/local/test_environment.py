"""What a process that one of ours starts can learn of its surroundings: all that it is told, and nothing else."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bot.local.environment import PROXIES, bare_environment, child_environment
from bot.settings import BotSettings, variables

# Values that differ from every default.
ELSEWHERE = {
    "BETO_DATABASE_URL": "postgresql://real@127.0.0.1:9/beto",
    "BETO_REDIS_URL": "redis://127.0.0.1:9/7",
    "BETO_JUDGES": "U0REAL",
    "BETO_PROMOTION": "ask",
    "BETO_RETRAIN_AFTER": "3",
    "BETO_MASK_PERSONAL": "false",
    "SLACK_BOT_TOKEN": "xoxb-real",
    "SLACK_APP_TOKEN": "xapp-real",
}


def settings_of_a_child(environment: dict[str, str], folder: Path) -> dict[str, object]:
    """What a process that is started so in `folder` reads, tokens in clear."""
    code = (
        "import json; from pydantic import SecretStr; from bot.settings import BotSettings; s = BotSettings(); "
        "print(json.dumps({n: (v.get_secret_value() if isinstance(v, SecretStr) else str(v)) for n, v in dict(s).items()}))"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], env=environment, cwd=folder, capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose `.env` is of a real installation, in which we stand."""
    for name in [*os.environ]:
        if name.upper().startswith(("BETO_", "SLACK_")):
            monkeypatch.delenv(name)
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in ELSEWHERE.items()), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_child_that_is_given_nothing_has_the_defaults_whatever_stands_in_dotenv(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A demo must never reach the database, the queue or the workspace of the bank whose folder it is started in."""
    monkeypatch.setenv("BETO_EXPERTS", "S0REAL")
    monkeypatch.setenv("beto_language", "en")  # pydantic reads it in any case
    (elsewhere := folder / "elsewhere").mkdir()
    defaults = settings_of_a_child(bare_environment(), elsewhere)
    assert settings_of_a_child(child_environment(None), folder) == defaults


def test_a_child_has_its_parents_settings_and_reads_no_dotenv_itself(folder: Path) -> None:
    """`beto up` read `.env` once; a file that is edited while it runs must not split its processes."""
    settings = BotSettings()
    environment = child_environment(settings, BETO_LANGUAGE="en")
    (folder / ".env").write_text("BETO_JUDGES=U0OTHER\nBETO_EXPERTS=S0OTHER\n", encoding="utf-8")
    read = settings_of_a_child(environment, folder)
    assert read["database_url"] == ELSEWHERE["BETO_DATABASE_URL"]
    assert read["slack_bot_token"] == "xoxb-real"
    assert (read["promotion"], read["retrain_after"], read["mask_personal"]) == ("ask", "3", "False")
    assert (read["judges"], read["experts"], read["language"]) == ("U0REAL", "", "en")


def test_every_variable_is_set_to_a_value_or_to_empty() -> None:
    """A variable that is left out is one that something else may fill."""
    environment = child_environment(None, BETO_HOME="/somewhere")
    known = {*variables().values(), "BETO_ENV_FILE"}
    assert {name for name in environment if name in known or name.startswith(("BETO_", "SLACK_"))} == known
    assert {name: value for name, value in environment.items() if name in variables().values() and value} == {
        "BETO_HOME": "/somewhere"
    }


def test_proxies_are_for_a_slack_that_is_not_on_this_machine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """slack_sdk takes them even for loopback; for the real Slack they may be the only way."""
    for name in PROXIES:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert not {*PROXIES} & {*bare_environment()}
    assert not {*PROXIES} & {*child_environment(None)}
    assert {*PROXIES} <= {*child_environment(BotSettings())}
    monkeypatch.setenv("SLACK_API_URL", "http://127.0.0.1:8765/api/")
    assert not {*PROXIES} & {*child_environment(BotSettings())}


@pytest.mark.parametrize("setting", [*BotSettings.model_fields])
def test_an_empty_variable_is_the_default_and_hides_dotenv(folder: Path, monkeypatch: pytest.MonkeyPatch, setting: str) -> None:
    """`BETO_HEALTH_PORT=` in a file of settings is what people write for "not set"."""
    monkeypatch.setenv(variables()[setting], "")
    assert getattr(BotSettings(), setting) == BotSettings.model_fields[setting].get_default()
    assert setting not in BotSettings().model_fields_set
