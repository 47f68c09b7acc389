"""The app's Home tab."""

import asyncio
import logging

import aiohttp
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError

from bot.slack.answering import who_answers
from bot.slack.context import ListenerContext
from bot.slack.first_version import why_none
from bot.slack.payloads import AppHomeOpened
from bot.views import blocks, review_blocks

log = logging.getLogger(__name__)

# Between two attempts to publish a Home tab.
AGAIN_S = (1.0, 4.0)


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the listener that shows what the bot does and what the labels mean."""

    @app.event("app_home_opened")
    async def on_home(parsed: AppHomeOpened) -> None:
        if parsed.tab == "home":

            async def tell(text: str) -> None:
                view = {"type": "home", "blocks": [blocks.section(text)]}
                await context.slack.views_publish(user_id=parsed.user, view=view)

            context.after_ack(_show(context, parsed.user), what="app_home_opened", tell=tell)


async def _show(context: ListenerContext, user: str) -> None:
    review = blocks.button(review_blocks.OPEN_BUTTON, context.texts("review.open"))
    view = blocks.home(await context.taxonomy(), context.texts, context.bot_name, actions=[review])
    if told := await why_none(context) or await asyncio.to_thread(_who_answers, context):
        view["blocks"].insert(1, blocks.section(told))
    for pause_s in AGAIN_S:
        try:
            await context.slack.views_publish(user_id=user, view=view)
            return
        except (SlackApiError, OSError, aiohttp.ClientError, TimeoutError) as error:
            # There is nobody to be told: the tab stands empty, and to publish the same once more changes nothing.
            log.info("the Home tab of %s is published again in %s s: %r", user, pause_s, error)
            await asyncio.sleep(pause_s)
    await context.slack.views_publish(user_id=user, view=view)


def _who_answers(context: ListenerContext) -> str:
    live = context.store.registry.live()
    return "" if live is None else "\n".join(who_answers(context.store, live, context.texts))
