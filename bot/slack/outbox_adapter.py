"""What listeners have said to Slack by the `replies` process, as long as that is no row of the outbox."""

import asyncio

from bot import queues
from bot.slack.context import ListenerContext
from bot.slack.payloads import ChannelJoined


async def greet(context: ListenerContext, joined: ChannelJoined) -> None:
    """Have the channel greeted that the bot was invited to."""
    channel = joined.channel

    async def post() -> None:
        await context.slack.chat_postMessage(channel=channel, text=context.texts("greeting.invited"))

    context.after_ack(post(), what="member_joined_channel")


async def follow(context: ListenerContext, run_id: int) -> None:
    """Have the run's status shown until it is over."""
    if (token := await asyncio.to_thread(context.store.runs.watch, run_id)) is not None:
        await context.publish(queues.run_status(run_id, token))


async def decide(context: ListenerContext, run_id: int, decision: str, by: str) -> None:
    """Have it shown under the run's report what `by` decided: `promoted` or `kept`."""
    await context.publish(queues.show_decision(run_id, decision, by))
