"""What those measure who talk to Slack; everything else is in `worker.metrics`, with the rules for all of it."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from worker import traces
from worker.metrics import ARRIVAL_S

# Of both; of the bot; of the replies process.
SLACK = CollectorRegistry()
HEARING = CollectorRegistry()
OUTBOX = CollectorRegistry()

# Both

CALLS = Counter("beto_slack_calls_total", "Calls of Slack's methods, by how they ended.", ["method", "outcome"], registry=SLACK)
CALL_SECONDS = Histogram(
    "beto_slack_call_seconds", "Seconds until Slack answered a call.", ["method"], registry=SLACK,
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20),
)  # fmt: skip
WAIT_SECONDS = Histogram(
    "beto_slack_wait_seconds", "Seconds that a call had to wait, by our own rate limit or by Slack's Retry-After.",
    ["method", "by"], registry=SLACK, buckets=(0.1, 0.5, 1, 5, 10, 30, 60, 300),
)  # fmt: skip

# The bot

EVENTS = Counter(
    "beto_events_total", "Requests that Slack sent (events, commands, clicks), by how they ended.", ["kind", "outcome"],
    registry=HEARING,
)  # fmt: skip
EVENT_SECONDS = Histogram(
    "beto_event_seconds", "Seconds until a request was answered; Slack waits for three.", ["kind"], registry=HEARING,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5),
)  # fmt: skip
SAVED_SECONDS = Histogram(
    "beto_message_saved_seconds", "Seconds from a message being posted, by Slack's clock, to its row being durable.",
    registry=HEARING, buckets=ARRIVAL_S,
)  # fmt: skip
PUBLISHED = Counter(
    "beto_published_total", "Tasks that were put on their queue, or left to the sweep.", ["outcome"], registry=HEARING
)
SOCKET_SILENCE_SECONDS = Gauge(
    "beto_socket_silence_seconds", "Seconds since the last frame of any kind on this socket.", ["socket"], registry=HEARING
)
SOCKET_ELSEWHERE = Gauge(
    "beto_socket_elsewhere_envelopes", "Envelopes that other sockets brought since this one brought any.", ["socket"],
    registry=HEARING,
)  # fmt: skip
SOCKET_CONNECTED = Gauge("beto_socket_connected", "1 while this socket is open, else 0.", ["socket"], registry=HEARING)
UNHEARD = Gauge(
    "beto_slack_unheard", "1 while Slack has messages that all sockets should have brought and did not.", registry=HEARING
)

# The replies process

SHOWN_SECONDS = Histogram(
    "beto_message_shown_seconds", "Seconds from a message being saved to its first reply standing in Slack.", registry=OUTBOX,
    buckets=ARRIVAL_S,
)  # fmt: skip
DELIVERIES = Counter(
    "beto_deliveries_total", "Rows of the outbox that somebody worked on, by the state that they came to.", ["kind", "state"],
    registry=OUTBOX,
)  # fmt: skip
DISPUTES = Counter(
    "beto_disputes_total", "Labels on which people disagreed, when the thread was asked and when it was settled.", ["step"],
    registry=OUTBOX,
)  # fmt: skip
SWEEPS = Counter(
    "beto_sweeps_total", "Looks of the sweep, by what it looked at and how that ended.", ["of", "outcome"], registry=OUTBOX
)
SWEPT = Counter("beto_swept_total", "Rows that the sweep sent again, or carried on with.", ["of"], registry=OUTBOX)


def declared() -> Iterator[tuple[str, CollectorRegistry]]:
    """Yield each registry of this module with the processes that show it, in words."""
    yield "bot, replies", SLACK
    yield "bot", HEARING
    yield "replies", OUTBOX


def count_call(method: str, outcome: str, seconds: float) -> None:
    """Count a call of Slack's method: `ok`, `refused`, `rate limited`, or `lost` where no readable answer came."""
    CALLS.labels(method, outcome).inc()
    CALL_SECONDS.labels(method).observe(seconds)
    traces.past(f"slack {method}", seconds, outcome=outcome)
