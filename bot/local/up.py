"""`beto up`: all processes on one machine, with real Slack tokens."""

import signal
import time
from contextlib import suppress

import click

from bot.errors import StartRefused
from bot.local.environment import child_environment
from bot.local.running import read_health
from bot.local.supervisor import Stopped, Supervisor, until_stopped
from bot.settings import BotSettings


def run(*, http: bool) -> int:
    """Run everything until SIGTERM or Ctrl-C; return the exit status, 130 where it had not started by then."""
    settings = BotSettings()
    if complaints := settings.complaints(http=http):
        raise StartRefused("\n".join(complaints))
    home = settings.home_folder.absolute()
    stopped = until_stopped()
    with suppress(Stopped), Supervisor(home, child_environment(settings, BETO_HOME=str(home)), stopped) as supervisor:
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
        while not stopped():
            supervisor.watch()
            if not said and (health := read_health(worker.port, "ready")) is not None and not health["waiting_for"]:
                click.echo("The worker serves.")
                said = True
            time.sleep(0.5)
        return 0
    return 128 + signal.SIGINT
