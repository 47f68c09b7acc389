"""What a channel is told of its messages: what matters first, and the rest for whoever opens it."""

from datetime import UTC, datetime

import pytest

from bot.simulator.blocks import check_message
from bot.views import summary_blocks
from bot.views.native import classic_form
from bot.views.texts import load_texts
from model.judgements import fold
from model.labels import seed_taxonomy
from model.schema import Prediction
from model.summary import Counted, Seen, Summary

LABELS = seed_taxonomy()
SAID = Prediction(version=1, base="mini", scores={"fraude": 0.9}, labels=("fraude",))


def seen(text: str) -> Seen:
    return Seen(1, "1796000000.000001", text, fold([], names=LABELS.names, predicted=SAID.labels), SAID)


def a_summary(*, first: bool) -> Summary:
    counted = Counted(messages=2, unlabelled=0, judged=0, corrected=0, labels={"fraude": 1, "tarjeta": 1})
    matters = [("fraude", [seen("me robaron")])] if first else []
    return Summary("C1", datetime(2026, 11, 30, tzinfo=UTC), counted, matters, [seen("buenos días")])


@pytest.mark.parametrize("language", ["es", "en"])
def test_what_matters_is_open_and_the_rest_is_folded(language: str) -> None:
    """A post of twenty lines a day is scrolled past; where nothing matters first, the newest is what there is to see."""
    texts = load_texts(language)
    shown = summary_blocks.post(a_summary(first=True), LABELS, texts, archives="", every="daily")[1]
    check_message(shown)
    (box,) = [block for block in shown if block["type"] == "container"]
    assert box["default_collapsed"]
    assert "buenos días" in str(box)
    assert "me robaron" not in str(box)
    assert "me robaron" in str(shown)
    classic = classic_form(shown)
    check_message(classic)
    assert [block for block in classic if block not in shown] == box["child_blocks"]
    open_ = summary_blocks.post(a_summary(first=False), LABELS, texts, archives="", every="daily")[1]
    assert "buenos días" in str(open_)
    assert not [block for block in open_ if block["type"] == "container"]
