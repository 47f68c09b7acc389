"""The app's Home tab: a place to work from."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime

import aiohttp
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError

from bot.slack import history
from bot.slack.answering import who_answers
from bot.slack.context import Call, ListenerContext
from bot.slack.first_version import why_none
from bot.slack.listeners import figures, labels, training
from bot.slack.payloads.events import AppHomeOpened
from bot.slack.payloads.views import ViewClick
from bot.slack.readers import Reader
from bot.views import blocks, figure_blocks, home_blocks
from bot.views.home_blocks import Workplace
from model.store.standings import Span

log = logging.getLogger(__name__)

# Between two attempts to publish a Home tab.
AGAIN_S = (1.0, 4.0)
# The team's week: today and so many days before. Of what waits in so many channels, Slack is asked whether one reads there.
DAYS, CHANNELS = 6, 10
# Of the messages that their author was asked about, so many are linked.
LINKED = 5


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the listener that shows the tab, and its buttons; that of the review is registered with the review."""

    @app.event("app_home_opened")
    async def on_home(parsed: AppHomeOpened) -> None:
        if parsed.tab == "home":

            async def tell(text: str) -> None:
                view = {"type": "home", "blocks": [blocks.section(text)]}
                await context.slack.views_publish(user_id=parsed.user, view=view)

            context.after_ack(_show(context, parsed.user), what="app_home_opened", tell=tell)
        elif parsed.tab == "messages" and parsed.channel is not None:
            context.after_ack(_offer(context, parsed.user, parsed.channel), what="app_home_opened")

    @app.action(home_blocks.LABELS_BUTTON)
    async def on_labels(ack: AsyncAck, parsed: ViewClick) -> None:
        await ack()
        context.after_ack(_open_labels(context, parsed), what=home_blocks.LABELS_BUTTON)

    @app.action(home_blocks.FIGURES_BUTTON)
    async def on_figures(ack: AsyncAck, parsed: ViewClick) -> None:
        await ack()
        context.after_ack(figures.open_for(context, parsed.user, parsed.trigger_id), what=home_blocks.FIGURES_BUTTON)

    @app.action(figure_blocks.SEND_BUTTON)
    async def on_send(ack: AsyncAck, parsed: ViewClick) -> None:
        await ack()
        context.after_ack(figures.send(context, parsed.user, parsed.view_id), what=figure_blocks.SEND_BUTTON)

    @app.action(home_blocks.RETRAIN_BUTTON)
    async def on_retrain(ack: AsyncAck, parsed: ViewClick) -> None:
        await ack()
        context.after_ack(_retrain(context, parsed), what=home_blocks.RETRAIN_BUTTON)


async def _offer(context: ListenerContext, user: str, channel: str) -> None:
    await context.courtesies.offer_prompts(channel, (await context.readers.of(user)).texts)


async def _open_labels(context: ListenerContext, parsed: ViewClick) -> None:
    call = Call(channel="", user=parsed.user, rest="", trigger_id=parsed.trigger_id, response_url="")
    await labels.show(context, call)


async def _retrain(context: ListenerContext, parsed: ViewClick) -> None:
    """Begin a run, told in this person's direct messages with the bot; or say in a modal why not."""
    direct = str((await context.slack.conversations_open(users=parsed.user))["channel"]["id"])
    call = Call(channel=direct, user=parsed.user, rest="", trigger_id=parsed.trigger_id, response_url="")
    if why_not := await training.retrain(context, call):
        await context.slack.views_open(trigger_id=parsed.trigger_id, view=blocks.sorry(why_not, context.texts))
    await _show(context, parsed.user)


async def _show(context: ListenerContext, user: str) -> None:
    reader = await context.readers.of(user)
    context.speak_to(reader)
    shown = await _look(context, reader, user)
    view = home_blocks.home(shown, await context.taxonomy(), reader.texts, context.bot_name)
    for pause_s in AGAIN_S:
        try:
            await context.slack.views_publish(user_id=user, view=view)
            return
        except (SlackApiError, OSError, aiohttp.ClientError, TimeoutError) as error:
            # There is nobody to be told: the tab stands empty, and to publish the same once more changes nothing.
            log.info("the Home tab of %s is published again in %s s: %r", user, pause_s, error)
            await asyncio.sleep(pause_s)
    await context.slack.views_publish(user_id=user, view=view)


async def _look(context: ListenerContext, reader: Reader, user: str) -> Workplace:
    """Return what this person finds there; what only members do is not looked for, for guests."""
    why, taxonomy = await why_none(context), await context.taxonomy()
    is_member = await context.visibility.is_full_member(user)
    may_train = is_member and await context.why_not_train(user) is None
    week = Span.between(reader.midnight(days_ago=DAYS), datetime.now(UTC))

    def look() -> Workplace:
        store = context.store
        live, run, judges = store.registry.live(), store.runs.last(), store.insight.judges(week)
        return Workplace(
            answers=why if live is None else "\n".join(who_answers(store, live, context.texts)),
            live=None if live is None else live.number,
            card=None if live is None else live.card,
            run=run if run is not None and not run.over and live is not None else None,
            is_member=is_member,
            may_train=may_train,
            counted=store.standings.count(week, taxonomy, by_label=False),
            gestures=judges.total(),
            mine=judges[user],
            drift=figures.drift_of_live(store, live),
            proposal=figures.proposal_of(store) if may_train else None,
        )

    shown = await asyncio.to_thread(look)
    return await _with_what_waits(context, user, shown) if is_member else shown


async def _with_what_waits(context: ListenerContext, user: str, shown: Workplace) -> Workplace:
    """Add what waits for a word of this person, in channels that they read."""
    store, a_day = context.store, context.settings.ask_a_day
    by_channel = await asyncio.to_thread(store.reviews.waiting, user)
    waiting = 0
    for channel, count in by_channel.most_common(CHANNELS):
        waiting += count if await context.visibility.reads(user, channel) else 0
    links = []
    for message_id in (await asyncio.to_thread(store.insight.doubts_of, user, a_day))[:LINKED]:
        stored = await asyncio.to_thread(store.messages.get, message_id)
        if stored is not None and await context.visibility.may_see(user, stored.message):
            link = await history.link_to(context.slack, stored.message.channel, stored.message.ts)
            words = blocks.snippet(stored.message.text, 40)
            links.append(words if link == "-" else f"<{link}|{words}>")
    return replace(shown, waiting=waiting, doubts=links)
