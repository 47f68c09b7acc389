"""The blocks that Slack has had since late 2025: their limits, where they may stand, and what a click on them says."""

from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.models import blocks as sdk
from slack_sdk.models.blocks.basic_components import FeedbackButtonObject
from slack_sdk.web.async_client import AsyncWebClient

from bot.simulator import blocks
from bot.simulator.errors import SlackError
from bot.simulator.person import Person
from bot.simulator.pytest_plugin import SimulatorThread
from tests.simulator.newer import (
    alert,
    cell,
    chart,
    container,
    data_table,
    names,
    number,
    part,
    pie,
    plain,
    plan,
    rich,
    row,
    task,
    thumb,
    thumbs,
)

GENERAL = "C0SIMUGENERAL"


@pytest.mark.parametrize(
    "shown",
    [
        row(thumbs(), *({"type": "icon_button", "icon": "trash", "text": plain("x"), "action_id": str(n)} for n in range(4))),
        row(thumbs(positive_button=thumb("a" * 75, value="v" * 2000, accessibility_label="l" * 75))),
        {"type": "table", "rows": [[cell()] * 20] * 100, "column_settings": [{"align": "right", "is_wrapped": True}, None]},
        data_table([[cell()] * 20] + [[number(1)] * 20] * 100, page_size=100, row_header_column_index=0),
        chart(names(20), *((f"s{n}", names(20)) for n in range(6)), title="t" * 50, x_label="x" * 50, y_label="y" * 50),
        pie(*[1] * 6),
        plan(*(task(str(n)) for n in range(50))),
        {
            "type": "task_card",
            **task(details=rich(), output=rich(), sources=[{"type": "url", "url": "https://a.b", "text": "a"}]),
        },
        container(*[{"type": "divider"}] * 10, is_collapsible=True, default_collapsed=True, width="full"),
        rich(part("rich_text_quote"), {"type": "rich_text_list", "style": "bullet", "elements": [part("rich_text_section")]}),
    ],
    ids=lambda shown: str(shown["type"]),
)
def test_a_block_up_to_its_limits_is_accepted(shown: dict[str, Any]) -> None:
    """A stricter simulator than Slack would make the bot poorer than it need be."""
    assert blocks.check_message([shown])[0]["type"] == shown["type"]


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (row(), "no fewer than 1"),
        (row(*[thumbs()] * 6), "no more than 5"),
        (row({"type": "button", "text": plain("x")}), "unsupported type: button"),
        ({"type": "actions", "elements": [thumbs()]}, "unsupported type: feedback_buttons"),
        (row(thumbs(positive_button=thumb("a" * 76))), "less than 76"),
        (row(thumbs(positive_button=thumb(accessibility_label="l" * 76))), "less than 76"),
        (row({key: value for key, value in thumbs().items() if key != "negative_button"}), "negative_button"),
        (row({"type": "icon_button", "icon": "star", "text": plain("x")}), "enum"),
        ({"type": "table", "rows": [[cell()]] * 101}, "no more than 100"),
        ({"type": "table", "rows": [[cell()] * 21]}, "no more than 20"),
        ({"type": "table", "rows": [[cell()], [cell(), cell()]]}, "as many cells"),
        ({"type": "table", "rows": [[cell("")]]}, "more than 0"),
        ({"type": "table", "rows": [[cell("a" * 2600)] * 4]}, "10000 characters"),
        (data_table([[cell()]]), "no fewer than 2"),
        (data_table([[cell()]] * 102), "no more than 101"),
        (data_table([[rich()], [cell()]]), "header row"),
        (data_table([[cell()]] * 2, page_size=101), "between 1 and 100"),
        ({key: value for key, value in data_table([[cell()]] * 2).items() if key != "caption"}, "caption"),
        (chart(["a"], ("s", ["b"])), "one value for each category"),
        (chart(["a", "b"], ("s", ["a"])), "one value for each category"),
        (chart(["a", "a"], ("s", ["a", "a"])), "categories must be unique"),
        (chart(["a"], ("s", ["a"]), ("s", ["a"])), "names of series"),
        (chart(names(21), ("s", names(21))), "no more than 20"),
        (chart(["a" * 21], ("s", ["a" * 21])), "less than 21"),
        (chart(["a"], *((f"s{n}", ["a"]) for n in range(7))), "no more than 6"),
        (chart(["a"], ("s", ["a"]), title="t" * 51), "less than 51"),
        (pie(1, 0), "must be positive"),
        (pie(*[1] * 7), "no more than 6"),
        (plan(task("1"), task("1")), "must be unique in its plan"),
        (plan(task(status="done")), "enum"),
        (plan(task(details={"type": "section", "text": plain("x")})), "unsupported type: section"),
        (container(*[{"type": "divider"}] * 11), "no more than 10"),
        (container(), "no fewer than 1"),
        (container(container({"type": "divider"})), "unsupported type: container"),
        (container(row(thumbs())), "unsupported type: context_actions"),
        (container({"type": "divider"}, default_collapsed=True), "needs is_collapsible"),
        (container({"type": "divider"}, is_collapsible=True, has_header_divider=True), "has_header_divider"),
        ({"type": "container", "child_blocks": [{"type": "divider"}]}, "title or rich_text_title"),
        (rich(part("rich_text_poem")), "unsupported type: rich_text_poem"),
        (rich(part("rich_text_quote", "")), "more than 0"),
    ],
)
def test_what_slack_refuses_is_refused(shown: dict[str, Any], why: str) -> None:
    """A block that works here and not in Slack is found by the people who were to read it."""
    with pytest.raises(SlackError) as refused:
        blocks.check_message([shown])
    assert refused.value.code == "invalid_blocks"
    assert why in str(refused.value.details["errors"])


@pytest.mark.parametrize(
    ("shown", "surfaces"),
    [
        (alert(level="warning"), {"modal"}),
        (row(thumbs()), {"message"}),
        (plan(task()), {"message"}),
        (data_table([[cell()]] * 2), {"message"}),
        (pie(1), {"message"}),
        ({"type": "table", "rows": [[cell()]]}, {"message", "home"}),
        (rich(), {"message", "modal", "home"}),
    ],
    ids=lambda shown: str(shown["type"]) if isinstance(shown, dict) else "",
)
def test_each_block_stands_where_slack_lets_it(shown: dict[str, Any], surfaces: set[str]) -> None:
    """The reference tells for each block on which surfaces there is any."""
    assert {surface for surface in ("message", "modal", "home") if stands(shown, surface)} == surfaces


def stands(shown: dict[str, Any], surface: str) -> bool:
    """Whether the simulator takes this block there."""
    try:
        if surface == "message":
            blocks.check_message([shown])
        else:
            title = {"title": plain("Título")} if surface == "modal" else {}
            blocks.check_view({"type": surface, "blocks": [shown], **title}, surface)
    except SlackError as error:
        return "unsupported type" not in str(error.details)
    return True


@pytest.mark.parametrize(
    ("shown", "why"), [([pie(1)] * 3, "only 2 charts"), ([{"type": "table", "rows": [[cell()]]}] * 2, "only 1 table")]
)
def test_of_some_blocks_a_message_takes_only_so_many(shown: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(SlackError) as refused:
        blocks.check_message(shown)
    assert why in str(refused.value.details["errors"])


def test_what_the_sdks_classes_build_is_taken() -> None:
    """They are written by those who know Slack best."""
    words = sdk.RichTextBlock(elements=[sdk.RichTextSectionElement(elements=[sdk.RichTextElementParts.Text(text="hola")])])
    built: list[sdk.Block] = [
        sdk.ContextActionsBlock(
            elements=[
                sdk.FeedbackButtonsElement(
                    action_id="f",
                    positive_button=FeedbackButtonObject(text="Sí", value="yes", accessibility_label="Bien"),
                    negative_button=FeedbackButtonObject(text="No", value="no"),
                ),
                sdk.IconButtonElement(action_id="i", icon="trash", text="Quitar", value="v", visible_to_user_ids=["U1"]),
            ]
        ),
        sdk.PlanBlock(title="Plan", tasks=[sdk.TaskCardBlock(task_id="1", title="Uno", status="complete").to_dict()]),
        sdk.TaskCardBlock(task_id="2", title="Dos", status="error", details=words.to_dict()),
        sdk.TableBlock(rows=[[{"type": "raw_text", "text": "a"}, {"type": "raw_number", "value": 1, "text": "1"}]]),
        sdk.ContainerBlock(title="Caja", child_blocks=[sdk.DividerBlock()], is_collapsible=True, default_collapsed=True),
        words,
    ]
    shown = [block.to_dict() for block in built]
    # A task of a plan says that it is one; with its type or without, Slack takes it.
    assert [each["type"] for each in blocks.check_message(shown)] == [block.type for block in built]
    alerted = {"type": "modal", "title": plain("T"), "blocks": [sdk.AlertBlock(text="Ojo", level="warning").to_dict()]}
    assert blocks.check_view(alerted, "modal")["blocks"][0]["type"] == "alert"


def test_what_is_wrong_is_told_with_its_place(slack: SimulatorThread) -> None:
    """`blocks.validate` needs no token, posts nothing, and points at each mistake."""
    client = WebClient(base_url=slack.environment["SLACK_API_URL"])
    assert client.blocks_validate(blocks=[pie(1)])["ok"]
    assert client.blocks_validate(message={"blocks": [plan(task())]})["ok"]
    modal = {"type": "modal", "title": plain("T"), "blocks": [alert()]}
    assert client.blocks_validate(view=modal)["ok"]
    with pytest.raises(SlackApiError) as refused:
        client.blocks_validate(blocks=[{"type": "divider"}, alert()])
    assert refused.value.response["error"] == "invalid_blocks"
    assert refused.value.response["errors"] == [
        {"pointer": "/blocks/1/type", "code": "failed_constraint", "message": "unsupported type: alert"}
    ]
    with pytest.raises(SlackApiError) as refused:
        client.blocks_validate(view={**modal, "blocks": [row(thumbs())]})
    assert refused.value.response["error"] == "invalid_view"
    both: dict[str, Any] = {"blocks": [], "view": modal}
    for wrong in ({}, both):
        with pytest.raises(SlackApiError) as refused:
            client.blocks_validate(**wrong)
        assert refused.value.response["error"] == "invalid_arguments"


async def test_a_thumb_tells_the_app_which_it_was_every_time() -> None:
    """Slack tells each click, and none that takes one back (slackapi/bolt-python#1435); other values cannot be sent."""
    slack = SimulatorThread()
    heard: list[dict[str, Any]] = []
    try:
        slack.simulator.clock.step(60)  # Slack's clock and ours differ; nothing waits yet
        token, url = slack.simulator.bot_token, slack.environment["SLACK_API_URL"]
        app = AsyncApp(client=AsyncWebClient(token=token, base_url=url))

        @app.action("f")
        async def on_thumb(ack: Any, body: dict[str, Any]) -> None:
            heard.append(body)
            await ack()

        handler = AsyncSocketModeHandler(app, slack.simulator.app_token)
        await handler.connect_async()
        try:
            async with Person(slack.url, "ana") as ana:
                await ana.invite("general", "beto")
                posted = await app.client.chat_postMessage(channel=GENERAL, text="x", blocks=[row(thumbs())])
                for value in ("yes", "yes", "no"):
                    assert await ana.action("f", channel="general", ts=posted["ts"], value=value)
                with pytest.raises(SlackError):
                    await ana.action("f", channel="general", ts=posted["ts"], value="maybe")
        finally:
            await handler.close_async()
    finally:
        slack.stop()
    actions = [body["actions"][0] for body in heard]
    assert [(each["type"], each["value"], each["text"]["text"]) for each in actions] == [
        ("feedback_buttons", "yes", "Sí"), ("feedback_buttons", "yes", "Sí"), ("feedback_buttons", "no", "No"),
    ]  # fmt: skip
    stamps = [posted["ts"], *(each["action_ts"] for each in actions)]
    assert stamps == sorted(set(stamps), key=float)  # on the clock of the messages, each later than the last
    assert len({body["trigger_id"] for body in heard}) == 3  # each may open a modal
    assert all(body["response_url"] for body in heard)


async def test_anybody_may_ask_what_is_valid(slack: SimulatorThread) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{slack.url}/api/blocks.validate", json={"blocks": [{"type": "blink"}]}) as response,
    ):
        answer = await response.json()
    assert (answer["ok"], answer["error"]) == (False, "invalid_blocks")
