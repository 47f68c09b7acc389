"""Erasure: `/beto olvida`, the question before it, and how long texts are kept."""

import asyncio
import json
import logging
import re
from dataclasses import dataclass
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError

from bot import queues
from bot.errors import refusal
from bot.slack import history
from bot.slack.context import ANSWER_WITHIN_S, Call, ListenerContext
from bot.slack.payloads.views import ViewSubmission
from bot.views import erasure_blocks
from model.errors import StoreUnavailable
from model.schema import Message
from model.store.erasure import Erased

log = logging.getLogger(__name__)

_PERSON = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
MYSELF = {"yo", "me", "mí", "mi", "mis mensajes", "mine", "my messages", "myself"}
FOREVER = {"siempre", "forever"}
CORRECTED = {"corregidos", "corrected"}
# A year that nobody lives to see is no number of days.
MOST_DAYS = 36_500


@dataclass(frozen=True)
class _Request:
    """A saved erasure request, and whether its person may be told what it came to."""

    id: int
    sees: bool


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the answer to the question; the words are in `commands`."""

    @app.view(erasure_blocks.FORGET_VIEW)
    async def on_yes(ack: AsyncAck, parsed: ViewSubmission) -> None:
        requesting = asyncio.ensure_future(_request(context, parsed))
        # Slack is asked only about others' words, and may take longer than the three seconds that it gives us.
        await asyncio.wait([requesting], timeout=ANSWER_WITHIN_S)
        if requesting.done() and isinstance(requesting.exception(), StoreUnavailable):
            log.warning("%s waits for the database: %s", erasure_blocks.FORGET_VIEW, requesting.exception())
            await _show(context, ack, "command.trouble")
            return
        request = requesting.result() if requesting.done() else None
        if isinstance(request, str):
            await _show(context, ack, request)
            return

        async def tell(text: str) -> None:
            await context.slack.views_update(view_id=parsed.view_id, view=erasure_blocks.notice(text, context.texts))

        await _show(context, ack, "forget.working")
        if request is None:
            executing = _execute_later(context, requesting, parsed.view_id)
        else:
            executing = _execute(context, request, parsed.view_id)
        context.after_ack(executing, what=erasure_blocks.FORGET_VIEW, tell=tell)


async def erase(context: ListenerContext, call: Call) -> str:
    """Ask in a modal whether this message, or all of this person's, is really to be erased."""
    store, texts, quoted = context.store, context.texts, ""
    person = _PERSON.fullmatch(call.rest)
    if person or call.rest.lower() in MYSELF:
        user = person[1] if person else call.user
        if not await _may_erase(context, call.user, author=user):
            return texts("forget.refused")
        wrote, said = await asyncio.to_thread(store.erasure.extent, user)
        if not wrote + said:
            return texts("forget.nothing", user=f"<@{user}>")
        question = texts("forget.ask_person", user=f"<@{user}>", all=_counted(context, wrote, said))
        metadata: dict[str, Any] = {"person": user}
    else:
        ref = history.read_link(call.rest)
        if ref is None:
            return texts("forget.how")
        message_id = await asyncio.to_thread(store.gestures.message_of, *ref)
        message = None if message_id is None else await asyncio.to_thread(_message, context, message_id)
        if message is None:
            return texts("forget.unknown")
        sees = await context.visibility.may_see(call.user, message)
        if not await _may_erase(context, call.user, author=message.user):
            return texts("forget.refused" if sees else "forget.unknown")
        if sees:
            question = texts("forget.ask_message", message=await history.named(context, message), user=f"<@{message.user}>")
            quoted = message.text  # "" where it was kept long enough
        else:  # they may have it erased, and are told nothing of it
            question = texts("forget.ask_hidden")
        metadata = {"message": message_id}
    view = erasure_blocks.forget_modal(question, texts, metadata=json.dumps(metadata), quoted=quoted)
    await context.slack.views_open(trigger_id=call.trigger_id, view=view)
    return ""


async def keep(context: ListenerContext, call: Call) -> str:
    """Set for how many days the workspace keeps its texts, or tell what it chose."""
    retention, texts, settings, which = context.store.retention, context.texts, context.settings, "days"
    words = call.rest.lower().split()
    if words[:1] and words[0] in CORRECTED:
        which, words = "corrected_days", words[1:]
    if words:
        days = 0 if words[0] in FOREVER else int(words[0]) if re.fullmatch(r"[0-9]{1,5}", words[0]) else -1
        if len(words) > 2 or not 0 <= days <= MOST_DAYS:
            return texts("forget.keep_how")
        if (why_not := await context.why_not_train(call.user)) is not None:
            return why_not
        await asyncio.to_thread(retention.choose, **{which: days})
    plain, corrected = await asyncio.to_thread(
        retention.kept_days, settings.retention_days, settings.retention_corrected_days
    )  # fmt: skip
    return texts("forget.keep", plain=_days(context, plain), corrected=_days(context, corrected))


async def _may_erase(context: ListenerContext, user: str, *, author: str) -> bool:
    """Return whether this person may have `author`'s words erased: their own always, others' as who may retrain."""
    return user == author or await context.why_not_train(user) is None


def _days(context: ListenerContext, days: int) -> str:
    return context.texts.counted("forget.days", days) if days else context.texts("forget.forever")


def _counted(context: ListenerContext, messages: int, judgements: int) -> str:
    texts = context.texts
    counted = texts.counted("forget.messages", messages), texts.counted("forget.judgements", judgements)
    return texts("forget.both", messages=counted[0], judgements=counted[1])


def _message(context: ListenerContext, message_id: int) -> Message | None:
    """Return the message; None where there is no such message, or it is gone."""
    stored = context.store.messages.get(message_id)
    return stored.message if stored is not None and not stored.deleted else None


async def _request(context: ListenerContext, parsed: ViewSubmission) -> _Request | str:
    """Save what the person confirmed as an erasure request; return it, or the key of the sentence that says why not."""
    message_id, person = parsed.opened.message, parsed.opened.person
    message = await asyncio.to_thread(_message, context, message_id) if message_id is not None else None
    author = person if message is None else message.user
    if author is None:
        return "forget.gone"
    # Asked again: between question and answer somebody may have lost the right.
    if not await _may_erase(context, parsed.user, author=author):
        return "forget.refused"
    sees = message is None or await context.visibility.may_see(parsed.user, message)
    create = context.store.erasure.create_request
    return _Request(await asyncio.to_thread(create, by=parsed.user, message_id=message_id, user=person), sees)


async def _show(context: ListenerContext, ack: AsyncAck, key: str) -> None:
    """Acknowledge with the sentence in the modal."""
    await ack(response_action="update", view=erasure_blocks.notice(context.texts(key), context.texts))


async def _execute_later(context: ListenerContext, requesting: "asyncio.Future[_Request | str]", view_id: str) -> None:
    request = await requesting
    if isinstance(request, str):
        await context.slack.views_update(view_id=view_id, view=erasure_blocks.notice(context.texts(request), context.texts))
    else:
        await _execute(context, request, view_id)


async def _execute(context: ListenerContext, request: _Request, view_id: str) -> None:
    """Erase what was requested, and say so in the modal; what fails here the sweep does."""
    try:
        done, touched = await asyncio.to_thread(context.store.erasure.execute, request.id)
        text = told(context, done, request)
    except StoreUnavailable as error:
        log.warning("erasure request %s waits for the database: %s", request.id, error)
        touched, text = [], context.texts("forget.later")
    for message_id in touched:
        await context.publish(queues.reply(message_id))
    try:
        await context.slack.views_update(view_id=view_id, view=erasure_blocks.notice(text, context.texts))
    except SlackApiError as error:
        log.info("erasure request %s is carried out, and its modal was closed: %s", request.id, refusal(error))


def told(context: ListenerContext, done: Erased, request: _Request) -> str:
    """Return what was erased, and what cannot be before the next training."""
    if request.sees:
        text = context.texts("forget.done", all=_counted(context, done.messages, done.judgements))
    else:
        text = context.texts("forget.done_hidden")
    if done.versions:
        text += "\n" + context.texts.counted("forget.learnt", len(done.versions), versions=", ".join(map(str, done.versions)))
    if done.training:
        text += "\n" + context.texts("forget.training")
    return text
