"""Block Kit's limits, as Slack enforces them."""

from typing import Any

import pytest

from bot.simulator import blocks
from bot.simulator.errors import SlackError


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def section(text: str = "hola") -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def button(**fields: Any) -> dict[str, Any]:
    return {"type": "button", "text": plain("Sí"), **fields}


def option(value: str) -> dict[str, Any]:
    return {"text": plain("Uno"), "value": value}


def select(**fields: Any) -> dict[str, Any]:
    return {"type": "static_select", "action_id": "s", "options": [option("1")], **fields}


def actions(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements)}


def field(**fields: Any) -> dict[str, Any]:
    element = {"type": "plain_text_input", "action_id": "a"}
    return {"type": "input", "block_id": "b", "label": plain("Texto"), "element": element, **fields}


def modal(*shown: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"type": "modal", "title": plain("Título"), "submit": plain("Guardar"), "blocks": list(shown), **fields}


@pytest.mark.parametrize(
    "shown",
    [
        [section("a" * 3000)],
        [{"type": "divider"}] * 50,
        [actions(*(button(action_id=str(n)) for n in range(25)))],
        [actions(button(value="v" * 2000))],
        [actions(select(options=[option(str(n)) for n in range(100)], initial_option=option("7")))],
        [{"type": "context", "elements": [{"type": "mrkdwn", "text": "v1"}] * 10}],
        [{"type": "header", "text": plain("h" * 150)}],
        [{**section(), "accessory": {"type": "overflow", "action_id": "o", "options": [option("1")]}}],
        [{"type": "section", "fields": [plain("a")] * 10}],
    ],
)
def test_blocks_up_to_the_limit_are_accepted(shown):
    """A stricter simulator than Slack would make the bot poorer than it need be."""
    assert len(blocks.check_message(shown)) == len(shown)


@pytest.mark.parametrize(
    "shown",
    [
        [section("a" * 3001)],
        [section("")],
        [{"type": "divider"}] * 51,
        [actions(*(button(action_id=str(n)) for n in range(26)))],
        [actions()],
        [actions(button(value="v" * 2001))],
        [actions(button(text=plain("t" * 76)))],
        [actions(button(text={"type": "mrkdwn", "text": "no"}))],
        [actions(button(action_id="a" * 256))],
        [actions(button(style="green"))],
        [actions(button(action_id="same"), button(action_id="same"))],
        [actions(select(options=[option(str(n)) for n in range(101)]))],
        [actions(select(initial_option=option("gone")))],
        [actions(select(options=[{"text": plain("t" * 76), "value": "1"}]))],
        [actions({"type": "static_select", "action_id": "s"})],
        [actions({"type": "marquee"})],
        [{"type": "context", "elements": [{"type": "mrkdwn", "text": "v1"}] * 11}],
        [{"type": "context", "elements": [button()]}],
        [{"type": "header", "text": plain("h" * 151)}],
        [{"type": "section"}],
        [{"type": "section", "fields": [plain("a")] * 11}],
        [{**section(), "colour": "red"}],
        [{**section(), "block_id": "same"}, {**section(), "block_id": "same"}],
        [{"type": "blink"}],
        ["text"],
        [None],
    ],
)
def test_blocks_beyond_the_limit_are_refused(shown):
    """What Slack refuses in production must fail in our tests first."""
    with pytest.raises(SlackError) as refused:
        blocks.check_message(shown)
    assert refused.value.code == "invalid_blocks"
    assert refused.value.details["response_metadata"]["messages"]


def test_blocks_that_are_no_list_have_another_error():
    """The reference tells malformed from invalid."""
    with pytest.raises(SlackError, match="invalid_blocks_format"):
        blocks.check_message({"type": "section"})


def test_many_long_blocks_are_too_long_together():
    """Slack counts all blocks of a message, and does not say so in its documentation."""
    with pytest.raises(SlackError, match="msg_blocks_too_long"):
        blocks.check_message([section("a" * 2900)] * 5)


def test_ids_and_flags_are_filled_in_without_touching_what_was_given():
    """Payloads carry ids even where the app gave none; the app's own dict stays its own."""
    given = [actions(button(), button())]
    (stored,) = blocks.check_message(given)
    assert stored["block_id"]
    assert len({one["action_id"] for one in stored["elements"]}) == 2
    assert stored["elements"][0]["text"] == {"type": "plain_text", "text": "Sí", "emoji": True}
    assert given == [actions(button(), button())]


@pytest.mark.parametrize(
    "view",
    [
        modal(title=plain("t" * 25)),
        modal(*([{"type": "divider"}] * 101)),
        modal(private_metadata="m" * 3001),
        modal(callback_id="c" * 256),
        modal(field(), field()),
        modal(colour="red"),
        {"type": "modal", "title": plain("T"), "blocks": [field()]},
        {"type": "home", "blocks": []},
        {"type": "modal", "blocks": []},
        "view",
    ],
)
def test_views_beyond_the_limit_are_refused(view):
    """views.open answers invalid_arguments with the reasons."""
    with pytest.raises(SlackError, match="invalid_arguments"):
        blocks.check_view(view, "modal")


def test_a_view_above_250_kb_has_its_own_error():
    """The reference names it."""
    with pytest.raises(SlackError, match="view_too_large"):
        blocks.check_view(modal(*({"type": "markdown", "text": "a" * 12_000} for _ in range(22))), "modal")


def test_a_view_is_stored_with_all_its_fields():
    """Bolt and apps read private_metadata, callback_id and the rest without asking whether they are there."""
    stored = blocks.check_view(modal(field()), "modal")
    assert stored["private_metadata"] == stored["callback_id"] == stored["external_id"] == ""
    assert stored["clear_on_close"] is stored["notify_on_close"] is False
    assert stored["blocks"][0]["optional"] is False
