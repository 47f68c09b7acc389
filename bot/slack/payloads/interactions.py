"""Interactions: what a person does with something of ours, as a command, a click, an entry of a message's menu, or a search."""

from typing import Literal

from pydantic import AliasPath, Field

from bot.slack.payloads.payload import Id, MessageRef, Moment, Payload, Text, Token, now, without_mention
from model.schema import Message, Source


class SlashCommand(Payload):
    """`/beto TEXT`."""

    command: Token
    channel: Id = Field(validation_alias="channel_id")
    user: Id = Field(validation_alias="user_id")
    text: Text | None = None
    trigger_id: Token
    response_url: Token = Field(repr=False)


class Pressed(Payload):
    """What was pressed; a click may tell of several."""

    action_id: Token
    type: Token
    at: Moment = Field(default_factory=now, validation_alias="action_ts")
    value: Text = ""


class ButtonClick(Payload):
    """`block_actions` on a message."""

    # Only what stands on a message is ours.
    on: Literal["message"] = Field(validation_alias=AliasPath("container", "type"))
    channel: Id = Field(validation_alias=AliasPath("container", "channel_id"))
    ts: Id = Field(validation_alias=AliasPath("container", "message_ts"))
    user: Id = Field(validation_alias=AliasPath("user", "id"))
    actions: tuple[Pressed, ...] = Field(min_length=1)
    trigger_id: Token
    response_url: Token | None = Field(None, repr=False)

    @property
    def ref(self) -> MessageRef:
        """The message with the button."""
        return MessageRef(self.channel, self.ts)

    @property
    def value(self) -> str:
        """What the button, or the thumb, stands for; "" for one that stands for itself."""
        return self.actions[0].value

    @property
    def at(self) -> int:
        """Slack's time of the click, microseconds."""
        return self.actions[0].at


class MessageShortcut(Payload):
    """`message_action`: an entry of a message's menu."""

    callback_id: Token
    channel: Id = Field(validation_alias=AliasPath("channel", "id"))
    user: Id = Field(validation_alias=AliasPath("user", "id"))
    ts: Id = Field(validation_alias=AliasPath("message", "ts"))
    thread_ts: Id | None = Field(None, validation_alias=AliasPath("message", "thread_ts"))
    text: Text | None = Field(None, validation_alias=AliasPath("message", "text"))
    author: Id | None = Field(None, validation_alias=AliasPath("message", "user"))
    bot_id: Id | None = Field(None, validation_alias=AliasPath("message", "bot_id"))
    trigger_id: Token
    response_url: Token = Field(repr=False)

    @property
    def ref(self) -> MessageRef:
        """The message that it was chosen on."""
        return MessageRef(self.channel, self.ts)

    def message(self, bot_user: str) -> Message | None:
        """Return the message, also a bot's, since a person asked about it; None where it has no text."""
        words = without_mention(self.text or "", bot_user)
        if not words:
            return None
        return Message(
            channel=self.channel,
            ts=self.ts,
            user=self.author or self.bot_id or "unknown",
            text=words,
            source=Source.SHORTCUT,
            thread_ts=self.thread_ts,
        )


class LabelSearch(Payload):
    """`block_suggestion`: what somebody typed so far in the menu of labels."""

    action_id: Token
    user: Id = Field(validation_alias=AliasPath("user", "id"))
    typed: Text = Field(validation_alias="value")
