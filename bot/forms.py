"""Which form of its blocks a call to Slack sends: the native one, and where this workspace refuses that, the classic one.

Slack brings new blocks to one workspace after the other, and answers `invalid_blocks` where they are not there yet. What was
refused is remembered in Redis for all processes, for a day or until the next release; an emptied Redis costs one refused call.
"""

import logging
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, Literal

from slack_sdk.errors import SlackApiError

from bot.errors import refusal
from bot.locks import TtlLock
from bot.views.native import Block, classic_form, has_forms, native_types

log = logging.getLogger(__name__)

Screens = Literal["native", "classic"]

# A refused call has done nothing; the second is for modals (Slack's reference of views.open).
REFUSALS = frozenset({"invalid_blocks", "invalid_arguments"})
REMEMBERED_S = 24 * 3600.0

Options = dict[str, Any]


class NoClassicForm(Exception):
    """This workspace does not take these blocks, and others do not say the same: the caller has another way."""


class Plan:
    """What one call sends first, and what after a refusal."""

    def __init__(self, forms: "Forms", first: Options, second: Options | None, types: tuple[str, ...]) -> None:
        self.first = first
        self._forms, self._second, self._types = forms, second, types

    def taken(self) -> None:
        """Remember that Slack took the first form."""
        self._forms.taken(self._types)

    def after(self, error: SlackApiError) -> Options:
        """Return what to send instead; raises the error itself where it says nothing about the form, or there is no other."""
        if not self._types or refusal(error) not in REFUSALS:
            raise error
        self._forms.refused(self._types, error)
        if self._second is None:
            raise NoClassicForm from error
        return self._second


class Forms:
    """What this workspace is known to take, for one process."""

    def __init__(self, locks: TtlLock, screens: Screens = "native") -> None:
        self._locks = locks
        self._screens = screens
        self._release = version("beto-bot")
        self._taken: set[tuple[str, ...]] = set()

    def plan(self, options: Mapping[str, Any]) -> Plan:
        """Return how to send a call with these options of slack_sdk's; asks Redis only of native blocks that were not taken yet.

        Raises NoClassicForm where it must not be sent at all.
        """
        blocks = _blocks(options)
        if not has_forms(blocks):
            return Plan(self, dict(options), None, ())
        types = native_types(blocks)
        classic = classic_form(blocks)
        second = _with_blocks(options, classic) if classic else None
        if self._takes(types):
            return Plan(self, dict(options), second, types)
        if second is None:
            raise NoClassicForm
        return Plan(self, second, None, ())

    def matter(self, options: Mapping[str, Any]) -> bool:
        """Return whether a call with these options has blocks in two forms: only then `plan` has anything to ask."""
        return has_forms(_blocks(options))

    def unasked(self, view: Mapping[str, Any]) -> dict[str, Any]:
        """Return a view as it is sent where Slack tells nobody what it refused: native only if it has been taken before."""
        types = native_types(view["blocks"])
        known = self._takes(types) and (not types or types in self._taken)
        return {**view, "blocks": list(view["blocks"]) if known else classic_form(view["blocks"])}

    def taken(self, types: tuple[str, ...]) -> None:
        """Remember for as long as this process lives that Slack took these."""
        if types:
            self._taken.add(types)

    def refused(self, types: tuple[str, ...], error: SlackApiError) -> None:
        """Remember for all processes that Slack refused these."""
        self._taken.discard(types)
        why = (error.response.get("response_metadata") or {}).get("messages") or error.response.get("error")
        log.warning("this workspace does not take %s, so the classic form is shown for a day: %s", ", ".join(types), why)
        self._locks.lock(self._key(types), REMEMBERED_S)

    def _takes(self, types: tuple[str, ...]) -> bool:
        if self._screens != "native":
            return False
        # What was taken here is not asked for again: whether another process was refused it since, this one's next call shows.
        return not types or types in self._taken or not self._locks.is_locked(self._key(types))

    def _key(self, types: tuple[str, ...]) -> str:
        return f"classic/{self._release}/{'+'.join(types)}"


def _blocks(options: Mapping[str, Any]) -> list[Block]:
    sent = options.get("json") or {}
    found: list[Block] = (sent.get("view") or sent).get("blocks") or []
    return found


def _with_blocks(options: Mapping[str, Any], blocks: list[Block]) -> Options:
    sent = options["json"]
    changed = {**sent, "view": {**sent["view"], "blocks": blocks}} if "view" in sent else {**sent, "blocks": blocks}
    return {**options, "json": changed}
