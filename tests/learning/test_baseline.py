"""The baseline is strong, honest, and the same after a night on disk."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_info, threadpool_limits

from model.errors import BadData, BrokenVersion
from model.labels import seed_taxonomy
from model.learning.baseline import fit_baseline, load_baseline, truth_of
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


def test_the_baseline_on_the_shipped_test_split_is_no_straw_man() -> None:
    """A network compared with a weak baseline would always look good."""
    data = seed_examples()
    baseline = fit_baseline(data["train"], data["dev"], LABELS)
    found = score([e.labels for e in data["test"]], baseline.predict([e.text for e in data["test"]]), LABELS)
    assert found.micro_f1 > 0.76


def test_a_label_is_fitted_on_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside other work, two threads that add up short vectors wait for each other seven times as long as one computes."""
    fit, seen = LogisticRegression.fit, set()

    def watched(*given: object) -> object:
        seen.update(blas_threads())
        return fit(*given)

    monkeypatch.setattr(LogisticRegression, "fit", watched)
    with threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        fit_baseline(SMALL, SMALL, ("app", "gracias"))
        assert (seen, blas_threads()) == ({1}, before)


def blas_threads() -> set[int]:
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_a_saved_baseline_says_the_same(tmp_path: Path) -> None:
    """It is asked again at every evaluation, long after its training."""
    baseline = fit_baseline(SMALL, SMALL, ("app", "gracias"))
    baseline.save(tmp_path)
    texts = [*[example.text for example in SMALL], "", "😀 palabra nueva"]
    loaded = load_baseline(tmp_path)
    assert loaded.predict(texts) == baseline.predict(texts)
    assert np.allclose(loaded.scores(texts), baseline.scores(texts), atol=1e-5)
    assert baseline.predict([]) == []
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize("name", ["baseline.json", "baseline.safetensors"])
def test_a_damaged_baseline_is_a_broken_version(tmp_path: Path, name: str) -> None:
    """The operator reads which file it is."""
    fit_baseline(SMALL, SMALL, ("app", "gracias")).save(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(BrokenVersion, match=name):
        load_baseline(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(BrokenVersion, match=name):
        load_baseline(tmp_path)


def test_a_label_that_is_never_or_always_true_does_not_stop_it() -> None:
    """Early on, some labels have no message yet."""
    baseline = fit_baseline([Example(text=e.text, labels=(*e.labels, "siempre")) for e in SMALL], [], ("app", "siempre", "nunca"))
    assert all("siempre" in labels and "nunca" not in labels for labels in baseline.predict(["hola", "app"]))


def test_unknown_labels_do_not_count_as_a_no() -> None:
    """A correction by one emoji says nothing of the other labels."""
    truth, known = truth_of([Example(text="x", labels=("a",), unknown=("b",))], ("a", "b", "c"))
    assert truth.tolist() == [[1, 0, 0]]
    assert known.tolist() == [[1, 0, 1]]
    blind = [*SMALL, *[Example(text=f"la app {n}", labels=(), unknown=("app",)) for n in range(20)]]
    assert fit_baseline(blind, [], ("app",)).predict(["la app"]) == [("app",)]


def test_nothing_to_learn_from_is_said() -> None:
    """Instead of scikit-learn's remark about an empty vocabulary."""
    with pytest.raises(BadData, match="the 1 training messages hold no words"):
        fit_baseline([Example(text="!", labels=())], [], ("a",))
