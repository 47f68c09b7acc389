"""What happens to a message as one trace: its event, its waiting in each queue, its prediction and the calls that show it.

Spans go to the OpenTelemetry collector that OTEL_EXPORTER_OTLP_ENDPOINT names. Where it names none, nothing of OpenTelemetry is
imported here, and a span is a test of a variable. What a span is about is what a line of the log is about (`worker.logs`): no
attribute holds what people wrote, or who they are.
"""

import atexit
import logging
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from celery import signals

from worker import logs

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace import Tracer

log = logging.getLogger(__name__)

MODULES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")
# A collector that hangs holds up the thread that sends for so long, and the process at its end.
SEND_WITHIN_S = 3.0
SEND_EVERY_S = 2.0
# Of a task's headers.
PARENT, SENT_NS = "traceparent", "sent_ns"
# They would tell of a collector that is away with each batch; `_Telling` does, once.
CHATTY = ("opentelemetry.exporter", "opentelemetry.sdk", "opentelemetry.attributes", "urllib3")

_tracer: "Tracer | None" = None


def send_to(endpoint: str, process: str) -> None:
    """Send what this process does to the collector at `endpoint` from now on; "" sends nothing.

    Spans that the collector does not take within SEND_WITHIN_S are dropped, and so are those that come while 2,048 wait for it:
    nobody else waits. What has ended is sent when the process ends.
    """
    global _tracer  # noqa: PLW0603 - one process, one tracer, as OpenTelemetry itself has it
    if not endpoint:
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=SEND_WITHIN_S)
    resource = Resource.create(
        {"service.namespace": "beto", "service.name": f"beto-{process}", "service.version": version("beto-bot")}
    )
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(_telling(exporter), schedule_delay_millis=SEND_EVERY_S * 1000))
    _tracer = provider.get_tracer("beto")

    def finish() -> None:
        last = threading.Thread(target=provider.shutdown, name="traces", daemon=True)
        last.start()
        last.join(SEND_WITHIN_S)

    atexit.register(finish)
    logs.on_about(_set_attributes)
    _follow_tasks()


@contextmanager
def span(name: str, **attributes: str | float) -> Iterator[None]:
    """Trace what happens within, as part of what is under way here. An error leaves its mark, and nothing of what it says."""
    if _tracer is None:
        yield
        return
    from opentelemetry.trace import Status, StatusCode

    with _tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as begun:
        try:
            yield
        except BaseException:
            begun.set_status(Status(StatusCode.ERROR))
            raise


def past(name: str, seconds: float, **attributes: str | float) -> None:
    """Trace what has just ended and took so many seconds; nothing where it was no part of anything that is traced."""
    if _tracer is None:
        return
    from opentelemetry.trace import get_current_span

    if get_current_span().get_span_context().is_valid:
        now_ns = time.time_ns()
        _tracer.start_span(name, attributes=attributes, start_time=now_ns - int(seconds * 1e9)).end(now_ns)


def _set_attributes(ids: Mapping[str, object]) -> None:
    from opentelemetry.trace import get_current_span

    get_current_span().set_attributes({name: value for name, value in ids.items() if isinstance(value, (int, str))})


def _follow_tasks() -> None:
    """Take the trace along with each task that is published within it, and go on with it where the task runs."""
    from opentelemetry import context, trace
    from opentelemetry.trace import SpanKind, Status, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    assert _tracer is not None
    tracer, carried, running = _tracer, TraceContextTextMapPropagator(), threading.local()

    def publish(headers: dict[str, Any], **_: object) -> None:
        if trace.get_current_span().get_span_context().is_valid:
            carried.inject(headers)
            headers[SENT_NS] = time.time_ns()

    def begin(task: Any, **_: object) -> None:
        parent = carried.extract({PARENT: str(getattr(task.request, PARENT, None) or "")})
        queue = str((task.request.delivery_info or {}).get("routing_key", ""))
        if sent_ns := getattr(task.request, SENT_NS, None):
            tracer.start_span(f"wait in {queue}", context=parent, start_time=sent_ns).end()
        running.span = tracer.start_span(task.name, context=parent, kind=SpanKind.CONSUMER, attributes={"queue": queue})
        running.token = context.attach(trace.set_span_in_context(running.span, parent))

    def end(state: str | None = None, **_: object) -> None:
        context.detach(running.token)
        if state != "SUCCESS":
            running.span.set_status(Status(StatusCode.ERROR))
        running.span.end()

    signals.before_task_publish.connect(publish, weak=False)
    signals.task_prerun.connect(begin, weak=False)
    signals.task_postrun.connect(end, weak=False)


def _telling(exporter: "SpanExporter") -> "SpanExporter":
    """Return an exporter that logs when the collector goes away and when it is back, once each."""
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Telling(SpanExporter):
        is_away = False

        def export(self, spans: "Sequence[ReadableSpan]") -> "SpanExportResult":
            try:
                result = exporter.export(spans)
            except Exception:  # whatever the library lets through
                result = SpanExportResult.FAILURE
            failed = result is not SpanExportResult.SUCCESS
            if failed != self.is_away:
                self.is_away = failed
                if failed:
                    log.warning("the collector of traces does not take them: they are dropped, everything else goes on")
                else:
                    log.info("the collector of traces takes them again")
            return result

        def shutdown(self) -> None:
            exporter.shutdown()

    return Telling()
