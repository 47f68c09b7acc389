"""The message shortcuts: what a person asks of one message, also of an old one or inside a thread."""

import asyncio

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot import queues
from bot.slack import history, people
from bot.slack.context import ANSWER_WITHIN_S, ListenerContext
from bot.slack.first_version import why_none
from bot.slack.payloads.interactions import MessageShortcut


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the shortcuts that label the message they are chosen on, and that tell what was said of it."""

    @app.shortcut("label_history")
    async def on_history(ack: AsyncAck, parsed: MessageShortcut) -> None:
        message_id = await asyncio.to_thread(context.store.gestures.message_of, *parsed.ref)
        await ack()
        context.after_ack(_tell_history(context, parsed, message_id), what="label_history", response_url=parsed.response_url)

    @app.shortcut("classify_message")
    async def on_classify(ack: AsyncAck, parsed: MessageShortcut) -> None:
        classifying = asyncio.ensure_future(_classify(context, parsed))
        # Slack is asked where we are, and may take longer than the three seconds that it gives us.
        await asyncio.wait([classifying], timeout=ANSWER_WITHIN_S)
        await ack()
        context.after_ack(_finish(classifying), what="classify_message", response_url=parsed.response_url)


async def _tell_history(context: ListenerContext, parsed: MessageShortcut, message_id: int | None) -> None:
    await _tell(context, parsed, await history.tell(context, message_id, asked_by=parsed.user))


async def _finish(work: "asyncio.Future[None]") -> None:
    await work


async def _classify(context: ListenerContext, parsed: MessageShortcut) -> None:
    """Save the message and have it labelled, where an answer can stand; tell the person why not elsewhere."""
    message = parsed.message(context.bot_user)
    if message is None:
        await _tell(context, parsed, context.texts("ask.no_text"))
    elif not await people.may_answer(context.slack, *parsed.ref):
        await _tell(context, parsed, context.texts("ask.not_member", bot=context.bot_name))
    elif not await context.visibility.may_see(parsed.user, message):
        await _tell(context, parsed, context.texts("ask.hidden"))
    else:
        message_id, new = await asyncio.to_thread(context.store.messages.save, message)
        if new:
            await context.publish(queues.classify_and_reply(message_id, 1))
            if why := await why_none(context):
                await _tell(context, parsed, why)
        else:
            await _tell_where(context, parsed, message_id)


async def _tell_where(context: ListenerContext, parsed: MessageShortcut, message_id: int) -> None:
    """Tell the person where the labels are, or that they are coming."""
    reply_ts = await asyncio.to_thread(context.store.outbox.reply_ts, message_id)
    if reply_ts is None and await asyncio.to_thread(lambda: bool(context.store.mutes.of(*parsed.ref))):
        await _tell(context, parsed, context.texts("ask.muted"))
        return
    if reply_ts is None:
        # Where the channel shows nothing in threads it comes all the same: somebody asked.
        await asyncio.to_thread(context.store.messages.ask, message_id)
        await context.publish(queues.reply(message_id))
        await _tell(context, parsed, await why_none(context) or context.texts("ask.coming"))
        return
    link = await history.link_to(context.slack, parsed.channel, reply_ts)
    await _tell(context, parsed, context.texts("ask.already", link=link))


async def _tell(context: ListenerContext, parsed: MessageShortcut, text: str) -> None:
    await context.tell(
        text, channel=parsed.channel, user=parsed.user, thread_ts=parsed.thread_ts, response_url=parsed.response_url
    )
