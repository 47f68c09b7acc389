"""Correcting in a modal: what opens it, its menu, and what is saved of it."""

import asyncio
import hashlib
import json
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import aiohttp
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError

from bot import queues
from bot.slack import summaries
from bot.slack.context import ANSWER_WITHIN_S, ListenerContext
from bot.slack.payloads.interactions import ButtonClick, LabelSearch, MessageShortcut
from bot.slack.payloads.views import ViewClick, ViewSubmission
from bot.views import blocks, correction_blocks, label_names
from model import gesture_handles
from model.errors import StoreUnavailable
from model.judgements import Gesture, Kind, MessageState
from model.labels import Taxonomy
from model.schema import Message, Source
from model.store.judged_messages import Judged
from model.store.store import Store
from model.store.stored_message import StoredMessage

log = logging.getLogger(__name__)

# The modal stands open and says "one moment" meanwhile; people wait longer than Slack's three seconds.
STORE_PATIENCE_S = 30.0

Answer = TypeVar("Answer")


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the modal, its menu and its shortcut, whose gestures are like any other."""
    store = context.store

    @app.shortcut("edit_labels")
    async def on_shortcut(ack: AsyncAck, parsed: MessageShortcut) -> None:
        await ack()
        context.after_ack(_edit_message(context, parsed), what="edit_labels", response_url=parsed.response_url)

    @app.options(blocks.CHOICE)
    async def on_search(ack: AsyncAck, parsed: LabelSearch) -> None:
        await ack(options=label_names.label_options(parsed.typed, await context.taxonomy(), context.texts))

    @app.view(blocks.EDIT_VIEW)
    async def on_submit(ack: AsyncAck, parsed: ViewSubmission) -> None:
        taxonomy, texts = await context.taxonomy(), context.texts
        try:
            stored, judged = await asyncio.to_thread(_look, store, parsed.opened.message, taxonomy)
        except StoreUnavailable as error:
            await _keep_open(context, ack, error)
            return
        if stored is None or judged is None or stored.deleted:
            await ack(response_action="update", view=blocks.sorry(texts("modal.gone"), texts))
            return
        is_news = fingerprint(judged.state, stored.revision) != parsed.opened.seen
        sees = await sees_in_time(context, parsed.user, stored.message)
        if sees is None and not is_news:
            # What they chose is still there; nothing is said, or saved, that they may not know.
            warning, below = texts("command.failed"), _below(parsed)
            view = await _modal(context, stored, judged, taxonomy, chosen=parsed.chosen, warning=warning, below=below)
            await ack(response_action="update", view=view)
            return
        if not sees:
            sentence = texts("command.failed" if sees is None else "ask.hidden")
            await ack(response_action="update", view=blocks.sorry(sentence, texts))
            return
        if is_news:
            # Shown, not overwritten: what somebody else said since was not known to this person.
            warning = texts("modal.changed", labels=label_names.names(judged.state.shown, taxonomy, texts))
            below = _below(parsed)
            view = await _modal(context, stored, judged, taxonomy, chosen=parsed.chosen, warning=warning, below=below)
            await ack(response_action="update", view=view)
            return
        message = stored.message
        gesture = Gesture(
            user=parsed.user,
            handle=gesture_handles.of_modal(parsed.user, message.ts, parsed.view_id),
            at=time.time_ns() // 1000,
            kind=Kind.SET,
            labels=tuple(name for name in parsed.chosen if name in taxonomy),
            via="modal",
        )
        try:
            add = store.gestures.add
            await asyncio.to_thread(add, gesture, channel=message.channel, item_ts=message.ts, note=parsed.note)
        except StoreUnavailable as error:
            await _keep_open(context, ack, error)
            return
        await ack()
        await context.publish(queues.reply(stored.id))
        _tell_elsewhere(context, parsed, stored)


def _tell_elsewhere(context: ListenerContext, parsed: ViewSubmission, stored: StoredMessage) -> None:
    """Show the summary anew that this modal lay on, if any: it tells of the message. Where nothing shows, say that it counts."""
    context.after_ack(_tell_where_nothing_shows(context, parsed.user, stored), what=blocks.EDIT_VIEW)
    opened, root = parsed.opened, parsed.root_view_id
    if opened.days is not None and opened.channel and root:
        shown = summaries.show_in(context, root, parsed.user, opened.channel, opened.days)
        context.after_ack(shown, what=blocks.EDIT_VIEW)


async def edit_on_summary(context: ListenerContext, parsed: ViewClick, message_id: int) -> None:
    """Open the modal for this message on top of the summary that names it."""
    pushed = await context.slack.views_push(trigger_id=parsed.trigger_id, view=blocks.loading(context.texts))
    below = {"channel": parsed.opened.channel, "days": parsed.opened.days}
    await _fill(context, str(pushed["view"]["id"]), message_id, parsed.user, below=below)


async def _tell_where_nothing_shows(context: ListenerContext, user: str, stored: StoredMessage) -> None:
    """Tell whoever corrected that it counts, where no reply and no emoji will show it."""
    message = stored.message

    def is_silent() -> bool:
        muted = bool(context.store.mutes.of(message.channel, message.ts))
        quiet = muted or (message.source is Source.CHANNEL and context.store.channels.showing(message.channel).display == "quiet")
        return quiet and not stored.asked and context.store.outbox.reply_ts(stored.id) is None

    if await asyncio.to_thread(is_silent):
        await context.tell(context.texts("showing.saved"), channel=message.channel, user=user, response_url=None)


async def _keep_open(context: ListenerContext, ack: AsyncAck, error: StoreUnavailable) -> None:
    """Say in the modal that it could not be saved, and leave there what they chose and wrote."""
    log.warning("%s waits for the database: %s", blocks.EDIT_VIEW, error)
    await ack(response_action="errors", errors={blocks.CHOICE: context.texts("command.trouble")})


async def sees_in_time(context: ListenerContext, user: str, message: Message) -> bool | None:
    """Return whether this person may see the message; None where Slack does not say so in time for our own answer."""
    try:
        return await asyncio.wait_for(context.visibility.may_see(user, message), ANSWER_WITHIN_S)
    except (SlackApiError, OSError, aiohttp.ClientError, TimeoutError) as error:
        log.warning("whether a person may see a message is not known: %r", error)
        return None


async def edit_reply(context: ListenerContext, parsed: ButtonClick) -> None:
    """Open the modal for the message that this reply is about, at once."""
    async with _modal_opened(context, parsed.trigger_id) as view_id:
        message_id = await _patiently(lambda: context.store.gestures.message_of(*parsed.ref))
        await _fill(context, view_id, message_id, parsed.user, unknown="modal.forgotten")


async def _edit_message(context: ListenerContext, parsed: MessageShortcut) -> None:
    """Open the modal for this message, or for the one that this reply of ours is about; save it where nobody asked before."""
    async with _modal_opened(context, parsed.trigger_id) as view_id:
        message = None if parsed.author == context.bot_user else parsed.message(context.bot_user)
        message_id = await _patiently(lambda: context.store.gestures.message_of(*parsed.ref))
        if message_id is None and message is not None:
            if not await context.visibility.may_see(parsed.user, message):
                await _refuse(context, view_id)
                return
            saved, new = await _patiently(lambda: context.store.messages.save(message))
            if new:
                await context.publish(queues.classify_and_reply(saved, 1))
            message_id = saved
        await _fill(context, view_id, message_id, parsed.user)


@asynccontextmanager
async def _modal_opened(context: ListenerContext, trigger_id: str) -> AsyncIterator[str]:
    """Open the modal that says "one moment", at once: Slack allows it for three seconds. Yield its id.

    Where its content cannot be found, the modal says so, and no longer "one moment".
    """
    opened = await context.slack.views_open(trigger_id=trigger_id, view=blocks.loading(context.texts))
    view_id = str(opened["view"]["id"])
    try:
        yield view_id
    except Exception as error:  # the modal must say so, whatever it was; it is raised again
        away = isinstance(error, StoreUnavailable)
        sentence = context.texts("command.trouble" if away else "command.failed")
        with suppress(SlackApiError, OSError, aiohttp.ClientError, TimeoutError):  # the error itself is told of, too
            await context.slack.views_update(view_id=view_id, view=blocks.sorry(sentence, context.texts))
        raise


async def _patiently(ask: Callable[[], Answer]) -> Answer:
    """Return what `ask` returns, tried again while the database is away; StoreUnavailable after `STORE_PATIENCE_S`."""
    deadline = time.monotonic() + STORE_PATIENCE_S
    while True:
        try:
            return await asyncio.to_thread(ask)
        except StoreUnavailable:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(1)


async def _refuse(context: ListenerContext, view_id: str) -> None:
    """Say in the open modal that nothing of this message is told to this person."""
    await context.slack.views_update(view_id=view_id, view=blocks.sorry(context.texts("ask.hidden"), context.texts))


async def _fill(
    context: ListenerContext, view_id: str, message_id: int | None, user: str, *,
    below: Mapping[str, Any] | None = None, unknown: str = "ask.no_text",
) -> None:  # fmt: skip
    """Show the message and its labels in the open modal, or why not; `below`: what it lies on."""
    taxonomy, texts = await context.taxonomy(), context.texts
    stored, judged = await _patiently(lambda: _look(context.store, message_id, taxonomy))
    if stored is None or judged is None or stored.deleted:
        view = blocks.sorry(texts("modal.gone" if message_id is not None else unknown), texts)
    elif not await context.visibility.may_see(user, stored.message):
        await _refuse(context, view_id)
        return
    else:
        hidden = stored.message.blind and not judged.state.judges
        # Told before they begin: what a guest chooses would be kept, and count for nothing.
        warning = "" if await context.visibility.may_judge(user) else texts("judge.refused")
        chosen = () if hidden else judged.state.shown
        view = await _modal(context, stored, judged, taxonomy, chosen=chosen, warning=warning, below=below)
    await context.slack.views_update(view_id=view_id, view=view)


def _look(store: Store, message_id: int | None, taxonomy: Taxonomy) -> tuple[StoredMessage | None, Judged | None]:
    if message_id is None:
        return None, None
    return store.messages.get(message_id), store.judged.of(message_id, taxonomy)


async def _modal(
    context: ListenerContext,
    stored: StoredMessage,
    judged: Judged,
    taxonomy: Taxonomy,
    *,
    chosen: tuple[str, ...],
    warning: str = "",
    below: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    seen = {"message": stored.id, "seen": fingerprint(judged.state, stored.revision), **(below or {})}
    used = await context.used_labels(stored.message.channel)
    among = None if used is None else {*used, *judged.state.shown}
    return correction_blocks.labels_modal(
        stored.message.text,
        chosen,
        judged.state,
        taxonomy,
        context.texts,
        metadata=json.dumps(seen),
        warning=warning,
        among=among,
    )


def _below(parsed: ViewSubmission) -> dict[str, Any]:
    """Return what this modal lies on, {} where that is nothing."""
    opened = parsed.opened
    return {} if opened.days is None else {"channel": opened.channel, "days": opened.days}


def fingerprint(state: MessageState, revision: int) -> str:
    """Return the same while the text and what people said of it are the same; the network changing its mind is no conflict."""
    said = [revision, *((name, label.yes, label.no) for name, label in state.labels.items())]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]
