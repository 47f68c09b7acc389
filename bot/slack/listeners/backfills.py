"""`/beto etiqueta 7d`: has what a channel wrote before labelled, in quiet; and `/beto etiqueta para`."""

import asyncio
import re
import time

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot import queues
from bot.slack import people
from bot.slack.context import Call, ListenerContext
from bot.slack.first_version import why_none
from bot.slack.payloads.interactions import ButtonClick
from bot.views import blocks

# How far back one may go; nothing is labelled whose text would be removed at once.
MOST_DAYS = 90
DAY_S = 86_400
_UNITS = {"h": 3600, "d": DAY_S, "s": 7 * DAY_S, "w": 7 * DAY_S}
_SPAN = re.compile(r"(\d{1,4})\s*(h|hora|horas|hours?|d|d[ií]as?|days?|s|semanas?|w|weeks?)")
STOP = {"para", "parar", "cancela", "cancelar", "stop", "cancel"}


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the button in the direct message that tells how far it is."""

    @app.action(blocks.STOP_BACKFILL_ACTION)
    async def on_stop(ack: AsyncAck, parsed: ButtonClick) -> None:
        await ack()
        context.after_ack(_stop(context, parsed), what=blocks.STOP_BACKFILL_ACTION, response_url=parsed.response_url)


async def _stop(context: ListenerContext, parsed: ButtonClick) -> None:
    """Stop the one that whoever clicked has asked for; no other is told of there."""
    backfills = context.store.backfills
    key = await asyncio.to_thread(backfills.of_post, parsed.user, parsed.ts)
    stopped = key is not None and await asyncio.to_thread(backfills.end, key, "cancelled")
    if stopped and key is not None:
        await context.publish(queues.deliver(key))
    if parsed.response_url is not None:
        said = context.texts("backfill.stopped" if stopped else "backfill.over")
        await context.answer(parsed.response_url, said, what=blocks.STOP_BACKFILL_ACTION)


async def label_history(context: ListenerContext, call: Call) -> str:
    """Begin, stop, or tell how far it is; for members of the team, in a channel that the bot is in."""
    texts, backfills = context.texts, context.store.backfills
    if call.channel.startswith("D"):
        return texts("command.direct")
    if not await context.visibility.is_full_member(call.user):
        return texts("command.guest")
    running = await asyncio.to_thread(backfills.running, call.channel)
    word = call.rest.lower()
    if word in STOP:
        if running is None or not await asyncio.to_thread(backfills.end, running, "cancelled"):
            return texts("backfill.none")
        await context.publish(queues.deliver(running))
        return texts("backfill.stopped")
    if not word:
        return texts("backfill.none" if running is None else "backfill.goes_on", most=MOST_DAYS)
    seconds = read_span(word)
    if seconds is None:
        return texts("backfill.unknown", word=blocks.escape(call.rest[:50]).replace("`", "'"), most=MOST_DAYS)
    most_days = min(MOST_DAYS, context.settings.retention_days or MOST_DAYS)
    if seconds > most_days * DAY_S:
        return texts("backfill.too_long", most=most_days)
    if not await people.is_member(context.slack, call.channel):
        return texts("command.chosen_outside", bot=context.bot_name)
    if why := await why_none(context):
        return why
    latest = time.time()
    oldest, until = f"{latest - seconds:.6f}", f"{latest:.6f}"
    key = await asyncio.to_thread(
        backfills.open, call.channel, call.user, oldest=oldest, latest=until, request=call.trigger_id
    )  # fmt: skip
    if key is None:
        return texts("backfill.goes_on")
    await context.announce(call, "backfill.told", span=blocks.escape(call.rest))
    await context.publish(queues.deliver(key))
    return texts("backfill.begun")


def read_span(word: str) -> int | None:
    """Return the seconds of "7d", "12 horas" or "2 semanas"; None for what is none, and for nothing at all."""
    found = _SPAN.fullmatch(word.strip())
    if found is None or int(found[1]) == 0:
        return None
    return int(found[1]) * _UNITS[found[2][0]]
