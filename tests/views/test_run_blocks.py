"""A training run's report: every reason has its sentence, and the verdict says what is known."""

import json
from pathlib import Path
from typing import get_args

import pytest

from bot.views import run_blocks
from bot.views.texts import load_texts
from model.labels import seed_taxonomy
from model.schema import Comparison, Interval, LabelChange, Reason, Report, Run, Verdict
from model.store.store import Store

# A value for each name that a sentence of a reason may hold.
VALUES = {
    "which": "micro", "gain": 0.01, "low": -0.01, "high": 0.03, "label": "fraude", "before": 0.5, "after": 0.4, "texts": 12,
    "baseline": 0.6, "ours": 0.5, "uses": 31,
}  # fmt: skip


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    """SQLite alone: a run is a run."""
    return f"sqlite:///{tmp_path / 'beto.db'}"


@pytest.fixture
def run(store: Store) -> Run:
    run_id, _ = store.runs.open("U1")
    return store.runs.get(run_id)


def report(*codes: str, promote: bool) -> Report:
    good = Interval(value=0.7, low=0.6, high=0.8)
    comparison = Comparison(
        texts=12, micro=good, macro=good, micro_gain=None, macro_gain=None, micro_baseline=0.6, macro_baseline=0.6,
        ece=0.02, ece_live=None, per_label={"fraude": LabelChange(before=None, after=0.7, support=12)},
    )  # fmt: skip
    reasons = tuple(Reason.model_validate({"code": code, "good": promote, "values": VALUES}) for code in codes)
    return Report(
        version=2, live=None, comparison=comparison, verdict=Verdict(promote=promote, reasons=reasons), promoted=False,
        texts={"train": 10, "dev": 2, "test": 12}, corrections=0, judges=(), flips=(),
    )  # fmt: skip


@pytest.mark.parametrize("language", ["es", "en"])
def test_every_reason_has_its_sentence(run: Run, language: str) -> None:
    """A reason without one would be an error in the middle of a report that people wait for."""
    texts = load_texts(language)
    codes = get_args(Reason.model_fields["code"].annotation)
    _, shown = run_blocks.report(run, report(*codes, promote=False), 1, [], seed_taxonomy(), texts)
    assert json.dumps(shown, ensure_ascii=False).count("• ") >= len(codes)


@pytest.mark.parametrize(
    ("code", "promote", "verdict", "waits"),
    [("gains", True, "verdict_yes", True), ("loses", False, "verdict_no", False), ("live_broken", False, "verdict_ask", True)],
)
def test_the_verdict_says_whether_people_have_to_decide(run: Run, code: str, promote: bool, verdict: str, waits: bool) -> None:
    """`Not better` would be a claim where nothing could be compared."""
    texts = load_texts("es")
    _, shown = run_blocks.report(run, report(code, promote=promote), 1, [], seed_taxonomy(), texts)
    words = json.dumps(shown, ensure_ascii=False)
    assert texts(f"run.{verdict}") in words
    assert (texts("run.waits", version=1) in words) == waits
