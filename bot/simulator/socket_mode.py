"""Socket Mode: the app opens websockets, each payload travels in an envelope to one of them."""

import asyncio
import json
import random
import secrets
import uuid
from typing import NamedTuple

from aiohttp import WSCloseCode, WSMsgType, web

from bot.simulator.clock import Clock, Timer
from bot.simulator.delivery import ACK_WITHIN_S, Delivery, Kind, Road, Unanswered
from bot.simulator.errors import Json
from bot.simulator.faults import Faults

MAX_CONNECTIONS = 10
TICKET_LIFE_S = 60.0


class _Sent(NamedTuple):
    """An envelope that waits for its acknowledgement."""

    delivery: Delivery
    timer: Timer
    answer: "asyncio.Future[Json] | None"  # for interactions


class _Connection:
    """One open websocket and what still has to go through it."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self.socket = socket
        self.outbox: asyncio.Queue[str] = asyncio.Queue()

    async def write(self) -> None:
        """Sends the outbox until the socket is gone."""
        try:
            while True:
                await self.socket.send_str(await self.outbox.get())
        except ConnectionError:
            return  # what was not sent runs into its timeout, and is sent again through another


class SocketMode(Road):
    """The road of apps without a public address."""

    def __init__(self, faults: Faults, clock: Clock, app_id: str) -> None:
        super().__init__(faults, clock)
        self._app_id = app_id
        self._tickets: dict[str, float] = {}
        self._connections: list[_Connection] = []
        self._sent: dict[str, _Sent] = {}

    @property
    def sockets(self) -> int:
        """How many websockets of the app are open."""
        return len(self._connections)

    def new_ticket(self) -> str:
        """A ticket that opens one websocket, once, within a minute."""
        now = self.clock.unix()
        self._tickets = {ticket: until for ticket, until in self._tickets.items() if until > now}
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = now + TICKET_LIFE_S
        return ticket

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serves one websocket until it closes."""
        if self._tickets.pop(request.query.get("ticket", ""), 0.0) < self.clock.unix():
            return web.Response(status=401, text="this ticket is unknown, used or too old: call apps.connections.open")
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if len(self._connections) >= MAX_CONNECTIONS:
            await socket.send_str(json.dumps({"type": "disconnect", "reason": "too_many_websockets"}))
            await socket.close()
            return socket
        connection = _Connection(socket)
        self._connections.append(connection)
        writer = asyncio.create_task(connection.write())
        try:
            connection.outbox.put_nowait(json.dumps(self._hello()))
            while self._waiting:
                self._deliver(self._waiting.popleft())
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    self._acknowledge(frame.data)
        finally:
            self._connections.remove(connection)
            writer.cancel()
        return socket

    async def stop(self) -> None:
        """The app's websockets are closed and nothing is delivered any more."""
        await super().stop()
        for sent in self._sent.values():
            if sent.answer is not None and not sent.answer.done():
                sent.answer.set_exception(Unanswered("dispatch_failed"))
        self._sent.clear()
        for connection in list(self._connections):
            await connection.socket.close(code=WSCloseCode.GOING_AWAY)

    async def ask(self, kind: Kind, payload: Json) -> Json:
        """The payload of the app's acknowledgement; raises Unanswered."""
        if not self._connections:
            raise Unanswered("dispatch_failed")
        answer: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
        self._send(kind, Delivery(payload), answer)
        return await answer

    def _deliver(self, delivery: Delivery) -> None:
        if self._connections:
            self._send("events_api", delivery, None)
        else:
            self._waiting.append(delivery)

    def _send(self, kind: Kind, delivery: Delivery, answer: "asyncio.Future[Json] | None") -> None:
        envelope_id = str(uuid.uuid4())
        envelope: Json = {
            "envelope_id": envelope_id, "payload": delivery.payload, "type": kind, "accepts_response_payload": answer is not None,
        }  # fmt: skip
        if answer is None:
            envelope |= {"retry_attempt": delivery.attempt, "retry_reason": delivery.reason}
        self._sent[envelope_id] = _Sent(delivery, self.clock.later(ACK_WITHIN_S, self._time_out, envelope_id), answer)
        random.choice(self._connections).outbox.put_nowait(json.dumps(envelope))  # noqa: S311 (no secret)

    def _acknowledge(self, frame: str) -> None:
        try:
            ack = json.loads(frame)
            sent = self._sent[ack["envelope_id"]]
        except (ValueError, TypeError, KeyError):
            return  # no acknowledgement, or one that came too late
        if sent.answer is None and self.faults.take_lost_ack():
            return
        del self._sent[ack["envelope_id"]]
        sent.timer.cancel()
        if sent.answer is None:
            self._settle(sent.delivery)
        elif not sent.answer.done():
            payload = ack.get("payload")
            sent.answer.set_result(payload if isinstance(payload, dict) else {})

    def _time_out(self, envelope_id: str) -> None:
        sent = self._sent.pop(envelope_id)
        if sent.answer is None:
            self._retry(sent.delivery, "timeout")
        elif not sent.answer.done():
            sent.answer.set_exception(Unanswered("operation_timeout"))

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._connections),
            "debug_info": {"host": "simulator", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": self._app_id},
        }
