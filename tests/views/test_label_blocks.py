"""The list of labels: how each stands, told by what was measured and judged."""

import pytest

from bot.views import blocks, correction_blocks, guide_blocks
from bot.views.label_standing import Standing
from bot.views.texts import load_texts
from model.labels import Label, Taxonomy
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
    assert (standing.right_of_ten is None) == (state not in {"sound", "weak"}), "a share of two messages is no share"


def test_labels_of_a_group_stand_together_in_the_choice_and_the_guide_is_beside_it() -> None:
    """Forty labels in one row are read by nobody."""
    texts = load_texts("es")
    labels = [
        Label(name=name, title=name, title_en=name, emoji="", description="", group=group)
        for name, group in (("a", "Uno"), ("b", ""), ("c", "Uno"))
    ]
    modal = correction_blocks.labels_modal("hola", ("c",), None, Taxonomy(labels), texts, metadata="{}")
    [element] = [block["element"] for block in modal["blocks"] if block.get("block_id") == blocks.CHOICE]
    groups = {each["label"]["text"]: [option["value"] for option in each["options"]] for each in element["option_groups"]}
    assert groups == {"Uno": ["a", "c"], "Otras": ["b"]}
    assert "options" not in element
    assert any(guide_blocks.GUIDE_BUTTON in str(block) for block in modal["blocks"])


def test_without_any_label_there_is_a_sentence_and_no_empty_menu() -> None:
    """Slack refuses a menu without options, and the whole modal with it."""
    modal = correction_blocks.labels_modal("hola", (), None, Taxonomy([]), load_texts("es"), metadata="{}")
    assert "submit" not in modal
    assert "Todavía no hay etiquetas" in str(modal)
