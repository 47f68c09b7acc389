"""Calls of other people's webhooks: signed, over TLS, and never where a company's own network begins."""

import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from slack_sdk.signature import SignatureVerifier

from bot import webhooks
from bot.webhooks import WebhookFailed, call, may_be_called, signature
from model.networks import networks
from tests.https import Hook, authority, hook

LOOPBACK = networks("127.0.0.0/8,::1/128")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority(tmp_path / "tls")))
    with hook(tmp_path / "tls") as made:
        yield made


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.9.1", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "100.100.100.200", "168.63.129.16", "192.0.0.192", "224.0.0.1", "255.255.255.255", "198.18.0.1",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:db8::1",
    ],
)  # fmt: skip
def test_no_address_of_a_private_network_is_called_in_whatever_form_it_comes(address: str) -> None:
    """Whoever names an address chooses what our process connects to, inside the company's network."""
    assert not may_be_called(address, ())


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_what_is_public_is_called(address: str) -> None:
    assert may_be_called(address, ())


def test_a_company_may_allow_its_own_network_and_no_other() -> None:
    own = networks("10.0.0.0/8, fd00::/8")
    assert [may_be_called(each, own) for each in ("10.1.2.3", "::ffff:10.1.2.3", "fd00::1")] == [True] * 3
    assert [may_be_called(each, own) for each in ("127.0.0.1", "169.254.169.254", "192.168.1.1")] == [False] * 3


def test_what_is_sent_is_signed_as_slack_signs(server: Hook) -> None:
    """Whoever has verified Slack's requests verifies ours by the same few lines."""
    body, at = b'{"a": "\xc3\xb1"}', int(time.time())
    assert call(server.url, body, signature("secret", body, at), into=LOOPBACK) == 200
    headers, heard = server.heard[0]
    verifier = SignatureVerifier("secret")
    sent = {"timestamp": headers["x-beto-request-timestamp"], "signature": headers["x-beto-signature"]}
    assert (heard, verifier.is_valid(body=heard, **sent)) == (body, True)
    assert not verifier.is_valid(body=heard + b" ", **sent)


def test_loopback_is_refused_unless_it_is_allowed_and_nothing_is_sent(server: Hook) -> None:
    with pytest.raises(WebhookFailed, match="none of the public internet"):
        call(server.url, b"{}", {})
    assert server.heard == []


def test_the_address_that_was_checked_is_the_one_that_is_connected_to(server: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is public when it is checked, and loopback when it is called, is the oldest trick (DNS rebinding)."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, *more: object, **named: object) -> object:
        asked.append(host)
        return real("8.8.8.8" if len(asked) == 1 else "127.0.0.1", *more, **named)  # type: ignore[arg-type]  # as it was called

    connected: list[str] = []

    def connect(address: tuple[str, int], **_: object) -> socket.socket:
        connected.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(WebhookFailed, match="cannot be reached"):
        call(server.url, b"{}", {})
    assert (connected, server.heard) == (["8.8.8.8"], [])


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_an_answer_and_is_not_followed(status: int, server: Hook) -> None:
    """A public address that sends us to 127.0.0.1 would do what that address may not."""
    server.answers, server.location = status, server.url
    with pytest.raises(WebhookFailed, match=f"answered {status}, and redirects are not followed"):
        call(server.url, b"{}", {}, into=LOOPBACK)
    assert len(server.heard) == 1


def test_a_server_that_hangs_keeps_nobody_for_long(server: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "WITHIN_S", 0.3)
    server.hangs_s = 30.0
    with pytest.raises(WebhookFailed, match="did not answer within"):
        call(server.url, b"{}", {}, into=LOOPBACK)


@pytest.mark.parametrize("url", ["http://localhost/", "https://", "ftp://localhost/"])
def test_only_https_is_called(url: str) -> None:
    with pytest.raises(WebhookFailed, match="https://"):
        call(url, b"{}", {}, into=LOOPBACK)


def test_a_server_that_nobody_vouches_for_gets_nothing(server: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(WebhookFailed, match="SSLCertVerificationError"):
        call(server.url, b"{}", {}, into=LOOPBACK)
    assert server.heard == []
