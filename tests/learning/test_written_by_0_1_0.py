"""What release 0.1.0 wrote, in version folders and in the database, is still read, under the names of today."""

import json
from pathlib import Path
from typing import Any

import pytest

from model.learning.baseline import fit_baseline, load_baseline
from model.schema import Card, Example, Progress, Report
from model.serving.lexical import FORMER_NAMES
from model.serving.version_folder import card_text

EXAMPLES = [Example(text="no abre la app", labels=("app",)), Example(text="mil gracias", labels=("gracias",))]


@pytest.fixture(scope="module")
def written() -> dict[str, Any]:
    """A card, a report and a progress, as that release's own code made them."""
    content: dict[str, Any] = json.loads(Path(__file__).with_name("written_by_0_1_0.json").read_text(encoding="utf-8"))
    return content


def test_an_old_card_is_read_and_written_in_todays_words(written: dict[str, Any]) -> None:
    """A team that upgrades keeps its versions: the one that answers must load, and a rollback must find the others."""
    card = Card.model_validate(written["card"])
    assert card.baseline["test"].micro_f1 == written["card"]["floor"]["test"]["micro_f1"]
    assert card.settings["head_pace"] == 1.0  # shown in the report's details, and never read back
    assert "| micro-F1 |" in card_text(card)
    assert "floor" not in card.model_dump()
    assert Card.model_validate_json(card.model_dump_json()) == card


def test_an_old_report_is_read_and_written_in_todays_words(written: dict[str, Any]) -> None:
    """Old reports stay in Slack with their buttons; who presses one gets the whole report again."""
    report = Report.model_validate(written["report"])
    assert report.comparison.micro_baseline == written["report"]["comparison"]["micro_floor"]
    assert report.comparison.macro_baseline == written["report"]["comparison"]["macro_floor"]
    reasons = {reason.code: reason.values for reason in report.verdict.reasons}
    assert set(reasons["baseline_ahead"]) == {"baseline", "ours"}
    assert reasons["test_set_reused"] == {"uses": 31}
    assert Report.model_validate_json(report.model_dump_json()) == report


def test_an_old_progress_is_read(written: dict[str, Any]) -> None:
    """A run may be under way while the machine is upgraded."""
    assert Progress.model_validate(written["progress"]).stage == "evaluating"


def test_an_old_versions_baseline_is_read(tmp_path: Path) -> None:
    """Its two files have other names there."""
    baseline = fit_baseline(EXAMPLES, [], ("app", "gracias"))
    baseline.save(tmp_path)
    for name, former in FORMER_NAMES.items():
        (tmp_path / name).rename(tmp_path / former)
    texts = [example.text for example in EXAMPLES]
    assert load_baseline(tmp_path).predict(texts) == baseline.predict(texts)
