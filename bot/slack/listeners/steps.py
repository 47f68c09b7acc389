"""The step «Clasificar texto» of people's workflows: saves what is to be labelled, or why nothing is; the answer comes later."""

import asyncio
import logging
import re
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError

from bot import queues
from bot.errors import refusal
from bot.slack import history, people
from bot.slack.context import ListenerContext
from bot.slack.payloads.events import FunctionExecuted
from bot.slack.payloads.payload import LONGEST, MessageRef
from model.schema import plain_text

log = logging.getLogger(__name__)

STEP = "classify_text"
# Of the three seconds that Slack waits for an acknowledgement.
READ_WITHIN_S = 2.0
_THREAD = re.compile(r"[?&]thread_ts=(\d{10}\.\d{6})")


class _NoText(Exception):
    """There is nothing to label: by which sentence of the locales the workflow is told."""


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register every step that a workflow may have of us, also those of an older manifest: none is left waiting."""

    @app.function(re.compile(".*"), auto_acknowledge=False)
    async def on_step(ack: AsyncAck, parsed: FunctionExecuted) -> None:
        steps = context.store.steps
        try:
            text = await _text(context, parsed)
        except _NoText as why:
            values = {"bot": context.bot_name}
            key, _ = await asyncio.to_thread(steps.refuse, parsed.execution, str(why), values)
            await context.publish(queues.deliver(key))
        else:
            key, new = await asyncio.to_thread(steps.open, parsed.execution, text)
            if new:
                await context.publish(queues.label_and_complete(key))
        await ack()


async def _text(context: ListenerContext, parsed: FunctionExecuted) -> str:
    """Return what is to be labelled; _NoText where there is nothing, or nothing could answer."""
    if parsed.callback_id != STEP:
        raise _NoText("step.former")
    if await asyncio.to_thread(context.store.first_training) is not None:
        raise _NoText("step.no_version")
    text = (parsed.text or "").strip()
    if not text and parsed.message_link:
        try:
            text = (await asyncio.wait_for(_linked(context, parsed.message_link), READ_WITHIN_S)).strip()
        except (SlackApiError, OSError, aiohttp.ClientError, TimeoutError) as error:
            log.warning("the message of a workflow's step could not be read: %r", error)
            raise _NoText("step.unread") from error
    if not text:
        raise _NoText("step.no_text")
    return text[:LONGEST]


async def _linked(context: ListenerContext, link: str) -> str:
    """Return the text of a message in a public channel that the bot is in; _NoText for any other.

    Slack does not say who runs a workflow, and an input with their name would be whatever its maker put there; so it is read
    only where all members of the workspace may read it.
    """
    ref = history.read_link(link)
    if ref is None:
        raise _NoText("step.no_link")
    if not await context.visibility.is_public(ref.channel):
        raise _NoText("step.private")
    if not await people.is_member(context.slack, ref.channel):
        raise _NoText("step.outside")
    stored = await asyncio.to_thread(context.store.messages.find, *ref)
    if stored is not None and (stored.message.text or stored.deleted):
        if stored.deleted:
            raise _NoText("step.gone")
        return stored.message.text
    return await _read(context, ref, _THREAD.search(link))


async def _read(context: ListenerContext, ref: MessageRef, thread: "re.Match[str] | None") -> str:
    """Return the text of the message, as Slack has it now."""
    one: dict[str, Any] = {"channel": ref.channel, "oldest": ref.ts, "latest": ref.ts, "inclusive": True, "limit": 1}
    try:
        if thread is not None and thread[1] != ref.ts:
            # Every page has the thread's first message before its replies.
            answer = await context.slack.conversations_replies(ts=thread[1], **one | {"limit": 2})
        else:
            answer = await context.slack.conversations_history(**one)
    except SlackApiError as error:
        if refusal(error) in {"thread_not_found", "message_not_found", "channel_not_found", "not_in_channel"}:
            raise _NoText("step.gone") from error
        raise
    found = next((str(each.get("text") or "") for each in answer["messages"] if each.get("ts") == ref.ts), None)
    if found is None:
        raise _NoText("step.gone")
    return plain_text(found)
