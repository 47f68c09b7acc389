"""Correcting without emoji: the buttons on a reply, the modal, and the message shortcut that opens it."""

import asyncio
import hashlib
import json
import time
from typing import TYPE_CHECKING, Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.context.async_context import AsyncBoltContext
from slack_sdk.web.async_client import AsyncWebClient

from bot.outbox.replies import classify_and_reply, reply
from bot.slack import payloads
from bot.slack.payloads import microseconds
from bot.views import blocks
from model.errors import StoreUnavailable
from model.judgements import Gesture, Kind, MessageState
from model.store.gestures import Judged
from model.store.messages import StoredMessage

if TYPE_CHECKING:
    from bot.slack.app import Desk

# The modal stands open and says "one moment" meanwhile; people wait longer than Slack's three seconds.
STORE_PATIENCE_S = 30.0


def register(app: AsyncApp, desk: "Desk") -> None:
    """Buttons, modal and shortcut become gestures like any other."""

    @app.action(blocks.CORRECT_ACTION)
    async def on_correct(ack: AsyncAck, body: dict[str, Any]) -> None:
        channel, item_ts = body["container"]["channel_id"], body["container"]["message_ts"]
        user = body["user"]["id"]
        gesture = Gesture(
            user=user,
            handle=f"button/{user}/{item_ts}",
            at=microseconds(body["actions"][0].get("action_ts")),
            kind=Kind.CORRECT,
            via="button",
        )
        message_id, _ = await asyncio.to_thread(desk.gestures.add, gesture, channel=channel, item_ts=item_ts)
        await ack()
        if message_id is not None:
            await desk.publish(reply.si(message_id))

    @app.action(blocks.EDIT_ACTION)
    async def on_edit(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        opened = await client.views_open(trigger_id=body["trigger_id"], view=blocks.loading(desk.texts))
        channel, item_ts = body["container"]["channel_id"], body["container"]["message_ts"]

        def find() -> int | None:
            return desk.gestures.message_of(channel, item_ts)

        await _fill(desk, client, opened["view"]["id"], await _patiently(find))

    @app.shortcut("edit_labels")
    async def on_shortcut(ack: AsyncAck, body: dict[str, Any], context: AsyncBoltContext, client: AsyncWebClient) -> None:
        await ack()
        opened = await client.views_open(trigger_id=body["trigger_id"], view=blocks.loading(desk.texts))
        message = payloads.read_shortcut(body, bot_user=str(context.bot_user_id))
        item_ts = body["message"]["ts"]
        channel = body["channel"]["id"]

        def find() -> tuple[int | None, bool]:
            """The message, or the one that this reply of ours is about; saved first where nobody asked about it yet."""
            known = desk.gestures.message_of(channel, item_ts)
            if known is not None or message is None or body["message"].get("user") == context.bot_user_id:
                return known, False
            return desk.store.messages.save(message)

        message_id, new = await _patiently(find)
        if new and message_id is not None:
            await desk.publish(classify_and_reply(message_id, 1))
        await _fill(desk, client, opened["view"]["id"], message_id)

    @app.view(blocks.EDIT_VIEW)
    async def on_submit(ack: AsyncAck, body: dict[str, Any]) -> None:
        view, user = body["view"], body["user"]["id"]
        opened = json.loads(view.get("private_metadata") or "{}")
        values = payloads.section(view, "state", "values")
        picked = payloads.section(values, blocks.CHOICE, blocks.CHOICE).get("selected_options") or ()
        chosen = tuple(option["value"] for option in picked)
        note = payloads.plain_text(payloads.section(values, blocks.NOTE, blocks.NOTE).get("value") or "").strip() or None
        stored, judged = await asyncio.to_thread(_look, desk, opened.get("message"))
        if stored is None or judged is None or stored.deleted:
            await ack(response_action="update", view=blocks.sorry(desk.texts("modal.gone"), desk.texts))
            return
        if _fingerprint(judged.state, stored.revision) != opened.get("seen"):
            # Shown, not overwritten: what somebody else said since was not known to this person.
            await ack(
                response_action="update",
                view=_modal(
                    desk,
                    stored,
                    judged,
                    chosen=chosen,
                    warning=desk.texts("modal.changed", labels=blocks.names(judged.state.shown, desk.taxonomy, desk.texts)),
                ),
            )
            return
        message = stored.message
        gesture = Gesture(
            user=user,
            handle=f"modal/{user}/{message.ts}/{view['id']}"[:255],
            at=time.time_ns() // 1000,
            kind=Kind.SET,
            labels=tuple(name for name in chosen if name in desk.taxonomy),
            via="modal",
        )
        await asyncio.to_thread(desk.gestures.add, gesture, channel=message.channel, item_ts=message.ts, note=note)
        await ack()
        await desk.publish(reply.si(stored.id))


async def _patiently(ask: Any) -> Any:
    """What `ask` returns, tried again while the database is away; StoreUnavailable after `STORE_PATIENCE_S`."""
    deadline = time.monotonic() + STORE_PATIENCE_S
    while True:
        try:
            return await asyncio.to_thread(ask)
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(1)


async def _fill(desk: "Desk", client: AsyncWebClient, view_id: str, message_id: int | None) -> None:
    """The open modal shows the message and its labels, or says why not."""
    stored, judged = await _patiently(lambda: _look(desk, message_id))
    if stored is None or judged is None or stored.deleted:
        view = blocks.sorry(desk.texts("modal.gone" if message_id is not None else "ask.no_text"), desk.texts)
    else:
        hidden = stored.message.blind and not judged.state.judges
        view = _modal(desk, stored, judged, chosen=() if hidden else judged.state.shown)
    await client.views_update(view_id=view_id, view=view)


def _look(desk: "Desk", message_id: int | None) -> tuple[StoredMessage | None, Judged | None]:
    if message_id is None:
        return None, None
    return desk.store.messages.get(message_id), desk.gestures.judged(message_id, desk.taxonomy)


def _modal(desk: "Desk", stored: StoredMessage, judged: Judged, *, chosen: tuple[str, ...], warning: str = "") -> dict[str, Any]:
    seen = {"message": stored.id, "seen": _fingerprint(judged.state, stored.revision)}
    return blocks.labels_modal(
        stored.message.text,
        chosen,
        judged.state,
        desk.taxonomy,
        desk.texts,
        metadata=json.dumps(seen),
        warning=warning,
    )


def _fingerprint(state: MessageState, revision: int) -> str:
    """The same while the text and what people said of it are the same; the network changing its mind is no conflict."""
    said = [revision, *((name, label.yes, label.no) for name, label in state.labels.items())]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]
