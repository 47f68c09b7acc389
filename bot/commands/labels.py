"""`beto labels`: the labels, and what was changed of them."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from model.store.store import Store


@click.group(invoke_without_command=True)
@click.pass_context
def labels(context: click.Context) -> None:
    """List the labels, or change them by a file."""
    if context.invoked_subcommand is None:
        _with_labels(lambda commands, store: commands.table(store))


@labels.command("export")
@click.argument("file", type=click.Path(path_type=Path))
def export_labels(file: Path) -> None:
    """Write the labels to FILE as YAML (`-`: standard output)."""
    _with_labels(lambda commands, store: commands.export_file(store, file), err=str(file) == "-")


@labels.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Tell what would change, and change nothing.")
def import_labels(file: Path, dry_run: bool) -> None:
    """Make the labels those of FILE (YAML; `-`: standard input): the missing are retired, the new are added."""
    _with_labels(lambda commands, store: commands.import_file(store, file, dry=dry_run))


@labels.command("history")
def label_history() -> None:
    """List what was changed, with the numbers by which it can be undone."""
    _with_labels(lambda commands, store: commands.history(store))


@labels.command("undo")
@click.argument("number", type=int)
def undo_label_change(number: int) -> None:
    """Undo change NUMBER, and bring back what was said of its label."""
    _with_labels(lambda commands, store: commands.undo(store, number))


def _with_labels(run: Callable[[ModuleType, "Store"], str], *, err: bool = False) -> None:
    from bot.local import labels as commands
    from model.settings import ModelSettings
    from model.store.store import Store

    settings = ModelSettings()
    store = Store(settings.store_url, settings.home_folder)
    try:
        store.migrate()
        click.echo(run(commands, store), err=err)
    finally:
        store.close()
