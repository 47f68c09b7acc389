"""`make check` asks about known vulnerabilities, and never fails for want of an answer."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def advisories() -> Iterator[tuple[str, list[Any]]]:
    """A source on loopback that speaks as OSV does, and what it was asked; jinja2 has a hole."""
    asked: list[Any] = []

    class Source(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.extend(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"])
            holes = [{"vulns": [{"id": "GHSA-test"}]} if each["package"]["name"] == "Jinja2" else {} for each in asked]
            body = json.dumps({"results": holes}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Source)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", asked
    server.shutdown()
    server.server_close()


def audit(url: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"AUDIT_URL": url}
    command = [sys.executable, str(ROOT / ".ci" / "audit")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)


def test_a_known_hole_fails_the_check_and_is_named(advisories: tuple[str, list[Any]]) -> None:
    """Every pinned package is asked about, with its version."""
    url, asked = advisories
    done = audit(url)
    assert done.returncode == 1
    assert "Jinja2" in done.stdout
    assert "GHSA-test" in done.stdout
    pinned = [
        line for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines() if "==" in line and line[0] != "#"
    ]
    assert [f"{each['package']['name']}=={each['version']}" for each in asked] == pinned


def test_without_a_source_the_check_passes_and_says_so() -> None:
    """A train, a bank's network: the other checks must go on."""
    done = audit("http://127.0.0.1:1/")
    assert done.returncode == 0
    assert "not done" in done.stdout
