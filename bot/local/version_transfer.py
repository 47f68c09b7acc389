"""`beto versions export` and `beto versions import`: one version in a file, here or on a hub, and into another home."""

import shutil
import tempfile
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from bot.local import archive, hub
from bot.local.archive import Contents
from bot.local.progress import Progress
from bot.local.restore import staged, unpack
from model.errors import BadData, BrokenVersion, ModelError
from model.serving import version_folder
from model.settings import ModelSettings
from model.store.store import Store

FOLDER = "version/"


def export_version(settings: ModelSettings, number: int, name: str | Path) -> str:
    """Write the version to the file `name`, with the hash of each of its files; return a sentence with the hash of the whole.

    `name` may be a place on a hub (`bot.local.hub`).
    """
    place = hub.read_place(str(name))
    if place is None:
        return _export(settings, number, Path(name))
    with tempfile.TemporaryDirectory(prefix="beto-export-") as folder:
        said = _export(settings, number, file := Path(folder) / Path(place.file).name)
        hub.put(file, place)
    return said.replace(str(file), str(place), 1)


def _export(settings: ModelSettings, number: int, path: Path) -> str:
    store = _open(settings)
    try:
        version = store.registry.get(number)
    finally:
        store.close()
    if version is None:
        raise BrokenVersion(f"there is no version {number}: `beto versions` lists them")
    version_folder.verify(version.folder)
    with archive.writing(path) as out:
        for file in sorted(version.folder.iterdir()):
            with file.open("rb") as opened:
                out.add(f"{FOLDER}{file.name}", iter(lambda: opened.read(archive.CHUNK), b""))
        out.finish(
            Contents(
                kind="version",
                made_by=metadata.version("beto-bot"),
                created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            )
        )
    return f"{path}: version {number} ({version.card.base}), SHA-256 {version_folder.file_sha256(path)}"


def import_version(settings: ModelSettings, name: str | Path) -> str:
    """Add the version in the file `name` to those that are here, under the next number, and return a sentence with it.

    `name` may be a place on a hub (`bot.local.hub`).

    It is not live by that. BadData or BrokenVersion where a byte of it is not as it was exported; whether it was exported by
    somebody whom you trust only the hash of the whole tells, which both commands print. Nothing is left after an error.
    """
    place = hub.read_place(str(name))
    if place is None:
        return _import(settings, Path(name))
    with tempfile.TemporaryDirectory(prefix="beto-import-") as folder:
        return _import(settings, hub.get(place, Path(folder)))


def _import(settings: ModelSettings, path: Path) -> str:
    store, progress = _open(settings), Progress()
    try:
        with archive.reading(path, "version") as file:
            if not file.is_stored():
                raise BadData(f"{path} would unpack into more than it is, which no export of ours does")
            folder = store.registry.versions_folder
            with staged(folder) as stage:
                size, free = path.stat().st_size, shutil.disk_usage(folder).free
                if size > free:
                    raise ModelError(f"{folder} has room for {free:,} bytes, and the version takes {size:,}")
                unpack(file, FOLDER, stage / "version", progress)
                card = version_folder.verify(stage / "version")
                # Its parent has another number here, or is not here at all.
                version = store.registry.add(stage / "version", card.model_copy(update={"parent": None}))
        ours = set(store.labels.current().names)
    except OSError as error:
        raise ModelError(f"version of {path} cannot be written: {error.strerror}; nothing is left of it") from error
    finally:
        progress.close()
        store.close()
    said = f"version {version.number} ({card.base}), SHA-256 of the file {version_folder.file_sha256(path)}"
    if other := sorted(ours ^ set(card.labels)):
        said += f". Its labels are not those of here: {', '.join(other)}"
    return f"{said}. It does not answer yet: `beto rollback {version.number}` lets it"


def _open(settings: ModelSettings) -> Store:
    store = Store(settings.store_url, settings.home_folder)
    store.migrate()
    return store
