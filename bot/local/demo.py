"""`beto demo`: the whole product on one machine, told as a story in the terminal, with a chat page to go on with."""

import asyncio
import os
import signal
import sys
import time
import webbrowser
from collections.abc import Callable, Coroutine
from pathlib import Path

import aiohttp
import click

from bot.errors import BotError, StartRefused
from bot.local.environment import child_environment
from bot.local.labels import begin_labels
from bot.local.ports import free_port, is_taken
from bot.local.running import read_health
from bot.local.supervisor import Stopped, Supervisor, until_stopped
from bot.settings import BotSettings
from bot.simulator.errors import SlackError
from bot.simulator.person import Person
from bot.views import reply_blocks
from model.errors import ModelError
from model.settings import ModelSettings
from model.store.store import Store

PORT = 8765
CHANNEL = "atencion"
WATCH = "watch hilo"
# The README shows the same messages (a test compares them).
STORY = (
    ("luis", "Buenos días, el cajero de la agencia Norte se tragó mi tarjeta de débito y no me devolvió los $40"),
    ("maria", "no puedo entrar a la app, dice q la clave esta mal y ya la cambie 2 veces 😡"),
    ("ana", "URGENTE: me acaban de hacer dos consumos que yo no reconozco con la tarjeta, bloquéenla ya por favor"),
    ("luis", "Quisiera saber qué requisitos piden para un préstamo de vivienda y a qué tasa está"),
    ("maria", "hice una transferencia ayer a mi hermana en Loja y todavía no le llega, me cobraron la comisión igual"),
    ("ana", "Muchas gracias por la ayuda de ayer, el asesor de la agencia fue un amor 🙏"),
    ("luis", "¿A cuánto está el interés si pongo 5.000 dólares en una póliza a un año?"),
    ("maria", "jajaja ya nos vemos en el almuerzo"),
)
REPLY_WITHIN_S = 20.0
ANOTHER_RUN_WITHIN_S = 10.0


def run(*, leave: bool, port: int | None, base: str) -> int:
    """Tell the story and return status 0, or name the step that failed and return status 1; leave no process behind.

    Of the settings only the folder, the labels, the language and the device are those of the environment and `.env`: nothing
    that the demo starts can reach the database, the queue or the workspace of a real installation.
    """
    settings = BotSettings()
    home = settings.home_folder.absolute() / "demo"
    base = base_at_hand(base)
    step = "getting ready"
    stopped = until_stopped()
    try:
        begin_labels(settings.labels_file, ModelSettings(home=home, database_url="").store_url, home, base)
        environment = child_environment(
            None,
            BETO_HOME=str(home),
            BETO_BASE=base,
            BETO_LANGUAGE=settings.language,
            BETO_DEVICE=settings.device,
            BETO_BLIND_PERCENT="0",  # whoever sees this for the first time wants to see labels
            BETO_ASK_A_DAY="0",  # and the same story each time
        )
        with Supervisor(home, environment, stopped) as supervisor:
            step = "starting Redis and the simulated Slack"
            supervisor.environment["BETO_REDIS_URL"] = supervisor.start_redis()
            url = start_simulator(supervisor, port)
            step = "starting bot, replies, worker and trainer"
            trainer, worker = supervisor.start("trainer"), supervisor.start("worker")
            replies, bot = supervisor.start("replies"), supervisor.start("bot")
            supervisor.write_running()
            supervisor.wait_ready(trainer, 60)
            step = "training version 1"

            def stopped_meanwhile() -> bool:
                supervisor.watch()
                return stopped()

            wait_for_training(home, base, stopped_meanwhile)
            step = "starting bot, replies, worker and trainer"
            for process in (worker, replies, bot):
                supervisor.wait_ready(process, 60)
            _show_processes(supervisor)
            step = "telling the story"
            thread = asyncio.run(_unless(stopped_meanwhile, _tell_story(url)))
            page = f"{url}/?user=ana&channel={CHANNEL}&thread={thread}"
            click.secho(f"\nLa página del chat: {page}", bold=True)
            if leave:
                return 0
            click.echo("Escribe ahí, abre hilos, prueba /beto ayuda. Ctrl-C termina y cierra todo.")
            if os.environ.get("DISPLAY") or sys.platform == "darwin":
                webbrowser.open(page)
            while not stopped():
                supervisor.watch()
                time.sleep(0.3)
            return 0
    except Stopped:
        return 128 + signal.SIGINT
    except (BotError, ModelError, OSError, SlackError, aiohttp.ClientError) as error:
        click.secho(f"\nbeto demo failed at: {step}\n{error}", fg="red", err=True)
        click.echo(f"The logs are in {home / 'logs'}", err=True)
        return 1


def base_at_hand(base: str) -> str:
    """Return the base to train from: mini, and a remark, where it should be e5 and its package is not installed."""
    from model.learning.bases import e5  # numpy, in this process only

    if base != e5.NAME or e5.is_installed():
        return base
    click.echo(f"Falta el paquete {e5.PACKAGED.package}: entreno mini, una red pequeña que aún no sabe español.")
    return "mini"


def start_simulator(supervisor: Supervisor, port: int | None, *options: str) -> str:
    """Start a simulated Slack, which every process that is started later takes for Slack, and return its URL."""
    chosen = port or (PORT if not is_taken(PORT) else free_port())
    if port is not None and is_taken(port):
        raise StartRefused(f"port {port} is in use: choose another with --port, or leave it out")
    url = f"http://127.0.0.1:{chosen}"
    simulator = supervisor.start("simulator", "simulator", "--port", str(chosen), *options)
    simulator.port = 0  # it answers on its own page
    supervisor.wait_until(
        "the simulated Slack answers", lambda: read_health(chosen, "health") is not None, timeout_s=20, of=simulator
    )
    supervisor.environment |= {
        "SLACK_API_URL": f"{url}/api/",
        "SLACK_BOT_TOKEN": "xoxb-simulator",
        "SLACK_APP_TOKEN": "xapp-simulator",
        "SLACK_SIGNING_SECRET": "simulator-signing-secret",
    }
    return url


def wait_for_training(home: Path, base: str, stopped: Callable[[], bool]) -> None:
    """Wait until a version is live, and show how far its training is; StartRefused where it fails, Stopped when told to."""
    store = Store(ModelSettings(home=home, database_url="").store_url, home)
    registry, runs = store.registry, store.runs
    try:
        if (version := registry.live()) is not None:
            click.echo(f"La versión {version.number} ({version.card.base}) ya está entrenada en {home}.")
            return
        own = bool(ModelSettings().labels)
        learns = "lo que dicen sus etiquetas" if own else "los mensajes que vienen con el producto"
        click.echo(f"Primera vez: entreno la versión 1 ({reply_blocks.base_name(base)}) con {learns}.")
        began = time.monotonic()
        with click.progressbar(length=100, label="entrenando", show_eta=False) as bar:
            failed_since: float | None = None
            while registry.live() is None:
                if stopped():
                    raise Stopped
                run = runs.last()
                if run is not None and run.status == "failed":
                    # An earlier start may have left it so: where the trainer can, it opens another run within seconds.
                    failed_since = failed_since or time.monotonic()
                    if time.monotonic() - failed_since > ANOTHER_RUN_WITHIN_S:
                        raise StartRefused(f"the training failed: {run.error}")
                else:
                    failed_since = None
                if run is not None and run.progress is not None:
                    bar.update(max(0, int(99 * run.progress.share) - bar.pos))
                time.sleep(0.25)
            bar.update(100 - bar.pos)
        version = registry.live()
        assert version is not None
        if version.card.untaught == version.card.labels:
            click.echo(
                f"Versión 1 lista en {time.monotonic() - began:.0f} s: aprende de las descripciones de sus "
                f"{len(version.card.labels)} etiquetas, y todavía de ningún mensaje. Corrígela: cada corrección cuenta enseguida."
            )
            return
        network, baseline = version.card.scores["test"], version.card.baseline["test"]
        click.echo(
            f"Versión 1 lista en {time.monotonic() - began:.0f} s · micro-F1 en mensajes nunca vistos: "
            f"{network.micro_f1:.3f} ({version.card.base}) "
            f"y {baseline.micro_f1:.3f} (la referencia: TF-IDF + regresión logística)"
        )
        if version.card.settings.get("quick"):
            click.echo("Es una primera versión, entrenada de prisa: /beto reentrena la entrena a fondo.")
    finally:
        store.close()


def _show_processes(supervisor: Supervisor) -> None:
    weights = []
    for process in supervisor.processes:
        health = read_health(process.port) if process.port else None
        weight = f" {health['resident_mib']:.0f} MiB{'' if health['torch'] else ', sin torch'}" if health else ""
        assert process.popen is not None
        weights.append(f"{process.name} (pid {process.popen.pid}{',' if weight else ''}{weight})")
    click.echo(f"{len(weights)} procesos: {' · '.join(weights)}\n")


async def _unless(stopped: Callable[[], bool], telling: Coroutine[None, None, str]) -> str:
    """Run `telling` to its end and return its result; Stopped where that came first."""
    task = asyncio.ensure_future(telling)
    while not task.done():
        await asyncio.wait({task}, timeout=0.2)
        if stopped():
            task.cancel()
            await asyncio.wait({task})
            raise Stopped
    return task.result()


async def _tell_story(url: str) -> str:
    """Post the messages of the story and return the ts of the last one that got labels.

    StartRefused names the one that was not answered.
    """
    labelled = ""
    people = {name: Person(url, name) for name in ("ana", "luis", "maria")}
    async with people["ana"] as ana, people["luis"], people["maria"]:
        members = next(each["members"] for each in (await ana.state())["channels"] if each["name"] == CHANNEL)
        bot_user = next(each["id"] for each in (await ana.state())["users"] if each["is_bot"])
        if bot_user not in members:
            click.echo(f"ana en #{CHANNEL}: /invite @beto")
            await ana.invite(CHANNEL, bot_user)
        # With its display, since the command alone opens a screen to choose it, over the page of whoever comes to look.
        click.echo(f"ana en #{CHANNEL}: /beto {WATCH}\n")
        if not await ana.command(CHANNEL, "/beto", WATCH):
            raise StartRefused(f"the bot did not acknowledge /beto {WATCH} within 3 s")
        for name, text in STORY:
            click.echo(f"{name}: {text}")
            began = time.perf_counter()
            ts = await people[name].message(CHANNEL, text)
            try:
                reply = await people[name].wait_for_reply(CHANNEL, ts, REPLY_WITHIN_S)
            except TimeoutError:
                raise StartRefused(f"no labels within {REPLY_WITHIN_S:.0f} s for: {text}") from None
            milliseconds = 1000 * (time.perf_counter() - began)
            labelled = ts if "%" in reply["text"] else labelled
            click.secho(f"   └ beto: {reply['text']}   ({milliseconds:.0f} ms)", fg="green")
            # Slack takes one post a second and channel; faster than that its limit would be shown, not our speed.
            await asyncio.sleep(1)
    return labelled
