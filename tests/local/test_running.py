"""The list of the processes that run here."""

import os
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
