"""A Prometheus of one's own: scraping the pages that are named, on a free loopback port, for as long as it is needed."""

import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from bot.local.ports import free_port
from tests.town import wait_until

# Where `.ci/system-packages` unpacks it.
UNPACKED = Path(__file__).parent / ".prometheus" / "usr" / "bin"


def program(name: str) -> str | None:
    """The path of `prometheus` or `promtool`; None where it is not installed."""
    return shutil.which(name) or shutil.which(name, path=str(UNPACKED))


class Prometheus:
    """One that runs, and what it knows."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, path: str, **query: str) -> Any:
        """What its API answers."""
        address = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=10) as answer:
            return json.load(answer)["data"]

    def is_ready(self) -> bool:
        """Whether it answers questions."""
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def value(self, expr: str) -> float | None:
        """The one value of this expression now; None where there is none."""
        found = self.ask("query", query=expr)["result"]
        assert len(found) <= 1, found
        return float(found[0]["value"][1]) if found else None

    def firing(self) -> set[tuple[str, str]]:
        """The alerts that are raised, each with what it is about."""
        alerts = [each["labels"] for each in self.ask("alerts")["alerts"] if each["state"] == "firing"]
        return {(each["alertname"], each.get("process") or each.get("queue") or "") for each in alerts}


@contextmanager
def running_prometheus(folder: Path, pages: Mapping[str, int], rules: Mapping[str, Any]) -> Iterator[Prometheus]:
    """It scrapes the health page on each port, by the instance's name, and looks at `rules`, every second."""
    binary = program("prometheus")
    assert binary is not None
    port = free_port()
    jobs = [{"targets": [f"127.0.0.1:{page}"], "labels": {"instance": name}} for name, page in pages.items()]
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "scrape_configs": [{"job_name": "beto", "static_configs": jobs}],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    (folder / "rules.yml").write_text(yaml.safe_dump(dict(rules)), encoding="utf-8")
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                binary,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
                # Debian's has its web page elsewhere, and does not start where it is missing.
                f"--web.console.templates={folder}",
                f"--web.console.libraries={folder}",
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
    try:
        made = Prometheus(port)
        wait_until(made.is_ready, 60, f"Prometheus is ready: {folder / 'prometheus.log'}")
        yield made
    finally:
        process.terminate()
        process.wait(20)
