"""The list of labels: how each stands, told by what was measured and judged."""

import pytest

from bot.views.label_blocks import Standing
from model.schema import LabelScores


def scored(f1: float, support: int) -> LabelScores:
    return LabelScores(precision=f1, recall=f1, f1=f1, support=support)


@pytest.mark.parametrize(
    ("standing", "state"),
    [
        (Standing(), None),
        (Standing(judged=3), None),
        (Standing(judged=30, is_served=True), "new"),
        (Standing(judged=9, is_served=True, is_described=True), "described"),
        (Standing(judged=10, is_served=True, is_described=True), "learning"),
        (Standing(judged=30, scores=scored(0.9, 0), is_served=True), "learning"),
        (Standing(judged=3, scores=scored(0.9, 6), is_served=True), "learning"),
        (Standing(judged=4, scores=scored(0.7, 6), is_served=True), "sound"),
        (Standing(scores=scored(0.69, 40), is_served=True), "weak"),
    ],
)
def test_a_label_stands_by_what_is_known_of_it(standing: Standing, state: str | None) -> None:
    """Nothing is called sound that was measured on a handful of messages, or weak where nothing serves."""
    assert standing.state == state
