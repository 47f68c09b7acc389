"""Reactions: one tap is one judgement where labels are shown, and taking it back withdraws just that."""

import asyncio

from slack_bolt.async_app import AsyncApp

from bot import queues
from bot.slack.context import ListenerContext
from bot.slack.payloads import ReactionEvent


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the listener of reactions on messages and on replies; all others are acknowledged and forgotten."""

    @app.event("reaction_added")
    @app.event("reaction_removed")
    async def on_reaction(parsed: ReactionEvent) -> None:
        found = parsed.reaction(await context.taxonomy(), context.settings.sign_emoji, context.bot_user)
        if found is None:
            return
        (channel, item_ts), reaction = found
        add = context.store.gestures.add_reaction
        message_id, new = await asyncio.to_thread(add, reaction, channel=channel, item_ts=item_ts)
        if message_id is not None and new:
            await context.publish(queues.reply(message_id))
