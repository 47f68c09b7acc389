"""The message shortcuts: what a person asks of one message, also of an old one or inside a thread."""

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.outbox.replies import classify_and_reply
from bot.slack import history, payloads

if TYPE_CHECKING:
    from bot.slack.app import Desk


def register(app: AsyncApp, desk: "Desk") -> None:
    """The shortcuts of this file: label the message that it was chosen on, tell what was said of it."""

    @app.shortcut("label_history")
    async def on_history(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        channel = body["channel"]["id"]
        message_id = await asyncio.to_thread(desk.gestures.message_of, channel, body["message"]["ts"])
        await ack()
        text = await history.tell(desk, client, message_id, asked_in=channel)
        await _tell(client, body, text)

    @app.shortcut("classify_message")
    async def on_classify(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient) -> None:
        message = payloads.read_shortcut(body, bot_user=str(context.bot_user_id))
        if message is None:
            await ack()
            await _tell(client, body, desk.texts("ask.no_text"))
            return
        message_id, new = await asyncio.to_thread(desk.store.messages.save, message)
        await ack()
        if new:
            await desk.publish(classify_and_reply(message_id, 1))
            return
        reply_ts = await asyncio.to_thread(desk.store.replies.ts_of, message_id)
        if reply_ts is None:
            await _tell(client, body, desk.texts("ask.coming"))
            return
        link = await history.link_to(client, message.channel, reply_ts)
        await _tell(client, body, desk.texts("ask.already", link=link))


async def _tell(client: AsyncWebClient, body: dict[str, Any], text: str) -> None:
    """The person who chose the shortcut reads `text`, alone, in the thread that they were in."""
    where = {"channel": body["channel"]["id"], "user": body["user"]["id"]}
    if thread_ts := body["message"].get("thread_ts"):
        where["thread_ts"] = thread_ts
    try:
        await client.chat_postEphemeral(text=text, **where)
    except (SlackApiError, OSError, aiohttp.ClientError):
        # Where we are no member only the response URL reaches them.
        await AsyncWebhookClient(body["response_url"]).send(text=text, response_type="ephemeral")
