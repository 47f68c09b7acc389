"""Reactions: which emoji says what. Where one counts is decided by the store, which knows what it was put on."""

import re
from collections.abc import Collection, Mapping
from typing import Literal

from model.judgements import Kind
from model.labels import Taxonomy, canonical_emoji
from model.schema import Frozen

# What else than our reply a channel lets its people react on: nothing, or the messages themselves.
Place = Literal["reply", "message"]
# On a message, or on our reply to it: nothing more is to be said about it.
MUTE = "mute"
# How Slack writes the name of an emoji, shipped or a workspace's own.
_NAME = re.compile(r"[^\s:;,=`*~<>&|]{1,100}")


class Signs(Frozen):
    """The emoji that speak of all labels at once, by Slack's names without colons."""

    correct: str = "white_check_mark"
    wrong: str = "x"
    none: str = "no_entry_sign"

    def kind_of(self, emoji: str) -> Kind | None:
        """Return what this emoji says, or None where it is none of the signs."""
        sign = canonical_emoji(emoji)
        kinds = {self.correct: Kind.CORRECT, self.wrong: Kind.WRONG, self.none: Kind.NONE}
        return next((kind for name, kind in kinds.items() if canonical_emoji(name) == sign), None)


class Reaction(Frozen):
    """An emoji that a person put on something in Slack, or took back.

    `kind` and `labels` are what it says today; None where it says nothing. `at` is Slack's time in microseconds.
    """

    user: str
    handle: str
    emoji: str  # Slack's name, with its skin tone
    at: int
    withdrawn: bool = False
    kind: Kind | None = None
    labels: tuple[str, ...] = ()
    on_ours: bool = False  # Slack says that we wrote what it is on, also where we do not know that post yet


def meaning_of(emoji: str, taxonomy: Taxonomy, signs: Signs) -> tuple[Kind | None, tuple[str, ...]]:
    """Return what an emoji says, and of which label; (None, ()) for one that says nothing here."""
    kind = signs.kind_of(emoji)
    if kind is not None:
        return kind, ()
    label = taxonomy.by_emoji(emoji)
    return (None, ()) if label is None else (Kind.LABEL, (label.name,))


def mutes(emoji: str, taxonomy: Taxonomy) -> bool:
    """Return whether this emoji mutes a message: it does, unless the team gave it to a label."""
    return canonical_emoji(emoji) == canonical_emoji(MUTE) and taxonomy.by_emoji(emoji) is None


def read_emoji(setting: str, *, may_be_empty: bool = False) -> dict[str, str]:
    """Read `name=emoji,name=emoji`; each emoji goes by Slack's name, with colons and skin tone or without.

    With `may_be_empty` a name may be left without an emoji. Raises ValueError, which never quotes what stood there.
    """
    found: dict[str, str] = {}
    for number, pair in enumerate(setting.split(","), start=1):
        if not pair.strip():
            continue
        name, equals, emoji = (part.strip() for part in pair.partition("="))
        # Everybody reacts in a tone of their own.
        emoji = emoji.strip(":").split("::")[0].lower()
        if not name or not equals or (not emoji and not may_be_empty):
            raise ValueError(f"entry {number} is not NAME=EMOJI, as in correct=white_check_mark")
        if emoji and (not _NAME.fullmatch(emoji) or _is_a_picture(emoji)):
            raise ValueError(f"the emoji of entry {number} is not a name as Slack writes it, as in correct=white_check_mark")
        if name in found:
            raise ValueError(f"entry {number} names what an earlier one names")
        found[name] = emoji
    if doubled := _doubled(found):
        raise ValueError(f"one emoji cannot say two things: entries {_positions(found, doubled)}")
    return found


def read_signs(setting: str) -> Signs:
    """Read what `read_emoji` reads, of the signs alone; those that are left out keep their emoji. Raises ValueError likewise."""
    chosen = read_emoji(setting)
    if unknown := [name for name in chosen if name not in Signs.model_fields]:
        entries = _positions(chosen, unknown)
        raise ValueError(f"there is no such sign (entries {entries}); there are: {', '.join(Signs.model_fields)}")
    signs = Signs(**chosen)
    if doubled := _doubled(dict(signs)):
        raise ValueError(f"one emoji cannot say two things: {' and '.join(doubled)}")
    return signs


def complaints(taxonomy: Taxonomy, chosen: Mapping[str, str], signs: Signs) -> list[str]:
    """Return what is wrong with the `chosen` emoji of these labels beside the signs: a sentence each, with the way out.

    Where nothing was chosen nothing is: of a label whose own emoji is a sign only the sign is read.
    """
    if not chosen and signs == Signs():
        return []
    found = [
        f"BETO_LABEL_EMOJI: no label is called {name!r}; there are: {', '.join(taxonomy.names)}"
        for name in chosen
        if name not in taxonomy
    ]
    emoji = {label.name: chosen.get(label.name, label.emoji) for label in taxonomy}
    if doubled := _doubled(emoji):
        shared = ", ".join(f"{name} {emoji[name]}" for name in doubled)
        found.append(f"BETO_LABEL_EMOJI: labels share an emoji ({shared}): give each its own")
    found += [
        f"BETO_SIGNS and BETO_LABEL_EMOJI: {its} is the label {name!r} and also the sign {kind.value!r}: change one of them"
        for name, its in emoji.items()
        if its and (kind := signs.kind_of(its)) is not None
    ]
    return found


def _doubled(emoji: Mapping[str, str]) -> list[str]:
    """Return the names of those that share an emoji with another."""
    by_sign: dict[str, list[str]] = {}
    for name, its in emoji.items():
        if its:
            by_sign.setdefault(canonical_emoji(its), []).append(name)
    return [name for names in by_sign.values() if len(names) > 1 for name in names]


def _positions(read: Mapping[str, str], names: Collection[str]) -> str:
    return ", ".join(str(number) for number, name in enumerate(read, start=1) if name in names)


def _is_a_picture(emoji: str) -> bool:
    """Return whether this is the emoji itself and not its name."""
    import emoji as emoji_tables  # loaded where a setting is read, not with this module

    return emoji_tables.emoji_count(emoji) > 0
