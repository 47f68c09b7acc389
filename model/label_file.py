"""A set of labels as a YAML file: read and written."""

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from model.errors import BadData
from model.labels import Label, Taxonomy

# What a name may be: it stands in exported tables, where `;` and `,` divide, and in the keys of the outbox.
_NAME = re.compile(r"[\w-]{1,40}")
_TITLE_LONGEST = 60  # of Slack's 75 characters for a choice, with the emoji and "?" beside it
_DEFAULTS: dict[str, Any] = {"title_en": "", "emoji": "", "description": ""}


def write_labels(taxonomy: Taxonomy) -> str:
    """Return the labels as YAML, in their order; what is empty is left out."""
    rows = [{key: value for key, value in label.model_dump(mode="json").items() if value} for label in taxonomy]
    return yaml.safe_dump({"labels": rows}, allow_unicode=True, sort_keys=False, width=120)


def read_label_file(path: Path) -> list[Label]:
    """Read labels from a file, as `read_labels` does; BadData also where it cannot be read."""
    try:
        return read_labels(path.read_text(encoding="utf-8"), str(path))
    except OSError as error:
        raise BadData(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise BadData(f"{path}: not UTF-8") from None


def read_labels(text: str, source: str) -> list[Label]:
    """Read labels from YAML: `labels:` with a list of `name`, `title` and any of Label's other fields, or of bare names;
    `[]` for none.

    Without a title the name is one. BadData names the source and the label that is wrong.
    """
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise BadData(f"{source}: is no YAML: {' '.join(str(error).split())}") from None
    rows = data.get("labels") if isinstance(data, dict) else None
    if not isinstance(rows, list):
        raise BadData(f"{source}: expected `labels:` and a list of them below it; `labels: []` is none")
    lines = _lines(text)
    labels = [_label(row, f"{source}, line {lines[number - 1]}, label {number}") for number, row in enumerate(rows, start=1)]
    try:
        Taxonomy(labels)
    except BadData as error:
        raise BadData(f"{source}: {error}") from None
    return labels


def _lines(text: str) -> list[int]:
    """Return the line on which each label begins, of a text that was read."""
    root = yaml.compose(text, yaml.SafeLoader)
    assert root is not None
    [rows] = [value for key, value in root.value if key.value == "labels"]
    return [row.start_mark.line + 1 for row in rows.value]


def _label(row: Any, where: str) -> Label:
    if isinstance(row, str):
        row = {"name": row}
    if not isinstance(row, dict) or not isinstance(row.get("name"), str):
        raise BadData(f"{where}: has no name")
    if not _NAME.fullmatch(row["name"]):
        raise BadData(f"{where}, name: {row['name']!r} is none; letters, digits, `_` and `-`, at most 40 of them")
    given = {"title": row["name"].capitalize(), **_DEFAULTS, **row}
    given["title_en"] = given["title_en"] or given["title"]
    for field in ("title", "title_en"):
        if len(str(given[field])) > _TITLE_LONGEST:
            raise BadData(f"{where}, {field}: longer than {_TITLE_LONGEST} characters")
    try:
        return Label.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadData(f"{where}, {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
