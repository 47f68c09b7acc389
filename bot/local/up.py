"""`beto up`: all processes on one machine, with real Slack tokens."""

import signal
import time
from contextlib import suppress

import click

from bot.errors import StartRefused
from bot.local.environment import child_environment
from bot.local.first_version import Teller
from bot.local.labels import begin_labels
from bot.local.running import read_health
from bot.local.supervisor import Stopped, Supervisor, until_stopped
from bot.settings import BotSettings, misspelt
from model.errors import StoreUnavailable


def run(*, http: bool) -> int:
    """Run everything until SIGTERM or Ctrl-C; return the exit status, 130 where it had not started by then."""
    settings = BotSettings()
    for sentence in misspelt():
        click.echo(f"beto: warning: {sentence}", err=True)
    if complaints := settings.complaints(http=http):
        raise StartRefused("\n".join(complaints))
    home = settings.home_folder.absolute()
    begin_labels(settings.labels_file, settings.store_url, settings.home_folder, settings.base)
    stopped = until_stopped()
    with (
        suppress(Stopped),
        Supervisor(home, child_environment(settings, BETO_HOME=str(home), BETO_LABELS=""), stopped) as supervisor,
    ):
        if not settings.names_redis:
            supervisor.environment["BETO_REDIS_URL"] = supervisor.start_redis()
        trainer = supervisor.start("trainer")
        worker, replies = supervisor.start("worker"), supervisor.start("replies")
        bot = supervisor.start("bot", "bot", *(["--http"] if http else []))
        supervisor.write_running()
        for process in (trainer, replies, bot):
            supervisor.wait_ready(process, 60)
        click.echo("The bot hears Slack. Stop it with Ctrl-C. `beto doctor` tells how it is.")
        said = False
        teller = Teller(settings)
        while not stopped():
            supervisor.watch()
            with suppress(StoreUnavailable):  # each process says so in its log, and on its page
                if news := teller.news():
                    click.echo(news)
            if not said and (health := read_health(worker.port, "ready")) is not None and not health["waiting_for"]:
                click.echo("The worker serves.")
                said = True
            time.sleep(0.5)
        teller.close()
        return 0
    return 128 + signal.SIGINT
