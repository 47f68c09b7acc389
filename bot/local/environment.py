"""The environment of the processes that one of ours starts: complete, so that nothing reaches them behind its back."""

import os

from pydantic import SecretStr

from bot.settings import BotSettings, variables
from model.settings import ENV_FILE

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
OURS = ("BETO_", "SLACK_")


def bare_environment() -> dict[str, str]:
    """Return this process's environment without any variable of ours, and without proxies."""
    # Settings are read whatever the case of their variables' names.
    return {name: value for name, value in os.environ.items() if name not in PROXIES and not name.upper().startswith(OURS)}


def child_environment(settings: BotSettings | None, **changes: str) -> dict[str, str]:
    """Return the complete environment of a process of ours: `settings` (None: the defaults), with `changes`.

    Every variable that our settings know is in it, with a value, or empty where the setting has its default; none of this
    process's own stays. The child reads no `.env`. Where there are no settings, or Slack is on this machine, there are no
    proxies either: slack_sdk would use them even for loopback.
    """
    environment = bare_environment()
    if settings is not None and not settings.is_local:
        environment |= {name: os.environ[name] for name in PROXIES if name in os.environ}
    for setting, name in variables().items():
        environment[name] = ""
        if settings is not None and setting in settings.model_fields_set:
            value = getattr(settings, setting)
            environment[name] = value.get_secret_value() if isinstance(value, SecretStr) else str(value)
    return environment | {ENV_FILE: "", "PYTHONUNBUFFERED": "1"} | changes
