"""Answers to what people write to the bot itself, by a mention or a direct message, instead of labels for it."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot import queues
from bot.slack import asked, history
from bot.slack.asked import Asked
from bot.slack.context import Call, ListenerContext
from bot.slack.listeners import commands, figures, guide, labels, review, routes, summaries, training
from bot.slack.payloads.events import MessageEvent
from bot.slack.payloads.interactions import ButtonClick
from bot.slack.payloads.payload import Payload
from bot.views import blocks
from model.schema import Message, Source
from model.store.outbox_row import help_key

# What opens a window, whatever stands behind the word.
SCREENS = frozenset({figures.show, guide.show, labels.show, review.show, routes.show, summaries.show})


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the button that opens the window which somebody asked for by a message."""

    @app.action(blocks.SCREEN_BUTTON)
    async def on_open(ack: AsyncAck, parsed: ButtonClick) -> None:
        await ack()
        context.after_ack(_open(context, parsed), what=blocks.SCREEN_BUTTON, response_url=parsed.response_url)


def read(context: ListenerContext, parsed: Payload, message: object) -> Asked | None:
    """Return what is asked of the bot itself; None where nobody speaks to it, or somebody wants labels."""
    if not isinstance(parsed, MessageEvent) or not isinstance(message, Message) or message.source is Source.CHANNEL:
        return None
    return asked.read(message.text, commands.WORDS, context.bot_name)


async def answer(context: ListenerContext, parsed: Payload, message: Message, wish: Asked) -> None:
    """Answer where they wrote: help for all to read, once; what concerns them alone, to them alone."""
    if wish.what == "help":
        # In a direct message without a word there is something else, such as a file.
        without_words = message.source is Source.DIRECT and not message.text.strip()
        key, thread_ts = help_key(message.channel, message.ts), message.thread_ts
        if message.source is Source.MENTION and thread_ts is None:
            thread_ts = message.ts
        told, values = ("ask.no_text", {}) if without_words else ("command.help", {"bot": context.bot_name})
        # A row, since Slack sends a mention twice, as `message` and as `app_mention`.
        save = partial(context.store.outbox.announce, key, message.channel, told, values, thread_ts=thread_ts)
        await asyncio.to_thread(save)
        await context.publish(queues.deliver(key))
    elif message.source is Source.DIRECT or (isinstance(parsed, MessageEvent) and parsed.type == "app_mention"):

        async def tell(text: str, shown: list[blocks.Block] | None = None) -> None:
            await context.tell(
                text,
                channel=message.channel,
                user=message.user,
                thread_ts=message.thread_ts,
                response_url=None,
                blocks=shown,
            )

        context.after_ack(_tell(context, message, wish, tell), what=f"a mention with {wish.word!r}", tell=tell)


async def _tell(context: ListenerContext, message: Message, wish: Asked, tell: Callable[..., Awaitable[None]]) -> None:
    context.speak_to(await context.readers.of(message.user))
    if wish.what == "word" and commands.WORDS[wish.word] in SCREENS:
        # Slack gives a message nothing to open a window with, and a click on a button does.
        await tell(*blocks.offer_screen(wish.word, context.texts))
    else:
        await tell(await _told(context, message, wish))


async def _open(context: ListenerContext, parsed: ButtonClick) -> None:
    opens = commands.WORDS.get(parsed.value)
    if opens not in SCREENS:
        await _answer_click(context, parsed, context.texts("command.former"))
        return
    call = Call(
        channel=parsed.channel, user=parsed.user, rest="", trigger_id=parsed.trigger_id, response_url=parsed.response_url or ""
    )
    if said := await opens(context, call):
        await _answer_click(context, parsed, said)


async def _answer_click(context: ListenerContext, parsed: ButtonClick, text: str) -> None:
    if parsed.response_url is not None:
        await context.answer(parsed.response_url, text, what=blocks.SCREEN_BUTTON)


async def _told(context: ListenerContext, message: Message, wish: Asked) -> str:
    """Return what the word tells; words that change something, or that need more, are commands only."""
    if wish.what == "likely":
        shown = blocks.escape(message.text.strip()[:50]).replace("`", "'")
        return context.texts("ask.likely", word=shown, likely=wish.word)
    call = Call(channel=message.channel, user=message.user, rest="", trigger_id="", response_url="")
    match commands.WORDS[wish.word]:
        case commands.status:
            return await commands.status(context, call)
        case training.tell_versions:
            return await training.tell_versions(context, call)
        case commands.tell_history:
            store = context.store
            if message.thread_ts is None:
                message_id = await asyncio.to_thread(store.messages.last_in, message.channel)
            else:
                message_id = await asyncio.to_thread(store.gestures.message_of, message.channel, message.thread_ts)
            return await history.tell(context, message_id, asked_by=message.user)
    return context.texts("ask.is_command", word=wish.word)
