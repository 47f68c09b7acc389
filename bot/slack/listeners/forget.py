"""Forgetting: `/beto olvida`, the question before it, and how long texts are kept."""

import asyncio
import json
import logging
import re
from typing import TYPE_CHECKING, Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.outbox.replies import reply
from bot.slack import history, people
from bot.views import blocks
from model.errors import StoreUnavailable
from model.store.erasure import Erased

if TYPE_CHECKING:
    from bot.slack.app import Desk
    from bot.slack.listeners.commands import Call

log = logging.getLogger(__name__)

_PERSON = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>")
MYSELF = {"yo", "me", "mí", "mi", "mis mensajes", "mine", "my messages", "myself"}
FOREVER = {"siempre", "forever"}
CORRECTED = {"corregidos", "corrected"}
# A year that nobody lives to see is no number of days.
MOST_DAYS = 36_500

# The event loop keeps only weak references to tasks.
_at_work: set[asyncio.Task[None]] = set()


def register(app: AsyncApp, desk: "Desk") -> None:
    """The answer to the question; its words are in `commands`."""

    @app.view(blocks.FORGET_VIEW)
    async def on_yes(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        user, view = body["user"]["id"], body["view"]
        asked = json.loads(view.get("private_metadata") or "{}")
        message_id, person = asked.get("message"), asked.get("person")
        author = await asyncio.to_thread(_author, desk, message_id) if message_id is not None else person
        if author is None:
            await ack(response_action="update", view=blocks.notice(desk.texts("forget.gone"), desk.texts))
            return
        # Asked again: between question and answer somebody may have lost the right.
        if not await people.may_forget(client, desk.settings, user, author=author):
            await ack(response_action="update", view=blocks.notice(desk.texts("forget.refused"), desk.texts))
            return
        wish = await asyncio.to_thread(desk.store.erasure.create_request, by=user, message_id=message_id, user=person)
        await ack(response_action="update", view=blocks.notice(desk.texts("forget.working"), desk.texts))
        task = asyncio.create_task(_carry_out(desk, client, wish, view["id"]))
        _at_work.add(task)
        task.add_done_callback(_at_work.discard)


async def forget(desk: "Desk", call: "Call") -> str:
    """A modal asks whether this message, or all of this person's, is really to be forgotten."""
    person = _PERSON.fullmatch(call.rest)
    if person or call.rest.lower() in MYSELF:
        user = person[1] if person else call.user
        if not await people.may_forget(call.client, desk.settings, call.user, author=user):
            return desk.texts("forget.refused")
        wrote, said = await asyncio.to_thread(desk.store.erasure.extent, user)
        if not wrote + said:
            return desk.texts("forget.nothing", user=f"<@{user}>")
        question = desk.texts("forget.ask_person", user=f"<@{user}>", messages=wrote, judgements=said)
        metadata: dict[str, Any] = {"person": user}
    else:
        channel, ts = history.read_link(call.rest)
        if not channel:
            return desk.texts("forget.how")
        message_id = await asyncio.to_thread(desk.gestures.message_of, channel, ts)
        author = None if message_id is None else await asyncio.to_thread(_author, desk, message_id)
        if author is None:
            return desk.texts("forget.unknown")
        if not await people.may_forget(call.client, desk.settings, call.user, author=author):
            return desk.texts("forget.refused")
        question = desk.texts("forget.ask_message", link=await history.link_to(call.client, channel, ts), user=f"<@{author}>")
        metadata = {"message": message_id}
    view = blocks.forget_modal(question, desk.texts, metadata=json.dumps(metadata))
    await call.client.views_open(trigger_id=call.trigger, view=view)
    return ""


async def keep(desk: "Desk", call: "Call") -> str:
    """The workspace keeps its texts for so many days, or what it chose is told."""
    forgetting, which = desk.store.erasure, "days"
    words = call.rest.lower().split()
    if words[:1] and words[0] in CORRECTED:
        which, words = "corrected_days", words[1:]
    if words:
        days = 0 if words[0] in FOREVER else int(words[0]) if re.fullmatch(r"[0-9]{1,5}", words[0]) else -1
        if len(words) > 2 or not 0 <= days <= MOST_DAYS:
            return desk.texts("forget.keep_how")
        if not await people.may_train(call.client, desk.settings, call.user):
            return desk.texts("run.refused")
        await asyncio.to_thread(forgetting.set_retention, **{which: days})
    settings = desk.settings
    plain, corrected = await asyncio.to_thread(forgetting.retention, settings.retention_days, settings.retention_corrected_days)
    return desk.texts("forget.keep", plain=_days(desk, plain), corrected=_days(desk, corrected))


def _days(desk: "Desk", days: int) -> str:
    return desk.texts("forget.days", days=days) if days else desk.texts("forget.forever")


def _author(desk: "Desk", message_id: int) -> str | None:
    """Who wrote the message; None where this workspace has no such message, or it is gone."""
    stored = desk.store.messages.get(message_id)
    return stored.message.user if stored is not None and not stored.deleted else None


async def _carry_out(desk: "Desk", client: AsyncWebClient, wish: int, view_id: str) -> None:
    """It is forgotten and the modal says so; what fails here the sweep does."""
    try:
        done, touched = await asyncio.to_thread(desk.store.erasure.execute, wish)
        for message_id in touched:
            await desk.publish(reply.si(message_id))
        await client.views_update(view_id=view_id, view=blocks.notice(told(desk, done), desk.texts))
    except StoreUnavailable as error:
        log.warning("wish %s to forget waits for the sweep: %s", wish, error)
    except SlackApiError as error:
        log.info("wish %s to forget is carried out, and its modal was closed: %s", wish, error.response["error"])


def told(desk: "Desk", done: Erased) -> str:
    """What was forgotten, and what cannot be before the next training."""
    text = desk.texts("forget.done", messages=done.messages, judgements=done.judgements)
    if done.versions:
        text += "\n" + desk.texts("forget.learnt", versions=", ".join(map(str, done.versions)))
    if done.training:
        text += "\n" + desk.texts("forget.training")
    return text
