"""The lexical model gives scikit-learn's numbers without scikit-learn, and costs a message next to nothing."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.errors import BrokenVersion
from model.labels import seed_taxonomy
from model.learning.baseline import _ANALYSERS, Baseline, _vectorizer, fit_baseline, truth_of
from model.learning.dataset import seed_examples
from model.serving.calibration import Matrix
from model.serving.lexical import load_lexical, phrases_in, pieces_in, plain
from model.serving.normalise import normalise

LABELS = seed_taxonomy().names
ODD = [
    "",
    "a",
    "é",
    "Ñandú ÜBER ﬁn",
    "x" * 300,
    "no no no sí Sí",
    "(a) b. ¡!",
    "  dos   espacios ",
    "ı̇ ß",
    "1 22 333 4_4",
    "ж жж",
]


@pytest.fixture(scope="module")
def fitted() -> Baseline:
    data = seed_examples()
    return fit_baseline(data["train"], [], LABELS)


@pytest.fixture(scope="module")
def by_sklearn(fitted: Baseline) -> Callable[[list[str]], Matrix]:
    """The same weights on the features that scikit-learn itself makes."""
    from scipy.sparse import hstack

    texts = [normalise(example.text) for example in seed_examples()["train"]]
    vectorizers = [_vectorizer(analyser, min_df=2).fit(texts) for analyser in _ANALYSERS]

    def logits(texts: list[str]) -> Matrix:
        features = hstack([vectorizer.transform(texts) for vectorizer in vectorizers]).tocsr()
        found: Matrix = features @ fitted.lexical.weights.astype(np.float64) + fitted.lexical.bias
        return found

    return logits


def test_it_says_what_scikit_learn_says(fitted: Baseline, by_sklearn: Callable[[list[str]], Matrix]) -> None:
    """What was fitted and evaluated must be what serves."""
    texts = [*(normalise(example.text) for example in seed_examples()["test"]), *ODD]
    assert np.abs(fitted.lexical.logits_of_normalised(texts) - by_sklearn(texts)).max() < 1e-6


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=80))
def test_any_text_falls_apart_as_scikit_learn_cuts_it(text: str) -> None:
    """A term cut otherwise is a term that is never found."""
    words, pieces = (_vectorizer(analyser).build_analyzer() for analyser in _ANALYSERS)
    assert phrases_in(plain(text)) == words(text)
    assert pieces_in(plain(text)) == pieces(text)


def test_company_does_not_change_an_answer(fitted: Baseline) -> None:
    """Each text is a sum of its own."""
    together = fitted.lexical.logits(ODD)
    assert np.array_equal(together, np.concatenate([fitted.lexical.logits([text]) for text in ODD]))
    assert fitted.lexical.logits([]).shape == (0, len(LABELS))


def test_a_text_without_a_known_word_gets_the_bias(fitted: Baseline) -> None:
    """Only emoji of no name, or a language that nobody writes here."""
    assert np.allclose(fitted.lexical.logits_of_normalised(["", "жжж"]), fitted.lexical.bias)


def test_it_costs_a_message_less_than_a_third_of_a_millisecond(fitted: Baseline) -> None:
    """A worker of BETO's shape answers a hundred messages a second; this must not be what it waits for."""
    texts = [normalise(example.text) for example in seed_examples()["test"]]

    def cpu_ms() -> float:
        began = time.thread_time()
        for text in texts:
            fitted.lexical.logits_of_normalised([text])
        return 1000 * (time.thread_time() - began) / len(texts)

    assert min(cpu_ms() for _ in range(7)) < 0.3


def test_it_is_the_same_after_a_night_on_disk(fitted: Baseline, tmp_path: Path) -> None:
    """Bit for bit: an evaluation repeated later must come to the same."""
    fitted.save(tmp_path)
    lexical, threshold = load_lexical(tmp_path)
    assert threshold == fitted.threshold
    assert lexical.labels == fitted.labels
    assert np.array_equal(lexical.logits(ODD), fitted.lexical.logits(ODD))


def test_files_that_do_not_fit_each_other_are_refused(fitted: Baseline, tmp_path: Path) -> None:
    """Copied together from two versions they would answer, and wrongly."""
    fitted.save(tmp_path)
    file = tmp_path / "baseline.json"
    file.write_text(file.read_text(encoding="utf-8").replace('"fraude", ', "", 1), encoding="utf-8")
    with pytest.raises(BrokenVersion, match="its shapes do not fit"):
        load_lexical(tmp_path)


def test_its_terms_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """50,000 messages must not grow a worker by hundreds of megabytes."""
    from model.learning import baseline

    monkeypatch.setattr(baseline, "_MOST_TERMS", 500)
    data = seed_examples()
    small = fit_baseline(data["train"], [], LABELS).lexical
    assert (len(small.words), len(small.pieces)) == (500, 500)


def test_the_svc_is_a_yardstick_of_its_own(fitted: Baseline) -> None:
    """The best of its kind must stand beside the network, not the weaker of two."""
    data = seed_examples()
    svc = fit_baseline(data["train"], data["dev"], LABELS, "svc")
    truth, _ = truth_of(data["test"], LABELS)
    given = (svc.scores([example.text for example in data["test"]]) >= svc.threshold).astype(float)
    f1: Any = 2 * (given * truth).sum() / (given.sum() + truth.sum())
    assert f1 > 0.76
    assert not np.array_equal(svc.lexical.weights, fitted.lexical.weights)
