"""The message shortcuts: what a person asks of one message, also of an old one or inside a thread."""

import asyncio

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot import queues
from bot.slack import history
from bot.slack.context import ListenerContext
from bot.slack.payloads import MessageShortcut


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the shortcuts that label the message they are chosen on, and that tell what was said of it."""

    @app.shortcut("label_history")
    async def on_history(ack: AsyncAck, parsed: MessageShortcut) -> None:
        message_id = await asyncio.to_thread(context.store.gestures.message_of, *parsed.ref)
        await ack()
        context.after_ack(_tell_history(context, parsed, message_id), what="label_history", response_url=parsed.response_url)

    @app.shortcut("classify_message")
    async def on_classify(ack: AsyncAck, parsed: MessageShortcut) -> None:
        message = parsed.message(context.bot_user)
        message_id, new = (None, False) if message is None else await asyncio.to_thread(context.store.messages.save, message)
        await ack()
        if new and message_id is not None:
            await context.publish(queues.classify_and_reply(message_id, 1))
        else:
            what = "classify_message"
            context.after_ack(_tell_why_not(context, parsed, message_id), what=what, response_url=parsed.response_url)


async def _tell_history(context: ListenerContext, parsed: MessageShortcut, message_id: int | None) -> None:
    await _tell(context, parsed, await history.tell(context, message_id, asked_in=parsed.channel))


async def _tell_why_not(context: ListenerContext, parsed: MessageShortcut, message_id: int | None) -> None:
    """Tell the person that there is nothing to label, or where the labels are, or that they are coming."""
    if message_id is None:
        await _tell(context, parsed, context.texts("ask.no_text"))
        return
    reply_ts = await asyncio.to_thread(context.store.outbox.reply_ts, message_id)
    if reply_ts is None:
        await _tell(context, parsed, context.texts("ask.coming"))
        return
    link = await history.link_to(context.slack, parsed.channel, reply_ts)
    await _tell(context, parsed, context.texts("ask.already", link=link))


async def _tell(context: ListenerContext, parsed: MessageShortcut, text: str) -> None:
    await context.tell(
        text, channel=parsed.channel, user=parsed.user, thread_ts=parsed.thread_ts, response_url=parsed.response_url
    )
