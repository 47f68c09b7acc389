"""The floor is strong, honest, and the same after a night on disk."""

from pathlib import Path

import numpy as np
import pytest

from model.errors import BadData, BrokenVersion
from model.labels import seed_taxonomy
from model.learning.baseline import fit, load_floor, truth_of
from model.learning.dataset import seed_examples
from model.learning.evaluation import score
from model.schema import Example

LABELS = seed_taxonomy().names
SMALL = [
    Example(text="no puedo entrar a la app", labels=("app",)),
    Example(text="gracias por todo", labels=("gracias",)),
    Example(text="la app está caída, gracias", labels=("app", "gracias")),
    Example(text="hola", labels=()),
]


def test_the_floor_on_the_shipped_test_split_is_no_straw_man() -> None:
    """A network compared with a weak floor would always look good."""
    data = seed_examples()
    floor = fit(data["train"], data["dev"], LABELS)
    found = score([e.labels for e in data["test"]], floor.predict([e.text for e in data["test"]]), LABELS)
    assert found.micro_f1 > 0.76


def test_a_saved_floor_says_the_same(tmp_path: Path) -> None:
    """It is asked again at every evaluation, long after its training."""
    floor = fit(SMALL, SMALL, ("app", "gracias"))
    floor.save(tmp_path)
    texts = [*[example.text for example in SMALL], "", "😀 palabra nueva"]
    loaded = load_floor(tmp_path)
    assert loaded.predict(texts) == floor.predict(texts)
    assert np.allclose(loaded.scores(texts), floor.scores(texts), atol=1e-5)
    assert floor.predict([]) == []
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize("name", ["floor.json", "floor.safetensors"])
def test_a_damaged_floor_is_a_broken_version(tmp_path: Path, name: str) -> None:
    """The operator reads which file it is."""
    fit(SMALL, SMALL, ("app", "gracias")).save(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(BrokenVersion, match=name):
        load_floor(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(BrokenVersion, match=name):
        load_floor(tmp_path)


def test_a_label_that_is_never_or_always_true_does_not_stop_it() -> None:
    """Early on, some labels have no message yet."""
    floor = fit([Example(text=e.text, labels=(*e.labels, "siempre")) for e in SMALL], [], ("app", "siempre", "nunca"))
    assert all("siempre" in labels and "nunca" not in labels for labels in floor.predict(["hola", "app"]))


def test_unknown_labels_do_not_count_as_a_no() -> None:
    """A correction by one emoji says nothing of the other labels."""
    truth, known = truth_of([Example(text="x", labels=("a",), unknown=("b",))], ("a", "b", "c"))
    assert truth.tolist() == [[1, 0, 0]]
    assert known.tolist() == [[1, 0, 1]]
    blind = [*SMALL, *[Example(text=f"la app {n}", labels=(), unknown=("app",)) for n in range(20)]]
    assert fit(blind, [], ("app",)).predict(["la app"]) == [("app",)]


def test_nothing_to_learn_from_is_said() -> None:
    """Instead of scikit-learn's remark about an empty vocabulary."""
    with pytest.raises(BadData, match="the 1 training messages hold no words"):
        fit([Example(text="!", labels=())], [], ("a",))
