"""One version leaves in a file, and serves elsewhere under another number."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from bot.local.archive import CONTENTS_FILE
from bot.local.backup import verify
from bot.local.version_transfer import export_version, import_version
from model.errors import BrokenVersion, ModelError
from model.serving.version_folder import file_sha256
from model.settings import ModelSettings
from model.store.store import Store
from tests.local.homes import add_version, altered, files_of, limited
from tests.terminal import beto
from tests.town import publish_version


@pytest.fixture
def home(migrated_file: Path, tmp_path: Path) -> Path:
    """A home with two versions."""
    folder = tmp_path / "home"
    folder.mkdir()
    shutil.copyfile(migrated_file, folder / "beto.db")
    store = Store(f"sqlite:///{folder / 'beto.db'}", folder)
    add_version(store, live=True)
    add_version(store)
    store.close()
    return folder


@pytest.fixture
def exported(home: Path, tmp_path: Path) -> Path:
    export_version(ModelSettings(home=home), 1, tmp_path / "v1.zip")
    return tmp_path / "v1.zip"


def test_a_version_serves_where_it_was_imported(trained_version: Path, tmp_path: Path) -> None:
    """Trained on the machine with the GPU, answering on another one."""
    here = Store(f"sqlite:///{tmp_path / 'here' / 'beto.db'}", tmp_path / "here")
    here.migrate()
    publish_version(here, trained_version)
    here.close()
    there, file = tmp_path / "there", tmp_path / "v.zip"
    said = beto("versions", "export", "1", file, home=tmp_path / "here")
    assert file_sha256(file) in said.out
    assert "a version" in beto("verify", file, home=there).out
    brought = beto("versions", "import", file, home=there)
    assert brought.status == 0, brought.err
    assert file_sha256(file) in brought.out
    assert "labels are not those" not in brought.out
    assert "no version is live" in beto("predict", "hola", home=there).refusal()
    beto("rollback", "1", home=there)
    texts = ["se tragó mi tarjeta el cajero", "gracias"]
    assert beto("predict", *texts, home=there).out == beto("predict", *texts, home=tmp_path / "here").out


def test_an_imported_version_gets_the_next_number_and_is_not_live(home: Path, exported: Path) -> None:
    """Nothing that comes from elsewhere answers people before somebody here decided so."""
    said = import_version(ModelSettings(home=home), exported)
    assert said.startswith("version 3 (mini)")
    assert "Its labels are not those of here" in said  # the small version of these tests knows two
    store = Store(f"sqlite:///{home / 'beto.db'}", home)
    imported, live = store.registry.get(3), store.registry.live()
    assert imported is not None
    assert live is not None
    assert (imported.card.version, imported.card.parent, live.number) == (3, None, 1)
    names = {"model.safetensors", "config.json", "vocab.txt", "manifest.json"}
    for name in names:
        assert (imported.folder / name).read_bytes() == (live.folder / name).read_bytes()
    assert {path.name for path in imported.folder.iterdir()} == {*names, "card.json", "README.md"}
    store.close()


def test_a_version_that_is_not_there_or_not_whole_is_not_exported(home: Path, tmp_path: Path) -> None:
    """A broken one would be found out where nobody has the good one any more."""
    with pytest.raises(BrokenVersion, match="no version 7"):
        export_version(ModelSettings(home=home), 7, tmp_path / "v.zip")
    (home / "versions" / "v2" / "vocab.txt").write_bytes(b"otra cosa")
    with pytest.raises(BrokenVersion, match=r"vocab\.txt"):
        export_version(ModelSettings(home=home), 2, tmp_path / "v.zip")
    assert not (tmp_path / "v.zip").exists()


def refused(home: Path, file: Path) -> str:
    """Its sentence; and that nothing of it is in the home."""
    before = files_of(home)
    with pytest.raises(ModelError) as error:
        import_version(ModelSettings(home=home), file)
    assert files_of(home) == before
    assert sorted(path.name for path in (home / "versions").iterdir() if path.name != "run-0") == ["v1", "v2"]
    store = Store(f"sqlite:///{home / 'beto.db'}", home)
    assert [version.number for version in store.registry.all()] == [1, 2]
    store.close()
    return str(error.value)


def test_an_altered_version_is_refused(home: Path, exported: Path) -> None:
    """Weights and thresholds decide what people are told."""
    assert "card.json is not what was written" in refused(home, altered(exported, "version/card.json", b"{}"))
    assert "model.safetensors is not what" in refused(home, altered(exported, "version/model.safetensors", b"x"))
    assert "somebody changed it" in refused(home, altered(exported, "version/modeling.py", b"import os"))
    with zipfile.ZipFile(exported) as file:
        files = json.loads(file.read(CONTENTS_FILE))["files"]
    # Whoever also alters the list of the archive still meets the version's own.
    entry = {"bytes": 1, "sha256": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"}
    files["version/vocab.txt"] = entry
    assert "vocab.txt" in refused(home, altered(exported, "version/vocab.txt", b"x", contents={"files": files}))
    with zipfile.ZipFile(exported) as file:
        files = json.loads(file.read(CONTENTS_FILE))["files"]
    more = altered(exported, "version/modeling.py", b"x", contents={"files": {**files, "version/modeling.py": entry}})
    assert "modeling.py" in refused(home, more)
    with pytest.raises(ModelError, match=r"modeling\.py"):
        verify(more)


def test_a_version_that_was_cut_is_refused(home: Path, exported: Path) -> None:
    """A download that ended early."""
    whole = exported.read_bytes()
    for length in (10, len(whole) // 2, len(whole) - 1):
        exported.write_bytes(whole[:length])
        assert "was cut" in refused(home, exported)


def test_a_zip_bomb_is_refused_before_it_unpacks(home: Path, exported: Path, tmp_path: Path) -> None:
    """A file of a few kilobytes that becomes gigabytes fills the disk that the database is on."""
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(exported) as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, b"\0" * 300_000_000 if name.endswith("safetensors") else old.read(name))
    assert bomb.stat().st_size < 1_000_000
    assert "unpack into more than it is" in refused(home, bomb)


def test_members_that_share_their_bytes_are_refused(home: Path, exported: Path, tmp_path: Path) -> None:
    """The other kind of bomb: many entries that all point at the same piece of the file."""
    overlapping = tmp_path / "overlapping.zip"
    shutil.copyfile(exported, overlapping)
    with zipfile.ZipFile(overlapping, "a") as file:
        weights = file.getinfo("version/model.safetensors")
        file.filelist += [weights] * 50
        file._didModify = True  # writes the list of members again
    assert "unpack into more" in refused(home, overlapping) or "other files than" in refused(home, overlapping)


@pytest.mark.parametrize("name", ["../escaped", "version/../../escaped", "version/sub/escaped", "/tmp/escaped"])
def test_a_version_that_climbs_out_is_refused(home: Path, exported: Path, name: str) -> None:
    """A name in an archive is somebody's input."""
    with zipfile.ZipFile(exported) as file:
        files = json.loads(file.read(CONTENTS_FILE))["files"]
    files[name] = files["version/vocab.txt"]
    with zipfile.ZipFile(exported) as file:
        body = file.read("version/vocab.txt")
    refused(home, altered(exported, name, body, contents={"files": files}))
    assert not list(home.parent.rglob("escaped"))
    assert not Path("/tmp/escaped").exists()


def test_a_backup_is_no_version_and_a_version_no_backup(home: Path, exported: Path, tmp_path: Path) -> None:
    """People mistake files."""
    assert "it is a version" in beto("restore", exported, home=tmp_path / "new").refusal()
    beto("backup", tmp_path / "b.zip", home=home)
    assert "it is a backup" in refused(home, tmp_path / "b.zip")
    assert "as it was exported" in verify(exported)


def test_a_disk_that_fills_leaves_no_version(home: Path, exported: Path, tmp_path: Path) -> None:
    """Half a file of weights under the right name would be copied to the machine that serves."""
    before, out = files_of(home), tmp_path / "v2.zip"
    for arguments in (("export", "2", str(out)), ("import", str(exported))):
        done = limited(60, "versions", *arguments, home=home)
        assert (done.returncode, "cannot be written" in done.stderr) == (1, True), done.stderr
    assert not out.exists()
    assert files_of(home) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
