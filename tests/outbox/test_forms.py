"""Blocks in two forms: the workspace's Slack decides which is shown, and everybody has a whole message either way."""

from typing import Any

import pytest
import redis
from slack_sdk.errors import SlackApiError

from bot import forms
from bot.forms import Forms, NoClassicForm
from bot.locks import TtlLock
from bot.outbox.context import OutboxContext
from bot.outbox.executor import deliver
from bot.simulator.blocks import check_view
from bot.simulator.errors import Json
from bot.simulator.server import Simulator
from bot.slack.context import slack_client
from bot.views import blocks, correction_blocks
from bot.views.native import Native, classic_form
from model.labels import seed_taxonomy
from model.schema import Message, Prediction, Source
from model.store.outbox_row import State, picture_key, reply_key, report_key, status_key
from model.store.predictions import NewPrediction
from model.store.runs import owner_name
from tests.outbox_rows import a_report

CHANNEL = "C0SIMUATENCION"
ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
THUMBS: Json = {"type": "context_actions", "elements": [{
    "type": "feedback_buttons", "action_id": "f",
    "positive_button": {"text": {"type": "plain_text", "text": "Sí"}, "value": "y"},
    "negative_button": {"text": {"type": "plain_text", "text": "No"}, "value": "n"},
}]}  # fmt: skip
CLASSIC: Json = {"type": "section", "text": {"type": "plain_text", "text": "clásico"}}
BROKEN: Json = {"type": "context_actions", "elements": []}


@pytest.fixture
def ts(context: OutboxContext, replies_slack: Simulator) -> str:
    """A message of Ana's that is predicted; its place."""
    workspace = replies_slack.workspace
    ts = str(workspace.post_as_person(workspace.user("ana"), workspace.channel(CHANNEL), "me robaron")["ts"])
    message_id, _ = context.store.messages.save(
        Message(channel=CHANNEL, ts=ts, user="U0SIMUANA", text="me robaron", source=Source.CHANNEL)
    )
    said = Prediction(version=1, base="mini", scores={"fraude": 0.97, "tarjeta": 0.9}, labels=("fraude", "tarjeta"))
    context.store.predictions.save([NewPrediction(message_id, 1, said, 0.1)])
    return ts


def delivered(context: OutboxContext, slack: Simulator, ts: str) -> list[str]:
    """The types of the reply's blocks, once it was delivered."""
    stored = context.store.messages.find(CHANNEL, ts)
    assert stored is not None
    deliver(context, reply_key(stored.id))
    row = context.store.outbox.get(reply_key(stored.id))
    assert row is not None
    assert (row.state, row.ts is None) == (State.SHOWN, False)
    replies = [each for each in slack.workspace.channel(CHANNEL).messages.values() if each.get("thread_ts") == ts]
    [reply] = [each for each in replies if each["ts"] != ts]
    return [block["type"] for block in reply["blocks"]]


def posts(slack: Simulator) -> list[str]:
    """What came of each post that was tried."""
    return [call.outcome for call in slack.wire if call.name == "chat.postMessage"]


@ON_SQLITE
def test_a_reply_has_thumbs_where_slack_takes_them(context: OutboxContext, replies_slack: Simulator, ts: str) -> None:
    assert "context_actions" in delivered(context, replies_slack, ts)
    assert posts(replies_slack) == ["ok"]


@ON_SQLITE
def test_where_slack_refuses_them_the_reply_has_buttons_and_nobody_asks_again_today(
    context: OutboxContext, replies_slack: Simulator, ts: str
) -> None:
    """A workspace that has no such blocks yet must not pay two calls for every reply, in any of the processes."""
    replies_slack.faults.fail_next("chat.postMessage", "invalid_blocks")
    assert delivered(context, replies_slack, ts).count("actions") == 1
    assert posts(replies_slack) == ["invalid_blocks", "ok"]
    # Another process, the bot's, knows it from Redis.
    other = Forms(TtlLock(context.settings.redis_url))
    call = {"json": {"channel": CHANNEL, "blocks": [Native(THUMBS, CLASSIC), Native({"type": "actions", "elements": []})]}}
    assert other.plan(call).first["json"]["blocks"] == [CLASSIC]
    chart = Native({"type": "data_visualization"}, CLASSIC)
    assert other.plan({"json": {"blocks": [chart]}}).first["json"]["blocks"] == [chart]  # of this nobody knows


@ON_SQLITE
@pytest.mark.parametrize("replies_settings", [{"BETO_SCREENS": "classic"}], indirect=True)
def test_whoever_chooses_the_classic_form_has_it_for_ever(context: OutboxContext, replies_slack: Simulator, ts: str) -> None:
    assert delivered(context, replies_slack, ts).count("actions") == 1
    assert posts(replies_slack) == ["ok"]


@ON_SQLITE
def test_what_is_remembered_ends_with_the_day_and_with_the_release(
    context: OutboxContext, replies_slack: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workspace gets new blocks some day, and a release may have mended what was refused."""
    call = {"channel": CHANNEL, "text": "x", "blocks": [Native(BROKEN, CLASSIC)]}
    for _ in range(2):
        context.slack.chat_postMessage(**call)
    assert posts(replies_slack) == ["invalid_blocks", "ok", "ok"]
    known = redis.Redis.from_url(context.settings.redis_url)
    [key] = known.keys("*classic/*")
    assert 0 < known.pttl(key) <= forms.REMEMBERED_S * 1000
    monkeypatch.setattr(forms, "version", lambda _: "9.9.9")
    assert Forms(context.locks).plan({"json": call}).first["json"]["blocks"] == [BROKEN]
    known.delete(key)  # the day is over
    context.slack.chat_postMessage(**call)
    assert posts(replies_slack)[3:] == ["invalid_blocks", "ok"]


@ON_SQLITE
@pytest.mark.parametrize("error", ["channel_not_found", "not_in_channel", "msg_too_long"])
def test_another_refusal_says_nothing_of_the_form(context: OutboxContext, replies_slack: Simulator, error: str) -> None:
    """Two calls for what no form would mend, and a workspace without thumbs for a day, would be the price."""
    replies_slack.faults.fail_next("chat.postMessage", error)
    with pytest.raises(SlackApiError, match=error):
        context.slack.chat_postMessage(channel=CHANNEL, text="x", blocks=[Native(THUMBS, CLASSIC)])
    posted = context.slack.chat_postMessage(channel=CHANNEL, text="x", blocks=[Native(THUMBS, CLASSIC)])
    assert posted["message"]["blocks"][0]["type"] == "context_actions"


@ON_SQLITE
def test_what_has_no_classic_form_is_left_to_whoever_knows_another_way(context: OutboxContext, replies_slack: Simulator) -> None:
    """A chart, say, in place of which a picture is uploaded: refused once, and then not even tried."""
    for _ in range(2):
        with pytest.raises(NoClassicForm):
            context.slack.chat_postMessage(channel=CHANNEL, text="x", blocks=[Native(BROKEN)])
    assert posts(replies_slack) == ["invalid_blocks"]


@ON_SQLITE
async def test_a_modal_has_two_forms_too(context: OutboxContext, replies_slack: Simulator) -> None:
    """What the bot process opens goes the same way; an acknowledgement hears of no refusal, so it has what was taken before."""
    client = slack_client(context.settings)
    shown = [Native({"type": "alert", "text": {"type": "plain_text", "text": "Ojo"}, "level": "warning"}, CLASSIC)]
    view: dict[str, Any] = {"type": "modal", "title": {"type": "plain_text", "text": "T"}, "blocks": shown}
    assert client.forms.unasked(view)["blocks"] == [CLASSIC]
    opened = await client.views_open(trigger_id=replies_slack.views.new_trigger("U0SIMUANA"), view=view)
    assert opened["view"]["blocks"][0]["type"] == "alert"
    assert client.forms.unasked(view)["blocks"][0]["type"] == "alert"
    replies_slack.faults.fail_next("views.update", "invalid_arguments")
    updated = await client.views_update(view_id=opened["view"]["id"], view=view)
    assert updated["view"]["blocks"][0]["type"] == "section"
    assert client.forms.unasked(view)["blocks"] == [CLASSIC]


@ON_SQLITE
@pytest.mark.parametrize("screens", ["native", "classic"])
def test_quoted_words_are_a_quotation_of_slacks_where_nobody_wants_the_classic_form(
    context: OutboxContext, screens: forms.Screens
) -> None:
    """Every workspace takes them, so nothing need be asked; what somebody wrote is never read as markup."""
    modal = correction_blocks.labels_modal(
        "<!channel> *no*", (), None, seed_taxonomy(), context.texts, metadata="{}", warning="ojo"
    )
    chosen = Forms(context.locks, screens)
    assert chosen.matter({"json": {"view": modal}})
    shown = chosen.plan({"json": {"view": modal}}).first["json"]["view"]["blocks"]
    assert [block["type"] for block in shown[:2]] == (["alert", "rich_text"] if screens == "native" else ["section", "section"])
    check_view(modal | {"blocks": shown}, "modal")
    assert "<!channel>" not in str([block for block in shown if block["type"] == "section"])


def test_the_classic_form_is_what_it_was_before_there_was_another() -> None:
    """Forms may be in one another; what is in one form stays as it is, in its order."""
    nested = Native(THUMBS, Native(BROKEN, CLASSIC), CLASSIC)
    assert classic_form([CLASSIC, nested, Native(THUMBS), blocks.section("x")]) == [
        CLASSIC, CLASSIC, CLASSIC, blocks.section("x")
    ]  # fmt: skip


@ON_SQLITE
@pytest.mark.parametrize("refused", [False, True])
def test_a_reports_scores_are_a_chart_or_a_picture_and_never_both(
    context: OutboxContext, replies_slack: Simulator, refused: bool
) -> None:
    """Whoever reads on a telephone, by ear or in the dark has more of a chart; a workspace without any has the picture."""
    runs, owner = context.store.runs, owner_name()
    run_id, _ = runs.open("U0SIMUANA", channel=CHANNEL)
    assert runs.start(run_id, owner)
    assert runs.close(run_id, owner, "done", report=a_report(2))
    deliver(context, status_key(run_id))
    if refused:
        replies_slack.faults.fail_next("chat.postMessage", "invalid_blocks")
    for _ in range(2):
        deliver(context, picture_key(run_id))
    deliver(context, report_key(run_id))
    row = context.store.outbox.get(picture_key(run_id))
    assert row is not None
    assert row.state is State.SHOWN
    thread = [each for each in replies_slack.workspace.channel(CHANNEL).messages.values() if "thread_ts" in each]
    types = [block["type"] for message in thread for block in message.get("blocks") or ()]
    assert sum(len(message.get("files") or ()) for message in thread) == int(refused)
    assert [types.count(each) for each in ("data_visualization", "data_table")] == ([0, 0] if refused else [1, 1])
    assert "actions" in types  # the report's own, after it
