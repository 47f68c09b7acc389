"""Reactions: one tap is one judgement where labels are shown, taking it back withdraws just that; and 🔇 mutes."""

import asyncio
from functools import partial

from slack_bolt.async_app import AsyncApp

from bot import queues
from bot.slack.context import ListenerContext
from bot.slack.payloads.events import ReactionEvent
from model.reactions import mutes


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the listener of reactions on messages and on replies; all others are acknowledged and forgotten."""

    @app.event("reaction_added")
    @app.event("reaction_removed")
    async def on_reaction(parsed: ReactionEvent) -> None:
        taxonomy = await context.taxonomy()
        found = parsed.reaction(taxonomy, context.settings.sign_emoji, context.bot_user)
        if found is None:
            return
        (channel, item_ts), reaction = found
        if mutes(reaction.emoji, taxonomy):
            told = partial(context.store.mutes.set, at=reaction.at, muted=not reaction.withdrawn)
            message_id = await asyncio.to_thread(told, channel, item_ts, reaction.user)
            if message_id is not None:
                await context.publish(queues.reply(message_id))
            return
        add = context.store.gestures.add_reaction
        message_id, new = await asyncio.to_thread(add, reaction, channel=channel, item_ts=item_ts)
        if message_id is not None and new:
            await context.publish(queues.reply(message_id))
        elif message_id is None and reaction.on_ours and reaction.kind is not None and not reaction.withdrawn:
            is_forgotten = context.store.gestures.is_forgotten
            if await asyncio.to_thread(is_forgotten, channel, item_ts, at=reaction.at):
                answer = context.tell(context.texts("modal.forgotten"), channel=channel, user=reaction.user, response_url=None)
                context.after_ack(answer, what="a reaction")
