"""What makes asking and waiting more pleasant, and what nobody misses: where Slack refuses it, nothing is said.

Each of these is one call beside the answer itself. An app or a workspace that cannot have one (without `assistant:write`, or on a
plan without agents) refuses it always, so that refusal is remembered for a day, as `bot.forms` does of blocks.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from importlib.metadata import version

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import refusal
from bot.locks import TtlLock
from bot.views.texts import Texts
from model.errors import StoreUnavailable

log = logging.getLogger(__name__)

# The words of `/beto` that are offered in direct messages, by the locales' name of each (see `asked.read`).
PROMPTS = ("help", "guide", "status", "review")
# An answer is mostly there by then: a line that flashes up tells nobody anything. The second is how long a post may take to be
# recorded that was made while the line was on its way.
AFTER_S, RECORDED_WITHIN_S = 1.0, 2.0
# Codes that say the same of every further call, and for how long they are believed.
LASTING = frozenset(
    {
        "access_denied", "deprecated_endpoint", "feature_not_enabled", "invalid_arguments", "method_deprecated", "missing_scope",
        "no_permission", "not_allowed_token_type", "restricted_action", "team_access_not_granted", "unknown_method",
    }
)  # fmt: skip
REMEMBERED_S = 24 * 3600.0


class Courtesies:
    """The courtesies of one process; `wanted`: whether there are any. `after_s`: how long an answer may take without a word."""

    def __init__(self, slack: AsyncWebClient, locks: TtlLock, *, wanted: bool = True, after_s: float = AFTER_S) -> None:
        self._slack = slack
        self._locks = locks
        self._wanted = wanted
        self._after_s = after_s
        # The event loop keeps only weak references to tasks; the end of the process waits for none of these.
        self._tasks: set[asyncio.Task[None]] = set()

    async def offer_prompts(self, channel: str, texts: Texts) -> None:
        """Offer what one can ask in these direct messages, above their composer; each is a word of `/beto`, sent as a message."""
        prompts = [{"title": texts(f"prompts.{name}"), "message": texts(f"prompts.{name}_word")} for name in PROMPTS]
        # Without thread_ts: that is for apps of the former kind, and does nothing for an agent.
        await self._call(
            "setSuggestedPrompts",
            lambda: self._slack.assistant_threads_setSuggestedPrompts(
                channel_id=channel, title=texts("prompts.title"), prompts=prompts
            ),
        )

    def show_work(self, channel: str, thread_ts: str, words: str, is_answered: Callable[[], Awaitable[bool]]) -> None:
        """Say in this thread that an answer is under way, once it has been for a while; Slack takes that away with the answer."""
        if self._wanted:
            task = asyncio.create_task(self._show_work(channel, thread_ts, words, is_answered))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _show_work(self, channel: str, thread_ts: str, words: str, is_answered: Callable[[], Awaitable[bool]]) -> None:
        async def say(words: str) -> bool:
            call = self._slack.assistant_threads_setStatus
            return await self._call("setStatus", lambda: call(channel_id=channel, thread_ts=thread_ts, status=words))

        try:
            await asyncio.sleep(self._after_s)
            if await is_answered() or not await say(words):
                return
            await asyncio.sleep(RECORDED_WITHIN_S)
            if await is_answered():
                # It may have come between our look and our words, which would stand there for two minutes.
                await say("")
        except StoreUnavailable as error:
            log.info("whether somebody was answered is not known: %s", error)

    async def _call(self, method: str, call: Callable[[], Awaitable[object]]) -> bool:
        """Make the call, and return whether Slack took it; never raise what Slack says or does."""
        key = f"courtesy/{version('beto-bot')}/{method}"
        if not self._wanted or await asyncio.to_thread(self._locks.is_locked, key):
            return False
        try:
            await call()
            return True
        except SlackApiError as error:
            code = refusal(error)
            if code in LASTING:
                log.warning("this workspace takes no assistant.threads.%s, so it is left out for a day: %s", method, code)
                await asyncio.to_thread(self._locks.lock, key, REMEMBERED_S)
            else:
                log.info("assistant.threads.%s was refused: %s", method, code or error)
        except (OSError, aiohttp.ClientError, TimeoutError) as error:
            log.info("assistant.threads.%s did not reach Slack: %r", method, error)
        return False
