"""What Slack sends, as types: each request is parsed once, where it comes in, and listeners get the result.

Every model holds what our listeners need of one surface and ignores the rest; a request that lacks any of it is None.
Ids and times are as long as the store's columns, and texts are such as a database keeps.
"""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Json,
    StrictInt,
    StringConstraints,
    ValidationError,
)

from bot.views.blocks import CHOICE, NOTE
from model import gesture_handles
from model.labels import Taxonomy
from model.reactions import Reaction, Signs, meaning_of
from model.schema import Message, Source, plain_text

# A person's own words; every other subtype is Slack's or a bot's.
SPOKEN = {None, "file_share", "thread_broadcast", "me_message"}
# Slack sends at most this many characters of a message; anything longer is not Slack's.
LONGEST = 40_000
# What Slack could not deliver comes again after a minute and after five more: until then an edit or a deletion may come first.
OVERTAKEN_WITHIN_S = 600


def microseconds(ts: object) -> int:
    """Return Slack's `1716400000.123456` as an integer, exactly; the present time for what is none."""
    seconds, _, fraction = str(ts).partition(".")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 12) or not (fraction.isascii() and fraction.isdigit()):
        return time.time_ns() // 1000
    return int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))


def _now() -> int:
    return time.time_ns() // 1000


# An id or a time of Slack's.
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,32}$")]
# What a person typed, or what is named by one.
Text = Annotated[str, BeforeValidator(lambda value: plain_text(value) if isinstance(value, str) else value)]
# What is given back to Slack as it came.
Token = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
# A moment of Slack's, in microseconds.
Moment = Annotated[int, BeforeValidator(microseconds)]


class MessageRef(NamedTuple):
    """Where a message stands: its channel and its `ts`."""

    channel: str
    ts: str


class Payload(BaseModel):
    """Base of what Slack sends. Errors never quote it: it is people's words."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Other(Payload):
    """What no listener of ours wants: it is acknowledged and forgotten."""


# Events


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
    at: Moment = Field(default_factory=_now, validation_alias=AliasChoices("event_ts", AliasPath("message", "edited", "ts")))

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
    at: Moment = Field(default_factory=_now, validation_alias="event_ts")

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
    at: Moment = Field(default_factory=_now, validation_alias="event_ts")

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


# What somebody asks for


class SlashCommand(Payload):
    """`/beto TEXT`."""

    command: Token
    channel: Id = Field(validation_alias="channel_id")
    user: Id = Field(validation_alias="user_id")
    text: Text | None = None
    trigger_id: Token
    response_url: Token = Field(repr=False)


class _Pressed(Payload):
    action_id: Token
    type: Token
    at: Moment = Field(default_factory=_now, validation_alias="action_ts")
    value: Text = ""


class _Chosen(_Pressed):
    selected: Text | None = Field(None, validation_alias=AliasPath("selected_option", "value"))


class ButtonClick(Payload):
    """`block_actions` on a message."""

    # Only what stands on a message is ours.
    on: Literal["message"] = Field(validation_alias=AliasPath("container", "type"))
    channel: Id = Field(validation_alias=AliasPath("container", "channel_id"))
    ts: Id = Field(validation_alias=AliasPath("container", "message_ts"))
    user: Id = Field(validation_alias=AliasPath("user", "id"))
    actions: tuple[_Pressed, ...] = Field(min_length=1)
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


class Opened(Payload):
    """What one of our modals was opened about, which Slack keeps as `private_metadata`: nobody else can write it."""

    message: Annotated[StrictInt, Field(ge=0, lt=2**31)] | None = None
    person: Id | None = None
    seen: str | None = None  # what the modal of labels showed, as a hash
    label: Text | None = None  # that is to be changed, merged or retired
    card: Annotated[StrictInt, Field(ge=0, lt=2**31)] | None = None  # of the review
    offset_s: Annotated[StrictInt, Field(ge=-86_400, le=86_400)] = 0  # of the reviewer's clock from UTC
    days: Annotated[StrictInt, Field(ge=0, le=366)] | None = None  # of a summary, before today
    version: Annotated[StrictInt, Field(ge=0, lt=2**31)] | None = None
    channel: Id | None = None  # where it was asked for
    route: Annotated[StrictInt, Field(ge=0, lt=2**31)] | None = None  # that is to be changed


class ViewClick(Payload):
    """`block_actions` in one of our modals, or on the Home tab: a button, or an entry of a menu."""

    on: Literal["view"] = Field(validation_alias=AliasPath("container", "type"))
    user: Id = Field(validation_alias=AliasPath("user", "id"))
    view_id: Token = Field(validation_alias=AliasPath("view", "id"))
    root_view_id: Token = Field(validation_alias=AliasPath("view", "root_view_id"))
    hash: Token | None = Field(None, validation_alias=AliasPath("view", "hash"))
    actions: tuple[_Chosen, ...] = Field(min_length=1)
    trigger_id: Token
    opened: Annotated[Json[Opened], BeforeValidator(lambda value: value or "{}")] = Field(
        Opened(), validation_alias=AliasPath("view", "private_metadata")
    )

    @property
    def value(self) -> str:
        """What the button, or the chosen entry, stands for."""
        first = self.actions[0]
        return first.value if first.selected is None else first.selected

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


class FunctionExecuted(Payload):
    """`function_executed`: a workflow has come to a step of ours, and waits."""

    execution: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]{1,64}$")] = Field(validation_alias="function_execution_id")
    callback_id: Token = Field(validation_alias=AliasPath("function", "callback_id"))
    text: Text | None = Field(None, validation_alias=AliasPath("inputs", "text"))
    message_link: Text | None = Field(None, validation_alias=AliasPath("inputs", "message_link"))


class LabelSearch(Payload):
    """`block_suggestion`: what somebody typed so far in the menu of labels."""

    action_id: Token
    user: Id = Field(validation_alias=AliasPath("user", "id"))
    typed: Text = Field(validation_alias="value")


class _Option(Payload):
    value: Token


class _Field(Payload):
    value: Text | None = None
    options: tuple[_Option, ...] | None = Field(None, validation_alias="selected_options")
    selected: Text | None = Field(None, validation_alias=AliasPath("selected_option", "value"))
    time: Text | None = Field(None, validation_alias="selected_time")
    one: Id | None = Field(None, validation_alias="selected_conversation")
    ids: tuple[Id, ...] | None = Field(None, validation_alias=AliasChoices("selected_conversations", "selected_users"))


class ViewSubmission(Payload):
    """`view_submission`, or `view_closed`, of one of our modals, with what was chosen and noted in that of labels."""

    user: Id = Field(validation_alias=AliasPath("user", "id"))
    view_id: Token = Field(validation_alias=AliasPath("view", "id"))
    root_view_id: Token | None = Field(None, validation_alias=AliasPath("view", "root_view_id"))
    callback_id: Token = Field(validation_alias=AliasPath("view", "callback_id"))
    view_type: Token = Field(validation_alias=AliasPath("view", "type"))
    opened: Annotated[Json[Opened], BeforeValidator(lambda value: value or "{}")] = Field(
        Opened(), validation_alias=AliasPath("view", "private_metadata")
    )
    # Each block of ours holds one element of its own name.
    options: tuple[_Option, ...] | None = Field(
        None, validation_alias=AliasPath("view", "state", "values", CHOICE, CHOICE, "selected_options")
    )
    text: Text | None = Field(None, validation_alias=AliasPath("view", "state", "values", NOTE, NOTE, "value"))

    fields: Mapping[str, Mapping[str, "_Field"]] = Field({}, validation_alias=AliasPath("view", "state", "values"))

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names of the chosen labels."""
        return tuple(option.value for option in self.options or ())

    def field(self, name: str) -> str:
        """Return what was typed or chosen in the block with this name, without spaces around it; "" for nothing."""
        element = self.fields.get(name, {}).get(name)
        return "" if element is None else (element.value or element.selected or element.time or "").strip()

    def ids(self, name: str) -> tuple[str, ...]:
        """Return the people or channels that were chosen in the block with this name."""
        element = self.fields.get(name, {}).get(name)
        return () if element is None else (element.ids or ((element.one,) if element.one else ()))

    def options_of(self, name: str) -> tuple[str, ...]:
        """Return the values that were ticked in the block with this name."""
        element = self.fields.get(name, {}).get(name)
        return () if element is None else tuple(option.value for option in element.options or ())

    @property
    def chosen_anywhere(self) -> tuple[str, ...]:
        """The names of all that is chosen, whatever the blocks are called: each card of the review has blocks of its own."""
        elements = [element for block in self.fields.values() for element in block.values()]
        return tuple(dict.fromkeys(option.value for element in elements for option in element.options or ()))

    @property
    def noted_anywhere(self) -> str | None:
        """What the person noted, likewise."""
        notes = [block[NOTE].value or "" for block in self.fields.values() if NOTE in block]
        return "".join(notes).strip() or None

    @property
    def note(self) -> str | None:
        """What the person noted; None for nothing but spaces."""
        return (self.text or "").strip() or None


# Parsing


class _Envelope(Payload):
    """What Bolt itself reads of a request before any listener does."""

    type: str | None = None
    command: str | None = None
    callback_id: str | None = None
    team: Mapping[str, Any] | None = None
    view: Mapping[str, Any] | None = None
    container: Mapping[str, Any] | None = None
    event: Mapping[str, Any] | None = None


class _AnyEvent(Payload):
    type: Token
    subtype: str | None = None


EVENTS: dict[str, type[Payload]] = {
    "message": MessageEvent,
    "app_mention": MessageEvent,
    "reaction_added": ReactionEvent,
    "reaction_removed": ReactionEvent,
    "member_joined_channel": ChannelJoined,
    "channel_id_changed": ChannelIdChanged,
    "channel_left": ChannelChanged,
    "group_left": ChannelChanged,
    "channel_deleted": ChannelChanged,
    "group_deleted": ChannelChanged,
    "channel_archive": ChannelChanged,
    "group_archive": ChannelChanged,
    "channel_unarchive": ChannelChanged,
    "group_unarchive": ChannelChanged,
    "channel_rename": ChannelRenamed,
    "group_rename": ChannelRenamed,
    "user_change": UserChanged,
    "tokens_revoked": TokensRevoked,
    "app_uninstalled": AppUninstalled,
    "app_home_opened": AppHomeOpened,
    "function_executed": FunctionExecuted,
}
SUBTYPES: dict[str, type[Payload]] = {"message_changed": MessageChanged, "message_deleted": MessageDeleted}
INTERACTIONS: dict[str | None, type[Payload]] = {
    "block_actions": ButtonClick,
    "view_submission": ViewSubmission,
    "view_closed": ViewSubmission,
    "message_action": MessageShortcut,
    "block_suggestion": LabelSearch,
}
# What somebody did whom the answer is for, and nobody else.
FROM_A_PERSON = (SlashCommand, ButtonClick, ViewClick, ViewSubmission, MessageShortcut, LabelSearch)


def parse(body: object) -> Payload | None:
    """Return what a request says, `Other` for what no listener wants, or None for what lacks what Slack always sends."""
    try:
        envelope = _Envelope.model_validate(body)
        if envelope.type == "event_callback" and envelope.command is None:
            return parse_event(envelope.event)
        if envelope.command is not None:
            return SlashCommand.model_validate(body) if envelope.type is None else None
        if envelope.type == "block_actions" and (envelope.container or {}).get("type") == "view":
            return ViewClick.model_validate(body)
        if envelope.type in INTERACTIONS:
            return INTERACTIONS[envelope.type].model_validate(body)
    except ValidationError:
        return None
    # Bolt would look into these.
    return None if {"actions", "view", "callback_id", "event"} & set(body) else Other()  # type: ignore[call-overload]  # a mapping: the envelope is valid


def parse_event(event: object) -> Payload:
    """Return what an event of the Events API says, or `Other`; ValidationError where it lacks what Slack always sends."""
    kind = _AnyEvent.model_validate(event)
    model = EVENTS.get(kind.type, Other)
    if model is MessageEvent and kind.subtype not in SPOKEN:
        model = SUBTYPES.get(str(kind.subtype), Other)
    return model.model_validate(event)


def kind_of(payload: Payload, body: Mapping[str, Any]) -> str:
    """Return the kind of request that this was parsed from, one of the few that we listen to; `other` for all the rest."""
    if isinstance(payload, Other):
        return "other"
    if body.get("command") is not None:
        return "command"
    event = body.get("event") or {}
    if type(payload) in SUBTYPES.values():
        return str(event["subtype"])
    return str(event.get("type") or body.get("type"))


# What it means


def without_mention(text: str, bot_user: str) -> str:
    """Return `text` without the words that call the bot, cut at Slack's own limit."""
    return (text.replace(f"<@{bot_user}>", " ").strip() if f"<@{bot_user}>" in text else text)[:LONGEST]


def may_overtake(change: Edit | Deletion) -> bool:
    """Return whether the message that changed is so young that the news of it may still be on its way."""
    return change.at - microseconds(change.ts) < OVERTAKEN_WITHIN_S * 1_000_000


def is_sampled(message: Message, percent: float) -> bool:
    """Return whether a message is among `percent` of all, by chance, and the same however often Slack sends it."""
    key = f"{message.channel}:{message.ts}"
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64 < percent / 100
