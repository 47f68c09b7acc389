"""What a person chose and typed in the elements of a message or a view: `state.values` as Slack sends it."""

from bot.simulator import blocks
from bot.simulator.errors import Json, SlackError

# For each kind of element: the field that holds what a person chose, and the field with its initial value.
_SELECTIONS: dict[str, tuple[str, str]] = {
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "radio_buttons": ("selected_option", "initial_option"),
    "overflow": ("selected_option", ""),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "checkboxes": ("selected_options", "initial_options"),
    "users_select": ("selected_user", "initial_user"),
    "multi_users_select": ("selected_users", "initial_users"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
    "plain_text_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "rich_text_input": ("rich_text_value", "initial_value"),
}


def initial_values(view_blocks: list[Json]) -> Json:
    """Return `state.values` of blocks in which nobody has typed or chosen anything."""
    values: Json = {}
    for block, element in blocks.elements(view_blocks):
        if element["type"] in _SELECTIONS and element["type"] != "overflow":
            name, initial = _SELECTIONS[element["type"]]
            empty: object = [] if name.endswith("s") else None
            one = {"type": element["type"], name: element.get(initial, empty)}
            values.setdefault(block["block_id"], {})[element["action_id"]] = one
    return values


def filled(view: Json, given: Json) -> Json:
    """Return `state.values` of the view with the values given since; values of elements that the view lacks are left out."""
    values: Json = initial_values(view["blocks"])
    for source in (view["state"]["values"], given):
        for block_id, actions in source.items():
            known = values.get(block_id, {})
            known.update({action_id: state for action_id, state in actions.items() if action_id in known})
    return values


def choice(element: Json, chosen: Json) -> Json:
    """Return the chosen field in Slack's form. An option is given whole or by its value, under its field's name or as `value`."""
    if element["type"] not in _SELECTIONS:
        raise SlackError("unsupported_element")
    name, _ = _SELECTIONS[element["type"]]
    given = chosen.get(name, chosen.get("value", chosen.get("values")))
    if name == "selected_option":
        return {name: _offered(element, given)}
    if name == "selected_options":
        return {name: [_offered(element, one) for one in given or ()]}
    return {name: given}


def thumb(element: Json, chosen: Json) -> Json:
    """Return which of the two feedback buttons was pressed, in Slack's form: its value, and its text."""
    for name in ("positive_button", "negative_button"):
        if element[name]["value"] == chosen.get("value"):
            return {"value": element[name]["value"], "text": element[name]["text"]}
    raise SlackError("unknown_option")


def _offered(element: Json, given: object) -> Json:
    value = given.get("value") if isinstance(given, dict) else given
    offered = [*element.get("options", ()), *(one for group in element.get("option_groups", ()) for one in group["options"])]
    for option in offered:
        if option["value"] == value:
            return dict(option)
    raise SlackError("unknown_option")


def note(values: Json, block: Json, element: Json, action: Json) -> None:
    """Put what the action says of the element into `values`."""
    if element["type"] in _SELECTIONS and element["type"] != "overflow":
        name, _ = _SELECTIONS[element["type"]]
        values.setdefault(block["block_id"], {})[element["action_id"]] = {"type": element["type"], name: action[name]}


def find(in_blocks: list[Json], action_id: str, block_id: str | None) -> tuple[Json, Json]:
    """Return the element with its block; raises action_not_found."""
    for block, element in blocks.elements(in_blocks):
        if element["action_id"] == action_id and block_id in (None, block["block_id"]):
            return block, element
    raise SlackError("action_not_found")


def unfilled(view_blocks: list[Json], values: Json) -> dict[str, str]:
    """Return what Slack's client refuses before the app is told: required fields that are empty, text of a wrong length."""
    errors: dict[str, str] = {}
    for block in view_blocks:
        if block["type"] != "input":
            continue
        element = block["element"]
        state = values.get(block["block_id"], {}).get(element["action_id"], {})
        name = _SELECTIONS.get(element["type"], ("value", ""))[0]
        given = state.get(name)
        if not given and not block.get("optional"):
            errors[block["block_id"]] = "Completa este campo obligatorio."
        elif isinstance(given, str) and len(given) > element.get("max_length", 3000):
            errors[block["block_id"]] = f"Como máximo {element.get('max_length', 3000)} caracteres."
        elif isinstance(given, str) and given and len(given) < element.get("min_length", 0):
            errors[block["block_id"]] = f"Al menos {element['min_length']} caracteres."
    return errors
