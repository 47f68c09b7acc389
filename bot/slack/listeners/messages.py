"""Messages as they are written, edited and deleted, and the bot's own invitation to a channel."""

import asyncio
from typing import TYPE_CHECKING, Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from bot.outbox.replies import classify_and_reply, reply
from bot.slack import payloads
from bot.slack.payloads import Deletion, Edit
from bot.slack.priority import Lanes
from model.schema import Message, Source
from model.store.store import Store

if TYPE_CHECKING:
    from bot.slack.app import Desk


def register(app: AsyncApp, desk: "Desk") -> None:
    """`message`, `app_mention` and channel events reach the store."""
    lanes = Lanes()

    @app.event("message")
    @app.event("app_mention")
    async def on_message(event: dict[str, Any], context: AsyncBoltContext) -> None:
        bot_user = str(context.bot_user_id)
        match payloads.read_message(event, bot_user=bot_user):
            case Message() as message:
                message_id = await asyncio.to_thread(_save_if_wanted, desk.store, message, desk.settings.blind_percent)
                if message_id is not None:
                    await desk.publish(classify_and_reply(message_id, 1, lane=lanes.of(message.channel)))
            case Edit() as edit:
                edited = await asyncio.to_thread(_edit, desk.store, edit, desk.settings.blind_percent)
                if edited is not None:
                    await desk.publish(classify_and_reply(*edited))
            case Deletion() as gone:
                deleted = await asyncio.to_thread(_delete, desk.store, gone)
                if deleted is not None:
                    await desk.publish(reply.si(deleted))

    @app.event("member_joined_channel")
    async def on_join(event: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient) -> None:
        if event.get("user") == context.bot_user_id:
            await client.chat_postMessage(channel=event["channel"], text=desk.texts("greeting.invited"))

    @app.event("channel_id_changed")
    async def on_channel_id(event: dict[str, Any]) -> None:
        old, new = event["old_channel_id"], event["new_channel_id"]
        await asyncio.to_thread(desk.store.channels.rename, old, new)


def _save_if_wanted(store: Store, message: Message, blind_percent: float, edited_at: int = 0) -> int | None:
    """The id of a message that is new and that we were asked to label, now or by `/beto watch`; it is durable then."""
    if not message.text.strip():
        return None
    if message.source is Source.CHANNEL:
        # Inside a thread people talk about a message; they get an answer there only when they ask for one.
        in_thread = message.thread_ts is not None and message.thread_ts != message.ts
        if in_thread or store.channels.mode(message.channel) != "auto":
            return None
        message = message.model_copy(update={"blind": payloads.is_drawn(message, blind_percent)})
    message_id, new = store.messages.save(message, edited_at)
    return message_id if new else None


def _edit(store: Store, edit: Edit, blind_percent: float) -> tuple[int, int] | None:
    """(id, revision) of a message whose text is another now, or that we hear of by its edit first; it is durable then."""

    def change() -> tuple[int, int] | None:
        message_id = store.messages.edit(edit.channel, edit.ts, edit.text, edit.at)
        stored = None if message_id is None else store.messages.get(message_id)
        return None if stored is None else (stored.id, stored.revision)

    changed = change()
    if changed is not None or edit.whole is None or not payloads.may_overtake(edit):
        return changed
    message_id = _save_if_wanted(store, edit.whole, blind_percent, edit.at)
    # The message itself may have come between our two looks.
    return (message_id, 1) if message_id is not None else change()


def _delete(store: Store, gone: Deletion) -> int | None:
    return store.messages.delete(gone.channel, gone.ts, may_overtake=payloads.may_overtake(gone))
