"""The key under which texts are the same text, whatever differs in case, accents, signs and digits."""

import hashlib
import re
import unicodedata


class _Plain(dict[int, str]):
    """What each character is to a text without accents, signs and digits of its own, found once for each."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if unicodedata.combining(character):
            plain = ""
        elif re.match(r"\d", character):
            plain = "0"
        else:
            plain = character if re.match(r"[^\W_]", character) else " "
        self[code] = plain
        return plain


_PLAIN = _Plain()


def canonical_text(text: str) -> str:
    """Return the text without what does not change its meaning: case, accents, signs, spacing, and which digits."""
    plain = unicodedata.normalize("NFKD", text.casefold()).translate(_PLAIN)
    return " ".join(plain.split()) or text.strip()


def text_key(text: str) -> str:
    """Return a SHA-256 in hexadecimal that texts share which differ in nothing that matters."""
    return key_of_canonical(canonical_text(text))


def key_of_canonical(text: str) -> str:
    """Return the key of a text that went through `canonical_text` already."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
