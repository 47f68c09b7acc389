"""`beto doctor`: a line for each check, and for what fails what to do."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bot.local.ports import free_port
from bot.simulator.pytest_plugin import SimulatorThread
from model.settings import BASES_WITHOUT_HUB
from model.store.store import Store
from tests.terminal import Said, beto, started
from tests.town import Town, running_town

CHECKS = ["settings", "home", "database", "labels", "redis", "model", "device", "proxies", "tokens", "slack", "ids", "processes"]
HTTP_CHECKS = [*CHECKS[:-1], "http", "processes"]


def lines_of(said: Said, checks: list[str] = CHECKS) -> dict[str, tuple[str, str]]:
    """By check, ok or FAIL and what was said."""
    assert "Traceback" not in said.err
    found = re.findall(r"^  (ok|FAIL) +(\w+) +(.+)", said.out, re.MULTILINE)
    assert [name for _, name, _ in found] == checks
    return {name: (verdict, text) for verdict, name, text in found}


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, trained_version: Path) -> Iterator[Town]:
    home = tmp_path_factory.mktemp("doctor") / "home"
    home.mkdir()
    with running_town(home, f"sqlite:///{home / 'beto.db'}", trained_version, http=False) as made:
        made.machine.write_running()
        yield made


def test_with_everything_missing_each_line_says_what_to_do(tmp_path: Path) -> None:
    """Nobody calls the doctor when all is well: one matter that fails must not hide the others."""
    (tmp_path / "file").write_text("", encoding="ascii")
    said = beto(
        "doctor",
        home=tmp_path / "home",
        BETO_HOME=str(tmp_path / "file" / "home"),
        BETO_DATABASE_URL=f"postgresql://beto:geheim@127.0.0.1:{free_port()}/beto",
        BETO_REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
        HTTPS_PROXY="http://127.0.0.1:9",
    )
    assert said.status == 1
    lines = lines_of(said)
    for matter, way_out in {
        "home": "Set BETO_HOME",
        "database": "BETO_DATABASE_URL",
        "labels": "database must work first",
        "redis": "BETO_REDIS_URL",
        "model": "database must work first",
        "tokens": "SLACK_BOT_TOKEN is missing",
        "slack": "no bot token",
    }.items():
        verdict, text = lines[matter]
        assert verdict == "FAIL", matter
        assert way_out in text
    assert "SLACK_APP_TOKEN is missing" in lines["tokens"][1]
    assert "beto demo" in lines["tokens"][1]
    assert "HTTPS_PROXY set" in lines["proxies"][1]
    assert f"7 of {len(CHECKS)} checks failed" in said.out
    assert "geheim" not in said.out + said.err


@pytest.mark.parametrize(
    ("variable", "value", "matter"),
    [("BETO_REDIS_URL", "localhost", "redis"), ("BETO_DATABASE_URL", "beto.db", "database")],
)
def test_a_url_that_is_none_is_said_to_be_none(tmp_path: Path, variable: str, value: str, matter: str) -> None:
    """What people paste into a settings file."""
    verdict, text = lines_of(beto("doctor", home=tmp_path / "home", **{variable: value}))[matter]
    assert verdict == "FAIL"
    assert f"{variable} is no URL" in text


def test_a_labels_file_is_looked_at_before_it_is_taken(tmp_path: Path) -> None:
    """Whoever begins with labels of their own has the bot say nothing else than what is in them."""
    file = tmp_path / "labels.yaml"
    file.write_text("labels:\n  - redes\n  - title: Nómina\n", encoding="utf-8")
    verdict, text = lines_of(beto("doctor", home=tmp_path / "home", BETO_LABELS=str(file)))["labels"]
    assert verdict == "FAIL"
    assert "labels.yaml, line 3, label 2: has no name" in text
    file.write_text("labels: [redes, nomina]", encoding="utf-8")
    verdict, text = lines_of(beto("doctor", home=tmp_path / "home", BETO_LABELS=str(file), BETO_BASE="mini"))["labels"]
    assert verdict == "ok"
    assert text.startswith("2 labels of")
    assert "BETO_BASE=mini nothing can be known" in text


def test_a_token_that_slack_refuses_fails(tmp_path: Path, town: Town) -> None:
    """It looks like a token, and is another app's."""
    environment = town.environment | {"SLACK_BOT_TOKEN": "xoxb-of-another-app"}
    lines = lines_of(beto("doctor", home=tmp_path / "home", **environment))
    assert lines["tokens"][0] == "ok"
    assert lines["slack"][0] == "FAIL"
    assert "invalid_auth" in lines["slack"][1]
    assert "install the app" in lines["slack"][1]


def test_an_app_token_that_slack_refuses_fails(tmp_path: Path, town: Town) -> None:
    """Only opening a connection shows whether it is right: auth.test knows nothing of it."""
    environment = town.environment | {"SLACK_APP_TOKEN": "xapp-of-another-app"}
    lines = lines_of(beto("doctor", home=tmp_path / "home", **environment))
    assert lines["tokens"][0] == "ok"
    assert lines["slack"][0] == "FAIL"
    assert "refuses the app token (invalid_auth)" in lines["slack"][1]
    assert "connections:write" in lines["slack"][1]


@pytest.mark.parametrize("option", [[], ["--http"]])
def test_by_http_the_doctor_asks_for_a_signing_secret_and_no_app_token(tmp_path: Path, town: Town, option: list[str]) -> None:
    """An installation that Slack reaches by HTTP has no app token, and is well."""
    environment = town.environment | {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "geheim"}
    lines = lines_of(beto("doctor", *option, home=tmp_path / "home", **environment), HTTP_CHECKS)
    assert lines["tokens"] == ("ok", "a bot token and a signing secret are set, for HTTP")
    assert lines["slack"][0] == "ok"
    said = beto("doctor", "--http", home=tmp_path / "home", **(environment | {"SLACK_SIGNING_SECRET": ""}))
    lines = lines_of(said, HTTP_CHECKS)
    assert "SLACK_SIGNING_SECRET is missing" in lines["tokens"][1]
    assert lines["http"] == ("FAIL", "not tried: there is no signing secret.")


def test_a_slack_that_cannot_be_reached_fails(tmp_path: Path, town: Town) -> None:
    """A firewall is the operator's to open: say which address."""
    url = f"http://127.0.0.1:{free_port()}"
    environment = town.environment | {"SLACK_API_URL": f"{url}/api/"}
    verdict, text = lines_of(beto("doctor", home=tmp_path / "home", **environment))["slack"]
    assert verdict == "FAIL"
    assert f"cannot be reached at {url}/api/" in text


@pytest.mark.parametrize(("status", "kind"), [(200, "text/html"), (200, "text/plain"), (403, "text/html"), (502, "text/html")])
def test_a_proxys_page_is_told_from_slack(tmp_path: Path, town: Town, status: int, kind: str) -> None:
    """Who reads "refuses the bot token" copies it again, and again."""
    with answering(status, kind, "<html>Please log in</html>") as url:
        environment = town.environment | {"SLACK_API_URL": f"{url}/api/"}
        verdict, text = lines_of(beto("doctor", home=tmp_path / "home", **environment))["slack"]
    assert verdict == "FAIL"
    assert f"cannot be reached at {url}/api/: what answers there" in text
    assert "is not Slack, perhaps a proxy" in text


# Settings


def test_a_misspelt_variable_is_a_warning_with_the_likeliest_name(tmp_path: Path) -> None:
    """Who waits for BETO_RETRAIN_AFER to do something looks for the fault everywhere else."""
    (tmp_path / ".env").write_text("BETO_RETRAIN_AFER=10\n", encoding="utf-8")
    said = beto("doctor", home=tmp_path / "home", BETO_CONCURENCY="3")
    warned = re.findall(r"^  warn  settings   (.+)", said.out, re.MULTILINE)
    assert warned == [
        "BETO_CONCURENCY is no setting and changes nothing: is BETO_CONCURRENCY meant?",
        "BETO_RETRAIN_AFER is no setting and changes nothing: is BETO_RETRAIN_AFTER meant?",
    ]
    assert lines_of(said)["settings"] == ("ok", "all can be used")


def test_emoji_that_say_two_things_or_nothing_are_an_error(tmp_path: Path) -> None:
    """The bot would not start; what the setting itself shows is told with it, what only the labels show with the database.

    A label that is misspelt where it is preferred would quietly change nothing.
    """
    said = beto(
        "doctor",
        home=tmp_path,
        BETO_SIGNS="correct=✅",
        BETO_LABEL_EMOJI="tarjeta=mega,targeta=visa",
        BETO_PREFER_RECALL="fruade",
    )
    lines = lines_of(said)
    assert lines["settings"][0] == lines["database"][0] == "FAIL"
    assert "BETO_SIGNS: the emoji of entry 1 is not a name as Slack writes it" in lines["settings"][1]
    assert "no label is called 'targeta'" in lines["database"][1]
    assert "labels share an emoji (reclamo mega, tarjeta mega)" in lines["database"][1]
    assert "BETO_PREFER_RECALL names 'fruade', which is no label: is 'fraude' meant?" in lines["database"][1]


def test_names_instead_of_ids_are_an_error_and_hide_no_other_check(tmp_path: Path) -> None:
    """`BETO_JUDGES="ana, luis"` was ok, and nobody's word counted."""
    said = beto("doctor", home=tmp_path / "home", BETO_JUDGES="U0ANA, luis", BETO_RETRAIN_CHANNEL="#general")
    verdict, text = lines_of(said)["settings"]
    assert verdict == "FAIL"
    assert "BETO_JUDGES: 'luis' is no id" in text
    assert "Copy member ID" in text
    assert "BETO_RETRAIN_CHANNEL: '#general' is no channel's id" in text


def test_every_id_in_the_settings_is_looked_up_once(tmp_path: Path, town: Town) -> None:
    """It has the right form and is another workspace's, or of somebody who has left."""
    wrong = town.environment | {
        "BETO_JUDGES": "U0SIMUANA,S0TYPO,U0SIMUCARLOS",
        "BETO_EXPERTS": "S0TYPO,U0SIMUBETO",
        "BETO_TRAINERS": "U0NOBODY",
        "BETO_RETRAIN_CHANNEL": "C0SIMURECLAMOS",
    }
    verdict, text = lines_of(beto("doctor", home=tmp_path / "home", **wrong))["ids"]
    assert verdict == "FAIL"
    for finding in (
        "BETO_JUDGES names S0TYPO, a user group that does not exist",
        "BETO_JUDGES names U0SIMUCARLOS, a guest, who does not count",
        "BETO_EXPERTS names S0TYPO, a user group that does not exist",
        "BETO_EXPERTS names U0SIMUBETO, a bot",
        "BETO_TRAINERS names U0NOBODY, a person whom this workspace does not have",
        "BETO_RETRAIN_CHANNEL names C0SIMURECLAMOS, #reclamos, which the bot is not in: /invite @beto there",
    ):
        assert finding in text
    assert "U0SIMUANA" not in text
    right = town.environment | {"BETO_JUDGES": "U0SIMUANA,S0SIMUEXPERTOS", "BETO_TRAINERS": "U0SIMUANA"}
    lines = lines_of(beto("doctor", home=tmp_path / "home", **right))
    assert lines["ids"] == ("ok", "2 looked up, Slack knows all of them")
    away = right | {"SLACK_BOT_TOKEN": "xoxb-of-another-app"}
    assert lines_of(beto("doctor", home=tmp_path / "home", **away))["ids"] == (
        "FAIL", "not looked up: Slack must answer first.",
    )  # fmt: skip


# HTTP mode


def http(town: Town, **more: str) -> dict[str, str]:
    """The environment of an installation that Slack reaches by HTTP."""
    return town.environment | {"SLACK_APP_TOKEN": "", "SLACK_SIGNING_SECRET": "a-secret", **more}


def test_by_http_the_bot_is_asked_as_slack_asks_it(tmp_path: Path, town: Town) -> None:
    """A port, a path, a secret and a proxy have to fit together, and Slack says only that the address did not answer."""
    home, port = tmp_path / "home", free_port()
    url = f"http://127.0.0.1:{port}/slack/events"
    environment = http(town, BETO_HTTP_PORT=str(port), BETO_PUBLIC_URL=url)
    free = lines_of(beto("doctor", home=home, **environment), HTTP_CHECKS)["http"]
    assert free == ("ok", f"127.0.0.1:{port} is free, no bot runs there yet, so {url} was not tried")
    with started("bot", "--http", home=home, **environment) as bot:
        bot.wait_for("listening for Slack", 60)
        lines = lines_of(beto("doctor", home=home, **environment), HTTP_CHECKS)
        assert lines["http"] == ("ok", f"the bot answers on 127.0.0.1:{port}, and by {url}")
        other = environment | {"SLACK_SIGNING_SECRET": "another"}
        verdict, text = lines_of(beto("doctor", home=home, **other), HTTP_CHECKS)["http"]
        assert verdict == "FAIL"
        assert f"{url} answers 401: it takes another signing secret than SLACK_SIGNING_SECRET" in text
        with answering(200, "text/html", "<html>Please log in</html>") as proxy:
            public = environment | {"BETO_PUBLIC_URL": f"{proxy}/slack/events"}
            verdict, text = lines_of(beto("doctor", home=home, **public), HTTP_CHECKS)["http"]
        assert verdict == "FAIL"
        assert f"{proxy}/slack/events answers, but it is not the bot" in text


def test_by_http_a_port_that_somebody_else_has_is_told(tmp_path: Path, town: Town) -> None:
    """3000 is everybody's favourite port."""
    with answering(404, "text/html", "") as other:
        environment = http(town, BETO_HTTP_PORT=other.rsplit(":", 1)[1])
        verdict, text = lines_of(beto("doctor", home=tmp_path / "home", **environment), HTTP_CHECKS)["http"]
    assert verdict == "FAIL"
    assert "answers 404: what answers knows no such page: another program" in text


def test_by_http_with_slack_itself_the_secret_has_slacks_form(tmp_path: Path) -> None:
    """The client secret stands beside it on the same page."""
    environment = {
        "SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "not-hexadecimal", "HTTPS_PROXY": "http://127.0.0.1:9",
        "HF_ENDPOINT": "http://127.0.0.1:9",
    }  # fmt: skip
    verdict, text = lines_of(beto("doctor", "--http", home=tmp_path / "home", **environment), HTTP_CHECKS)["tokens"]
    assert verdict == "FAIL"
    assert "SLACK_SIGNING_SECRET does not look like one" in text


@contextmanager
def answering(status: int, kind: str, body: str) -> Iterator[str]:
    """The URL of a server that says this to everything."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = answer

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


# The first version


def test_a_failed_first_training_fails_until_its_reason_is_gone(tmp_path: Path) -> None:
    """ "The trainer makes the first from ..." and "Everything works." was told for hours after it had failed."""
    home = tmp_path / "home"
    home.mkdir()
    store = Store(f"sqlite:///{home / 'beto.db'}", home)
    store.migrate()
    for failure, error in (("base", "no hub"), ("other", "OSError: [Errno 28] No space left on device")):
        run_id, _ = store.runs.open("beto")
        store.runs.start(run_id, "somebody")
        store.runs.close(run_id, "somebody", "failed", error=error, failure=failure)
        verdict, text = lines_of(beto("doctor", home=home, BETO_BASE="mini"))["model"]
        if failure == "base":
            assert (verdict, text) == (
                "ok",
                "no version yet: the trainer makes the first from mini, which can be had now; start it again",
            )
        else:
            assert verdict == "FAIL"
            assert f"the first training failed (run {run_id}, " in text
            assert "No space left on device The trainer tries again at" in text
    store.close()
    no_hub = beto("doctor", home=tmp_path / "new", HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=str(tmp_path / "hub"))
    verdict, text = lines_of(no_hub)["model"]
    assert verdict == "FAIL"
    assert f"BETO_BASE={BASES_WITHOUT_HUB[0]}" in text


def test_scopes_that_the_app_lacks_are_named(tmp_path: Path) -> None:
    """An app that was made from an older manifest fails only when somebody presses the button that needs the new scope."""
    from bot.simulator.server import MANIFEST, read_manifest

    manifest = read_manifest(MANIFEST)
    manifest["oauth_config"]["scopes"]["bot"].remove("chat:write")
    thread = SimulatorThread(manifest=manifest)
    try:
        verdict, text = lines_of(beto("doctor", home=tmp_path / "home", **thread.environment))["slack"]
    finally:
        thread.stop()
    assert verdict == "FAIL"
    assert "lacks the scopes chat:write:" in text
    assert "install it again" in text


def test_where_all_works_it_says_so_and_what_each_process_weighs(town: Town) -> None:
    """bot and replies run where no torch is installed, and stay small: their sizes are the proof."""
    home = town.machine.home
    environment = {key: value for key, value in town.machine.environment.items() if key.startswith(("SLACK_", "BETO_"))}
    said = beto("doctor", home=home, **environment)
    lines = lines_of(said)
    assert said.status == 0, said.out
    assert "Everything works." in said.out
    assert "all scopes granted" in lines["slack"][1]
    assert "version 1 (mini) loads" in lines["model"][1]
    found = dict(re.findall(r"(\w+) (\d+\.\d MiB \(.+?\))", lines["processes"][1]))
    assert set(found) == {"bot", "replies", "worker"}
    assert "no torch" in found["bot"]
    assert "no torch" in found["replies"]
    assert "no torch" in found["worker"]  # it serves by the packed graph
    assert max(float(text.split()[0]) for text in found.values()) < 250  # torch and transformers alone are 400


def test_processes_that_were_killed_do_not_count_as_running(tmp_path: Path) -> None:
    """A file that nobody could take away is no finding."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "running.json").write_text('{"pid": 99999999, "health": {"bot": 1}}', encoding="utf-8")
    assert "neither `beto up` nor `beto demo` runs here" in lines_of(beto("doctor", home=home))["processes"][1]


def test_the_speed_of_this_machine_is_told_with_what_it_was_measured_on(town: Town) -> None:
    """An operator who wonders whether one worker is enough needs a number of this machine, not of ours."""
    environment = {key: value for key, value in town.machine.environment.items() if key.startswith(("SLACK_", "BETO_"))}
    said = beto("doctor", "--speed", home=town.machine.home, **environment)
    assert said.status == 0, said.err
    found = re.fullmatch(
        r"version 1 \(mini\) on (?:cpu|cuda.*), (?:fp32|int8|bf16): (\d+) messages/s with 32 at a time; "
        r"a message alone takes (\d+\.\d) ms\n",
        said.out,
    )
    assert found is not None, said.out
    assert int(found[1]) > 10
    assert float(found[2]) > 0


def test_without_a_version_there_is_no_speed_and_a_sentence_says_why(tmp_path: Path) -> None:
    """On the first day there is nothing to measure."""
    assert "no version to measure yet" in beto("doctor", "--speed", home=tmp_path / "home").refusal()
