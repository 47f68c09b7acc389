"""One small HTTP page per process: is it alive, is it ready, what does it weigh, and what does it measure."""

import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prometheus_client.registry import Collector

from worker import metrics

Ready = Callable[[], str | None]


def resident_mib() -> float:
    """Return the memory of this process that is in RAM, in MiB; 0 where /proc does not tell."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def serve(
    port: int,
    name: str,
    why_not_ready: Ready,
    *,
    host: str = "127.0.0.1",
    details: Callable[[], dict[str, object]] = dict,
    measured: Sequence[Collector] = (),
) -> ThreadingHTTPServer | None:
    """Serve `/live`, `/ready` and `/metrics` in a thread of its own, and return the server; port 0 serves nothing.

    `/live` answers 200 while the process lives. `/ready` answers 200, or 503 with what `why_not_ready` returns: None when
    the process is ready, else what it waits for. `/metrics` shows what every process measures, and `measured`, to
    Prometheus. Any other path answers 404.

    The bodies of the first two are JSON: name, pid, resident_mib, torch (whether it is in memory), `details`, and in that of
    `/ready` waiting_for (empty when ready). OSError, naming the port, when it is taken.
    """
    if port == 0:
        return None

    metrics.introduce(name)
    collectors = (metrics.PROCESS, *measured)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is http.server's
            if self.path == "/metrics":
                self.answer(200, *metrics.page(collectors, self.headers.get("Accept", "")))
                return
            told: dict[str, object] = {
                "name": name,
                "pid": os.getpid(),
                "resident_mib": round(resident_mib(), 1),
                "torch": "torch" in sys.modules,
                **details(),
            }
            if self.path == "/live":
                self.tell(200, told)
            elif self.path == "/ready":
                reason = why_not_ready()
                self.tell(503 if reason else 200, told | {"waiting_for": reason or ""})
            else:
                self.tell(404, {"error": f"no page {self.path}: there are /live, /ready and /metrics"})

        def tell(self, status: int, told: dict[str, object]) -> None:
            self.answer(status, "application/json", json.dumps(told).encode())

        def answer(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: a health check every few seconds is no news."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        reason = f"the health page cannot listen on {host}:{port} ({error.strerror}): choose another BETO_HEALTH_PORT"
        raise OSError(error.errno, reason) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
