"""Whether a base can be had, asked of a hub that answers in every way that hubs and proxies do."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest

from bot.local.ports import free_port
from model.errors import BaseUnavailable
from model.learning import hub
from model.settings import BASES_WITHOUT_HUB

BASE = "quien/su-modelo"


class Answering(BaseHTTPRequestHandler):
    """Answers what the server was told to, and notes what was asked for."""

    def do_HEAD(self) -> None:
        self.server.asked.append((self.path, self.headers.get("Authorization")))
        status, content_type, after_s = self.server.answer
        time.sleep(after_s)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    """A hub on loopback, which has the base."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    made.asked, made.answer = [], (200, "text/plain; charset=utf-8", 0.0)
    made.daemon_threads = True
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{made.server_port}")
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture(autouse=True)
def _no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that somebody has downloaded counts, and no token of theirs is sent."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_TOKEN", raising=False)


def test_a_hub_that_has_the_base_is_asked_once_for_a_few_bytes(server: ThreadingHTTPServer) -> None:
    """Before minutes are spent, not instead of them: nothing is downloaded for the question."""
    hub.require_base(BASE)
    assert [path for path, _ in server.asked] == [f"/{BASE}/resolve/main/config.json"]


def test_a_private_base_is_asked_for_with_the_operators_token(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bank's own checkpoint exists only for those who may read it."""
    monkeypatch.setenv("HF_TOKEN", "hf_geheim")
    hub.require_base(BASE)
    assert server.asked[0][1] == "Bearer hf_geheim"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((404, "text/plain", 0), "answers 404 (Not Found) when asked for it: the name is wrong, or it wants a token"),
        ((401, "text/plain", 0), "answers 401 (Unauthorized) when asked for it: the name is wrong, or it wants a token"),
        ((503, "text/html", 0), "answers 503 (Service Unavailable) when asked for it"),
        ((407, "text/html", 0), "answers 407 (Proxy Authentication Required)"),
        ((200, "text/html; charset=utf-8", 0), "answers with a web page, as a proxy does"),
        ((200, "text/plain", 30), "cannot be reached: "),
    ],
    ids=["no such model", "private", "down", "proxy wants a password", "a proxy's page", "silent"],
)
def test_every_other_answer_is_told_with_the_way_out_that_needs_no_hub_first(
    server: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, str, float], said: str
) -> None:
    """A bank behind a proxy meets exactly this first."""
    monkeypatch.setattr(hub, "HUB_PATIENCE_S", 0.5)
    server.answer = answer
    began = time.monotonic()
    with pytest.raises(BaseUnavailable) as caught:
        hub.require_base(BASE)
    message = str(caught.value)
    assert f"{BASE!r} is not on this machine and http://127.0.0.1:{server.server_port} {said}" in message
    assert message.split("Ways out: ")[1].startswith(f"`BETO_BASE={BASES_WITHOUT_HUB[0]}`")
    assert time.monotonic() - began < 5


def test_nobody_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The firewall that refuses."""
    url = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", url)
    with pytest.raises(BaseUnavailable, match=f"{url} cannot be reached: .*refused"):
        hub.require_base(BASE)


def test_what_is_on_this_machine_needs_no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ways out have to be such."""
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", f"http://127.0.0.1:{free_port()}")
    (tmp_path / "config.json").write_text("{}", encoding="ascii")
    for base in (*BASES_WITHOUT_HUB, str(tmp_path)):
        hub.require_base(base)
