"""The label guide in a canvas of a channel: one, the same one when asked again, and a clear word where there can be none."""

from pathlib import Path
from typing import Any

import pytest

from bot.slack.context import Call
from bot.slack.listeners import guide, labels
from bot.views import guide_blocks
from bot.views.texts import load_texts
from model.labels import Label, Taxonomy
from model.store.store import Store
from tests.slack.dispatching import a_context, inside, patient, published, slack, store
from tests.town import SimulatorThread

__all__ = ["inside", "patient", "published", "slack", "store"]

CHANNEL, LUIS, GUEST, OUTSIDE = "C0SIMUATENCION", "U0SIMULUIS", "U0SIMUCARLOS", "C0SIMURECLAMOS"
ES = load_texts("es")


def canvases(slack: SimulatorThread, channel: str = CHANNEL) -> list[Any]:
    return slack.simulator.apps[0].canvases.shown(slack.simulator.workspace.channels[channel])


@pytest.fixture
def ask(inside: SimulatorThread, store: Store, tmp_path: Path, published: list[str]) -> Any:
    context = a_context(inside, store, tmp_path, published)

    async def asked(words: str = "canvas", *, channel: str = CHANNEL, user: str = LUIS, by: Any = guide.show) -> str:
        said: str = await by(context, Call(channel=channel, user=user, rest=words, trigger_id="1.1", response_url=""))
        return said

    return asked


async def test_it_is_made_once_of_the_channels_labels_and_renewed_after(ask: Any, inside: SimulatorThread, store: Store) -> None:
    """By either word; only what the channel uses is told there; where somebody deleted it there is another."""
    assert await ask() == ES("canvas.made")
    (made,) = canvases(inside)
    assert made["title"] == "Guía de etiquetas"
    assert all(label.title in made["markdown"] for label in store.labels.current())
    store.channels.set_labels(CHANNEL, ("fraude",))
    assert await ask("lienzo", by=labels.show) == ES("canvas.renewed")
    (renewed,) = canvases(inside)
    assert renewed["id"] == made["id"]
    assert store.labels.current()["fraude"].title in renewed["markdown"]
    assert store.labels.current()["tarjeta"].title not in renewed["markdown"]
    inside.simulator.faults.fail_next("canvases.edit", "canvas_not_found")
    assert await ask() == ES("canvas.made")
    assert store.channels.canvas(CHANNEL) not in (None, made["id"])
    assert store.channels.mode(CHANNEL) == "mention"


async def test_two_who_ask_in_one_moment_leave_one(
    ask: Any, inside: SimulatorThread, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is taken away again."""
    before = {each["id"] for each in canvases(inside)}
    assert store.channels.keep_canvas(CHANNEL, "F1", instead_of=None) == "F1"
    assert store.channels.keep_canvas(CHANNEL, "F2", instead_of=None) == "F1"
    assert store.channels.keep_canvas(CHANNEL, "F2", instead_of="F1") == "F2"
    with monkeypatch.context() as patched:
        patched.setattr(store.channels, "canvas", lambda _channel: None)  # as it was a moment ago
        assert await ask() == ES("canvas.made")
    assert {each["id"] for each in canvases(inside)} == before
    assert store.channels.canvas(CHANNEL) == "F2"


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        ("missing_scope", ES("canvas.no_scope")),
        ("canvas_disabled_user_team", ES("canvas.none_here", code="`canvas_disabled_user_team`")),
        ("free_team_canvas_tab_already_exists", ES("canvas.none_here", code="`free_team_canvas_tab_already_exists`")),
    ],
)
async def test_where_there_can_be_none_the_reason_is_told(
    ask: Any, inside: SimulatorThread, store: Store, failure: str, told: str
) -> None:
    """Which of the two it is decides who can help: whoever runs the bot, or whoever pays for Slack."""
    inside.simulator.faults.fail_next("canvases.create", failure)
    assert await ask() == told
    assert store.channels.canvas(CHANNEL) is None


async def test_only_members_ask_and_only_where_the_bot_is(ask: Any, inside: SimulatorThread) -> None:
    """What stands in a channel for all is no guest's to choose."""
    since = len(inside.simulator.transcript)
    assert await ask(user=GUEST) == ES("command.guest")
    assert await ask(channel=OUTSIDE) == ES("ask.not_member", bot="beto")
    assert await ask(channel="D1") == ES("canvas.direct")
    assert [call for call in list(inside.simulator.transcript)[since:] if call.method.startswith("canvases")] == []


def test_what_people_wrote_of_a_label_stays_words() -> None:
    """No heading, no link, no mention, no table comes out of a description; and what does not fit is said to be left out."""
    hostile = "# Título\n- punto [enlace](https://x.ec) ![](@U123) **negrita** `código` | tabla | <!channel>"
    label = Label(name="a", title=hostile[:60], title_en="A", emoji="", description=hostile, examples=(hostile,))
    lines = guide_blocks.markdown(Taxonomy([label]), ES).split("\n")
    assert [line[:3] for line in lines if line.startswith(("#", "-"))] == ["## ", "- ✅"]
    assert "[enlace]" not in str(lines)
    assert "](" not in str(lines)
    long = hostile * 3
    many = Taxonomy([label.model_copy(update={"name": f"a{n}", "examples": (long,) * 5}) for n in range(900)])
    written = guide_blocks.markdown(many, ES)
    assert len(written) < 1_048_576
    assert written.endswith(ES("canvas.more"))
