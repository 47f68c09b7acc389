"""Calls of other people's webhooks: over TLS, signed as Slack signs, and never into a network that is nobody's business.

Whoever may make a route names an address, and the process that calls it stands inside the company's network. So the address
that a name resolves to is checked, and exactly that one is connected to; redirects are answers, and are not followed.
"""

import hashlib
import hmac
import http.client
import ipaddress
import queue
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from bot.metrics import count_call
from model.networks import Network

# For all of it: the name, the handshake, and a server that sends its answer a byte at a time.
WITHIN_S = 10.0
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Public by the registries, or by this Python's list of them, and a cloud's own all the same: Azure and Oracle answer their
# machines there.
_CLOUD = (ipaddress.ip_network("168.63.129.16/32"), ipaddress.ip_network("192.0.0.0/24"))
# What an IPv4 address looks like to a network that has none (RFC 6052).
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class WebhookFailed(Exception):
    """It was not taken, as far as anybody knows: no answer, another than 2xx, or an address that is not called."""


def may_be_called(address: str, into: Sequence[Network]) -> bool:
    """Return whether this address is one of the public internet, or of the networks that somebody allowed.

    Loopback, private, link-local and reserved addresses are not, nor clouds' metadata, in whatever form they come.
    """
    found = _plain(ipaddress.ip_address(address.partition("%")[0]))
    if any(found.version == network.version and found in network for network in into):
        return True
    return found.is_global and not found.is_multicast and not any(found in network for network in _CLOUD)


def call(url: str, body: bytes, headers: Mapping[str, str], *, into: Sequence[Network] = ()) -> int:
    """POST `body`, and return the status, which is 2xx; WebhookFailed after WITHIN_S at the latest, with the reason."""
    began, outcome = time.perf_counter(), "lost"
    try:
        status = _within(WITHIN_S, url, body, headers, into)
        outcome = "ok" if 200 <= status < 300 else "refused"
    finally:
        count_call("webhook", outcome, time.perf_counter() - began)
    if outcome != "ok":
        raise WebhookFailed(f"it answered {status}" + (", and redirects are not followed" if 300 <= status < 400 else ""))
    return status


def signature(secret: str, body: bytes, at: int) -> dict[str, str]:
    """Return the headers that say who sent it and when: Slack's own scheme v0 (docs.slack.dev, Verifying requests from Slack)."""
    signed = hmac.new(secret.encode(), f"v0:{at}:".encode() + body, hashlib.sha256).hexdigest()
    return {"X-Beto-Request-Timestamp": str(at), "X-Beto-Signature": f"v0={signed}"}


def _plain(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


class _Connection(http.client.HTTPSConnection):
    """A connection to the very address that was checked."""

    def __init__(self, host: str, port: int, into: Sequence[Network]) -> None:
        self._tls = ssl.create_default_context()
        super().__init__(host, port, timeout=WITHIN_S, context=self._tls)
        self._into = into

    def connect(self) -> None:
        """Look the name up once, and connect to the first of its addresses that may be called."""
        found = [each[4][0] for each in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)]
        allowed = [str(each) for each in found if may_be_called(str(each), self._into)]
        if not allowed:
            raise WebhookFailed("its address is none of the public internet, nor in BETO_WEBHOOKS_INTO")
        plain = socket.create_connection((allowed[0], self.port), timeout=WITHIN_S)
        self.sock = plain
        if not may_be_called(str(plain.getpeername()[0]), self._into):
            raise WebhookFailed("its address is none of the public internet, nor in BETO_WEBHOOKS_INTO")
        self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)


def _within(seconds: float, url: str, body: bytes, headers: Mapping[str, str], into: Sequence[Network]) -> int:
    """Return the status, or raise WebhookFailed: neither a resolver nor a server keeps the caller for longer."""
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname:
        raise WebhookFailed("its address does not begin with https://")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _Connection(parts.hostname, parts.port or 443, into)
    answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def ask() -> None:
        try:
            connection.request("POST", path, body=body, headers={"Content-Type": "application/json", **headers})
            answers.put(connection.getresponse().status)
        except Exception as error:  # handed on to whoever waits
            answers.put(error)
        finally:
            connection.close()

    threading.Thread(target=ask, name="webhook", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        if connection.sock is not None:
            connection.sock.close()
        raise WebhookFailed(f"it did not answer within {seconds:.0f} s") from None
    if isinstance(answer, WebhookFailed):
        raise answer
    if isinstance(answer, TimeoutError):
        raise WebhookFailed(f"it did not answer within {seconds:.0f} s") from answer
    if isinstance(answer, Exception):
        raise WebhookFailed(f"it cannot be reached: {type(answer).__name__}") from answer
    return int(answer)
