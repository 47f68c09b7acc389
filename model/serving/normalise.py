"""Slack's escaped text as plain words that BETO's cased vocabulary covers."""

import re
import unicodedata

# Every character of BETO's vocabulary; a word with any other character becomes one [UNK] and is lost whole
# ("€190", "pingüino"). Read off vocab.txt of dccuchile/bert-base-spanish-wwm-cased.
ALPHABET = frozenset(
    "abcdefghijklmnopqrstuvwxyzáéíóúñABCDEFGHIJKLMNOPQRSTUVWXYZÁÉÍÓÚÑ0123456789"
    '!"(),-.:?¡¿ '
)  # fmt: skip

_CURRENCIES = {"$": "dólares", "€": "euros", "£": "libras", "¥": "yenes", "₡": "colones", "₿": "bitcoins"}
_IN_WORDS = {
    "%": " por ciento ", "‰": " por mil ", "&": " y ", "@": " arroba ", "+": " más ", "=": " igual a ",
    "<": " menor que ", ">": " mayor que ", "→": " a ", "⇒": " a ", "°": " grados ", "×": " por ", "±": " más o menos ",
    ";": ",", "[": "(", "]": ")", "{": "(", "}": ")",
    "“": '"', "”": '"', "„": '"', "«": '"', "»": '"', "‹": '"', "›": '"', "″": '"',
    "ø": "o", "Ø": "O", "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
    **{sign: f" {name} " for sign, name in _CURRENCIES.items()},
}  # fmt: skip

_ZERO_WIDTH_JOINER = "\u200d"  # holds family and flag emoji together, so it must live until they are named
_APOSTROPHES = "'’‘ʼ`´"
_SKIN_TONES = "🏻🏼🏽🏾🏿"

_MARKUP = re.compile(r"<([^<>]+)>")
_MARKUP_WORDS = {
    "@": "usuario", "#": "canal {label}", "!channel": "todos", "!here": "todos", "!everyone": "todos",
    "!subteam": "equipo", "!": "{label}", "mailto:": "{address}", "tel:": "{address}",
}  # fmt: skip
_URL = re.compile(r"https?://([^\s/<>|]+)[^\s<>|]*", re.IGNORECASE)
_DASHES = re.compile(r"[‐‑‒–—―−]|(?<=\w)[/⁄](?=\w)")
_EMOJI_NAME = re.compile(r":([\w+-]{1,80})(?:::skin-tone-\d)?:", re.IGNORECASE)
_MAYBE_EMOJI = re.compile("[©®\u203c-\U0010ffff]")  # the emoji library looks at each character, and most are letters
_QUOTE_MARK = re.compile(r"^[ \t]*>+", re.MULTILINE)
_AMOUNT = re.compile(r"(?:\bUS?|\bMX|\bAR)?([$€£¥₡₿])S?[ ]?(\d(?:[\d.,]*\d)?)")
_ARROW = re.compile(r"[-=]+>")
_HANDLE = re.compile(r"(?<![\w.])@(?=\w)")
_HASH_NUMBER = re.compile(r"#(?=\d)")
_STRETCHED = re.compile(r"([^\W\d_])\1{2,}", re.IGNORECASE)
# WordPiece gives up on words of more than 100 characters.
_ENDLESS = re.compile(r"(\w{80})(?=\w)")


def normalise(text: str) -> str:
    """Convert `text`, as Slack escaped it, to plain words on one line; doing it twice changes nothing.

    Mentions, channels, links and emoji become Spanish words, amounts and signs are spelled out ("€190" -> "190 euros"),
    shouted texts are lower-cased (BETO spells capitals letter by letter) and "holaaaa" becomes "hola". Letters of
    other scripts stay: they are an honest [UNK].
    """
    text = _drop_invisible(unicodedata.normalize("NFKC", text))
    text = _MARKUP.sub(_say_markup, text)
    text = _URL.sub(lambda link: f" enlace {_host(link[1])} ", text)
    text = _DASHES.sub("-", text)
    text = _say_emoji(text)
    text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    text = _QUOTE_MARK.sub(" ", text)
    text = _AMOUNT.sub(lambda amount: f" {amount[2]} {_CURRENCIES[amount[1]]} ", text)
    text = _ARROW.sub(" a ", text)
    text = _HANDLE.sub(" usuario ", text)
    text = _HASH_NUMBER.sub(" número ", text)
    text = text.translate(_SPEAKABLE)
    text = _STRETCHED.sub(r"\1", text)
    text = _ENDLESS.sub(r"\1 ", text)
    # Last, because all before it may change what share of the letters is loud.
    return _calm(" ".join(text.split()))


def _drop_invisible(text: str) -> str:
    """Remove direction marks, accents on nothing, variation selectors, skin tones and apostrophes."""
    if text.isascii():
        return text.replace("'", "").replace("`", "")
    return "".join(char for char in text if char == _ZERO_WIDTH_JOINER or not _is_invisible(char))


def _is_invisible(char: str) -> bool:
    return char in _APOSTROPHES or char in _SKIN_TONES or unicodedata.category(char) in ("Cf", "Mn", "Me")


def _say_markup(match: re.Match[str]) -> str:
    """Return the words for what stands between < and > (https://docs.slack.dev/messaging/formatting-message-text)."""
    target, _, label = match[1].partition("|")
    if url := _URL.match(target):
        return f" enlace {label or _host(url[1])} "
    for opening, said in _MARKUP_WORDS.items():
        if target.startswith(opening):
            return f" {said.format(label=label, address=target.partition(':')[2])} "
    return f" {match[1]} "


def _host(host: str) -> str:
    return host.lower().removeprefix("www.")


def _say_emoji(text: str) -> str:
    import emoji  # its tables take a moment and some megabytes: loaded with the first message

    emoji.config.load_language("es")  # does nothing the second time

    def say_name(match: re.Match[str]) -> str:
        name = match[1].lower()
        sign = emoji.emojize(f":{name}:", language="alias")
        if not sign.startswith(":"):
            return sign
        is_time = not any(char.isalpha() for char in name)  # "10:30:45"
        return match[0] if is_time else f" {name} "

    def say_sign(_sign: str, data: dict[str, str]) -> str:
        return f" {data['es'][1:-1]} "

    text = _EMOJI_NAME.sub(say_name, text)
    return emoji.replace_emoji(text, say_sign) if _MAYBE_EMOJI.search(text) else text


def _calm(text: str) -> str:
    """Return a text of two words or more in lower case when it is nearly all capitals."""
    letters = [char for char in text if char.isalpha()]
    shouted = sum(char.isupper() for char in letters) > 0.7 * len(letters)
    return text.lower() if shouted and " " in text.strip() else text


class _Speakable(dict[int, str]):
    """A table for `str.translate`: each character's replacement, worked out when first met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        self[code] = said = _say_character(char)
        return said


def _say_character(char: str) -> str:
    if char in ALPHABET:
        return char
    if char in _IN_WORDS:
        return _IN_WORDS[char]
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    plain = unicodedata.normalize("NFD", char)[0]  # ü -> u, ç -> c
    if plain in ALPHABET:
        return plain
    return char if char.isalpha() else " "


_SPEAKABLE = _Speakable()
