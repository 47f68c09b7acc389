"""Faults on demand: one at a time, or many at random from a seed."""

import random
from collections import Counter
from typing import Any, NamedTuple

Failure = int | str
Copy = str  # "new_id", "same_id" or "retry"

_FAILURES: tuple[Failure, ...] = (500, 503, "ratelimited", "not_json", "reset", "answer_lost")
# What a proxy or a captive portal answers in Slack's place with status 200, and what it says that it is.
PAGES = {"not_json": "text/html", "plain_page": "text/plain", "broken_json": "application/json"}
_SOCKET_FAULTS = ("refresh", "warning", "abort")


class EventFault(NamedTuple):
    """What goes wrong with one event. Times are in Slack's seconds."""

    copy: Copy | None = None
    delay_s: float = 0.0
    held: bool = False  # until the next one that is not held has passed
    lost_ack: bool = False
    socket: str | None = None  # the disturbance of a socket that follows it


class CallFault(NamedTuple):
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
        self._counts: Counter[str] = Counter()
        self._acks = 0
        self._held = 0
        self._copies: list[Copy] = []
        self._event_delays: list[float] = []
        self._call_faults: dict[str, list[CallFault]] = {}
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

        `failure` is an HTTP status without JSON, one of PAGES (status 200), "reset" of the connection, "answer_lost" (the call
        is carried out, then the connection is reset: the only failure after which something has changed), or an error code.
        The code "ratelimited" comes with status 429 and Retry-After, any other in the form of Slack's refusals: use it for
        errors that no workspace here can cause, such as an administrator's rules.
        """
        self._call_faults.setdefault(method, []).extend([CallFault(failure, retry_after_s=retry_after_s)] * times)

    def delay_calls(self, method: str, seconds: float, times: int = 1) -> None:
        """Delay the answers to the next `times` calls of `method`."""
        self._call_faults.setdefault(method, []).extend([CallFault(delay_s=seconds)] * times)

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
        self._counts.clear()

    def calm(self) -> None:
        """Cancel all pending faults and end chaos."""
        vars(self).update(vars(Faults()))

    # --- happening ---

    def take_event_fault(self) -> EventFault:
        """Take the fault of the event that is about to be sent."""
        if self._held > 0:
            self._held -= 1
            return EventFault(held=True)
        if self._copies or self._event_delays:
            return EventFault(
                copy=self._copies.pop(0) if self._copies else None,
                delay_s=self._event_delays.pop(0) if self._event_delays else 0.0,
            )
        rng = self._rng("event")
        if rng is None:
            return EventFault()
        kind = rng.choice(("new_id", "same_id", "retry", "delay", "hold", "lost_ack", "socket"))
        if kind in ("new_id", "same_id", "retry"):
            return EventFault(copy=kind)
        if kind == "socket":
            return EventFault(socket=rng.choice(_SOCKET_FAULTS))
        return EventFault(delay_s=rng.uniform(0, 5) if kind == "delay" else 0, held=kind == "hold", lost_ack=kind == "lost_ack")

    def take_lost_ack(self) -> bool:
        """Return whether the acknowledgement that just came is to be lost."""
        lost = self._acks > 0
        self._acks -= lost
        return lost

    def take_call_fault(self, method: str) -> CallFault:
        """Take the fault of the call of `method` that just came."""
        for name in (method, "*"):
            if waiting := self._call_faults.get(name):
                return waiting.pop(0)
        rng = self._rng(method)
        if rng is None:
            return CallFault()
        failure = rng.choice((*_FAILURES, None))
        return CallFault(failure) if failure is not None else CallFault(delay_s=rng.uniform(0, 5))

    def take_refused_socket(self) -> bool:
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
            "calls": {name: [list(one) for one in faults] for name, faults in self._call_faults.items() if faults},
            "turned_away": self._turned_away,
            "history_limited": self.history_limited,
            "chaos": None if self.chaos_seed is None else {"seed": self.chaos_seed, "share": self._share},
        }

    def _rng(self, name: str) -> random.Random | None:
        """Return a random generator for the next event or call of that name if chaos gives it a fault, else None."""
        if self.chaos_seed is None:
            return None
        self._counts[name] += 1
        rng = random.Random(f"{self.chaos_seed}/{name}/{self._counts[name]}")  # noqa: S311 - replayed, not secret
        return rng if rng.random() < self._share else None
