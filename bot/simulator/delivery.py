"""How payloads reach the app: what the two roads, Socket Mode and signed HTTP, have in common."""

import asyncio
from collections import deque
from typing import Literal, NamedTuple

from bot.simulator.clock import Clock
from bot.simulator.errors import Json
from bot.simulator.events import new_event_id
from bot.simulator.faults import Faults

ACK_WITHIN_S = 3.0
RETRY_AFTER_S = (0.0, 60.0, 300.0)  # between a failed delivery and the next; then Slack gives up
Kind = Literal["events_api", "interactive", "slash_commands"]


class Unanswered(Exception):
    """The app did not answer an interaction in time, or could not be reached."""

    def __init__(self, code: Literal["operation_timeout", "dispatch_failed"]) -> None:
        super().__init__(code)
        self.code = code


class Delivery(NamedTuple):
    """One try to deliver one event. `settled`, if anybody waits for it, gets {}, or Unanswered once Slack gives up."""

    payload: Json
    attempt: int = 0
    reason: str = ""
    settled: "asyncio.Future[Json] | None" = None


class Road:
    """The way to the app. Events wait here until the app can be reached, and are sent again when it does not answer."""

    def __init__(self, faults: Faults, clock: Clock) -> None:
        self.faults = faults
        self.clock = clock
        self._waiting: deque[Delivery] = deque()

    @property
    def sockets(self) -> int:
        """How many connections of the app are open."""
        return 0

    async def start(self) -> None:
        """Payloads can be delivered."""

    async def stop(self) -> None:
        """Nothing is delivered any more."""
        self.clock.stop()
        self._waiting.clear()

    def send_event(self, payload: Json) -> None:
        """The event is under way, or waits for the app."""
        self._deliver(Delivery(payload))
        new_id = self.faults.take_duplicate()
        if new_id is not None:
            self._deliver(Delivery({**payload, "event_id": new_event_id()} if new_id else payload))

    async def deliver(self, kind: Kind, payload: Json) -> Json:
        """The app's answer to any payload, such as a captured one ({} for an event); raises Unanswered."""
        if kind != "events_api":
            return await self.ask(kind, payload)
        settled: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._deliver(Delivery(payload, settled=settled))
        return await settled

    async def ask(self, kind: Kind, payload: Json) -> Json:
        """The app's answer to an interaction (empty when it only acknowledged); raises Unanswered. Never sent twice."""
        raise NotImplementedError

    def _deliver(self, delivery: Delivery) -> None:
        raise NotImplementedError

    def _retry(self, delivery: Delivery, reason: str) -> None:
        if delivery.attempt < len(RETRY_AFTER_S):
            again = delivery._replace(attempt=delivery.attempt + 1, reason=reason)
            self.clock.later(RETRY_AFTER_S[delivery.attempt], self._deliver, again)
        elif delivery.settled is not None and not delivery.settled.done():
            delivery.settled.set_exception(Unanswered("operation_timeout"))

    def _settle(self, delivery: Delivery) -> None:
        """The app has acknowledged the event."""
        if delivery.settled is not None and not delivery.settled.done():
            delivery.settled.set_result({})
