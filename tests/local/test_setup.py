"""`beto setup`: asks for the tokens, tries each at once, shows none, and writes them where nobody else reads them."""

import os
import pty
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import StartRefused
from bot.local import env_file
from bot.local.ports import free_port
from bot.local.setup import run
from bot.simulator.pytest_plugin import SimulatorThread
from bot.simulator.server import MANIFEST, Simulator, read_manifest
from tests.terminal import BETO, beto, environment

HTTP = "https://beto.example.com/slack/events"
SECRETS = (Simulator.bot_token, Simulator.app_token, Simulator.signing_secret)


@pytest.fixture(scope="module")
def slack() -> Iterator[SimulatorThread]:
    thread = SimulatorThread(rate_limits=False)
    yield thread
    thread.stop()


def setup(folder: Path, slack_api_url: str, *, http: str = "", language: str = "", **given: str) -> None:
    """What the command does without a terminal, in a folder of its own: everything that it needs is given."""
    run({"SLACK_API_URL": slack_api_url, **given}, http=http, language=language, file=folder / ".env", asks=False)


class Terminal:
    """The command with somebody at a real terminal."""

    def __init__(self, folder: Path, *arguments: str, **more: str) -> None:
        self.text = ""
        self._pid, self._handle = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execve(sys.executable, [*BETO, "setup", *arguments], environment(folder / "home", **more))

    def wait_for(self, words: str, timeout_s: float = 60.0) -> None:
        """It has written these words since the last time."""
        deadline = time.monotonic() + timeout_s
        while words not in self.text:
            assert time.monotonic() < deadline, self.text
            try:
                self.text += os.read(self._handle, 65536).decode(errors="replace")
            except OSError:  # it has ended
                assert words in self.text, self.text
        self.text = self.text.partition(words)[2]

    def paste(self, line: str) -> None:
        """Somebody pastes this, and presses Enter."""
        os.write(self._handle, f"{line}\n".encode())

    def ended(self) -> int:
        """Its exit status, once it has ended and all that it wrote is read."""
        try:
            while written := os.read(self._handle, 65536):
                self.text += written.decode(errors="replace")
        except OSError:  # as a terminal says that there is nobody at its other end
            pass
        os.close(self._handle)
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])


def test_somebody_pastes_wrong_things_is_told_what_they_are_and_ends_with_a_bot(tmp_path: Path, slack: SimulatorThread) -> None:
    """Two fields, two tokens, and everybody mixes them up once; nothing of it may stand on the screen, where others look."""
    terminal = Terminal(tmp_path, SLACK_API_URL=slack.environment["SLACK_API_URL"])
    shown = ""
    for wait, line in (
        ("https://api.slack.com/apps?new_app=1&manifest_json=", None),
        ("Token del bot: ", Simulator.app_token),
        ("Eso es un token de app (xapp-), y aquí va un token de bot (xoxb-).", None),
        ("Token del bot: ", "xoxp-1-abc"),
        ("Eso es un token de usuario", None),
        ("Token del bot: ", "hola"),
        ("Eso no es un token de bot (xoxb-). Cópialo entero otra vez.", None),
        ("Token del bot: ", "xoxb-of-another-app"),
        ("Slack no lo acepta (invalid_auth)", None),
        ("Token del bot: ", f" '{Simulator.bot_token}' "),  # as it is copied out of somebody's notes
        ("✓ beto en Cooperativa Sol Andino", None),
        ("Token de app: ", Simulator.bot_token),
        ("Eso es un token de bot (xoxb-), y aquí va un token de app (xapp-).", None),
        ("Token de app: ", "xapp-1-A0OTHER-1-abc"),
        ("Ese token es de otra app que el del bot", None),
        ("Token de app: ", Simulator.app_token),
        ("✓ Slack abre la conexión.", None),
        ("@beto hola", None),
    ):
        terminal.wait_for(wait)
        shown += terminal.text
        if line is not None:
            terminal.paste(line)
    assert terminal.ended() == 0
    assert not [secret for secret in SECRETS if secret in shown]
    written = (tmp_path / ".env").read_text(encoding="utf-8")
    assert written == f"SLACK_BOT_TOKEN={Simulator.bot_token}\nSLACK_APP_TOKEN={Simulator.app_token}\n"
    # Once more: Enter keeps what is there, and it is tried again all the same.
    again = Terminal(tmp_path, "--language", "en", SLACK_API_URL=slack.environment["SLACK_API_URL"])
    for wait in ("keep the one that is there: ", "keep the one that is there: "):
        again.wait_for(wait)
        again.paste("")
    again.wait_for("Written into")
    assert again.ended() == 0
    assert (tmp_path / ".env").read_text(encoding="utf-8") == f"{written}BETO_LANGUAGE=en\n"


def test_without_a_terminal_everything_is_given_and_what_is_not_is_named(tmp_path: Path, slack: SimulatorThread) -> None:
    """A machine that is set up by a program: one sentence on what is missing and where it is found, and nothing half written."""
    url = slack.environment["SLACK_API_URL"]
    with pytest.raises(StartRefused, match=r"falta SLACK_APP_TOKEN\. Token de app \(empieza por xapp-\)"):
        setup(tmp_path, url, SLACK_BOT_TOKEN=Simulator.bot_token)
    with pytest.raises(StartRefused) as wrong:
        setup(tmp_path, url, SLACK_BOT_TOKEN=Simulator.bot_token, SLACK_APP_TOKEN=Simulator.bot_token)
    assert str(wrong.value) == "SLACK_APP_TOKEN: Eso es un token de bot (xoxb-), y aquí va un token de app (xapp-)."
    assert not (tmp_path / ".env").exists()
    variables = {"SLACK_API_URL": url, "SLACK_BOT_TOKEN": Simulator.bot_token}
    done = beto("setup", "--app-token", Simulator.app_token, home=tmp_path / "home", **variables)
    assert done.status == 0, done.err
    assert "@beto hola" in done.out
    assert (tmp_path / ".env").exists()


def test_for_http_there_is_a_signing_secret_and_the_address(
    tmp_path: Path, slack: SimulatorThread, capsys: pytest.CaptureFixture[str]
) -> None:
    """Slack calls an address, and signs; an app-level token is of no use then."""
    url, bot_token = slack.environment["SLACK_API_URL"], Simulator.bot_token
    with pytest.raises(StartRefused, match="https://TU-SERVIDOR/slack/events"):
        setup(tmp_path, url, http="beto.example.com", SLACK_BOT_TOKEN=bot_token)
    with pytest.raises(StartRefused, match="SLACK_SIGNING_SECRET: Eso no es un Signing Secret"):
        setup(tmp_path, url, http=HTTP, SLACK_BOT_TOKEN=bot_token, SLACK_SIGNING_SECRET="geheim")
    secret = Simulator.signing_secret
    setup(tmp_path, url, http=HTTP, language="en", SLACK_BOT_TOKEN=bot_token, SLACK_SIGNING_SECRET=secret)
    assert "beto up --http" in capsys.readouterr().out
    assert (tmp_path / ".env").read_text(encoding="utf-8").splitlines() == [
        f"SLACK_BOT_TOKEN={bot_token}",
        f"SLACK_SIGNING_SECRET={secret}",
        f"BETO_PUBLIC_URL={HTTP}",
        "BETO_LANGUAGE=en",
    ]


def test_an_app_that_lacks_scopes_and_a_slack_that_is_away_are_told(tmp_path: Path) -> None:
    """The token is right, and the bot would fail at the first message; or the machine reaches no Slack at all."""
    manifest = read_manifest(MANIFEST)
    scopes = manifest["oauth_config"]["scopes"]
    scopes["bot"] = [scope for scope in scopes["bot"] if scope not in {"chat:write", "files:write"}]
    poor = SimulatorThread(manifest=manifest)
    try:
        with pytest.raises(StartRefused, match="A la app le faltan permisos: chat:write\\."):
            setup(tmp_path, poor.environment["SLACK_API_URL"], SLACK_BOT_TOKEN=Simulator.bot_token)
    finally:
        poor.stop()
    with pytest.raises(StartRefused, match=r"No llego a Slack \(http://127\.0\.0\.1:"):
        setup(tmp_path, f"http://127.0.0.1:{free_port()}/api/", SLACK_BOT_TOKEN=Simulator.bot_token)


def test_the_file_keeps_its_other_lines_and_is_its_owners_alone(tmp_path: Path) -> None:
    """Somebody has written settings into it for a year, and the file was readable for all."""
    file = tmp_path / ".env"
    file.write_text(
        "# ours\nBETO_BASE=e5\n export SLACK_BOT_TOKEN=old\nSLACK_BOT_TOKEN=older\n\nBETO_JUDGES=U1", encoding="utf-8"
    )
    file.chmod(0o644)
    linked = tmp_path / "linked"
    linked.symlink_to(file)
    env_file.write(linked, {"SLACK_BOT_TOKEN": "new", "SLACK_APP_TOKEN": "app"})
    expected = "# ours\nBETO_BASE=e5\nSLACK_BOT_TOKEN=new\n\nBETO_JUDGES=U1\nSLACK_APP_TOKEN=app\n"
    assert file.read_text(encoding="utf-8") == expected
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert linked.is_symlink()
    assert sorted(each.name for each in tmp_path.iterdir()) == [".env", "linked"]


def test_a_file_that_cannot_be_written_stays_as_it_was(tmp_path: Path) -> None:
    """A full disk must not cost anybody their tokens."""
    file = tmp_path / ".env"
    file.write_text("SLACK_BOT_TOKEN=old\n", encoding="utf-8")
    with pytest.raises(UnicodeEncodeError):
        env_file.write(file, {"SLACK_BOT_TOKEN": "\udc80"})
    assert file.read_text(encoding="utf-8") == "SLACK_BOT_TOKEN=old\n"
    assert [each.name for each in tmp_path.iterdir()] == [".env"]
