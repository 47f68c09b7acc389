"""What the bot process wants said in Slack it asks for, by a row and a task: it says none of it itself."""

from pathlib import Path
from typing import Any

import pytest

from model.schema import Decided
from model.store.outbox_row import State, greeting_key, report_key, status_key
from model.store.runs import owner_name
from model.store.store import Store
from model.store.tables import metadata
from tests.outbox_rows import a_report, add_version
from tests.slack.dispatching import PERSON, TEAM, dispatcher, known, published, slack, surfaces
from tests.town import SimulatorThread

__all__ = ["known", "published", "slack"]

REPORT_TS = "1.000004"


def called(slack: SimulatorThread) -> list[str]:
    """What was said in Slack: who somebody is may be asked."""
    return [call.method for call in slack.simulator.transcript if call.method.startswith("chat.")]


@pytest.fixture
def reported(known: Store, trained_version: Path) -> int:
    """The run of `known` has ended with a version that waits for somebody's decision under its report."""
    number = add_version(known, trained_version, 1)
    owner = owner_name()
    known.runs.start(1, owner)
    assert known.runs.close(1, owner, "done", report=a_report(number))
    outbox = metadata.tables["outbox"]
    with known.database.writing() as connection:
        connection.execute(outbox.update().where(outbox.c.key == report_key(1)).values(ts=REPORT_TS, state=State.SHOWN))
    return number


def a_click(action: str) -> dict[str, Any]:
    return surfaces(TEAM)[f"{action} on {REPORT_TS}"]


async def test_an_invitation_is_saved_before_it_is_acknowledged_and_once(
    slack: SimulatorThread, known: Store, published: list[str], tmp_path: Path
) -> None:
    """Slack sends the event again when it got no acknowledgement in time; the channel must be greeted once."""
    dispatch, before = dispatcher(slack, known, tmp_path, published), called(slack)
    joined = next(body for name, body in surfaces(TEAM).items() if "member_joined_channel" in name)
    for _ in range(2):
        assert (await dispatch(joined)).status == 200
    row = known.outbox.get(greeting_key("C1", "9.000001"))
    assert row is not None
    assert (row.channel, row.state) == ("C1", State.DUE)
    assert published == ["bot.deliver", "bot.deliver"]
    assert called(slack) == before


async def test_a_promotion_is_recorded_and_its_report_rendered_by_others(
    slack: SimulatorThread, known: Store, published: list[str], tmp_path: Path, reported: int
) -> None:
    """532ec3a rendered the report in the bot process: without links, and where that failed the person was told that nothing
    was promoted."""
    before = called(slack)
    assert (await dispatcher(slack, known, tmp_path, published)(a_click("run_promote"))).status == 200
    live, run = known.registry.live(), known.runs.get(1)
    assert live is not None
    assert live.number == reported
    assert run is not None
    for key in (report_key(1), status_key(1)):
        row = known.outbox.get(key)
        assert row is not None
        assert row.state is State.DUE
    assert published == ["bot.deliver", "bot.deliver"]
    assert called(slack) == before


async def test_going_back_is_what_the_button_says_or_nothing(
    slack: SimulatorThread, known: Store, published: list[str], tmp_path: Path, reported: int, trained_version: Path
) -> None:
    """After an automatic promotion the report offered no way back; and a click must never do other than what stood there."""
    for _ in range(2):
        add_version(known, trained_version)
    registry, dispatch = known.registry, dispatcher(slack, known, tmp_path, published)
    registry.promote(reported + 1, by="U1", reason="before")
    registry.promote(reported, by="U1", reason="run 1: micro-F1 0.8")

    def live() -> int:
        version = registry.live()
        assert version is not None
        return version.number

    async def click() -> None:
        """Once the report shows what is so."""
        claim = known.outbox.claim(report_key(1), "test", 60)
        if claim is not None:
            known.outbox.record(report_key(1), "test", wanted=claim.row.wanted, ts=REPORT_TS, before=REPORT_TS)
        await dispatch(a_click("run_go_back"))

    await dispatch(a_click("run_go_back"))
    assert live() == reported  # what stands there is of before the promotion
    await click()
    assert live() == reported + 1
    assert registry.standing(reported).by == PERSON
    await click()
    assert live() == reported + 1  # the version does not answer, so there is nothing to go back from
    registry.promote(reported + 2, by="U1", reason="another")
    registry.promote(reported, by="U1", reason="again")
    await click()
    assert live() == reported + 2


async def test_keeping_the_version_before_is_recorded_too(
    slack: SimulatorThread, known: Store, published: list[str], tmp_path: Path, reported: int
) -> None:
    """Whoever reads the report later must see that somebody decided."""
    assert reported
    await dispatcher(slack, known, tmp_path, published)(a_click("run_keep"))
    run = known.runs.get(1)
    assert run is not None
    assert run.decided == Decided("kept", PERSON)
    assert known.registry.live() is None
    assert published == ["bot.deliver", "bot.deliver"]
