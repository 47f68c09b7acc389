"""The labels that a message can carry, and the emoji that stand for them."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Literal

from pydantic import TypeAdapter

from model.errors import BadData, UnknownLabel
from model.schema import Frozen, Prediction, Preference

_SKIN_TONES = "🏻🏼🏽🏾🏿"
_NEVER = 2**63
_EMOJI_STYLE = "\ufe0f"  # "show me in colour"; some keyboards send it and some do not


class Label(Frozen):
    """One label: its name on the wire, its titles for people, its Slack emoji, and when it applies."""

    name: str
    title: str
    title_en: str
    emoji: str  # Slack's name without colons; empty: none, so it cannot be given by a reaction
    description: str
    examples: tuple[str, ...] = ()  # messages that carry it
    counterexamples: tuple[str, ...] = ()  # messages that one might think carry it, and do not
    group: str = ""  # a heading that it is listed under
    prefer: Literal["", Preference] = ""  # what is worth more where it is rare or dear; empty: nobody has said


class LabelEvent(Frozen):
    """A change that somebody made to the set of labels; `at` is in microseconds.

    add: `label` is new; change: `label` stands in the place of `name`, perhaps under another name; merge: what was said
    of `name` is said of `into`; retire: nothing is said of `name` any more; restore: `name`, which was merged or retired, is a
    label again, as it was or as `label`; order: the labels stand in the order of `names`; empty: all of them, which are `names`,
    are retired at once; undo: the event with the id `undoes` has never been.
    """

    kind: Literal["add", "change", "merge", "retire", "restore", "order", "empty", "undo"]
    name: str = ""  # of order, empty and undo: none
    label: Label | None = None
    into: str | None = None
    names: tuple[str, ...] = ()
    undoes: int | None = None
    at: int
    by: str


class Taxonomy:
    """Labels in a fixed order, found by name and by emoji.

    `renamed` tells under which name a former label goes today (None: it was retired), `former` what each of them was. `absent`
    tells when a label was not there, as pairs (from, to) in microseconds: what was said then says nothing about it.
    """

    def __init__(
        self,
        labels: Iterable[Label],
        *,
        renamed: Mapping[str, str | None] | None = None,
        former: Mapping[str, Label] | None = None,
        absent: Mapping[str, tuple[tuple[int, int], ...]] | None = None,
    ) -> None:
        """Raise BadData when two labels share a name or an emoji."""
        self.labels = tuple(labels)
        self.renamed = dict(renamed or {})
        self.former = dict(former or {})
        self.absent = dict(absent or {})
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

    def absent_at(self, at: int) -> tuple[str, ...]:
        """Return the labels of today that were not there at this moment, in microseconds."""
        absent = self.absent.items()
        return tuple(name for name, spans in absent if name in self and any(start <= at < end for start, end in spans))

    def read(self, prediction: Prediction) -> Prediction:
        """Return the prediction in today's names; of labels that were merged, the highest score counts."""
        if not self.renamed:
            return prediction
        scores: dict[str, float] = {}
        for name, score in prediction.scores.items():
            for current in self.today([name]):
                scores[current] = max(score, scores.get(current, 0.0))
        named = {field: self.today(getattr(prediction, field)) for field in ("labels", "learning")}
        return prediction.model_copy(update={"scores": scores, **named})

    def evolve(self, event: LabelEvent) -> "Taxonomy":
        """Return the set after the event; raise BadData where a name or an emoji is taken, or a label is not there.

        An undo is none of one set: see `fold_labels`.
        """
        if event.kind == "empty":
            return self._emptied(event)
        if event.kind in {"change", "merge", "retire"} and event.name not in self:
            raise BadData(f"no label is called {event.name!r}; there are: {', '.join(self.names)}")
        if event.label is not None and event.label.name != event.name and self._was_used(event.label.name):
            raise BadData(f"the name {event.label.name!r} is, or was, another label's: choose another")
        match event:
            case LabelEvent(kind="add", label=Label() as label):
                if self._was_used(label.name):
                    raise BadData(f"the name {label.name!r} is, or was, another label's: choose another")
                return self._with([*self.labels, label], absent=self._absent(label.name, 0, event.at))
            case LabelEvent(kind="change", label=Label() as label):
                return self._change(event.name, label)
            case LabelEvent(kind="merge", into=str() as into) if into in self and into != event.name:
                return self._without(event.name, into, event.at)
            case LabelEvent(kind="retire"):
                return self._without(event.name, None, event.at)
            case LabelEvent(kind="restore", name=name) if name in self.former:
                return self._restore(event.label or self.former[name], name, event.at)
            case LabelEvent(kind="order", names=names) if sorted(names) == sorted(self.names):
                return self._with([self[name] for name in names])
            case _:
                raise BadData(self._why_not(event))

    def _why_not(self, event: LabelEvent) -> str:
        if event.kind == "restore":
            return f"no label was called {event.name!r}; these were: {', '.join(self.former) or 'none'}"
        if event.kind == "order":
            return f"an order names each label once: {', '.join(self.names)}"
        return f"an event of kind {event.kind!r} needs the label that it leads to"

    def missing_between(self, name: str, start: int, end: int) -> "Taxonomy":
        """Return the set with a label that was there again after a while; both times are in microseconds."""
        return self._with(self.labels, absent=self._absent(name, start, end))

    def _was_used(self, name: str) -> bool:
        return name in self or name in self.renamed

    def _absent(self, name: str, start: int, end: int) -> dict[str, tuple[tuple[int, int], ...]]:
        return self.absent | {name: (*self.absent.get(name, ()), (start, end))}

    def _with(self, labels: Iterable[Label], **changed: Any) -> "Taxonomy":
        kept: dict[str, Any] = {"renamed": self.renamed, "former": self.former, "absent": self.absent}
        return Taxonomy(labels, **kept | changed)

    def _change(self, name: str, label: Label) -> "Taxonomy":
        labels = [label if each.name == name else each for each in self.labels]
        if label.name == name:
            return self._with(labels)
        absent = {label.name if each == name else each: spans for each, spans in self.absent.items()}
        return self._with(labels, renamed=self.renamed | {name: label.name}, absent=absent)

    def _without(self, name: str, into: str | None, at: int) -> "Taxonomy":
        labels = [each for each in self.labels if each.name != name]
        # Until it is restored, if it ever is.
        absent = self._absent(name, at, _NEVER)
        return self._with(labels, renamed=self.renamed | {name: into}, former=self.former | {name: self[name]}, absent=absent)

    def _emptied(self, event: LabelEvent) -> "Taxonomy":
        if sorted(event.names) != sorted(self.names):
            raise BadData(f"whoever retires all labels names each once: {', '.join(self.names)}")
        emptied = self
        for name in event.names:
            emptied = emptied._without(name, None, event.at)
        return emptied

    def _restore(self, label: Label, name: str, at: int) -> "Taxonomy":
        if label.name != name:
            raise BadData(f"{name!r} comes back under its own name; it can be changed then")
        renamed = {each: into for each, into in self.renamed.items() if each != name}
        former = {each: was for each, was in self.former.items() if each != name}
        *earlier, (start, _) = self.absent[name]
        absent = self.absent | {name: (*earlier, (start, at))}
        return self._with([*self.labels, label], renamed=renamed, former=former, absent=absent)

    def with_emoji(self, chosen: Mapping[str, str]) -> "Taxonomy":
        """Return the set with the `chosen` emoji for these labels, an empty one for none; names that are no labels are ignored.

        A label whose own emoji was chosen for another has none: what was chosen is seen, and no emoji says two things.
        """
        here = {name: emoji for name, emoji in chosen.items() if name in self}
        if not here:
            return self
        taken = {canonical_emoji(emoji) for emoji in here.values()}
        labels = []
        for label in self.labels:
            own = "" if canonical_emoji(label.emoji) in taken else label.emoji
            labels.append(label.model_copy(update={"emoji": here.get(label.name, own)}))
        return self._with(labels)

    def with_preferences(self, chosen: Mapping[str, Preference]) -> "Taxonomy":
        """Return the set where `chosen` is preferred of those labels of which nobody has said anything; former names will do."""
        wanted = {current: chosen[name] for name in chosen for current in self.today([name])} | dict(chosen)
        labels = [
            label if label.prefer or label.name not in wanted else label.model_copy(update={"prefer": wanted[label.name]})
            for label in self.labels
        ]
        return self._with(labels)

    def preferences(self, names: Iterable[str]) -> dict[str, Preference]:
        """Return what is preferred of these labels, by the names that they had once, where it is no balance."""
        found: dict[str, Preference] = {}
        for name in names:
            for current in self.today([name]):
                if current in self and (prefer := self[current].prefer) and prefer != "balance":
                    found[name] = prefer
        return found

    def by_emoji(self, emoji: str) -> Label | None:
        """Return the label that this reaction stands for: a Slack name or alias, with or without skin tone, or the sign."""
        return self._by_emoji.get(canonical_emoji(emoji))


def only(prediction: Prediction, names: Collection[str] | None) -> Prediction:
    """Return what the prediction says of these labels; all of it for None."""
    if names is None:
        return prediction
    kept = {field: tuple(name for name in getattr(prediction, field) if name in names) for field in ("labels", "learning")}
    scores = {name: score for name, score in prediction.scores.items() if name in names}
    return prediction.model_copy(update={"scores": scores, **kept})


def fold_labels(start: Taxonomy, events: Iterable[tuple[int, LabelEvent]]) -> Taxonomy:
    """Return the set after these events, each with its id, in the order in which they happened.

    What an undo names is left out, and an undo that is undone has undone nothing. BadData where a later event rests on one that
    is left out.
    """
    events = tuple(events)
    undone: dict[int, int] = {}  # the event's id: when it was undone
    for number, event in reversed(events):
        if event.kind == "undo" and number not in undone and event.undoes is not None:
            undone[event.undoes] = event.at
    taxonomy = start
    for number, event in events:
        if number not in undone:
            taxonomy = taxonomy if event.kind == "undo" else taxonomy.evolve(event)
        elif event.kind in {"merge", "retire"}:
            taxonomy = taxonomy.missing_between(event.name, event.at, undone[number])
        elif event.kind == "empty":
            for name in event.names:
                taxonomy = taxonomy.missing_between(name, event.at, undone[number])
    return taxonomy


def label_changes(taxonomy: Taxonomy, labels: Sequence[Label], *, at: int, by: str) -> Iterator[LabelEvent]:
    """Yield the events that make today's labels these, in an order in which each of them can be.

    What is missing is retired, and what was retired before and stands here is brought back.
    """
    wanted = {label.name: label for label in labels}
    for name in taxonomy.names:
        if name not in wanted:
            yield LabelEvent(kind="retire", name=name, at=at, by=by)
    kept = [name for name in taxonomy.names if name in wanted]
    # One whose emoji another has until now gives it free first.
    emoji = {wanted[name].emoji for name in kept if wanted[name].emoji != taxonomy[name].emoji}
    for name in kept:
        if taxonomy[name].emoji in emoji and wanted[name].emoji != taxonomy[name].emoji:
            yield LabelEvent(kind="change", name=name, label=taxonomy[name].model_copy(update={"emoji": ""}), at=at, by=by)
    for name in kept:
        if wanted[name] != taxonomy[name]:
            yield LabelEvent(kind="change", name=name, label=wanted[name], at=at, by=by)
    for name, label in wanted.items():
        if name not in taxonomy:
            kind = "restore" if name in taxonomy.former else "add"
            yield LabelEvent(kind=kind, name=name, label=label, at=at, by=by)
    after = [*kept, *(name for name in wanted if name not in taxonomy)]
    if after != list(wanted):
        yield LabelEvent(kind="order", names=tuple(wanted), at=at, by=by)


def canonical_emoji(emoji: str) -> str:
    """Return the bare Unicode sign for a Slack name, an alias or a sign; an unknown (custom) name comes back in lower case."""
    import emoji as emoji_tables  # loaded with the first reaction, not with this module

    name = emoji.strip(":").split("::")[0].lower()
    sign = emoji_tables.emojize(f":{name}:", language="alias")
    bare = name if sign.startswith(":") else sign
    return bare.translate({ord(char): None for char in _SKIN_TONES + _EMOJI_STYLE})


def slack_name(emoji: str) -> str:
    """Return Slack's name, without colons, of what somebody typed: a name, with or without colons, or the sign itself."""
    import emoji as emoji_tables

    return emoji_tables.demojize(emoji.strip(), language="alias").strip(":").lower()


@cache
def seed_taxonomy() -> Taxonomy:
    """Return the shipped labels of a bank, in their fixed order."""
    text = resources.files("model").joinpath("seed", "labels.json").read_text(encoding="utf-8")
    return Taxonomy(TypeAdapter(tuple[Label, ...]).validate_json(text))
