"""A file that carries many, with the hash of each: what a backup and an exported version are.

It is a zip that any program opens. Its last member, `contents.json`, says what it is and lists the size and the SHA-256 of
every other one, so that a file which was cut, altered or filled with more is refused before anything is taken from it.
"""

import hashlib
import json
import os
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field

from model.errors import BadData, ModelError
from model.schema import Frozen
from model.serving.version_folder import flush, is_plain

FORMAT = 1
CONTENTS_FILE = "contents.json"
# Ten versions of a dozen files and twenty tables take some 30 kB.
CONTENTS_AT_MOST = 10_000_000
CHUNK = 1 << 20
# The longest rows, of versions and runs, take some 100 kB. A few kilobytes of a zip can be a line of gigabytes.
LINE_AT_MOST = 100_000_000

Kind = Literal["backup", "version"]


class Entry(Frozen):
    """One file of an archive."""

    bytes: int
    sha256: str


class DumpedColumns(Frozen):
    """The rows of one table, in `tables/NAME.jsonl`."""

    columns: tuple[str, ...]
    rows: int


class Contents(Frozen):
    """What an archive holds. A backup has tables, of one migration, and says which versions it had to leave out."""

    kind: Kind
    format: int = FORMAT
    made_by: str  # the version of this program
    created_at: str  # ISO 8601, UTC
    database: str | None = None
    revision: str | None = None
    tables: dict[str, DumpedColumns] = Field(default_factory=dict)
    versions: dict[int, str] = Field(default_factory=dict)  # the folder of each, below `versions/`
    left_out: dict[int, str] = Field(default_factory=dict)
    files: dict[str, Entry] = Field(default_factory=dict)


class Writer:
    """An archive that is being written."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self._entries: dict[str, Entry] = {}

    def add(self, name: str, chunks: Iterable[bytes], *, compress: bool = False) -> Entry:
        """Write one file, and return its size and hash."""
        info = zipfile.ZipInfo(name, datetime.now(UTC).timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
        info.external_attr = 0o600 << 16
        digest, size = hashlib.sha256(), 0
        with self._file.open(info, "w", force_zip64=True) as member:
            for chunk in chunks:
                member.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        self._entries[name] = Entry(bytes=size, sha256=digest.hexdigest())
        return self._entries[name]

    def finish(self, contents: Contents) -> Contents:
        """Write what the archive holds; nothing can be added afterwards."""
        contents = contents.model_copy(update={"files": self._entries})
        self._file.writestr(CONTENTS_FILE, contents.model_dump_json(indent=1))
        return contents


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """Open a new archive at `path`, which is there when the block ends well and has never been there else.

    Only its owner may read it: it holds people's words. ModelError where there is something already or it cannot be written.
    """
    if path.exists():
        raise ModelError(f"{path} is there already: choose another name, or remove it")
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    except OSError as error:
        raise ModelError(f"{path} cannot be written: {error.strerror}") from error
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as raw:
            # Level 1: rows shrink to a fifth, and the database is read faster than more would be compressed.
            with zipfile.ZipFile(raw, "w", compresslevel=1) as file:
                yield Writer(file)
            raw.flush()
            os.fsync(raw.fileno())
        os.rename(partial, path)
        flush(path.parent)
    except OSError as error:
        if error.filename not in (None, name):
            raise
        raise ModelError(f"{path} cannot be written: {error.strerror}; nothing is left there") from error
    finally:
        partial.unlink(missing_ok=True)


class Reader:
    """An archive that lists exactly what is in it; whether each file is as it was written is seen as it is read."""

    def __init__(self, path: Path, file: zipfile.ZipFile, contents: Contents) -> None:
        self.path = path
        self.contents = contents
        self._file = file

    def chunks(self, name: str) -> Iterator[bytes]:
        """Yield the file piece by piece; BadData at the end where it is not what was written."""
        entry, digest, size = self.contents.files[name], hashlib.sha256(), 0
        try:
            with self._file.open(name) as member:
                while (chunk := member.read(CHUNK)) and size <= entry.bytes:
                    digest.update(chunk)
                    size += len(chunk)
                    yield chunk
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise BadData(f"{self.path}: {name} cannot be read: {error}") from error
        if (size, digest.hexdigest()) != (entry.bytes, entry.sha256):
            raise BadData(f"{self.path}: {name} is not what was written: its SHA-256 differs from {CONTENTS_FILE}")

    def lines(self, name: str) -> Iterator[bytes]:
        """Yield the file line by line, without their ends."""
        rest = b""
        for chunk in self.chunks(name):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from lines
            if len(rest) > LINE_AT_MOST:
                raise BadData(f"{self.path}: {name} has a line of more than {LINE_AT_MOST:,} bytes, which no backup of ours has")
        if rest:
            raise BadData(f"{self.path}: {name} ends within a line")

    def is_stored(self) -> bool:
        """Return whether all of it is as large on the disk as it is in the archive: it cannot unpack into more."""
        infos = self._file.infolist()
        plain = all(info.compress_type == zipfile.ZIP_STORED and info.file_size == info.compress_size for info in infos)
        return plain and sum(info.file_size for info in infos) <= self.path.stat().st_size

    def below(self, folder: str) -> Mapping[str, Entry]:
        """Return the files in this folder of the archive, by their names in it."""
        return {name.removeprefix(folder): entry for name, entry in self.contents.files.items() if name.startswith(folder)}


@contextmanager
def reading(path: Path, kind: Kind | None = None) -> Iterator[Reader]:
    """Open an archive of this kind (None: any); BadData where it is none, was cut, or holds other files than it lists."""
    if not path.exists():
        raise BadData(f"there is no file {path}")
    try:
        with zipfile.ZipFile(path) as file:
            yield Reader(path, file, _contents(path, file, kind))
    except zipfile.BadZipFile as error:
        raise BadData(f"{path} is no backup and no version, or was cut: {error}") from error


def _contents(path: Path, file: zipfile.ZipFile, kind: Kind | None) -> Contents:
    names = file.namelist()
    if CONTENTS_FILE not in names or file.getinfo(CONTENTS_FILE).file_size > CONTENTS_AT_MOST:
        raise BadData(f"{path} is neither a backup nor a version that this program made: it has no {CONTENTS_FILE}")
    try:
        raw = json.loads(file.read(CONTENTS_FILE))
        if isinstance(raw, dict) and raw.get("format") != FORMAT:
            raise BadData(
                f"{path} has format {raw.get('format')}, and this version of the bot reads {FORMAT}: use the version that made it"
            )
        contents = Contents.model_validate(raw)
    except (ValueError, RecursionError) as error:  # of JSON, and pydantic's
        raise BadData(f"{path}: {CONTENTS_FILE} is not what this program writes") from error
    if kind is not None and contents.kind != kind:
        wanted = {"backup": "no backup", "version": "no exported version"}[kind]
        raise BadData(f"{path} is {wanted}: it is a {contents.kind}")
    inside = all(is_plain(part) for name in contents.files for part in name.split("/"))
    if not inside or not all(map(is_plain, contents.versions.values())):
        raise BadData(f"{path} names a file that would lead out of the folder: this program writes none like that")
    tables = {f"tables/{name}.jsonl" for name in contents.tables}
    if tables != {name for name in contents.files if name.startswith("tables/")}:
        raise BadData(f"{path}: {CONTENTS_FILE} is not what this program writes: its tables are not its files")
    if sorted(names) != sorted([*contents.files, CONTENTS_FILE]):
        raise BadData(f"{path} holds other files than {CONTENTS_FILE} lists: somebody changed it")
    return contents
