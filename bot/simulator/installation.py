"""What an installed app's bot may do and see."""

from collections.abc import Callable
from typing import NamedTuple

from bot.simulator.arguments import Arguments
from bot.simulator.channel import Channel
from bot.simulator.errors import Json, SlackError
from bot.simulator.workspace import Bot, User, Workspace


class Method(NamedTuple):
    """One method of the Web API: the function that answers it, and the scope, rate tier and encodings of the reference."""

    run: Callable[[Arguments], Json]
    scope: str = ""
    tier: int = 3
    takes_json: bool = True
    app_token: bool = False
    token: bool = True  # whether it takes one at all


class Installation:
    """The bot user's rights in the workspace."""

    def __init__(self, workspace: Workspace, bot: Bot, scopes: tuple[str, ...], *, messages_tab: bool = True) -> None:
        self.workspace = workspace
        self.bot = bot
        self.user: User = workspace.users[bot.user_id]
        self.scopes = scopes
        self.revoked = False
        self._messages_tab = messages_tab

    def require_scope(self, scope: str) -> None:
        """Raise missing_scope unless the app has the scope."""
        if scope not in self.scopes:
            raise SlackError("missing_scope", needed=scope, provided=",".join(self.scopes))

    def is_member(self, channel: Channel) -> bool:
        """Return whether the bot is in the channel."""
        return self.bot.user_id in channel.members

    def channel(self, key: str) -> Channel:
        """Return the channel with that id; a private one only if the bot is a member."""
        channel = self.workspace.channels.get(key)
        if channel is None or (channel.kind != "channel" and not self.is_member(channel)):
            raise SlackError("channel_not_found")
        return channel

    def own_channel(self, key: str) -> Channel:
        """Return the channel with that id if the bot is a member of it."""
        channel = self.channel(key)
        if not self.is_member(channel):
            raise SlackError("not_in_channel")
        return channel

    def post_channel(self, key: str) -> Channel:
        """Return the channel to post in: by its id or name, or by a person's id for the direct messages with them."""
        user = self.workspace.users.get(key)
        if user is not None and not user.is_bot:
            channel = self.workspace.direct_channel(self.user, user)
        else:
            channel = self.own_channel(self.workspace.channel_ids.get(key.removeprefix("#"), key))
        if channel.kind == "im" and not self._messages_tab:
            raise SlackError("messages_tab_disabled")
        if channel.is_archived:
            raise SlackError("is_archived")
        return channel
