"""Emoji that a workspace chooses: read as people write them, and refused where one would say two things."""

import re

import pytest
from pydantic import ValidationError

from bot.settings import BotSettings
from model.judgements import Kind
from model.labels import Label, Taxonomy, seed_taxonomy
from model.reactions import Signs, complaints, meaning_of


def test_nothing_set_is_what_it_always_was() -> None:
    settings = BotSettings(signs="", label_emoji="")
    assert settings.sign_emoji == Signs(correct="white_check_mark", wrong="x", none="no_entry_sign")
    assert settings.label_emoji_by_name == {}
    assert complaints(seed_taxonomy(), {}, settings.sign_emoji) == []


@pytest.mark.parametrize(
    "written",
    [
        "correct=thumbsup,none=zero",
        " none = :zero: , correct = :thumbsup:,",
        "correct=:thumbsup::skin-tone-3:,none=zero",
        "correct=THUMBSUP,none=Zero",
    ],
)
def test_signs_are_read_with_colons_tones_and_spaces_or_without(written: str) -> None:
    """People copy them out of Slack."""
    signs = BotSettings(signs=written).sign_emoji
    assert signs == Signs(correct="thumbsup", none="zero")
    assert [signs.kind_of(emoji) for emoji in ("+1", "thumbsup::skin-tone-5", "👍", "x", "zero", "white_check_mark")] == [
        Kind.CORRECT, Kind.CORRECT, Kind.CORRECT, Kind.WRONG, Kind.NONE, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("correct", "entry 1 is not NAME=EMOJI"),
        ("wrong=x,correct=", "entry 2 is not NAME=EMOJI"),
        ("=x", "entry 1 is not NAME=EMOJI"),
        ("correct=✅", "not a name as Slack writes it"),
        ("correct=two words", "not a name as Slack writes it"),
        ("correct=<b>", "not a name as Slack writes it"),
        ("correct=a,correct=b", "entry 2 names what an earlier one names"),
        ("bien=a", r"no such sign \(entries 1\); there are: correct, wrong, none"),
        ("correct=+1,wrong=thumbsup", "one emoji cannot say two things: entries 1, 2"),
        ("correct=x", "one emoji cannot say two things: correct and wrong"),
    ],
)
def test_signs_that_make_no_sense_are_refused_with_the_reason(written: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        BotSettings(signs=written)


@pytest.mark.parametrize(
    ("written", "why"),
    [("tarjeta", "entry 1 is not"), ("tarjeta=visa,fraude=:visa:", "entries 1, 2"), ("tarjeta=💳", "not a name")],
)
def test_label_emoji_that_make_no_sense_are_refused_with_the_reason(written: str, why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        BotSettings(label_emoji=written)


@pytest.mark.parametrize(
    ("chosen", "signs", "why"),
    [
        ({"targeta": "visa"}, Signs(), "no label is called 'targeta'; there are: reclamo, tarjeta"),
        ({"tarjeta": "mega"}, Signs(), r"labels share an emoji \(reclamo mega, tarjeta mega\)"),
        ({"tarjeta": "x"}, Signs(), "x is the label 'tarjeta' and also the sign 'wrong'"),
        ({}, Signs(none="mega"), "mega is the label 'reclamo' and also the sign 'none'"),
    ],
)
def test_what_would_say_two_things_beside_the_labels_is_told(chosen: dict[str, str], signs: Signs, why: str) -> None:
    (told,) = complaints(seed_taxonomy(), chosen, signs)
    assert re.search(why, told), told


def test_labels_may_exchange_their_emoji_and_have_none() -> None:
    chosen = BotSettings(label_emoji="tarjeta=mega,reclamo=credit_card,fraude=").label_emoji_by_name
    assert complaints(seed_taxonomy(), chosen, Signs()) == []
    taxonomy = seed_taxonomy().with_emoji(chosen)
    assert [meaning_of(emoji, taxonomy, Signs()) for emoji in ("mega", "credit_card", "rotating_light", "key")] == [
        (Kind.LABEL, ("tarjeta",)), (Kind.LABEL, ("reclamo",)), (None, ()), (Kind.LABEL, ("acceso",)),
    ]  # fmt: skip


def test_a_label_that_comes_later_with_a_chosen_emoji_has_none() -> None:
    """Nobody looks at the setting when a label is added: the bot goes on, and no emoji says two things."""
    later = Label(name="nomina", title="Nómina", title_en="Payroll", emoji="visa", description="")
    taxonomy = Taxonomy([*seed_taxonomy(), later]).with_emoji({"tarjeta": "visa", "no-such-label": "pizza"})
    assert (taxonomy["nomina"].emoji, taxonomy["tarjeta"].emoji) == ("", "visa")
    assert taxonomy.by_emoji("pizza") is None
    assert taxonomy.by_emoji("credit_card") is None
