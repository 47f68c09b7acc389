"""Delivery of payloads to the app: what Socket Mode and signed HTTP have in common."""

import asyncio
from collections import deque
from typing import Literal, NamedTuple

from bot.simulator.clock import Clock
from bot.simulator.errors import Json
from bot.simulator.events import new_event_id
from bot.simulator.faults import Faults
from bot.simulator.wire import Transfer, Wire

ACK_WITHIN_S = 3.0
RETRY_AFTER_S = (0.0, 60.0, 300.0)  # between a failed delivery and the next; after the last one Slack gives up
EVENTS_PER_HOUR = 30_000
# Below so many events an hour Slack never switches a subscription off; above, when less than 5 % are acknowledged.
SWITCH_OFF_FROM_EVENTS, SWITCH_OFF_BELOW = 1_000, 0.05
Kind = Literal["events_api", "interactive", "slash_commands"]


class Unanswered(Exception):
    """An interaction that the app did not answer in time, or an app that could not be reached."""

    def __init__(self, code: Literal["operation_timeout", "dispatch_failed"]) -> None:
        super().__init__(code)
        self.code = code


class Delivery(NamedTuple):
    """One attempt to deliver one event. `settled`, if set, resolves to {}, or to Unanswered once Slack gives up."""

    payload: Json
    attempt: int = 0
    reason: str = ""
    lost_ack: bool = False
    settled: "asyncio.Future[Json] | None" = None


class _Hour:
    """The events sent in one hour; Slack sends a limited number."""

    def __init__(self, since_s: float) -> None:
        self.since_s = since_s
        self.sent = 0
        self.failed = 0
        self.announced_minute = -1


class Transport:
    """The way to the app. Events are queued until the app can be reached, and sent again when it does not acknowledge."""

    def __init__(self, faults: Faults, clock: Clock, wire: Wire) -> None:
        self.faults = faults
        self.clock = clock
        self.wire = wire
        self.subscribed = True  # False once too few events are acknowledged, until a person switches it on again
        self._waiting: deque[Delivery] = deque()
        self._held: list[Delivery] = []
        self._hour = _Hour(clock.seconds())

    @property
    def sockets(self) -> int:
        """Count the app's open connections."""
        return 0

    @property
    def deaf(self) -> tuple[int, ...]:
        """Return the numbers of those through which nothing arrives any more; each that is opened has its own."""
        return ()

    def start(self) -> None:
        """Begin to deliver."""

    async def stop(self) -> None:
        """Stop delivering."""
        self.clock.stop()
        self._waiting.clear()

    def send_event(self, payload: Json) -> None:
        """Send an event, or queue it while the app cannot be reached."""
        if not self._may_send(payload):
            return
        fault = self.faults.take_event_fault()
        delivery = Delivery(payload, lost_ack=fault.lost_ack)
        if fault.held:
            self._held.append(delivery)
            return
        self._send_later(delivery, fault.delay_s)
        if fault.copy == "new_id":
            self._deliver(Delivery({**payload, "event_id": new_event_id()}))
        elif fault.copy == "same_id":
            self._deliver(Delivery(payload))
        elif fault.copy == "retry":
            self._deliver(Delivery(payload, 1, "timeout"))
        for late in reversed(self._held):
            self._send_later(late, fault.delay_s)
        self._held.clear()
        if fault.socket:
            self.disturb(fault.socket)

    async def deliver(self, kind: Kind, payload: Json) -> Json:
        """Deliver any payload, such as a captured one, and return the app's answer ({} for an event); raises Unanswered."""
        if kind != "events_api":
            return await self.ask(kind, payload)
        settled: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._deliver(Delivery(payload, settled=settled))
        return await settled

    async def ask(self, kind: Kind, payload: Json) -> Json:
        """Send an interaction once and return the app's answer ({} if it only acknowledged); raises Unanswered."""
        transfer = self.wire.begin("interaction", str(payload.get("command") or payload.get("type")), payload)
        try:
            answer = await self._ask(kind, payload)
        except Unanswered as error:
            self.wire.settle(transfer, error.code)
            raise
        self.wire.settle(transfer, answer=answer)
        return answer

    def disturb(self, what: str) -> None:
        """Disturb the app's sockets, if there are any; see SocketMode.disturb."""

    async def _ask(self, kind: Kind, payload: Json) -> Json:
        raise NotImplementedError

    def _deliver(self, delivery: Delivery) -> None:
        raise NotImplementedError

    def _send_later(self, delivery: Delivery, seconds: float) -> None:
        if seconds:
            self.clock.later(seconds, self._deliver, delivery)
        else:
            self._deliver(delivery)

    def _begin(self, delivery: Delivery) -> Transfer:
        """Record the delivery in the log."""
        payload = delivery.payload
        name = str((payload.get("event") or payload).get("type"))
        return self.wire.begin("event", name, payload, delivery.attempt)

    def _acknowledged(self, delivery: Delivery, transfer: Transfer) -> None:
        self.wire.settle(transfer)
        if delivery.settled is not None and not delivery.settled.done():
            delivery.settled.set_result({})

    def _retry(self, delivery: Delivery, transfer: Transfer, reason: str) -> None:
        self.wire.settle(transfer, reason)
        self._hour.failed += delivery.attempt == 0
        if delivery.attempt < len(RETRY_AFTER_S):
            again = delivery._replace(attempt=delivery.attempt + 1, reason=reason, lost_ack=False)
            self.clock.later(RETRY_AFTER_S[delivery.attempt], self._deliver, again)
        elif delivery.settled is not None and not delivery.settled.done():
            delivery.settled.set_exception(Unanswered("operation_timeout"))

    def _may_send(self, payload: Json) -> bool:
        """Return whether another event may be sent in this hour; if not, tell the app once a minute."""
        now = self.clock.seconds()
        hour = self._hour
        if now - hour.since_s >= 3_600:
            if hour.sent >= SWITCH_OFF_FROM_EVENTS and hour.sent - hour.failed < SWITCH_OFF_BELOW * hour.sent:
                self.subscribed = False
            hour = self._hour = _Hour(now)
        if not self.subscribed:
            return False
        if hour.sent < EVENTS_PER_HOUR:
            hour.sent += 1
            return True
        minute = int(self.clock.unix()) // 60
        if minute != hour.announced_minute:
            hour.announced_minute = minute
            told = {name: payload[name] for name in ("token", "team_id", "api_app_id")}
            self._deliver(Delivery({**told, "type": "app_rate_limited", "minute_rate_limited": minute * 60}))
        return False
