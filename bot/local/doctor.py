"""`beto doctor`: checks everything that the product needs, and says what to do about what fails."""

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path

import click
from pydantic import ValidationError
from sqlalchemy.exc import ArgumentError

from bot.errors import BotError, StartRefused
from bot.local import running
from bot.local.environment import PROXIES
from bot.local.supervisor import redis_server
from bot.settings import BotSettings
from model.errors import BrokenVersion, ModelError
from model.store.store import Store

Check = Callable[[BotSettings], str]


class CheckFailed(Exception):
    """What is wrong, and what to do."""


def examine(*, http: bool = False) -> int:
    """Print a line for each check, and return 0 where all that is needed works, else 1.

    `http`: Slack is to be heard by HTTP. Without it, so it is where there is a signing secret and no app token.
    """
    settings, redis = _settings()
    http = http or bool(settings.slack_signing_secret.get_secret_value() and not settings.slack_app_token.get_secret_value())
    checks: list[tuple[str, Check]] = [
        ("home", _home),
        ("database", _database),
        ("redis", redis),
        ("model", _model),
        ("device", _device),
        ("proxies", _proxies),
        ("tokens", lambda settings: _tokens(settings, http=http)),
        ("slack", lambda settings: _slack(settings, http=http)),
        ("processes", _processes),
    ]
    failed = 0
    for name, check in checks:
        try:
            click.echo(f"  ok    {name:10} {check(settings)}")
        # Each check for itself: a database that is away must not hide what the tokens are like.
        except (CheckFailed, BotError, ModelError, OSError) as finding:
            failed += 1
            # A driver's message may run over several lines.
            click.secho(f"  FAIL  {name:10} {' '.join(str(finding).split())}", fg="red")
    click.echo("\nEverything works." if not failed else f"\n{failed} of {len(checks)} checks failed.")
    return 1 if failed else 0


def _settings() -> tuple[BotSettings, Check]:
    """Return the settings, and how to check Redis: a wrong URL of it must not hide all the other checks."""
    try:
        return BotSettings(), _redis
    except ValidationError as error:
        if [each["loc"] for each in error.errors()] != [("redis_url",)]:
            raise

    def is_no_url(_: BotSettings) -> str:
        raise CheckFailed(
            "BETO_REDIS_URL is no URL of a Redis server: write redis://:PASSWORD@HOST:PORT/0, or rediss:// for TLS."
        )

    return BotSettings(redis_url=str(BotSettings.model_fields["redis_url"].default)), is_no_url


def _home(settings: BotSettings) -> str:
    home = settings.home_folder
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / ".writable"
        probe.write_text("", encoding="ascii")
        probe.unlink()
        free = os.statvfs(home).f_bavail * os.statvfs(home).f_frsize / 2**30
    except OSError as error:
        raise CheckFailed(f"{home}: {error.strerror}. Set BETO_HOME to a folder that you may write.") from error
    if free < 3:
        raise CheckFailed(f"{home}: {free:.1f} GiB free. A version of BETO needs 0.5 GiB, a training 3: make room.")
    return f"{home}, {free:.0f} GiB free"


def _database(settings: BotSettings) -> str:
    try:
        store = Store(settings.store_url, settings.home_folder)
    except ArgumentError as error:
        raise CheckFailed("BETO_DATABASE_URL is no URL of a database: write postgresql://..., or leave it out") from error
    try:
        store.migrate()
        counts = store.messages.counts()
    except (ModelError, OSError) as error:
        raise CheckFailed(f"{error}. Check BETO_DATABASE_URL, or leave it out to use SQLite in BETO_HOME.") from error
    finally:
        store.close()
    return (
        f"{store.database.engine.dialect.name}, {counts['messages']} messages, {counts['prediction'] + counts['reply']} waiting"
    )


def _redis(settings: BotSettings) -> str:
    import redis

    if not settings.names_redis:
        try:
            return f"BETO_REDIS_URL is not set: `beto up` starts {redis_server()}"
        except StartRefused as error:
            raise CheckFailed(str(error)) from error
    try:
        client = redis.Redis.from_url(settings.redis_url, socket_connect_timeout=3)
    except ValueError as error:
        # Not the error itself: it quotes the URL, which may hold a password.
        raise CheckFailed(
            "BETO_REDIS_URL is no URL of a Redis server: redis://:PASSWORD@HOST:PORT/0, or rediss:// for TLS"
        ) from error
    try:
        info = client.info("server")
    except redis.RedisError as error:
        raise CheckFailed(f"does not answer ({error}). Start it, or correct BETO_REDIS_URL.") from error
    finally:
        client.close()
    return f"version {info['redis_version']}"


def _model(settings: BotSettings) -> str:
    try:
        store = Store(settings.store_url, settings.home_folder)
        try:
            live = store.registry.live()
        finally:
            store.close()
    except (ModelError, ArgumentError) as error:
        raise CheckFailed("not checked: the database must work first.") from error
    if live is None:
        return f"no version yet: the trainer makes the first from {settings.base}"
    if importlib.util.find_spec("torch") is None:
        return f"version {live.number} ({live.card.base}); torch is not installed here, so it was not loaded"
    from model.serving.classifier import load

    try:
        load(live.folder, device="cpu")
    except BrokenVersion as error:
        raise CheckFailed(f"version {live.number}: {error}. Workers serve an older one.") from error
    return f"version {live.number} ({live.card.base}) loads, {len(live.card.labels)} labels"


def _device(settings: BotSettings) -> str:
    if importlib.util.find_spec("torch") is None:
        return "torch is not installed: this machine can run bot and replies"
    from model.serving.network import pick_device

    return f"{pick_device(settings.device)} (BETO_DEVICE={settings.device})"


def _proxies(settings: BotSettings) -> str:
    found = [name for name in PROXIES if os.environ.get(name)]
    if found and settings.is_local:
        return f"{', '.join(found)} set; `beto demo` and `beto up` unset them for a local Slack"
    return f"{', '.join(found)} set; Slack is reached through them" if found else "none"


def _tokens(settings: BotSettings, *, http: bool) -> str:
    if complaints := settings.complaints(http=http):
        raise CheckFailed(". ".join(complaints) + ". To try the product without: `beto demo`.")
    return "a bot token and a signing secret are set, for HTTP" if http else "a bot token and an app token are set"


def _slack(settings: BotSettings, *, http: bool) -> str:
    from slack_sdk import WebClient
    from slack_sdk.errors import SlackApiError

    bot_token, app_token = settings.slack_bot_token.get_secret_value(), settings.slack_app_token.get_secret_value()
    if not bot_token:
        raise CheckFailed("not asked: there is no bot token.")
    client = WebClient(token=bot_token, base_url=settings.slack_api_url, timeout=10)
    try:
        answer = client.auth_test()
    except SlackApiError as error:
        raise CheckFailed(f"refuses the bot token ({_reason(error)}): copy it again, and install the app.") from error
    except OSError as error:
        raise CheckFailed(f"cannot be reached at {settings.slack_api_url}: {error}") from error
    has = {scope.strip() for scope in answer.headers.get("x-oauth-scopes", "").split(",")}
    manifest = json.loads((Path(__file__).parent.parent / "manifest.json").read_text(encoding="utf-8"))
    if missing := sorted(set(manifest["oauth_config"]["scopes"]["bot"]) - has):
        raise CheckFailed(f"the app lacks the scopes {', '.join(missing)}: update its manifest and install it again.")
    if not http and app_token:
        try:
            client.apps_connections_open(app_token=app_token)  # a place to connect to, which nobody does
        except SlackApiError as error:
            raise CheckFailed(
                f"refuses the app token ({_reason(error)}): it needs the scope connections:write, and Socket Mode must be on."
            ) from error
    return f"{answer['user']} in {answer['team']}, all scopes granted"


def _reason(error: Exception) -> str:
    """Return Slack's word for what is wrong; of an answer that is none of Slack's, such as a proxy's page, its status."""
    response = getattr(error, "response", None)
    try:
        return str(response["error"])  # type: ignore[index]  # what is no answer of Slack's raises
    except (KeyError, TypeError, ValueError):
        return f"status {getattr(response, 'status_code', 'unknown')}"


def _processes(settings: BotSettings) -> str:
    for folder in (settings.home_folder, settings.home_folder / "demo"):
        if (listing := running.read(folder)) is not None:
            break
    else:
        return "neither `beto up` nor `beto demo` runs here"
    lines = []
    for name, port in listing.health.items():
        health = running.read_health(port)
        if health is None:
            raise CheckFailed(f"{name} does not answer: see {folder / 'logs' / name}.log")
        torch = "with torch" if health["torch"] else "no torch"
        lines.append(f"{name} {health['resident_mib']} MiB ({torch})")
    return ", ".join(lines)
