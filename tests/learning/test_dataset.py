"""Labelled messages are read strictly, written back alike, and never change their split."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import BadData, UnknownLabel
from model.labels import Taxonomy
from model.learning.dataset import (
    assign_splits,
    data_sha256,
    read_examples,
    split_for_dev,
    split_of,
    write_examples,
)
from model.schema import Example

EXAMPLES = [
    Example(id="a1", text='dijo "no", y\nse fue; ¿ya?\u2028', labels=("reclamo", "urgente"), unknown=("app",)),
    Example(text="ok 👍, =1+1", labels=()),
]


@pytest.mark.parametrize("name", ["data.jsonl", "data.csv"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    """An export that comes back through an import must change nothing."""
    write_examples(tmp_path / name, EXAMPLES)
    assert read_examples(tmp_path / name) == EXAMPLES


@pytest.mark.parametrize("text", ["=1+1", "+593 99", "-5 %", "@beto hola", "\t=1", "\r=1", "'=1", "''@x", "'ya'", "hola =1"])
def test_a_spreadsheet_runs_no_cell_of_an_export(tmp_path: Path, text: str) -> None:
    """Anybody who writes in Slack could else run a formula on the machine of whoever opens the file; and nothing is lost."""
    examples = [Example(id="=1", text=text, labels=("-a", "b"), by=("@U1",))]
    write_examples(tmp_path / "data.csv", examples)
    with (tmp_path / "data.csv").open(encoding="utf-8", newline="") as file:
        [_, cells] = csv.reader(file)
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r"))]
    assert read_examples(tmp_path / "data.csv") == examples


@settings(max_examples=40)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip), max_size=5))
def test_any_text_survives_a_file(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    """People write what they want; a file must not break on a line separator inside a message."""
    for name in ("data.jsonl", "data.csv"):
        path = tmp_path_factory.mktemp("texts") / name
        write_examples(path, [Example(text=text, labels=()) for text in texts])
        assert [example.text for example in read_examples(path)] == texts


@pytest.mark.parametrize(
    ("line", "what"),
    [
        (b"{", "no JSON"),
        (b"[1]", "expected"),
        (b'{"text": "x"}', "labels"),
        (b'{"text": "x", "labels": "app"}', "labels"),
        (b'{"text": "x", "labels": [1]}', "labels.0"),
        (b'{"text": "  ", "labels": []}', "the text is empty"),
        (b'{"text": "x", "labels": ["a"], "unknown": ["a"]}', "both applies and unknown: a"),
        (b'{"text": "\xff", "labels": []}', "not UTF-8"),
    ],
)
def test_a_broken_line_is_named_by_file_and_number(tmp_path: Path, line: bytes, what: str) -> None:
    """Whoever prepared ten thousand lines must find the one."""
    path = tmp_path / "data.jsonl"
    path.write_bytes(b'{"text": "bien", "labels": []}\n\n' + line + b"\n")
    with pytest.raises(BadData, match=rf"data\.jsonl, line 3: .*{what}"):
        read_examples(path)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("frase,labels\nx,a\n", "line 1: no column text"),
        ("texto,text,labels\nx,y,a\n", "line 1: two columns are text"),
        ("text,labels\nx,a\ny\n", "line 3: 2 columns expected"),
        ("text,labels\nx,a\ny,b,c\n", "line 3: 2 columns expected"),
        ('text,labels\n"x,a\n', "no CSV"),
        ("", "line 1: no column labels and no column text"),
    ],
)
def test_a_broken_table_is_named_by_file_and_number(tmp_path: Path, content: str, what: str) -> None:
    """Spreadsheets break in their own ways."""
    path = tmp_path / "data.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BadData, match=what):
        read_examples(path)


def test_a_spreadsheets_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    """Excel writes one in front of UTF-8."""
    path = tmp_path / "data.csv"
    path.write_bytes(b"\xef\xbb\xbftext,labels\nhola,a; b\n")
    assert read_examples(path) == [Example(text="hola", labels=("a", "b"))]


@pytest.mark.parametrize(
    "content",
    [
        "texto;etiquetas;desconocidas;por\r\n¿qué pasó?;app;urgente;U1\r\n".encode(),
        "Texto;Etiquetas;Desconocidas;Por\r\n¿qué pasó?;app;urgente;U1\r\n;;;\r\n".encode("windows-1252"),
        "\ufefftext\tlabels\tunknown\tby\n¿qué pasó?\tapp\turgente\tU1\n".encode(),
        '"por","texto","etiquetas","desconocidas"\n"U1","¿qué pasó?","app;","app; urgente"\n'.encode(),
    ],
    ids=["semicolons", "windows-1252", "tabs", "labels beat unknown"],
)
def test_what_a_spanish_spreadsheet_saves_is_read(tmp_path: Path, content: bytes) -> None:
    """Excel in Spanish separates by semicolons, writes Windows-1252, and leaves empty lines; people translate the headings."""
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    assert read_examples(path) == [Example(text="¿qué pasó?", labels=("app",), unknown=("urgente",), by=("U1",))]


def test_a_label_added_in_the_sheet_beats_unknown(tmp_path: Path) -> None:
    """Export, add a label, import: nobody also looks for it in the other column."""
    path = tmp_path / "data.csv"
    write_examples(path, [Example(text="hola", labels=("app",), unknown=("urgente", "fraude"))])
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[0]["labels"] += ";urgente"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(rows)
    assert read_examples(path) == [Example(text="hola", labels=("app", "urgente"), unknown=("fraude",))]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("text,labels\nadiós,a\n".encode() + b"se\xf1or,a\n", "line 3: not UTF-8"),
        (b"text,labels\n\x81\xff,a\n", "neither UTF-8 nor Windows-1252"),
        ("text,labels\nhola,a\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_a_table_in_no_encoding_is_refused(tmp_path: Path, content: bytes, what: str) -> None:
    """A damaged file read as Windows-1252 would spoil every accent without a word."""
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(BadData, match=what):
        read_examples(path)


def test_reading_windows_1252_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is a guess, and people must hear of it."""
    path = tmp_path / "data.csv"
    path.write_bytes("text,labels\naño,a\n".encode("windows-1252"))
    assert [each.text for each in read_examples(path)] == ["año"]
    assert "read as Windows-1252" in caplog.text


def test_excel_is_told_that_an_export_is_utf_8(tmp_path: Path) -> None:
    """Without the mark it shows accents as two odd letters each."""
    write_examples(tmp_path / "data.csv", EXAMPLES)
    assert (tmp_path / "data.csv").read_bytes().startswith(b"\xef\xbb\xbfid,text,")


@pytest.mark.parametrize("name", ["data.jsonl", "data.csv"])
def test_details_are_written_and_left_out_again(tmp_path: Path, name: str) -> None:
    """Who exports wants to know where and when; who imports wants the labels."""
    write_examples(tmp_path / name, EXAMPLES, [{"note": "=ojo", "text": "other"}, {"said:U1": ["app"]}])
    assert read_examples(tmp_path / name) == EXAMPLES
    content = (tmp_path / name).read_text(encoding="utf-8-sig")
    assert ("'=ojo" if name.endswith("csv") else '"note": "=ojo"') in content
    assert "said:U1" in content


def test_a_file_that_cannot_be_read_is_bad_data(tmp_path: Path) -> None:
    """One kind of error for one kind of trouble: the command line shows its sentence and no traceback."""
    with pytest.raises(BadData, match="cannot be read"):
        read_examples(tmp_path / "none.jsonl")
    with pytest.raises(BadData, match=r"neither .jsonl nor .csv"):
        read_examples(tmp_path / "data.xlsx")


def test_an_unknown_label_is_named_with_its_line(tmp_path: Path) -> None:
    """A typing error in a label must not become a fifteenth label."""
    path = tmp_path / "data.jsonl"
    path.write_text('{"text": "x", "labels": ["tarjeta"]}\n{"text": "y", "labels": ["targeta"]}\n', encoding="utf-8")
    with pytest.raises(UnknownLabel, match=r"line 2: no label is called 'targeta'; there are: tarjeta"):
        read_examples(path, Taxonomy.from_names(["tarjeta"]))


def test_other_fields_are_left_out(tmp_path: Path) -> None:
    """Foreign data sets bring more columns than we know."""
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps({"text": "x", "labels": [], "fold": 3, "slots": []}), encoding="utf-8")
    assert read_examples(path) == [Example(text="x", labels=())]


@settings(max_examples=25, deadline=None)  # the first example pays for loading SciPy
@given(st.lists(st.sampled_from(["hola que tal", "hola que tal amigo", "tarjeta", "mi tarjeta", "¡tarjetas!", "", "😀"])))
def test_texts_added_later_move_none(texts: list[str]) -> None:
    """A text that was trained on must never turn up in a later test split."""
    splits = assign_splits(texts)
    for length in range(len(texts)):
        assert assign_splits(texts[:length]) == splits[:length]


def test_the_shares_are_about_three_quarters_a_tenth_and_the_rest() -> None:
    """A hash must not lean."""
    splits = [split_of(f"{chr(97 + n % 26)} mensaje {'x' * (n // 26)}") for n in range(4000)]
    assert 0.72 < splits.count("train") / 4000 < 0.78
    assert 0.08 < splits.count("dev") / 4000 < 0.12


def test_one_file_gives_train_and_dev_whatever_its_size() -> None:
    """`beto train` without --dev must work on a handful of messages too."""
    for count in (2, 11, 300):
        examples = [Example(text=data_sha256([Example(text=str(n), labels=())]), labels=()) for n in range(count)]
        train, dev = split_for_dev(examples)
        assert train
        assert dev
        assert len(train) + len(dev) == count
        assert len(dev) <= 0.5 * count


def test_the_fingerprint_sees_labels_and_texts_but_not_their_order() -> None:
    """A card names the data it was trained on; a shuffle is the same data, a mended label is not."""
    assert data_sha256(EXAMPLES) == data_sha256(EXAMPLES[::-1])
    changed = [EXAMPLES[0].model_copy(update={"unknown": ()}), EXAMPLES[1]]
    assert data_sha256(changed) != data_sha256(EXAMPLES)
