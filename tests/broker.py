"""Another Redis for the tasks that a test publishes."""

from collections.abc import Iterator
from contextlib import contextmanager

from worker.app import app


@contextmanager
def broker(url: str) -> Iterator[None]:
    """Tasks are published to this Redis; Celery keeps the connection that it made first, whatever is configured later."""
    before = app.conf["broker_url"]
    app.conf["broker_url"] = url
    app._after_fork()  # it has no connection to the Redis of before, and leaves that open for whoever uses it
    try:
        yield
    finally:
        app.conf["broker_url"] = before
        app._after_fork()
