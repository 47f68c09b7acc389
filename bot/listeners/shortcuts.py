"""The message shortcuts: what a person asks of one message, also of an old one or inside a thread."""

import asyncio
from typing import TYPE_CHECKING, Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import payloads
from bot.replies import classify_and_reply

if TYPE_CHECKING:
    from bot.app import Desk


def register(app: AsyncApp, desk: "Desk") -> None:
    """ "Clasificar" labels the message that it was chosen on."""

    @app.shortcut("classify_message")
    async def on_classify(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient) -> None:
        message = payloads.read_shortcut(body, team=str(context.team_id), bot_user=str(context.bot_user_id))
        tell = {"channel": body["channel"]["id"], "user": body["user"]["id"]}
        if message is None:
            await ack()
            await client.chat_postEphemeral(**tell, text=desk.texts("ask.no_text"))
            return
        message_id, new = await asyncio.to_thread(desk.store.save_message, message)
        await ack()
        try:
            if new:
                await desk.publish(classify_and_reply(message_id, 1))
                return
            reply_ts = await asyncio.to_thread(desk.store.reply_ts, message_id)
            if reply_ts is not None:
                link = await client.chat_getPermalink(channel=message.channel, message_ts=reply_ts)
                await client.chat_postEphemeral(**tell, text=desk.texts("ask.already", link=link["permalink"]))
        except SlackApiError as error:
            if error.response["error"] not in {"not_in_channel", "channel_not_found"}:
                raise
