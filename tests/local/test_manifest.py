"""The app's manifest: one file for every form of it, exactly what the code uses, and a link that makes an app of it."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from slack_sdk import WebClient

from bot.errors import StartRefused
from bot.local.manifest import OPTIONAL, link, missing, read_manifest
from bot.simulator.person import Person
from bot.simulator.pytest_plugin import SimulatorThread
from bot.simulator.server import Simulator
from bot.slack.listeners.steps import STEP
from tests.terminal import beto, environment

ROOT = Path(__file__).parents[2]
SCOPES = set(read_manifest()["oauth_config"]["scopes"]["bot"])
EVENTS = set(read_manifest()["settings"]["event_subscriptions"]["bot_events"])
# By the reference of each event; those that are left out need none.
SCOPES_OF_EVENTS = {
    "app_mention": "app_mentions:read", "channel_archive": "channels:read", "channel_deleted": "channels:read",
    "channel_left": "channels:read", "channel_rename": "channels:read", "channel_unarchive": "channels:read",
    "group_archive": "groups:read", "group_deleted": "groups:read", "group_left": "groups:read", "group_rename": "groups:read",
    "group_unarchive": "groups:read", "member_joined_channel": "channels:read", "message.channels": "channels:history",
    "message.groups": "groups:history", "message.im": "im:history", "message.mpim": "mpim:history",
    "reaction_added": "reactions:read", "reaction_removed": "reactions:read", "user_change": "users:read",
}  # fmt: skip
# Methods whose scope depends on the kind of channel: of the kinds that we hear, those that they are called for.
BY_KIND = {
    "conversations.history": {"channels:history", "groups:history", "im:history", "mpim:history"},
    "conversations.replies": {"channels:history", "groups:history", "im:history", "mpim:history"},
    "conversations.info": {"channels:read", "groups:read", "mpim:read"},
    "conversations.members": {"channels:read", "groups:read", "mpim:read"},
}
HTTP = "https://beto.example.com/slack/events"


def called() -> set[str]:
    """Every method of the Web API that the product's code calls, or hands on to be called."""
    names = {name for name in dir(WebClient) if re.fullmatch(r"[a-z]+_[a-zA-Z_0-9]+", name)}
    found: set[str] = set()
    for room in ("slack", "outbox"):
        for path in (ROOT / "bot" / room).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)} & names
    uploads = {"files_completeUploadExternal"} if "files_upload_v2" in found else set()  # slack_sdk's own name for several calls
    return {name.replace("_", ".") for name in (found | uploads) - {"api_call", "files_upload_v2"}}


def test_scopes_are_exactly_those_that_are_used() -> None:
    """Whoever approves the app reads this list: each scope too many is a reason to say no, each too few an error later."""
    methods = Simulator(rate_limits=False).methods
    needed = {"commands"} | {SCOPES_OF_EVENTS[event] for event in EVENTS if event in SCOPES_OF_EVENTS}
    for method in called():
        needed |= BY_KIND.get(method, {methods[method].scope} - {""})
    assert needed == SCOPES


def test_commands_and_shortcuts_are_exactly_those_that_are_heard() -> None:
    """A shortcut that nobody hears answers with an error of Slack's."""
    heard = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "bot" / "slack" / "listeners").glob("*.py"))
    features = read_manifest()["features"]
    assert {each["command"] for each in features["slash_commands"]} == set(re.findall(r'@app\.command\("(.+?)"\)', heard))
    assert {each["callback_id"] for each in features["shortcuts"]} == set(re.findall(r'@app\.shortcut\("(.+?)"\)', heard))


def test_the_step_of_workflows_gives_what_it_declares() -> None:
    """Slack refuses outputs that are declared otherwise, and Workflow Builder offers those that are declared."""
    (step,) = read_manifest()["functions"].items()
    assert step[0] == STEP
    declared = step[1]["output_parameters"]
    assert set(declared["required"]) <= declared["properties"].keys()
    listener = (ROOT / "bot" / "outbox" / "steps.py").read_text(encoding="utf-8")
    assert set(re.findall(r'^        "(\w+)": ', listener, re.MULTILINE)) == declared["properties"].keys()
    assert set(step[1]["input_parameters"]["properties"]) == {"text", "message_link"}


def test_the_form_for_http_differs_in_its_addresses_alone() -> None:
    """Two manifests that are written by hand drift apart."""
    sockets, http = read_manifest(), read_manifest(http=HTTP)
    assert http["settings"].pop("socket_mode_enabled") is False
    assert sockets["settings"].pop("socket_mode_enabled") is True
    assert http["settings"]["event_subscriptions"].pop("request_url") == HTTP
    assert http["settings"]["interactivity"].pop("request_url") == HTTP
    # By which the menu of labels is searched where there are a hundred or more.
    assert http["settings"]["interactivity"].pop("message_menu_options_url") == HTTP
    assert [command.pop("url") for command in http["features"]["slash_commands"]] == [HTTP]
    assert http == sockets


def test_an_optional_scope_goes_with_its_events_and_the_doctor_says_what_is_lost() -> None:
    """A company that keeps bots out of private channels can still have this one; nothing that stands for it is left behind."""
    manifest = read_manifest(without=["groups:read"])
    left = set(manifest["oauth_config"]["scopes"]["bot"])
    assert SCOPES - left == {"groups:read", "groups:history"}
    gone = EVENTS - set(manifest["settings"]["event_subscriptions"]["bot_events"])
    assert gone == {event for event in EVENTS if SCOPES_OF_EVENTS.get(event, "").startswith("groups:")}
    assert missing(left) == ([], ["without groups:history and groups:read: not messages of private channels"])
    assert missing(left - {"chat:write"})[0] == ["chat:write"]
    for scopes in OPTIONAL:
        assert set(scopes) <= SCOPES
    with pytest.raises(StartRefused, match="chat:write is no scope that the bot does without; those are: groups:history"):
        read_manifest(without=["chat:write"])


def test_the_link_carries_the_whole_manifest_and_makes_an_app() -> None:
    """What Slack reads out of the address is what is served here, to the last accent, within 8 KB."""
    said = beto("manifest", "--link", "--http", HTTP, home=ROOT).out.strip()
    assert said == link(read_manifest(http=HTTP))
    for expected in (read_manifest(), read_manifest(http=HTTP)):
        made = link(expected)
        address = urlsplit(made)
        assert (address.scheme, address.netloc, address.path) == ("https", "api.slack.com", "/apps")
        query = parse_qs(address.query, strict_parsing=True)
        assert query["new_app"] == ["1"]
        assert json.loads(query["manifest_json"][0]) == expected
        assert len(made) < 8000
        assert made.isascii()
        assert Simulator(manifest=json.loads(query["manifest_json"][0])).workspace.bots


def test_a_group_direct_message_is_heard() -> None:
    """Three people and the bot, no channel: whoever asks there gets an answer, by the event that is for such groups alone."""
    thread = SimulatorThread(rate_limits=False)
    heard: list[dict[str, object]] = []
    try:
        thread.simulator.workspace.watchers.append(
            lambda change: heard.extend(payload["event"] for payload in thread.simulator.apps[0].events.payloads(change))
        )

        async def write(ana: Person) -> str:
            channel = await ana.open_group_dm("luis", "beto")
            await ana.message(channel, "@beto el cajero se tragó mi tarjeta")
            return channel

        channel = thread.as_person("ana", write)
        messages = [event for event in heard if event["type"] == "message"]
        assert [(event["channel"], event["channel_type"]) for event in messages] == [(channel, "mpim")]
        client = WebClient(token=Simulator.bot_token, base_url=f"{thread.url}/api/")
        about = client.conversations_info(channel=channel)["channel"]
        assert (about["is_mpim"], about["is_private"], about["is_member"]) == (True, True, True)
        (read,) = client.conversations_history(channel=channel)["messages"]
        assert str(read["text"]).endswith("mi tarjeta")
        assert "U0SIMUMARIA" not in client.conversations_members(channel=channel)["members"]
    finally:
        thread.stop()


def hook(*arguments: str, **more: str) -> "subprocess.CompletedProcess[str]":
    """What Slack's command line does: it runs the words of the hook in the project's folder."""
    env = environment(ROOT, **more) | {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    return subprocess.run(arguments, capture_output=True, text=True, env=env, cwd=ROOT, check=True, timeout=60)


def test_slacks_command_line_finds_its_hooks_and_the_manifest() -> None:
    """`slack run` reads .slack/hooks.json, asks for the other hooks, then for the manifest, between boundaries."""
    first = json.loads((ROOT / ".slack" / "hooks.json").read_text(encoding="utf-8"))["hooks"]["get-hooks"]
    found = json.loads(hook(*first.split()).stdout)
    assert found["config"]["sdk-managed-connection-enabled"] is True  # else it would connect itself
    assert found["config"]["protocol-version"][0] == "message-boundaries"
    between = hook(*found["hooks"]["get-manifest"].split(), "--protocol=message-boundaries", "--boundary=xyz").stdout
    assert json.loads(between.strip().removeprefix("xyz").removesuffix("xyz")) == read_manifest()
    assert between.count("xyz") == 2
    assert json.loads((ROOT / ".slack" / "config.json").read_text(encoding="utf-8")) == {"manifest": {"source": "local"}}


def test_slack_run_starts_the_bot_with_the_tokens_that_it_is_given(tmp_path: Path) -> None:
    """Whoever makes the app by Slack's command line never sees a token; that `beto up` gets both, its refusal of one shows."""
    said = beto("slack-hook", "start", home=tmp_path / "home", SLACK_CLI_XOXB="xoxb-of-the-app", SLACK_CLI_XAPP="no-token")
    assert said.refusal().startswith("SLACK_APP_TOKEN is no app-level token")
    assert "SLACK_BOT_TOKEN" not in said.err
