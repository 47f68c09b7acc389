"""What Slack's command line asks of a project: the hooks of its contract, so that `slack run` runs the bot.

https://github.com/slackapi/slack-cli/blob/main/.github/cli-sdk-specification.md
"""

import json
import os
from typing import Literal

import click

from bot.local.manifest import read_manifest

HOOKS = ("get-hooks", "get-manifest", "start")
BOUNDARIES = "message-boundaries"

Hook = Literal["get-hooks", "get-manifest", "start"]


def answer(hook: Hook, *, boundary: str = "") -> int:
    """Answer one hook on standard output, or run the bot for `start`; return the exit status.

    `boundary` is put around an answer, so that whatever else is written there is told from it.
    """
    if hook == "start":
        return _start()
    if hook == "get-manifest":
        said = read_manifest()
    else:
        command = "python3 -m bot slack-hook"
        said = {
            "hooks": {name: f"{command} {name}" for name in HOOKS if name != "get-hooks"},
            "config": {
                "protocol-version": [BOUNDARIES, "default"],
                "sdk-managed-connection-enabled": True,  # we connect ourselves
                "watch": {"filter-regex": r"manifest\.json$", "paths": ["bot"]},
            },
        }
    click.echo(f"{boundary}{json.dumps(said, ensure_ascii=False)}{boundary}")
    return 0


def _start() -> int:
    """Run all processes with the tokens of the app that Slack's command line made; other settings as ever."""
    for ours, theirs in (("SLACK_BOT_TOKEN", "SLACK_CLI_XOXB"), ("SLACK_APP_TOKEN", "SLACK_CLI_XAPP")):
        if token := os.environ.get(theirs):
            os.environ[ours] = token
    from bot.local import up

    return up.run(http=False)
