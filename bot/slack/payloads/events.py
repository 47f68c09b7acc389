"""Events: what happened in the workspace, as the Events API tells it."""

from dataclasses import dataclass
from typing import Annotated

from pydantic import AliasChoices, AliasPath, Field, StringConstraints

from bot.slack.payloads.payload import Id, MessageRef, Moment, Payload, Text, Token, microseconds, now, without_mention
from model import gesture_handles
from model.labels import Taxonomy
from model.reactions import Reaction, Signs, meaning_of
from model.schema import Message, Source

# A person's own words; every other subtype is Slack's or a bot's.
SPOKEN = {None, "file_share", "thread_broadcast", "me_message"}
# What Slack could not deliver comes again after a minute and after five more: until then an edit or a deletion may come first.
OVERTAKEN_WITHIN_S = 600


class MessageEvent(Payload):
    """`message` or `app_mention`, with a text that somebody wrote: a person, a bot, or we ourselves."""

    type: str = "message"
    channel: Id
    ts: Id
    user: Id | None = None
    bot_id: str | None = None
    text: Text | None = None
    thread_ts: Id | None = None
    channel_type: str | None = None

    def message(self, bot_user: str) -> Message | None:
        """Return the message that a person wrote, or None for a bot's, ours among them, and for one without a text."""
        if self.bot_id or self.user is None or self.user == bot_user or self.text is None:
            return None
        words = without_mention(self.text, bot_user)
        if self.channel_type == "im":
            source = Source.DIRECT
        elif words != self.text or self.type == "app_mention":
            source = Source.MENTION
        else:
            source = Source.CHANNEL
        return Message(
            channel=self.channel, ts=self.ts, user=self.user, text=words, source=source, thread_ts=self.thread_ts
        )  # fmt: skip


@dataclass(frozen=True)
class Edit:
    """A message has another text now."""

    channel: str
    ts: str
    text: str
    at: int  # Slack's time of the edit, microseconds
    whole: Message | None = None  # as it is now, for whoever has not heard of it yet


@dataclass(frozen=True)
class Deletion:
    """A message is gone."""

    channel: str
    ts: str
    at: int  # Slack's time of the deletion, microseconds


class _Changed(Payload):
    """The message inside `message_changed`, as it is now."""

    ts: Id
    subtype: str | None = None
    user: Id | None = None
    bot_id: str | None = None
    text: Text | None = None
    thread_ts: Id | None = None


class MessageChanged(Payload):
    """`message_changed`: an edit, an unfurled link, a new reply in the thread, or the end of a message that has a thread."""

    channel: Id
    channel_type: str | None = None
    message: _Changed
    previous_text: Text | None = Field(None, validation_alias=AliasPath("previous_message", "text"))
    # `edited.ts` is cut to the second, so a reaction of the same second would seem to come after it.
    at: Moment = Field(default_factory=now, validation_alias=AliasChoices("event_ts", AliasPath("message", "edited", "ts")))

    def change(self, bot_user: str) -> Edit | Deletion | None:
        """Return what happened to a person's message; None for bots and where the text is as it was."""
        message = self.message
        if message.subtype == "tombstone":
            # How Slack deletes a message that has a thread, as all that we answered have.
            return Deletion(self.channel, message.ts, self.at)
        if message.bot_id or message.user == bot_user or message.text is None or message.text == self.previous_text:
            return None
        whole = None
        if message.subtype in SPOKEN:
            whole = MessageEvent(
                channel=self.channel,
                channel_type=self.channel_type,
                **message.model_dump(include={"ts", "user", "text", "thread_ts"}),
            ).message(bot_user)
        return Edit(self.channel, message.ts, without_mention(message.text, bot_user), self.at, whole)


class MessageDeleted(Payload):
    """`message_deleted`: how a message without a thread goes."""

    channel: Id
    ts: Id = Field(validation_alias="deleted_ts")
    at: Moment = Field(default_factory=now, validation_alias="event_ts")

    def deletion(self) -> Deletion:
        """Return what happened."""
        return Deletion(self.channel, self.ts, self.at)


class ReactionEvent(Payload):
    """`reaction_added` or `reaction_removed`; on what is no message there is no channel."""

    type: str
    user: Id
    emoji: Text = Field(validation_alias="reaction")
    item_type: str = Field(validation_alias=AliasPath("item", "type"))
    channel: Id | None = Field(None, validation_alias=AliasPath("item", "channel"))
    ts: Id | None = Field(None, validation_alias=AliasPath("item", "ts"))
    item_user: Id | None = None  # who wrote it; of what a webhook posted there is none
    at: Moment = Field(default_factory=now, validation_alias="event_ts")

    def reaction(self, taxonomy: Taxonomy, signs: Signs, bot_user: str) -> tuple[MessageRef, Reaction] | None:
        """Return what the person says of which item; None for the bot's own reactions, and for what is on no message."""
        if self.item_type != "message" or self.channel is None or self.ts is None or self.user == bot_user:
            return None
        kind, labels = meaning_of(self.emoji, taxonomy, signs)
        return MessageRef(self.channel, self.ts), Reaction(
            user=self.user,
            handle=gesture_handles.of_reaction(self.user, self.ts, self.emoji),
            emoji=self.emoji,
            at=self.at,
            withdrawn=self.type == "reaction_removed",
            kind=kind,
            labels=labels,
            on_ours=self.item_user == bot_user,
        )


class ChannelJoined(Payload):
    """`member_joined_channel`."""

    channel: Id
    user: Id
    event_ts: Id


class ChannelIdChanged(Payload):
    """`channel_id_changed`."""

    old_channel_id: Id
    new_channel_id: Id


class ChannelChanged(Payload):
    """`channel_left`, `channel_deleted`, `channel_archive`, `channel_unarchive`, and the same of private channels."""

    channel: Id


class ChannelRenamed(Payload):
    """`channel_rename` or `group_rename`."""

    channel: Id = Field(validation_alias=AliasPath("channel", "id"))
    name: Text = Field(validation_alias=AliasPath("channel", "name"))


class UserChanged(Payload):
    """`user_change`: anything of a person's profile; here, what their gestures hang on."""

    user: Id = Field(validation_alias=AliasPath("user", "id"))
    team: Id | None = Field(None, validation_alias=AliasPath("user", "team_id"))
    is_restricted: bool = Field(False, validation_alias=AliasPath("user", "is_restricted"))
    is_ultra_restricted: bool = Field(False, validation_alias=AliasPath("user", "is_ultra_restricted"))
    is_stranger: bool = Field(False, validation_alias=AliasPath("user", "is_stranger"))
    is_bot: bool = Field(False, validation_alias=AliasPath("user", "is_bot"))

    def is_full_member(self, team: str | None) -> bool:
        """Return whether this is neither a guest, nor a bot, nor of another organisation."""
        foreign = self.is_stranger or (team is not None and self.team is not None and self.team != team)
        return not (foreign or self.is_restricted or self.is_ultra_restricted or self.is_bot)


class TokensRevoked(Payload):
    """`tokens_revoked`: of which bots, by their user ids; people's own tokens are none of ours."""

    bots: tuple[Id, ...] = Field((), validation_alias=AliasPath("tokens", "bot"))


class AppUninstalled(Payload):
    """`app_uninstalled`."""


class AppHomeOpened(Payload):
    """`app_home_opened`, by its tab; `channel` are the direct messages."""

    user: Id
    channel: Id | None = None
    tab: str | None = None


class FunctionExecuted(Payload):
    """`function_executed`: a workflow has come to a step of ours, and waits."""

    execution: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,64}$")] = Field(validation_alias="function_execution_id")
    callback_id: Token = Field(validation_alias=AliasPath("function", "callback_id"))
    text: Text | None = Field(None, validation_alias=AliasPath("inputs", "text"))
    message_link: Text | None = Field(None, validation_alias=AliasPath("inputs", "message_link"))


def may_overtake(change: Edit | Deletion) -> bool:
    """Return whether the message that changed is so young that the news of it may still be on its way."""
    return change.at - microseconds(change.ts) < OVERTAKEN_WITHIN_S * 1_000_000
