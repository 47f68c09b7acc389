"""The team's labels as screens: the list, the form for one, and the question before one goes. Pure, as `blocks` is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bot.views.blocks import (
    CHOICE,
    MOST_OPTIONS,
    OPTION_LENGTH,
    Block,
    button,
    context,
    escape,
    plain_text,
    section,
    shorten,
)
from bot.views.texts import Texts
from model.labels import Label, Taxonomy
from model.schema import Cuts, LabelScores, Preference

ADD_BUTTON = "labels_add"
MENU = "labels_menu"
RESTORE_BUTTON = "labels_restore"
UNDO_BUTTON = "labels_undo"
LABEL_VIEW = "label_view"
MERGE_VIEW = "label_merge_view"
RETIRE_VIEW = "label_retire_view"

# The fields of the form, each a block with one element of its name.
FIELDS = ("title", "emoji", "description", "examples", "counterexamples", "prefer", "title_en")
TITLE, EMOJI, DESCRIPTION, EXAMPLES, COUNTEREXAMPLES, PREFER, TITLE_EN = FIELDS
PREFERENCES: tuple[Preference, ...] = ("balance", "recall", "precision")
# The entries of a label's menu.
ACTS = ("change", "merge", "retire", "up")
# A modal has a hundred blocks; some are needed for what stands around the labels.
MOST_LABELS = 80
MOST_FORMER, MOST_UNDOS = 5, 3
# Fewer judgements than this say little, and a label right less often than in seven of ten is weak.
FEW, SOUND_FROM = 10, 0.7
TITLE_LENGTH = 60

State = Literal["new", "described", "learning", "sound", "weak"]


@dataclass(frozen=True)
class Standing:
    """How a label stands: on how many messages people gave it, and what the live version, if there is one, scores on it.

    `cuts` are the live version's thresholds of it; None where they cannot be moved.
    """

    judged: int = 0
    scores: LabelScores | None = None
    is_served: bool = False  # a version is live, whether or not it knows the label
    cuts: Cuts | None = None
    is_described: bool = False  # where the live version was not taught it, what is written of it speaks

    @property
    def state(self) -> State | None:
        """Return new or described where the live version was not taught it, learning while few messages carry it."""
        if self.is_described:
            return "described" if self.judged < FEW else "learning"
        if self.scores is None:
            return "new" if self.is_served else None
        if self.scores.support == 0 or self.scores.support + self.judged < FEW:
            return "learning"
        return "sound" if self.scores.f1 >= SOUND_FROM else "weak"


@dataclass(frozen=True)
class Undoable:
    """A change that can be taken back: its number, what it did in words, and who did it."""

    number: int
    what: str


def label_list(
    taxonomy: Taxonomy,
    standings: Mapping[str, Standing],
    undoable: Sequence[Undoable],
    texts: Texts,
    *,
    refused: str | None,
    warning: str = "",
) -> dict[str, Any]:
    """Render all labels with how they stand. Whoever may not change them (`refused` says why) sees the same without buttons."""
    may_edit = refused is None
    rows = [
        _row(label, standings.get(label.name, Standing()), texts, may_edit=may_edit) for label in list(taxonomy)[:MOST_LABELS]
    ]
    top: list[Block] = [section(texts.counted("labels.intro", len(taxonomy)))]
    if may_edit:
        top.append({"type": "actions", "elements": [button(ADD_BUTTON, texts("labels.add")) | {"style": "primary"}]})
    else:
        top.append(context(refused or ""))
    if len(taxonomy) > MOST_LABELS:
        rows.append(context(texts.counted("labels.more", len(taxonomy) - MOST_LABELS)))
    undos = [_with_button(each.what, UNDO_BUTTON, texts("labels.undo"), str(each.number)) for each in undoable]
    former = [
        _with_button(f"{sign(label)}{escape(texts.title(label))}", RESTORE_BUTTON, texts("labels.restore"), name)
        for name, label in list(taxonomy.former.items())[-MOST_FORMER:]
    ]
    bottom: list[Block] = []
    if may_edit and undos:
        bottom += [{"type": "divider"}, section(texts("labels.changed")), *undos[:MOST_UNDOS]]
    if may_edit and former:
        bottom += [{"type": "divider"}, section(texts("labels.former")), *former]
    shown = [*([section(f":warning: {warning}")] if warning else []), *top, *rows, *bottom]
    return {
        "type": "modal",
        "title": plain_text(texts("labels.title")),
        "close": plain_text(texts("labels.close")),
        "blocks": shown,
    }


def label_form(label: Label | None, texts: Texts, *, metadata: str, cuts: Cuts | None = None) -> dict[str, Any]:
    """Render the form for a label, empty for a new one; `cuts` as in `Standing`."""
    known = label or Label(name="", title="", title_en="", emoji="", description="")
    return {
        "type": "modal",
        "callback_id": LABEL_VIEW,
        "private_metadata": metadata,
        "title": plain_text(texts("labels.form_new" if label is None else "labels.form_change")),
        "submit": plain_text(texts("labels.save")),
        "close": plain_text(texts("labels.cancel")),
        "blocks": [
            _input(TITLE, known.title, texts, longest=TITLE_LENGTH, optional=False),
            _input(EMOJI, known.emoji, texts, longest=100),
            _input(DESCRIPTION, known.description, texts, longest=300, lines=True),
            _input(EXAMPLES, "\n".join(known.examples), texts, longest=3000, lines=True),
            _input(COUNTEREXAMPLES, "\n".join(known.counterexamples), texts, longest=3000, lines=True),
            _preferences(known, cuts, texts),
            _input(TITLE_EN, "" if known.title_en == known.title else known.title_en, texts, longest=TITLE_LENGTH),
        ],
    }


def retire_form(label: Label, touches: str, texts: Texts, *, metadata: str) -> dict[str, Any]:
    """Render what retiring the label touches, before it is done."""
    told = texts("labels.retire_what", label=f"{sign(label)}*{escape(texts.title(label))}*")
    return _question(RETIRE_VIEW, "labels.retire", "labels.retire_do", [section(told), section(touches)], texts, metadata)


def merge_form(label: Label, taxonomy: Taxonomy, touches: str, texts: Texts, *, metadata: str) -> dict[str, Any]:
    """Render what merging the label into another touches, and ask into which."""
    told = texts("labels.merge_what", label=f"{sign(label)}*{escape(texts.title(label))}*")
    others = [_option(each, texts) for each in taxonomy if each.name != label.name]
    element: Block = {"type": "static_select", "action_id": CHOICE, "placeholder": plain_text(texts("labels.merge_into"))}
    if len(others) <= MOST_OPTIONS:
        element["options"] = others
    else:
        element |= {"type": "external_select", "min_query_length": 0}
    asked: Block = {"type": "input", "block_id": CHOICE, "label": plain_text(texts("labels.merge_into")), "element": element}
    return _question(MERGE_VIEW, "labels.merge", "labels.merge_do", [section(told), asked, section(touches)], texts, metadata)


def sign(label: Label) -> str:
    """Return the label's emoji before its title, or nothing."""
    return f":{label.emoji}: " if label.emoji else ""


def _row(label: Label, standing: Standing, texts: Texts, *, may_edit: bool) -> Block:
    told = [texts(f"labels.{standing.state}")] if standing.state is not None else []
    if standing.judged:
        told.append(texts.counted("labels.judged", standing.judged))
    if standing.scores is not None and standing.scores.support:
        told.append(texts("labels.right", of_ten=round(standing.scores.f1 * 10)))
    lines = [f"{sign(label)}*{escape(texts.title(label))}*", escape(shorten(label.description, 150))]
    lines += [f"_{' · '.join(told)}_"] if told else []
    lines += [f":dart: {preferred}"] if (preferred := _preferred(label, standing, texts)) else []
    lines += [f"&gt; {escape(shorten(example, 80))}" for example in label.examples[:2]]
    row = section("\n".join(line for line in lines if line)) | {"block_id": f"label:{label.name}"}
    if may_edit:
        options = [{"text": plain_text(texts(f"labels.{act}")), "value": f"{act}:{label.name}"} for act in ACTS]
        row["accessory"] = {"type": "overflow", "action_id": MENU, "options": options}
    return row


def _preferred(label: Label, standing: Standing, texts: Texts) -> str:
    """Return what is preferred of the label, with what it costs; nothing for a balance."""
    if label.prefer in {"", "balance"}:
        return ""
    preference: Preference = "recall" if label.prefer == "recall" else "precision"
    name = texts(f"labels.prefer_{preference}")
    if standing.cuts is None:
        return texts("labels.preferred_later", name=name)
    before, after = standing.cuts.gives("balance"), standing.cuts.gives(preference)
    if before is None or after is None:
        return texts("labels.preferred_unmeasured", name=name)
    values = {"found": after[0], "right": after[1], "found_before": before[0], "right_before": before[1]}
    return texts("labels.preferred", name=name, carrying=standing.cuts.carrying, **values)


def _preferences(label: Label, cuts: Cuts | None, texts: Texts) -> Block:
    """Render the choice of what is preferred, each with what it gives."""
    options = {}
    for preference in PREFERENCES:
        options[preference] = {"text": plain_text(texts(f"labels.prefer_{preference}")), "value": preference}
        if cuts is not None and (gives := cuts.gives(preference)) is not None:
            options[preference]["description"] = plain_text(texts("labels.prefer_gives", found=gives[0], right=gives[1]))
    return {
        "type": "input",
        "block_id": PREFER,
        "optional": True,
        "label": plain_text(texts("labels.field_prefer")),
        "hint": plain_text(texts("labels.hint_prefer" if cuts is not None else "labels.hint_prefer_later")),
        "element": {
            "type": "radio_buttons",
            "action_id": PREFER,
            "options": list(options.values()),
            "initial_option": options[label.prefer or "balance"],
        },
    }


def _with_button(text: str, action: str, word: str, value: str) -> Block:
    return section(text) | {"accessory": button(action, word) | {"value": value}}


def _input(name: str, value: str, texts: Texts, *, longest: int, lines: bool = False, optional: bool = True) -> Block:
    element: Block = {"type": "plain_text_input", "action_id": name, "multiline": lines, "max_length": longest}
    if value:
        element["initial_value"] = value
    return {
        "type": "input",
        "block_id": name,
        "optional": optional,
        "label": plain_text(texts(f"labels.field_{name}")),
        "hint": plain_text(texts(f"labels.hint_{name}")),
        "element": element,
    }


def _option(label: Label, texts: Texts) -> Block:
    return {"text": plain_text(shorten(f"{sign(label)}{texts.title(label)}", OPTION_LENGTH)), "value": label.name}


def _question(view: str, title: str, submit: str, shown: list[Block], texts: Texts, metadata: str) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": view,
        "private_metadata": metadata,
        "title": plain_text(texts(title)),
        "submit": plain_text(texts(submit)),
        "close": plain_text(texts("labels.cancel")),
        "blocks": shown,
    }
