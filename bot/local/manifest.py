"""The app's manifest in each of its forms, all made from `bot/manifest.json`, and the link that makes an app of it."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bot.errors import StartRefused

MANIFEST = Path(__file__).parent.parent / "manifest.json"
# Slack opens its form for a new app with this manifest filled in.
NEW_APP = "https://api.slack.com/apps?new_app=1&manifest_json="

# What the bot does without, and what each of these brings. The scopes of one line stand or fall together.
OPTIONAL: dict[tuple[str, ...], str] = {
    ("groups:history", "groups:read"): "messages of private channels",
    ("mpim:history", "mpim:read"): "messages of group direct messages",
    ("usergroups:read",): "user groups in BETO_JUDGES, BETO_TRAINERS and the like",
    ("files:write",): "the picture in a retraining's report",
    ("canvases:write",): "the label guide as a canvas of a channel",
    ("assistant:write",): "suggestions of what to ask, in direct messages with the bot",
}
# The scope that an event comes with, for those that come with an optional one.
_EVENT_SCOPES = {
    "message.groups": "groups:history",
    "message.mpim": "mpim:history",
    **dict.fromkeys(("group_archive", "group_deleted", "group_left", "group_rename", "group_unarchive"), "groups:read"),
}

Manifest = dict[str, Any]


def read_manifest(*, http: str = "", without: Collection[str] = ()) -> Manifest:
    """Return the manifest for Socket Mode, or with `http`, the address that Slack posts to, for HTTP.

    `without` are optional scopes that the app is not to have; StartRefused where one of them is none.
    """
    manifest: Manifest = json.loads(MANIFEST.read_text(encoding="utf-8"))
    left_out: set[str] = set()
    for scope in without:
        together = next((scopes for scopes in OPTIONAL if scope in scopes), None)
        if together is None:
            known = ", ".join(each for scopes in OPTIONAL for each in scopes)
            raise StartRefused(f"{scope} is no scope that the bot does without; those are: {known}")
        left_out.update(together)
    scopes, events = manifest["oauth_config"]["scopes"], manifest["settings"]["event_subscriptions"]
    scopes["bot"] = [scope for scope in scopes["bot"] if scope not in left_out]
    events["bot_events"] = [event for event in events["bot_events"] if _EVENT_SCOPES.get(event) not in left_out]
    if "assistant:write" in left_out:
        del manifest["features"]["agent_view"]
    if http:
        manifest["settings"]["socket_mode_enabled"] = False
        events["request_url"] = http
        manifest["settings"]["interactivity"] |= {"request_url": http, "message_menu_options_url": http}
        for command in manifest["features"]["slash_commands"]:
            command["url"] = http
    return manifest


def link(manifest: Manifest) -> str:
    """Return the address at which Slack makes an app of this manifest: one click opens it, the other confirms."""
    return NEW_APP + quote(json.dumps(manifest, ensure_ascii=False, separators=(",", ":")), safe="")


def missing(has: Collection[str]) -> tuple[list[str], list[str]]:
    """Return what an app with these scopes lacks: scopes that the bot needs, and sentences on those that it does without."""
    lacking = [scope for scope in read_manifest()["oauth_config"]["scopes"]["bot"] if scope not in has]
    without = {scopes: brings for scopes, brings in OPTIONAL.items() if set(scopes) & set(lacking)}
    optional = {scope for scopes in OPTIONAL for scope in scopes}
    needed = sorted(scope for scope in lacking if scope not in optional)
    return needed, [f"without {' and '.join(scopes)}: not {brings}" for scopes, brings in without.items()]
