"""`beto doctor --screens`: every kind of screen is such as Slack takes, and a mistake is told with its place."""

from pathlib import Path

import pytest

from bot.local import screens
from bot.local.ports import free_port
from bot.local.slack_checks import CheckFailed
from bot.settings import BotSettings
from bot.simulator.blocks import check_message, check_view
from bot.simulator.errors import SlackError
from bot.simulator.pytest_plugin import SimulatorThread
from bot.views.texts import Texts, load_texts
from tests.terminal import beto


@pytest.mark.parametrize("language", ["es", "en"])
def test_every_screen_is_such_as_slack_takes_in_both_forms(language: str) -> None:
    """A hundred and twenty labels with the longest names, a message of forty thousand signs, and no label at all."""
    names, wrong = [], []
    for name, what, payload in screens.screens(load_texts(language)):
        names.append(name)
        try:
            if what == "message":
                check_message(payload["blocks"])
            else:
                check_view(payload, payload["type"])
        except SlackError as error:
            wrong.append(f"{name}: {error.code} {error.details}")
    assert wrong == []
    asked = {
        "details of a run, many labels",
        "retire a label, many labels",
        "merge a label, few labels",
        "forget, few labels, classic",
    }
    assert asked <= {*names}
    assert {"reply, many labels", "reply, many labels, classic", "labels, many labels, classic", "home, none labels"} <= {*names}


def test_slack_is_asked_about_each_and_its_mistakes_are_told(
    slack: SimulatorThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator's workspace may differ from the one that we know: what it would refuse is seen before people miss it."""

    def two(texts: Texts) -> list[screens.Screen]:
        assert texts.language in {"es", "en"}
        return [
            ("good", "message", {"text": "x", "blocks": [{"type": "divider"}]}),
            ("bad", "message", {"text": "x", "blocks": [{"type": "divider"}, {"type": "blink"}]}),
        ]

    settings = BotSettings(home=tmp_path, slack_api_url=f"{slack.url}/api/")
    monkeypatch.setattr(screens, "screens", two)
    with pytest.raises(CheckFailed, match=r"bad \(es\): unsupported type: blink at /blocks/1/type"):
        screens.check_screens(settings)
    monkeypatch.setattr(screens, "screens", lambda texts: two(texts)[:1])
    assert screens.check_screens(settings).startswith("2 screens")
    away = BotSettings(home=tmp_path, slack_api_url=f"http://127.0.0.1:{free_port()}/api/")
    with pytest.raises((CheckFailed, OSError)):
        screens.check_screens(away)


def test_the_doctor_looks_at_screens_when_asked(slack: SimulatorThread, tmp_path: Path) -> None:
    """It needs neither token nor model for it."""
    said = beto("doctor", "--screens", home=tmp_path, SLACK_API_URL=f"{slack.url}/api/")
    assert "  ok    screens    " in said.out
