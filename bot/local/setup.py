"""`beto setup`: from nothing to a bot that Slack knows; asks for what it needs, tries each at once, and writes `.env`."""

import re
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path

import click
from dotenv import dotenv_values
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web import SlackResponse

from bot.errors import StartRefused, refusal
from bot.local import env_file
from bot.local.manifest import link, missing, read_manifest
from bot.local.slack_checks import WITHIN_S, is_signing_secret
from bot.settings import EVENTS_PATH, SLACK_API_URL
from bot.views.texts import Texts, load_texts

# How what people paste begins, and what it is; how each is called in the locale files.
_KINDS = {
    "xoxb-": "bot_token", "xapp-": "app_token", "xoxp-": "user_token", "xoxe.": "config_token", "xoxe-": "config_token",
    "xoxa-": "user_token", "xoxs-": "user_token", "xwfp-": "workflow_token", "https://hooks.slack.com/": "webhook",
}  # fmt: skip
# What an app-level token says of itself: which app it is of.
_APP_ID = re.compile(r"xapp-\d-(A[A-Z0-9]+)-")
_PLAIN = re.compile(r"[!-~]+")  # as every token of Slack's; a line's end would be a setting of its own


class _Wrong(Exception):
    """What is wrong with what was given, in the reader's language; it never quotes it."""


def run(given: Mapping[str, str], *, http: str, language: str, file: Path, asks: bool) -> None:
    """Ask for the tokens that are not `given`, try each against Slack, and write them into `file`.

    `given` are variables by name, as the environment or the options have them. `http`: the address that Slack posts to,
    https://HOST/slack/events; empty for Socket Mode. `asks`: somebody sits there; else StartRefused names what is missing or
    wrong. Nothing is written unless all are right. Repeated, it offers what the file has.
    """
    texts = load_texts("en" if language == "en" else "es")
    if http and not re.fullmatch(rf"https://[^/\s]+{EVENTS_PATH}", http):
        raise StartRefused(texts("setup.wrong_address", path=EVENTS_PATH))
    there = {name: value for name, value in dotenv_values(file).items() if value} if file.exists() else {}
    if asks:
        click.echo(texts("setup.make_app", link=link(read_manifest(http=http))))
    slack = _Slack(given.get("SLACK_API_URL") or there.get("SLACK_API_URL") or SLACK_API_URL, texts)
    ask = _Asking(given, there, texts, asks=asks)
    found = {"SLACK_BOT_TOKEN": ask("SLACK_BOT_TOKEN", slack.try_bot_token)}
    if http:
        found["SLACK_SIGNING_SECRET"] = ask("SLACK_SIGNING_SECRET", slack.try_signing_secret)
        found["BETO_PUBLIC_URL"] = http
    else:
        found["SLACK_APP_TOKEN"] = ask("SLACK_APP_TOKEN", slack.try_app_token)
    if language:
        found["BETO_LANGUAGE"] = language
    env_file.write(file, found)
    command = "beto up --http" if http else "beto up"
    click.echo(texts("setup.done", file=file, command=command, bot=slack.bot_name))


class _Asking:
    """Gets one value after the other: the one that is given, or what somebody types, unseen, until it is right."""

    def __init__(self, given: Mapping[str, str], there: Mapping[str, str], texts: Texts, *, asks: bool) -> None:
        self._given = given
        self._there = there
        self._texts = texts
        self._asks = asks

    def __call__(self, variable: str, tried: Callable[[str], str]) -> str:
        """Return the value, for which `tried` returned what to say; it raises _Wrong for another."""
        texts, key = self._texts, variable.lower()
        value = self._given.get(variable, "")
        while True:
            if not value and not self._asks:
                raise StartRefused(texts("setup.missing", variable=variable, where=texts(f"setup.where_{key}")))
            if not value:
                click.echo(f"\n{texts(f'setup.where_{key}')}")
                kept = self._there.get(variable, "")
                # Not click's own default, which it would show.
                typed = click.prompt(texts("setup.keep" if kept else f"setup.ask_{key}"), hide_input=True, default="",
                                     show_default=False)  # fmt: skip
                value = typed or kept
                if not value:
                    continue
            value = value.strip().strip("\"'").strip()
            try:
                click.echo(f"  ✓ {tried(value)}")
            except _Wrong as wrong:
                if not self._asks:
                    raise StartRefused(f"{variable}: {wrong}") from None
                click.secho(f"  ✗ {wrong}", fg="red")
                value = ""
                continue
            return value


class _Slack:
    """What Slack says of each value."""

    def __init__(self, url: str, texts: Texts) -> None:
        self._url = url
        self._texts = texts
        self._app_id = ""
        self.bot_name = "beto"

    def try_bot_token(self, token: str) -> str:
        """Return whose token it is; _Wrong where it is none, or its app lacks what the bot needs."""
        self._is_kind(token, "bot_token")
        client = self._client(token)
        answer = self._asked(client.auth_test)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        needed, without = missing({scope.strip() for scope in str(headers.get("x-oauth-scopes", "")).split(",")})
        if needed:
            raise _Wrong(self._texts("setup.lacks_scopes", scopes=", ".join(needed)))
        self.bot_name = str(answer["user"])
        self._app_id = str(self._asked(lambda: client.bots_info(bot=str(answer["bot_id"])))["bot"].get("app_id") or "")
        said = self._texts("setup.right_bot_token", bot=answer["user"], team=answer["team"])
        return "\n    ".join([said, *without])

    def try_app_token(self, token: str) -> str:
        """Return that Socket Mode works; _Wrong where it does not, or the token is of another app than the bot's."""
        self._is_kind(token, "app_token")
        app = _APP_ID.match(token)
        if app is not None and self._app_id and app[1] != self._app_id:
            raise _Wrong(self._texts("setup.two_apps"))
        self._asked(lambda: self._client(token).apps_connections_open(app_token=token))
        return self._texts("setup.right_app_token")

    def try_signing_secret(self, secret: str) -> str:
        """Return that it looks like one: whether it is the right one only a request of Slack's can show."""
        self._is_kind(secret, "signing_secret")
        return self._texts("setup.right_signing_secret")

    def _is_kind(self, value: str, wanted: str) -> None:
        """Raise _Wrong that says what it is instead, and where the other one is to be found."""
        kind = next((kind for prefix, kind in _KINDS.items() if value.startswith(prefix)), None)
        if kind is None and is_signing_secret(value, self._url):
            kind = "signing_secret"
        if kind is None or not _PLAIN.fullmatch(value):
            raise _Wrong(self._texts("setup.is_nothing", wanted=self._texts(f"setup.kind_{wanted}")))
        if kind != wanted:
            kinds = {"kind": self._texts(f"setup.kind_{kind}"), "wanted": self._texts(f"setup.kind_{wanted}")}
            raise _Wrong(self._texts("setup.is_another", **kinds))

    def _client(self, token: str) -> WebClient:
        return WebClient(token=token, base_url=self._url, timeout=WITHIN_S)

    def _asked(self, ask: Callable[[], SlackResponse]) -> SlackResponse:
        """Return Slack's answer; _Wrong where there is none, or a no."""
        try:
            return ask()
        except SlackApiError as error:
            code = refusal(error)
            if code is None:
                raise _Wrong(self._texts("setup.not_slack", url=self._url)) from None
            raise _Wrong(self._texts("setup.refused", code=code)) from None
        except (OSError, HTTPException) as error:
            raise _Wrong(self._texts("setup.unreached", url=self._url, why=getattr(error, "reason", error))) from None
