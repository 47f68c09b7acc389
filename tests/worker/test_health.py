"""The health page: what it answers to whoever watches the processes."""

import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest

from bot.local.ports import free_port
from model.store.store import Store
from worker import health
from worker.process import database_away


class Page:
    """A served page, and what the process waits for."""

    def __init__(self) -> None:
        self.port = free_port()
        self.reason: str | None = None
        self.asked = threading.Event()

    def why_not_ready(self) -> str | None:
        self.asked.set()
        return self.reason

    def get(self, path: str) -> tuple[int, dict[str, object]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            with error:
                return error.code, json.load(error)


@pytest.fixture
def page() -> Iterator[Page]:
    made = Page()
    server = health.serve(made.port, "worker", made.why_not_ready, details=lambda: {"serving": 3})
    assert server is not None
    yield made
    server.shutdown()
    server.server_close()


def test_ready_says_what_the_process_waits_for(page: Page) -> None:
    """Whoever is called at night sees at once where to look."""
    status, told = page.get("/ready")
    assert (status, told["waiting_for"], told["name"], told["serving"]) == (200, "", "worker", 3)
    page.reason = "the database"
    status, told = page.get("/ready")
    assert (status, told["waiting_for"]) == (503, "the database")


def test_live_asks_nothing_of_others(page: Page) -> None:
    """A process is not to be killed because its database is slow."""
    page.reason = "the database"
    status, told = page.get("/live")
    assert (status, "waiting_for" in told) == (200, False)
    assert not page.asked.is_set()


def test_any_other_path_is_not_found(page: Page) -> None:
    """A check of a mistyped page must not pass for ever."""
    assert [page.get(path)[0] for path in ("/", "/readyz", "/metrics/", "/ready/")] == [404] * 4


def test_a_database_that_does_not_answer_is_named(store: Store, tmp_path: Path) -> None:
    """Celery having started says nothing of the database, without which no task can be done."""
    assert database_away(store) is None
    away = Store(f"postgresql+psycopg://beto@127.0.0.1:{free_port()}/beto", tmp_path)
    assert database_away(away) == "the database"
    away.close()
