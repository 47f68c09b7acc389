"""The harness: every process real, people who never rest, and a disturber; all chance from one seed."""

import asyncio
import os
import pwd
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from bot import blocks
from bot.bench.chaos.verdict import Ledger, judge
from bot.bench.postgres import postgres_programs
from bot.errors import StartRefused
from bot.simulator import delivery
from bot.simulator.errors import SlackError
from bot.simulator.person import Person
from bot.simulator.server import Simulator
from bot.simulator.workspace import Channel, User, Workspace
from bot.up import Machine, Process, answers, free_port, local_environment, read_health
from model.dataset import seed_messages
from model.errors import StoreUnavailable
from model.labels import seed_taxonomy
from model.registry import Registry
from model.runs import Runs
from model.schema import Card
from model.store import Store

CHANNELS = ("general", "atencion", "reclamos")
PEOPLE = ("ana", "luis", "maria", "carlos")
EMOJI = (*(label.emoji for label in seed_taxonomy()), "white_check_mark", "x", "no_entry_sign", "pizza")
# Slack's second and third redelivery come after a minute and five; here nobody waits that long.
REDELIVERY_S = (0.0, 2.0, 6.0)
# What people do in a second, all together, while few messages wait.
PER_S = 60
# So many messages may wait for their reply before people pause.
PATIENCE = 100
READY_WITHIN_S = 90.0
SAMPLE_EVERY_S = 5.0
Sample = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """What happens; the same plan brings the same people, words, disturbances and faults of Slack in the same order."""

    messages: int = 300
    gestures: int = 150
    kills: int = 10
    seed: int = 0
    twice: bool = False  # two of each of our processes
    postgres: bool = False
    share: float = 0.05  # of Slack's events and calls, that meet a fault
    pace: float = 0.1  # of the product's waits
    without: str = ""  # this safeguard
    retrainings: int = 1
    calm_within_s: float = 300.0


def run(plan: Plan, trained: Path) -> dict[str, Any]:
    """What was lost, doubled or wrong after all of it, with the figures of what happened. `trained` is a version's folder."""
    with tempfile.TemporaryDirectory(prefix="beto-chaos-") as folder:
        return asyncio.run(_run(plan, trained, Path(folder)))


async def _run(plan: Plan, trained: Path, folder: Path) -> dict[str, Any]:
    delivery.RETRY_AFTER_S = REDELIVERY_S
    delivery.EVENTS_PER_HOUR = 10**9  # an hour's worth comes in minutes here
    simulator = Simulator(rate_limits=False)
    await simulator.start()
    began = time.monotonic()
    try:
        with Town(plan, trained, folder, simulator.url) as town:
            await town.until_ready()
            crowd = Crowd(plan, simulator, town.store)
            crowd.settle_in()
            supervisor = asyncio.create_task(town.supervise(crowd))
            started_s = time.monotonic() - began
            simulator.faults.chaos(plan.seed, plan.share)
            disturber = Disturber(plan, town, simulator)
            await crowd.live(disturber)
            lived_s = time.monotonic() - began - started_s
            simulator.faults.calm()
            disturber.calm()
            calm = await crowd.calm_down(town)
            supervisor.cancel()
            found = judge(town.store, town.home, simulator.workspace, crowd.ledger)
            found["grown"] = _grown(town.samples)
            found["wrong"] += len(found["grown"])
            return {
                "bench": "chaos",
                "seed": plan.seed,
                "database": "postgresql" if plan.postgres else "sqlite",
                "of_each": 2 if plan.twice else 1,
                "without": plan.without,
                **found,
                "calm": calm,
                "disturbances": dict(sorted(disturber.done.items())),
                "kills": sum(count for what, count in disturber.done.items() if what.startswith("kill ")),
                "faults": crowd.ledger.faults(),
                "resident_mib": {name: [round(low), round(high)] for name, (low, high) in sorted(town.weights.items())},
                "seconds": {
                    "start": round(started_s),
                    "chaos": round(lived_s),
                    "calm": round(time.monotonic() - began - started_s - lived_s),
                },
                "samples": town.samples,
                "logs": town.keep_logs() if found["wrong"] or not calm else None,
            }
    finally:
        await simulator.stop()


class Town:
    """The processes on one machine, with their database; as a context manager, none of them outlives it."""

    def __init__(self, plan: Plan, trained: Path, folder: Path, url: str) -> None:
        self.plan, self.trained, self.folder, self.url = plan, trained, folder, url
        self.home = folder / "home"
        self.weights: dict[str, tuple[float, float]] = {}
        self.samples: list[Sample] = []
        self.processes: dict[str, Process] = {}
        self._stack = ExitStack()

    def __enter__(self) -> "Town":
        with ExitStack() as stack:
            self.machine = stack.enter_context(Machine(self.home, local_environment()))
            if self.plan.postgres:
                url = stack.enter_context(_postgres(self.machine, self.folder / "postgres"))
            else:
                url = f"sqlite:///{self.home / 'beto.db'}"
            self.store = Store(url)
            stack.callback(self.store.close)
            self.store.migrate()
            registry = Registry(self.store, self.home)
            built = registry.workshop(0) / "version"
            shutil.copytree(self.trained, built)
            card = Card.model_validate_json((built / "card.json").read_text(encoding="utf-8"))
            registry.promote(registry.add(built, card).number, by="chaos", reason="somebody has to answer")
            self.machine.environment |= {
                "BETO_REDIS_URL": self.machine.start_redis(),
                "BETO_HOME": str(self.home),
                "BETO_DATABASE_URL": url,
                "BETO_BASE": "mini",
                "BETO_BLIND_PERCENT": "2",
                "BETO_SLACK_RATE": "100",
                "BETO_DIGEST_AFTER": "0",
                "BETO_CHAOS_PACE": str(self.plan.pace),
                "BETO_CHAOS_WITHOUT": self.plan.without,
                "SLACK_API_URL": f"{self.url}/api/",
                "SLACK_BOT_TOKEN": Simulator.bot_token,
                "SLACK_APP_TOKEN": Simulator.app_token,
                "OMP_NUM_THREADS": "1",
            }
            for name in ("bot", "replies", "worker", "trainer"):
                for number in range(1, 3 if self.plan.twice else 2):
                    self.machine.start(f"{name}-{number}", name, module="bot.bench.chaos")
            self.processes = {process.name: process for process in self.machine.processes}
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.close()

    async def until_ready(self) -> None:
        """Every process says that it is ready; StartRefused where one does not."""
        deadline = time.monotonic() + READY_WITHIN_S
        for process in self.processes.values():
            while process.port and not await asyncio.to_thread(self._is_ready, process):
                self.machine.watch()
                if time.monotonic() > deadline:
                    raise StartRefused(f"{process.name} is not ready:\n{self.machine.log_end(process)}")
                await asyncio.sleep(0.2)

    def _is_ready(self, process: Process) -> bool:
        health = read_health(process.port, "ready")
        return health is not None and not health["waiting_for"]

    async def supervise(self, crowd: "Crowd") -> None:
        """What dies is started again, as under `beto up`, and weighed."""
        began = time.monotonic()
        while True:
            self.machine.watch()
            present = {
                name: _resident_mib(process.popen.pid) for name, process in self.processes.items() if process.popen is not None
            }
            for name, weight in present.items():
                low, high = self.weights.get(name, (weight, weight))
                self.weights[name] = (min(low, weight) or weight, max(high, weight))
            seconds = time.monotonic() - began
            if seconds >= len(self.samples) * SAMPLE_EVERY_S:
                size = _size_mib(self.folder / "postgres" / "base") if self.plan.postgres else _size_mib(self.home, "beto.db*")
                rounded = {name: round(weight) for name, weight in present.items()}
                self.samples.append(
                    {"s": round(seconds), "messages": len(crowd.ledger.written), "database_mib": size, "resident_mib": rounded}
                )
            await asyncio.sleep(0.1)

    def keep_logs(self) -> str:
        """Where the logs are, for whoever wants to know why."""
        kept = Path(tempfile.mkdtemp(prefix="beto-chaos-logs-"))
        shutil.copytree(self.machine.logs, kept, dirs_exist_ok=True)
        return str(kept)


@contextmanager
def _postgres(machine: Machine, data: Path) -> Iterator[str]:
    """A PostgreSQL server that is one of the machine's processes; the URL of an empty database in it."""
    folder = postgres_programs()
    if folder is None:
        raise StartRefused("no PostgreSQL server is installed (`sudo apt-get install postgresql`)")
    data.mkdir()
    become: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        owner = pwd.getpwnam("postgres")
        os.chown(data, owner.pw_uid, owner.pw_gid)
        data.parent.chmod(0o755)
        become = ["setpriv", f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups", "--pdeathsig", "keep"]
    options = ["-U", "beto", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
    made = subprocess.run([*become, folder / "initdb", "-D", data, *options], capture_output=True, check=False, cwd="/")
    if made.returncode:
        raise StartRefused(f"no database could be made: {made.stderr.decode()[-300:]}")
    port = free_port()
    settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "fsync": "off"}
    settings["max_connections"] = 300
    command = [*become, str(folder / "postgres"), "-D", str(data)]
    process = Process("postgres", [*command, *(part for key, value in settings.items() for part in ("-c", f"{key}={value}"))])
    machine.processes.append(process)
    machine._spawn(process)
    machine.wait_until("PostgreSQL answers", lambda: answers(port), timeout_s=30, of=process)
    yield f"postgresql+psycopg://beto@127.0.0.1:{port}/postgres"


class Disturber:
    """Kills, freezes, empties and cuts, in the order that the seed says. Every process is killed about equally often."""

    def __init__(self, plan: Plan, town: Town, simulator: Simulator) -> None:
        self.town, self.simulator = town, simulator
        self.done: Counter[str] = Counter()
        self._chance = random.Random(f"{plan.seed}/disturber")  # noqa: S311 - replayed, not secret
        names = sorted(town.processes)
        self._chance.shuffle(names)
        program = [("kill", names[n % len(names)]) for n in range(plan.kills)]
        program += [("freeze", self._chance.choice(names)) for _ in range(plan.kills // 3)]
        program += [("term", self._chance.choice(names)) for _ in range(plan.kills // 5)]
        program += [("flush", "redis")] * (plan.kills // 8 + 1)
        program += [("socket", self._chance.choice(("abort", "refresh", "freeze"))) for _ in range(plan.kills // 3)]
        self._chance.shuffle(program)
        self.program = program
        self._thaws: set[asyncio.Task[None]] = set()

    def moments(self, actions: int) -> list[int]:
        """After how many actions of the people each of the program happens."""
        return sorted(self._chance.sample(range(actions // 20, actions), len(self.program)))

    async def do(self, what: str, whom: str) -> None:
        """It has happened; to a process that is dead, once it lives again."""
        self.done[f"{what} {whom}"] += 1
        if what == "flush":
            with suppress(redis.RedisError):
                client = redis.Redis.from_url(self.town.machine.environment["BETO_REDIS_URL"], socket_timeout=1)
                await asyncio.to_thread(client.flushall)
        elif what == "socket":
            self.simulator.disturb(whom)
            if whom == "freeze":
                self._later(self._chance.uniform(1, 6), lambda: self.simulator.disturb("thaw"))
        else:
            await self._signal(what, self.town.processes[whom])

    async def _signal(self, what: str, process: Process) -> None:
        while process.popen is None or process.popen.poll() is not None:  # noqa: ASYNC110 - another process dies, no event of ours
            await asyncio.sleep(0.05)
        pid = process.popen.pid
        if what == "freeze":
            os.killpg(pid, signal.SIGSTOP)
            self._later(self._chance.uniform(0.3, 9), lambda: _send(pid, signal.SIGCONT, group=True))
            return
        process.deaths = 0  # who kills it, not it, is to blame
        process.started_at = time.monotonic()
        _send(pid, signal.SIGCONT, group=True)
        # PostgreSQL takes SIGTERM for "when the last client has left", and ours never do.
        stop = signal.SIGINT if process.name == "postgres" else signal.SIGTERM
        _send(pid, signal.SIGKILL if what == "kill" else stop)

    def _later(self, seconds: float, call: Any) -> None:
        async def wait() -> None:
            await asyncio.sleep(seconds)
            call()

        task = asyncio.create_task(wait())
        self._thaws.add(task)
        task.add_done_callback(self._thaws.discard)

    def calm(self) -> None:
        """Nothing is frozen any more."""
        for task in self._thaws:
            task.cancel()
        self.simulator.disturb("thaw")
        for process in self.town.processes.values():
            process.deaths = 0
            if process.popen is not None and process.popen.poll() is None:
                _send(process.popen.pid, signal.SIGCONT, group=True)


class Crowd:
    """People who write, edit, delete, react, press buttons and retrain; the ledger has what they did."""

    def __init__(self, plan: Plan, simulator: Simulator, store: Store) -> None:
        self.plan, self.simulator, self.store = plan, simulator, store
        self.workspace: Workspace = simulator.workspace
        self.ledger = Ledger(simulator)
        self._chance = random.Random(f"{plan.seed}/people")  # noqa: S311 - replayed, not secret
        self._texts = [example.text for example in seed_messages()]
        self._recent: list[tuple[str, str]] = []  # (channel id, ts), of the newest messages
        self._background: set[asyncio.Task[None]] = set()

    def settle_in(self) -> None:
        """The bot is in the channels and watches them."""
        beto = self.workspace.user(self.workspace.bot_user_id)
        for name in CHANNELS:
            channel = self.workspace.channel(name)
            self.workspace.join(channel, beto)
            self.store.set_channel_mode(self.workspace.team_id, channel.id, "auto")

    async def live(self, disturber: Disturber) -> None:
        """All that the plan says has happened."""
        plan = self.plan
        actions = ["message"] * plan.messages + ["gesture"] * plan.gestures + ["retrain"] * plan.retrainings
        actions += ["edit"] * (plan.messages // 10) + ["delete"] * (plan.messages // 25)
        self._chance.shuffle(actions)
        moments = disturber.moments(len(actions))
        pause_s = 60.0
        for number, action in enumerate(["message", *actions]):
            while moments and number >= moments[0]:
                moments.pop(0)
                await disturber.do(*disturber.program.pop(0))
            until = time.monotonic() + pause_s
            while self.ledger.waiting() > PATIENCE and time.monotonic() < until:  # noqa: ASYNC110 - seen by synchronous watchers
                await asyncio.sleep(0.02)
            if time.monotonic() >= until:
                pause_s = 0.0  # some will never be answered: it is for the verdict to say so
            await getattr(self, f"_{action}")()
            await asyncio.sleep(self._chance.expovariate(PER_S))
        for what, whom in disturber.program:
            await disturber.do(what, whom)

    async def calm_down(self, town: Town) -> bool:
        """Whether everything came to rest in time: nothing is owed, nothing is on its way, every process is ready."""
        deadline = time.monotonic() + self.plan.calm_within_s
        await asyncio.gather(*self._background)
        # An event that was held back comes after the next one.
        await self._message()
        quiet = 0
        while quiet < 6 and time.monotonic() < deadline:
            await asyncio.sleep(0.5)
            quiet = quiet + 1 if await self._is_at_rest(town) else 0
        return quiet >= 6

    async def _is_at_rest(self, town: Town) -> bool:
        if not self.ledger.at_rest(REDELIVERY_S[-1] + 1):
            return False
        try:
            counts = await asyncio.to_thread(self.store.counts, None)
            last = await asyncio.to_thread(Runs(self.store).last)
        except StoreUnavailable:  # it is killed, or starting
            return False
        if counts["prediction"] or counts["reply"] or (last is not None and not last.over):
            return False
        ready = [await asyncio.to_thread(town._is_ready, each) for each in town.processes.values() if each.port]
        return all(ready)

    # What one person does

    async def _message(self) -> None:
        channel, user = self._somewhere(), self._somebody()
        text = self._chance.choice(self._texts)
        mention = "@beto " if self._chance.random() < 0.05 else ""
        posted = self.workspace.post_as_person(user, channel, f"{mention}{text} {self._chance.randrange(10**6)}")
        self.ledger.wrote(channel.id, posted["ts"])
        self._recent.append((channel.id, posted["ts"]))
        del self._recent[:-300]

    async def _edit(self) -> None:
        with suppress(SlackError):  # it is gone already
            channel, ts = self._one_of_them()
            user = self.workspace.user(self.workspace.message(channel, ts)["user"])
            self.workspace.edit_as_person(
                user, channel, ts, f"{self._chance.choice(self._texts)} {self._chance.randrange(10**6)}"
            )

    async def _delete(self) -> None:
        with suppress(SlackError):
            channel, ts = self._one_of_them()
            self.workspace.delete(channel, ts, self.workspace.message(channel, ts)["user"])
            self.ledger.gone.add((channel.id, ts))

    async def _gesture(self) -> None:
        for _ in range(20):
            channel, ts = self._one_of_them()
            reply = self.ledger.reply_of(channel.id, ts)
            user, emoji = self._somebody(), self._chance.choice(EMOJI)
            item = reply if reply is not None and self._chance.random() < 0.5 else ts
            if reply is not None and self._chance.random() < 0.1:
                self._press(channel, reply, user)
                return
            try:
                if self._chance.random() < 0.2:
                    self.workspace.unreact(channel, item, user.id, emoji)
                else:
                    self.workspace.react(channel, item, user.id, emoji)
            except SlackError:
                continue
            return

    def _press(self, channel: Channel, ts: str, user: User) -> None:
        """Somebody presses "Correcto"; they are told whether it was heard, and may be told that it was not."""

        async def press() -> None:
            async with Person(self.simulator.url, user.id) as person:
                with suppress(SlackError):
                    heard = await person.action(blocks.CORRECT_ACTION, channel=channel.id, ts=ts)
                    self.ledger.pressed(channel.id, ts, user.id, heard=heard)

        task = asyncio.create_task(press())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _retrain(self) -> None:
        async def ask() -> None:
            async with Person(self.simulator.url, "ana") as ana:
                for _ in range(30):  # Slack never repeats a command, but people do
                    if await ana.command("general", "/beto", "retrain"):
                        return
                    await asyncio.sleep(1)

        task = asyncio.create_task(ask())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _somewhere(self) -> Channel:
        return self.workspace.channel(self._chance.choice(CHANNELS))

    def _somebody(self) -> User:
        return self.workspace.user(self._chance.choice(PEOPLE[:3]))

    def _one_of_them(self) -> tuple[Channel, str]:
        channel, ts = self._chance.choice(self._recent)
        return self.workspace.channel(channel), ts


def _send(pid: int, number: signal.Signals, *, group: bool = False) -> None:
    with suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(pid, number)


def _resident_mib(pid: int) -> float:
    with suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    return 0.0


def _grown(samples: list[Sample]) -> list[str]:
    """Processes that weighed half as much again, and more, in the second half as in the first: they grow without bound."""
    middle = len(samples) // 2
    halves = samples[:middle], samples[middle:]
    names = samples[-1]["resident_mib"] if middle else ()
    early, late = ({name: max(sample["resident_mib"].get(name, 0) for sample in half) for name in names} for half in halves)
    return [f"{name}: {early[name]} to {late[name]} MiB" for name in names if late[name] > 1.5 * early[name] + 50]


def _size_mib(folder: Path, pattern: str = "*") -> float:
    """What the files of that name take on disk, in this folder and below."""
    total = 0
    for file in folder.rglob(pattern):
        with suppress(OSError):  # PostgreSQL removes files of its own meanwhile
            total += file.stat().st_size
    return round(total / 2**20, 1)
