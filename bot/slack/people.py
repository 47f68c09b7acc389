"""Who may retrain and who may have things erased: asked of Slack each time, since rights change."""

import time
from threading import Lock

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.settings import BotSettings
from model.store.gestures import Gestures

# A user group changes seldom, and Slack allows 20 such calls a minute (tier 2).
GROUP_KNOWN_FOR_S = 300.0

_groups: dict[str, tuple[float, frozenset[str]]] = {}
_lock = Lock()


def look_at(slack: WebClient, gestures: Gestures, settings: BotSettings, *, team: str, user: str) -> None:
    """Save whether this person may judge, and whether as an expert.

    Guests and people from other organisations do not count unless BETO_GUESTS_JUDGE; BETO_JUDGES, where set, names those
    who count. A person whom Slack does not know does not count.
    """
    expert = _is_among(slack, settings.experts, user)
    allowed = not settings.judges.strip() or _is_among(slack, settings.judges, user) or expert
    if allowed and not settings.guests_judge:
        try:
            person = slack.users_info(user=user)["user"]
        except SlackApiError as error:
            if error.response.get("error") not in {"user_not_found", "user_not_visible"}:
                raise
            person = {"is_stranger": True}
        foreign = person.get("is_stranger") or person.get("team_id", team) != team
        allowed = not (foreign or person.get("is_restricted") or person.get("is_ultra_restricted") or person.get("is_bot"))
    gestures.save_person(user, may_judge=allowed, expert=expert)


async def may_train(client: AsyncWebClient, settings: BotSettings, user: str) -> bool:
    """Return whether this person may retrain, promote and roll back: named in BETO_TRAINERS, or else an admin or owner."""
    if not settings.trainer_ids:
        try:
            person = (await client.users_info(user=user))["user"]
        except SlackApiError as error:
            if error.response.get("error") not in {"user_not_found", "user_not_visible"}:
                raise
            return False
        return bool(person.get("is_admin") or person.get("is_owner"))
    if user in settings.trainer_ids:
        return True
    groups = [each for each in settings.trainer_ids if each.startswith("S")]
    return any([user in (await client.usergroups_users_list(usergroup=group))["users"] for group in groups])


async def may_erase(client: AsyncWebClient, settings: BotSettings, user: str, *, author: str) -> bool:
    """Return whether this person may have `author`'s words erased: their own always, others' as who may retrain."""
    return user == author or await may_train(client, settings, user)


async def is_member(client: AsyncWebClient, channel: str) -> bool:
    """Return whether the bot is in this channel."""
    try:
        info = await client.conversations_info(channel=channel)
    except SlackApiError as error:
        if error.response.get("error") != "channel_not_found":
            raise
        return False  # a private channel that we are not in does not exist for us
    return bool(info["channel"].get("is_member"))


def _is_among(slack: WebClient, listed: str, user: str) -> bool:
    """Whether `user` is named in the setting, or is in a user group that is (group ids begin with S)."""
    ids = [each.strip() for each in listed.split(",") if each.strip()]
    return user in ids or any(user in _members(slack, group) for group in ids if group.startswith("S"))


def _members(slack: WebClient, group: str) -> frozenset[str]:
    with _lock:
        fetched_at, members = _groups.get(group, (0.0, frozenset[str]()))
        if not fetched_at or time.monotonic() - fetched_at > GROUP_KNOWN_FOR_S:
            members = frozenset(slack.usergroups_users_list(usergroup=group)["users"])
            _groups[group] = (time.monotonic(), members)
        return members
