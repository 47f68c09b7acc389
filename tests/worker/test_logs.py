"""What processes log: lines that a machine reads, with the id by which a message is followed through all of them."""

import asyncio
import json
import logging
import os
import pty
import subprocess
import sys
from typing import Any

import pytest

from worker.logs import JsonFormatter, TextFormatter, about, add_about, readable

SCRIPT = """
import logging, sys
from worker.logs import about, configure_logging
configure_logging("worker", sys.argv[1])
with about(message_id=7):
    logging.getLogger("worker.tasks").info("predicted by %s", "version 1\\nand more")
logging.getLogger("celery.app.trace").info("nobody reads this")
import warnings; warnings.warn("old")
raise ValueError("the end")
"""


def run(wanted: str) -> list[str]:
    """What a process wrote to a file on its standard error."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, wanted], capture_output=True, text=True, check=False, timeout=60)
    return done.stderr.splitlines()


def record(text: str, *args: object, **more: Any) -> logging.LogRecord:
    return logging.LogRecord("worker.tasks", logging.INFO, "f", 1, text, args, more.get("exc_info"))


def test_where_nobody_reads_along_each_line_is_an_object_also_the_last_one() -> None:
    """A line that is none breaks whatever collects them, and the traceback of a crash is what is looked for."""
    first, warned, last = map(json.loads, run("auto"))
    assert (first["process"], first["level"], first["message_id"]) == ("worker", "INFO", 7)
    assert first["text"] == "predicted by version 1\nand more"
    assert (warned["level"], warned["logger"]) == ("WARNING", "py.warnings")
    assert (last["level"], last["text"]) == ("CRITICAL", "ended by an error that nobody caught")
    assert "ValueError: the end" in last["traceback"]
    assert "message_id" not in last


def test_people_read_lines_where_they_want_them() -> None:
    """`BETO_LOG=text`, and a terminal by itself."""
    lines = run("text")
    assert lines[0].endswith("INFO worker.tasks: predicted by version 1")
    assert lines[1] == "and more [message_id=7]"


async def test_what_a_line_is_about_stays_with_its_own_work() -> None:
    """Hundreds of messages are at work at once; a line with another's id leads astray."""
    formatter = JsonFormatter("bot")
    seen: list[dict[str, Any]] = []

    async def one(number: int) -> None:
        with about(event_id=f"Ev{number}"):
            await asyncio.sleep(0)
            add_about(message_id=number)
            await asyncio.sleep(0)
            seen.append(json.loads(await asyncio.to_thread(formatter.format, record("saved"))))
        assert "event_id" not in json.loads(formatter.format(record("after")))

    await asyncio.gather(*(one(number) for number in range(20)))
    assert sorted((line["event_id"], line["message_id"]) for line in seen) == sorted((f"Ev{n}", n) for n in range(20))


def test_a_line_of_a_file_is_shown_to_people_as_they_read() -> None:
    """`beto up` tells with the end of its log why a process died."""
    try:
        raise ValueError("the reason")
    except ValueError:
        line = JsonFormatter("bot").format(record("it %s", "failed", exc_info=sys.exc_info()))
    shown = readable(line)
    assert " INFO worker.tasks: it failed\nTraceback" in shown
    assert shown.endswith("ValueError: the reason")
    assert readable("plain text") == "plain text"
    assert readable('{"some": "object"}') == '{"some": "object"}'


def test_the_text_of_a_line_has_its_ids_at_the_end() -> None:
    with about(message_id=7, run_id=2):
        assert TextFormatter().format(record("said")).endswith("worker.tasks: said [message_id=7 run_id=2]")
    assert TextFormatter().format(record("said")).endswith("said")


@pytest.mark.parametrize("wanted", ["auto", "json"])
def test_a_terminal_gets_lines_for_people_unless_objects_are_wanted(wanted: str) -> None:
    """Whoever starts a process by hand wants to read it."""
    ours, its = pty.openpty()
    subprocess.run([sys.executable, "-c", SCRIPT, wanted], stderr=its, check=False, timeout=60)
    first = os.read(ours, 65536).decode().splitlines()[0]
    os.close(its)
    os.close(ours)
    assert first.startswith("{") == (wanted == "json")
