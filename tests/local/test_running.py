"""The list of the processes that run here."""

import os
import socket
import threading
from pathlib import Path

import pytest

from bot.local import running


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """`beto doctor` finds the processes of `beto up` by it."""
    running.write(tmp_path, {"bot": 1})
    running.write(tmp_path, {"bot": 2, "worker": 3})
    listing = running.read(tmp_path)
    assert listing is not None
    assert (listing.pid, listing.health) == (os.getpid(), {"bot": 2, "worker": 3})
    assert [path.name for path in tmp_path.iterdir()] == ["running.json"]
    running.remove(tmp_path)
    running.remove(tmp_path)
    assert running.read(tmp_path) is None


@pytest.mark.parametrize(
    "text", ["", '{"pid": 1, "hea', "[]", '{"pid": "x", "health": {}}', '{"pid": 99999999, "health": {"bot": 1}}']
)
def test_a_list_that_cannot_be_read_or_whose_writer_is_dead_counts_as_none(tmp_path: Path, text: str) -> None:
    """A disk that was full, or a process that was killed, must not end the doctor with a traceback."""
    (tmp_path / running.FILE).write_text(text, encoding="utf-8")
    assert running.read(tmp_path) is None


@pytest.mark.parametrize("status", ["200 OK", "503 Service Unavailable"])
def test_a_page_whose_process_is_killed_in_the_middle_says_nothing(status: str) -> None:
    """Whoever watches many processes must not end with the one that ended."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def say_half() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 100\r\n\r\n{{".encode())

        half = threading.Thread(target=say_half)
        half.start()
        assert running.read_health(server.getsockname()[1], "ready") is None
        half.join()
