"""The blocks that Slack has had since late 2025: what they may hold, how much, and where they may stand.

Fields and limits are those of Slack's reference (docs.slack.dev/reference/block-kit/blocks) and of its SDKs' types. What those do
not tell was met by others: two charts a message (github.com/vercel/chat/pull/696), one table a message. Where the reference tells
no surface, a block is taken in messages alone.
"""

from bot.simulator.errors import Json
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
    number,
    pattern,
    string,
    typed,
)
from bot.simulator.text_objects import CONFIRM, plain, text

MESSAGE, MODAL, HOME = "message", "modal", "home"
# Blocks that do not stand everywhere (docs.slack.dev/blocks.json; alert: slackapi/node-slack-sdk#2567).
SURFACES: dict[str, frozenset[str]] = {
    "alert": frozenset({MODAL}),
    "container": frozenset({MESSAGE}),
    "context_actions": frozenset({MESSAGE}),
    "data_table": frozenset({MESSAGE}),
    "data_visualization": frozenset({MESSAGE}),
    "markdown": frozenset({MESSAGE}),
    "plan": frozenset({MESSAGE}),
    "table": frozenset({MESSAGE, HOME}),
    "task_card": frozenset({MESSAGE}),
}
# Of these a message takes only so many.
MOST: dict[str, tuple[int, str]] = {"data_visualization": (2, "charts"), "table": (1, "table")}
TABLES = frozenset({"table", "data_table", "data_visualization"})
CONTAINED = frozenset({
    "actions", "context", "divider", "header", "image", "input", "rich_text", "section", "table", "video",
})  # fmt: skip
COLUMNS = 20
TABLE_CHARACTERS = 10_000

_ID: dict[str, Check] = {"block_id": string(255)}
_NAMED: dict[str, Check] = {"action_id": string(255)}

# --- rich text ---

_STYLE = json_object(({}, dict.fromkeys(("bold", "italic", "strike", "code", "underline", "highlight"), boolean)))
_STYLED: dict[str, Check] = {"style": _STYLE}
_RUNS: dict[str, Shape] = {
    "text": ({"text": string(3000, 1)}, _STYLED),
    "link": ({"url": string(3000, 1)}, {**_STYLED, "text": string(3000), "unsafe": boolean}),
    "emoji": ({"name": string(255, 1)}, {**_STYLED, "unicode": string(255), "skin_tone": integer(1, 6), "url": string(3000)}),
    "user": ({"user_id": string(255, 1)}, _STYLED),
    "channel": ({"channel_id": string(255, 1)}, _STYLED),
    "usergroup": ({"usergroup_id": string(255, 1)}, _STYLED),
    "broadcast": ({"range": choice("here", "channel", "everyone")}, _STYLED),
    "date": ({"timestamp": anything, "format": string(255, 1)}, {**_STYLED, "url": string(3000), "fallback": string(255)}),
    "color": ({"value": pattern("#[0-9A-Fa-f]{6}", "a colour #RRGGBB")}, _STYLED),
    "team": ({"team_id": string(255, 1)}, _STYLED),
}
_RUN = array(typed(_RUNS), 1000, 0)
_SECTION: dict[str, Shape] = {"rich_text_section": ({"elements": _RUN}, {})}
_PARTS: dict[str, Shape] = {
    **_SECTION,
    "rich_text_quote": ({"elements": _RUN}, {"border": integer(0, 1)}),
    "rich_text_preformatted": ({"elements": _RUN}, {"border": integer(0, 1), "language": string(255)}),
    "rich_text_list": (
        {"style": choice("bullet", "ordered"), "elements": array(typed(_SECTION), 1000)},
        {"indent": integer(0, 8), "offset": integer(0, 10**6), "border": integer(0, 1)},
    ),
}
RICH_TEXT: Shape = ({"elements": array(typed(_PARTS), 1000, 0)}, _ID)
_RICH_TEXT = typed({"rich_text": RICH_TEXT})

# --- feedback ---

_THUMB = json_object(({"text": plain(75), "value": string(2000, 1)}, {"accessibility_label": string(75)}))
CONTEXT_ELEMENTS: dict[str, Shape] = {
    "feedback_buttons": ({"positive_button": _THUMB, "negative_button": _THUMB}, _NAMED),
    "icon_button": (
        {"icon": choice("trash"), "text": plain(75)},
        {
            **_NAMED,
            "accessibility_label": string(75),
            "value": string(2000),
            "visible_to_user_ids": array(string(255), 10),
            "confirm": CONFIRM,
        },
    ),
}

# --- tables ---

_CELLS: dict[str, Shape] = {
    "raw_text": ({"text": string(3000, 1)}, {}),
    "raw_number": ({"value": number, "text": string(3000, 1)}, {}),
    "rich_text": RICH_TEXT,
}
_COLUMN = json_object(({}, {"align": choice("left", "center", "right"), "is_wrapped": boolean}))


def _columns(value: object, path: str, errors: Errors) -> None:
    """Check the settings of columns, where null leaves one as it is."""
    array(lambda one, at, found: None if one is None else _COLUMN(one, at, found), COLUMNS, 0)(value, path, errors)


def _cells(most: int, least: int) -> Check:
    rows = array(array(typed(_CELLS), COLUMNS), most, least)

    def check(value: object, path: str, errors: Errors) -> None:
        rows(value, path, errors)
        if not errors and isinstance(value, list) and len({len(row) for row in value}) > 1:
            errors.append(f"all rows must have as many cells [json-pointer:{path}]")

    return check


# --- charts ---

_WORD = string(20, 1)
_POINT = json_object(({"label": _WORD, "value": number}, {}))
_SERIES: Shape = (
    {
        "series": array(json_object(({"name": _WORD, "data": array(_POINT, 20)}, {})), 6),
        "axis_config": json_object(({"categories": array(_WORD, 20)}, {"x_label": string(50), "y_label": string(50)})),
    },
    {},
)
_SEGMENT = json_object(({"label": _WORD, "value": number}, {}))
_CHARTS: dict[str, Shape] = {"pie": ({"segments": array(_SEGMENT, 6)}, {}), **dict.fromkeys(("bar", "area", "line"), _SERIES)}

# --- tasks ---

_SOURCE = typed({"url": ({"url": string(3000, 1), "text": string(255, 1)}, {})})
_TASK: Shape = (
    {"task_id": string(255, 1), "title": string(255, 1)},
    {
        **_ID,
        "status": choice("pending", "in_progress", "complete", "error"),
        "details": _RICH_TEXT,
        "output": _RICH_TEXT,
        "sources": array(_SOURCE, 50, 0),
    },
)


def shapes(contained: Check) -> dict[str, Shape]:
    """Return the shape of each block; `contained` checks a block inside a container."""
    return {
        "rich_text": RICH_TEXT,
        "context_actions": ({"elements": array(typed(CONTEXT_ELEMENTS), 5)}, _ID),
        "table": ({"rows": _cells(100, 1)}, {**_ID, "column_settings": _columns}),
        "data_table": (
            {"rows": _cells(101, 2), "caption": string(255, 1)},
            {**_ID, "page_size": integer(1, 100), "row_header_column_index": integer(0, COLUMNS - 1)},
        ),
        "data_visualization": ({"title": string(50, 1), "chart": typed(_CHARTS)}, _ID),
        "task_card": _TASK,
        "plan": ({"title": string(255, 1)}, {**_ID, "tasks": array(json_object(_TASK), 50, 0)}),
        "alert": ({"text": text(3000)}, {**_ID, "level": choice("default", "info", "warning", "error", "success")}),
        "container": (
            {"child_blocks": array(contained, 10)},
            {
                **_ID,
                "title": plain(150),
                "rich_text_title": _RICH_TEXT,
                "subtitle": text(150),
                "width": choice("narrow", "standard", "wide", "full"),
                "icon": anything,
                "is_collapsible": boolean,
                "default_collapsed": boolean,
                "has_header_divider": boolean,
            },
        ),
    }


def check_inside(block: Json, path: str, errors: Errors) -> None:
    """Check what no table of fields can tell: what belongs together within one block."""
    match block["type"]:
        case "data_table" if any(cell["type"] == "rich_text" for cell in block["rows"][0]):
            errors.append(f"the header row takes no rich_text [json-pointer:{path}/rows/0]")
        case "table":
            said = sum(len(cell.get("text", "")) for row in block["rows"] for cell in row)
            if said > TABLE_CHARACTERS:
                errors.append(f"no more than {TABLE_CHARACTERS} characters allowed in all cells [json-pointer:{path}/rows]")
        case "data_visualization":
            _check_chart(block["chart"], f"{path}/chart", errors)
        case "plan":
            names = [task["task_id"] for task in block.get("tasks", ())]
            if len(names) != len(set(names)):
                errors.append(f"`task_id` must be unique in its plan [json-pointer:{path}/tasks]")
        case "container":
            _check_container(block, path, errors)


def check_together(blocks: list[Json], errors: Errors) -> None:
    """Check of what there may not be more in one message."""
    for kind, (most, called) in MOST.items():
        if sum(block["type"] == kind for block in blocks) > most:
            errors.append(f"only {most} {called} allowed in a message [json-pointer:/blocks]")


def _check_chart(chart: Json, path: str, errors: Errors) -> None:
    if chart["type"] == "pie":
        if any(segment["value"] <= 0 for segment in chart["segments"]):
            errors.append(f"segments must be positive [json-pointer:{path}/segments]")
        return
    categories = chart["axis_config"]["categories"]
    if len(categories) != len(set(categories)):
        errors.append(f"categories must be unique [json-pointer:{path}/axis_config/categories]")
    names = [series["name"] for series in chart["series"]]
    if len(names) != len(set(names)):
        errors.append(f"names of series must be unique [json-pointer:{path}/series]")
    for n, series in enumerate(chart["series"]):
        if sorted(point["label"] for point in series["data"]) != sorted(categories):
            errors.append(f"a series must have one value for each category [json-pointer:{path}/series/{n}/data]")


def _check_container(block: Json, path: str, errors: Errors) -> None:
    if "title" not in block and "rich_text_title" not in block:
        errors.append(f"missing required field: title or rich_text_title [json-pointer:{path}]")
    if block.get("default_collapsed") and not block.get("is_collapsible"):
        errors.append(f"default_collapsed needs is_collapsible [json-pointer:{path}/default_collapsed]")
    if block.get("has_header_divider") and block.get("is_collapsible"):
        errors.append(f"has_header_divider cannot be set with is_collapsible [json-pointer:{path}/has_header_divider]")
