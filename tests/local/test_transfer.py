"""Labelled messages leave the store, are changed in a spreadsheet, and come back."""

import csv
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.local.transfer import export_file, import_file
from model.judgements import Gesture, Kind
from model.labels import seed_taxonomy
from model.learning.dataset import read_examples, write_examples
from model.schema import Example, Message, Prediction, Source
from model.settings import ModelSettings
from model.store.predictions import NewPrediction
from model.store.store import Store
from tests.local.homes import limited
from tests.terminal import beto

LABELS = seed_taxonomy().names


@pytest.fixture
def ours(store: Store, tmp_path: Path) -> ModelSettings:
    """The settings of a store with one message, which version 3 took for `ahorro` and Ana for `tarjeta` alone."""
    message = Message(channel="C1", ts="1700000000.000100", user="U1", text="¿y mi tarjeta?", source=Source.CHANNEL)
    at, _ = store.messages.save(message)
    prediction = Prediction(version=3, base="mini", scores={"ahorro": 0.123456789, "tarjeta": 0.2}, labels=("ahorro",))
    store.predictions.save([NewPrediction(message_id=at, revision=1, prediction=prediction, model_s=0.1)])
    gesture = Gesture(
        user="U0ANA", handle="h", at=7, kind=Kind.SET, labels=("tarjeta",), silent=("urgente", "fraude"), predicted=("ahorro",)
    )
    store.gestures.add(gesture, channel="C1", item_ts=message.ts, note="=mirar")
    return ModelSettings(home=tmp_path, database_url=store.database.url)


def test_an_export_tells_where_when_and_who(ours: ModelSettings, tmp_path: Path) -> None:
    """Whoever reviews needs the channel, the time, the version, its probabilities, the note, and what each person said."""
    export_file(ours, tmp_path / "out.jsonl")
    [row] = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert (row["channel"], row["time"], row["version"], row["note"]) == ("C1", "2023-11-14T22:13:20+00:00", 3, "=mirar")
    assert row["probability"] == {"ahorro": 0.1235, "tarjeta": 0.2}
    assert row["said:U0ANA"][:2] == ["tarjeta", "!" + next(name for name in LABELS if name not in ("tarjeta", "urgente"))]
    export_file(ours, tmp_path / "out.csv", corrections=True)
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        [cells] = csv.DictReader(file)
    assert (cells["channel"], cells["version"], cells["note"]) == ("C1", "3", "'=mirar")
    assert cells["probability"] == "ahorro 0.1235;tarjeta 0.2"
    assert cells["said:U0ANA"].startswith("tarjeta;!")


def test_a_disk_that_fills_leaves_the_export_that_was_there(ours: ModelSettings, store: Store, tmp_path: Path) -> None:
    """Yesterday's sheet may be the one that somebody has judged in."""
    store.examples.save([("long", Example(text="mucho " * 20_000, labels=("app",)))])
    for name in ("out.csv", "out.jsonl"):
        (tmp_path / name).write_text("ayer", encoding="utf-8")
        done = limited(64, "export", tmp_path / name, home=tmp_path, BETO_DATABASE_URL=ours.database_url)
        assert (done.returncode, done.stderr.count("cannot be written: File too large; it is as it was")) == (1, 1), done.stderr
        assert (tmp_path / name).read_text(encoding="utf-8") == "ayer"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_pseudonyms_name_nobody_in_any_column(ours: ModelSettings, tmp_path: Path) -> None:
    """A heading that is a Slack id would undo what the option promises."""
    export_file(ours, tmp_path / "out.csv", pseudonyms=True)
    content = (tmp_path / "out.csv").read_text(encoding="utf-8-sig")
    assert "U0ANA" not in content
    assert "said:P" in content


def test_a_label_added_in_the_sheet_is_that_persons_word(ours: ModelSettings, store: Store, tmp_path: Path) -> None:
    """Export, add a label in Excel, which saves it in its own way, import."""
    export_file(ours, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    rows[1][rows[0].index("labels")] += ";urgente"
    with (tmp_path / "back.csv").open("w", encoding="windows-1252", newline="") as file:
        csv.writer(file, delimiter=";").writerows(rows)
    assert "1 judged anew" in import_file(ours, tmp_path / "back.csv")
    message = store.messages.find("C1", "1700000000.000100")
    assert message is not None
    judged = store.judged.of(message.id, store.labels.current())
    assert judged is not None
    assert judged.state.labels["urgente"].yes == ("U0ANA",)
    assert judged.state.unknown == ("fraude",)
    assert "1 as they were" in import_file(ours, tmp_path / "back.csv")


def test_an_export_changes_nothing_when_it_comes_back(ours: ModelSettings, tmp_path: Path) -> None:
    """Into the same store: whoever is not sure does it again."""
    for name in ("out.csv", "out.jsonl"):
        export_file(ours, tmp_path / name)
        assert "1 as they were" in import_file(ours, tmp_path / name)


def test_an_export_of_0_1_0_still_names_its_messages(ours: ModelSettings, tmp_path: Path) -> None:
    """A sheet may lie on somebody's desk for as long as an upgrade takes."""
    export_file(ours, tmp_path / "out.jsonl")
    content = (tmp_path / "out.jsonl").read_text(encoding="utf-8")
    (tmp_path / "old.jsonl").write_text(content.replace('"id": "C1:', '"id": "T1:C1:'), encoding="utf-8")
    assert "1 as they were" in import_file(ours, tmp_path / "old.jsonl")


def test_standard_output_and_input_carry_an_export(ours: ModelSettings, tmp_path: Path) -> None:
    """`beto export - | ssh other beto import -`: only messages on standard output."""
    out = beto("export", "-", home=tmp_path / "one", BETO_DATABASE_URL=ours.database_url)
    assert [json.loads(line)["channel"] for line in out.out.splitlines()] == ["C1"]
    assert "1 messages written to standard output" in out.err
    assert "1 new" in beto("import", "-", home=tmp_path / "two", stdin=out.out.encode()).out
    assert "1 new" in beto("import", "-", home=tmp_path / "three", stdin=b"texto;etiquetas\nhola;app\n").out


EXAMPLES = st.lists(
    st.builds(
        lambda text, chosen, unknown: Example(text=text, labels=chosen, unknown=tuple(set(unknown) - set(chosen))),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip),
        st.lists(st.sampled_from(LABELS), unique=True, max_size=3).map(tuple),
        st.lists(st.sampled_from(LABELS), unique=True, max_size=3),
    ),
    max_size=6,
    unique_by=lambda each: each.text,
)


@pytest.mark.parametrize("name", ["data.csv", "data.jsonl"])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(examples=EXAMPLES)
def test_whatever_is_imported_is_exported_and_imported_alike(
    migrated_file: Path, tmp_path_factory: pytest.TempPathFactory, name: str, examples: list[Example]
) -> None:
    """Import, export, import elsewhere, export: the second export is the first."""
    first, second = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    write_examples(first / f"in-{name}", examples)
    for home, source in ((first, first / f"in-{name}"), (second, first / name)):
        (home / "beto.db").write_bytes(migrated_file.read_bytes())
        ours = ModelSettings(home=home)
        import_file(ours, source)
        export_file(ours, home / name)
    assert read_examples(second / name) == read_examples(first / name)
