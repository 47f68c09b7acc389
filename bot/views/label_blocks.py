"""The team's labels as screens: the list, the form for one, and the question before one goes. Pure, as `blocks` is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bot.views.agreement import value
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
    sorry,
    warn,
)
from bot.views.guide_blocks import grouped
from bot.views.label_names import label_option, menu_of
from bot.views.label_standing import Standing
from bot.views.texts import Texts
from model.agreement import ENOUGH
from model.labels import Label, Taxonomy
from model.schema import Cuts, Preference

ADD_BUTTON = "labels_add"
MENU = "labels_menu"
RESTORE_BUTTON = "labels_restore"
UNDO_BUTTON = "labels_undo"
YES_BUTTON, NO_BUTTON = "labels_question_yes", "labels_question_no"
BANK_BUTTON = "labels_begin_bank"
OWN_BUTTON = "labels_begin_own"
LABEL_VIEW = "label_view"
MERGE_VIEW = "label_merge_view"
RETIRE_VIEW = "label_retire_view"
CHANNEL_VIEW = "label_channel_view"

# The fields of the form, each a block with one element of its name.
FIELDS = ("title", "emoji", "description", "examples", "counterexamples", "group", "prefer", "title_en")
TITLE, EMOJI, DESCRIPTION, EXAMPLES, COUNTEREXAMPLES, GROUP, PREFER, TITLE_EN = FIELDS
PREFERENCES: tuple[Preference, ...] = ("balance", "recall", "precision")
# The entries of a label's menu.
ACTS = ("change", "merge", "retire", "up", "down")
# A modal has a hundred blocks; some are needed for what stands around the labels.
MOST_LABELS = 80
MOST_FORMER, MOST_UNDOS, MOST_ASKED = 5, 3, 2
TITLE_LENGTH = 60
GROUP_LENGTH = 40


@dataclass(frozen=True)
class Undoable:
    """A change that can be taken back: its number, what it did in words, and who did it."""

    number: int
    what: str


@dataclass(frozen=True)
class Asked:
    """A question that the labels suggest: its number, in words, and what saying yes opens."""

    number: int
    what: str
    yes: str  # the button's word


def label_list(
    taxonomy: Taxonomy,
    standings: Mapping[str, Standing],
    undoable: Sequence[Undoable],
    texts: Texts,
    *,
    refused: str | None,
    warning: str = "",
    former: Mapping[str, int] | None = None,
    is_new: bool = False,
    asked: Sequence[Asked] = (),
) -> dict[str, Any]:
    """Render all labels with how they stand, by groups. Whoever may not change them (`refused` says why) has no buttons.

    `former` tells on how many messages people gave each label that is none any more; `is_new`: nobody has chosen yet
    whether the shipped labels are theirs.
    """
    may_edit = refused is None
    rows: list[Block] = []
    for group, labels in grouped(taxonomy):
        rows += [context(f"*{escape(group)}*")] if group else []
        rows += [_row(label, standings.get(label.name, Standing()), texts, may_edit=may_edit) for label in labels]
    left_out = sum(row["type"] == "section" for row in rows[MOST_LABELS:])
    rows = rows[:MOST_LABELS]
    top: list[Block] = [section(texts.counted("labels.intro", len(taxonomy)) if taxonomy.labels else texts("labels.none_yet"))]
    if may_edit and is_new and taxonomy.labels:
        choices = ((BANK_BUTTON, "labels.begin_bank"), (OWN_BUTTON, "labels.begin_own"), (ADD_BUTTON, "labels.add"))
        top = [
            section(texts("labels.begin", number=len(taxonomy))),
            {"type": "actions", "elements": [button(action, texts(word)) for action, word in choices]},
        ]
    elif may_edit:
        top.append({"type": "actions", "elements": [button(ADD_BUTTON, texts("labels.add")) | {"style": "primary"}]})
    else:
        top.append(context(refused or ""))
    if left_out:
        rows.append(context(texts.counted("labels.more", left_out)))
    undos = [_with_button(each.what, UNDO_BUTTON, texts("labels.undo"), str(each.number)) for each in undoable]
    gone = [
        _with_button(_touching(label, (former or {}).get(name, 0), texts), RESTORE_BUTTON, texts("labels.restore"), name)
        for name, label in list(taxonomy.former.items())[-MOST_FORMER:]
    ]
    bottom: list[Block] = []
    if may_edit and undos:
        bottom += [{"type": "divider"}, section(texts("labels.changed")), *undos[:MOST_UNDOS]]
    if may_edit and gone:
        bottom += [{"type": "divider"}, section(texts("labels.former")), *gone]
    questions = [block for each in asked[:MOST_ASKED] for block in _asking(each, texts)] if may_edit else []
    shown = [*([warn(warning)] if warning else []), *top, *questions, *rows, *bottom]
    return {
        "type": "modal",
        "title": plain_text(texts("labels.title")),
        "close": plain_text(texts("labels.close")),
        "blocks": shown,
    }


def label_form(
    label: Label | None, texts: Texts, *, metadata: str, cuts: Cuts | None = None, touches: str = ""
) -> dict[str, Any]:
    """Render the form for a label, empty for a new one, with what a change touches; `cuts` as in `Standing`."""
    known = label or Label(name="", title="", title_en="", emoji="", description="")
    return {
        "type": "modal",
        "callback_id": LABEL_VIEW,
        "private_metadata": metadata,
        "title": plain_text(texts("labels.form_new" if label is None else "labels.form_change")),
        "submit": plain_text(texts("labels.save")),
        "close": plain_text(texts("labels.cancel")),
        "blocks": [
            *([context(touches)] if touches else []),
            _input(TITLE, known.title, texts, longest=TITLE_LENGTH, optional=False),
            _input(EMOJI, known.emoji, texts, longest=100),
            _input(DESCRIPTION, known.description, texts, longest=300, lines=True),
            _input(EXAMPLES, "\n".join(known.examples), texts, longest=3000, lines=True),
            _input(COUNTEREXAMPLES, "\n".join(known.counterexamples), texts, longest=3000, lines=True),
            _input(GROUP, known.group, texts, longest=GROUP_LENGTH),
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


def channel_form(taxonomy: Taxonomy, chosen: Sequence[str], texts: Texts, *, metadata: str) -> dict[str, Any]:
    """Render the choice of the labels that a channel uses; nothing chosen is all of them."""
    if not taxonomy.labels:
        return sorry(texts("labels.none_yet"), texts)
    element: Block = {"type": "multi_static_select", "action_id": CHOICE, "placeholder": plain_text(texts("labels.channel_all"))}
    element |= menu_of(taxonomy.labels, texts, taxonomy)
    if initial := [label_option(name, taxonomy, texts) for name in taxonomy.names if name in chosen]:
        element["initial_options"] = initial
    asked: Block = {
        "type": "input",
        "block_id": CHOICE,
        "optional": True,
        "label": plain_text(texts("labels.channel")),
        "hint": plain_text(texts("labels.hint_channel")),
        "element": element,
    }
    return _question(CHANNEL_VIEW, "labels.title", "labels.save", [section(texts("labels.channel_what")), asked], texts, metadata)


def sign(label: Label) -> str:
    """Return the label's emoji before its title, or nothing."""
    return f":{label.emoji}: " if label.emoji else ""


def _row(label: Label, standing: Standing, texts: Texts, *, may_edit: bool) -> Block:
    told = [texts(f"labels.{standing.state}")] if standing.state is not None else []
    if standing.judged:
        told.append(texts.counted("labels.judged", standing.judged))
    if (of_ten := standing.right_of_ten) is not None:
        told.append(texts("labels.right", of_ten=of_ten))
    if standing.agreement is not None and standing.agreement.units >= ENOUGH:
        told.append(texts("labels.agreement", value=value(standing.agreement, texts)))
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


def _asking(asked: Asked, texts: Texts) -> list[Block]:
    choices = ((YES_BUTTON, asked.yes), (NO_BUTTON, texts("labels.question_no")))
    elements = [button(action, word) | {"value": str(asked.number)} for action, word in choices]
    return [section(f":bulb: {asked.what}"), {"type": "actions", "block_id": f"asked:{asked.number}", "elements": elements}]


def _touching(label: Label, judged: int, texts: Texts) -> str:
    """Return a former label's name with what comes back with it."""
    told = f" · {texts.counted('labels.judged', judged)}" if judged else ""
    return f"{sign(label)}{escape(texts.title(label))}{told}"


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
