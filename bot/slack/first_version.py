"""What whoever asks for something is told while no version can answer."""

import asyncio
import logging

import aiohttp
from slack_sdk.errors import SlackApiError

from bot.slack.context import ListenerContext
from bot.views import first_version
from model.errors import StoreUnavailable
from model.schema import Message

log = logging.getLogger(__name__)


async def why_none(context: ListenerContext) -> str:
    """Return why no version answers yet; nothing where one does."""
    first = await asyncio.to_thread(context.store.first_training)
    return "" if first is None else first_version.sentence(first, context.texts)


async def tell_who_asked(context: ListenerContext, message: Message) -> bool:
    """Tell whoever mentioned the bot, or wrote to it, why nothing comes, and return True; False where a version answers."""
    why = ""
    try:
        if why := await why_none(context):
            await context.tell(
                why, channel=message.channel, user=message.user, thread_ts=message.thread_ts, response_url=None
            )  # fmt: skip
    except (SlackApiError, OSError, aiohttp.ClientError, TimeoutError, StoreUnavailable) as error:
        log.warning("somebody was not told that there is no version yet: %r", error)
    return bool(why)
