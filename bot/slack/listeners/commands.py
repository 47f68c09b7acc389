"""`/beto` and its words, Spanish and English alike."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.outbox.replies import classify_and_reply, reply
from bot.slack import history, payloads, people
from bot.slack.listeners import forget, training
from bot.views import blocks
from model.schema import Message, Source

if TYPE_CHECKING:
    from bot.slack.app import Desk


@dataclass(frozen=True)
class Call:
    """Somebody's `/beto WORD rest`, and the client to ask Slack with."""

    channel: str
    user: str
    rest: str
    trigger: str
    client: AsyncWebClient
    response_url: str = field(repr=False)


Word = Callable[["Desk", Call], Awaitable[str]]


def register(app: AsyncApp, desk: "Desk") -> None:
    """`/beto` answers its person alone."""

    @app.command("/beto")
    async def on_command(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        word, _, rest = (body.get("text") or "").strip().partition(" ")
        answer = WORDS.get(word.lower())
        if answer is None:
            await ack(desk.texts("command.unknown", word=blocks.escape(word[:50]).replace("`", "'")))
            return
        call = Call(
            channel=body["channel_id"],
            user=body["user_id"],
            rest=rest.strip(),
            trigger=body["trigger_id"],
            client=client,
            response_url=body["response_url"],
        )
        await ack(await answer(desk, call))


async def tell_help(desk: "Desk", _call: Call) -> str:
    """What one can do."""
    return desk.texts("command.help", bot="beto")


async def classify(desk: "Desk", call: Call) -> str:
    """The text is on its way to its labels; they come by the response URL, a moment later."""
    if not call.rest:
        return desk.texts("command.no_text")
    message = Message(
        channel=call.channel,
        # Unique for this gesture, and no longer the trigger itself.
        ts=f"command-{hashlib.sha256(call.trigger.encode()).hexdigest()[:32]}",
        user=call.user,
        text=payloads.plain_text(call.rest)[: payloads.LONGEST],
        source=Source.COMMAND,
        response_url=call.response_url,
    )
    message_id, new = await asyncio.to_thread(desk.store.messages.save, message)
    if new:
        await desk.publish(classify_and_reply(message_id, 1))
    return ""


async def watch(desk: "Desk", call: Call) -> str:
    """Every new message of the channel is labelled."""
    if call.channel.startswith("D"):
        return desk.texts("command.direct")
    changed = await asyncio.to_thread(desk.store.channels.set_mode, call.channel, "auto")
    if not await people.is_member(call.client, call.channel):
        return desk.texts("command.watch_outside", bot="beto")
    return desk.texts("command.watch" if changed else "command.watch_already")


async def unwatch(desk: "Desk", call: Call) -> str:
    """Only what asks for it is labelled."""
    if call.channel.startswith("D"):
        return desk.texts("command.direct")
    changed = await asyncio.to_thread(desk.store.channels.set_mode, call.channel, "mention")
    return desk.texts("command.unwatch" if changed else "command.unwatch_already")


async def undo(desk: "Desk", call: Call) -> str:
    """The person's last gesture that still stands is withdrawn."""
    last = await asyncio.to_thread(desk.gestures.last_of, call.user)
    if last is None:
        return desk.texts("command.nothing_to_undo")
    at = max(time.time_ns() // 1000, last.gesture.at + 1)
    taken_back = last.gesture.model_copy(update={"withdrawn": True, "at": at, "via": "undo"})
    message_id, _ = await asyncio.to_thread(desk.gestures.add, taken_back, channel=last.channel, item_ts=last.item_ts)
    if message_id is not None:
        await desk.publish(reply.si(message_id))
    link = await history.link_to(call.client, last.channel, last.item_ts)
    return desk.texts("command.undone", what=history.told(last.gesture, desk.taxonomy, desk.texts), link=link)


async def tell_history(desk: "Desk", call: Call) -> str:
    """The history of the linked message, or of the channel's newest one that we know."""
    if call.rest:
        channel, ts = history.read_link(call.rest)
        message_id = await asyncio.to_thread(desk.gestures.message_of, channel, ts)
    else:
        message_id = await asyncio.to_thread(desk.store.messages.last_in, call.channel)
    return await history.tell(desk, call.client, message_id, asked_in=call.channel)


async def emoji(desk: "Desk", call: Call) -> str:
    """The channel has the likely labels' emoji put on its messages, or not."""
    on = call.rest.lower() not in {"off", "no"}
    await asyncio.to_thread(desk.store.channels.set_seeds, call.channel, on)
    return desk.texts("command.emoji_on" if on else "command.emoji_off")


async def status(desk: "Desk", call: Call) -> str:
    """Which version serves, and what waits."""

    def look() -> str:
        version = desk.store.registry.live()
        if version is None:
            return desk.texts("command.status_untrained")
        return desk.texts(
            "command.status",
            base=blocks.escape(blocks.base_name(version.card.base)),
            version=version.number,
            since=f"{version.created_at:%Y-%m-%d %H:%M} UTC",
            mode=desk.texts(f"command.mode_{desk.store.channels.mode(call.channel)}"),
            **desk.store.messages.counts(),
        )

    return await asyncio.to_thread(look)


WORDS: dict[str, Word] = {
    "": tell_help,
    "ayuda": tell_help,
    "help": tell_help,
    "clasifica": classify,
    "clasificar": classify,
    "classify": classify,
    "watch": watch,
    "vigila": watch,
    "unwatch": unwatch,
    "deja": unwatch,
    "deshacer": undo,
    "undo": undo,
    "historial": tell_history,
    "history": tell_history,
    "emoji": emoji,
    "reentrena": training.retrain,
    "reentrenar": training.retrain,
    "retrain": training.retrain,
    "versiones": training.tell_versions,
    "versions": training.tell_versions,
    "vuelve": training.go_back,
    "volver": training.go_back,
    "rollback": training.go_back,
    "olvida": forget.forget,
    "olvidar": forget.forget,
    "forget": forget.forget,
    "conserva": forget.keep,
    "keep": forget.keep,
    "estado": status,
    "status": status,
}
