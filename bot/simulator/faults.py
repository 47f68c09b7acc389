"""Faults on demand: one at a time, or many at random from a seed."""

import random
from collections import Counter
from typing import Any, NamedTuple

Failure = int | str
Copy = str  # "new_id", "same_id" or "retry"

_FAILURES: tuple[Failure, ...] = (500, 503, "ratelimited", "not_json", "reset", "answer_lost")
_SOCKET_FAULTS = ("refresh", "warning", "abort")


class Fate(NamedTuple):
    """What goes wrong with one event. Times are in Slack's seconds."""

    copy: Copy | None = None
    delay_s: float = 0.0
    held: bool = False  # until the next one that is not held has passed
    lost_ack: bool = False
    socket: str | None = None  # the disturbance of a socket that follows it


class Trouble(NamedTuple):
    """What goes wrong with one call of the Web API."""

    failure: Failure | None = None
    delay_s: float = 0.0
    retry_after_s: int = 1


class Faults:
    """Pending faults. Each is used up once it has happened; chaos goes on until `calm`.

    Methods of the Web API are given by name; "*" means whichever is called next.
    """

    def __init__(self) -> None:
        self.history_limited = False
        self.chaos_seed: int | None = None
        self._share = 0.0
        self._drawn: Counter[str] = Counter()
        self._acks = 0
        self._held = 0
        self._copies: list[Copy] = []
        self._event_delays: list[float] = []
        self._troubles: dict[str, list[Trouble]] = {}
        self._turned_away = 0

    # --- ordering ---

    def drop_acks(self, times: int = 1) -> None:
        """Lose the next acknowledgements of events."""
        self._acks += times

    def duplicate_next(self, *, new_event_id: bool = True) -> None:
        """Send the next event twice, the second time under another event id or under the same."""
        self._copies.append("new_id" if new_event_id else "same_id")

    def redeliver_next(self) -> None:
        """Send the next event a second time as a redelivery, whether or not it was acknowledged."""
        self._copies.append("retry")

    def reorder_next(self, events: int = 1) -> None:
        """Hold the next events back until the one that follows them has been sent."""
        self._held += events

    def delay_events(self, seconds: float, times: int = 1) -> None:
        """Delay the next `times` events."""
        self._event_delays += [seconds] * times

    def fail_next(self, method: str, failure: Failure, times: int = 1, retry_after_s: int = 1) -> None:
        """Let the next `times` calls of `method` fail.

        `failure` is an HTTP status without JSON, "not_json" (status 200), "reset" of the connection, "answer_lost" (the call
        is carried out, then the connection is reset: the only failure after which something has changed), or an error code.
        The code "ratelimited" comes with status 429 and Retry-After, any other in the form of Slack's refusals: use it for
        errors that no workspace here can cause, such as an administrator's rules.
        """
        self._troubles.setdefault(method, []).extend([Trouble(failure, retry_after_s=retry_after_s)] * times)

    def delay_calls(self, method: str, seconds: float, times: int = 1) -> None:
        """Delay the answers to the next `times` calls of `method`."""
        self._troubles.setdefault(method, []).extend([Trouble(delay_s=seconds)] * times)

    def limit_history(self, on: bool = True) -> None:
        """Limit conversations.history and .replies to one call a minute and 15 messages, as for apps outside the Marketplace."""
        self.history_limited = on

    def turn_away(self, times: int = 1) -> None:
        """Refuse the next websockets as too many."""
        self._turned_away += times

    def chaos(self, seed: int, share: float = 0.1) -> None:
        """Let this share of all events and calls meet a random fault.

        Which fault the n-th event, or the n-th call of a method, meets depends on the seed alone: the same seed brings the
        same faults again, however the requests overlap.
        """
        if not 0 <= share <= 1:
            raise ValueError(f"the share of faults is between 0 and 1, not {share}")
        self.chaos_seed, self._share = seed, share
        self._drawn.clear()

    def calm(self) -> None:
        """Cancel all pending faults and end chaos."""
        vars(self).update(vars(Faults()))

    # --- happening ---

    def take_event(self) -> Fate:
        """Take the fault of the event that is about to be sent."""
        if self._held > 0:
            self._held -= 1
            return Fate(held=True)
        if self._copies or self._event_delays:
            return Fate(
                copy=self._copies.pop(0) if self._copies else None,
                delay_s=self._event_delays.pop(0) if self._event_delays else 0.0,
            )
        dice = self._dice("event")
        if dice is None:
            return Fate()
        kind = dice.choice(("new_id", "same_id", "retry", "delay", "hold", "lost_ack", "socket"))
        if kind in ("new_id", "same_id", "retry"):
            return Fate(copy=kind)
        if kind == "socket":
            return Fate(socket=dice.choice(_SOCKET_FAULTS))
        return Fate(delay_s=dice.uniform(0, 5) if kind == "delay" else 0, held=kind == "hold", lost_ack=kind == "lost_ack")

    def take_lost_ack(self) -> bool:
        """Return whether the acknowledgement that just came is to be lost."""
        lost = self._acks > 0
        self._acks -= lost
        return lost

    def take_trouble(self, method: str) -> Trouble:
        """Take the fault of the call of `method` that just came."""
        for name in (method, "*"):
            if waiting := self._troubles.get(name):
                return waiting.pop(0)
        dice = self._dice(method)
        if dice is None:
            return Trouble()
        failure = dice.choice((*_FAILURES, None))
        return Trouble(failure) if failure is not None else Trouble(delay_s=dice.uniform(0, 5))

    def take_turned_away(self) -> bool:
        """Return whether the websocket that just came is to be refused."""
        away = self._turned_away > 0
        self._turned_away -= away
        return away

    def waiting(self) -> dict[str, Any]:
        """Return the pending faults, for the page."""
        return {
            "drop_acks": self._acks,
            "copies": list(self._copies),
            "held": self._held,
            "delays": list(self._event_delays),
            "calls": {name: [list(one) for one in troubles] for name, troubles in self._troubles.items() if troubles},
            "turned_away": self._turned_away,
            "history_limited": self.history_limited,
            "chaos": None if self.chaos_seed is None else {"seed": self.chaos_seed, "share": self._share},
        }

    def _dice(self, name: str) -> random.Random | None:
        """Return a random generator for the next event or call of that name if chaos gives it a fault, else None."""
        if self.chaos_seed is None:
            return None
        self._drawn[name] += 1
        dice = random.Random(f"{self.chaos_seed}/{name}/{self._drawn[name]}")  # noqa: S311 - replayed, not secret
        return dice if dice.random() < self._share else None
