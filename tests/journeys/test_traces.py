"""A message's way as one trace, taken by a collector that speaks OTLP over HTTP; and collectors that take nothing."""

import json
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bot.local.ports import free_port
from bot.simulator.person import Person
from tests.slack.cases import eventually
from tests.terminal import beto
from tests.town import Town, running_town, wait_until

ROOT = Path(__file__).parent.parent.parent
TEXT = "El cajero se tragó mi tarjeta, soy Ana Pérez, llámenme al 0991234567"
CHANNEL = "C0SIMUATENCION"
WAY = {
    "event message",
    "wait in inference",
    "worker.classify",
    "predict",
    "wait in replies",
    "bot.deliver",
    "slack chat.postMessage",
}


class Collector:
    """Takes spans, or lets whoever brings them wait until it is told to take them."""

    def __init__(self) -> None:
        self.takes = threading.Event()
        self.asked = threading.Event()
        self.raw = b""
        self._lock = threading.Lock()
        self._spans: list[tuple[str, Span]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:  # the name is http.server's
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.asked.set()
                if self.path != "/v1/traces" or not collector.takes.wait(60):
                    return
                collector.keep(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def keep(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        with self._lock:
            self.raw += body
            for each in request.resource_spans:
                (name,) = [a.value.string_value for a in each.resource.attributes if a.key == "service.name"]
                self._spans += [(name, span) for scope in each.scope_spans for span in scope.spans]

    def trace_of(self, message_id: int) -> list[tuple[str, Span]]:
        """All spans of the traces that name this message, each with its process."""
        with self._lock:
            spans = list(self._spans)
        traces = {span.trace_id for _, span in spans if of(span).get("message_id") == message_id}
        return [(name, span) for name, span in spans if span.trace_id in traces]

    def close(self) -> None:
        self.takes.set()
        self._server.shutdown()
        self._server.server_close()


def of(span: Span) -> dict[str, object]:
    return {each.key: getattr(each.value, str(each.value.WhichOneof("value"))) for each in span.attributes}


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


@contextmanager
def tracing_town(home: Path, trained: Path, collector: Collector) -> Iterator[Town]:
    url = f"sqlite:///{home / 'beto.db'}"
    with running_town(home, url, trained, http=False, OTEL_EXPORTER_OTLP_ENDPOINT=collector.url) as town:
        yield town


async def test_one_trace_leads_from_the_event_to_the_reply_and_a_collector_that_hangs_costs_nobody_anything(
    tmp_path: Path, trained_version: Path, collector: Collector
) -> None:
    """Whoever asks where a message's seconds went sees them in one place, with the id that its log lines have."""
    with tracing_town(tmp_path, trained_version, collector) as town:
        async with Person(town.url, "ana") as ana:
            await ana.invite("atencion", town.slack.workspace.bot_user_id)
            assert await ana.command("atencion", "/beto", "watch")
            await eventually(lambda: town.store.channels.mode(CHANNEL) == "auto", lambda: "the channel is not watched")
            # It hangs: each of the three processes that would send to it waits for it in a thread of its own.
            await eventually(collector.asked.is_set, lambda: "nobody sends a trace")
            ts = await ana.message("atencion", "No puedo entrar a la app")
            await ana.wait_for_reply("atencion", ts, 30)
            collector.takes.set()
            ts = await ana.message("atencion", TEXT)
            await ana.wait_for_reply("atencion", ts, 30)
        stored = town.store.messages.find(CHANNEL, ts)
        assert stored is not None
        wait_until(lambda: {"beto-bot", "beto-worker", "beto-replies"} <= {name for name, _ in collector.trace_of(stored.id)}, 30,
                   "all three have sent")  # fmt: skip
        wait_until(lambda: {span.name for _, span in collector.trace_of(stored.id)} >= WAY, 30, "all of it is there")
        spans = collector.trace_of(stored.id)
        logs = {name: (town.machine.logs / f"{name}.log").read_text(encoding="utf-8") for name in ("bot", "worker", "replies")}
        collector.takes.clear()  # it hangs again, while they end
        began = time.monotonic()
    # 15 seconds are what a process may take to end; one that waits for its collector would be killed.
    assert time.monotonic() - began < 60
    assert len({span.trace_id for _, span in spans}) == 1
    by_name = defaultdict(list)
    for process, span in spans:
        by_name[span.name].append((process, span))
    parents = {"wait in inference": "event message", "worker.classify": "event message", "predict": "worker.classify",
               "wait in replies": "worker.classify", "bot.deliver": "worker.classify",
               "slack chat.postMessage": "bot.deliver"}  # fmt: skip
    for name, parent in parents.items():
        assert {span.parent_span_id for _, span in by_name[name]} == {span.span_id for _, span in by_name[parent]}, name
    for name, process in (("event message", "bot"), ("worker.classify", "worker"), ("bot.deliver", "replies")):
        ((sender, span),) = by_name[name]
        assert (sender, of(span)["message_id"]) == (f"beto-{process}", stored.id)
        lines = [json.loads(line) for line in logs[process].splitlines()]
        assert [line for line in lines if line.get("message_id") == stored.id]
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano > 0 for _, span in spans)
    # In all that was sent there is nothing of what people wrote, and of nobody who they are.
    for secret in (*(word for word in TEXT.split() if len(word) > 4), "U0SIMU", "xoxb", "xapp", "Traceback"):
        assert secret.encode() not in collector.raw, secret
    gone = [line for line in logs["bot"].splitlines() if "collector" in line]
    assert len(gone) <= 2  # away, and back: once each, however many batches were lost


def test_without_a_collector_nothing_of_it_is_even_imported() -> None:
    """Who wants no traces pays neither memory nor time for them. (redis' client loads OpenTelemetry's metrics by itself.)"""
    code = (
        "OURS = 'opentelemetry.sdk.trace', 'opentelemetry.exporter', 'opentelemetry.proto', 'google.protobuf', 'requests'\n"
        "import sys, bot.slack.app, bot.outbox.process, worker.inference, worker.trainer\n"
        "from worker import traces\nfrom worker.settings import WorkerSettings\nfrom worker.process import trace\n"
        "trace('bot', WorkerSettings())\n"
        "with traces.span('event message'):\n    traces.past('slack chat.postMessage', 0.1)\n"
        "print(sorted(name for name in sys.modules if name.startswith(OURS)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def test_a_collector_that_refuses_costs_one_line_of_the_log(tmp_path: Path) -> None:
    """It is away for hours, and comes back: the process works on, ends at once, and its log is not full of it."""
    code = (
        "from worker import traces\nfrom worker.logs import configure_logging\nimport time\n"
        "configure_logging('worker', 'text')\ntraces.SEND_EVERY_S = 0.05\n"
        f"traces.send_to('http://127.0.0.1:{free_port()}', 'worker')\n"
        "for n in range(6):\n    with traces.span('a task'):\n        pass\n    time.sleep(0.2)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, timeout=60)
    assert [line.partition(": ")[2] for line in done.stderr.splitlines()] == [
        "the collector of traces does not take them: they are dropped, everything else goes on"
    ]


def test_an_address_that_is_none_is_refused_at_once(tmp_path: Path) -> None:
    """Traces that nobody gets are missed when they are needed."""
    said = beto("worker", home=tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="localhost:4318").refusal()
    assert said == "OTEL_EXPORTER_OTLP_ENDPOINT: no URL of a collector: http://HOST:4318, to which /v1/traces is added"
