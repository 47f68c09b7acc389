"""All that must last leaves in one file while everything runs, and comes back elsewhere, or not at all."""

import hashlib
import io
import json
import re
import shutil
import threading
import zipfile
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from pydantic import SecretStr

from bot.local import archive
from bot.local.archive import CONTENTS_FILE
from bot.local.backup import back_up, open_versions, settings_without_secrets, verify
from bot.local.progress import Progress
from bot.local.restore import copy_database, restore
from bot.settings import BotSettings
from model.errors import BadData, BadSetting, ModelError
from model.schema import Prediction
from model.store.database import Database
from model.store.dump import dumping
from model.store.outbox_row import reply_key
from model.store.predictions import NewPrediction
from model.store.store import Store
from tests.local.homes import add_version, altered, files_of, limited, write_and_judge
from tests.rows import count
from tests.terminal import beto


def settings_of(home: Path, url: str = "") -> BotSettings:
    return BotSettings(home=home, database_url=url)


def rows_of(url: str) -> dict[str, list[bytes]]:
    database = Database(url)
    with dumping(database) as dump:
        rows = {table.name: list(table.lines()) for table in dump.tables}
    database.close()
    return rows


@pytest.fixture
def filled(store: Store, tmp_path: Path) -> BotSettings:
    """A home with two versions, of which the first is live, a few messages, and a key for pseudonyms."""
    for number in range(1, 6):
        write_and_judge(store, number)
    store.belongs_to("T1")
    add_version(store, live=True)
    add_version(store)
    (tmp_path / "pseudonyms.key").write_bytes(b"k" * 32)
    return settings_of(tmp_path, store.database.url)


@pytest.fixture
def kept(migrated_file: Path, tmp_path: Path) -> BotSettings:
    """A home on SQLite with one version and one message, for what does not depend on the database."""
    home = tmp_path / "kept"
    home.mkdir()
    shutil.copyfile(migrated_file, home / "beto.db")
    store = Store(f"sqlite:///{home / 'beto.db'}", home)
    write_and_judge(store, 1)
    add_version(store, live=True)
    store.close()
    return settings_of(home)


@pytest.fixture
def elsewhere(empty_target: str, tmp_path: Path) -> BotSettings:
    return settings_of(tmp_path / "elsewhere" / "home", empty_target)


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_target(request: pytest.FixtureRequest) -> str:
    """SQLite in the home, or an empty PostgreSQL database."""
    return "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


# Backup under load


def test_nothing_that_was_acknowledged_before_a_backup_is_missing_in_it(
    store: Store, elsewhere: BotSettings, tmp_path: Path
) -> None:
    """People write and judge while an operator makes a backup; the day it is needed they must not have to do it again."""
    acknowledged: list[tuple[int, str]] = []
    over = threading.Event()

    def write() -> None:
        number = 0
        while not over.is_set():
            number += 1
            acknowledged.append(write_and_judge(store, number))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        while len(acknowledged) < 30:
            over.wait(0.01)
        before = list(acknowledged)
        file = tmp_path / "b.zip"
        said = beto("backup", file, home=tmp_path, BETO_DATABASE_URL=store.database.url)
        while_it_ran = len(acknowledged) - len(before)
    finally:
        over.set()
        writer.join()
    assert said.status == 0, said.err
    assert while_it_ran > 5
    restore(elsewhere, file)
    restored = Store(elsewhere.store_url, elsewhere.home_folder)
    labels = restored.labels.current()
    for message_id, ts in before:
        found = restored.messages.find("C1", ts)
        assert found is not None
        assert found.id == message_id
        judged = restored.judged.of(message_id, labels)
        assert judged is not None
        assert judged.state.labels["tarjeta"].yes == ("U0ANA",)
    # One moment: whoever was judged is there, and the counts are those of the rows.
    messages, gestures = count(restored, "messages"), count(restored, "gestures")
    assert len(before) <= gestures <= messages <= gestures + 1
    assert messages <= len(acknowledged) + 1
    restored.close()


# There and back


def test_what_is_restored_is_what_was_there(filled: BotSettings, elsewhere: BotSettings, tmp_path: Path) -> None:
    """Also on the other kind of database: texts, judgements, versions, which of them is live, pseudonyms."""
    file = tmp_path / "b.zip"
    assert "2 versions" in back_up(filled, file)
    assert oct(file.stat().st_mode)[-3:] == "600"
    assert "Every file is as it was written" in verify(file)
    assert "2 versions" in restore(elsewhere, file)
    before, after = rows_of(filled.store_url), rows_of(elsewhere.store_url)
    assert {name: rows for name, rows in before.items() if name != "outbox"} == {
        name: rows for name, rows in after.items() if name != "outbox"
    }
    assert len(before["outbox"]) == len(after["outbox"]) == 5
    versions = {name: content for name, content in files_of(filled.home_folder).items() if name.startswith("versions/v")}
    restored = files_of(elsewhere.home_folder)
    assert versions == {name: content for name, content in restored.items() if name.startswith("versions/")}
    assert restored["pseudonyms.key"] == b"k" * 32
    assert set(restored) == {*versions, "pseudonyms.key", "settings.env"}
    store = Store(elsewhere.store_url, elsewhere.home_folder)
    live = store.registry.live()
    assert live is not None
    assert (live.number, live.folder) == (1, elsewhere.home_folder / "versions" / "v1")
    write_and_judge(store, 6)
    assert count(store, "messages") == 6
    store.close()


def test_what_was_owed_to_slack_is_looked_for_before_it_is_posted(kept: BotSettings, tmp_path: Path) -> None:
    """Between the backup and the disaster the bot went on answering: it must not answer those messages again."""
    store = Store(kept.store_url, kept.home_folder)
    prediction = Prediction(version=1, base="mini", scores={"tarjeta": 0.9}, labels=("tarjeta",))
    store.predictions.save([NewPrediction(message_id=1, revision=1, prediction=prediction, model_s=0.1)])
    second, _ = write_and_judge(store, 2)  # not predicted yet
    store.close()
    back_up(kept, tmp_path / "b.zip")
    elsewhere = settings_of(tmp_path / "elsewhere")
    restore(elsewhere, tmp_path / "b.zip")
    restored = Store(elsewhere.store_url, elsewhere.home_folder)
    restored.predictions.save([NewPrediction(message_id=second, revision=1, prediction=prediction, model_s=0.1)])
    for message_id in (1, second):
        claim = restored.outbox.claim(reply_key(message_id), "test", 60)
        assert claim is not None
        assert claim.in_doubt
    restored.close()


def test_a_version_that_is_removed_while_it_is_backed_up_is_in_the_backup(kept: BotSettings) -> None:
    """A training that ends in these minutes removes the oldest one; the database of the backup still lists it."""
    database = Database(kept.store_url)
    with dumping(database) as dump, ExitStack() as stack:
        versions, left_out = open_versions(dump, kept.home_folder, stack)
        shutil.rmtree(kept.home_folder / "versions")
        assert left_out == {}
        _, files = versions[1]
        assert len(files["model.safetensors"].read()) == 100_000
    database.close()


def test_a_version_whose_folder_is_broken_is_left_out_and_told(kept: BotSettings, tmp_path: Path) -> None:
    """The rest must be saved all the same, and nobody must believe that this version was."""
    store = Store(kept.store_url, kept.home_folder)
    add_version(store)
    (kept.home_folder / "versions" / "v2" / "vocab.txt").write_bytes(b"otra cosa")
    said = back_up(kept, tmp_path / "b.zip")
    assert "1 versions" in said
    assert "Version 2 is not in it" in said
    assert "Version 2 is not in it" in verify(tmp_path / "b.zip")
    elsewhere = settings_of(tmp_path / "elsewhere")
    restore(elsewhere, tmp_path / "b.zip")
    restored = Store(elsewhere.store_url, elsewhere.home_folder)
    assert [version.number for version in restored.registry.all()] == [1]
    restored.close()
    store.close()


def test_no_secret_is_in_a_backup(kept: BotSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Backups lie on other machines, and are read by other people than the tokens are meant for."""
    monkeypatch.chdir(tmp_path)
    settings = kept.model_copy()
    secrets = {
        "slack_bot_token": SecretStr("xoxb-geheim"),
        "slack_signing_secret": SecretStr("geheim-2"),
        "redis_url": "redis://:geheim-3@host:6379/0",
    }
    settings = BotSettings(home=kept.home, judges="U1,U2", base="una'carpeta \\", **secrets)
    back_up(settings, tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as file:
        assert not any(b"geheim" in file.read(name) for name in file.namelist())
    (tmp_path / ".env").write_text(settings_without_secrets(settings), encoding="utf-8")
    read = BotSettings()
    assert (read.judges, read.base, read.home) == ("U1,U2", "una'carpeta \\", kept.home)
    assert read.slack_bot_token.get_secret_value() == ""


# Bad input


@pytest.fixture
def good(kept: BotSettings, tmp_path: Path) -> Path:
    back_up(kept, tmp_path / "good.zip")
    return tmp_path / "good.zip"


def refused(file: Path, tmp_path: Path, url: str = "") -> str:
    """What verify says of it, and that a restore says no too and leaves nothing."""
    elsewhere = settings_of(tmp_path / "refused" / "home", url)
    with pytest.raises(ModelError) as by_verify:
        verify(file)
    with pytest.raises(ModelError):
        restore(elsewhere, file)
    assert not (tmp_path / "refused").exists()
    if url:
        with psycopg.connect(url.replace("+psycopg", "")) as connection:
            assert connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone() == (0,)
    return str(by_verify.value)


def test_a_backup_that_was_cut_is_refused_wherever_it_was_cut(good: Path, tmp_path: Path) -> None:
    """A full disk or a broken line leaves the beginning of a file."""
    whole = good.read_bytes()
    cut = tmp_path / "cut.zip"
    for length in (0, 1, 100, len(whole) // 2, len(whole) - 30, len(whole) - 1):
        cut.write_bytes(whole[:length])
        assert "was cut" in refused(cut, tmp_path)


def test_no_byte_of_a_backup_changes_unseen(good: Path, tmp_path: Path) -> None:
    """Disks forget. Where a changed byte is of no consequence, as in a time stamp of the zip, the backup is as good."""
    whole = good.read_bytes()
    expected = None
    for at in range(0, len(whole), max(1, len(whole) // 60)):
        bad = tmp_path / "bad.zip"
        bad.write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            verify(bad)
        except ModelError:
            continue
        home = tmp_path / f"home-{at}"
        restore(settings_of(home), bad)
        restored = {**files_of(home), **rows_of(f"sqlite:///{home / 'beto.db'}")}
        restored.pop("outbox")  # with the moment of the restore
        expected = expected or restored
        assert restored == expected


def test_altered_rows_and_altered_weights_are_named(good: Path, tmp_path: Path, postgres_url: str) -> None:
    """Somebody who can write to the backups must not decide what is restored from them without being seen."""
    assert "tables/messages.jsonl" in refused(altered(good, "tables/messages.jsonl", b"[]\n"), tmp_path, postgres_url)
    assert "model.safetensors" in refused(altered(good, "versions/v1/model.safetensors", b"x"), tmp_path, postgres_url)
    assert "somebody changed it" in refused(altered(good, "versions/v1/extra.py", b"x"), tmp_path)


def test_a_backup_of_a_newer_version_is_refused_by_name(good: Path, tmp_path: Path) -> None:
    """A newer schema or format read by this code would lose what it does not know."""
    assert "migration 9999" in refused(altered(good, "", contents={"revision": "9999"}), tmp_path)
    assert "format 2" in refused(altered(good, "", contents={"format": 2, "novelty": True}), tmp_path)


@pytest.mark.parametrize("name", ["../../escaped", "versions/v1/../../../escaped", "/tmp/escaped", "versions/v1\\..\\escaped"])
def test_nothing_is_written_outside_the_home(good: Path, tmp_path: Path, name: str) -> None:
    """A name in an archive is somebody's input."""
    with zipfile.ZipFile(good) as file:
        files = json.loads(file.read(CONTENTS_FILE))["files"]
    files[name] = files["versions/v1/vocab.txt"]
    assert "lead out of the folder" in refused(altered(good, name, b"x", contents={"files": files}), tmp_path)
    assert "lead out of the folder" in refused(altered(good, "", contents={"versions": {"1": name}}), tmp_path)


def test_what_is_no_backup_is_told_so(tmp_path: Path, good: Path) -> None:
    """People mistake files."""
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(other, "w") as file:
        file.writestr("hola.txt", "hola")
    assert CONTENTS_FILE in refused(other, tmp_path)
    for content in (b"[1]", b"{", b'{"format": 1}', b"\xff", b"[" * 100_000):
        assert "what this program writes" in refused(altered(good, CONTENTS_FILE, content), tmp_path)
    assert "no file" in refused(tmp_path / "nothing.zip", tmp_path)


def test_a_home_with_something_in_it_is_refused_and_stays(good: Path, tmp_path: Path) -> None:
    """A restore over what people made since would take it from them."""
    home = tmp_path / "busy"
    (home / "versions" / "v1").mkdir(parents=True)
    (home / "versions" / "v1" / "card.json").write_text("{}", encoding="ascii")
    with pytest.raises(ModelError, match="versions is there"):
        restore(settings_of(home), good)
    assert files_of(home) == {"versions/v1/card.json": b"{}"}
    assert not (home / "beto.db").exists()


def test_a_database_with_something_in_it_is_refused_and_stays(good: Path, store: Store, tmp_path: Path) -> None:
    """Likewise; and no version is put into the home."""
    write_and_judge(store, 9)
    before = rows_of(store.database.url)
    home = tmp_path / "new"
    with pytest.raises(BadData, match="not empty"):
        restore(settings_of(home, store.database.url), good)
    assert rows_of(store.database.url) == before
    assert not home.exists()


def test_a_home_that_a_process_has_only_looked_at_is_empty(good: Path, tmp_path: Path) -> None:
    """`beto versions` in the new home makes the tables; the folder of a container's user has files of its own."""
    home = tmp_path / "home"
    beto("versions", home=home)
    (home / ".profile").write_text("", encoding="ascii")
    assert beto("restore", good, home=home).status == 0
    said = beto("versions", home=home).out
    assert "live" in said
    assert (home / ".profile").exists()


def test_a_file_that_is_there_is_not_overwritten(kept: BotSettings, good: Path) -> None:
    """Yesterday's backup may be the last good one."""
    before = good.read_bytes()
    with pytest.raises(ModelError, match="is there already"):
        back_up(kept, good)
    assert good.read_bytes() == before


def test_a_disk_that_fills_leaves_no_backup_and_no_home(kept: BotSettings, good: Path, tmp_path: Path) -> None:
    """Half a file under the right name is worse than none: it is what somebody would restore from."""
    listed = sorted(path.name for path in tmp_path.iterdir())
    done = limited(60, "backup", tmp_path / "b.zip", home=kept.home_folder)
    assert done.returncode == 1, done.stderr
    assert re.search(r"^beto: .*b\.zip cannot be written: File too large; nothing is left there$", done.stderr, re.MULTILINE)
    for kilobytes in (1, 60, 150):  # in a version, in the database, in its log
        done = limited(kilobytes, "restore", good, home=tmp_path / "elsewhere")
        assert done.returncode == 1, done.stderr
        assert done.stderr.splitlines()[-1].startswith("beto: ")  # a slow machine tells before how far it is
        assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == listed


def test_a_disk_that_fills_leaves_no_copy_of_a_database(kept: BotSettings, tmp_path: Path) -> None:
    """Half a database would be started on."""
    done = limited(60, "copy-database", kept.home_folder / "beto.db", home=tmp_path / "elsewhere")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), done.stderr
    assert not (tmp_path / "elsewhere" / "beto.db").exists()


def test_a_backup_that_unpacks_into_one_line_is_refused_before_it_fills_the_memory(
    good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few kilobytes of a zip can be gigabytes without an end of line."""
    monkeypatch.setattr(archive, "LINE_AT_MOST", 100_000)
    body = b"[" * 3_000_000
    with zipfile.ZipFile(good) as file:
        files = json.loads(file.read(CONTENTS_FILE))["files"]
    files["tables/messages.jsonl"] = {"bytes": len(body), "sha256": hashlib.sha256(body).hexdigest()}
    bomb = altered(good, "tables/messages.jsonl", body, contents={"files": files})
    with pytest.raises(BadData, match="a line of more than 100,000 bytes"):
        restore(settings_of(tmp_path / "refused" / "home"), bomb)
    assert not (tmp_path / "refused").exists()


# From one database to another


def test_one_command_goes_from_sqlite_to_postgresql(kept: BotSettings, postgres_url: str, tmp_path: Path) -> None:
    """A team that has grown moves, with the same home: the versions stay where they are."""
    source = kept.home_folder / "beto.db"
    said = beto("copy-database", source, home=kept.home_folder, BETO_DATABASE_URL=postgres_url)
    assert said.status == 0, said.err
    assert re.search(r"\d+ rows of \d+ tables copied from sqlite to postgresql, and compared", said.out)
    assert rows_of(postgres_url) == rows_of(kept.store_url)
    assert "live" in beto("versions", home=kept.home_folder, BETO_DATABASE_URL=postgres_url).out
    again = beto("copy-database", source, home=kept.home_folder, BETO_DATABASE_URL=postgres_url).refusal()
    assert "not empty" in again


def test_a_copy_onto_itself_and_from_nothing_are_refused(kept: BotSettings, tmp_path: Path) -> None:
    """Whoever forgot to set the new URL."""
    with pytest.raises(BadSetting, match="set it to the new one"):
        copy_database(kept, str(kept.home_folder / "beto.db"))
    with pytest.raises(BadData, match="there is no database"):
        copy_database(settings_of(tmp_path / "new"), str(tmp_path / "typo.db"))
    assert not (tmp_path / "typo.db").exists()
    assert not (tmp_path / "new").exists()


# What is told meanwhile


def test_nothing_is_told_for_two_seconds_and_then_how_far_it_is() -> None:
    """A command that is silent for a minute is taken for a hanging one, and killed."""
    out, moment = io.StringIO(), 0.0
    progress = Progress(out, lambda: moment)
    progress("rows of messages", 1000, 4000)
    assert out.getvalue() == ""
    moment = 2.1
    progress("rows of messages", 2000, 4000)
    progress("rows of messages", 3000, 4000)
    assert out.getvalue() == "rows of messages: 2,000 of 4,000 (50 %)\n"
    progress.close()
