"""`/beto` and its words, Spanish and English alike."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import blocks
from bot.replies import classify_and_reply
from model.errors import StoreUnavailable
from model.registry import Registry
from model.schema import Message, Source

if TYPE_CHECKING:
    from bot.app import Desk


def register(app: AsyncApp, desk: "Desk") -> None:
    """`/beto` answers; every word that it knows is in `words`."""

    async def help_(_body: dict[str, Any], _context: AsyncBoltContext, _client: AsyncWebClient, _rest: str) -> str:
        return desk.texts("command.help", bot="beto")

    async def classify(body: dict[str, Any], context: AsyncBoltContext, _client: AsyncWebClient, rest: str) -> str:
        if not rest:
            return desk.texts("command.no_text")
        message = Message(
            team=str(context.team_id),
            channel=body["channel_id"],
            # Unique for this gesture, and no longer the trigger itself.
            ts=f"command-{hashlib.sha256(body['trigger_id'].encode()).hexdigest()[:32]}",
            user=body["user_id"],
            text=rest,
            source=Source.COMMAND,
            response_url=body["response_url"],
        )
        message_id, new = await asyncio.to_thread(desk.store.save_message, message)
        if new:
            await desk.publish(classify_and_reply(message_id, 1))
        return ""  # the answer comes by the response URL, a moment later

    async def watch(body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient, _rest: str) -> str:
        if body["channel_id"].startswith("D"):
            return desk.texts("command.direct")
        changed = await asyncio.to_thread(desk.store.set_channel_mode, str(context.team_id), body["channel_id"], "auto")
        if not await _is_member(client, body["channel_id"]):
            return desk.texts("command.watch_outside", bot="beto")
        return desk.texts("command.watch" if changed else "command.watch_already")

    async def unwatch(body: dict[str, Any], context: AsyncBoltContext, _client: AsyncWebClient, _rest: str) -> str:
        if body["channel_id"].startswith("D"):
            return desk.texts("command.direct")
        changed = await asyncio.to_thread(desk.store.set_channel_mode, str(context.team_id), body["channel_id"], "mention")
        return desk.texts("command.unwatch" if changed else "command.unwatch_already")

    async def status(body: dict[str, Any], context: AsyncBoltContext, _client: AsyncWebClient, _rest: str) -> str:
        def look() -> str:
            version = Registry(desk.store, desk.settings.home_folder).live()
            if version is None:
                return desk.texts("command.status_untrained")
            team = str(context.team_id)
            mode = desk.store.channel_mode(team, body["channel_id"])
            return desk.texts(
                "command.status",
                base=blocks.escape(blocks.base_name(version.card.base)),
                version=version.number,
                since=f"{version.created_at:%Y-%m-%d %H:%M} UTC",
                mode=desk.texts(f"command.mode_{mode}"),
                **desk.store.counts(team),
            )

        return await asyncio.to_thread(look)

    words: dict[str, Callable[[dict[str, Any], AsyncBoltContext, AsyncWebClient, str], Awaitable[str]]] = {
        "": help_,
        "ayuda": help_,
        "help": help_,
        "clasifica": classify,
        "clasificar": classify,
        "classify": classify,
        "watch": watch,
        "vigila": watch,
        "unwatch": unwatch,
        "deja": unwatch,
        "estado": status,
        "status": status,
    }

    @app.command("/beto")
    async def on_command(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient) -> None:
        word, _, rest = (body.get("text") or "").strip().partition(" ")
        handle = words.get(word.lower())
        if handle is None:
            await ack(desk.texts("command.unknown", word=blocks.escape(word[:50]).replace("`", "'")))
            return
        try:
            answer = await handle(body, context, client, rest.strip())
        except StoreUnavailable:
            # Slack never repeats a command, so the person must hear that it was lost.
            await ack(desk.texts("command.trouble"))
            raise
        await ack(answer)


async def _is_member(client: AsyncWebClient, channel: str) -> bool:
    try:
        info = await client.conversations_info(channel=channel)
    except SlackApiError:
        return False  # a private channel that we are not in does not exist for us
    return bool(info["channel"].get("is_member"))
