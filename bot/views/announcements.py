"""What a channel is told of a change that concerns all in it. Pure, as `blocks` is."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bot.views.blocks import escape
from bot.views.texts import Texts
from model.labels import LabelEvent, Taxonomy

# Of the changes that one file makes, so many are told one by one.
SHOWN = 10
_PERSON = re.compile(r"[UW][A-Z0-9]+")


def promotion(content: Mapping[str, Any], texts: Texts) -> str:
    """Tell which version answers from now on, who did it, and how it is undone."""
    values = {"version": content["version"], "before": content["before"]}
    if not content["learnt"]:
        return texts("told.promoted", who=person(content["by"], texts), **values)
    if content["by"] == "beto":
        return texts("told.learnt_by_itself", **values)
    return texts("told.learnt", who=person(content["by"], texts), **values)


def labels(events: Sequence[LabelEvent], taxonomy: Taxonomy, texts: Texts) -> str:
    """Tell what changed in the set of labels, who did it, and whom to ask to undo it: a line for each, of many the first."""
    lines = [_label(event, taxonomy, texts) for event in events[:SHOWN]]
    if len(events) > SHOWN:
        lines.append(texts.counted("told.labels_more", len(events) - SHOWN))
    return "\n".join(lines)


def _label(event: LabelEvent, taxonomy: Taxonomy, texts: Texts) -> str:
    who, before = person(event.by, texts), _titled(event.name, taxonomy, texts)
    if event.kind == "merge":
        return texts("told.label_merge", who=who, before=before, label=_titled(event.into or "", taxonomy, texts))
    if event.kind == "restore":
        return texts("told.label_restore", who=who, before=before)
    if event.kind == "empty":
        return texts("told.label_empty", who=who)
    if event.kind == "retire" or event.label is None:
        return texts("told.label_retire", who=who, before=before)
    sign = f":{event.label.emoji}: " if event.label.emoji else ""
    label = f"{sign}*{escape(texts.title(event.label))}*"
    prefers = texts(f"told.label_prefers_{event.label.prefer}") if event.label.prefer in {"recall", "precision"} else ""
    if event.kind == "change":  # what it was called is not kept: its name is, which never changes
        return texts("told.label_change", who=who, before=escape(event.name), label=label) + prefers
    return texts("told.label_add", who=who, label=label) + prefers


def _titled(name: str, taxonomy: Taxonomy, texts: Texts) -> str:
    label = taxonomy[name] if name in taxonomy else taxonomy.former.get(name)
    return escape(name if label is None else texts.title(label))


def person(by: str, texts: Texts) -> str:
    """Name a person of Slack; whoever is none used the command line."""
    return f"<@{by}>" if _PERSON.fullmatch(by) else texts("told.operator")
