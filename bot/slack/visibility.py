"""Who may read what: asked of Slack, whose channels they are, and remembered for a minute."""

import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import refusal
from bot.settings import BotSettings
from model.schema import Message, Source

# Whoever leaves a channel, or becomes a guest, reads for so long at most what is said there.
KNOWN_FOR_S = 60.0
# Clear answers, by which nobody is let in. Any other error is none: whoever asked is told to try again.
NOBODY = {"user_not_found", "user_not_visible", "users_not_found"}
NOWHERE = {
    "channel_not_found", "not_in_channel", "missing_scope", "fetch_members_failed", "method_not_supported_for_channel_type",
}  # fmt: skip
# Members come in pages; Slack recommends no more than 200, and takes up to 1,000.
PAGE = 1000

Answer = TypeVar("Answer")


class Visibility:
    """What Slack says about who reads where; for one event loop.

    What an id looks like tells nothing: private channels have ids that begin with C, too.
    """

    def __init__(
        self, slack: AsyncWebClient, settings: BotSettings, team: str | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._slack = slack
        self._settings = settings
        self._team = team
        self._clock = clock
        self._known: dict[tuple[str, ...], tuple[float, bool]] = {}

    async def may_see(self, user: str, message: Message) -> bool:
        """Return whether this person may be told of the message: its words, its labels, who said what, and where it is.

        What somebody wrote to the bot alone only they may see; the rest, whoever reads its channel.
        """
        if message.source is Source.COMMAND or message.channel.startswith("D"):
            return user == message.user
        return await self.reads(user, message.channel)

    async def reads(self, user: str, channel: str) -> bool:
        """Return whether this person reads what stands in the channel: its members, and full members where it is public.

        False where Slack does not know the channel, or does not tell us.
        """
        if channel.startswith("D"):
            return False
        if await self.is_public(channel) and await self.is_full_member(user):
            return True
        return await self._once(("in", channel, user), lambda: self._is_in(user, channel))

    async def is_full_member(self, user: str) -> bool:
        """Return whether this person belongs to the workspace, and is neither a guest, nor of another organisation, nor a bot."""
        return await self._once(("full", user), lambda: self._is_full_member(user))

    async def may_judge(self, user: str) -> bool:
        """Return whether this person's gestures count, by BETO_JUDGES, BETO_EXPERTS and BETO_GUESTS_JUDGE."""
        settings = self._settings
        if settings.judge_ids:
            named = (*settings.judge_ids, *settings.expert_ids)
            if user not in named and not await self._is_in_group(user, named):
                return False
        return settings.guests_judge or await self.is_full_member(user)

    async def _is_in_group(self, user: str, ids: tuple[str, ...]) -> bool:
        for group in (each for each in ids if each.startswith("S")):
            if await self._once(("group", group, user), partial(self._is_of, user, group)):
                return True
        return False

    async def is_public(self, channel: str) -> bool:
        """Return whether Slack says clearly that all full members may read this channel."""

        async def ask() -> bool:
            info = await self._unless(NOWHERE, self._slack.conversations_info(channel=channel))
            # Only a clear "not private" is one.
            return info is not None and info["channel"].get("is_private") is False and bool(info["channel"].get("is_channel"))

        return await self._once(("public", channel), ask)

    async def _is_full_member(self, user: str) -> bool:
        answer = await self._unless(NOBODY, self._slack.users_info(user=user))
        if answer is None:
            return False
        person = answer["user"]
        if self._team is not None and person.get("team_id", self._team) != self._team:
            return False
        return not any(
            person.get(name) for name in ("is_restricted", "is_ultra_restricted", "is_stranger", "is_bot", "deleted")
        )  # fmt: skip

    async def _is_in(self, user: str, channel: str) -> bool:
        cursor = ""
        while True:
            asked = self._slack.conversations_members(channel=channel, limit=PAGE, **({"cursor": cursor} if cursor else {}))
            answer = await self._unless(NOWHERE, asked)
            if answer is None or user in answer["members"]:
                return answer is not None
            cursor = (answer.get("response_metadata") or {}).get("next_cursor") or ""
            if not cursor:
                return False

    async def _is_of(self, user: str, group: str) -> bool:
        answer = await self._unless({"no_such_subteam"}, self._slack.usergroups_users_list(usergroup=group))
        return answer is not None and user in answer["users"]

    async def _unless(self, errors: set[str], asked: Awaitable[Answer]) -> Answer | None:
        """Return Slack's answer; None where it is one of the `errors`."""
        try:
            return await asked
        except SlackApiError as error:
            if refusal(error) not in errors:
                raise
            return None

    async def _once(self, key: tuple[str, ...], ask: Callable[[], Awaitable[bool]]) -> bool:
        """Return what `ask` returns, or what it returned within KNOWN_FOR_S."""
        moment = self._clock()
        asked_at, answer = self._known.get(key, (moment - KNOWN_FOR_S, False))
        if moment - asked_at < KNOWN_FOR_S:
            return answer
        answer = await ask()
        if len(self._known) > 1000:
            self._known = {known: each for known, each in self._known.items() if moment - each[0] < KNOWN_FOR_S}
        self._known[key] = (moment, answer)
        return answer
