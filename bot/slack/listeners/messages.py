"""Messages as they are written, edited and deleted, and what happens to the channels that they stand in."""

import asyncio
import hashlib
import logging
import time

from slack_bolt.async_app import AsyncApp

from bot import queues
from bot.metrics import SAVED_SECONDS
from bot.slack.context import ListenerContext
from bot.slack.first_version import tell_who_asked
from bot.slack.listeners import addressed
from bot.slack.payloads.events import (
    ChannelIdChanged,
    ChannelJoined,
    Deletion,
    Edit,
    MessageChanged,
    MessageDeleted,
    MessageEvent,
    may_overtake,
)
from bot.slack.payloads.payload import Payload, microseconds
from bot.slack.priority import ChannelPriority
from model.schema import Message, Source
from model.store.outbox_row import greeting_key
from model.store.store import Store
from worker.logs import add_about

log = logging.getLogger(__name__)


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the listeners of `message`, `app_mention` and channel events."""
    priority = ChannelPriority()

    @app.event("message")
    @app.event("app_mention")
    async def on_message(parsed: Payload) -> None:
        read = _read(parsed, context.bot_user)
        if isinstance(read, Message) and (wish := addressed.read(context, parsed, read)) is not None:
            await addressed.answer(context, parsed, read, wish)
            return
        match read:
            case Message() as message:
                message_id = await asyncio.to_thread(save_if_wanted, context.store, message, context.settings.blind_percent)
                if message_id is not None:
                    SAVED_SECONDS.observe(max(time.time() - microseconds(message.ts) / 1e6, 0.0))
                    add_about(message_id=message_id)
                    log.info("saved, posted in %s at %s", message.channel, message.ts)
                    await context.publish(queues.classify_and_reply(message_id, 1, priority=priority.of(message.channel)))
                    if message.source is not Source.CHANNEL:
                        context.after_ack(_wait_with(context, message, message_id), what="a mention")
            case Edit() as edit:
                edited = await asyncio.to_thread(save_edit, context.store, edit, context.settings.blind_percent)
                if edited is not None:
                    await context.publish(queues.classify_and_reply(*edited))
            case Deletion() as gone:
                deleted = await asyncio.to_thread(save_deletion, context.store, gone)
                if deleted is not None:
                    await context.publish(queues.reply(deleted))

    @app.event("member_joined_channel")
    async def on_join(parsed: ChannelJoined) -> None:
        if parsed.user == context.bot_user:
            # A row, since Slack may tell of the same invitation twice, and posting takes longer than it waits for us.
            key = greeting_key(parsed.channel, parsed.event_ts)
            mode = await asyncio.to_thread(context.store.channels.mode, parsed.channel)
            text = "greeting.watched" if mode == "auto" else "greeting.invited"
            await asyncio.to_thread(context.store.outbox.announce, key, parsed.channel, text)
            await context.publish(queues.deliver(key))

    @app.event("channel_id_changed")
    async def on_channel_id(parsed: ChannelIdChanged) -> None:
        await asyncio.to_thread(context.store.channels.rename, parsed.old_channel_id, parsed.new_channel_id)


async def _wait_with(context: ListenerContext, message: Message, message_id: int) -> None:
    """Tell whoever asked why nothing comes, or where something does, that it is under way."""
    if await tell_who_asked(context, message):
        return
    direct = message.source is Source.DIRECT
    texts = (await context.readers.of(message.user)).texts if direct else context.channel_texts

    async def is_answered() -> bool:
        return await asyncio.to_thread(context.store.outbox.reply_ts, message_id) is not None

    context.courtesies.show_work(message.channel, message.thread_ts or message.ts, texts("prompts.working"), is_answered)


def _read(parsed: Payload, bot_user: str) -> Message | Edit | Deletion | None:
    match parsed:
        case MessageEvent():
            return parsed.message(bot_user)
        case MessageChanged():
            return parsed.change(bot_user)
        case MessageDeleted():
            return parsed.deletion()
    return None


def save_if_wanted(store: Store, message: Message, blind_percent: float, edited_at: int = 0) -> int | None:
    """Save a message that we are to label, asked now or by `/beto watch`; return its id if it is new."""
    if not message.text.strip():
        return None
    if message.source is Source.CHANNEL:
        # Inside a thread people talk about a message; they get an answer there only when they ask for one.
        in_thread = message.thread_ts is not None and message.thread_ts != message.ts
        if in_thread or store.channels.mode(message.channel) != "auto":
            return None
        # What is hidden is asked about in the thread, which only some channels want.
        if is_sampled(message, blind_percent) and store.channels.showing(message.channel).display == "thread":
            message = message.model_copy(update={"blind": True})
    message_id, new = store.messages.save(message, edited_at)
    return message_id if new else None


def save_edit(store: Store, edit: Edit, blind_percent: float) -> tuple[int, int] | None:
    """Save the text of a message that we know, or hear of by its edit first; return its (id, revision) if it is another."""

    def change() -> tuple[int, int] | None:
        message_id = store.messages.edit(edit.channel, edit.ts, edit.text, edit.at)
        stored = None if message_id is None else store.messages.get(message_id)
        return None if stored is None else (stored.id, stored.revision)

    changed = change()
    if changed is not None or edit.whole is None or not may_overtake(edit):
        return changed
    message_id = save_if_wanted(store, edit.whole, blind_percent, edit.at)
    # The message itself may have come between our two looks.
    return (message_id, 1) if message_id is not None else change()


def save_deletion(store: Store, gone: Deletion) -> int | None:
    """Save that the message is gone; return its id if we knew it."""
    return store.messages.delete(gone.channel, gone.ts, may_overtake=may_overtake(gone))


def is_sampled(message: Message, percent: float) -> bool:
    """Return whether a message is among `percent` of all, by chance, and the same however often Slack sends it."""
    key = f"{message.channel}:{message.ts}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64 < percent / 100
