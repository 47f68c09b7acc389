"""response_url: the addresses through which an app answers a command, a button or a shortcut."""

import secrets
from collections.abc import Callable
from typing import NamedTuple

from bot.simulator import blocks
from bot.simulator.channel import Channel
from bot.simulator.clock import Clock
from bot.simulator.errors import Json, SlackError
from bot.simulator.workspace import Bot, User, Workspace

USES = 5
LIFE_S = 1800.0


class _Address(NamedTuple):
    channel: Channel
    user: User
    message_ts: str | None  # the message whose button was pressed
    until: float


class ResponseUrls:
    """The addresses that were given to one app; each takes five answers within 30 minutes."""

    def __init__(self, workspace: Workspace, bot: Bot, base: Callable[[], str], clock: Clock) -> None:
        self._bot = bot
        self._clock = clock
        self._base = base
        self._workspace = workspace
        self._addresses: dict[str, _Address] = {}
        self._uses: dict[str, int] = {}

    def new(self, kind: str, channel: Channel, user: User, message_ts: str | None = None) -> str:
        """Create an address; `kind` is "commands", "actions" or "app", as in Slack's own."""
        now = self._clock.unix()
        while self._addresses and (oldest := next(iter(self._addresses.items())))[1].until < now - LIFE_S:
            del self._addresses[oldest[0]], self._uses[oldest[0]]
        secret = secrets.token_urlsafe(18)
        self._addresses[secret] = _Address(channel, user, message_ts, now + LIFE_S)
        self._uses[secret] = 0
        return f"{self._base()}/{kind}/{self._workspace.team_id}/{secrets.randbelow(10**13)}/{secret}"

    def __contains__(self, secret: object) -> bool:
        """Return whether the address was given to this app."""
        return secret in self._addresses

    def answer(self, secret: str, body: Json) -> None:
        """Show, replace or delete a message as the app's answer says."""
        address = self._addresses.get(secret)
        if address is None or address.until < self._clock.unix():
            raise SlackError("expired_url")
        if self._uses[secret] >= USES:
            raise SlackError("used_url")
        self.show(address.channel, address.user, body, address.message_ts)
        self._uses[secret] += 1

    def show(self, channel: Channel, user: User, body: Json, message_ts: str | None = None) -> None:
        """Show an answer to `user`, or in the channel if it says so; `message_ts` is the message that it may replace."""
        workspace = self._workspace
        ephemeral = message_ts in workspace.ephemerals.get((channel.id, user.id), {})
        if body.get("delete_original") and message_ts:
            if ephemeral:
                return workspace.replace_ephemeral(channel, user, message_ts, None)
            return workspace.delete(channel, message_ts, self._bot.user_id)
        text = body.get("text") or ""
        shown = blocks.check_message(body["blocks"]) if body.get("blocks") else None
        if not text and not shown and not body.get("attachments"):
            raise SlackError("no_text")
        if body.get("replace_original") and message_ts:
            message = workspace.bot_message(text, blocks=shown, attachments=body.get("attachments"), bot=self._bot)
            if ephemeral:
                return workspace.replace_ephemeral(channel, user, message_ts, message)
            fields = {"text": message["text"], "blocks": shown, "attachments": body.get("attachments")}
            workspace.edit(channel, message_ts, self._bot.user_id, fields)
        elif body.get("response_type") == "in_channel":
            workspace.post_as_bot(
                channel,
                text,
                blocks=shown,
                attachments=body.get("attachments"),
                thread_ts=body.get("thread_ts"),
                bot=self._bot,
            )
        else:
            message = workspace.bot_message(text, blocks=shown, attachments=body.get("attachments"), bot=self._bot)
            workspace.post_ephemeral(channel, user, message, body.get("thread_ts"))
        return None
