"""`beto versions` and `beto rollback`: the versions that are kept, and which of them answers."""

import click


@click.group(invoke_without_command=True)
@click.pass_context
def versions(context: click.Context) -> None:
    """List the versions that are kept, and which of them is live; export one, or import one from elsewhere."""
    if context.invoked_subcommand is None:
        _list_versions()


@versions.command("export")
@click.argument("number", type=int)
@click.argument("file")
def export_version(number: int, file: str) -> None:
    """Write version NUMBER to FILE, or to hf://OWNER/REPOSITORY/FILE on a model hub, and print its SHA-256."""
    from bot.local.version_transfer import export_version as write
    from model.settings import ModelSettings

    click.echo(write(ModelSettings(), number, file))


@versions.command("import")
@click.argument("file")
def import_version(file: str) -> None:
    """Add the version in FILE, or at hf://OWNER/REPOSITORY/FILE, under the next number; `beto rollback NUMBER` lets it answer."""
    from bot.local.version_transfer import import_version as read
    from model.settings import ModelSettings

    click.echo(read(ModelSettings(), file))


def _list_versions() -> None:
    from model.settings import ModelSettings
    from model.store.store import Store

    settings = ModelSettings()
    store = Store(settings.store_url, settings.home_folder)
    store.migrate()
    registry = store.registry
    live = registry.live()
    kept = registry.all()
    if not kept:
        click.echo("no versions yet: `beto up` or `beto demo` trains the first", err=True)
    for version in kept:
        scores = version.card.scores.get("test") or version.card.scores["dev"]
        mark = "live" if live is not None and live.number == version.number else ""
        click.echo(
            f"{version.number:>4}  {mark:<4}  {version.created_at:%Y-%m-%d %H:%M} UTC  {version.card.base}  "
            f"micro-F1 {scores.micro_f1:.3f}  macro-F1 {scores.macro_f1:.3f}  {version.folder}"
        )
    store.close()


@click.command()
@click.argument("number", type=int, required=False)
def rollback(number: int | None) -> None:
    """Let version NUMBER answer, or the one that was live before."""
    from model.errors import BrokenVersion
    from model.settings import ModelSettings
    from model.store.store import Store

    settings = ModelSettings()
    store = Store(settings.store_url, settings.home_folder)
    store.migrate()
    registry = store.registry
    version = registry.before_live() if number is None else registry.get(number)
    if version is None:
        raise BrokenVersion("there is no earlier version to go back to" if number is None else f"there is no version {number}")
    registry.promote(version.number, by="command line", reason="beto rollback")
    click.echo(f"version {version.number} ({version.card.base}) is live; workers take it up within 5 seconds")
    store.close()
