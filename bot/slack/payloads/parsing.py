"""Parsing: which of the payloads a request is."""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from bot.slack.payloads.events import (
    SPOKEN,
    AppHomeOpened,
    AppUninstalled,
    ChannelChanged,
    ChannelIdChanged,
    ChannelJoined,
    ChannelRenamed,
    FunctionExecuted,
    MessageChanged,
    MessageDeleted,
    MessageEvent,
    ReactionEvent,
    TokensRevoked,
    UserChanged,
)
from bot.slack.payloads.interactions import ButtonClick, LabelSearch, MessageShortcut, SlashCommand
from bot.slack.payloads.payload import Payload, Token
from bot.slack.payloads.views import ViewClick, ViewSubmission


class Other(Payload):
    """What no listener of ours wants: it is acknowledged and forgotten."""


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
