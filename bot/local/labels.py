"""`beto labels`: the team's labels on the command line."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from model.errors import BadData
from model.label_file import read_labels, write_labels
from model.labels import Label, LabelEvent, label_changes
from model.learning.dataset import STANDARD
from model.store.store import Store

BY = "command line"


def table(store: Store) -> str:
    """Return a line for each label of today, in its order."""
    labels = store.labels.current().labels
    names, titles = (max(len(getattr(label, field)) for label in labels) for field in ("name", "title"))
    return "\n".join(
        f"{label.name:<{names}}  {label.title:<{titles}}  {label.emoji and f':{label.emoji}:'}  {label.description}".rstrip()
        + _prefers(label)
        for label in labels
    )


def export_file(store: Store, path: Path) -> str:
    """Write the labels of today as YAML, and return a sentence."""
    taxonomy = store.labels.current()
    if path == STANDARD:
        sys.stdout.write(write_labels(taxonomy))
    else:
        path.write_text(write_labels(taxonomy), encoding="utf-8")
    return f"{len(taxonomy)} labels written to {'standard output' if path == STANDARD else path}"


def import_file(store: Store, path: Path, *, dry: bool) -> str:
    """Make the labels those of a YAML file, all or nothing (BadData), and return what that changes, a line for each change.

    With `dry` nothing is changed.
    """
    try:
        text = sys.stdin.read() if path == STANDARD else path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadData(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise BadData(f"{path}: not UTF-8") from None
    labels = read_labels(text, str(path))
    events = list(label_changes(store.labels.current(), labels, at=time.time_ns() // 1000, by=BY))
    if events and not dry:
        store.labels.record(*events)
    told = [describe(event) for event in events] or ["nothing changes"]
    return "\n".join([*told, "nothing was changed: this was a dry run"] if dry and events else told)


def undo(store: Store, number: int) -> str:
    """Undo the change with this number, and return a sentence."""
    store.labels.record(LabelEvent(kind="undo", undoes=number, at=time.time_ns() // 1000, by=BY))
    return f"change {number} is undone"


def history(store: Store) -> str:
    """Return a line for each change, the oldest first, with the number by which it is undone."""
    return "\n".join(
        f"{number:>4}  {datetime.fromtimestamp(event.at / 1e6, UTC):%Y-%m-%d %H:%M} UTC  {event.by}  {describe(event)}"
        for number, event in store.labels.events()
    )


def describe(event: LabelEvent) -> str:
    """Return what the event does, in a few words."""
    match event.kind:
        case "merge":
            return f"merge {event.name} into {event.into}"
        case "change" if event.label is not None and event.label.name != event.name:
            return f"change {event.name} to {event.label.name}"
        case "undo":
            return f"undo change {event.undoes}"
        case "order":
            return f"order: {', '.join(event.names)}"
    return f"{event.kind} {event.name}{'' if event.label is None else _prefers(event.label)}"


def _prefers(label: Label) -> str:
    return f"  (prefers {label.prefer})" if label.prefer in {"recall", "precision"} else ""
