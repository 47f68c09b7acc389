"""Signed HTTP: every payload is POSTed to the app's one address, with Slack's signature."""

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Coroutine
from typing import Any, NamedTuple
from urllib.parse import urlencode

import aiohttp

from bot.simulator.clock import Clock
from bot.simulator.delivery import ACK_WITHIN_S, Delivery, Kind, Transport, Unanswered
from bot.simulator.errors import Json
from bot.simulator.faults import Faults
from bot.simulator.wire import Wire

_VERIFY_EVERY_S = 0.25  # real seconds: the app usually starts after the simulator
_AT_ONCE = 50  # connections to the app


class _Answer(NamedTuple):
    is_ok: bool
    is_json: bool
    no_retry: bool
    body: str


class SignedHttp(Transport):
    """The connection to an app with an address. Events are queued until the address has answered `url_verification`."""

    def __init__(self, faults: Faults, clock: Clock, wire: Wire, url: str, signing_secret: str) -> None:
        super().__init__(faults, clock, wire)
        self._url = url
        self._secret = signing_secret.encode()
        self._session: aiohttp.ClientSession | None = None
        self._verified = False
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Verify the address, again and again until it answers."""
        connector = aiohttp.TCPConnector(limit=_AT_ONCE)
        timeout = aiohttp.ClientTimeout(total=None)  # each request has its own, on Slack's clock
        # Proxies of the environment must not be used for loopback.
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, trust_env=False)
        self._spawn(self._verify())

    async def stop(self) -> None:
        """Cancel the requests in progress."""
        await super().stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def _ask(self, kind: Kind, payload: Json) -> Json:
        form = urlencode(payload if kind == "slash_commands" else {"payload": json.dumps(payload)})
        try:
            answer = await self._post_in_time(form.encode(), "application/x-www-form-urlencoded", {})
        except TimeoutError:
            raise Unanswered("operation_timeout") from None
        except (aiohttp.ClientError, OSError):
            raise Unanswered("dispatch_failed") from None
        if not answer.is_ok:
            raise Unanswered("dispatch_failed")
        if not answer.is_json:
            return {"text": answer.body} if answer.body.strip() else {}
        try:
            content = json.loads(answer.body or "{}")
        except ValueError:
            raise Unanswered("dispatch_failed") from None
        return content if isinstance(content, dict) else {}

    def _deliver(self, delivery: Delivery) -> None:
        if self._verified:
            self._spawn(self._send(delivery))
        else:
            self._waiting.append(delivery)

    async def _send(self, delivery: Delivery) -> None:
        headers = (
            {"X-Slack-Retry-Num": str(delivery.attempt), "X-Slack-Retry-Reason": delivery.reason} if delivery.attempt else {}
        )
        transfer = self._begin(delivery)
        try:
            answer = await self._post_in_time(json.dumps(delivery.payload).encode(), "application/json", headers)
        except TimeoutError:
            return self._retry(delivery, transfer, "http_timeout")
        except (aiohttp.ClientError, OSError):
            return self._retry(delivery, transfer, "connection_failed")
        if answer.no_retry:
            return self.wire.settle(transfer, "no_retry")
        if not answer.is_ok:
            return self._retry(delivery, transfer, "http_error")
        if delivery.lost_ack or self.faults.take_lost_ack():
            return self._retry(delivery, transfer, "http_timeout")
        return self._acknowledged(delivery, transfer)

    async def _verify(self) -> None:
        while not self._verified:
            challenge = secrets.token_urlsafe(24)
            request = {"token": "simulator-verification-token", "challenge": challenge, "type": "url_verification"}
            try:
                async with asyncio.timeout(ACK_WITHIN_S):  # of our seconds: no test wants an app that starts faster
                    answer = await self._post(json.dumps(request).encode(), "application/json", {})
                self._verified = answer.is_ok and challenge in answer.body
            except (TimeoutError, aiohttp.ClientError, OSError):
                pass
            if not self._verified:
                await asyncio.sleep(_VERIFY_EVERY_S)
        while self._waiting:
            self._deliver(self._waiting.popleft())

    async def _post_in_time(self, body: bytes, content_type: str, headers: dict[str, str]) -> _Answer:
        """POST and return the app's answer within three of Slack's seconds; raises TimeoutError."""
        async with asyncio.timeout(None) as limit:
            timer = self.clock.later(ACK_WITHIN_S, lambda: limit.reschedule(asyncio.get_running_loop().time()))
            try:
                return await self._post(body, content_type, headers)
            finally:
                timer.cancel()

    async def _post(self, body: bytes, content_type: str, headers: dict[str, str]) -> _Answer:
        assert self._session is not None, "start() comes first"
        now = str(int(time.time()))  # not the simulated one: the app compares it with its own clock
        signature = hmac.new(self._secret, b"v0:" + now.encode() + b":" + body, hashlib.sha256).hexdigest()
        signed = {"Content-Type": content_type, "X-Slack-Request-Timestamp": now, "X-Slack-Signature": f"v0={signature}"}
        async with self._session.post(self._url, data=body, headers=signed | headers) as response:
            return _Answer(
                is_ok=200 <= response.status < 300,
                is_json=response.content_type == "application/json",
                no_retry=response.headers.get("X-Slack-No-Retry") == "1",
                body=await response.text(errors="replace"),
            )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
