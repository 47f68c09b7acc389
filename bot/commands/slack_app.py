"""`beto manifest`, `setup` and `slack-hook`: the app in Slack, and its tokens."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bot.local.slack_cli import Hook


@click.command()
@click.option("--http", metavar="URL", default="", help="https://HOST/slack/events, for HTTP instead of Socket Mode.")
@click.option("--without", "without", multiple=True, metavar="SCOPE", help="Leave out an optional scope; may be repeated.")
@click.option("--link", "as_link", is_flag=True, help="Print the address at which Slack makes an app of it.")
def manifest(http: str, without: tuple[str, ...], as_link: bool) -> None:
    """Print the Slack app's manifest, or the link that makes an app of it."""
    from bot.local.manifest import link, read_manifest

    made = read_manifest(http=http, without=without)
    click.echo(link(made) if as_link else json.dumps(made, indent=2, ensure_ascii=False))


@click.command()
@click.option("--http", metavar="URL", default="", help="https://HOST/slack/events, for HTTP instead of Socket Mode.")
@click.option("--bot-token", envvar="SLACK_BOT_TOKEN", help="Not to be asked; in SLACK_BOT_TOKEN no list of processes shows it.")
@click.option("--app-token", envvar="SLACK_APP_TOKEN", help="Likewise, SLACK_APP_TOKEN.")
@click.option("--signing-secret", envvar="SLACK_SIGNING_SECRET", help="Likewise, SLACK_SIGNING_SECRET; for HTTP.")
@click.option("--language", type=click.Choice(["es", "en"]), help="Of the questions, and of the bot in Slack.")
def setup(http: str, bot_token: str | None, app_token: str | None, signing_secret: str | None, language: str | None) -> None:
    """Ask for the Slack tokens, try each at once, and write them into .env."""
    import os

    from bot.local.setup import run
    from model.settings import ENV_FILE, env_file

    file = env_file()
    if file is None:
        raise click.UsageError(f"{ENV_FILE} is empty: there is no file to write into")
    given = {
        "SLACK_BOT_TOKEN": bot_token,
        "SLACK_APP_TOKEN": app_token,
        "SLACK_SIGNING_SECRET": signing_secret,
        "SLACK_API_URL": os.environ.get("SLACK_API_URL"),
    }
    asks = sys.stdin.isatty()
    run(
        {name: value for name, value in given.items() if value},
        http=http,
        language=language or "",
        file=Path(file),
        asks=asks,
    )


@click.command("slack-hook")
@click.argument("hook", type=click.Choice(["get-hooks", "get-manifest", "start"]))
@click.option("--protocol", expose_value=False, help="Of Slack's command line, which gives it.")
@click.option("--boundary", default="", help="Likewise.")
def slack_hook(hook: "Hook", boundary: str) -> None:
    """Answer Slack's own command line, which calls this for `slack run`."""
    from bot.local.slack_cli import answer

    sys.exit(answer(hook, boundary=boundary))
