"""Modals and Home tabs: which are open for whom, and the triggers that open them."""

import secrets
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from bot.simulator import blocks
from bot.simulator.clock import Clock
from bot.simulator.errors import Json, SlackError, invalid_arguments
from bot.simulator.workspace import Bot, Workspace

TRIGGER_LIFE_S = 3.0
STACKED_VIEWS = 3
_KEPT_TRIGGER_S = 600.0  # how long "expired" can still be told from "never existed"


class _Trigger(NamedTuple):
    user: str
    until: float
    view_id: str | None  # the modal in which it was created


class Views:
    """The views that one app shows to people. `tell(user, frame)` sends a frame to a person's pages."""

    def __init__(
        self, workspace: Workspace, bot: Bot, tell: Callable[[str, Json], None], *, clock: Clock, home_enabled: bool
    ) -> None:
        self._workspace = workspace
        self._bot = bot
        self._tell = tell
        self._clock = clock
        self._home_enabled = home_enabled
        self._triggers: dict[str, _Trigger | None] = {}  # None: it was used
        self._views: dict[str, Json] = {}
        self._owners: dict[str, str] = {}
        self._stacks: dict[str, list[str]] = {}
        self._homes: dict[str, str] = {}

    # --- triggers ---

    def new_trigger(self, user: str, view_id: str | None = None) -> str:
        """Create a trigger_id for something that person did: it works once, within three of Slack's seconds."""
        now = self._clock.seconds()
        while self._triggers:
            oldest = next(iter(self._triggers))
            trigger = self._triggers[oldest]
            if trigger is not None and trigger.until + _KEPT_TRIGGER_S > now:
                break
            del self._triggers[oldest]
        trigger_id = f"{time.time_ns() // 1_000_000}.{secrets.randbelow(10**13)}.{secrets.token_hex(16)}"
        self._triggers[trigger_id] = _Trigger(user, now + TRIGGER_LIFE_S, view_id)
        return trigger_id

    def _redeem(self, trigger_id: str) -> _Trigger:
        if trigger_id not in self._triggers:
            raise SlackError("invalid_trigger_id")
        trigger = self._triggers[trigger_id]
        if trigger is None:
            raise SlackError("exchanged_trigger_id")
        if trigger.until < self._clock.seconds():
            raise SlackError("expired_trigger_id")
        self._triggers[trigger_id] = None
        return trigger

    # --- methods of the Web API ---

    def open(self, trigger_id: str, view: Any) -> Json:
        """Open a modal for the person behind the trigger, in place of those that were open."""
        checked = blocks.check_view(view, "modal")
        self._refuse_duplicate(checked["external_id"])
        user = self._redeem(trigger_id).user
        self.close_all(user)
        return self._show(user, checked, previous=None)

    def push(self, trigger_id: str, view: Any) -> Json:
        """Open a modal on top of the one in which the trigger was created."""
        checked = blocks.check_view(view, "modal")
        self._refuse_duplicate(checked["external_id"])
        trigger = self._redeem(trigger_id)
        if trigger.view_id not in self._stacks.get(trigger.user, ()):
            raise SlackError("not_found")
        return self.push_onto(trigger.user, checked)

    def push_onto(self, user: str, checked: Json) -> Json:
        """Open a checked view on top of those that are open for `user`."""
        stack = self._stacks.get(user, [])
        if len(stack) >= STACKED_VIEWS:
            raise SlackError("push_limit_reached")
        return self._show(user, checked, previous=stack[-1] if stack else None)

    def update(self, view_id: str | None, external_id: str | None, view: Any, hash_: str | None) -> Json:
        """Replace the content of an open view."""
        current = self._find(view_id, external_id)
        if hash_ and hash_ != current["hash"]:
            raise SlackError("hash_conflict")
        checked = blocks.check_view(view, current["type"])
        if checked["external_id"] != current["external_id"]:
            self._refuse_duplicate(checked["external_id"])
        return self.replace(current["id"], checked)

    def publish(self, user_id: str, view: Any, hash_: str | None) -> Json:
        """Set the person's Home tab."""
        if not self._home_enabled:
            raise SlackError("not_enabled")
        if user_id not in self._workspace.users:
            raise invalid_arguments("invalid `user_id`")
        checked = blocks.check_view(view, "home")
        current = self.home(user_id)
        if current is None or checked["external_id"] != current["external_id"]:
            self._refuse_duplicate(checked["external_id"])
        if current is not None:
            if hash_ and hash_ != current["hash"]:
                raise SlackError("hash_conflict")
            return self.replace(current["id"], checked)
        record = self._record(checked, previous=None)
        self._homes[user_id] = record["id"]
        self._keep(user_id, record)
        self._tell(user_id, {"type": "home", "view": record})
        return record

    # --- the person's side ---

    def home(self, user_id: str) -> Json | None:
        """Return the person's Home tab, None while nothing was published."""
        return self._views.get(self._homes.get(user_id, ""))

    def get(self, user_id: str, view_id: str) -> Json:
        """Return that view if it is open for that person; raises view_not_found."""
        if not self.has(user_id, view_id):
            raise SlackError("view_not_found")
        return self._views[view_id]

    def has(self, user_id: str, view_id: str) -> bool:
        """Return whether that view is open for that person."""
        return self._owners.get(view_id) == user_id

    def shown(self, user_id: str) -> list[Json]:
        """Return the modals open for that person, the lowest first."""
        return [self._views[one] for one in self._stacks.get(user_id, ())]

    def replace(self, view_id: str, checked: Json) -> Json:
        """Replace the view's content by the checked fields, with a new hash."""
        current = self._views[view_id]
        keep = {name: current[name] for name in ("id", "root_view_id", "previous_view_id", "state")}
        record = {**self._record(checked, previous=None), **keep}
        user = self._owners[view_id]
        self._keep(user, record)
        self._tell(user, {"type": "home" if record["type"] == "home" else "view", "view": record})
        return record

    def set_state(self, view_id: str, values: Json) -> Json:
        """Store what the person typed and chose, and return the view with it."""
        self._views[view_id] = {**self._views[view_id], "state": {"values": values}}
        return self._views[view_id]

    def close(self, user: str, view_id: str) -> None:
        """Close the modal and those on top of it."""
        stack = self._stacks.get(user, [])
        if view_id not in stack:
            return
        at = stack.index(view_id)
        for gone in reversed(stack[at:]):
            del self._views[gone], self._owners[gone]
            self._tell(user, {"type": "view_closed", "view_id": gone})
        del stack[at:]

    def close_all(self, user: str) -> None:
        """Close all of that person's modals."""
        for view_id in self._stacks.get(user, [])[:1]:
            self.close(user, view_id)

    def _show(self, user: str, checked: Json, previous: str | None) -> Json:
        record = self._record(checked, previous)
        self._stacks.setdefault(user, []).append(record["id"])
        self._keep(user, record)
        self._tell(user, {"type": "view", "view": record})
        return record

    def _record(self, checked: Json, previous: str | None) -> Json:
        id_ = "V" + secrets.token_hex(5).upper()
        workspace = self._workspace
        return {
            "id": id_,
            "team_id": workspace.team_id,
            **checked,
            "state": {"values": {}},
            "hash": f"{int(time.time())}.{secrets.token_urlsafe(6)}",
            "previous_view_id": previous,
            "root_view_id": self._views[previous]["root_view_id"] if previous else id_,
            "app_id": self._bot.app_id,
            "app_installed_team_id": workspace.team_id,
            "bot_id": self._bot.id,
        }

    def _keep(self, user: str, record: Json) -> None:
        self._views[record["id"]] = record
        self._owners[record["id"]] = user

    def _find(self, view_id: str | None, external_id: str | None) -> Json:
        if view_id:
            found = self._views.get(view_id)
        elif external_id:
            found = next((view for view in self._views.values() if view["external_id"] == external_id), None)
        else:
            raise invalid_arguments("missing required field: view_id or external_id")
        if found is None:
            raise SlackError("not_found")
        return found

    def _refuse_duplicate(self, external_id: str) -> None:
        if external_id and any(view["external_id"] == external_id for view in self._views.values()):
            raise SlackError("duplicate_external_id")
