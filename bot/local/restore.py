"""`beto restore` and `beto copy-database`: a backup, or another database, into an empty one."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection
from sqlalchemy.engine import make_url

from bot.local import archive
from bot.local.archive import DumpedColumns, Reader
from bot.local.backup import SETTINGS_FILE, VERSIONS_FOLDER, left_out_in_words, table_file
from bot.local.progress import Progress
from bot.local.transfer import PSEUDONYM_KEY_FILE
from bot.settings import BotSettings
from model.errors import BadData, BadSetting, ModelError
from model.serving import version_folder
from model.settings import sqlalchemy_url
from model.store.database import Database, now
from model.store.dump import check_revision, dumping, load
from model.store.outbox_changes import doubt_what_is_pending
from model.store.tables import versions


def restore(settings: BotSettings, path: Path) -> str:
    """Put a backup into the home and the database that the settings name, and return a sentence with what there is now.

    Both must be empty. What was owed to Slack when the backup was made is looked for there before it is posted. After an
    error home and database are as they were.
    """
    home = settings.home_folder
    database, progress = Database(settings.store_url), Progress()
    try:
        with archive.reading(path, "backup") as file, ExitStack() as stack:
            contents = file.contents
            check_revision(contents.revision or "none")
            for name in (VERSIONS_FOLDER, PSEUDONYM_KEY_FILE, SETTINGS_FILE):
                if (there := home / name).exists() and not (there.is_dir() and not any(there.iterdir())):
                    raise ModelError(f"{home} is not empty, {name} is there: set BETO_HOME to a new folder")
            stage = stack.enter_context(staged(home))
            stack.enter_context(_new_file_removed_on_failure(database))
            for folder in contents.versions.values():
                unpack(file, f"{VERSIONS_FOLDER}/{folder}/", stage / VERSIONS_FOLDER / folder, progress)
                version_folder.verify(stage / VERSIONS_FOLDER / folder)
            unpack(file, "home/", stage, progress)
            tables = [_Table(file, name, each) for name, each in contents.tables.items()]
            with database.migrating() as connection:
                rows = load(connection, contents.revision or "none", tables, partial(_on_rows, contents.tables, progress))
                _mark_removed(connection, contents.left_out)
                doubt_what_is_pending(connection, "restore")
                stack.enter_context(_moved(stage, home))  # the last thing that can fail but the commit
    except OSError as error:
        raise ModelError(f"{home} cannot be written: {error.strerror}; it is as it was") from error
    finally:
        progress.close()
        database.close()
    return (
        f"{rows:,} rows and {len(contents.versions)} versions of {contents.created_at} are restored into {home} and "
        f"{database.engine.dialect.name}, and compared. The settings of then, without secrets, are in {home / SETTINGS_FILE}"
        f"{left_out_in_words(contents)}"
    )


def copy_database(settings: BotSettings, source: str) -> str:
    """Copy all rows of `source`, a SQLite file or a URL, into the empty database that the settings name; compare; say so.

    Stop all processes before: what is written to `source` meanwhile is not copied, and told.
    """
    url = sqlalchemy_url(source if "://" in source else f"sqlite:///{source}")
    if make_url(url) == make_url(settings.store_url):
        raise BadSetting("BETO_DATABASE_URL names the database that is to be copied: set it to the new one")
    old, new, progress = Database(url), Database(settings.store_url), Progress()
    try:
        with dumping(old) as dump, _new_file_removed_on_failure(new), new.migrating() as connection:
            counts = {each.name: DumpedColumns(columns=each.columns, rows=each.rows) for each in dump.tables}
            rows = load(connection, dump.revision, dump.tables, partial(_on_rows, counts, progress))
        with dumping(old) as later:
            changed = [each.name for each, was in zip(later.tables, dump.tables, strict=True) if each.rows != was.rows]
    finally:
        progress.close()
        old.close()
        new.close()
    said = (
        f"{rows:,} rows of {len(counts)} tables copied from {old.engine.dialect.name} to {new.engine.dialect.name}, and compared"
    )
    return f"{said}. Meanwhile {', '.join(changed)} changed: stop all processes and copy again" if changed else said


@dataclass(frozen=True)
class _Table:
    """The rows of one table in a backup."""

    file: Reader
    name: str
    described: DumpedColumns

    @property
    def columns(self) -> tuple[str, ...]:
        return self.described.columns

    def lines(self) -> Iterator[bytes]:
        return self.file.lines(table_file(self.name))


def _on_rows(tables: Mapping[str, DumpedColumns], progress: Progress, name: str, done: int) -> None:
    progress(f"rows of {name}", done, tables[name].rows)


def unpack(file: Reader, prefix: str, folder: Path, progress: Progress) -> None:
    """Write the files below `prefix` into the folder, onto the disk itself."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, entry in file.below(prefix).items():
        if not version_folder.is_plain(name):
            raise BadData(f"{file.path}: {prefix}{name} is in a folder where none should be")
        done = 0
        with (folder / name).open("xb") as out:
            for chunk in file.chunks(f"{prefix}{name}"):
                out.write(chunk)
                done += len(chunk)
                progress(f"bytes of {prefix}{name}", done, entry.bytes)
            out.flush()
            os.fsync(out.fileno())
        (folder / name).chmod(0o600 if name == PSEUDONYM_KEY_FILE else 0o644)
    version_folder.flush(folder)


@contextmanager
def staged(parent: Path) -> Iterator[Path]:
    """Yield a new folder below `parent`, on the same disk, so that what is in it can be moved there in one step.

    It is removed at the end, and `parent` too if it was not there before and nothing is in it.
    """
    missing = [each for each in (parent, *parent.parents) if not each.exists()]
    parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(prefix=".restore-", dir=parent))
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        for each in missing:
            if any(each.iterdir()):
                break
            each.rmdir()


@contextmanager
def _moved(stage: Path, home: Path) -> Iterator[None]:
    """Move all that is in `stage` into the home; back, where the block fails."""
    moved: list[Path] = []
    try:
        for path in sorted(stage.iterdir()):
            os.rename(path, home / path.name)  # onto an empty folder, too
            moved.append(home / path.name)
        version_folder.flush(home)
        yield
    except BaseException:
        for path in moved:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


@contextmanager
def _new_file_removed_on_failure(database: Database) -> Iterator[None]:
    """Leave no SQLite file behind that was not there before, if the block fails."""
    file = database.file
    if file is None or file.exists():
        yield
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        yield
    except BaseException:
        database.close()
        for ending in ("", "-wal", "-shm"):
            file.with_name(file.name + ending).unlink(missing_ok=True)
        raise


def _mark_removed(connection: Connection, left_out: Mapping[int, str]) -> None:
    """Say of the versions that the backup could not hold that their folders are gone."""
    gone = versions.c.number.in_(left_out), versions.c.removed_at.is_(None)
    connection.execute(versions.update().where(*gone).values(removed_at=now()))
