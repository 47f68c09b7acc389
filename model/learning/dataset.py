"""Labelled messages: read, written, and divided so that no text ever changes its split."""

import csv
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from model.errors import BadData, UnknownLabel
from model.labels import Taxonomy
from model.learning.near_duplicates import first_near_duplicates
from model.schema import Example, Split
from model.text_key import canonical_text, text_key

SPLITS: tuple[Split, ...] = ("train", "dev", "test")
_TRAIN_PERCENT, _DEV_PERCENT = 75, 10  # the remaining 15 are test
# A cell that a spreadsheet would run as a formula, with any quotes that keep it a text already
# (https://owasp.org/www-community/attacks/CSV_Injection). People write such texts, and other people open the file.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


def read_examples(path: Path, taxonomy: Taxonomy | None = None) -> list[Example]:
    """Read the labelled messages of a `.jsonl` or `.csv` file, in its order; other fields than Example's are left out.

    JSONL: `{"text": "...", "labels": ["..."]}` a line, `id` and `unknown` optional. CSV: columns `text`, `labels` and
    optionally `id`, `unknown` and `by`, several of a kind separated by `;`. Raises BadData naming file and line, and
    UnknownLabel where `taxonomy` is given and does not know a label.
    """
    if path.suffix not in (".jsonl", ".csv"):
        raise BadData(f"{path}: neither .jsonl nor .csv")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadData(f"{path}: cannot be read: {error.strerror}") from error
    lines = _decoded_lines(path, content)
    rows = _csv_rows(path, lines) if path.suffix == ".csv" else _jsonl_rows(path, lines)
    examples = []
    for number, row in rows:
        example = _example(f"{path}, line {number}", row)
        for label in (*example.labels, *example.unknown) if taxonomy is not None else ():
            if taxonomy is not None and label not in taxonomy:
                raise UnknownLabel(f"{path}, line {number}: no label is called {label!r}; there are: {', '.join(taxonomy.names)}")
        examples.append(example)
    return examples


def _decoded_lines(path: Path, content: bytes) -> list[str]:
    lines = []
    # Split at \n only: Unicode's other line ends may stand inside a text.
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise BadData(f"{path}, line {number}: not UTF-8 at byte {error.start + 1}") from None
    return lines


def _jsonl_rows(path: Path, lines: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise BadData(f"{path}, line {number}: no JSON: {error.msg} at column {error.colno}") from None
        except (ValueError, RecursionError):  # a number of thousands of digits, or brackets in brackets without end
            raise BadData(f"{path}, line {number}: no JSON that anybody would write") from None
        if not isinstance(row, dict):
            raise BadData(f'{path}, line {number}: expected {{"text": ..., "labels": [...]}}')
        yield number, row


def _csv_rows(path: Path, lines: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    reader = csv.DictReader((line + "\n" for line in lines), strict=True)
    try:
        if missing := {"text", "labels"} - set(reader.fieldnames or ()):
            raise BadData(f"{path}, line 1: no column {' and no column '.join(sorted(missing))}")
        for cells in reader:
            if None in cells or None in cells.values():
                raise BadData(f"{path}, line {reader.line_num}: {len(reader.fieldnames or ())} columns expected")
            row = {name: _unquoted(cell) for name, cell in cells.items()}
            lists = {name: re.split(r"\s*;\s*", row[name].strip()) for name in ("labels", "unknown", "by") if row.get(name)}
            yield reader.line_num, {"text": row["text"], "labels": [], "id": row.get("id") or None, **lists}
    except csv.Error as error:
        raise BadData(f"{path}, line {reader.line_num}: no CSV: {error}") from None


def _example(place: str, row: dict[str, Any]) -> Example:
    fields = {name: row[name] for name in Example.model_fields if name in row}
    try:
        example = Example.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadData(f"{place}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    if not example.text.strip():
        raise BadData(f"{place}: the text is empty")
    if any("\ud800" <= char <= "\udfff" for char in example.text):
        raise BadData(f"{place}: the text holds half a character, which no file and no database keeps")
    if both := set(example.labels) & set(example.unknown):
        raise BadData(f"{place}: both applies and unknown: {', '.join(sorted(both))}")
    return example


def write_examples(path: Path, examples: Iterable[Example]) -> None:
    """Write `examples` so that `read_examples` gives them back; `.jsonl` or `.csv` by the name's ending.

    In a CSV file a quote stands before what a spreadsheet would run as a formula; reading takes it away.
    """
    rows = (example.model_dump(mode="json", exclude_none=True) for example in examples)
    if path.suffix == ".jsonl":
        with path.open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    elif path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("id", "text", "labels", "unknown", "by"))
            for row in rows:
                lists = (";".join(row[name]) for name in ("labels", "unknown", "by"))
                writer.writerow([_quoted(cell) for cell in (row.get("id", ""), row["text"], *lists)])
    else:
        raise BadData(f"{path}: neither .jsonl nor .csv")


def _quoted(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _unquoted(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def split_of(text: str) -> Split:
    """Return the split of a text by itself: a hash of the canonical text, 75/10/15."""
    percent = int.from_bytes(hashlib.sha256(canonical_text(text).encode("utf-8", "replace")).digest()[:8]) % 100
    if percent < _TRAIN_PERCENT:
        return "train"
    return "dev" if percent < _TRAIN_PERCENT + _DEV_PERCENT else "test"


def assign_splits(texts: Sequence[str], known: Mapping[str, Split] | None = None) -> list[Split]:
    """Return the split of each text: the one in `known` under its `text_key`, else that of its first near-duplicate before it,
    else its own `split_of`.

    Of the texts that are not in `known` only earlier ones matter, so texts added at the end move none.
    """
    given = [(known or {}).get(text_key(text)) for text in texts]
    splits: list[Split] = []
    for text, split, first in zip(texts, given, first_near_duplicates(texts, [split is None for split in given]), strict=True):
        splits.append(split or (split_of(text) if first is None else splits[first]))
    return splits


def split_for_dev(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """Divide one file into (train, dev): about a tenth for dev by the frozen hash, near-duplicates together.

    In a file so small that the hash leaves one of them empty, every tenth example, at least one, is dev.
    """
    for_dev = [split == "dev" for split in assign_splits([example.text for example in examples])]
    if all(for_dev) or not any(for_dev):
        for_dev = [at % 10 == 0 for at in range(len(examples))]
    pairs = list(zip(examples, for_dev, strict=True))
    return [e for e, is_dev in pairs if not is_dev], [e for e, is_dev in pairs if is_dev]


def seed_examples() -> dict[Split, list[Example]]:
    """Return the shipped messages in their frozen splits."""
    return divide(seed_messages())


def seed_messages() -> list[Example]:
    """Return the shipped messages in the order that decides their splits; whatever else is divided with them comes after."""
    with resources.as_file(resources.files("model").joinpath("seed", "messages.jsonl")) as path:
        return read_examples(path)


def divide(examples: Sequence[Example], known: Mapping[str, Split] | None = None) -> dict[Split, list[Example]]:
    """Divide `examples`, in their order, into the splits that `assign_splits` gives them."""
    divided: dict[Split, list[Example]] = {split: [] for split in SPLITS}
    for example, split in zip(examples, assign_splits([example.text for example in examples], known), strict=True):
        divided[split].append(example)
    return divided


def data_sha256(examples: Iterable[Example]) -> str:
    """Return a fingerprint of texts and labels, whatever their order and ids: equal data, equal fingerprint."""
    rows = sorted(json.dumps([e.text, sorted(e.labels), sorted(e.unknown)]) for e in examples)
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
