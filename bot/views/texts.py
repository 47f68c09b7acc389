"""The sentences that people read, from the locale files."""

import tomllib
from functools import cache
from importlib import resources

from model.labels import Label
from model.reactions import Signs

DEFAULT_SIGNS = Signs()


class Texts:
    """The sentences of one language: `texts("reply.none", ...)` fills in the values; KeyError for an unknown sentence.

    The gaps `correct`, `wrong` and `none` are the emoji of the signs, in every sentence.
    """

    def __init__(self, language: str, sentences: dict[str, str], signs: Signs) -> None:
        self.language = language
        self.sentences = sentences
        self._signs = {name: f":{emoji}:" for name, emoji in signs}

    def __call__(self, key: str, **values: object) -> str:
        """Return the sentence with its gaps filled."""
        return self.sentences[key].strip("\n").format(**self._signs | values)

    def counted(self, key: str, count: int, **values: object) -> str:
        """Return the sentence that fits the number, `key` or `key`_one, with its gaps filled."""
        return self(f"{key}_one" if count == 1 else key, count=count, **values)

    def title(self, label: Label) -> str:
        """Return the label's name for people."""
        return label.title if self.language == "es" else label.title_en

    def percent(self, probability: float) -> str:
        """Write 0.923 as `92 %` in Spanish, `92%` in English; never a rounded 0 or 100, which would claim certainty."""
        number = min(max(round(probability * 100), 1), 99)
        return f"{number}\N{NO-BREAK SPACE}%" if self.language == "es" else f"{number}%"

    def share(self, part: int, whole: int) -> str:
        """Write 3 of 40 as `8 %` in Spanish, `8%` in English; less than one in a hundred as `<1 %`."""
        number = f"{100 * part // whole}" if 100 * part >= whole else "<1"
        return f"{number}\N{NO-BREAK SPACE}%" if self.language == "es" else f"{number}%"


@cache
def load_texts(language: str, signs: Signs = DEFAULT_SIGNS) -> Texts:
    """Return the sentences of `language` ("es" or "en")."""
    raw = resources.files("bot.views").joinpath("locales", f"{language}.toml").read_text(encoding="utf-8")
    read = {f"{group}.{key}": value for group, keys in tomllib.loads(raw).items() for key, value in keys.items()}
    return Texts(language, read, signs)
