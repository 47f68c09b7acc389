"""The `beto` command line, as a process: other things are built on these exact forms."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import click
import pytest

from bot.cli import beto as command
from model.learning.dataset import read_examples
from model.serving.version_folder import read_card
from model.store.store import Store
from tests.terminal import Said, beto

# Too small to learn anything; enough to go the whole way.
MESSAGES = [
    ("el cajero no me dio la plata", ["cajeros"]),
    ("se tragó mi tarjeta el cajero", ["cajeros", "tarjetas"]),
    ("perdí la tarjeta de crédito", ["tarjetas"]),
    ("bloqueen mi tarjeta por favor", ["tarjetas"]),
    ("el cajero está fuera de servicio", ["cajeros"]),
    ("gracias por todo", []),
    ("buenos días a todos", []),
    ("cuándo llega mi tarjeta nueva", ["tarjetas"]),
    ("me clonaron la tarjeta en un cajero", ["cajeros", "tarjetas"]),
    ("nos vemos en el almuerzo", []),
    ("el cajero de la esquina no tiene billetes", ["cajeros"]),
    ("quiero otra tarjeta adicional", ["tarjetas"]),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli") / "home"


@pytest.fixture(scope="module")
def data(home: Path) -> Path:
    return write(home.parent / "datos.jsonl", *({"text": text, "labels": labels} for text, labels in MESSAGES))


@pytest.fixture(scope="module")
def trained(home: Path, data: Path) -> tuple[Path, Said]:
    """A version that `beto train` made of a small file, and what it said."""
    out = home.parent / "version"
    return out, beto("train", "--data", data, "--out", out, "--base", "mini", "--json", home=home, timeout_s=300)


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def last_object(said: Said) -> dict[str, Any]:
    """`--json`: one object, last on standard output, whatever else was said."""
    assert said.status == 0, said.err
    last = json.loads(said.out.splitlines()[-1])
    assert isinstance(last, dict)
    return last


# Train, evaluate, predict


def test_train_prints_its_card_and_leaves_a_version(trained: tuple[Path, Said]) -> None:
    """Scripts read the last line; people load the folder."""
    out, said = trained
    card = last_object(said)
    assert card["base"] == "mini"
    assert set(card["labels"]) == {"cajeros", "tarjetas"}
    assert card["texts"]["train"] + card["texts"]["dev"] == len(MESSAGES)
    assert (out / "model.safetensors").exists()


def test_evaluate_scores_the_version_beside_the_baseline(trained: tuple[Path, Said], data: Path, home: Path) -> None:
    """A score without the baseline's says little."""
    scores = last_object(beto("evaluate", "--model", trained[0], "--data", data, "--json", home=home))
    for system in (scores, scores["baseline"]):
        assert {"jaccard", "micro_f1", "macro_f1", "exact_match", "per_label"} <= set(system)
        assert system["texts"] == len(MESSAGES)
        assert set(system["per_label"]) == {"cajeros", "tarjetas"}
    assert scores["base"] == "mini"
    assert [band["low"] for band in scores["bands"]] == [0.3, 0.5, 0.8, 0.95]
    assert scores["ece"] is not None


def test_predict_answers_every_line_of_standard_input_with_a_json_line(trained: tuple[Path, Said], home: Path) -> None:
    """In a pipe line N answers line N: also an empty line, one that is no UTF-8, and one that ends without a newline."""
    lines = [
        "perdí mi tarjeta".encode(),
        b"",
        b"no es utf-8: \xff\xfe\xf1",
        b"con retorno\r",
        "\u2028 sigue en la misma línea".encode(),
        b"sin salto al final",
    ]
    said = beto("predict", "--model", trained[0], home=home, stdin=b"\n".join(lines))
    assert said.status == 0, said.err
    answers = [json.loads(line) for line in said.out.removesuffix("\n").split("\n")]
    assert len(answers) == len(lines)
    assert [answer["text"] for answer in answers[:3]] == ["perdí mi tarjeta", "", "no es utf-8: \ufffd\ufffd\ufffd"]
    assert answers[3]["text"] == "con retorno"
    assert "line 2 is empty" in said.err
    assert "line 3 is not UTF-8" in said.err
    assert len(said.err.splitlines()) == 2
    thresholds = json.loads((trained[0] / "card.json").read_text(encoding="utf-8"))["thresholds"]
    for answer in answers:
        assert set(answer["scores"]) == {"cajeros", "tarjetas"}
        assert set(answer["labels"]) == {label for label, score in answer["scores"].items() if score >= thresholds[label]}


def test_predict_takes_texts_from_the_command_line_too(trained: tuple[Path, Said], home: Path) -> None:
    """And an odd one among them does no harm to the next."""
    said = beto("predict", "--model", trained[0], "--json", "hola", "", "x" * 40_000, home=home)
    answers = [json.loads(line) for line in said.out.removesuffix("\n").split("\n")]
    assert [answer["text"] for answer in answers] == ["hola", "", "x" * 40_000]


def test_predict_rounds_what_it_prints_and_can_be_read(trained: tuple[Path, Said], home: Path) -> None:
    """Seventeen digits of a probability are sixteen too many; a person wants a line."""
    said = beto("predict", "--model", trained[0], "hola", home=home)
    assert all(len(str(score)) <= 6 for score in last_object(said)["scores"].values())
    assert "hola" in beto("predict", "--model", trained[0], "--text", "hola", home=home).out.split("\t")[1]


def test_predict_without_a_model_uses_the_live_version(home: Path, tmp_path: Path, trained_version: Path) -> None:
    """Nobody knows the folder by heart."""
    assert "no version is live" in beto("predict", "hola", home=tmp_path / "none").refusal()
    store = Store(f"sqlite:///{tmp_path / 'beto.db'}", tmp_path)
    store.migrate()
    store.registry.versions_folder.mkdir()
    shutil.copytree(trained_version, built := tmp_path / "built")
    version = store.registry.add(built, read_card(built))
    store.registry.promote(version.number, by="U1", reason="test")
    store.close()
    said = beto("predict", "hola", home=tmp_path)
    assert last_object(said)["version"] == version.number


def test_versions_says_that_there_are_none(tmp_path: Path) -> None:
    """Nothing at all looks like a fault."""
    said = beto("versions", home=tmp_path / "home")
    assert (said.status, said.out) == (0, "")
    assert "no versions yet" in said.err


def test_train_warns_of_labels_that_look_alike(tmp_path: Path) -> None:
    """One letter's accent makes another label; that is a typing mistake in most files, as is a label that only settings know."""
    file = write(tmp_path / "datos.jsonl", *({"text": text, "labels": labels} for text, labels in MESSAGES))
    with file.open("a", encoding="utf-8") as more:
        more.write('{"text": "el otro cajero", "labels": ["Cájeros"]}\n')
    said = beto(
        "train", "--data", file, "--out", tmp_path / "out", "--base", "nadie/nada", home=tmp_path / "home", HF_HUB_OFFLINE="1",
        BETO_PREFER_PRECISION="tarjeta",
    )  # fmt: skip
    assert "differ only in accents or case are trained apart: Cájeros, cajeros" in said.err
    assert "warning: BETO_PREFER_PRECISION names 'tarjeta', which is no label: is 'tarjetas' meant?" in said.err


# Refusals: one sentence, status 1


def test_evaluating_on_nothing_is_refused(trained: tuple[Path, Said], home: Path, tmp_path: Path) -> None:
    """Scores of 0.0 would be taken for a bad version."""
    empty = write(tmp_path / "nada.jsonl")
    assert f"{empty}: there is no message" in beto("evaluate", "--model", trained[0], "--data", empty, home=home).refusal()


def test_training_on_one_label_is_refused(home: Path, tmp_path: Path) -> None:
    """There is nothing to tell apart, and minutes would be lost."""
    file = write(tmp_path / "datos.jsonl", {"text": "a", "labels": ["x"]}, {"text": "b", "labels": []})
    sentence = beto("train", "--data", file, "--out", tmp_path / "out", "--base", "mini", home=home).refusal()
    assert "there is one label" in sentence


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ('{"text": "a", "labels": ["tarjeta"}', "no JSON"),
        ('{"text": "a", "labels": "tarjeta"}', "labels"),
    ],
    ids=["no JSON", "labels no list"],
)
def test_a_broken_line_is_named_by_its_number(tmp_path: Path, broken: str, says: str) -> None:
    """In a file of thousands nothing else helps."""
    file = write(tmp_path / "datos.jsonl", {"text": "bien", "labels": []}, "", broken)
    sentence = beto("import", file, home=tmp_path / "home").refusal()
    assert f"{file}, line 3" in sentence
    assert says in sentence


def test_a_text_that_postgresql_cannot_keep_is_refused_at_the_import(tmp_path: Path) -> None:
    """The line is named and nothing is kept, in place of half an import and a driver's error."""
    file = tmp_path / "nul.jsonl"
    file.write_text('{"text": "hola", "labels": []}\n{"text": "ho\\u0000la", "labels": []}\n', encoding="utf-8")
    assert "message 2: the text holds a NUL" in beto("import", file, home=tmp_path / "home").refusal()


def test_train_refuses_a_broken_file_before_anything_is_built(tmp_path: Path) -> None:
    """No half-made folder, and no minutes of training first."""
    file = write(tmp_path / "datos.jsonl", {"text": "bien", "labels": []}, "{")
    out = tmp_path / "out"
    assert "line 2" in beto("train", "--data", file, "--out", out, "--base", "mini", home=tmp_path / "home").refusal()
    assert not out.exists()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """A typing mistake, not a fault of ours."""
    assert "nada.jsonl" in beto("import", "nada.jsonl", home=tmp_path / "home").refusal()


def test_evaluate_refuses_a_label_that_the_version_does_not_know(trained: tuple[Path, Said], home: Path, tmp_path: Path) -> None:
    """Scores over other labels than the version's would mislead."""
    file = write(tmp_path / "otros.jsonl", {"text": "a", "labels": ["tarjetas"]}, {"text": "b", "labels": ["hipoteca"]})
    sentence = beto("evaluate", "--model", trained[0], "--data", file, home=home).refusal()
    assert f"{file}, line 2" in sentence
    assert "hipoteca" in sentence


def test_a_half_written_version_is_refused(trained: tuple[Path, Said], home: Path, tmp_path: Path) -> None:
    """A disk that filled up must not answer with the labels of an untrained network."""
    folder = tmp_path / "version"
    shutil.copytree(trained[0], folder)
    network = folder / "model.safetensors"
    network.write_bytes(network.read_bytes()[: network.stat().st_size // 2])
    assert str(folder) in beto("predict", "--model", folder, "hola", home=home).refusal()


def test_a_base_that_cannot_be_had_names_the_ways_out(data: Path, home: Path, tmp_path: Path) -> None:
    """Behind a company's firewall the hub is not there: say what to do, and do not try for minutes."""
    said = beto(
        "train", "--data", data, "--out", tmp_path / "out", "--base", "nadie/no-existe-en-ningun-sitio",
        home=home, HF_ENDPOINT="http://127.0.0.1:9", HF_HOME=str(tmp_path / "hf"), timeout_s=60,
    )  # fmt: skip
    sentence = said.refusal()
    for way_out in ("nadie/no-existe-en-ningun-sitio", "folder", "HF_ENDPOINT", "mini"):
        assert way_out in sentence


def test_a_setting_that_makes_no_sense_is_named_as_people_wrote_it(tmp_path: Path) -> None:
    """`http_port` is our name for it; in their .env stands BETO_HTTP_PORT."""
    assert "BETO_HTTP_PORT" in beto("export", "x.jsonl", home=tmp_path / "home", BETO_HTTP_PORT="muchos").refusal()


def test_a_home_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    """For every command, not only for those that start processes."""
    (tmp_path / "file").write_text("", encoding="ascii")
    assert "file" in beto("export", "x.jsonl", home=tmp_path / "home", BETO_HOME=str(tmp_path / "file" / "home")).refusal()


# Import and export


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Labels of the shipped taxonomy: import takes no others."""
    return write(
        tmp_path / "etiquetados.jsonl",
        {"text": "se perdió la tarjeta, ¿qué hago?", "labels": names(2), "id": "a"},
        {"text": 'dijo "hola"; y ya,\nen dos líneas 🙏', "labels": [], "unknown": names(1)},
        {"text": "quiero un préstamo", "labels": names(1)},
    )


def names(count: int) -> list[str]:
    from model.labels import seed_taxonomy

    return list(seed_taxonomy().names[:count])


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_what_is_imported_is_exported_again(labelled: Path, tmp_path: Path, ending: str) -> None:
    """People's labels must be able to leave the product, and come back."""
    one, other = tmp_path / "one", tmp_path / "other"
    file = tmp_path / f"salida.{ending}"
    assert "3 new" in beto("import", labelled, home=one).out
    assert beto("export", file, home=one).status == 0
    assert "3 new" in beto("import", file, home=other).out
    back = tmp_path / "vuelta.jsonl"
    beto("export", back, home=other)

    def content(path: Path) -> set[tuple[str, frozenset[str], frozenset[str]]]:
        return {(each.text, frozenset(each.labels), frozenset(each.unknown)) for each in read_examples(path)}

    assert content(back) == content(labelled)


def test_importing_twice_changes_nothing(labelled: Path, tmp_path: Path) -> None:
    """Who is not sure whether it worked does it again."""
    beto("import", labelled, home=tmp_path / "home")
    assert "3 as they were" in beto("import", labelled, home=tmp_path / "home").out


def test_a_bad_line_imports_nothing(labelled: Path, tmp_path: Path) -> None:
    """Half a file in the store would have to be found and taken out by hand."""
    with labelled.open("a", encoding="utf-8") as file:
        file.write('{"text": "x", "labels": ["no-hay-tal-etiqueta"]}\n')
    sentence = beto("import", labelled, home=tmp_path / "home").refusal()
    assert "line 4" in sentence
    assert "no-hay-tal-etiqueta" in sentence
    beto("export", tmp_path / "nada.jsonl", home=tmp_path / "home")
    assert read_examples(tmp_path / "nada.jsonl") == []


# Help


def every_command(group: click.Group, *before: str) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [before]
    for name, each in group.commands.items():
        found += every_command(each, *before, name) if isinstance(each, click.Group) else [(*before, name)]
    return found


@pytest.mark.parametrize("words", every_command(command), ids=" ".join)
def test_every_command_explains_itself_and_its_options(words: tuple[str, ...]) -> None:
    """Help is the documentation that people have open."""
    from click.testing import CliRunner

    said = CliRunner().invoke(command, [*words, "--help"], catch_exceptions=False)
    assert said.exit_code == 0
    described = said.output.split("Options:")[0].split("\n", 1)[1]
    assert re.search(r"\w+ \w+ \w+.*\.$", described.strip(), re.DOTALL), words


def test_help_works_as_a_process(tmp_path: Path) -> None:
    """Without any setting, and without a folder to write to."""
    said = beto("--help", home=tmp_path / "home")
    assert said.status == 0
    assert "beto demo" in said.out
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("words", [("demo", "--rapido"), ("baila",), ("train",), ("simulator", "--port", "70000")], ids=" ".join)
def test_a_wrong_use_is_status_2(words: tuple[str, ...], tmp_path: Path) -> None:
    """Scripts tell a wrong call from a refusal by it."""
    said = beto(*words, home=tmp_path / "home")
    assert said.status == 2
    assert "Usage:" in said.err
