"""docker-compose.yml and the two images, as far as they can be proved without a Docker engine.

Each of our services' own command runs with its own environment, until its own health check passes.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.local.environment import bare_environment
from bot.local.ports import free_port
from bot.local.running import read_health
from bot.simulator.pytest_plugin import SimulatorThread
from model.store.store import Store
from tests.terminal import beto
from tests.town import publish_version, wait_until

ROOT = Path(__file__).parent.parent
OURS = {"bot": "bot/Dockerfile", "replies": "bot/Dockerfile", "worker": "worker/Dockerfile", "trainer": "worker/Dockerfile"}
PASSWORD = "solo-para-esta-prueba"
# What only the worker's image has.
MODEL_PACKAGES = ("torch", "numpy", "transformers", "sklearn", "safetensors", "onnx", "onnxruntime", "scipy", "tokenizers")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))


def copied(name: str) -> set[str]:
    """What its Dockerfile copies from the repository."""
    lines = [line.split() for line in dockerfile(name) if line.startswith("COPY ") and "--from=" not in line]
    return {source for words in lines for source in words[1:-1]}


def dockerfile(name: str) -> list[str]:
    """Its instructions, one a line."""
    text = (ROOT / OURS[name]).read_text(encoding="utf-8").replace("\\\n", " ")
    return [re.sub(r"\s+", " ", line).strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


# The file


def test_all_services_are_there(compose: dict[str, Any]) -> None:
    """The same processes as on one machine, with Redis and PostgreSQL as services."""
    services = compose["services"]
    assert {name for name, each in services.items() if "profiles" not in each} == {"redis", "postgres", *OURS}
    assert services["prometheus"]["profiles"] == ["observe"]  # for those who want it


def test_what_watches_reads_the_files_of_this_repository_and_is_reached_from_this_machine_alone(compose: dict[str, Any]) -> None:
    """It has no password."""
    service = compose["services"]["prometheus"]
    assert service["ports"] == ["127.0.0.1:9090:9090"]
    sources = [each.partition(":")[0] for each in service["volumes"] if each.startswith("./")]
    assert sources
    assert all((ROOT / each).is_file() for each in sources)
    settings = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text(encoding="utf-8"))
    (job,) = settings["scrape_configs"]
    (found,) = job["dns_sd_configs"]
    assert set(found["names"]) == set(OURS)
    assert {compose["services"][name]["environment"]["BETO_HEALTH_PORT"] for name in OURS} == {found["port"]}


def test_every_image_is_pinned(compose: dict[str, Any]) -> None:
    """What was tested is what runs, also next year."""
    images = {name: service["image"] for name, service in compose["services"].items()}
    images |= {f"{name}, from": re.sub("^ARG BASE=", "", dockerfile(name)[0]) for name in OURS}
    for name, image in images.items():
        tag = image.rpartition("/")[2].partition(":")[2]
        assert re.match(r"v?\d+\.\d+", tag), f"{name}: {image}"
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    for name in OURS:
        assert images[name].endswith(f":{version}")


@pytest.mark.parametrize("name", OURS)
def test_ours_run_without_root_and_without_rights(compose: dict[str, Any], name: str) -> None:
    """A hole in a tokenizer must not be a hole in the machine."""
    service = compose["services"][name]
    assert {key: service["build"][key] for key in ("context", "dockerfile")} == {"context": ".", "dockerfile": OURS[name]}
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "user" not in service
    assert not {"privileged", "ports", "network_mode"} & set(service)
    instructions = dockerfile(name)
    users = [line for line in instructions if line.startswith("USER ")]
    assert users == ["USER beto"]
    after = instructions[instructions.index("USER beto") :]
    assert not [line for line in after if line.startswith(("RUN", "COPY", "ADD"))]


def test_nothing_but_us_can_reach_redis_and_the_database(compose: dict[str, Any]) -> None:
    """Neither has to be reached from outside; Redis has no password."""
    for name in ("redis", "postgres"):
        assert "ports" not in compose["services"][name]


def test_every_service_has_a_health_check_and_comes_back(compose: dict[str, Any]) -> None:
    """What nobody checks is down for hours."""
    for name, service in compose["services"].items():
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert service["restart"] == "unless-stopped", name


def test_what_must_last_is_on_volumes(compose: dict[str, Any]) -> None:
    """An update replaces the containers, not the messages and the versions."""
    assert set(compose["volumes"]) == {"home", "database", "metrics"}
    assert compose["services"]["postgres"]["volumes"] == ["database:/var/lib/postgresql/data"]
    for name in OURS:
        service = compose["services"][name]
        assert service["volumes"] == [f"home:{service['environment']['BETO_HOME']}"]
        assert f"--home-dir {service['environment']['BETO_HOME']}" in " ".join(dockerfile(name))


def test_what_a_worker_holds_is_chosen_by_the_compose_file(compose: dict[str, Any]) -> None:
    """On a CPU torch is a gigabyte for nothing; the trainer has it."""
    arguments = {name: compose["services"][name]["build"].get("args", {}) for name in OURS}
    assert arguments["worker"]["EXTRA"] == "serve"
    assert "EXTRA" not in arguments["trainer"]
    assert "ARG EXTRA=model" in dockerfile("trainer")
    assert f"ARG BASE={arguments['worker']['BASE']}" == dockerfile("bot")[0]


def test_compose_itself_takes_the_file(tmp_path: Path) -> None:
    """Whatever YAML allows, Compose has its own mind about what may stand where."""
    commands = (["docker", "compose"], ["docker-compose"])
    clients = [each for each in commands if shutil.which(each[0]) and _succeeds([*each, "version"])]
    if not clients:
        pytest.skip("no client of Docker Compose is installed")
    shutil.copyfile(ROOT / "docker-compose.yml", tmp_path / "docker-compose.yml")
    (tmp_path / ".env").write_text(f"POSTGRES_PASSWORD={PASSWORD}\n", encoding="utf-8")
    for client in clients:
        command = [*client, "--project-directory", str(tmp_path), "config", "--quiet"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), client


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


def test_every_image_is_named_once() -> None:
    """A version that is raised in one place and not in another runs half of the new code."""
    named = re.findall(r"^ *image: (\S+)$", (ROOT / "docker-compose.yml").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(named) == len(set(named)) == 6


def test_every_service_has_limits_and_none_fills_the_disk_with_its_log(compose: dict[str, Any]) -> None:
    """One that leaks must not take the database down with it."""
    for name, service in compose["services"].items():
        assert {"cpus", "memory", "pids"} <= set(service["deploy"]["resources"]["limits"]), name
        assert "max-size" in service["logging"]["options"], name


@pytest.mark.parametrize("name", OURS)
def test_ours_wait_until_redis_and_the_database_are_healthy(compose: dict[str, Any], name: str) -> None:
    """Else the first start is a row of restarts."""
    needs = compose["services"][name]["depends_on"]
    assert needs == {each: {"condition": "service_healthy"} for each in ("redis", "postgres")}


def test_the_bots_image_has_no_torch() -> None:
    """A tenth of the size, and nothing to break into."""
    installs = [line for line in dockerfile("bot") if "pip install" in line]
    assert len(installs) == 1
    assert '-c constraints.txt ".${EXTRA:+[${EXTRA}]}" ' in installs[0]
    assert "ARG EXTRA=" in dockerfile("bot")  # nothing, where nobody asks for more
    assert "torch" not in " ".join(dockerfile("bot"))
    assert any('-c constraints.txt ".[${EXTRA}]" ' in line for line in dockerfile("worker"))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    required = {re.split(r"[\[<>=; ]", each)[0] for each in project["dependencies"]}
    assert not required & {*MODEL_PACKAGES, "scikit-learn"}


@pytest.mark.parametrize("name", OURS)
def test_what_an_image_copies_is_there_and_its_entry_point_is_our_command(name: str) -> None:
    """The service's `command` follows it."""
    instructions = dockerfile(name)
    assert 'ENTRYPOINT ["beto"]' in instructions
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert scripts == {"beto": "bot.cli:main"}
    for source in copied(name):
        assert (ROOT / source).exists(), source


def test_neither_tests_nor_simulator_are_in_an_image() -> None:
    """What serves a real workspace holds nothing that plays one."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    sources = set().union(*map(copied, OURS))
    assert rules[0] == "*"
    assert {rule.removeprefix("!") for rule in rules if rule.startswith("!")} == sources
    assert "tests" not in sources
    assert rules.index("bot/simulator") > rules.index("!bot")


@pytest.mark.parametrize("name", ["worker", "trainer"])
def test_where_the_network_runs_there_are_no_keys_to_the_workspace(compose: dict[str, Any], name: str) -> None:
    """The processes that load files and run what is in them have no need of the tokens that stand in .env."""
    for variable in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"):
        assert compose["services"][name]["environment"][variable] == ""


# The services


class Running:
    """A service's own command, with its own environment, on this machine."""

    def __init__(self, process: "subprocess.Popen[bytes]", check: list[str], port: int, log: Path) -> None:
        self.process = process
        self.check = check
        self.port = port
        self.log = log

    def is_healthy(self) -> bool:
        """What Docker would ask."""
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")
        return subprocess.run(self.check, capture_output=True, check=False, timeout=30).returncode == 0


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages as an image has them."""
    folder = tmp_path_factory.mktemp("image")
    for package in ("bot", "worker", "model"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("simulator", "__pycache__"))
    return folder


@pytest.fixture(scope="module")
def services(
    compose: dict[str, Any],
    image: Path,
    tmp_path_factory: pytest.TempPathFactory,
    trained_version: Path,
    postgres_server: str,
    redis_url: str,
) -> Iterator[dict[str, Running]]:
    """Every service of ours runs, from what its image has; bot and replies without the packages that theirs lacks."""
    import psycopg

    folder = tmp_path_factory.mktemp("compose")
    with psycopg.connect(f"{postgres_server}/postgres", autocommit=True) as connection:
        connection.execute("create database compose")
    store = Store(f"{postgres_server}/compose".replace("postgresql://", "postgresql+psycopg://"), folder)
    store.migrate()
    publish_version(store, trained_version)
    store.close()
    lacking = folder / "lacking"
    lacking.mkdir()
    for package in MODEL_PACKAGES:
        (lacking / f"{package}.py").write_text(f"raise ImportError('{package} is not in this image')\n", encoding="ascii")
    slack = SimulatorThread(rate_limits=False)
    tokens = "".join(f"{name}={value}\n" for name, value in slack.environment.items())
    with ExitStack() as stack:
        stack.callback(slack.stop)
        running: dict[str, Running] = {}
        for name, built_from in OURS.items():
            service = compose["services"][name]
            port = free_port()
            # As Compose does it: env_file first, `environment` over it, ${...} from the file too.
            assert service["env_file"] == ".env"
            read = dict(line.split("=", 1) for line in tokens.splitlines())
            environment = read | {key: str(value) for key, value in service["environment"].items()}
            environment = {
                key: re.sub(r"\$\{POSTGRES_PASSWORD:\?[^}]*\}", PASSWORD, value)
                .replace(f"postgresql://beto:{PASSWORD}@postgres:5432/beto", f"{postgres_server}/compose")
                .replace("redis://redis:6379/0", redis_url)
                .replace("/var/lib/beto", str(folder))
                .replace("8080", str(port))
                for key, value in environment.items()
            }
            assert "postgres:5432" not in environment["BETO_DATABASE_URL"]
            paths = [image, lacking] if built_from == "bot/Dockerfile" else [image]
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, [*map(str, paths), os.environ.get("PYTHONPATH")]))
            bare = bare_environment()
            log = folder / f"{name}.log"
            with log.open("wb") as file:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "bot", *service["command"]],
                    env=bare | environment,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                )
            stack.callback(process.wait, 20)
            stack.callback(process.terminate)
            check = [part.replace("8080", str(port)) for part in service["healthcheck"]["test"][1:]]
            assert check[0] == "python3"
            running[name] = Running(process, [sys.executable, *check[1:]], port, log)
        yield running


@pytest.mark.parametrize("name", OURS)
def test_a_services_own_command_becomes_healthy_by_its_own_check(services: dict[str, Running], name: str) -> None:
    """Without an engine, this is the nearest to `docker compose up`."""
    service = services[name]
    wait_until(service.is_healthy, 90, f"{name} is healthy")
    health = read_health(service.port, "ready")
    assert health is not None
    assert health["name"] == name
    assert health["torch"] is False


@pytest.mark.parametrize("command", ["simulator", "demo"])
def test_what_needs_the_simulator_says_that_the_image_has_none(image: Path, tmp_path: Path, command: str) -> None:
    """Whoever types it into a container learns where it is, instead of a traceback."""
    said = beto(command, home=tmp_path / "home", PYTHONPATH=str(image)).refusal()
    assert said.startswith("the simulated Slack is not part of this image")


def test_the_check_fails_where_nobody_answers(compose: dict[str, Any]) -> None:
    """A check that always passes is none."""
    check = compose["services"]["bot"]["healthcheck"]["test"][1:]
    command = [sys.executable, *(part.replace("8080", str(free_port())) for part in check[1:])]
    assert subprocess.run(command, capture_output=True, check=False, timeout=30).returncode != 0


def test_the_checks_of_redis_and_postgresql_ask_them_themselves(compose: dict[str, Any]) -> None:
    """An open port is no answer yet."""
    checks = {name: json.dumps(compose["services"][name]["healthcheck"]["test"]) for name in ("redis", "postgres")}
    assert "redis-cli" in checks["redis"]
    assert "pg_isready" in checks["postgres"]
