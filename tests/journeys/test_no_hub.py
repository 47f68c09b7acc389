"""The first day of somebody who reaches no model hub, from `beto doctor` to the first labels: told at each step, never silent."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.simulator.person import Person
from bot.simulator.pytest_plugin import SimulatorThread
from bot.views.texts import load_texts
from model.settings import BASES_WITHOUT_HUB, PRODUCTION_BASE
from tests.terminal import beto, started
from tests.town import until

ES = load_texts("es")
WAY_OUT = f"BETO_BASE={BASES_WITHOUT_HUB[0]}"
# Ten times what mini takes on two idle cores.
TRAINED_WITHIN_S = 900


@pytest.fixture(scope="module")
def slack() -> Iterator[SimulatorThread]:
    thread = SimulatorThread(rate_limits=False)
    yield thread
    thread.stop()


@pytest.fixture
def nowhere(slack: SimulatorThread, tmp_path: Path) -> dict[str, str]:
    """The environment of a machine behind a firewall: Slack can be reached, and no hub. Port 9 of loopback refuses."""
    return {**slack.environment, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hub")}


async def answer_to(person: Person, words: str) -> str:
    """What `/beto WORDS` shows this person."""
    changes = person.changes()
    assert await person.command("atencion", "/beto", words)
    change = await until(changes, lambda change: change["type"] == "message" and change["message"].get("ephemeral"))
    changes.close()
    return str(change["message"]["text"])


async def test_without_a_hub_each_step_says_what_is_wrong_and_the_way_out_leads_to_labels(
    nowhere: dict[str, str], slack: SimulatorThread, tmp_path: Path
) -> None:
    """A bank behind a proxy meets exactly this first: everything looked healthy, and nothing ever came."""
    home = tmp_path / "home"
    reason = f"{PRODUCTION_BASE!r} is not on this machine and http://127.0.0.1:9 cannot be reached"

    said = beto("doctor", home=home, **nowhere)
    assert said.status == 1
    assert f"FAIL  model      no version yet, and none can be trained: {reason}" in said.out
    assert WAY_OUT in said.out

    async with Person(slack.url, "ana") as ana:
        with started("up", home=home, **nowhere) as up:
            up.wait_for("The bot hears Slack", 90)
            up.wait_for("The first training failed (run 1", 60)
            assert reason in up.text
            assert WAY_OUT in up.text
            assert "the trainer goes on asking" in up.text
            status = await answer_to(ana, "estado")
            assert ES("first.failed_base") in status
            assert WAY_OUT in status
            assert ES("first.failed_base") in await answer_to(ana, "clasifica perdí la tarjeta")
            await ana.invite("atencion", slack.simulator.workspace.bot_user_id)
            changes = ana.changes()
            ts = await ana.message("atencion", "@beto el cajero se tragó mi tarjeta")
            told = await until(changes, lambda change: change["type"] == "message" and change["message"].get("ephemeral"))
            assert ES("first.failed_base") in told["message"]["text"]
            await ana.home()
            shown = await until(changes, lambda change: change["type"] == "home" and change["view"])
            assert ES("first.failed_base") in str(shown["view"])
            assert "FAIL  model" in beto("doctor", home=home, **nowhere).out
            assert up.end(signal.SIGTERM, within_s=60) == 0  # the worker waits for a version with the message in hand

    # A few steps are enough to answer, rightly or not.
    with started("up", home=home, BETO_BASE="mini", BETO_TRAIN_WITHIN_MIN="0.03", **nowhere) as up:
        up.wait_for("trains the first from mini", 120)
        up.wait_for("Version 1 (mini) is trained.", TRAINED_WITHIN_S)
        async with Person(slack.url, "ana") as ana:
            reply = await ana.wait_for_reply("atencion", ts, 60)  # what was asked before is answered now
            assert "mini · versión 1" in str(reply["blocks"])
            assert "versión 1" in await answer_to(ana, "estado")
        assert up.end(signal.SIGTERM, within_s=60) == 0
