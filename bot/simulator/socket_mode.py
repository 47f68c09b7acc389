"""Socket Mode: the app opens websockets, and each payload travels in an envelope through one of them."""

import asyncio
import json
import random
import secrets
import uuid
from collections.abc import Callable
from typing import Literal, NamedTuple

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from bot.simulator.clock import Clock, Timer
from bot.simulator.delivery import ACK_WITHIN_S, Delivery, Kind, Transport, Unanswered
from bot.simulator.errors import Json
from bot.simulator.faults import Faults
from bot.simulator.wire import Transfer, Wire

MAX_CONNECTIONS = 10
TICKET_LIFE_S = 60.0
WARNED_BEFORE_S = 10.0  # between a warning, or a request to refresh, and the close
Reason = Literal["warning", "refresh_requested", "link_disabled", "too_many_websockets"]


class _Sent(NamedTuple):
    """An envelope that waits for its acknowledgement."""

    delivery: Delivery
    timer: Timer
    transfer: Transfer | None  # for events
    answer: "asyncio.Future[Json] | None"  # for interactions


class _Connection:
    """One open websocket and the frames to be sent through it."""

    def __init__(self, number: int, socket: web.WebSocketResponse, transport: asyncio.Transport) -> None:
        self.number = number
        self.socket = socket
        self.transport = transport
        self.outbox: asyncio.Queue[str] = asyncio.Queue()
        self.leaving = False  # it gets no new payloads while there is another
        self.deaf = False  # what it is sent gets lost, though pings are answered
        self.half_closed = False
        self._thawed = asyncio.Event()
        self._thawed.set()

    async def write(self) -> None:
        """Send the outbox until the socket is closed."""
        try:
            while True:
                frame = await self.outbox.get()
                await self._thawed.wait()
                if not self.half_closed:
                    await self.socket.send_str(frame)
        except ConnectionError:
            return  # what was not sent times out and is sent again through another socket

    def say(self, frame: Json) -> None:
        """Queue a frame to be sent after all earlier ones; one that is deaf is sent nothing."""
        if not self.deaf:
            self.outbox.put_nowait(json.dumps(frame))

    async def read(self, frame: WSMessage) -> str | None:
        """Return the text of a frame from the app; answer a ping, as aiohttp would where a half-closed socket could not break."""
        if frame.type is WSMsgType.PING and not self.half_closed:
            await self.socket.pong(frame.data)
        return frame.data if frame.type is WSMsgType.TEXT else None

    def half_close(self) -> None:
        """Close the sending half of the TCP connection: what is sent gets lost, and what the app sends still arrives."""
        self.half_closed = True
        self.transport.write_eof()

    def freeze(self) -> None:
        """Keep the connection open but dead: nothing is read, no ping is answered, nothing is written."""
        self._thawed.clear()
        self.transport.pause_reading()

    def deafen(self) -> None:
        """Let get lost what is sent from now on; pings are answered."""
        self.deaf = True

    def hear(self) -> None:
        """Send again what there is to send."""
        self.deaf = False

    def thaw(self) -> None:
        """Let the connection work again."""
        if not self._thawed.is_set():
            self._thawed.set()
            self.transport.resume_reading()


class SocketMode(Transport):
    """The connection to an app without a public address."""

    def __init__(self, faults: Faults, clock: Clock, wire: Wire, app_id: str) -> None:
        super().__init__(faults, clock, wire)
        self.enabled = True
        self._app_id = app_id
        self._tickets: dict[str, float] = {}
        self._opened = 0
        self._connections: list[_Connection] = []
        self._sent: dict[str, _Sent] = {}
        self._closing: set[asyncio.Task[bool]] = set()

    @property
    def sockets(self) -> int:
        """Count the app's open websockets."""
        return len(self._connections)

    @property
    def deaf(self) -> tuple[int, ...]:
        """Return the numbers of the app's open websockets that are deaf."""
        return tuple(connection.number for connection in self._connections if connection.deaf)

    def new_ticket(self) -> str:
        """Create a ticket that opens one websocket, once, within a minute."""
        now = self.clock.unix()
        self._tickets = {ticket: until for ticket, until in self._tickets.items() if until > now}
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = now + TICKET_LIFE_S
        return ticket

    async def connect(self, request: web.Request) -> web.StreamResponse:
        """Serve one websocket until it closes."""
        if self._tickets.pop(request.query.get("ticket", ""), 0.0) < self.clock.unix():
            return web.Response(status=401, text="this ticket is unknown, used or too old: call apps.connections.open")
        socket = web.WebSocketResponse(autoping=False)  # a pong into a half-closed connection would raise
        await socket.prepare(request)
        assert isinstance(request.transport, asyncio.Transport)
        self._opened += 1
        connection = _Connection(self._opened, socket, request.transport)
        if len(self._connections) >= MAX_CONNECTIONS or self.faults.take_refused_socket():
            connection.say(self._disconnect("too_many_websockets"))
            await socket.send_str(connection.outbox.get_nowait())
            await socket.close()
            return socket
        self._connections.append(connection)
        writer = asyncio.create_task(connection.write())
        opened = self.wire.begin("socket", "open", {"connections": self.sockets})
        try:
            connection.say(self._hello())
            while self._waiting:
                self._deliver(self._waiting.popleft())
            async for frame in socket:
                if (text := await connection.read(frame)) is not None:
                    self._acknowledge(text)
        finally:
            self._connections.remove(connection)
            writer.cancel()
            self.wire.settle(opened, "closed")
        return socket

    async def stop(self) -> None:
        """Close the app's websockets and stop delivering."""
        await super().stop()
        for sent in self._sent.values():
            if sent.answer is not None and not sent.answer.done():
                sent.answer.set_exception(Unanswered("dispatch_failed"))
        self._sent.clear()
        for connection in list(self._connections):
            connection.thaw()
            await connection.socket.close(code=WSCloseCode.GOING_AWAY)

    def disturb(self, what: str) -> None:
        """Disturb the oldest socket that is not deaf, or all of them.

        - "refresh": it is asked to make room for a new one, and closed after ten of Slack's seconds
        - "warning": it is told ten seconds before that it will be closed
        - "abort": its TCP connection is reset
        - "freeze": it stays open and is dead, until "thaw"
        - "deaf": it stays open and answers pings, and whatever is sent through it gets lost, until "hear"
        - "half-closed": the sending half of its TCP connection is closed, and whatever is sent through it gets lost
        - "link_disabled": Socket Mode is switched off, for all sockets and for good (until "link_enabled")

        Raises ValueError for anything else; does nothing where no socket is open.
        """
        everyone = {"thaw": _Connection.thaw, "hear": _Connection.hear}
        one: dict[str, Callable[[_Connection], None]] = {
            "refresh": lambda connection: self._retire(connection, "refresh_requested", WARNED_BEFORE_S),
            "warning": lambda connection: self._retire(connection, "warning", WARNED_BEFORE_S),
            "abort": lambda connection: connection.transport.abort(),
            "freeze": _Connection.freeze,
            "deaf": _Connection.deafen,
            "half-closed": _Connection.half_close,
        }
        if what in ("link_enabled", "link_disabled"):
            self.enabled = what == "link_enabled"
            for connection in [] if self.enabled else list(self._connections):
                self._retire(connection, "link_disabled", 0.0)
        elif what in everyone:
            for connection in self._connections:
                everyone[what](connection)
        elif what not in one:
            raise ValueError(f"no such disturbance: {what}")
        elif fresh := [each for each in self._connections if not each.leaving and not each.deaf]:
            one[what](fresh[0])

    def _retire(self, connection: _Connection, reason: Reason, close_after_s: float) -> None:
        self.wire.settle(self.wire.begin("socket", reason, {"connections": self.sockets}))
        connection.leaving = True
        connection.say(self._disconnect(reason))
        self.clock.later(close_after_s, self._close, connection)

    def _close(self, connection: _Connection) -> None:
        task = asyncio.create_task(connection.socket.close(code=WSCloseCode.GOING_AWAY))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _ask(self, kind: Kind, payload: Json) -> Json:
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
        timer = self.clock.later(ACK_WITHIN_S, self._time_out, envelope_id)
        self._sent[envelope_id] = _Sent(delivery, timer, self._begin(delivery) if answer is None else None, answer)
        open_ones = [one for one in self._connections if not one.leaving] or self._connections
        random.choice(open_ones).say(envelope)  # noqa: S311 - not a secret

    def _acknowledge(self, frame: str) -> None:
        try:
            ack = json.loads(frame)
            sent = self._sent[ack["envelope_id"]]
        except (ValueError, TypeError, KeyError):
            return  # not an acknowledgement, or one that came too late
        if sent.answer is None and (sent.delivery.lost_ack or self.faults.take_lost_ack()):
            return
        del self._sent[ack["envelope_id"]]
        sent.timer.cancel()
        if sent.transfer is not None:
            self._acknowledged(sent.delivery, sent.transfer)
        elif sent.answer is not None and not sent.answer.done():
            payload = ack.get("payload")
            sent.answer.set_result(payload if isinstance(payload, dict) else {})

    def _time_out(self, envelope_id: str) -> None:
        sent = self._sent.pop(envelope_id)
        if sent.transfer is not None:
            self._retry(sent.delivery, sent.transfer, "timeout")
        elif sent.answer is not None and not sent.answer.done():
            sent.answer.set_exception(Unanswered("operation_timeout"))

    def _disconnect(self, reason: Reason) -> Json:
        return {
            "type": "disconnect",
            "reason": reason,
            "num_connections": len(self._connections),
            "debug_info": {"host": "simulator"},
            "connection_info": {"app_id": self._app_id},
        }

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._connections),
            "debug_info": {"host": "simulator", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": self._app_id},
        }
