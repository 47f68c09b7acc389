"""One small HTTP page per process: is it alive, is it ready, and what does it weigh."""

import json
import os
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Ready = Callable[[], str | None]


def resident_mib() -> float:
    """Memory of this process that is in RAM, in MiB; 0 where /proc does not tell."""
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
) -> ThreadingHTTPServer | None:
    """`/live` answers 200 while the process lives, `/ready` 200 or 503 with the reason; port 0 serves nothing.

    Both bodies are JSON: name, pid, resident_mib, torch (whether it is in memory) waiting_for (empty when ready), and `details`.
    OSError, naming the port, when it is taken.
    """
    if port == 0:
        return None

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name is http.server's
            reason = why_not_ready()
            body = json.dumps(
                {
                    "name": name,
                    "pid": os.getpid(),
                    "resident_mib": round(resident_mib(), 1),
                    "torch": "torch" in sys.modules,
                    "waiting_for": reason or "",
                    **details(),
                }
            ).encode()
            self.send_response(503 if reason and self.path == "/ready" else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A health check every few seconds is no news."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        reason = f"the health page cannot listen on {host}:{port} ({error.strerror}): choose another BETO_HEALTH_PORT"
        raise OSError(error.errno, reason) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
