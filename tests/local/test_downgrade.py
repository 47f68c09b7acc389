"""`beto downgrade`, as an operator types it."""

import shutil
from pathlib import Path

from model.store.database import Database
from model.store.schema import RELEASES, revision_of
from tests.terminal import beto


def test_the_command_goes_back_and_says_what_to_install(migrated_file: Path, tmp_path: Path) -> None:
    """Whoever starts the new code once more would go forward again."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copyfile(migrated_file, home / "beto.db")
    assert "install version 0.1.0 now" in beto("downgrade", "0.1.0", home=home).out
    database = Database(f"sqlite:///{home / 'beto.db'}")
    with database.reading() as connection:
        assert revision_of(connection) == RELEASES["0.1.0"]
    database.close()
    assert "older than 0012 already" in beto("downgrade", "0.2.0", home=home).refusal()


def test_what_there_is_not_is_refused(tmp_path: Path) -> None:
    """Nothing is made of a mistyped release or home."""
    assert "no release 0.9" in beto("downgrade", "0.9", home=tmp_path).refusal()
    assert "there is no database" in beto("downgrade", "0.1.0", home=tmp_path).refusal()
    assert list(tmp_path.iterdir()) == []
