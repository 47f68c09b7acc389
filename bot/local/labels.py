"""`beto labels`: the team's labels on the command line."""

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click

from bot.settings import BotSettings
from model.label_file import read_label_file, read_labels, write_labels
from model.labels import Label, LabelEvent, label_changes
from model.learning.dataset import STANDARD
from model.store.store import Store

BY = "command line"
MINI = "mini"
MINI_KNOWS_NOTHING = (
    "With BETO_BASE=mini nothing can be known from the labels' descriptions: the bot labels nothing for sure until people "
    "have corrected some messages. BETO_BASE=e5 begins with the descriptions"
)


def table(store: Store) -> str:
    """Return a line for each label of today, in its order."""
    labels = store.labels.current().labels
    if not labels:
        return "there are no labels yet"
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
    labels = read_labels(sys.stdin.read(), str(path)) if path == STANDARD else read_label_file(path)
    events = list(label_changes(store.labels.current(), labels, at=time.time_ns() // 1000, by=BY))
    if events and not dry:
        store.labels.record(*events)
    told = [describe(event) for event in events] or ["nothing changes"]
    return "\n".join([*told, "nothing was changed: this was a dry run"] if dry and events else told)


def begin_labels(file: Path | None, url: str, home: Path, base: str) -> None:
    """Take the labels of a file into a database where nobody has ever changed any, and say so; BadData where they are wrong."""
    if file is None:
        return
    store = Store(url, home)
    try:
        store.migrate()
        if store.begin_labels(file):
            click.echo(f"{len(store.labels.current())} labels taken from {file}. From here on they are changed in Slack.")
            if base == MINI:
                click.echo(f"{MINI_KNOWS_NOTHING}.", err=True)
    finally:
        store.close()


def check_begin(settings: BotSettings) -> str:
    """Return how it stands with the labels to begin with; raise BadData where they are wrong and wanted."""
    store = Store(settings.store_url, settings.home_folder)
    try:
        begun, now = bool(store.labels.events()), len(store.labels.recorded())
    finally:
        store.close()
    if settings.labels_file is None or begun:
        return f"{now} labels" + (
            "; BETO_LABELS was for the first start, and is not read any more" if settings.labels_file else ""
        )
    wanted = len(read_label_file(settings.labels_file))
    beside = f". {MINI_KNOWS_NOTHING}" if settings.base == MINI else ""
    return f"{wanted} labels of {settings.labels_file} are taken at the first start{beside}"


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
        case "empty":
            return f"retire all {len(event.names)} labels"
        case "order":
            return f"order: {', '.join(event.names)}"
    return f"{event.kind} {event.name}{'' if event.label is None else _prefers(event.label)}"


def _prefers(label: Label) -> str:
    return f"  (prefers {label.prefer})" if label.prefer in {"recall", "precision"} else ""
