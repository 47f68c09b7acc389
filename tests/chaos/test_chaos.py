"""Everything dies and Slack misbehaves, and still each message has exactly one right answer.

The short form of `python -m tests.bench chaos`; the long ones are `python -m tests.bench chaos --messages 20000 --gestures 10000
--kills 200 --retrainings 10`, once as it is and once with `--postgres --twice`.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from bot.simulator.server import Simulator
from model.schema import Message, Source
from model.store.store import Store
from tests.chaos.evaluation import evaluate
from tests.chaos.expected_state import ExpectedState
from tests.chaos.plan import Plan
from tests.chaos.run import run

WITHOUT = os.environ.get("BETO_CHAOS_WITHOUT_ALL")


@pytest.mark.usefixtures("postgres_server")  # for its word on a missing PostgreSQL
def test_two_of_each_process_on_postgresql_answer_every_message_once_whatever_dies(trained_version: Path) -> None:
    """Nobody watches the machine at night: kills, freezes, an emptied Redis, cut and deaf sockets, a Slack that fails."""
    plan = Plan(messages=60, gestures=30, kills=10, retrainings=0, twice=True, postgres=True)
    found = run(plan, trained_version)
    assert is_right(found), (found["calm"], found["examples"], found["logs"])
    assert found["kills"] == plan.kills
    assert found["disturbances"]["socket deaf"] == 2


async def test_the_evaluation_tells_a_lost_message_from_one_that_somebody_deleted(simulator: Simulator, tmp_path: Path) -> None:
    """A bot that dies after it saved a deletion, and before it said so, is right all the same."""
    store = Store(f"sqlite:///{tmp_path / 'beto.db'}", tmp_path)
    store.migrate()
    expected, workspace = ExpectedState(simulator), simulator.workspace
    channel, ana = workspace.channel("general"), workspace.user("ana")
    for text in ("se pierde", "se borra"):
        ts = workspace.post_as_person(ana, channel, text)["ts"]
        expected.wrote(channel.id, ts)
        expected.heard.setdefault("message", []).append({"channel": channel.id, "ts": ts, "text": text})
        message = Message(channel=channel.id, ts=ts, user=ana.id, text=text, source=Source.CHANNEL)
        store.messages.save(message)
    workspace.delete(channel, ts, ana.id)
    expected.gone.add((channel.id, ts))
    store.messages.delete(channel.id, ts)
    found = evaluate(store, tmp_path, workspace, expected)
    assert found["lost"] == 1
    assert "se pierde" in found["examples"][0]
    store.close()


def is_right(found: dict[str, Any]) -> bool:
    """Return whether it came to rest with nothing lost, doubled or wrong."""
    return bool(found["calm"]) and found["wrong"] == 0


@pytest.mark.skipif(not WITHOUT, reason="the long form: BETO_CHAOS_WITHOUT_ALL=1, a minute or two each")
@pytest.mark.parametrize("safeguard", ["claim", "sweep", "natural key", "look-up"])
def test_the_harness_sees_that_a_safeguard_is_gone(trained_version: Path, safeguard: str) -> None:
    """A harness that never complains proves nothing."""
    plan = Plan(messages=250, gestures=150, kills=10, share=0.08, retrainings=0, without=safeguard, drain_within_s=60)
    assert not is_right(run(plan, trained_version))
