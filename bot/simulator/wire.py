"""A log of what travelled between Slack and the app, newest last, for the page and for tests."""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from bot.simulator.clock import Clock
from bot.simulator.errors import Json

KEPT = 1_000
Kind = Literal["event", "interaction", "call", "answer", "socket"]


@dataclass(slots=True)
class Transfer:
    """One request and its outcome: "" while it is unanswered, "ok", or an error code."""

    id: int
    at: float  # seconds since 1970, on the simulator's clock
    kind: Kind
    name: str  # the event's type, the gesture's, or the method
    request: Json
    attempt: int = 0
    outcome: str = ""
    took_ms: float = 0.0
    answer: Json | None = None

    def as_json(self) -> Json:
        """Return all fields as JSON, for the page."""
        return {
            "id": self.id, "at": self.at, "kind": self.kind, "name": self.name, "request": self.request, "attempt": self.attempt,
            "outcome": self.outcome, "took_ms": round(self.took_ms, 1), "answer": self.answer,
        }  # fmt: skip


class Wire:
    """The last thousand transfers. Each watcher is called twice for every transfer: when it begins and when it is settled."""

    def __init__(self, clock: Clock) -> None:
        self.watchers: list[Callable[[Transfer], None]] = []
        self._clock = clock
        self._kept: deque[Transfer] = deque(maxlen=KEPT)
        self._count = 0

    def __iter__(self) -> Iterator[Transfer]:
        return iter(self._kept)

    def begin(self, kind: Kind, name: str, request: Json, attempt: int = 0) -> Transfer:
        """Record a request that was sent."""
        self._count += 1
        transfer = Transfer(self._count, self._clock.unix(), kind, name, request, attempt)
        self._kept.append(transfer)
        self._tell(transfer)
        return transfer

    def settle(self, transfer: Transfer, outcome: str = "ok", answer: Json | None = None) -> None:
        """Record the answer to a request, or that there will be none."""
        transfer.outcome, transfer.answer = outcome, answer
        transfer.took_ms = (self._clock.unix() - transfer.at) * 1_000
        self._tell(transfer)

    def _tell(self, transfer: Transfer) -> None:
        for watcher in self.watchers:
            watcher(transfer)
