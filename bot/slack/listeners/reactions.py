"""Reactions: one tap is one judgement, and taking it back withdraws just that."""

import asyncio
from typing import TYPE_CHECKING, Any

from slack_bolt.async_app import AsyncApp
from slack_bolt.context.async_context import AsyncBoltContext

from bot.outbox.replies import reply
from bot.slack import payloads

if TYPE_CHECKING:
    from bot.slack.app import Desk


def register(app: AsyncApp, desk: "Desk") -> None:
    """Reactions on messages and on replies reach the store; all others are acknowledged and forgotten."""

    @app.event("reaction_added")
    @app.event("reaction_removed")
    async def on_reaction(event: dict[str, Any], context: AsyncBoltContext) -> None:
        read = payloads.read_reaction(event, taxonomy=desk.taxonomy, bot_user=str(context.bot_user_id))
        if read is None:
            return
        channel, item_ts, gesture = read
        message_id, new = await asyncio.to_thread(desk.gestures.add, gesture, channel=channel, item_ts=item_ts)
        if message_id is not None and new:
            await desk.publish(reply.si(message_id))
