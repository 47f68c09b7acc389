"""The emoji that the bot puts on messages: noted before they are there, and taken off what is to be forgotten."""

from pathlib import Path

import pytest

from bot.errors import StartRefused
from bot.outbox import erasure
from bot.outbox.context import OutboxContext, build_context
from bot.outbox.process import put_reaction, take_reactions_off
from bot.simulator.errors import Json
from bot.simulator.server import Simulator
from bot.simulator.workspace import Workspace
from model.labels import Label, LabelEvent
from model.store.store import Store
from tests.outbox.replying import CHANNEL, ON_SQLITE, a_predicted_message, reply, reply_now, said_by_ana
from tests.town import wait_until

LIKELY = {"credit_card": "tarjeta", "iphone": "app"}


@pytest.fixture
def published(context: OutboxContext, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[object, ...], float]]:
    """What is put on the queue: the task, its arguments, and the seconds until it is due."""
    found: list[tuple[str, tuple[object, ...], float]] = []

    def note(_: OutboxContext, signature: Json, *, countdown_s: float = 0.0) -> None:
        found.append((signature["task"], tuple(signature["args"]), countdown_s))

    monkeypatch.setattr(OutboxContext, "publish", note)
    return found


def ours_on(context: OutboxContext, ts: str) -> set[str]:
    message = context.slack.conversations_replies(channel=CHANNEL, ts=ts)["messages"][0]
    return {each["name"] for each in message.get("reactions", ()) if "U0SIMUBETO" in each["users"]}


def an_offered_message(context: OutboxContext, workspace: Workspace) -> tuple[int, str]:
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(context.store, ts)
    context.store.messages.set_offered(message_id, LIKELY)
    for emoji in LIKELY:
        put_reaction(context, CHANNEL, ts, emoji)
    assert ours_on(context, ts) == set(LIKELY)
    return message_id, ts


def test_what_the_bot_puts_on_a_message_is_noted_with_its_label_first(
    context: OutboxContext, workspace: Workspace, published: list[tuple[str, tuple[object, ...], float]]
) -> None:
    """A tap on it is an answer from the first moment on, whoever dies in between."""
    context.store.channels.set_seeds(CHANNEL, True)
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(context.store, ts)
    reply(context, message_id)
    stored = context.store.messages.get(message_id)
    assert stored is not None
    assert stored.offered == LIKELY
    assert [each[:2] for each in published] == [("bot.seed", (CHANNEL, ts, emoji)) for emoji in LIKELY]


@ON_SQLITE
@pytest.mark.parametrize(
    "replies_settings", [{"BETO_LABEL_EMOJI": "tarjeta=visa,app=", "BETO_SIGNS": "correct=yes"}], indirect=True
)
@pytest.mark.usefixtures("published")
def test_a_workspaces_own_emoji_are_put_and_shown(context: OutboxContext, workspace: Workspace) -> None:
    """And an emoji that the workspace does not have after all costs nobody anything."""
    context.store.channels.set_seeds(CHANNEL, True)
    ts = said_by_ana(workspace)
    message_id = a_predicted_message(context.store, ts)
    reply(context, message_id)
    stored = context.store.messages.get(message_id)
    assert stored is not None
    assert stored.offered == {"visa": "tarjeta"}
    shown = str(context.slack.conversations_replies(channel=CHANNEL, ts=ts)["messages"][1]["blocks"])
    assert ":visa:" in shown
    assert ":yes: o :x:" in shown
    put_reaction(context, CHANNEL, ts, "visa")  # invalid_name, for the simulator has no such emoji
    assert ours_on(context, ts) == set()


def test_an_erased_message_loses_the_bots_emoji(
    context: OutboxContext, workspace: Workspace, published: list[tuple[str, tuple[object, ...], float]]
) -> None:
    """They told the labels of what was to be forgotten, in Slack and in the database."""
    message_id, ts = an_offered_message(context, workspace)
    reply(context, message_id)
    published.clear()
    context.store.erasure.execute(context.store.erasure.create_request(by="U0SIMUANA", message_id=message_id))
    reply_now(context, message_id)
    assert ("bot.unseed", (message_id,), 0.0) in published
    take_reactions_off(context, message_id)
    assert ours_on(context, ts) == set()
    stored = context.store.messages.get(message_id)
    assert stored is not None
    assert stored.offered == {}
    put_reaction(context, CHANNEL, ts, "credit_card")  # a task that was held up
    assert ours_on(context, ts) == set()


@ON_SQLITE
@pytest.mark.parametrize("fault", ["ratelimited", 503, "reset", "internal_error", "not_in_channel"])
def test_what_slack_does_not_take_off_now_is_taken_off_later(
    context: OutboxContext,
    replies_slack: Simulator,
    fault: int | str,
    published: list[tuple[str, tuple[object, ...], float]],
) -> None:
    """At once where Slack says when, else with the hourly sweep; what is off already is not asked for again."""
    message_id, ts = an_offered_message(context, replies_slack.workspace)
    replies_slack.faults.fail_next("reactions.remove", fault, retry_after_s=7)
    context.store.messages.delete(CHANNEL, ts)
    take_reactions_off(context, message_id)
    waits = [each for each in published if each[0] == "bot.unseed"]
    assert bool(waits) is (fault == "ratelimited")
    assert context.store.messages.offered_and_gone(9) == [message_id]
    published.clear()
    erasure.ErasureSweep(context).run()
    assert ("bot.unseed", (message_id,), 0.0) in published
    context.limiter.block_method_for("reactions.remove", 0.001)
    wait_until(lambda: context.limiter.take("reactions.remove") == 0.0, 5, "Slack may be asked again")
    take_reactions_off(context, message_id)
    assert ours_on(context, ts) == set()
    assert context.store.messages.offered_and_gone(9) == []


@ON_SQLITE
@pytest.mark.parametrize("gone", ["reactions", "message"])
def test_emoji_that_are_not_there_any_more_need_no_taking_off(
    context: OutboxContext, replies_slack: Simulator, gone: str
) -> None:
    """Whoever deletes a message takes its reactions along, and an administrator may have taken off one."""
    message_id, ts = an_offered_message(context, replies_slack.workspace)
    if gone == "message":
        replies_slack.workspace.delete(replies_slack.workspace.channel("atencion"), ts, "U0SIMUANA")
    else:
        context.slack.reactions_remove(channel=CHANNEL, timestamp=ts, name="iphone")
    context.store.messages.delete(CHANNEL, ts)
    take_reactions_off(context, message_id)
    assert context.store.messages.offered_and_gone(9) == []


@ON_SQLITE
@pytest.mark.parametrize(
    "replies_settings",
    [{"BETO_LABEL_EMOJI": "targeta=visa"}, {"BETO_LABEL_EMOJI": "tarjeta=mega"}, {"BETO_SIGNS": "wrong=mega"}],
    indirect=True,
)
def test_emoji_that_say_two_things_or_nothing_end_the_start(
    replies_slack: Simulator, replies_settings: dict[str, str], store_url: str, tmp_path: Path, redis_url: str
) -> None:
    """Else one tap would be read as something that its person did not mean, and nobody would know why."""
    from bot.settings import BotSettings

    settings = BotSettings(
        slack_bot_token=replies_slack.bot_token,
        slack_api_url=f"{replies_slack.url}/api/",
        redis_url=redis_url,
        **{name.removeprefix("BETO_").lower(): value for name, value in replies_settings.items()},
    )  # type: ignore[arg-type]  # of many kinds
    store = Store(store_url, tmp_path, label_emoji=settings.label_emoji_by_name)
    store.migrate()
    with pytest.raises(StartRefused, match=r"BETO_(LABEL_EMOJI|SIGNS)"):
        build_context(settings, store, wait=lambda _: None)
    store.close()


def test_a_label_that_comes_later_with_a_chosen_emoji_stops_no_process(store_url: str, tmp_path: Path) -> None:
    """Nobody looks at the setting when a label is added; it then goes without an emoji."""
    store = Store(store_url, tmp_path, label_emoji={"tarjeta": "visa"})
    store.migrate()
    label = Label(name="nomina", title="Nómina", title_en="Payroll", emoji="visa", description="")
    after = store.labels.record(LabelEvent(kind="add", name="nomina", label=label, at=1, by="U1"))
    assert after["nomina"].emoji == store.labels.current()["nomina"].emoji == ""
    assert after["tarjeta"].emoji == "visa"
    without_setting = Store(store_url, tmp_path)
    assert without_setting.labels.current()["nomina"].emoji == "visa"  # the label itself is as it was made
    for each in (store, without_setting):
        each.close()
