"""Personal data is replaced by words before a text is kept, and what only looks like it is left alone."""

import re
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from model.judgements import Gesture, Kind
from model.learning.dataset import seed_messages
from model.masking import ACCOUNT, CARD, CEDULA, LONG, MAIL, PHONE, is_cedula, mask, passes_luhn
from model.schema import Example, Message, Source
from model.serving import normalise as speech
from model.settings import ModelSettings
from model.store.store import Store
from tests.store.rows import everything

GAPS = ["", " ", "-", ".", "\u00a0", "\u202f", "\u200b", " - ", "–", "/"]
WORDS = st.text(alphabet="abc ñÁ,.:;!?()<>&*_~`|@#+-/0123456789\n\u00a0٣４", max_size=40)


def luhn_digit(head: str) -> str:
    return next(digit for digit in "0123456789" if passes_luhn(head + digit))


@st.composite
def cards(draw: st.DrawFn) -> str:
    """The digits of a payment card."""
    head = draw(st.text("0123456789", min_size=12, max_size=18).filter(lambda digits: digits.strip("0")))
    return head + luhn_digit(head)


@st.composite
def cedulas(draw: st.DrawFn) -> str:
    province = draw(st.sampled_from([*range(1, 25), 30]))
    head = f"{province:02d}{draw(st.integers(0, 5))}{draw(st.integers(0, 999_999)):06d}"
    return head + next(digit for digit in "0123456789" if is_cedula(head + digit))


@st.composite
def written(draw: st.DrawFn, numbers: st.SearchStrategy[str]) -> str:
    """A number as somebody writes it: in groups, with any gap, also in full-width or Arabic digits."""
    digits = draw(numbers)
    gaps = draw(st.lists(st.sampled_from(GAPS), min_size=len(digits), max_size=len(digits)))
    shift = draw(st.sampled_from([0, 0, 0xFF10 - 0x30, 0x660 - 0x30]))
    return "".join(chr(ord(digit) + shift) + gap for digit, gap in zip(digits, gaps, strict=True)).rstrip("".join(GAPS))


def plain(text: str) -> str:
    """`text` with every digit as an ASCII one, and nothing between digits that people put there."""
    ascii_digits = re.sub(r"\d", lambda digit: str(int(digit[0])), text)
    return re.sub(r"(?<=\d)[ \-./–\u00a0\u202f\u200b]+(?=\d)", "", ascii_digits)


HOLDS_A_DATE = re.compile(r"\d[./\-–]\d{1,2}[./\-–]\d")


@given(written(cards()))
@settings(deadline=None)
def test_no_card_number_survives_however_it_is_written(number: str) -> None:
    """A card number in a database is a fine, and somebody's money."""
    assume(not HOLDS_A_DATE.search(number))
    digits = plain(number)
    masked = plain(mask(f"me cobraron en la {number}, ayuda"))
    assert digits not in masked
    assert sum(char.isdigit() for char in masked) < 6


@given(written(cedulas()))
@settings(deadline=None)
def test_no_cedula_survives_however_it_is_written(number: str) -> None:
    """Ten digits name a person in Ecuador for life."""
    assume(not HOLDS_A_DATE.search(number))
    assert plain(number) not in plain(mask(f"mi cédula es {number} gracias"))


@given(
    st.lists(st.one_of(WORDS, written(cards()), written(cedulas()), st.sampled_from(["cuenta ", "tel ", "a@b.co"])), max_size=6)
)
@settings(max_examples=300, deadline=None)
def test_masking_twice_changes_nothing(pieces: list[str]) -> None:
    """A text passes more than one door: an import masks it, and the store masks it again."""
    once = mask("".join(pieces))
    assert mask(once) == once


@given(
    st.one_of(
        st.integers(0, 99_999_999).map(str),  # short numbers
        st.integers(0, 999_999_999).map(lambda n: f"${n:,}".replace(",", ".") + ",00"),
        st.integers(0, 999_999_999).map(lambda n: f"{n:,} USD"),
        st.dates().map(lambda day: day.isoformat()).filter(lambda day: "1900" <= day[:4] < "2100"),
        st.dates().map(lambda day: f"{day.day:02d}/{day.month:02d}/{day.year}").filter(lambda day: "1900" <= day[-4:] < "2100"),
        st.dates().map(lambda day: f"{day.day}-{day.month}-{day.year % 100:02d}"),
        st.datetimes().map(lambda at: f"{at:%Y-%m-%d %H:%M:%S}").filter(lambda at: "1900" <= at[:4] < "2100"),
        st.times().map(lambda at: f"{at:%H:%M:%S}"),
    )
)
@settings(max_examples=300, deadline=None)
def test_amounts_dates_times_and_short_numbers_survive(harmless: str) -> None:
    """What was paid and when is what the message is about."""
    text = f"pagué {harmless} en la agencia"
    assert mask(text) == text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("escríbeme a ana.perez+banco@mail.com.ec", f"escríbeme a {MAIL}"),
        ("<mailto:ana@mail.ec|ana@mail.ec> o <tel:0991234567|099 123 4567>", f"{MAIL} o {PHONE}"),
        ("mi cel 0991234567", f"mi cel {PHONE}"),
        ("+593 99 123 4567 o (02) 234-5678", f"{PHONE} o ({PHONE}"),
        ("tel: 234 5678", f"tel: {PHONE}"),
        ("RUC 1713175071001, cédula 171317507-1", f"RUC {CEDULA}, cédula {CEDULA}"),
        ("tarjeta*4111 1111 1111 1111* vence 12/27", f"tarjeta*{CARD}* vence 12/27"),
        ("cuenta de ahorros nro. 22001234", f"cuenta de ahorros nro. {ACCOUNT}"),
        ("cuenta 2200123 4111-1111-1111-1111", f"cuenta {ACCOUNT} {CARD}"),
        ("GB82 WEST 1234 5698 7654 32", ACCOUNT),
        ("transferí con el comprobante 71829304756", f"transferí con el comprobante {LONG}"),
    ],
)
def test_each_kind_is_replaced_by_its_own_word(text: str, masked: str) -> None:
    """The words say what was there, so that the labels do not suffer."""
    assert mask(text) == masked


@pytest.mark.parametrize(
    "text",
    ["<@U0991234567> ya lo vio en <#C0171317507|atencion>", "<!date^1713175071^{date}|ayer>", "mi cuenta tiene 1.250.000 pesos"],
)
def test_slacks_own_ids_and_amounts_beside_an_account_stay(text: str) -> None:
    """A mention must go on naming whom it names."""
    assert mask(text) == text


def test_what_the_words_say_can_be_said_by_the_models_vocabulary() -> None:
    """A word with a letter that the vocabulary lacks would be one [UNK]: worse than the number."""
    for words in (MAIL, PHONE, CEDULA, CARD, ACCOUNT, LONG):
        assert speech.normalise(words) == words
        assert set(words) <= speech.ALPHABET


def test_no_shipped_message_is_touched() -> None:
    """They hold amounts, dates and times as people write them, and no personal data."""
    touched = [example.text for example in seed_messages() if mask(example.text) != example.text]
    assert touched == []


CARD_TEXT = "me cobraron dos veces con la 4111 1111 1111 1111"


def test_no_door_of_the_store_lets_personal_data_in(store: Store, tmp_path: Path) -> None:
    """Messages, edits, commands, notes and imports: one door left open would be the one that is used."""
    message = Message(channel="C1", ts="1.1", user="U1", text=CARD_TEXT, source=Source.CHANNEL)
    store.messages.save(message)
    store.messages.save(message.model_copy(update={"ts": "command-1", "source": Source.COMMAND}))
    store.messages.edit("C1", "1.1", f"{CARD_TEXT} y 4000-0000-0000-0002", 5)
    gesture = Gesture(user="U1", handle="h", at=7, kind=Kind.SET, labels=())
    store.gestures.add(gesture, channel="C1", item_ts="1.1", note=CARD_TEXT)
    store.examples.save([("k", Example(text=CARD_TEXT, labels=()))])
    from bot.local import transfer

    file = tmp_path / "more.csv"
    file.write_text(f"text,labels\n{CARD_TEXT} otra vez,ahorro\n", encoding="utf-8")
    transfer.import_file(ModelSettings(home=tmp_path, database_url=store.database.url), file)
    kept = everything(store)
    assert kept.count(CARD) >= 6
    assert "1111" not in kept
    assert "0002" not in kept


def test_masking_is_a_setting(store_url: str, tmp_path: Path) -> None:
    """A team that keeps its own rules may switch it off, and nobody else does by mistake."""
    from bot.settings import BotSettings

    assert BotSettings().mask_personal
    store = Store(store_url, tmp_path, mask_personal=False)
    store.migrate()
    saved, _ = store.messages.save(Message(channel="C", ts="1.1", user="U", text=CARD_TEXT, source=Source.CHANNEL))
    stored = store.messages.get(saved)
    store.close()
    assert stored is not None
    assert stored.message.text == CARD_TEXT
