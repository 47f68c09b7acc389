"""A reaction finds its label however the keyboard spells the emoji."""

import pytest

from model.errors import BadData, UnknownLabel
from model.labels import Label, Taxonomy, canonical_emoji, seed_taxonomy


def test_the_shipped_labels_are_fourteen_in_a_fixed_order() -> None:
    """A version's columns are the taxonomy's order; a reordering would silently swap labels."""
    taxonomy = seed_taxonomy()
    assert len(taxonomy) == 14
    assert taxonomy.names[0] == "reclamo"
    assert [label.name for label in taxonomy] == list(taxonomy.names)


def test_every_shipped_label_has_its_own_known_emoji_and_words() -> None:
    """Whoever corrects by reaction must find the emoji in Slack's picker."""
    for label in seed_taxonomy():
        assert not canonical_emoji(label.emoji).isascii(), label
        assert seed_taxonomy().by_emoji(label.emoji) is label
        assert label.title
        assert label.description


@pytest.mark.parametrize("spelling", ["pray", ":pray:", "pray::skin-tone-3", "🙏", "🙏🏽", "folded_hands", "Pray"])
def test_aliases_and_skin_tones_count_as_the_emoji(spelling: str) -> None:
    """People react with the hand that is theirs."""
    label = seed_taxonomy().by_emoji(spelling)
    assert label is not None
    assert label.name == "agradecimiento"


@pytest.mark.parametrize("other", ["tada", "loro_fiestero", "", "🎉"])
def test_an_emoji_of_no_label_is_nobody(other: str) -> None:
    """A party parrot is no judgement."""
    assert seed_taxonomy().by_emoji(other) is None


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    """The operator sees at once what may be written."""
    with pytest.raises(UnknownLabel, match=r"'nube'.*reclamo, tarjeta"):
        seed_taxonomy()["nube"]
    assert "nube" not in seed_taxonomy()
    assert "tarjeta" in seed_taxonomy()


def test_two_labels_cannot_share_a_name_or_an_emoji() -> None:
    """An ambiguous reaction would become a wrong judgement."""
    one = Label(name="uno", title="Uno", title_en="One", emoji="+1", description="")
    with pytest.raises(BadData, match="share a name"):
        Taxonomy([one, one.model_copy(update={"emoji": "tada"})])
    with pytest.raises(BadData, match="share an emoji"):
        Taxonomy([one, one.model_copy(update={"name": "dos", "emoji": "thumbsup"})])


def test_bare_names_make_a_taxonomy_without_emoji() -> None:
    """Foreign data sets bring label names and nothing else."""
    taxonomy = Taxonomy.from_names(["b", "a", "b"])
    assert taxonomy.names == ("b", "a")
    assert taxonomy.by_emoji("") is None
