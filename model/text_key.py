"""The key under which texts are the same text, whatever differs in case, accents, signs and digits."""

import hashlib
import re
import unicodedata


def canonical_text(text: str) -> str:
    """Return the text without what does not change its meaning: case, accents, signs, spacing, and which digits."""
    plain = "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))
    return " ".join(re.sub(r"\d", "0", re.sub(r"[^\w]+|_+", " ", plain)).split()) or text.strip()


def text_key(text: str) -> str:
    """Return a SHA-256 in hexadecimal that texts share which differ in nothing that matters."""
    return key_of_canonical(canonical_text(text))


def key_of_canonical(text: str) -> str:
    """Return the key of a text that went through `canonical_text` already."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
