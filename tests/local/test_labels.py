"""`beto labels`: a team's own labels, from a file and back."""

from pathlib import Path

import pytest
import yaml

from model.labels import seed_taxonomy
from tests.terminal import beto


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def output(*arguments: str, home: Path) -> str:
    done = beto(*arguments, home=home)
    assert done.status == 0, done.err
    return done.out


def rows(file: Path) -> list[dict[str, str]]:
    return list(yaml.safe_load(file.read_text(encoding="utf-8"))["labels"])


def test_labels_are_exported_edited_and_imported(home: Path, tmp_path: Path) -> None:
    """The way of a team that wants labels of its own; nothing is changed before it was shown."""
    file = tmp_path / "labels.yaml"
    assert f"{len(seed_taxonomy())} labels written" in output("labels", "export", str(file), home=home)
    kept = [row for row in rows(file) if row["name"] != "agradecimiento"]
    kept[0]["title"] = "Queja"
    file.write_text(yaml.safe_dump({"labels": [*kept, {"name": "cheque"}]}), encoding="utf-8")
    told = output("labels", "import", str(file), "--dry-run", home=home)
    assert told.splitlines() == [
        "retire agradecimiento",
        "change reclamo",
        "add cheque",
        "nothing was changed: this was a dry run",
    ]
    assert "Agradecimiento" in output("labels", home=home)
    assert output("labels", "import", str(file), home=home).splitlines() == told.splitlines()[:3]
    listed = output("labels", home=home)
    assert "agradecimiento" not in listed
    assert {"Queja", "cheque"} <= set(listed.split())
    assert output("labels", "import", str(file), home=home).strip() == "nothing changes"


def test_a_change_is_undone_by_its_number(home: Path, tmp_path: Path) -> None:
    """A file with a label missing by mistake."""
    file = tmp_path / "labels.yaml"
    file.write_text("labels: [reclamo]", encoding="utf-8")
    output("labels", "import", str(file), home=home)
    history = output("labels", "history", home=home).splitlines()
    number = next(line.split()[0] for line in history if line.endswith("retire urgente"))
    assert output("labels", "undo", number, home=home).strip() == f"change {number} is undone"
    assert "urgente" in output("labels", home=home)
    assert "undone already" in beto("labels", "undo", number, home=home).refusal()


def test_a_file_with_one_wrong_label_changes_nothing(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.yaml"
    file.write_text("labels: [ventas, 'a;b']", encoding="utf-8")
    assert "label 2, name" in beto("labels", "import", str(file), home=home).refusal()
    assert "reclamo" in output("labels", home=home)
    assert "cannot be read" in beto("labels", "import", str(tmp_path / "none.yaml"), home=home).refusal()
