"""Signed HTTP: every payload is POSTed to the app's one address, with Slack's signature."""

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlencode

import aiohttp
from multidict import CIMultiDictProxy

from bot.simulator.delivery import ACK_WITHIN_S, Delivery, Kind, Road, Unanswered
from bot.simulator.errors import Json
from bot.simulator.faults import Faults

_VERIFY_EVERY_S = 0.25  # real seconds: the app usually starts after us
_AT_ONCE = 50  # connections to the app


class SignedHttp(Road):
    """The road of apps with an address. Events wait until the address has answered `url_verification`."""

    def __init__(self, faults: Faults, clock_scale: float, url: str, signing_secret: str) -> None:
        super().__init__(faults, clock_scale)
        self._url = url
        self._secret = signing_secret.encode()
        self._session: aiohttp.ClientSession | None = None
        self._verified = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """The address is being verified, again and again until it answers."""
        connector = aiohttp.TCPConnector(limit=_AT_ONCE)
        # The environment's proxies are not for loopback.
        self._session = aiohttp.ClientSession(connector=connector, trust_env=False)
        self._spawn(self._verify())

    async def stop(self) -> None:
        """No request is under way any more."""
        await super().stop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    async def ask(self, kind: Kind, payload: Json) -> Json:
        """The body of the app's answer, {} when it is empty; raises Unanswered."""
        form = urlencode(payload if kind == "slash_commands" else {"payload": json.dumps(payload)})
        try:
            status, body, headers = await self._post(form.encode(), "application/x-www-form-urlencoded", {})
        except TimeoutError:
            raise Unanswered("operation_timeout") from None
        except (aiohttp.ClientError, OSError):
            raise Unanswered("dispatch_failed") from None
        if not 200 <= status < 300:
            raise Unanswered("dispatch_failed")
        if not body.strip():
            return {}
        if headers.get("Content-Type", "").startswith("application/json"):
            answer = json.loads(body)
            return answer if isinstance(answer, dict) else {}
        return {"text": body}

    def _deliver(self, delivery: Delivery) -> None:
        if self._verified:
            self._spawn(self._send(delivery))
        else:
            self._waiting.append(delivery)

    async def _send(self, delivery: Delivery) -> None:
        headers = (
            {"X-Slack-Retry-Num": str(delivery.attempt), "X-Slack-Retry-Reason": delivery.reason} if delivery.attempt else {}
        )
        try:
            status, _, answered = await self._post(json.dumps(delivery.payload).encode(), "application/json", headers)
        except TimeoutError:
            return self._retry(delivery, "http_timeout")
        except (aiohttp.ClientError, OSError):
            return self._retry(delivery, "connection_failed")
        if answered.get("X-Slack-No-Retry") == "1":
            return None
        if not 200 <= status < 300:
            return self._retry(delivery, "http_error")
        if self.faults.take_lost_ack():
            return self._retry(delivery, "http_timeout")
        return None

    async def _verify(self) -> None:
        while not self._verified:
            challenge = secrets.token_urlsafe(24)
            request = {"token": "simulator-verification-token", "challenge": challenge, "type": "url_verification"}
            try:
                status, body, _ = await self._post(json.dumps(request).encode(), "application/json", {})
                self._verified = status == 200 and challenge in body
            except (TimeoutError, aiohttp.ClientError, OSError):
                pass
            if not self._verified:
                await asyncio.sleep(_VERIFY_EVERY_S)
        while self._waiting:
            self._deliver(self._waiting.popleft())

    async def _post(self, body: bytes, content_type: str, headers: dict[str, str]) -> tuple[int, str, CIMultiDictProxy[str]]:
        assert self._session is not None, "start() comes first"
        now = str(int(time.time()))
        signature = hmac.new(self._secret, b"v0:" + now.encode() + b":" + body, hashlib.sha256).hexdigest()
        signed = {"Content-Type": content_type, "X-Slack-Request-Timestamp": now, "X-Slack-Signature": f"v0={signature}"}
        timeout = aiohttp.ClientTimeout(total=ACK_WITHIN_S * self._scale)
        async with self._session.post(self._url, data=body, headers=signed | headers, timeout=timeout) as response:
            return response.status, await response.text(), response.headers

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
