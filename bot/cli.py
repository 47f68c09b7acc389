"""The `beto` command. Every command imports what it needs when it runs, so that help and small processes stay small."""

import errno
import sys

import click

from bot.commands import data, files, labels, simulator, slack_app, versions
from bot.commands.simulator import require_simulator

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(context_settings=CONTEXT)
def beto() -> None:
    """Run a Spanish text classifier that lives in a Slack workspace and learns from its corrections.

    Start with `beto demo`, which needs no Slack and no account.
    """


@beto.command()
@click.option("--exit", "leave", is_flag=True, help="End after the story instead of staying until Ctrl-C.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the chat page (default 8765, or a free one).")
@click.option("--base", default="e5", show_default=True, help="What to fine-tune: e5, mini, or a checkpoint.")
def demo(leave: bool, port: int | None, base: str) -> None:
    """Show the whole way on this machine, with a simulated Slack and a chat page in the browser."""
    require_simulator()
    from bot.local import demo as showing

    sys.exit(showing.run(leave=leave or not sys.stdout.isatty(), port=port, base=base))


@beto.command()
@click.option("--http", is_flag=True, help="Receive signed HTTP requests instead of Socket Mode.")
def up(http: bool) -> None:
    """Run all processes on this machine, with real Slack tokens."""
    from bot.local import up as machine

    sys.exit(machine.run(http=http))


@beto.command()
@click.option("--http", is_flag=True, help="Receive signed HTTP requests instead of Socket Mode.")
def bot(http: bool) -> None:
    """Hear Slack: save each message and enqueue its classification."""
    from bot.slack.app import run_bot

    run_bot(http=http)


@beto.command()
def replies() -> None:
    """Post and redraw the replies in the threads."""
    from bot.outbox.process import run_replies

    run_replies()


@beto.command()
def worker() -> None:
    """Host the live version and classify what is queued."""
    from worker.inference import run_worker

    run_worker()


@beto.command()
def trainer() -> None:
    """Train versions, one at a time; the first one by itself."""
    from worker.trainer import run_trainer

    run_trainer()


@beto.command()
@click.option("--http", is_flag=True, help="Slack is to be heard by signed HTTP requests instead of Socket Mode.")
@click.option("--screens", is_flag=True, help="Ask Slack about every screen, too: would it take what people are to see?")
@click.option("--speed", is_flag=True, help="Measure instead how fast this machine labels with the live version.")
def doctor(http: bool, screens: bool, speed: bool) -> None:
    """Check tokens, scopes, Redis, database, model, device and proxies: what works, and what to do."""
    if speed:
        from bot.local.speed import measure

        click.echo(measure())
        return
    from bot.local.doctor import examine

    sys.exit(examine(http=http, screens=screens))


@beto.command()
@click.option("--messages-a-day", type=click.IntRange(0), required=True, help="That the bot is asked to label.")
@click.option("--days", type=click.IntRange(1), default=365, show_default=True, help="After how many.")
@click.option("--labels", "count", type=click.IntRange(1, 500), help="How many; default: those of a bank that are shipped.")
@click.option(
    "--judged-percent", type=click.FloatRange(0), default=10.0, show_default=True, help="Judgements a hundred messages."
)
@click.option("--text-bytes", type=click.IntRange(1), default=98, show_default=True, help="Of a message, on average.")
@click.option("--keep-days", type=click.IntRange(0), help="Of a text that nobody corrected; default: BETO_RETENTION_DAYS.")
@click.option("--keep-judged-days", type=click.IntRange(0), help="Of one that somebody did: BETO_RETENTION_CORRECTED_DAYS.")
@click.option("--keep-messages-days", type=click.IntRange(0), help="Of a message: BETO_RETENTION_MESSAGES_DAYS.")
def size(
    messages_a_day: int,
    days: int,
    count: int | None,
    judged_percent: float,
    text_bytes: int,
    keep_days: int | None,
    keep_judged_days: int | None,
    keep_messages_days: int | None,
) -> None:
    """Say how large the database will be, on SQLite and on PostgreSQL, before there is one."""
    from bot.local.size import Kept, told
    from model.labels import seed_taxonomy
    from model.settings import ModelSettings

    names, settings = seed_taxonomy().names, ModelSettings()
    kept = Kept(
        settings.retention_days if keep_days is None else keep_days,
        settings.retention_corrected_days if keep_judged_days is None else keep_judged_days,
        settings.retention_messages_days if keep_messages_days is None else keep_messages_days,
    )
    click.echo(
        told(
            messages_a_day=messages_a_day,
            days=days,
            judged_percent=judged_percent,
            labels=names if count is None else [f"{names[n % len(names)]}{n // len(names) or ''}" for n in range(count)],
            text_bytes=text_bytes,
            kept=kept,
            versions=settings.keep_versions,
        )
    )


# Those that are about one thing stand in a file of their own.
for _command in (
    *(slack_app.manifest, slack_app.setup, slack_app.slack_hook),
    simulator.simulator,
    *(files.train, files.evaluate, files.predict),
    labels.labels,
    *(data.import_, data.export, data.backup, data.restore, data.verify, data.copy_database, data.downgrade),
    *(versions.versions, versions.rollback),
):
    beto.add_command(_command)


def main() -> None:
    """Run the command line: errors that we know become one sentence and status 1, all others keep their traceback."""
    from pydantic import ValidationError

    from bot.errors import BotError
    from model.errors import ModelError

    try:
        beto()
    except (BotError, ModelError) as error:
        click.echo(f"beto: {error}", err=True)
        sys.exit(1)
    except ValidationError as error:
        from bot.settings import variables, wrong_settings

        for setting, problem in wrong_settings(error).items():
            click.echo(f"beto: {variables().get(setting, setting)}: {problem}", err=True)
        sys.exit(1)
    except OSError as error:
        # A file or an address that the operator named, or left to the default; whatever has none of both is a fault of ours.
        if error.filename is None and error.errno != errno.EADDRINUSE:
            raise
        click.echo(f"beto: {error.strerror}{'' if error.filename is None else f': {error.filename}'}", err=True)
        sys.exit(1)
