"""Personal data in a text, replaced by words before the text is kept. Pure.

What has a check digit (cards by Luhn, the Ecuadorian cédula, IBAN) is found however it is spaced; account and telephone
numbers are found by their shape or by the word before them. Words that BETO's vocabulary has take their place, so that
"me cobraron dos veces con la 4111 1111 1111 1111" still says that it was a card.
"""

import re
import unicodedata
from collections.abc import Iterator

MAIL, PHONE, CEDULA, CARD, ACCOUNT, LONG = (
    "correo", "número de teléfono", "número de cédula", "número de tarjeta", "número de cuenta", "número de referencia",
)  # fmt: skip

# From so many digits in a row on, a number names somebody or something; no amount and no date is written so.
LONG_DIGITS = 10
# Of a number that is announced as an account or a telephone.
ANNOUNCED_DIGITS = 7
CARD_DIGITS = range(13, 20)  # ISO/IEC 7812

# What people, keyboards and Slack's own marks put between the digits of one number; not commas, colons and line ends.
_GAP = r"[ .\-/_*~`()|\u200b]{0,3}"
_DIGITS = re.compile(rf"\d(?:{_GAP}\d)*")
_MAIL = re.compile(r"[\w.+%'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")
_MAIL_LINK = re.compile(r"<mailto:[^<>]*>", re.IGNORECASE)
_PHONE_LINK = re.compile(r"<tel:[^<>]*>", re.IGNORECASE)
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}(?![A-Za-z0-9])")
# Slack's own ids hold digits, and must go on naming whom they name.
_IDS = re.compile(r"<(?:@[UW][A-Z0-9]{1,14}|#[CDG][A-Z0-9]{1,14}|!subteam\^S[A-Z0-9]{1,14}|!date\^\d{1,10})(?=[|^>])")
_BETWEEN = r"(?:\s|[:#.°º])+(?:de|del|es|la|el|un|al|ahorros?|corriente|bancaria|n[uú]m(?:ero)?|nro|no|n)"
_SAID = rf"(?:{_BETWEEN})*[\s:#.°º]*(?:{_DIGITS.pattern})"
_ANNOUNCED = {
    ACCOUNT: re.compile(rf"\b(?:cuentas?|ctas?)\b((?:{_SAID})+)", re.IGNORECASE),
    PHONE: re.compile(rf"\b(?:tel[eé]fonos?|tel[eé]f|telf?|tlf|celular|cel|m[oó]vil|whats ?app)\b((?:{_SAID})+)", re.IGNORECASE),
}
_DATE = re.compile(
    r"(?<!\d)(?<!\d[./-])(?:(?:19|20)\d\d([./-])(?:0?[1-9]|1[0-2])\1(?:[12]\d|3[01]|0?[1-9])"
    r"|(?:[12]\d|3[01]|0?[1-9])([./-])(?:0?[1-9]|1[0-2])\2(?:19|20)?\d\d)(?!\d|[./-]\d)"
)
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)  # twice a digit, its own digits added up
_GROUPED = re.compile(r"\d{1,3}(?:\.\d{3})+")  # an amount as 1.250.000
_MOBILE = re.compile(r"(?:00)?(?:593)?0?9\d{8}")
_LANDLINE = re.compile(r"0[2-7]\d{7}|(?:00)?5930?[2-7]\d{7}")


def mask(text: str) -> str:
    """Replace personal data in `text` by words; a text without any comes back as it is, and masking twice changes nothing."""
    while (masked := _once(text)) != text:
        text = masked
    return text


def passes_luhn(digits: str) -> bool:
    """Return whether the last digit is the check digit of the others, as on payment cards (ISO/IEC 7812-1)."""
    doubled = (_DOUBLED[int(digit)] for digit in digits[-2::-2])
    return (sum(map(int, digits[::-2])) + sum(doubled)) % 10 == 0


def is_cedula(digits: str) -> bool:
    """Return whether these ten digits are an Ecuadorian cédula: province 01-24 or 30, a person's third digit, modulus 10."""
    if len(digits) != 10 or not (1 <= int(digits[:2]) <= 24 or digits[:2] == "30") or digits[2] > "5":
        return False
    return passes_luhn(digits)  # the same rule, on ten digits


def _once(text: str) -> str:
    plain = _plain(text)
    spans: dict[int, tuple[int, str]] = {}
    kept = [match.span() for match in _IDS.finditer(plain)]
    for start, end, words in _found(plain):
        if not any(start < stop and begin < end for begin, stop in kept):
            spans.setdefault(start, (end, words))
    pieces, at = [], 0
    for start, (end, words) in sorted(spans.items()):
        if start < at:
            continue  # inside one that was found before it
        before, after = text[:start][-1:], text[end : end + 1]
        pieces += [text[at:start], " " * before.isalnum(), words, " " * after.isalnum()]
        at = end
    return "".join([*pieces, text[at:]])


def _plain(text: str) -> str:
    """Return `text`, character by character, with every digit, space, dash and invisible sign in its plainest form."""
    return text if text.isascii() else text.translate(_PLAINEST)


class _Plainest(dict[int, str]):
    """A table for `str.translate`: each character's plain form, always one character, worked out when first met."""

    def __missing__(self, code: int) -> str:
        self[code] = plain = _plainest(chr(code))
        return plain


def _plainest(char: str) -> str:
    digit, kind = unicodedata.digit(char, None), unicodedata.category(char)
    if digit is not None:
        return str(digit)
    if kind == "Zs":
        return " "
    if kind == "Pd" or char in "\u2212\u2043":
        return "-"
    if kind in {"Cf", "Mn", "Me"}:
        return "\u200b"
    return {"\uff20": "@", "\ufe6b": "@", "\uff0e": ".", "\u00b7": ".", "\u2022": ".", "\u2024": "."}.get(char, char)


_PLAINEST = _Plainest()


def _found(plain: str) -> Iterator[tuple[int, int, str]]:
    """Yield (start, end, words) of what is to be replaced; where two overlap, the one that begins first counts."""
    for pattern, words in ((_MAIL_LINK, MAIL), (_PHONE_LINK, PHONE), (_MAIL, MAIL)):
        yield from ((*match.span(), words) for match in pattern.finditer(plain))
    for match in _IBAN.finditer(plain):
        if _is_iban(re.sub(r"[ -]", "", match[0])):
            yield (*match.span(), ACCOUNT)
    for words, pattern in _ANNOUNCED.items():
        for match in pattern.finditer(plain):
            for number in _DIGITS.finditer(match[1]):
                start = match.start(1) + number.start()
                if any(better != LONG for _, _, better in _numbers(plain, start, start + len(number[0]))):
                    continue
                if len(_only_digits(number[0])) >= ANNOUNCED_DIGITS and not _is_harmless(number[0]):
                    yield start, start + len(number[0]), words
    for chain in _DIGITS.finditer(plain):
        yield from _numbers(plain, *chain.span())


def _numbers(plain: str, start: int, end: int) -> Iterator[tuple[int, int, str]]:
    """Yield the personal numbers in a chain of digits and gaps, left to right; dates in it stand apart.

    Where there is a card, only the cards: a shorter number must not take some of a card's digits and leave the others.
    """
    found = []
    at = start
    for date in [*_DATE.finditer(plain, start, end), None]:
        stop = end if date is None else date.start()
        groups = [(at + group.start(), at + group.end()) for group in re.finditer(r"\d+", plain[at:stop])]
        first = 0
        while first < len(groups):
            last, words = _longest_number(plain, groups, first)
            if words:
                begin = groups[first][0]
                found.append((begin - (plain[begin - 1 : begin] == "+"), groups[last][1], words))
            first = last + 1 if words and words != CARD else first + 1
        at = end if date is None else date.end()
    cards = [each for each in found if each[2] == CARD]
    yield from cards or found


def _longest_number(plain: str, spans: list[tuple[int, int]], first: int) -> tuple[int, str]:
    """Return the last group, and the words, of the longest personal number that begins with group `first`; no words for none."""
    digits, best = "", (first, "")
    for last in range(first, len(spans)):
        digits += plain[slice(*spans[last])]
        if len(digits) > CARD_DIGITS.stop and last > first:
            break
        whole = plain[spans[first][0] : spans[last][1]]
        if words := _kind(digits, whole, plain[max(spans[first][0] - 1, 0) : spans[last][1] + 1]):
            best = last, words
    return best


def _kind(digits: str, written: str, around: str) -> str:
    """Return what a number is, as words; none where it is nobody's."""
    length = len(digits)
    if length < 8 or (length == 9 and _GROUPED.fullmatch(written)):
        return ""
    if (length == 10 and is_cedula(digits)) or (length == 13 and digits.endswith("001") and is_cedula(digits[:10])):
        return CEDULA
    if length <= 15 and (around[0] == "+" or _MOBILE.fullmatch(digits) or _LANDLINE.fullmatch(digits)):
        return PHONE
    if length in CARD_DIGITS and passes_luhn(digits):
        return CARD
    if length >= LONG_DIGITS and written == digits and not (around[0].isalpha() or around[-1].isalpha()):
        return LONG
    return ""


def _is_iban(iban: str) -> bool:
    moved = (iban[4:] + iban[:4]).upper()
    return int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


def _is_harmless(written: str) -> bool:
    """Return whether an announced number is an amount or a date."""
    return bool(_GROUPED.fullmatch(written) or _DATE.search(written))


def _only_digits(written: str) -> str:
    return "".join(re.findall(r"\d", written))
