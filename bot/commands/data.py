"""`beto import`, `export`, `backup` and the like: what the bot keeps, into a file and back."""

from pathlib import Path

import click


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
def import_(file: Path) -> None:
    """Take labelled messages in from FILE (JSONL or CSV; `-`: standard input).

    A line with the id of a message that we know, and with somebody in `by`, is that person's word on that message.
    """
    from bot.local.transfer import import_file
    from bot.settings import BotSettings

    click.echo(import_file(BotSettings(), file))


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--corrections", is_flag=True, help="Only messages where people said otherwise than the network.")
@click.option("--pseudonyms", is_flag=True, help="Name people by a keyed hash instead of their Slack id.")
def export(file: Path, corrections: bool, pseudonyms: bool) -> None:
    """Write the labelled messages, judged and imported, to FILE (JSONL or CSV; `-`: JSONL to standard output)."""
    from bot.local.transfer import export_file
    from bot.settings import BotSettings

    said = export_file(BotSettings(), file, corrections=corrections, pseudonyms=pseudonyms)
    click.echo(said, err=str(file) == "-")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def backup(file: Path) -> None:
    """Write all that must last to FILE: database, versions, settings without secrets. Everything goes on running."""
    from bot.local.backup import back_up
    from bot.settings import BotSettings

    click.echo(back_up(BotSettings(), file))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def restore(file: Path) -> None:
    """Put the backup FILE into BETO_HOME and the database of BETO_DATABASE_URL, both of which must be empty.

    The database may be of another kind than the one of the backup.
    """
    from bot.local.restore import restore as into
    from bot.settings import BotSettings

    click.echo(into(BotSettings(), file))


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
def verify(file: Path) -> None:
    """Read every byte of FILE, a backup or an exported version, and say what is in it and whether it is as it was written."""
    from bot.local.backup import verify as examine

    click.echo(examine(file))


@click.command("copy-database")
@click.argument("source")
def copy_database(source: str) -> None:
    """Copy all rows of SOURCE, a SQLite file or a URL, into the empty database that BETO_DATABASE_URL names, and compare.

    This is the way from SQLite to PostgreSQL. Stop all processes first; BETO_HOME stays as it is.
    """
    from bot.local.restore import copy_database as copy
    from bot.settings import BotSettings

    click.echo(copy(BotSettings(), source))


@click.command()
@click.argument("release")
def downgrade(release: str) -> None:
    """Bring the database back to what an older RELEASE of the bot reads, such as 0.1.0, with all that it can hold.

    Stop all processes first, and make a backup. Then install that release and start it; a later upgrade goes forward again.
    """
    from bot.local.downgrade import downgrade as bring_back
    from bot.settings import BotSettings

    click.echo(bring_back(BotSettings(), release))
