"""Who may judge, and whose word outweighs: asked of Slack, kept in the store."""

import logging
import time
from threading import Lock

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from bot.errors import refusal
from bot.settings import BotSettings
from model.store.people import People

log = logging.getLogger(__name__)

# A user group changes seldom, and Slack allows 20 such calls a minute (tier 2).
GROUP_KNOWN_FOR_S = 300.0


class Judges:
    """What Slack says about people who judge; any thread may ask."""

    def __init__(self, slack: WebClient, people: People, settings: BotSettings, team: str) -> None:
        self._slack = slack
        self._people = people
        self._settings = settings
        self._team = team
        self._lock = Lock()
        self._groups: dict[str, tuple[float, frozenset[str]]] = {}
        self._unknown: set[str] = set()

    def look_at(self, user: str) -> None:
        """Save whether this person may judge, and whether as an expert.

        Guests and people from other organisations do not count unless BETO_GUESTS_JUDGE; BETO_JUDGES, where set, names those
        who count. A person whom Slack does not know does not count.
        """
        expert = self._is_among(self._settings.expert_ids, user)
        allowed = not self._settings.judge_ids or self._is_among(self._settings.judge_ids, user) or expert
        if allowed and not self._settings.guests_judge:
            try:
                person = self._slack.users_info(user=user)["user"]
            except SlackApiError as error:
                if refusal(error) not in {"user_not_found", "user_not_visible"}:
                    raise
                person = {"is_stranger": True}
            foreign = person.get("is_stranger") or person.get("team_id", self._team) != self._team
            allowed = not (foreign or person.get("is_restricted") or person.get("is_ultra_restricted") or person.get("is_bot"))
        self._people.save(user, may_judge=allowed, expert=expert)

    def _is_among(self, ids: tuple[str, ...], user: str) -> bool:
        """Return whether `user` is named in the setting, or is in a user group that is (group ids begin with S)."""
        return user in ids or any(user in self._members(group) for group in ids if group.startswith("S"))

    def _members(self, group: str) -> frozenset[str]:
        # Not locked while Slack is asked: two threads that ask the same cost a call, one that waits costs all of them.
        with self._lock:
            asked_at, members = self._groups.get(group, (0.0, frozenset[str]()))
        if asked_at and time.monotonic() - asked_at <= GROUP_KNOWN_FOR_S:
            return members
        try:
            members = frozenset(self._slack.usergroups_users_list(usergroup=group)["users"])
        except SlackApiError as error:
            if refusal(error) != "no_such_subteam":
                raise
            members = frozenset()
            self._complain(group)
        with self._lock:
            self._groups[group] = (time.monotonic(), members)
        return members

    def _complain(self, group: str) -> None:
        with self._lock:
            known = group in self._unknown
            self._unknown.add(group)
        if not known:
            log.warning("BETO_JUDGES or BETO_EXPERTS names the user group %s, which does not exist: nobody is in it", group)
