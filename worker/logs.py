"""How processes log: a JSON object a line for machines, or a line for people on a terminal; with what the line is about.

What a line is about (`message_id`, `run_id`, `event_id`) is the same in every process: with a message's id one finds what each of
them did about it. No line holds what people wrote.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Literal

Format = Literal["auto", "json", "text"]

# Libraries tell of each step below warnings.
CHATTY = ("slack_sdk", "slack_bolt", "aiohttp.access", "alembic", "celery", "kombu", "amqp")

_about: ContextVar[Mapping[str, object]] = ContextVar("about", default=MappingProxyType({}))
_listeners: list[Callable[[Mapping[str, object]], None]] = []
log = logging.getLogger(__name__)


@contextmanager
def about(**ids: object) -> Iterator[None]:
    """Put these ids on each line that is logged within, also in coroutines and threads that are started by asyncio there."""
    before = _about.set({**_about.get(), **ids})
    _tell(ids)
    try:
        yield
    finally:
        _about.reset(before)


def add_about(**ids: object) -> None:
    """Put these ids on each line from now on, until the innermost `about` ends; for an id that is known only later."""
    _about.set({**_about.get(), **ids})
    _tell(ids)


def on_about(listener: Callable[[Mapping[str, object]], None]) -> None:
    """Call `listener` with the ids whenever it becomes known what the next lines are about."""
    _listeners.append(listener)


def _tell(ids: Mapping[str, object]) -> None:
    for listener in _listeners:
        listener(ids)


class JsonFormatter(logging.Formatter):
    """A JSON object a line: `time` (UTC), `level`, `logger`, `text`, the ids of what it is about, and `traceback` of an error."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": self._process,
            "logger": record.name,
            "text": record.getMessage(),
            **_about.get(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class TextFormatter(logging.Formatter):
    """A line for people, with the ids at its end; a traceback follows on lines of its own."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s%(about)s")

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text."""
        ids = " ".join(f"{name}={value}" for name, value in _about.get().items())
        record.about = f" [{ids}]" if ids else ""
        return super().format(record)


def configure_logging(process: str, wanted: Format = "auto") -> None:
    """Log on standard error, libraries from warnings on; what ends the process, or one of its threads, is logged too.

    `auto` is a line for people where standard error is a terminal, else JSON.
    """
    readable = sys.stderr.isatty() if wanted == "auto" else wanted == "text"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if readable else JsonFormatter(process))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.captureWarnings(True)
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)
    sys.excepthook = _log_end
    threading.excepthook = lambda ended: _log_end(ended.exc_type, ended.exc_value, ended.exc_traceback)


def readable(line: str) -> str:
    """Return a line of a log as people read it; what is no JSON object of ours as it is."""
    try:
        read = json.loads(line)
        text = f"{read['time'][:19].replace('T', ' ')} {read['level']} {read['logger']}: {read['text']}"
    except (ValueError, KeyError, TypeError):
        return line
    return f"{text}\n{read['traceback']}" if "traceback" in read else text


def _log_end(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    if error is None or issubclass(kind, (KeyboardInterrupt, SystemExit)):
        return
    log.critical("ended by an error that nobody caught", exc_info=(kind, error, traceback))
