"""The labels that a message can carry, and the emoji that stand for them."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Literal

from pydantic import TypeAdapter

from model.errors import BadData, UnknownLabel
from model.schema import Frozen, Prediction

_SKIN_TONES = "🏻🏼🏽🏾🏿"
_EMOJI_STYLE = "\ufe0f"  # "show me in colour"; some keyboards send it and some do not


class Label(Frozen):
    """One label: its name on the wire, its titles for people, its Slack emoji, and when it applies."""

    name: str
    title: str
    title_en: str
    emoji: str  # Slack's name without colons; empty: none, so it cannot be given by a reaction
    description: str


class LabelEvent(Frozen):
    """A change that somebody made to the set of labels; `at` is in microseconds.

    add: `label` is new; change: `label` stands in the place of `name`, perhaps under another name; merge: what was said
    of `name` is said of `into`; retire: nothing is said of `name` any more.
    """

    kind: Literal["add", "change", "merge", "retire"]
    name: str
    label: Label | None = None
    into: str | None = None
    at: int
    by: str


class Taxonomy:
    """Labels in a fixed order, found by name and by emoji.

    `renamed` tells under which name a former label goes today (None: it was retired), `since` when a label was added, in
    microseconds, where it was: what was said before says nothing about it.
    """

    def __init__(
        self, labels: Iterable[Label], *, renamed: Mapping[str, str | None] | None = None, since: Mapping[str, int] | None = None
    ) -> None:
        """Raise BadData when two labels share a name or an emoji."""
        self.labels = tuple(labels)
        self.renamed = dict(renamed or {})
        self.since = dict(since or {})
        self.names = tuple(label.name for label in self.labels)
        self._by_name = {label.name: label for label in self.labels}
        self._by_emoji = {canonical_emoji(label.emoji): label for label in self.labels if label.emoji}
        if len(self._by_name) < len(self.labels):
            raise BadData(f"two labels share a name: {', '.join(sorted(self.names))}")
        if len(self._by_emoji) < sum(bool(label.emoji) for label in self.labels):
            raise BadData("two labels share an emoji: " + ", ".join(f"{a.name} {a.emoji}" for a in self.labels))

    @classmethod
    def from_names(cls, names: Iterable[str]) -> "Taxonomy":
        """Make a taxonomy of labels of which only the names are known, in the given order, each once."""
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

    def today(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the names by which these labels go today, each once; retired ones are left out, unknown ones stay."""
        found: dict[str, None] = {}
        for name in names:
            current: str | None = name
            while current is not None and current not in self._by_name and current in self.renamed:
                current = self.renamed[current]
            if current is not None:
                found[current] = None
        return tuple(found)

    def read(self, prediction: Prediction) -> Prediction:
        """Return the prediction in today's names; of labels that were merged, the highest score counts."""
        if not self.renamed:
            return prediction
        scores: dict[str, float] = {}
        for name, score in prediction.scores.items():
            for current in self.today([name]):
                scores[current] = max(score, scores.get(current, 0.0))
        return prediction.model_copy(update={"scores": scores, "labels": self.today(prediction.labels)})

    def evolve(self, event: LabelEvent) -> "Taxonomy":
        """Return the set after the event; raise BadData where a name or an emoji is taken, or a label is not there."""
        labels, renamed, since = list(self.labels), dict(self.renamed), dict(self.since)
        if event.kind != "add" and event.name not in self:
            raise BadData(f"no label is called {event.name!r}; there are: {', '.join(self.names)}")
        if event.label is not None and event.label.name != event.name and event.label.name in {*self.names, *renamed}:
            raise BadData(f"the name {event.label.name!r} is, or was, another label's: choose another")
        match event:
            case LabelEvent(kind="add", label=Label() as label):
                if label.name in {*self.names, *renamed}:
                    raise BadData(f"the name {label.name!r} is, or was, another label's: choose another")
                labels.append(label)
                since[label.name] = event.at
            case LabelEvent(kind="change", label=Label() as label):
                labels[self.names.index(event.name)] = label
                if label.name != event.name:
                    renamed[event.name] = label.name
                    if event.name in since:
                        since[label.name] = since.pop(event.name)
            case LabelEvent(kind="merge", into=str() as into) if into in self and into != event.name:
                labels.pop(self.names.index(event.name))
                renamed[event.name] = into
            case LabelEvent(kind="retire"):
                labels.pop(self.names.index(event.name))
                renamed[event.name] = None
            case _:
                raise BadData(f"an event of kind {event.kind!r} needs the label that it leads to")
        return Taxonomy(labels, renamed=renamed, since=since)

    def by_emoji(self, emoji: str) -> Label | None:
        """Return the label that this reaction stands for: a Slack name or alias, with or without skin tone, or the sign."""
        return self._by_emoji.get(canonical_emoji(emoji))


def canonical_emoji(emoji: str) -> str:
    """Return the bare Unicode sign for a Slack name, an alias or a sign; an unknown (custom) name comes back in lower case."""
    import emoji as emoji_tables  # loaded with the first reaction, not with this module

    name = emoji.strip(":").split("::")[0].lower()
    sign = emoji_tables.emojize(f":{name}:", language="alias")
    bare = name if sign.startswith(":") else sign
    return bare.translate({ord(char): None for char in _SKIN_TONES + _EMOJI_STYLE})


@cache
def seed_taxonomy() -> Taxonomy:
    """Return the shipped labels of a bank, in their fixed order."""
    text = resources.files("model").joinpath("seed", "labels.json").read_text(encoding="utf-8")
    return Taxonomy(TypeAdapter(tuple[Label, ...]).validate_json(text))
