"""The handles of gestures: the names by which what one person did is taken back, or done again. They are kept for ever."""

# The store's column is no longer.
MOST = 255


def of_reaction(user: str, item_ts: str, name: str) -> str:
    """Return the handle of a reaction by its whole name, skin tone and all: Slack counts each tone as a reaction of its own."""
    return f"reaction/{user}/{item_ts}/{name}"[:MOST]


def of_button(user: str, item_ts: str) -> str:
    """Return the handle of "Correcto" under a reply: pressing it again says the same again."""
    return f"button/{user}/{item_ts}"


def of_label_button(user: str, item_ts: str, label: str) -> str:
    """Return the handle of the button that says of one label that it does not apply; pressing it again says the same again."""
    return f"{of_button(user, item_ts)}/{label}"[:MOST]


def denied_label(handle: str) -> str | None:
    """Return the label that was said not to apply, if this is the handle of such a button."""
    kind, *rest = handle.split("/", 3)
    return rest[2] if kind == "button" and len(rest) == 3 else None


def of_modal(user: str, message_ts: str, view_id: str) -> str:
    """Return the handle of one submission of the labels' modal; each is a word of its own."""
    return f"modal/{user}/{message_ts}/{view_id}"[:MOST]


def of_settling(user: str, message_ts: str, label: str) -> str:
    """Return the handle of a lead's decision about a label in dispute: deciding again replaces it."""
    return f"settle/{user}/{message_ts}/{label}"[:MOST]


def of_import(user: str, message_ts: str) -> str:
    """Return the handle of a line of a file: importing it again replaces what it said."""
    return f"import/{user}/{message_ts}"
