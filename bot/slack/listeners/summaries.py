"""`/beto resumen`: what came in a channel, the labels that matter first; and when a channel is told of it by itself."""

import asyncio
import difflib
import re
from dataclasses import dataclass, replace

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot import queues
from bot.slack import people, summaries
from bot.slack.context import Call, ListenerContext, Tell
from bot.slack.listeners.corrections import edit_on_summary
from bot.slack.payloads.interactions import ButtonClick
from bot.slack.payloads.views import ViewClick
from bot.views import blocks, summary_blocks
from model.store.channels import Frequency
from model.store.outbox_row import change_key

# Days before today.
DAYS = {"hoy": 0, "today": 0, "ayer": 1, "yesterday": 1, "semana": 6, "week": 6, "mes": 29, "month": 29}
FREQUENCIES: dict[str, Frequency | None] = {
    "diario": "daily", "daily": "daily", "semanal": "weekly", "weekly": "weekly",
    "nunca": None, "never": None, "off": None, "no": None,
}  # fmt: skip
MOST_DAYS = 60
HOUR = 9


@dataclass(frozen=True)
class Wanted:
    """What somebody asked for. `unknown` is the first word that says nothing."""

    channel: str
    days: int = 0
    is_setting: bool = False
    frequency: Frequency | None = None
    hour: int = HOUR
    unknown: str = ""


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the button under a channel's summary, and those in the screen."""

    @app.action(summary_blocks.OPEN_ACTION)
    async def on_open(ack: AsyncAck, parsed: ButtonClick) -> None:
        await ack()
        work = _open(context, parsed.trigger_id, parsed.user, parsed.channel, 6)
        context.after_ack(work, what=summary_blocks.OPEN_ACTION, response_url=parsed.response_url)

    @app.action(re.compile(f"^{summary_blocks.SPAN_BUTTON}_"))
    async def on_span(ack: AsyncAck, parsed: ViewClick) -> None:
        await ack()
        if parsed.opened.channel and parsed.value.isdigit():
            days = min(int(parsed.value), MOST_DAYS)
            work = summaries.show_in(context, parsed.view_id, parsed.user, parsed.opened.channel, days)
            context.after_ack(work, what=summary_blocks.SPAN_BUTTON, tell=_in_modal(context, parsed.view_id))

    @app.action(summary_blocks.EDIT_BUTTON)
    async def on_edit(ack: AsyncAck, parsed: ViewClick) -> None:
        await ack()
        if parsed.value.isdigit():
            work = edit_on_summary(context, parsed, int(parsed.value))
            context.after_ack(work, what=summary_blocks.EDIT_BUTTON, tell=_in_modal(context, parsed.view_id))


async def show(context: ListenerContext, call: Call) -> str:
    """Open the summary of a channel, or choose when that channel is told of it."""
    wanted, texts = read(call.rest, call.channel), context.texts
    if wanted.unknown:
        known = [*DAYS, *FREQUENCIES]
        likely = difflib.get_close_matches(wanted.unknown.lower(), known, n=1)
        shown = blocks.escape(wanted.unknown[:50]).replace("`", "'")
        return texts("summary.unknown_likely" if likely else "summary.unknown", word=shown, likely="".join(likely))
    if wanted.channel.startswith("D"):
        return texts("summary.which")
    if wanted.is_setting:
        return await _choose(context, call, wanted)
    await _open(context, call.trigger_id, call.user, wanted.channel, wanted.days)
    return ""


def read(words: str, here: str) -> Wanted:
    """Return what `/beto resumen WORDS` asks for, given in the channel `here`."""
    wanted = Wanted(here)
    for word in words.split():
        plain = word.lower()
        if found := re.fullmatch(r"<#([A-Z0-9]+)(?:\|[^>]*)?>", word):
            wanted = replace(wanted, channel=found[1])
        elif plain in DAYS:
            wanted = replace(wanted, days=DAYS[plain])
        elif found := re.fullmatch(r"(\d{1,3})d", plain):
            wanted = replace(wanted, days=min(max(int(found[1]), 1), MOST_DAYS) - 1)
        elif plain in FREQUENCIES:
            wanted = replace(wanted, is_setting=True, frequency=FREQUENCIES[plain])
        elif (found := re.fullmatch(r"(\d{1,2})(?:h|:00)?", plain)) and int(found[1]) < 24 and wanted.is_setting:
            wanted = replace(wanted, hour=int(found[1]))
        else:
            wanted = replace(wanted, unknown=wanted.unknown or word)
    return wanted


async def _choose(context: ListenerContext, call: Call, wanted: Wanted) -> str:
    """Have the channel told daily, weekly or never; all there are told who chose so, and how that is undone."""
    texts, channels = context.texts, context.store.channels
    if not await context.visibility.is_full_member(call.user):
        return texts("command.guest")
    if not await context.visibility.reads(call.user, wanted.channel):
        return texts("summary.hidden")
    if not await people.is_member(context.slack, wanted.channel):
        return texts("command.chosen_outside", bot=context.bot_name)
    reader = await context.readers.of(call.user)
    changed = await asyncio.to_thread(
        channels.set_summary, wanted.channel, wanted.frequency, wanted.hour, reader.zone_name or "UTC"
    )  # fmt: skip
    values: dict[str, str | int] = {"hour": f"{wanted.hour}:00", "zone": reader.zone_name or "UTC"}
    how = wanted.frequency or "never"
    if changed:
        row = change_key(call.trigger_id)
        told = {**values, "user": f"<@{call.user}>"}
        await asyncio.to_thread(context.store.outbox.announce, row, wanted.channel, f"summary.told_{how}", told)
        await context.publish(queues.deliver(row))
    return texts(f"summary.chosen_{how}", **values)


async def _open(context: ListenerContext, trigger_id: str, user: str, channel: str, days: int) -> None:
    loading = summary_blocks.only(context.texts("modal.loading"), context.texts)
    opened = await context.slack.views_open(trigger_id=trigger_id, view=loading)
    view_id = str(opened["view"]["id"])
    work = summaries.show_in(context, view_id, user, channel, days)
    context.after_ack(work, what="/beto resumen", tell=_in_modal(context, view_id))


def _in_modal(context: ListenerContext, view_id: str) -> Tell:
    """Return what shows a sentence in this modal instead of what it shows."""

    async def tell(sentence: str) -> None:
        await context.slack.views_update(view_id=view_id, view=summary_blocks.only(sentence, context.texts))

    return tell
