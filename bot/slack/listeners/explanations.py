"""«¿Por qué?»: which words carry a message's labels, told in a modal to whoever asks and may see the message."""

import asyncio
import logging
import unicodedata
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError

from bot import queues
from bot.slack import history
from bot.slack.context import Call, ListenerContext, Tell
from bot.slack.first_version import why_none
from bot.slack.payloads.interactions import ButtonClick, MessageShortcut
from bot.slack.payloads.payload import MessageRef
from bot.slack.payloads.views import ViewClick
from bot.views import blocks, reply_blocks, why_blocks
from model.labels import Taxonomy
from model.store.outbox_row import State, why_key
from model.store.stored_message import StoredMessage

log = logging.getLogger(__name__)


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the button on a reply, the message shortcut, and the menu in the modal itself."""

    @app.action(reply_blocks.WHY_ACTION)
    async def on_why(ack: AsyncAck, parsed: ButtonClick) -> None:
        await ack()
        work = _open(context, parsed.trigger_id, parsed.user, parsed.ref)
        context.after_ack(work, what=reply_blocks.WHY_ACTION, response_url=parsed.response_url)

    @app.shortcut("explain_labels")
    async def on_shortcut(ack: AsyncAck, parsed: MessageShortcut) -> None:
        await ack()
        work = _open(context, parsed.trigger_id, parsed.user, parsed.ref)
        context.after_ack(work, what="explain_labels", response_url=parsed.response_url)

    @app.action(why_blocks.MENU)
    async def on_another(ack: AsyncAck, parsed: ViewClick) -> None:
        await ack()
        view = {"id": parsed.view_id, "hash": parsed.hash or ""}
        work = _ask(context, view, parsed.trigger_id, parsed.user, parsed.opened.message, label=parsed.value)
        context.after_ack(work, what=why_blocks.MENU, tell=_in_modal(context, parsed.view_id))


async def show(context: ListenerContext, call: Call) -> str:
    """Open the modal about the linked message, or the channel's newest that we know, and a label where one is named."""
    words = call.rest.split()
    if words and _fold(words[0]) == "que":  # `/beto por qué`
        words = words[1:]
    ref = next((found for word in words if (found := history.read_link(word)) is not None), None)
    label = " ".join(word for word in words if history.read_link(word) is None)
    taxonomy = await context.taxonomy()
    name = _label_of(label, taxonomy) if label else None
    if label and name is None:
        shown = blocks.escape(label[:50]).replace("`", "'")
        return context.texts("why.no_such_label", label=shown)
    work = _open(context, call.trigger_id, call.user, ref, channel=call.channel, label=name)
    context.after_ack(work, what="/beto por qué", response_url=call.response_url)
    return ""


def _label_of(said: str, taxonomy: Taxonomy) -> str | None:
    """Return the label that goes by this name or title, whatever its case and accents."""
    for label in taxonomy:
        if _fold(said) in {_fold(label.name), _fold(label.title), _fold(label.title_en)}:
            return label.name
    return None


def _fold(text: str) -> str:
    return "".join(each for each in unicodedata.normalize("NFD", text.casefold()) if not unicodedata.combining(each))


def _in_modal(context: ListenerContext, view_id: str) -> Tell:
    async def tell(sentence: str) -> None:
        await context.slack.views_update(view_id=view_id, view=why_blocks.sentence(sentence, context.texts))

    return tell


async def _open(
    context: ListenerContext, trigger_id: str, user: str, ref: MessageRef | None, *, channel: str = "", label: str | None = None
) -> None:
    """Open the modal at once, since Slack allows it for three seconds, and fill it; what goes wrong is said in it."""
    opened = await context.slack.views_open(trigger_id=trigger_id, view=why_blocks.loading(context.texts))
    view = dict(opened["view"])
    try:
        if ref is not None:
            message_id = await asyncio.to_thread(context.store.gestures.message_of, *ref)
        else:
            message_id = await asyncio.to_thread(context.store.messages.last_in, channel)
        await _ask(context, view, trigger_id, user, message_id, label=label)
    except Exception as error:  # the modal must not say "one moment" for ever, whatever it was
        await context.tell_failure(error, what="¿Por qué?", response_url=None, tell=_in_modal(context, view["id"]))


async def _ask(
    context: ListenerContext, view: dict[str, Any], trigger_id: str, user: str, message_id: int | None, *, label: str | None
) -> None:
    """Have the worker asked, whose answer the `replies` process shows in this modal; say so here where that takes a while."""
    texts, store = context.texts, context.store
    stored = None if message_id is None else await asyncio.to_thread(store.messages.get, message_id)
    why_not = await _why_not(context, stored, user)
    if stored is None or why_not:
        await _in_modal(context, view["id"])(why_not)
        return
    key = why_key(trigger_id)
    asked: dict[str, str | bool] = {"user": user, "view": view["id"], "language": texts.language}
    asked["is_member"] = await context.visibility.is_full_member(user)
    if label is not None:
        asked["label"] = label
    await asyncio.to_thread(store.explanations.ask, key, stored.id, stored.message.channel, asked)
    await context.publish(queues.explain_and_show(key))
    await asyncio.sleep(context.late_s)
    row = await asyncio.to_thread(store.outbox.get, key)
    if row is not None and row.state is State.SHOWN:
        return
    late = why_blocks.sentence(texts("why.late"), texts)
    try:  # by its hash, so that the answer is not overwritten where it has just come
        await context.slack.views_update(view_id=view["id"], view=late, hash=view.get("hash") or None)
    except SlackApiError as error:
        log.info("whoever asked was not told to wait: %s", error.response.get("error"))


async def _why_not(context: ListenerContext, stored: StoredMessage | None, user: str) -> str:
    """Return why there is nothing to explain to this person; "" where there is."""
    texts = context.texts
    if stored is None:
        return texts("why.unheard")
    if not await context.visibility.may_see(user, stored.message):
        return texts("ask.hidden")
    if stored.deleted:
        return texts("modal.gone")
    if not stored.message.text:
        return texts("why.expired")
    if stored.message.blind:
        judged = await asyncio.to_thread(context.store.judged.of, stored.id, await context.taxonomy())
        if judged is None or not judged.state.judges:
            return texts("why.blind")
    return await why_none(context)
