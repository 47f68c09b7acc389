"""`beto backup` and `beto verify`: all that must last, in one file.

A backup holds the rows of every table at one moment, the folders of the versions that are kept at that moment, the key of the
pseudonyms, and the settings without secrets (docs/decisions/0009-one-format-for-backups.md).
"""

import itertools
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import IO

from pydantic import SecretStr

from bot.local import archive
from bot.local.archive import Contents, DumpedColumns, Entry, Reader
from bot.local.progress import Progress
from bot.local.transfer import PSEUDONYM_KEY_FILE
from bot.settings import BotSettings, variables
from model.errors import BadData, BrokenVersion
from model.serving import version_folder
from model.store.database import Database
from model.store.dump import BATCH, Dump, check_revision, dumping

SETTINGS_FILE = "settings.env"
VERSIONS_FOLDER = "versions"


def back_up(settings: BotSettings, path: Path) -> str:
    """Write a backup to `path` while everything runs, and return a sentence with what is in it.

    What was saved before the call is in it. A version whose folder is gone or altered is left out, which the sentence tells.
    ModelError where it cannot be written; nothing is left at `path` then.
    """
    database, progress = Database(settings.store_url), Progress()
    try:
        with ExitStack() as stack:
            dump = stack.enter_context(dumping(database))
            kept, left_out = open_versions(dump, settings.home_folder, stack)
            out = stack.enter_context(archive.writing(path))
            for table in dump.tables:
                out.add(table_file(table.name), _batches(table.lines(), table.name, table.rows, progress), compress=True)
            for folder, files in kept.values():
                for name, file in files.items():
                    size = os.fstat(file.fileno()).st_size
                    out.add(f"{VERSIONS_FOLDER}/{folder}/{name}", _pieces(file, f"{folder}/{name}", size, progress))
            key = settings.home_folder / PSEUDONYM_KEY_FILE
            if key.exists():
                out.add(f"home/{PSEUDONYM_KEY_FILE}", [key.read_bytes()])
            out.add(f"home/{SETTINGS_FILE}", [settings_without_secrets(settings).encode()])
            contents = out.finish(
                Contents(
                    kind="backup",
                    made_by=metadata.version("beto-bot"),
                    created_at=datetime.now(UTC).isoformat(timespec="seconds"),
                    database=database.engine.dialect.name,
                    revision=dump.revision,
                    tables={each.name: DumpedColumns(columns=each.columns, rows=each.rows) for each in dump.tables},
                    versions={number: folder for number, (folder, _) in kept.items()},
                    left_out=left_out,
                )
            )
    finally:
        progress.close()
        database.close()
    rows, megabytes = sum(each.rows for each in contents.tables.values()), path.stat().st_size / 1e6
    return f"{path}: {rows:,} rows, {len(contents.versions)} versions, {megabytes:,.1f} MB{left_out_in_words(contents)}"


def verify(path: Path) -> str:
    """Return what is in the backup or the exported version, after every byte of it was read and compared with its hash.

    BadData where something is not as it was written, or where this code is too old to restore it.
    """
    progress = Progress()
    try:
        with archive.reading(path) as file:
            contents = file.contents
            for name, entry in contents.files.items():
                _check(file, name, entry, progress)
            if contents.kind == "version":
                _check_version(file, "version/", path)
                return f"{path}: a version, as it was exported on {contents.created_at}"
            check_revision(contents.revision or "none")
            for folder in contents.versions.values():
                _check_version(file, f"{VERSIONS_FOLDER}/{folder}/", path)
    finally:
        progress.close()
    lines = [f"{path}: a backup of {contents.created_at}, made by version {contents.made_by} from {contents.database}"]
    lines += [f"{each.rows:>12,}  {name}" for name, each in contents.tables.items() if each.rows]
    lines += [f"{'version ' + str(number):>12}  {folder}" for number, folder in contents.versions.items()]
    lines.append(
        f"Every file is as it was written; the tables are those of migration {contents.revision}.{left_out_in_words(contents)}"
    )
    return "\n".join(lines)


def settings_without_secrets(settings: BotSettings) -> str:
    """Return what is set, as lines of a `.env`; secrets and what may hold a password are named, and left empty."""
    lines = ["# The settings at the time of the backup. Nothing reads this file: take over what you need."]
    for setting, name in variables().items():
        if setting in settings.model_fields_set:
            value, secret = getattr(settings, setting), not type(settings).model_fields[setting].repr
            if secret or isinstance(value, SecretStr):
                lines.append(f"#{name}=  # was set; secrets are not kept in backups")
            else:
                quoted = str(value).replace("\\", "\\\\").replace("'", "\\'")
                lines.append(f"{name}='{quoted}'")
    return "\n".join(lines) + "\n"


def table_file(name: str) -> str:
    """Return where the rows of a table are in a backup."""
    return f"tables/{name}.jsonl"


def open_versions(dump: Dump, home: Path, stack: ExitStack) -> tuple[dict[int, tuple[str, dict[str, IO[bytes]]]], dict[int, str]]:
    """Open every file of the versions that the dump lists, before the trainer may remove one; and say which cannot be had.

    A file that is open can be read after it was removed.
    """
    kept: dict[int, tuple[str, dict[str, IO[bytes]]]] = {}
    left_out: dict[int, str] = {}
    table = next(table for table in dump.tables if table.name == "versions")
    for row in (dict(zip(table.columns, json.loads(line), strict=True)) for line in table.lines()):
        if row.get("removed_at") is not None:
            continue
        name = row["folder"] if version_folder.is_plain(row["folder"]) else f"v{row['number']}"
        folder = home / VERSIONS_FOLDER / name
        try:
            paths = sorted(folder.iterdir())
            files: dict[str, IO[bytes]] = {path.name: stack.enter_context(path.open("rb")) for path in paths}
            version_folder.verify(folder)
        except (OSError, BrokenVersion) as error:
            left_out[row["number"]] = str(error)
        else:
            kept[row["number"]] = name, files
    return kept, left_out


def _batches(lines: Iterable[bytes], name: str, total: int, progress: Progress) -> Iterator[bytes]:
    lines, done = iter(lines), 0
    while batch := list(itertools.islice(lines, BATCH)):
        yield b"\n".join(batch) + b"\n"
        done += len(batch)
        progress(f"rows of {name}", done, total)


def _pieces(file: IO[bytes], name: str, total: int, progress: Progress) -> Iterator[bytes]:
    done = 0
    while piece := file.read(archive.CHUNK):
        yield piece
        done += len(piece)
        progress(f"bytes of {name}", done, total)


def _check(file: Reader, name: str, entry: Entry, progress: Progress) -> None:
    """Read the file of the archive to its end, and count the rows of a table."""
    done = lines = 0
    for chunk in file.chunks(name):
        done += len(chunk)
        lines += chunk.count(b"\n")
        progress(f"bytes of {name}", done, entry.bytes)
    table = name.removeprefix("tables/").removesuffix(".jsonl")
    if name.startswith("tables/") and file.contents.tables[table].rows != lines:
        raise BadData(f"{file.path}: {table} has {lines} rows, not {file.contents.tables[table].rows}")


def _check_version(file: Reader, folder: str, path: Path) -> None:
    """Compare the files of a version with the version's own list of hashes; those of the archive are compared already."""
    files = file.below(folder)
    try:
        listed = version_folder.read_manifest(b"".join(file.chunks(f"{folder}{version_folder.MANIFEST_FILE}")))
    except (KeyError, ValueError) as error:
        raise BadData(f"{path}: {folder} is no version: it has no {version_folder.MANIFEST_FILE} that can be read") from error
    written = {name: entry.sha256 for name, entry in files.items() if name not in version_folder.UNLISTED}
    if odd := sorted({name for name, _ in listed.items() ^ written.items()}):
        raise BadData(f"{path}: {folder}{odd[0]} is not what the version's own {version_folder.MANIFEST_FILE} lists")


def left_out_in_words(contents: Contents) -> str:
    """Return what was left out of a backup as sentences, empty where nothing was."""
    return "".join(f". Version {number} is not in it: {why}" for number, why in contents.left_out.items())
