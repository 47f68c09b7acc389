"""Whoever reads: their language and their clock, as Slack has them."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.views.texts import Texts, load_texts
from model.reactions import Signs

log = logging.getLogger(__name__)

# Whoever chooses another language, or travels, reads in the former for so long at most.
KNOWN_FOR_S = 600.0
MOST_KNOWN = 1000
SOON_S = 0.7


@dataclass(frozen=True)
class Reader:
    """The sentences that a person reads, and the zone of their clock, with its name as Slack gives it ("" where it does not)."""

    texts: Texts
    zone: tzinfo
    zone_name: str = ""

    def midnight(self, *, days_ago: int = 0, moment: datetime | None = None) -> datetime:
        """Return the beginning of today, or of an earlier day, by this person's clock."""
        today = (moment or datetime.now(UTC)).astimezone(self.zone).date() - timedelta(days=days_ago)
        return datetime(today.year, today.month, today.day, tzinfo=self.zone)


class Readers:
    """What Slack says of those who read (`users.info`), each asked about once in KNOWN_FOR_S.

    Where it does not answer, or their language is neither Spanish nor English, they read the workspace's.
    """

    def __init__(self, slack: AsyncWebClient, texts: Texts, signs: Signs, clock: Callable[[], float] = time.monotonic) -> None:
        self._slack = slack
        self._texts = texts
        self._signs = signs
        self._clock = clock
        self._known: dict[str, tuple[float, Reader]] = {}

    async def soon(self, user: str) -> Reader:
        """Return the same as `of`, or what is known without asking where Slack takes longer than SOON_S: a trigger runs out."""
        try:
            return await asyncio.wait_for(self.of(user), SOON_S)
        except TimeoutError:
            return Reader(self._texts, UTC)

    async def of(self, user: str) -> Reader:
        """Return what is known of this person."""
        asked_at, reader = self._known.get(user, (float("-inf"), None))
        if reader is not None and self._clock() - asked_at < KNOWN_FOR_S:
            return reader
        try:
            person: dict[str, Any] = (await self._slack.users_info(user=user, include_locale=True))["user"]
        except (SlackApiError, OSError, aiohttp.ClientError, TimeoutError) as error:
            log.info("the language of %s is not known: %r", user, error)
            return reader or Reader(self._texts, UTC)
        language = str(person.get("locale") or "")[:2]
        texts = load_texts(language, self._signs) if language in {"es", "en"} else self._texts
        reader = Reader(texts, zone_of(person), str(person.get("tz") or ""))
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[user] = self._clock(), reader
        return reader


def zone_of(person: dict[str, Any]) -> tzinfo:
    """Return the zone of a person of `users.info`: by its name, which knows about summer, or by today's offset."""
    try:
        return ZoneInfo(str(person["tz"]))
    except (KeyError, ValueError, OSError):  # no name, no name of a file, or no such zone here
        return timezone(timedelta(seconds=int(person.get("tz_offset") or 0)))
