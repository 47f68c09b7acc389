"""What a channel is told of a change: what it is, who did it, and how it is undone."""

from typing import Any

import pytest

from bot.views import announcements
from bot.views.texts import load_texts
from model.labels import Label, LabelEvent, Taxonomy

LABEL = Label(name="nomina", title="Nómina", title_en="Payroll", emoji="moneybag", description="")
FORMER = Label(name="sueldo", title="Sueldos", title_en="Pay", emoji="", description="")
NOW = Taxonomy([LABEL], renamed={"sueldo": "nomina"}, former={"sueldo": FORMER})


@pytest.mark.parametrize(
    ("by", "learnt", "who"),
    [
        ("U1", False, "<@U1> puso a responder"),
        ("command line", False, "Quien administra BETO puso a responder"),
        ("U1", True, "lo pidió <@U1>"),
        ("beto", True, "aprendió de lo que ustedes corrigieron"),
    ],
)
def test_a_promotion_says_who_and_how_to_go_back(by: str, learnt: bool, who: str) -> None:
    """Everybody there reads other labels from now on, and one of them may want the former ones."""
    told = announcements.promotion({"version": 4, "before": 3, "by": by, "learnt": learnt}, load_texts("es"))
    assert "versión 4" in told
    assert who in told
    assert "`/beto vuelve 3`" in told
    assert "<@beto>" not in told


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({"kind": "add", "name": "nomina", "label": LABEL}, ":moneybag: *Nómina*"),
        ({"kind": "change", "name": "sueldo", "label": LABEL}, "«sueldo» cambió, y ahora es :moneybag: *Nómina*"),
        ({"kind": "merge", "name": "sueldo", "into": "nomina"}, "«Sueldos» se juntó con «Nómina»"),
        ({"kind": "retire", "name": "<sueldo>"}, "«&lt;sueldo&gt;» ya no se usa"),
        ({"kind": "restore", "name": "sueldo"}, "«Sueldos» se usa otra vez"),
    ],
)
def test_a_change_of_the_labels_says_what_and_who(event: dict[str, Any], words: str) -> None:
    """A label that is gone is not to be looked for, and a new one is to be used."""
    told = announcements.labels([LabelEvent(at=1, by="U1", **event)], NOW, load_texts("es"))
    assert words in told
    assert "<@U1>" in told


def test_a_file_that_changes_many_labels_is_told_in_one_post() -> None:
    """A new set of labels is fifty changes, and a channel is not to scroll through them."""
    events = [LabelEvent(kind="retire", name=f"vieja{number}", at=1, by="U1") for number in range(14)]
    told = announcements.labels(events, NOW, load_texts("es")).splitlines()
    assert len(told) == 11
    assert "4 cambios más" in told[-1]
