"""How payloads reach the app: what the two roads, Socket Mode and signed HTTP, have in common."""

import asyncio
from collections import deque
from typing import Literal, NamedTuple

from bot.simulator.clock import Clock
from bot.simulator.errors import Json
from bot.simulator.events import new_event_id
from bot.simulator.faults import Faults
from bot.simulator.wire import Transfer, Wire

ACK_WITHIN_S = 3.0
RETRY_AFTER_S = (0.0, 60.0, 300.0)  # between a failed delivery and the next; then Slack gives up
EVENTS_PER_HOUR = 30_000
# Below so many events an hour Slack never switches a subscription off; above, when less than 5 % are acknowledged.
SWITCH_OFF_FROM_EVENTS, SWITCH_OFF_BELOW = 1_000, 0.05
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
    lost_ack: bool = False
    settled: "asyncio.Future[Json] | None" = None


class _Hour:
    """The events of one hour, of which Slack sends so many and no more."""

    def __init__(self, since_s: float) -> None:
        self.since_s = since_s
        self.sent = 0
        self.failed = 0
        self.announced_minute = -1


class Road:
    """The way to the app. Events wait here until the app can be reached, and are sent again when it does not answer."""

    def __init__(self, faults: Faults, clock: Clock, wire: Wire) -> None:
        self.faults = faults
        self.clock = clock
        self.wire = wire
        self.subscribed = True  # until too few events are acknowledged; a person switches it on again
        self._waiting: deque[Delivery] = deque()
        self._held: list[Delivery] = []
        self._hour = _Hour(clock.seconds())

    @property
    def sockets(self) -> int:
        """How many connections of the app are open."""
        return 0

    def start(self) -> None:
        """Payloads can be delivered."""

    async def stop(self) -> None:
        """Nothing is delivered any more."""
        self.clock.stop()
        self._waiting.clear()

    def send_event(self, payload: Json) -> None:
        """The event is under way, or waits for the app."""
        if not self._may_send(payload):
            return
        fate = self.faults.take_event()
        delivery = Delivery(payload, lost_ack=fate.lost_ack)
        if fate.held:
            self._held.append(delivery)
            return
        self._send_later(delivery, fate.delay_s)
        if fate.copy == "new_id":
            self._deliver(Delivery({**payload, "event_id": new_event_id()}))
        elif fate.copy == "same_id":
            self._deliver(Delivery(payload))
        elif fate.copy == "retry":
            self._deliver(Delivery(payload, 1, "timeout"))
        for late in reversed(self._held):
            self._send_later(late, fate.delay_s)
        self._held.clear()
        if fate.socket:
            self.disturb(fate.socket)

    async def deliver(self, kind: Kind, payload: Json) -> Json:
        """The app's answer to any payload, such as a captured one ({} for an event); raises Unanswered."""
        if kind != "events_api":
            return await self.ask(kind, payload)
        settled: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._deliver(Delivery(payload, settled=settled))
        return await settled

    async def ask(self, kind: Kind, payload: Json) -> Json:
        """The app's answer to an interaction (empty when it only acknowledged); raises Unanswered. Never sent twice."""
        transfer = self.wire.begin("interaction", str(payload.get("command") or payload.get("type")), payload)
        try:
            answer = await self._ask(kind, payload)
        except Unanswered as error:
            self.wire.settle(transfer, error.code)
            raise
        self.wire.settle(transfer, answer=answer)
        return answer

    def disturb(self, what: str) -> None:
        """Something befalls the app's sockets, if there are any."""

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
        """The delivery is in the log."""
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
        """Whether the hour has room for one more event; when it has none, the app is told once a minute."""
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
