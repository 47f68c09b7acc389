"""A TLS server on loopback whose certificate an authority of the tests' own has signed, and what is posted to it."""

import json
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


@dataclass
class Hook:
    """The server: its address, what it heard, and how it behaves (`answers` with this status, after `hangs_s` seconds)."""

    url: str = ""
    heard: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: int = 200
    hangs_s: float = 0.0
    location: str = ""
    statuses: list[int] = field(default_factory=list)  # of the next calls, before `answers` holds
    misbehaves: Callable[[], str] = (
        str  # what the next call meets: "hang", "lie" (it is taken, and not answered), a status, or ""
    )
    taken: list[bytes] = field(default_factory=list)  # what was answered with 2xx, or lied about
    followed: list[str] = field(default_factory=list)  # paths that only a redirect leads to

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.heard]


def authority(folder: Path) -> Path:
    """Make an authority and a certificate for localhost in this folder; the authority's file, for SSL_CERT_FILE."""
    folder.mkdir(exist_ok=True)
    made = folder / "ca.pem"
    if made.exists():
        return made
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    run = [
        ["req", "-x509", *key, "-subj", "/CN=tests", "-keyout", "ca.key", "-out", "ca.pem",
         "-addext", "keyUsage=critical,keyCertSign"],
        ["req", *key[:-2], "-subj", "/CN=localhost", "-keyout", "server.key", "-out", "server.csr", "-addext", names],
        ["x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2",
         "-copy_extensions", "copy", "-out", "server.pem"],
    ]  # fmt: skip
    for arguments in run:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    return made


@contextmanager
def hook(folder: Path) -> Iterator[Hook]:
    """The server runs; whoever calls it must trust the folder's authority."""
    authority(folder)
    made = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.heard.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if self.path != "/hook":
                made.followed.append(self.path)
            mischief = made.misbehaves()
            if mischief == "hang" or made.hangs_s:
                time.sleep(made.hangs_s or 3.0)
            status = made.statuses.pop(0) if made.statuses else int(mischief) if mischief.isdigit() else made.answers
            if 200 <= status < 300:
                made.taken.append(body)
            if mischief == "lie":
                self.close_connection = True
                return
            self.send_response(status)
            if made.location or 300 <= status < 400:
                self.send_header("Location", made.location or "https://127.0.0.1:1/stolen")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

        def handle(self) -> None:
            with suppress(OSError):  # whoever called waits no longer
                super().handle()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def get_request(self) -> tuple[Any, Any]:
            connection, address = super().get_request()
            return context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

        def handle_error(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    made.url = f"https://localhost:{server.server_port}/hook"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()
