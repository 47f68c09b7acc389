"""Homes for the tests of what leaves them: small versions, judged messages, and archives that somebody altered."""

import json
import os
import subprocess
import zipfile
from pathlib import Path
from typing import Any

from bot.local.archive import CONTENTS_FILE
from model.judgements import Gesture, Kind
from model.schema import Card, Message, Scores, Source
from model.serving.version_folder import building, read_card, write_card
from model.store.store import Store
from tests.terminal import BETO, environment


def add_version(store: Store, *, live: bool = False) -> int:
    """A folder as a training leaves it, in small."""
    out = store.registry.run_directory(0) / "version"
    with building(out) as folder:
        for name, size in (("model.safetensors", 100_000), ("config.json", 3000), ("vocab.txt", 3000)):
            (folder / name).write_bytes(os.urandom(size))
        write_card(folder, a_card())
    number = store.registry.add(out, read_card(out)).number
    if live:
        store.registry.promote(number, by="U1", reason="test")
    return number


def a_card() -> Card:
    scores = Scores(texts=1, jaccard=0.5, micro_f1=0.5, macro_f1=0.5, exact_match=0.5, per_label={})
    return Card(
        base="mini", labels=("tarjeta", "cajero"), thresholds={"tarjeta": 0.5, "cajero": 0.5}, seed=0, settings={},
        data_sha256="", texts={}, scores={"dev": scores}, baseline={"dev": scores}, seconds=1.0,
        created_at="2026-11-24", code_version="test", parent=7,
    )  # fmt: skip


def write_and_judge(store: Store, number: int) -> tuple[int, str]:
    """A message is saved, and somebody judges it; its id and its ts."""
    message = Message(channel="C1", ts=f"{number}.000100", user="U1", text=f"mensaje {number}", source=Source.CHANNEL)
    message_id, _ = store.messages.save(message)
    gesture = Gesture(user="U0ANA", handle=f"h{number}", at=number, kind=Kind.SET, labels=("tarjeta",))
    store.gestures.add(gesture, channel="C1", item_ts=message.ts)
    return message_id, message.ts


def files_of(home: Path) -> dict[str, bytes]:
    """Every file below the home, but the database."""
    return {
        str(path.relative_to(home)): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and not path.name.startswith("beto.db")
    }


def altered(file: Path, name: str, content: bytes | None = None, *, contents: dict[str, Any] | None = None) -> Path:
    """A copy of the archive in which one file is another, or there is one more, and other things are said of it."""
    out = file.with_name(f"altered-{len(list(file.parent.iterdir()))}.zip")
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(out, "w") as new:
        for each in old.namelist():
            body = old.read(each)
            if each == name and content is not None:
                body = content
            if each == CONTENTS_FILE and contents is not None:
                body = json.dumps(json.loads(body) | contents).encode()
            new.writestr(each, body)
        if content is not None and name not in old.namelist():
            new.writestr(name, content)
    return out


def limited(kilobytes: int, *arguments: str | Path, home: Path, **more: str) -> "subprocess.CompletedProcess[str]":
    """The command, where no file can grow beyond this size: what a full disk is to a program."""
    script = f'ulimit -f {kilobytes}; exec "$@"'
    command = ["bash", "-c", script, "bash", *BETO, *map(str, arguments)]
    env = environment(home, **more)
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd=home.parent, check=False, timeout=120)
