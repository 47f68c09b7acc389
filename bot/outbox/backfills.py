"""What a channel wrote before: read from Slack page by page, labelled in quiet, and told to whoever asked."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from slack_sdk.errors import SlackApiError

from bot import queues
from bot.errors import refusal
from bot.outbox.states import AGAIN_S, AmbiguousResult, Facts, RateLimited
from bot.outbox.thanks import ThanksWork
from bot.outbox.work import Content
from bot.views import blocks
from bot.views.blocks import moment
from model.schema import Message, Source, plain_text

# Of a channel's history in one call; an app that Slack limits gets fewer, once a minute.
PAGE = 100
LIMITED_PAGE = 15
# With more of the channel's messages waiting for a worker than this, no page is read: live ones must not wait behind them.
MOST_WAITING = 20
# After everything live; Redis hands out 0 first.
LAST = 9
LONGEST = 40_000
# A person's own words, as they are heard live.
SPOKEN = {None, "file_share", "me_message"}
_TS = re.compile(r"\d{10}\.\d{6}")


class BackfillWork(ThanksWork):
    """One channel's backfill: each claim reads a page, and what stands in the person's direct messages says how far it is."""

    METADATA = "beto_backfill"

    _pause_s = 0.0
    _limited = False

    def prepare(self) -> None:
        """Read the next page where it is time, and have its messages labelled after everything else."""
        store, key = self.context.store, self.row.key
        self._progress = store.backfills.progress(key)
        if self._progress["state"] != "running" or self._early_s() > 0:
            return
        channel = str(self._progress["channel"])
        if store.backfills.waiting(channel) > MOST_WAITING:
            return
        try:
            # Not by a cursor, which Slack forgets: from the oldest message that was read on.
            found = self.slack.conversations_history(
                channel=channel, oldest=self._progress["oldest"], latest=self._progress["before"], limit=PAGE
            )
        except RateLimited as wait:
            self._pause_s = wait.retry_after_s
            return
        except AmbiguousResult:
            self._pause_s = AGAIN_S
            return
        except SlackApiError as error:
            store.backfills.end(key, "refused", reason=str(refusal(error)))
            self._progress = store.backfills.progress(key)
            return
        page: list[dict[str, Any]] = found["messages"]
        read = [message for each in page if (message := self._read(channel, each)) is not None]
        before = min((str(each["ts"]) for each in page), key=float, default=self._progress["oldest"])
        self._limited = bool(found.get("has_more")) and len(page) <= LIMITED_PAGE
        is_last = not found.get("has_more") or not page
        for message_id in store.backfills.save_page(key, read, read=len(page), before=before, is_last=is_last):
            self.context.publish(queues.classify_and_reply(message_id, 1, priority=LAST))
        self._progress = store.backfills.progress(key)

    def facts(self, *, in_turn: bool) -> Facts:
        """Return what is known before the first call; until it is over there is more to say."""
        facts = super().facts(in_turn=in_turn)
        waits_s = self._pause_s if self.row.ts is not None else 0.0
        return replace(facts, waits_s=waits_s, is_last=self._progress["state"] != "running")

    def render(self) -> Content:
        """Return how far it is, in the language of whoever asked."""
        progress, texts = self._progress, self._texts
        said = texts(
            f"backfill.{progress['state']}",
            channel=progress["channel"],
            since=moment(datetime.fromtimestamp(float(progress["oldest"]), UTC)),
            read=progress["read"],
            saved=progress["saved"],
            reason=progress.get("reason", ""),
        )
        slow = self._limited or self._pause_s > LIMITED_PAGE
        is_running = progress["state"] == "running"
        said += f"\n{texts('backfill.slowly')}" if slow and is_running else ""
        return Content(said, blocks.backfill(said, texts, is_running=is_running))

    def _read(self, channel: str, message: dict[str, Any]) -> Message | None:
        """Return what would have been labelled had the channel been watched; None for the rest.

        What calls the bot by its name got its answer then.
        """
        user, text, ts = message.get("user"), str(message.get("text") or ""), str(message.get("ts"))
        in_thread = message.get("thread_ts", ts) != ts
        if message.get("subtype") not in SPOKEN or message.get("bot_id") or not isinstance(user, str) or in_thread:
            return None
        if user == self.context.bot_user or f"<@{self.context.bot_user}>" in text or not text.strip() or not _TS.fullmatch(ts):
            return None
        return Message(channel=channel, ts=ts, user=user, text=plain_text(text)[:LONGEST], source=Source.CHANNEL)
