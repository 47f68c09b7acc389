"""Block Kit: what Slack accepts, and which defaults it fills in.

The tables below follow Slack's reference of blocks and elements (docs.slack.dev/reference/block-kit): for each type the
fields that are required and those that are allowed, with their limits. Anything else is refused, as Slack does.
"""

import json
import secrets
from collections.abc import Iterator
from typing import Any

from bot.simulator import newer_blocks
from bot.simulator.errors import Json, SlackError
from bot.simulator.shapes import (
    Check,
    Errors,
    Shape,
    anything,
    array,
    boolean,
    choice,
    integer,
    json_object,
    pattern,
    string,
    typed,
)
from bot.simulator.text_objects import CONFIRM, option, plain, text

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MENU_OPTIONS = 100
MESSAGE_CHARACTERS = 13_200  # of all blocks as JSON; undocumented, measured by users (bolt-js#2509)
VIEW_BYTES = 250_000

INPUT_ELEMENTS = frozenset({
    "plain_text_input", "static_select", "multi_static_select", "external_select", "multi_external_select", "users_select",
    "multi_users_select", "conversations_select", "multi_conversations_select", "channels_select", "multi_channels_select",
    "datepicker", "timepicker", "datetimepicker", "checkboxes", "radio_buttons", "email_text_input", "url_text_input",
    "number_input", "rich_text_input", "file_input",
})  # fmt: skip
ACTION_ELEMENTS = INPUT_ELEMENTS - {"file_input", "email_text_input", "url_text_input", "number_input"} | {
    "button", "overflow", "workflow_button",
}  # fmt: skip


def check_message(blocks: Any) -> list[Json]:
    """Return the blocks as Slack stores them; raises the error of chat.postMessage when they are not valid."""
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    errors: Errors = []
    _blocks(MESSAGE_BLOCKS, "message")(blocks, "/blocks", errors)
    if errors:
        raise SlackError("invalid_blocks", errors=errors, response_metadata={"messages": [f"[ERROR] {one}" for one in errors]})
    # A table may be longer than all of that by its own limits.
    counted = [block for block in blocks if block["type"] not in newer_blocks.TABLES]
    if len(json.dumps(counted, ensure_ascii=False, separators=(",", ":"))) > MESSAGE_CHARACTERS:
        raise SlackError("msg_blocks_too_long")
    return _complete_all(blocks)


def check_view(view: Any, kind: str) -> Json:
    """Return the view's own fields (type, blocks, title, ...) as Slack stores them; `kind` is "modal" or "home"."""
    if not isinstance(view, dict):
        raise _invalid(["must provide an object [json-pointer:/view]"])
    if len(json.dumps(view, ensure_ascii=False).encode()) > VIEW_BYTES:
        raise SlackError("view_too_large")
    errors: Errors = []
    if view.get("type") != kind:
        raise _invalid([f"must be a valid enum value; allowed: {kind} [json-pointer:/view/type]"])
    json_object(_VIEWS[kind])(view, "/view", errors)
    if not errors and kind == "modal" and "submit" not in view and any(block["type"] == "input" for block in view["blocks"]):
        errors.append("missing required field: submit [json-pointer:/view]")
    if errors:
        raise _invalid(errors)
    defaults: Json = {
        "private_metadata": "", "callback_id": "", "external_id": "", "title": None, "close": None, "submit": None,
        "clear_on_close": False, "notify_on_close": False,
    }  # fmt: skip
    texts = {key: _complete_text(view[key]) for key in ("title", "close", "submit") if view.get(key)}
    return {**defaults, **view, **texts, "blocks": _complete_all(view["blocks"])}


def check_options(answer: Json) -> list[Json]:
    """Return the options of an app's answer to `block_suggestion`, groups flattened; raises SlackError where Slack shows none."""
    errors: Errors = []
    if "option_groups" in answer:
        _GROUPS(answer["option_groups"], "/option_groups", errors)
    else:
        array(_ONE_OPTION, MENU_OPTIONS, 0)(answer.get("options"), "/options", errors)
    if errors:
        raise _invalid(errors)
    offered: list[Json] = answer.get("options") or [one for group in answer.get("option_groups", ()) for one in group["options"]]
    return [{**one, "text": _complete_text(one["text"])} for one in offered]


def elements(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Yield every interactive element with the block that contains it."""
    for block in blocks:
        yield from elements(block.get("child_blocks", []))
        inside = [*block.get("elements", ()), block.get("accessory"), block.get("element")]
        for element in inside:
            if isinstance(element, dict) and "action_id" in element:
                yield block, element


def _invalid(errors: Errors) -> SlackError:
    return SlackError("invalid_arguments", response_metadata={"messages": [f"[ERROR] {one}" for one in errors]})


# --- pieces ---


def _options(most: int) -> Check:
    return array(_ONE_OPTION, most)


# Only checkboxes and radio buttons may format their options.
_ONE_OPTION = option("plain_text")
_ONE_FORMATTED = option("plain_text", "mrkdwn")

# --- elements ---

_ACTION: dict[str, Check] = {"action_id": string(255), "confirm": CONFIRM, "focus_on_load": boolean}
_HINTED: dict[str, Check] = {**_ACTION, "placeholder": plain(150)}
_STRINGS = array(string(255), 100, 0)
_MULTI: dict[str, Check] = {"max_selected_items": integer(1, 100)}
_GROUPS = array(json_object(({"label": plain(75), "options": _options(100)}, {})), 100)
_STATIC: dict[str, Check] = {**_HINTED, "options": _options(100), "option_groups": _GROUPS}
_FILTERED: dict[str, Check] = {"filter": anything, "default_to_current_conversation": boolean, "response_url_enabled": boolean}
_TYPING: dict[str, Check] = {
    **_HINTED, "initial_value": string(3000), "min_length": integer(0, 3000), "max_length": integer(1, 3000),
    "dispatch_action_config": anything,
}  # fmt: skip

_ELEMENTS: dict[str, Shape] = {
    "button": (
        {"text": plain(75)},
        {
            **_ACTION,
            "url": string(3000),
            "value": string(2000),
            "style": choice("primary", "danger"),
            "accessibility_label": string(75),
        },
    ),
    "overflow": ({"options": array(option("plain_text", url=string(3000)), 5)}, _ACTION),
    "static_select": ({}, {**_STATIC, "initial_option": _ONE_OPTION}),
    "multi_static_select": ({}, {**_STATIC, **_MULTI, "initial_options": _options(100)}),
    "external_select": ({}, {**_HINTED, "initial_option": _ONE_OPTION, "min_query_length": integer(0, 300)}),
    "multi_external_select": ({}, {**_HINTED, **_MULTI, "initial_options": _options(100), "min_query_length": integer(0, 300)}),
    "users_select": ({}, {**_HINTED, "initial_user": string(255)}),
    "multi_users_select": ({}, {**_HINTED, **_MULTI, "initial_users": _STRINGS}),
    "conversations_select": ({}, {**_HINTED, **_FILTERED, "initial_conversation": string(255)}),
    "multi_conversations_select": ({}, {**_HINTED, **_FILTERED, **_MULTI, "initial_conversations": _STRINGS}),
    "channels_select": ({}, {**_HINTED, "initial_channel": string(255), "response_url_enabled": boolean}),
    "multi_channels_select": ({}, {**_HINTED, **_MULTI, "initial_channels": _STRINGS}),
    "datepicker": ({}, {**_HINTED, "initial_date": pattern(r"\d{4}-\d\d-\d\d", "a date YYYY-MM-DD")}),
    "timepicker": ({}, {**_HINTED, "initial_time": pattern(r"\d\d:\d\d", "a time HH:mm"), "timezone": string(255)}),
    "datetimepicker": ({}, {**_ACTION, "initial_date_time": integer(10**9, 10**10 - 1)}),
    "checkboxes": ({"options": array(_ONE_FORMATTED, 10)}, {**_ACTION, "initial_options": array(_ONE_FORMATTED, 10)}),
    "radio_buttons": ({"options": array(_ONE_FORMATTED, 10)}, {**_ACTION, "initial_option": _ONE_FORMATTED}),
    "plain_text_input": ({}, {**_TYPING, "multiline": boolean}),
    "email_text_input": ({}, _TYPING),
    "url_text_input": ({}, _TYPING),
    "number_input": (
        {"is_decimal_allowed": boolean},
        {
            **_HINTED,
            "initial_value": string(255),
            "min_value": string(255),
            "max_value": string(255),
            "dispatch_action_config": anything,
        },
    ),
    "rich_text_input": ({}, {**_HINTED, "initial_value": anything, "dispatch_action_config": anything}),
    "file_input": ({}, {"action_id": string(255), "filetypes": _STRINGS, "max_files": integer(1, 10)}),
    "workflow_button": ({"text": plain(75), "workflow": anything}, {**_ACTION, "style": choice("primary", "danger")}),
    "image": ({"alt_text": string(2000)}, {"image_url": string(3000), "slack_file": anything}),
    "mrkdwn": ({"text": string(3000, 1)}, {"verbatim": boolean}),
    "plain_text": ({"text": string(3000, 1)}, {"emoji": boolean}),
}
_NEEDS_ONE_OF = {
    "static_select": ("options", "option_groups"), "multi_static_select": ("options", "option_groups"),
    "image": ("image_url", "slack_file"), "section": ("text", "fields"),
}  # fmt: skip

# --- blocks ---

_ID: dict[str, Check] = {"block_id": string(255)}
_BLOCKS: dict[str, Shape] = {
    "section": (
        {},
        {
            **_ID, "text": text(3000), "fields": array(text(2000), 10), "expand": boolean,
            "accessory": typed(_ELEMENTS, ACTION_ELEMENTS - {"plain_text_input"} | {"image"}),
        },
    ),
    "divider": ({}, _ID),
    "header": ({"text": plain(150)}, _ID),
    "context": ({"elements": array(typed(_ELEMENTS, frozenset({"image", "mrkdwn", "plain_text"})), 10)}, _ID),
    "actions": ({"elements": array(typed(_ELEMENTS, ACTION_ELEMENTS), 25)}, _ID),
    "image": (
        {"alt_text": string(2000)}, {**_ID, "image_url": string(3000), "slack_file": anything, "title": plain(2000)},
    ),
    "input": (
        {"label": plain(2000), "element": typed(_ELEMENTS, INPUT_ELEMENTS)},
        {**_ID, "hint": plain(2000), "optional": boolean, "dispatch_action": boolean},
    ),
    "video": (
        {"alt_text": string(2000), "title": plain(199), "thumbnail_url": string(3000), "video_url": string(3000)},
        {
            **_ID, "author_name": string(49), "description": plain(200), "provider_icon_url": string(3000),
            "provider_name": string(255), "title_url": string(3000),
        },
    ),
    "markdown": ({"text": string(12_000, 1)}, _ID),
}  # fmt: skip


def _contained(value: Any, path: str, errors: Errors) -> None:
    typed(_BLOCKS, newer_blocks.CONTAINED)(value, path, errors)


_BLOCKS |= newer_blocks.shapes(_contained)


def _blocks(most: int, surface: str) -> Check:
    check_list = array(typed(_BLOCKS), most, 0)

    def check(value: Any, path: str, errors: Errors) -> None:
        check_list(value, path, errors)
        if errors:
            return
        seen: set[str] = set()
        for n, block in enumerate(value):
            here = f"{path}/{n}"
            if surface not in newer_blocks.SURFACES.get(block["type"], {surface}):
                errors.append(f"unsupported type: {block['type']} [json-pointer:{here}/type]")
            for at, one in _with_contained(block, here):
                if one.get("block_id") and one["block_id"] in seen:
                    errors.append(f"block_id must be unique: {one['block_id']} [json-pointer:{at}/block_id]")
                seen.add(one.get("block_id", ""))
                _check_inside(one, at, errors)
                newer_blocks.check_inside(one, at, errors)
        newer_blocks.check_together(value, errors)

    return check


def _with_contained(block: Json, path: str) -> Iterator[tuple[str, Json]]:
    yield path, block
    for n, one in enumerate(block.get("child_blocks", ())):
        yield f"{path}/child_blocks/{n}", one


def _check_inside(block: Json, path: str, errors: Errors) -> None:
    """Check what the tables cannot express: one of two fields, and action ids that are unique in their block."""
    inside = [*block.get("elements", ()), block.get("accessory"), block.get("element")]
    parts = [block, *(part for part in inside if isinstance(part, dict))]
    for part in parts:
        names = _NEEDS_ONE_OF.get(part.get("type", ""))
        if names and not any(name in part for name in names):
            errors.append(f"missing required field: {' or '.join(names)} [json-pointer:{path}]")
        if not _initial_is_offered(part):
            errors.append(f"initial option must match one of the options [json-pointer:{path}]")
    ids = [part["action_id"] for part in parts if part.get("action_id")]
    if len(ids) != len(set(ids)):
        errors.append(f"`action_id` must be unique in its block [json-pointer:{path}]")


def _initial_is_offered(element: Json) -> bool:
    offered = [*element.get("options", ()), *(one for group in element.get("option_groups", ()) for one in group["options"])]
    wanted = [*element.get("initial_options", ()), *([element["initial_option"]] if "initial_option" in element else ())]
    values = {one["value"] for one in offered}
    return element.get("type", "").endswith("external_select") or all(one["value"] in values for one in wanted)


_VIEW_FIELDS: dict[str, Check] = {"private_metadata": string(3000), "callback_id": string(255), "external_id": string(255)}
_VIEWS: dict[str, Shape] = {
    "modal": (
        {"title": plain(24), "blocks": _blocks(VIEW_BLOCKS, "modal")},
        {
            **_VIEW_FIELDS, "submit": plain(24), "close": plain(24), "clear_on_close": boolean, "notify_on_close": boolean,
            "submit_disabled": boolean,
        },
    ),
    "home": ({"blocks": _blocks(VIEW_BLOCKS, "home")}, _VIEW_FIELDS),
}  # fmt: skip


# --- what Slack fills in ---


def _complete_all(blocks: list[Json]) -> list[Json]:
    return [_complete_block(block) for block in blocks]


def _complete_block(block: Json) -> Json:
    done: Json = {"block_id": secrets.token_urlsafe(4), **block}
    if not done["block_id"]:
        done["block_id"] = secrets.token_urlsafe(4)
    for name in ("text", "label", "hint", "title"):
        if isinstance(done.get(name), dict):
            done[name] = _complete_text(done[name])
    if done["type"] == "input":
        done = {"optional": False, "dispatch_action": False, **done}
    if "child_blocks" in done:
        done["child_blocks"] = _complete_all(done["child_blocks"])
    if done["type"] in ("actions", "context", "context_actions"):
        done["elements"] = [_complete_element(one) for one in done["elements"]]
    for name in ("accessory", "element"):
        if name in done:
            done[name] = _complete_element(done[name])
    if "fields" in done:
        done["fields"] = [_complete_text(one) for one in done["fields"]]
    return done


def _complete_element(element: Json) -> Json:
    if element["type"] in ("plain_text", "mrkdwn"):
        return _complete_text(element)
    done = {**element}
    if element["type"] != "image" and not element.get("action_id"):
        done["action_id"] = secrets.token_urlsafe(4)
    for name in ("text", "placeholder"):
        if name in done:
            done[name] = _complete_text(done[name])
    for name in ("positive_button", "negative_button"):
        if name in done:
            done[name] = {**done[name], "text": _complete_text(done[name]["text"])}
    if "options" in done:
        done["options"] = [{**one, "text": _complete_text(one["text"])} for one in done["options"]]
    for name in ("initial_option", "initial_options"):
        if name in done:
            one = done[name]
            done[name] = (
                [{**o, "text": _complete_text(o["text"])} for o in one]
                if isinstance(one, list)
                else {**one, "text": _complete_text(one["text"])}
            )
    return done


def _complete_text(text: Json) -> Json:
    return (
        {**text, "emoji": text.get("emoji", True)}
        if text["type"] == "plain_text"
        else {**text, "verbatim": text.get("verbatim", False)}
    )
