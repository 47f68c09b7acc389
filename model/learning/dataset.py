"""Labelled messages: read, written, and divided so that no text ever changes its split."""

import csv
import hashlib
import json
import logging
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from importlib import resources
from pathlib import Path
from typing import Any, TextIO

from pydantic import ValidationError

from model.errors import BadData, ModelError, UnknownLabel
from model.labels import Taxonomy
from model.learning.near_duplicates import first_near_duplicates
from model.schema import Example, Split
from model.text_key import canonical_text, text_key

log = logging.getLogger(__name__)

STANDARD = Path("-")  # standard input or standard output
# A table's headings, as people who keep it in Spanish write them.
_HEADINGS = {
    "texto": "text", "mensaje": "text", "etiquetas": "labels", "etiqueta": "labels", "desconocidas": "unknown",
    "desconocida": "unknown", "por": "by",
}  # fmt: skip
_LISTS = ("labels", "unknown", "by")

SPLITS: tuple[Split, ...] = ("train", "dev", "test")
_TRAIN_PERCENT, _DEV_PERCENT = 75, 10  # the remaining 15 are test
# A cell that a spreadsheet would run as a formula, with any quotes that keep it a text already
# (https://owasp.org/www-community/attacks/CSV_Injection). People write such texts, and other people open the file.
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")


def read_examples(path: Path, taxonomy: Taxonomy | None = None) -> list[Example]:
    """Read the labelled messages of a `.jsonl` or `.csv` file, in its order; other fields than Example's are left out.

    JSONL: `{"text": "...", "labels": ["..."]}` a line, `id` and `unknown` optional. CSV: columns `text`, `labels` and
    optionally `id`, `unknown` and `by`, or `texto`, `etiquetas`, `desconocidas` and `por`; several of a kind separated by
    `;`, columns by comma, `;` or tab. In a CSV file a label that is both in `labels` and in `unknown` applies: somebody put
    it there. `-` is standard input, whose first character tells which of the two it is. Raises BadData naming file and
    line, and UnknownLabel where `taxonomy` is given and does not know a label.
    """
    if path != STANDARD and path.suffix.lower() not in (".jsonl", ".csv"):
        raise BadData(f"{path}: neither .jsonl nor .csv")
    try:
        content = sys.stdin.buffer.read() if path == STANDARD else path.read_bytes()
    except OSError as error:
        raise BadData(f"{path}: cannot be read: {error.strerror}") from error
    content = content.removeprefix(b"\xef\xbb\xbf")
    is_csv = path.suffix.lower() == ".csv" if path != STANDARD else content.lstrip()[:1] not in (b"{", b"")
    rows = _csv_rows(path, _decoded_table(path, content)) if is_csv else _jsonl_rows(path, _decoded_lines(path, content))
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
    for number, line in enumerate(content.split(b"\n"), start=1):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise BadData(f"{path}, line {number}: not UTF-8 at byte {error.start + 1}") from None
    return lines


def _decoded_table(path: Path, content: bytes) -> list[str]:
    """Return a table's lines: of UTF-8, else of Windows-1252, which Excel still writes; that is said in the log.

    A file where any accent is UTF-8 is damaged UTF-8 and nothing else: its line is named.
    """
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadData(f"{path}: is UTF-16; save it as CSV UTF-8")
    try:
        return _decoded_lines(path, content)
    except BadData:
        if re.search(rb"[\xc3\xc2][\x80-\xbf]", content):
            raise
        try:
            lines = content.decode("windows-1252").split("\n")
        except UnicodeDecodeError:
            raise BadData(f"{path}: neither UTF-8 nor Windows-1252; save it as CSV UTF-8") from None
    log.warning("%s is not UTF-8: it was read as Windows-1252. Look at its accents, or save it as CSV UTF-8.", path)
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
    reader = csv.reader((line + "\n" for line in lines), delimiter=_delimiter(lines[0]), strict=True)
    try:
        names = [_heading(cell) for cell in next(reader, [])]
        if missing := {"text", "labels"} - set(names):
            raise BadData(f"{path}, line 1: no column {' and no column '.join(sorted(missing))}")
        if twice := next((name for name in ("text", "labels", "id", "unknown", "by") if names.count(name) > 1), None):
            raise BadData(f"{path}, line 1: two columns are {twice}")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue  # spreadsheets leave such lines at the end
            if len(cells) != len(names):
                raise BadData(f"{path}, line {reader.line_num}: {len(names)} columns expected")
            row = {name: _unquoted(cell) for name, cell in zip(names, cells, strict=True)}
            lists = {name: [each for each in re.split(r"\s*;\s*", row.get(name, "").strip()) if each] for name in _LISTS}
            lists["unknown"] = [name for name in lists["unknown"] if name not in lists["labels"]]
            yield reader.line_num, {"text": row["text"], "id": row.get("id") or None, **lists}
    except csv.Error as error:
        raise BadData(f"{path}, line {reader.line_num}: no CSV: {error}") from None


def _heading(cell: str) -> str:
    name = cell.strip().casefold()
    return _HEADINGS.get(name, name)


def _delimiter(header: str) -> str:
    """Return what separates the columns: that by which most of the headings are ours. Spanish Excel writes `;`."""
    ours = {"text", "id", *_LISTS}
    return max(",;\t", key=lambda each: len(ours & {_heading(cell.strip('"\r ')) for cell in header.split(each)}))


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


def write_examples(path: Path, examples: Iterable[Example], details: Iterable[Mapping[str, Any]] = ()) -> None:
    """Write `examples` so that `read_examples` gives them back; `.jsonl` or `.csv` by the name's ending, `-`: JSONL to
    standard output.

    `details` are further fields of each example, in the same order, or nothing at all; reading leaves them out. A CSV file
    is UTF-8 with the mark by which Excel knows it; a quote stands before what a spreadsheet would run as a formula, and
    reading takes it away. The file is there when all of it is; ModelError, and what was there before, where it cannot be
    written.
    """
    rows: list[dict[str, Any]] = [example.model_dump(mode="json", exclude_none=True) for example in examples]
    for row, more in zip(rows, details, strict=False):
        row.update((name, value) for name, value in more.items() if name not in Example.model_fields)
    if path == STANDARD or path.suffix.lower() == ".jsonl":
        with nullcontext(sys.stdout) if path == STANDARD else _whole(path, encoding="utf-8") as file:
            file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    elif path.suffix.lower() == ".csv":
        names = dict.fromkeys(("id", "text", *_LISTS))
        names.update(dict.fromkeys(name for row in rows for name in row))
        with _whole(path, encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows([_quoted(_cell(row.get(name, ""))) for name in names] for row in rows)
    else:
        raise BadData(f"{path}: neither .jsonl nor .csv")


@contextmanager
def _whole(path: Path, *, encoding: str, newline: str | None = None) -> Iterator[TextIO]:
    """Open what becomes the file when the block ends well, and is gone else; a pipe or a device is written as it comes."""
    partial = path if path.exists() and not path.is_file() else path.with_name(f".{path.name}-{os.getpid()}")
    try:
        with partial.open("w", encoding=encoding, newline=newline) as file:
            yield file
        if partial != path:
            partial.replace(path)
    except OSError as error:
        raise ModelError(f"{path} cannot be written: {error.strerror}; it is as it was") from error
    finally:
        if partial != path:
            partial.unlink(missing_ok=True)


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        return ";".join(f"{name} {each}" for name, each in value.items())
    return ";".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


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
