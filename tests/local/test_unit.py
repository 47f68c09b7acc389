"""The systemd unit: what it starts exists, its limits fit the product's, and systemd takes it."""

import configparser
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bot.cli import beto
from bot.local.supervisor import STOP_WITHIN_S
from bot.settings import variables

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "beto.service"


def section(name: str) -> configparser.SectionProxy:
    parser = configparser.RawConfigParser(strict=True)  # a name that is there twice is a mistake of ours
    parser.optionxform = str  # type: ignore[method-assign,assignment]  # names keep their case
    parser.read(UNIT, encoding="utf-8")
    return parser[name]


def test_the_unit_starts_a_command_that_there_is_and_waits_for_as_long_as_it_takes_to_stop() -> None:
    """systemd kills what has not ended by then, in the middle of a reply."""
    service = section("Service")
    program, command = shlex.split(service["ExecStart"])
    assert program == f"{service['WorkingDirectory']}/.venv/bin/beto"
    assert command in beto.commands
    assert int(service["TimeoutStopSec"]) > STOP_WITHIN_S
    assert service["KillMode"] == "mixed"  # `beto up` alone is asked, and stops the others in order


def test_what_the_unit_sets_is_a_setting_of_ours_or_of_the_hubs_client() -> None:
    """A misspelt variable in a unit is the last that anybody looks at."""
    names = {each.split("=")[0] for each in section("Service")["Environment"].split()}
    assert {name for name in names if name.startswith("BETO_")} <= set(variables().values())
    assert names >= {"BETO_HOME", "HF_HOME"}


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    """`systemd-analyze verify` names settings that systemd does not know, and programs that are not there."""
    here = tmp_path / UNIT.name
    # The program that is installed on this machine, in place of the one that will be.
    text = UNIT.read_text(encoding="utf-8").replace("/opt/beto-bot/.venv/bin/beto", sys.executable)
    here.write_text(text, encoding="utf-8")
    done = subprocess.run(["systemd-analyze", "verify", here], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
