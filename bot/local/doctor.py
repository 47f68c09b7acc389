"""`beto doctor`: checks everything that the product needs, and says what to do about what fails."""

import importlib.util
import os
from collections.abc import Callable

import click
from pydantic import ValidationError
from sqlalchemy.exc import ArgumentError

from bot.errors import BotError, StartRefused
from bot.local import running
from bot.local.environment import PROXIES
from bot.local.first_version import describe, why_no_base
from bot.local.labels import check_begin
from bot.local.screens import check_screens
from bot.local.size import Kept
from bot.local.slack_checks import CheckFailed, check_http, check_ids, check_slack, check_tokens
from bot.local.supervisor import redis_server
from bot.settings import BotSettings, misspelt, variables, wrong_settings
from model.errors import BadData, BrokenVersion, ModelError
from model.first_training import FirstTraining
from model.store.store import Store

Check = Callable[[BotSettings], str]


def examine(*, http: bool = False, screens: bool = False) -> int:
    """Print a line for each check, and return 0 where all that is needed works, else 1.

    `http`: Slack is to be heard by HTTP. Without it, so it is where there is a signing secret and no app token.
    `screens`: Slack is asked about every screen, too.
    """
    settings, wrong = _settings()
    http = http or bool(settings.slack_signing_secret.get_secret_value() and not settings.slack_app_token.get_secret_value())
    checks: list[tuple[str, Check]] = [
        ("settings", lambda _: _are_right({setting: why for setting, why in wrong.items() if setting != "redis_url"})),
        ("home", _home),
        ("database", _database),
        ("labels", _labels),
        ("redis", lambda settings: _redis(settings, is_url="redis_url" not in wrong)),
        ("model", _model),
        ("device", _device),
        ("proxies", _proxies),
        ("tokens", lambda settings: check_tokens(settings, http=http)),
        ("slack", lambda settings: check_slack(settings, http=http)),
        ("ids", check_ids),
        *([("http", check_http)] if http else []),
        *([("screens", check_screens)] if screens else []),
        ("processes", _processes),
    ]
    for sentence in misspelt():
        click.secho(f"  warn  settings   {sentence}", fg="yellow")
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


def _settings() -> tuple[BotSettings, dict[str, str]]:
    """Return the settings, and what is wrong with those that cannot be used, which have their defaults.

    One wrong value must not hide all the other checks.
    """
    try:
        return BotSettings(), {}
    except ValidationError as error:
        found = wrong_settings(error)
        if not found.keys() <= BotSettings.model_fields.keys():
            raise
    return BotSettings(**{setting: BotSettings.model_fields[setting].default for setting in found}), found


def _are_right(wrong: dict[str, str]) -> str:
    if wrong:
        raise CheckFailed(". ".join(f"{variables()[setting]}: {problem}" for setting, problem in wrong.items()) + ".")
    return "all can be used"


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
        emoji, preferences = settings.label_emoji_by_name, settings.preferences
        store = Store(settings.store_url, settings.home_folder, label_emoji=emoji, preferences=preferences)
    except ArgumentError as error:
        raise CheckFailed("BETO_DATABASE_URL is no URL of a database: write postgresql://..., or leave it out") from error
    try:
        store.migrate()
        counts = store.messages.counts()
        texts = store.retention.kept_days(settings.retention_days, settings.retention_corrected_days)
        kept = Kept(*texts, settings.retention_messages_days).unjudged_days
        complaints = [*store.labels.emoji_complaints(settings.sign_emoji), *store.labels.preference_complaints()]
    except (ModelError, OSError) as error:
        raise CheckFailed(f"{error}. Check BETO_DATABASE_URL, or leave it out to use SQLite in BETO_HOME.") from error
    finally:
        store.close()
    if complaints:
        raise CheckFailed(". ".join(complaints))
    return (
        f"{store.database.engine.dialect.name}, {counts['messages']} messages, {counts['prediction'] + counts['reply']} waiting, "
        + (f"each kept {kept} days" if kept else "each kept for ever")
    )


def _labels(settings: BotSettings) -> str:
    try:
        return check_begin(settings)
    except BadData as error:
        raise CheckFailed(f"BETO_LABELS: {error}. Mend the file, or leave the variable out.") from error
    except (ModelError, ArgumentError) as error:
        raise CheckFailed("not checked: the database must work first.") from error


def _redis(settings: BotSettings, *, is_url: bool) -> str:
    import redis

    if not is_url:
        raise CheckFailed(
            "BETO_REDIS_URL is no URL of a Redis server: write redis://:PASSWORD@HOST:PORT/0, or rediss:// for TLS."
        )
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
            live, first = store.registry.live(), store.first_training()
        finally:
            store.close()
    except (ModelError, ArgumentError) as error:
        raise CheckFailed("not checked: the database must work first.") from error
    if live is None:
        return _first_version(first or FirstTraining(None), settings)
    if importlib.util.find_spec("torch") is None:
        return f"version {live.number} ({live.card.base}); torch is not installed here, so it was not loaded"
    from model.serving.classifier import load
    from model.serving.engine import OnnxEngine

    try:
        engine = load(live.folder, device="cpu").engine
    except BrokenVersion as error:
        raise CheckFailed(f"version {live.number}: {error}. Workers serve an older one.") from error
    slowly = "" if isinstance(engine, OnnxEngine) else ", served by torch alone: slower, and every worker needs it"
    return f"version {live.number} ({live.card.base}) loads, {len(live.card.labels)} labels{slowly}"


def _first_version(first: FirstTraining, settings: BotSettings) -> str:
    """Say how the first version comes about; the hub is asked now, before a training spends minutes to find it away."""
    is_open = first.run is not None and not first.run.over
    if not is_open and (reason := why_no_base(settings)) is not None:
        raise CheckFailed(f"no version yet, and none can be trained: {reason}")
    if first.failed and first.run is not None and first.run.failure != "base":
        raise CheckFailed(describe(first, settings))
    if first.failed:
        return f"no version yet: the trainer makes the first from {settings.base}, which can be had now; start it again"
    return describe(first, settings)


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
