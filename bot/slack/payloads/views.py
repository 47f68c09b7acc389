"""Views: what a person does in our modals and on the Home tab, and what a modal was opened about."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AliasChoices, AliasPath, BeforeValidator, Field, Json, StrictInt

from bot.slack.payloads.interactions import Pressed
from bot.slack.payloads.payload import Id, Payload, Text, Token
from bot.views.blocks import CHOICE, NOTE


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


class _Chosen(Pressed):
    selected: Text | None = Field(None, validation_alias=AliasPath("selected_option", "value"))


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
