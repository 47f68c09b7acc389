"""The labels that a message can carry, and the emoji that stand for them."""

from collections.abc import Iterable, Iterator
from functools import cache
from importlib import resources

from pydantic import TypeAdapter

from model.errors import BadData, UnknownLabel
from model.schema import Example, Frozen

_SKIN_TONES = "🏻🏼🏽🏾🏿"
_EMOJI_STYLE = "\ufe0f"  # "show me in colour"; some keyboards send it and some do not


class Label(Frozen):
    """One label: its name on the wire, its titles for people, its Slack emoji, and when it applies."""

    name: str
    title: str
    title_en: str
    emoji: str  # Slack's name without colons; empty: none, so it cannot be given by a reaction
    description: str


class Taxonomy:
    """Labels in a fixed order, found by name and by emoji."""

    def __init__(self, labels: Iterable[Label]) -> None:
        """Raise BadData when two labels share a name or an emoji."""
        self.labels = tuple(labels)
        self.names = tuple(label.name for label in self.labels)
        self._by_name = {label.name: label for label in self.labels}
        self._by_emoji = {canonical_emoji(label.emoji): label for label in self.labels if label.emoji}
        if len(self._by_name) < len(self.labels):
            raise BadData(f"two labels share a name: {', '.join(sorted(self.names))}")
        if len(self._by_emoji) < sum(bool(label.emoji) for label in self.labels):
            raise BadData("two labels share an emoji: " + ", ".join(f"{a.name} {a.emoji}" for a in self.labels))

    @classmethod
    def from_names(cls, names: Iterable[str]) -> "Taxonomy":
        """Labels of which only the names are known, in the given order, each once."""
        unique = dict.fromkeys(names)
        return cls(Label(name=name, title=name, title_en=name, emoji="", description="") for name in unique)

    def __iter__(self) -> Iterator[Label]:
        return iter(self.labels)

    def __len__(self) -> int:
        return len(self.labels)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __getitem__(self, name: str) -> Label:
        """Raise UnknownLabel, naming those that there are."""
        try:
            return self._by_name[name]
        except KeyError:
            raise UnknownLabel(f"no label is called {name!r}; there are: {', '.join(self.names)}") from None

    def by_emoji(self, emoji: str) -> Label | None:
        """The label that this reaction stands for: a Slack name or alias, with or without skin tone, or the sign."""
        return self._by_emoji.get(canonical_emoji(emoji))


def canonical_emoji(emoji: str) -> str:
    """The bare Unicode sign for a Slack name, an alias or a sign; an unknown (custom) name comes back in lower case."""
    import emoji as emoji_tables  # loaded with the first reaction, not with this module

    name = emoji.strip(":").split("::")[0].lower()
    sign = emoji_tables.emojize(f":{name}:", language="alias")
    bare = name if sign.startswith(":") else sign
    return bare.translate({ord(char): None for char in _SKIN_TONES + _EMOJI_STYLE})


def taxonomy_of(examples: Iterable[Example]) -> Taxonomy:
    """The labels that `examples` use: shipped ones as they are and in their order, then the others by name."""
    used = {label for example in examples for label in (*example.labels, *example.unknown)}
    shipped = [label for label in seed_taxonomy() if label.name in used]
    return Taxonomy([*shipped, *Taxonomy.from_names(sorted(used - set(seed_taxonomy().names)))])


@cache
def seed_taxonomy() -> Taxonomy:
    """The shipped labels of a bank, in their fixed order."""
    text = resources.files("model").joinpath("seed", "labels.json").read_text(encoding="utf-8")
    return Taxonomy(TypeAdapter(tuple[Label, ...]).validate_json(text))
