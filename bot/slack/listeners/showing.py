"""What is done with a channel's messages, and how it is shown: `/beto watch` and `unwatch`, and the screen of the first."""

import asyncio
import json
import logging

import aiohttp
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError

from bot.slack import people
from bot.slack.context import ANSWER_WITHIN_S, Call, ListenerContext
from bot.slack.first_version import why_none
from bot.slack.payloads.views import ViewSubmission
from bot.views import blocks, showing_blocks
from model.errors import BadData
from model.showing import DISPLAYS, Display, read_rest

log = logging.getLogger(__name__)

# What may follow `/beto watch`.
WORDS_OF_DISPLAYS: dict[str, Display] = {
    "hilo": "thread", "hilos": "thread", "thread": "thread", "threads": "thread",
    "emoji": "emoji", "emojis": "emoji",
    "callado": "quiet", "callada": "quiet", "quiet": "quiet",
}  # fmt: skip
# Where nobody says otherwise, and Slack does not say where the person is.
ZONE = "UTC"


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the screen's form; `/beto watch` opens it."""

    @app.view(showing_blocks.SHOWING_VIEW)
    async def on_save(ack: AsyncAck, parsed: ViewSubmission) -> None:
        channel, texts = parsed.opened.channel or "", context.texts
        try:
            may = await asyncio.wait_for(_may_choose(context, parsed.user, channel), ANSWER_WITHIN_S)
        except (SlackApiError, OSError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("whether a person may choose for a channel is not known: %r", error)
            await ack(response_action="errors", errors={showing_blocks.DISPLAY: texts("command.failed")})
            return
        if not may:
            await ack(response_action="update", view=blocks.sorry(texts("command.guest"), texts))
            return
        display, minutes = parsed.field(showing_blocks.DISPLAY), parsed.field(showing_blocks.DELAY)
        try:
            hours = parsed.field(showing_blocks.REST_BEGINS), parsed.field(showing_blocks.REST_ENDS)
            rest = read_rest(*hours, parsed.field(showing_blocks.ZONE) or ZONE)
        except BadData as error:
            field = showing_blocks.ZONE if str(error) == "zone" else showing_blocks.REST_ENDS
            await ack(response_action="errors", errors={field: texts(f"showing.wrong_{error}")})
            return
        chosen: Display = next((each for each in DISPLAYS if each == display), "thread")
        delay_minutes = int(minutes) if minutes.isdigit() and int(minutes) in showing_blocks.DELAYS else 0
        set_showing = context.store.channels.set_showing
        changed = await asyncio.to_thread(set_showing, channel, chosen, delay_minutes=delay_minutes, rest=rest)
        await ack()
        if changed:
            await _announce_showing(context, Call(channel, parsed.user, "", trigger_id=parsed.view_id, response_url=""))


async def watch(context: ListenerContext, call: Call) -> str:
    """Label every new message of the channel from now on, and show it as it chose; without a word, open the screen to choose."""
    texts, channels = context.texts, context.store.channels
    if call.channel.startswith("D"):
        return texts("command.direct")
    if not await context.visibility.is_full_member(call.user):
        return texts("command.guest")
    display = WORDS_OF_DISPLAYS.get(call.rest.lower())
    if call.rest and display is None:
        return texts("showing.unknown", word=blocks.escape(call.rest[:50]).replace("`", "'"))
    inside = await people.is_member(context.slack, call.channel)
    if not call.rest and inside:
        await _open_screen(context, call)
    changed = await asyncio.to_thread(channels.set_mode, call.channel, "auto")
    looks_otherwise = display is not None and await asyncio.to_thread(channels.set_showing, call.channel, display)
    if not inside:
        return texts("command.watch_outside", bot=context.bot_name)
    showing = await asyncio.to_thread(channels.showing, call.channel)
    if changed and showing.display == "thread" and not looks_otherwise:
        await context.announce(call, "command.told_watch")
    elif changed or looks_otherwise:
        await _announce_showing(context, call)
    said = texts("command.watch" if changed else "command.watch_already")
    if display is not None or showing.display != "thread":
        said += f" {showing_blocks.told(showing, texts)}"
    return f"{said}\n{why}" if (why := await why_none(context)) else said


async def unwatch(context: ListenerContext, call: Call) -> str:
    """Label only what asks for it from now on."""
    if call.channel.startswith("D"):
        return context.texts("command.direct")
    if not await context.visibility.is_full_member(call.user):
        return context.texts("command.guest")
    inside = await people.is_member(context.slack, call.channel)
    changed = await asyncio.to_thread(context.store.channels.set_mode, call.channel, "mention")
    if changed and inside:
        await context.announce(call, "command.told_unwatch")
    return context.texts("command.unwatch" if changed else "command.unwatch_already")


async def _may_choose(context: ListenerContext, user: str, channel: str) -> bool:
    """Return whether this person may say what the channel is shown: a member of the team who reads it."""
    return await context.visibility.is_full_member(user) and await context.visibility.reads(user, channel)


async def _open_screen(context: ListenerContext, call: Call) -> None:
    """Open the screen, best effort: what it would say, the words after the command say too."""
    try:
        opened = await context.slack.views_open(trigger_id=call.trigger_id, view=blocks.loading(context.texts))
    except (SlackApiError, OSError, aiohttp.ClientError, TimeoutError) as error:
        log.info("the screen of /beto watch did not open: %r", error)
        return
    view_id = str(opened["view"]["id"])

    async def tell(sentence: str) -> None:
        await context.slack.views_update(view_id=view_id, view=blocks.sorry(sentence, context.texts))

    context.after_ack(_fill_screen(context, view_id, call), what="/beto watch", tell=tell)


async def _fill_screen(context: ListenerContext, view_id: str, call: Call) -> None:
    try:
        zone = str((await context.slack.users_info(user=call.user))["user"].get("tz") or ZONE)
    except SlackApiError:
        zone = ZONE
    showing, taxonomy = await asyncio.to_thread(context.store.channels.showing, call.channel), await context.taxonomy()
    metadata = json.dumps({"channel": call.channel})
    view = showing_blocks.showing_form(showing, taxonomy, context.texts, zone=zone, metadata=metadata)
    await context.slack.views_update(view_id=view_id, view=view)


async def _announce_showing(context: ListenerContext, call: Call) -> None:
    showing = await asyncio.to_thread(context.store.channels.showing, call.channel)
    await context.announce(call, "showing.told", what=showing_blocks.told(showing, context.channel_texts))
