"""The images, really built, and every service of docker-compose.yml really running in them: `make images`.

No Docker engine is needed: buildah builds and runs by chroot, as root, on a base that debootstrap makes of Debian. Services are
reached over loopback, since a chroot has no network of its own. What the compose file says of a service (image, command,
environment, health check) is what runs.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.local.ports import free_port
from bot.simulator.person import Person
from bot.simulator.pytest_plugin import SimulatorThread
from tests.postgres import new_database
from tests.terminal import family
from tests.town import wait_until

pytestmark = pytest.mark.images

ROOT = Path(__file__).parent.parent.parent
# Another base, of a registry or a machine of yours: Debian or Ubuntu with Python.
BASE = os.environ.get("IMAGES_BASE", "")
OWN_BASE = "localhost/beto-test-base"
SUITE, PACKAGES = "bookworm", "python3,python3-venv,ca-certificates"
OURS = ("bot", "replies", "worker", "trainer")
UID = 10001
# MiB above the base. The trainer's is torch's, which we do not choose.
LARGEST = {"bot": 250, "worker": 400}
CHANNEL = "atencion"


def run(*command: str | Path, **options: Any) -> str:
    """Its output; where it fails, all that it wrote."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd=ROOT, **options)
    assert done.returncode == 0, f"{' '.join(map(str, command))}: {done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def _buildah() -> None:
    """What is needed, or why nothing is built."""
    if os.geteuid() != 0:
        pytest.skip("images are built as root: buildah's chroot and debootstrap need it")
    for program in ("buildah", *(() if BASE else ("debootstrap",))):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: `apt-get install {program}` (`make images` does it on Debian)")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The base of all images: a small Debian with Python, made once on this machine."""
    if BASE:
        return BASE
    if subprocess.run(["buildah", "inspect", OWN_BASE], capture_output=True, check=False).returncode != 0:
        root = tmp_path_factory.mktemp("base") / "root"
        run("debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, root)
        for folder in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(root / folder)
        container = run("buildah", "from", "scratch")
        run("buildah", "add", "--quiet", container, root, "/")
        run("buildah", "commit", "--quiet", "--rm", container, OWN_BASE)
        shutil.rmtree(root)
    return OWN_BASE


def pip_settings(folder: Path) -> list[str]:
    """The options that let pip in a build reach what pip reaches here, without a trace of it in the image's own files."""
    settings: dict[str, str] = {}
    for line in run("python3", "-m", "pip", "config", "list").splitlines():
        if setting := re.fullmatch(r"(?::env:|\w+)\.([\w-]+)='(.*)'", line):
            settings.setdefault(setting[1], setting[2])
    lines = "".join(f"{name} = {value}\n" for name, value in settings.items())
    (folder / "pip.conf").write_text(f"[global]\n{lines}", encoding="utf-8")
    # An index on this machine's disk, `simple`, has its files beside it.
    found = {path.removesuffix("/simple") for path in re.findall(r"(?<![\w/])(?:file://)?(/[\w./+-]+)", lines)}
    named = {path for path in found if Path(path).exists()}
    mounts = [f"{folder / 'pip.conf'}:/etc/pip.conf:ro", *(f"{path}:{path}:ro" for path in sorted(named))]
    return [word for mount in mounts for word in ("--volume", mount)]


@dataclass(frozen=True)
class Image:
    """A built image, and a container made of it whose root we can look into."""

    name: str
    container: str
    root: Path
    config: dict[str, Any]
    megabytes: float  # MiB above the base
    base_megabytes: float


def mebibytes(root: Path) -> float:
    return int(run("du", "--summarize", "--bytes", "--one-file-system", root).split()[0]) / 2**20


@pytest.fixture(scope="module")
def images(compose: dict[str, Any], base: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Image]]:
    """Every image that the compose file builds, by its name there."""
    pip = pip_settings(tmp_path_factory.mktemp("pip"))
    builds = {compose["services"][name]["image"]: compose["services"][name]["build"] for name in OURS}
    with ExitStack() as stack:

        def opened(name: str) -> tuple[str, Path]:
            container = run("buildah", "from", name)
            stack.callback(run, "buildah", "rm", container)
            return container, Path(run("buildah", "mount", container))

        below = mebibytes(opened(base)[1])
        built = {}
        for name, how in builds.items():
            arguments = {**how.get("args", {}), "BASE": base}
            words = [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
            began = time.monotonic()
            options = ["--quiet", "--layers", "--isolation", "chroot", "--network", "host", *pip, *words]
            run("buildah", "build", *options, "--file", how["dockerfile"], "--tag", f"localhost/{name}", how["context"])
            container, root = opened(f"localhost/{name}")
            config = json.loads(run("buildah", "inspect", f"localhost/{name}"))["OCIv1"]["config"]
            built[name] = Image(name, container, root, config, mebibytes(root) - below, below)
            took = f"built in {time.monotonic() - began:.0f} s"
            print(f"\n{name}: {built[name].megabytes:.0f} MiB above a base of {below:.0f} MiB, {took}")
        yield built


def image_of(service: str, compose: dict[str, Any], images: dict[str, Image]) -> Image:
    return images[compose["services"][service]["image"]]


class Container:
    """A service that runs in its image as the user of the image, with its own command and environment."""

    def __init__(
        self, image: Image, service: dict[str, Any], environment: dict[str, str], home: Path, log: Path, port: int
    ) -> None:
        self.log = log
        self._check = [part.replace("8080", str(port)) for part in service["healthcheck"]["test"][1:]]
        options = ["--isolation", "chroot", "--user", image.config["User"], "--volume", f"{home}:/var/lib/beto"]
        variables = [word for name, value in environment.items() for word in ("--env", f"{name}={value}")]
        self._inside = ["buildah", "run", *options, *variables, image.container, "--"]
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [*self._inside, *image.config["Entrypoint"], *service["command"]],
                stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def is_healthy(self) -> bool:
        """What Docker would ask, from inside."""
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
        return subprocess.run([*self._inside, *self._check], capture_output=True, check=False, timeout=60).returncode == 0

    def ours(self) -> list[int]:
        """The processes of the image's user in it."""
        found = []
        for pid in family(self.process.pid):
            status = Path(f"/proc/{pid}/status")
            if status.exists() and f"\nUid:\t{UID}\t" in status.read_text(encoding="utf-8"):
                found.append(pid)
        return found

    def end(self) -> None:
        for pid in self.ours():
            os.kill(pid, signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            for pid in [*self.ours(), self.process.pid]:
                os.kill(pid, signal.SIGKILL)
            self.process.wait(10)


@dataclass(frozen=True)
class Stack:
    """Every service of ours, and the Slack that they talk to."""

    slack: SimulatorThread
    containers: dict[str, Container]
    home: Path


@pytest.fixture(scope="module")
def services(
    compose: dict[str, Any],
    images: dict[str, Image],
    postgres_server: str,
    redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """All of them run from their images; the trainer makes the first version, as on a new installation."""
    folder = tmp_path_factory.mktemp("services")
    home = folder / "home"  # the volume that they share
    home.mkdir()
    os.chown(home, UID, UID)
    for above in (*home.parents, home):  # pytest's folders are for root alone; a mount inside is looked up by the user
        if above.stat().st_mode & 0o001 == 0 and str(above).startswith(str(tmp_path_factory.getbasetemp().parent)):
            above.chmod(above.stat().st_mode | 0o011)
    database = new_database(postgres_server, "images")
    slack = SimulatorThread(rate_limits=False)
    with ExitStack() as stack:
        stack.callback(slack.stop)
        containers = {}
        for name in OURS:
            service, port = compose["services"][name], free_port()
            environment = dict(slack.environment) | {key: str(value) for key, value in service["environment"].items()}
            environment |= {
                "BETO_DATABASE_URL": database,
                "BETO_REDIS_URL": redis_url,
                "BETO_HEALTH_PORT": str(port),
                "BETO_BASE": "mini",
                "BETO_BLIND_PERCENT": "0",
                "BETO_ENV_FILE": "",
            }
            image, log = image_of(name, compose, images), folder / f"{name}.log"
            containers[name] = Container(image, service, environment, home, log, port)
            stack.callback(containers[name].end)
        yield Stack(slack, containers, home)


@pytest.mark.parametrize("service", OURS)
def test_an_image_holds_what_its_service_needs_and_no_more(
    compose: dict[str, Any], images: dict[str, Image], service: str
) -> None:
    """Each megabyte is pulled by every machine, and each package is one more to keep up to date."""
    image = image_of(service, compose, images)
    packages = {path.name for path in image.root.glob("opt/venv/lib/python3*/site-packages/*")}
    assert {"bot", "worker", "model"} <= packages
    assert "pip" not in packages
    assert ("torch" in packages) is (service == "trainer")
    assert ("onnxruntime" in packages) is (service in {"worker", "trainer"})
    assert not list(image.root.glob("opt/venv/lib/python3*/site-packages/bot/simulator"))
    assert not (image.root / "src").exists()
    assert image.config["User"] == "beto"
    if limit := LARGEST.get(image.name.partition(":")[0].removeprefix("beto-")):
        assert image.megabytes < limit


def test_every_service_becomes_healthy_as_the_unprivileged_user(services: Stack) -> None:
    """By the health check that Docker would ask; the trainer makes the first version before the worker can serve."""
    for name in ("trainer", "bot", "replies", "worker"):
        container = services.containers[name]
        wait_until(container.is_healthy, 1200, f"{name} is healthy, see {container.log}")
        assert container.ours(), f"{name} runs as another user than the image's"
    assert {path.stat().st_uid for path in services.home.rglob("*")} == {UID}


async def test_a_message_gets_its_labels(services: Stack) -> None:
    """From Slack's socket through bot, worker and replies and back, all of them in images."""
    bot = services.slack.simulator.workspace.bot_user_id
    async with Person(services.slack.url, "ana") as ana:
        await ana.invite(CHANNEL, bot)
        began = time.monotonic()
        said = await ana.message(CHANNEL, "@beto el cajero se tragó mi tarjeta de débito y no me dio la plata")
        reply = await ana.wait_for_reply(CHANNEL, said, 60)
    print(f"\nanswered after {time.monotonic() - began:.2f} s: {reply['text']}")
    assert reply["thread_ts"] == said
    assert "%" in str(reply["blocks"])
