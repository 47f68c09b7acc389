"""What tests of all parts ask of the outbox, and what they do as a `replies` process would."""

import shutil
from pathlib import Path

from model.schema import Card, Comparison, Flip, Interval, LabelChange, Report, Verdict
from model.store.outbox_row import SETTLED, Row, reply_key, report_key, status_key
from model.store.store import Store


def reply_of(store: Store, message_id: int) -> Row:
    """The reply's row; there is one for each message."""
    row = store.outbox.get(reply_key(message_id))
    assert row is not None
    return row


def is_settled(store: Store, message_id: int) -> bool:
    """Whether Slack shows what it should of the reply."""
    return reply_of(store, message_id).state in SETTLED


def answer(store: Store, message_id: int, ts: str | None, *, owner: str = "test") -> str:
    """Record that the reply stands there; what came of it."""
    claim = store.outbox.claim(reply_key(message_id), owner, 60)
    assert claim is not None
    return store.outbox.record(claim.row.key, owner, wanted=claim.row.wanted, ts=ts, before=claim.row.ts)


def report_ts(store: Store, run_id: int) -> str | None:
    """The ts of the run's report, once that stands in its thread."""
    row = store.outbox.get(report_key(run_id))
    return None if row is None else row.ts


def is_told(store: Store, run_id: int) -> bool:
    """Whether all that there is to say of the run was said."""
    rows = [store.outbox.get(key(run_id)) for key in (status_key, report_key)]
    return all(row is None or row.state in SETTLED for row in rows)


def add_version(store: Store, trained: Path, run_id: int | None = None) -> int:
    """List a copy of this trained folder as the newest version, of that run; its number."""
    built = store.registry.run_directory(run_id or 0) / "version"
    shutil.copytree(trained, built)
    card = Card.model_validate_json((built / "card.json").read_text(encoding="utf-8"))
    return store.registry.add(built, card, run_id=run_id).number


def a_report(version: int, *, flips: tuple[int, ...] = ()) -> Report:
    """What a run has to say that made this version; these messages would change their labels."""
    half = Interval(value=0.8, low=0.7, high=0.9)
    comparison = Comparison(
        texts=9,
        micro=half,
        macro=half,
        micro_gain=None,
        macro_gain=None,
        micro_baseline=0.7,
        macro_baseline=0.6,
        ece=0.05,
        ece_live=None,
        per_label={"app": LabelChange(before=None, after=0.7, support=7)},
    )
    return Report(
        version=version,
        live=None,
        comparison=comparison,
        verdict=Verdict(promote=True, reasons=()),
        promoted=False,
        texts={"train": 9},
        corrections=3,
        judges=("U0SIMUANA",),
        flips=tuple(Flip(message_id=each, before=(), after=("app",)) for each in flips),
    )
