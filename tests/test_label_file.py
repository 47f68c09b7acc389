"""Labels as a file: what a team keeps in its own repository, and hands to another."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import BadData
from model.label_file import read_labels, write_labels
from model.labels import Label, Taxonomy, label_changes, seed_taxonomy

SHIPPED = seed_taxonomy()


def evolved(taxonomy: Taxonomy, labels: list[Label], at: int = 1) -> Taxonomy:
    for event in label_changes(taxonomy, labels, at=at, by="U1"):
        taxonomy = taxonomy.evolve(event)
    return taxonomy


def test_what_was_written_is_read_again() -> None:
    """Accents, quotes, colons, several lines, and what looks like a number or a yes."""
    label = Label(
        name="1234",
        title="sí: «no»",
        title_en="yes",
        emoji="+1",
        description="uno\ndos # tres",
        examples=("- ¿y?", "null"),
        counterexamples=("'hola'",),
        group="Pagos",
        prefer="recall",
    )
    assert read_labels(write_labels(Taxonomy([*SHIPPED, label])), "x") == [*SHIPPED, label]


def test_a_list_of_names_is_enough() -> None:
    """Whoever begins has names and nothing else."""
    first, second = read_labels("labels: [ventas, {name: soporte, title: Soporte técnico}]", "x")
    assert first == Label(name="ventas", title="Ventas", title_en="Ventas", emoji="", description="")
    assert (second.title, second.title_en) == ("Soporte técnico", "Soporte técnico")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "expected `labels:`"),
        ("labels:", "expected `labels:`"),
        ("- a", "expected `labels:`"),
        ("labels: [a, {title: B}]", "line 1, label 2: has no name"),
        ("labels: ['a;b']", "line 1, label 1, name: 'a;b' is none"),
        ("labels: [a, a]", "share a name"),
        ("labels: [{name: a, emoji: key}, {name: b, emoji: key}]", "share an emoji"),
        ("labels: [{name: a, colour: red}]", "label 1, colour"),
        ("labels: [{name: a, prefer: both}]", "label 1, prefer"),
        (f"labels: [{{name: a, title: {'x' * 61}}}]", "longer than 60"),
        ("labels: [{name: a", "is no YAML"),
        ("labels: [!!python/object/apply:os.system [ls]]", "is no YAML"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(text: str, told: str) -> None:
    """The file is edited by hand, by people who do not write programs."""
    with pytest.raises(BadData, match=r"labels\.yaml") as raised:
        read_labels(text, "labels.yaml")
    assert told in str(raised.value)


NAMES = [f"etiqueta{number}" for number in range(6)]
EMOJI = ["", "key", "house", "mega"]
SETS = st.lists(
    st.builds(
        Label,
        name=st.sampled_from(NAMES),
        title=st.sampled_from(["A", "B"]),
        title_en=st.just("A"),
        emoji=st.sampled_from(EMOJI),
        description=st.just(""),
    ),
    min_size=1,
    max_size=6,
    unique_by=lambda label: label.name,
).filter(lambda labels: len(used := [label.emoji for label in labels if label.emoji]) == len(set(used)))


@settings(max_examples=300, deadline=None)
@given(sets=st.lists(SETS, min_size=2, max_size=4))
def test_any_set_of_labels_can_become_any_other(sets: list[list[Label]]) -> None:
    """Emoji that change hands, labels that go and come back, a new order: no file is refused because of what was before."""
    taxonomy = Taxonomy(sets[0])
    for at, labels in enumerate(sets[1:], start=1):
        taxonomy = evolved(taxonomy, labels, at)
        assert taxonomy.labels == tuple(labels)
        assert not list(label_changes(taxonomy, labels, at=at, by="U1"))
