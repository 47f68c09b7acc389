"""`beto simulator` by itself, and the fixture for other people's tests: as its documentation says."""

import asyncio
import hashlib
import hmac
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest

from bot.simulator.person import Person
from bot.simulator.server import Simulator
from tests.simulated import listening

README = Path(__file__).parents[2] / "bot" / "simulator" / "README.md"
SOMEBODYS = {
    "display_information": {"name": "Eco"},
    "oauth_config": {"scopes": {"bot": ["channels:history", "channels:read"]}},
    "settings": {"event_subscriptions": {"bot_events": ["message.channels"]}},
}


async def test_an_app_on_http_needs_nothing_but_what_is_printed(tmp_path: Path) -> None:
    """Another language, another manifest, no file of ours: address, tokens and secret are all that it gets."""
    manifest = tmp_path / "eco.json"
    manifest.write_text(json.dumps(SOMEBODYS), encoding="utf-8")
    async with listening() as (url, heard):
        options = ["--port", "0", "--events", url, "--manifest", str(manifest)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "simulator", *options, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        try:
            told: dict[str, str] = {}
            while "SLACK_SIGNING_SECRET" not in told:
                line = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
                assert line, "the simulator has ended"
                name, is_setting, value = line.strip().partition("=")
                told |= {name: value} if is_setting else {}
            async with Person(told["SLACK_API_URL"].removesuffix("/api/"), "ana") as ana:
                await ana.invite("general", "Eco")
                await ana.message("general", "hola")
            body, headers = b"", {}
            while b'"text": "hola"' not in body:
                body, headers = await asyncio.wait_for(heard.get(), 30)
            base = b"v0:" + headers["X-Slack-Request-Timestamp"].encode() + b":" + body
            signature = hmac.new(told["SLACK_SIGNING_SECRET"].encode(), base, hashlib.sha256).hexdigest()
            assert headers["X-Slack-Signature"] == f"v0={signature}"
            bearer = {"Authorization": f"Bearer {told['SLACK_BOT_TOKEN']}"}
            async with (
                aiohttp.ClientSession() as session,
                session.post(f"{told['SLACK_API_URL']}chat.postMessage", headers=bearer) as response,
            ):
                assert (await response.json())["error"] == "missing_scope"
        finally:
            process.terminate()
            await process.communicate()


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"display_information": {}}'])
def test_a_manifest_that_is_none_is_refused_in_words(tmp_path: Path, content: str) -> None:
    """YAML, or the wrong file: one line that says so, and no traceback."""
    manifest = tmp_path / "manifest.json"
    manifest.write_text(content, encoding="utf-8")
    command = [sys.executable, "-m", "bot", "simulator", "--port", "0", "--manifest", str(manifest)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "is no app manifest in JSON" in done.stderr


def test_the_documented_fixture_works(tmp_path: Path) -> None:
    """The example of the documentation, run as it stands there, by a pytest of its own."""
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    options = """
import pytest

@pytest.fixture
def slack_options():
    return {"clock_scale": 0.5}

def test_options_are_taken(slack):
    assert slack.simulator.clock.scale == 0.5
"""
    (tmp_path / "test_example.py").write_text(example, encoding="utf-8")
    (tmp_path / "test_options.py").write_text('pytest_plugins = ["bot.simulator.pytest_plugin"]\n' + options, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:asyncio", "--rootdir", str(tmp_path), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, cwd=README.parents[2])
    assert "2 passed" in done.stdout, done.stdout + done.stderr


def test_every_verb_of_the_control_is_documented() -> None:
    """With its arguments: a test in another language has nothing else."""
    simulator = Simulator()
    control = simulator._control
    documented = dict(re.findall(r"^\| (\w+) \| ([\w, ]*) ?\| ", README.read_text(encoding="utf-8"), re.MULTILINE))
    for name, verb in control.verbs.items():
        arguments = ", ".join(inspect.signature(verb).parameters)
        assert documented.get(name, "missing").strip() == arguments, name


def test_the_simulator_loads_nothing_of_the_bot() -> None:
    """Whoever tests another app with it must not need our settings, our store or our libraries."""
    code = "import sys, bot.simulator.server, bot.simulator.pytest_plugin; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    ours = ("bot.", "worker", "model", "celery", "redis", "slack_bolt", "slack_sdk", "sqlalchemy")
    assert [name for name in loaded if name.startswith(ours) and not name.startswith("bot.simulator")] == []
