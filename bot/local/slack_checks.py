"""What `beto doctor` asks of Slack, and what it tries of HTTP mode."""

import json
import re
import socket
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web import SlackResponse

from bot.errors import refusal
from bot.local.manifest import missing
from bot.settings import EVENTS_PATH, LOOPBACK, BotSettings, variables

WITHIN_S = 10


class CheckFailed(Exception):
    """What is wrong, and what to do."""


def check_tokens(settings: BotSettings, *, http: bool) -> str:
    """Say which tokens are set; CheckFailed where one is missing or has another form than Slack's."""
    if complaints := settings.complaints(http=http):
        raise CheckFailed(
            ". ".join(complaints)
            + ". `beto setup` asks for them and shows the link that makes the app (`beto manifest --link`). "
            "To try the product without: `beto demo`."
        )
    secret = settings.slack_signing_secret.get_secret_value()
    if http and not settings.is_local and not is_signing_secret(secret, settings.slack_api_url):
        raise CheckFailed(
            "SLACK_SIGNING_SECRET does not look like one, which has 32 digits and letters from a to f: copy it again from your "
            "app's page, Basic Information, App Credentials: Signing Secret, not Client Secret nor Verification Token."
        )
    return "a bot token and a signing secret are set, for HTTP" if http else "a bot token and an app token are set"


def check_slack(settings: BotSettings, *, http: bool) -> str:
    """Ask Slack who the bot is and whether it has its scopes, and without `http` for a place to connect to."""
    client, answer = _who_am_i(settings)
    has = {scope.strip() for scope in answer.headers.get("x-oauth-scopes", "").split(",")}
    needed, without = missing(has)
    if needed:
        raise CheckFailed(
            f"the app lacks the scopes {', '.join(needed)}: update its manifest (`beto manifest` prints it) and install it again."
        )
    app_token = settings.slack_app_token.get_secret_value()
    if not http and app_token:
        try:
            client.apps_connections_open(app_token=app_token)  # a place to connect to, which nobody does
        except SlackApiError as error:
            raise CheckFailed(
                f"refuses the app token ({_reason(error)}): it needs the scope connections:write, and Socket Mode must be on."
            ) from error
    return f"{answer['user']} in {answer['team']}, {'; '.join(without) or 'all scopes granted'}"


def is_signing_secret(secret: str, slack_api_url: str) -> bool:
    """Return whether this has the form of Slack's signing secrets; the simulator's has another, which nobody must keep."""
    host = urlsplit(slack_api_url).hostname or ""
    return re.fullmatch(r"[0-9a-f]{32}", secret) is not None or (host in LOOPBACK and secret.startswith("simulator-"))


def check_ids(settings: BotSettings) -> str:
    """Look each id up that the settings name, once; CheckFailed names those that Slack does not know, and what follows."""
    ids = {
        setting: listed
        for setting, listed in {
            "judges": settings.judge_ids,
            "experts": settings.expert_ids,
            "trainers": settings.trainer_ids,
            "label_editors": settings.label_editor_ids,
            "leads": settings.lead_ids,
            "retrain_channel": (settings.retrain_channel,) if settings.retrain_channel else (),
        }.items()
        if listed
    }
    if not ids:
        return "none is set"
    try:
        client, _ = _who_am_i(settings)
    except CheckFailed as error:
        raise CheckFailed("not looked up: Slack must answer first.") from error
    known: dict[str, str] = {}
    findings = []
    for setting, listed in ids.items():
        for each in listed:
            if each not in known:
                known[each] = _trouble(client, each, settings)
            if known[each]:
                findings.append(f"{variables()[setting]} names {each}, {known[each]}")
    if findings:
        raise CheckFailed("; ".join(findings) + ". Correct or remove what is wrong.")
    return f"{len(known)} looked up, Slack knows {'it' if len(known) == 1 else 'all of them'}"


def _trouble(client: WebClient, each: str, settings: BotSettings) -> str:
    """Return what is wrong with a person's, a group's or a channel's id; nothing where all is well."""
    try:
        if each.startswith("S"):
            return "" if client.usergroups_users_list(usergroup=each)["users"] else "a user group that nobody is in"
        if each.startswith(("U", "W")):
            return _trouble_with_person(client.users_info(user=each)["user"], guests_count=settings.guests_judge)
        channel = client.conversations_info(channel=each)["channel"]
    except SlackApiError as error:
        return {
            "no_such_subteam": "a user group that does not exist",
            "user_not_found": "a person whom this workspace does not have",
            "user_not_visible": "a person whom the bot does not see",
            "channel_not_found": "a channel that does not exist, or a private one that the bot is not in (/invite @beto)",
        }.get(_reason(error), f"about which Slack says {_reason(error)}")
    if channel.get("is_archived"):
        return "a channel that is archived"
    is_inside = channel.get("is_member") or channel.get("is_im")
    return "" if is_inside else f"#{channel.get('name')}, which the bot is not in: /invite @beto there"


def _trouble_with_person(person: dict[str, Any], *, guests_count: bool) -> str:
    if person.get("deleted"):
        return "somebody whose account is deactivated"
    if person.get("is_bot"):
        return "a bot"
    if not guests_count and (person.get("is_restricted") or person.get("is_ultra_restricted")):
        return "a guest, who does not count"
    return ""


def _who_am_i(settings: BotSettings) -> tuple[WebClient, SlackResponse]:
    bot_token = settings.slack_bot_token.get_secret_value()
    if not bot_token:
        raise CheckFailed("not asked: there is no bot token.")
    client = WebClient(token=bot_token, base_url=settings.slack_api_url, timeout=WITHIN_S)
    try:
        return client, client.auth_test()
    except SlackApiError as error:
        if refusal(error) is None:
            raise CheckFailed(
                f"cannot be reached at {settings.slack_api_url}: what answers there ({_reason(error)}) is not Slack, perhaps a "
                "proxy that wants somebody to log in."
            ) from error
        raise CheckFailed(f"refuses the bot token ({_reason(error)}): copy it again, and install the app.") from error
    except (OSError, HTTPException) as error:
        raise CheckFailed(f"cannot be reached at {settings.slack_api_url}: {error}") from error


def _reason(error: SlackApiError) -> str:
    """Return Slack's word for what is wrong; of an answer that is none of Slack's, such as a proxy's page, its status."""
    return refusal(error) or f"status {getattr(error.response, 'status_code', 'unknown')}"


# HTTP mode


def check_http(settings: BotSettings) -> str:
    """Try what Slack will do: post a signed request to the bot, on this machine and by its public address.

    CheckFailed where something else answers, or the bot takes another signing secret.
    """
    secret = settings.slack_signing_secret.get_secret_value()
    if not secret:
        raise CheckFailed("not tried: there is no signing secret.")
    host = "127.0.0.1" if settings.http_host in {"", "0.0.0.0", "::"} else settings.http_host  # noqa: S104 - compared, not bound
    here = f"{settings.http_host}:{settings.http_port}"
    if _listens(host, settings.http_port):
        _try(f"http://{host}:{settings.http_port}{EVENTS_PATH}", secret, proxies=False)
        said = f"the bot answers on {here}"
    elif (why := _why_taken(settings.http_host, settings.http_port)) is not None:
        raise CheckFailed(f"cannot listen on {here}: {why}. Set BETO_HTTP_HOST and BETO_HTTP_PORT.")
    else:
        said = f"{here} is free, no bot runs there yet"
    if not settings.public_url:
        return f"{said}; BETO_PUBLIC_URL is not set, so the way from Slack was not tried"
    if not said.startswith("the bot"):
        return f"{said}, so {settings.public_url} was not tried"
    _try(settings.public_url, secret, proxies=True)
    return f"{said}, and by {settings.public_url}"


def _try(url: str, secret: str, *, proxies: bool) -> None:
    """Post what Slack posts when somebody enters the address; CheckFailed where the answer is not the bot's."""
    stamp, challenge = str(int(time.time())), f"doctor-{time.time_ns()}"
    body = json.dumps({"type": "url_verification", "token": "", "challenge": challenge})
    headers = {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": str(SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body)),
    }
    request = urllib.request.Request(url, data=body.encode(), headers=headers)  # noqa: S310 - the operator's own address
    open_url: Callable[..., Any] = urllib.request.urlopen if proxies else _without_proxies().open
    try:
        with open_url(request, timeout=WITHIN_S) as answer:
            if challenge not in answer.read(10_000).decode("utf-8", "replace"):
                raise CheckFailed(f"{url} answers, but it is not the bot: a proxy's page, or another program.")
    except HTTPError as error:
        error.close()
        why = {
            401: "it takes another signing secret than SLACK_SIGNING_SECRET, or the clocks differ by more than five minutes",
            404: "what answers knows no such page: another program, or a proxy that passes on another path",
        }.get(error.code, "a proxy that does not reach the bot, or another program")
        raise CheckFailed(f"{url} answers {error.code}: {why}.") from error
    except (URLError, OSError, HTTPException) as error:
        raise CheckFailed(f"{url} cannot be reached: {getattr(error, 'reason', error)}.") from error


def _without_proxies() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=2):
            return True
    except OSError:
        return False


def _why_taken(host: str, port: int) -> str | None:
    """Return why nobody can listen there; None where one can."""
    try:
        with socket.create_server((host, port)):
            return None
    except OSError as error:
        return error.strerror or str(error)
