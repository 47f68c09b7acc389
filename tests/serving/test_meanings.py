"""What the base makes of a text is the same on every worker, and so is all that rests on it."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from model.labels import Taxonomy
from model.learning.describing import describe_version
from model.learning.descriptions import Describer
from model.learning.light_head import fit_head
from model.learning.recipe import TRAINED_LAYERS
from model.learning.training import train
from model.schema import Example
from model.serving.classifier import Classifier, load
from model.serving.corrections import Corrections, read_corrections
from model.serving.engine import ENGINE_FILE
from model.serving.explanation import explain
from model.serving.judged_texts import gather
from model.serving.version_folder import FROZEN_FILE, MANIFEST_FILE, WEIGHTS_FILE
from tests.letters import letters_checkpoint

OWN = Taxonomy.from_names(["loros", "gatos"])
TEXTS = ["hoy el loro no come nada", "", "¿y el gato?", "un gato y un loro que no se ven nunca por la casa de mi abuela", "xyz"]
EXAMPLES = [
    Example(text=f"{animal} {tail}", labels=labels)
    for animal, labels in (("mi loro", ("loros",)), ("mi gato", ("gatos",)), ("hola", ()))
    for tail in ("hoy", "señor", "otra vez", "de ayer", "en Quito", "por favor")
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A network of BETO's kind: more layers than learn."""
    torch.manual_seed(0)
    return letters_checkpoint(tmp_path_factory.mktemp("base"), layers=TRAINED_LAYERS + 2)


@pytest.fixture(scope="module")
def trained(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version of it, which has learnt something."""
    out = tmp_path_factory.mktemp("trained") / "version"
    train(EXAMPLES, EXAMPLES, taxonomy=OWN, base=base, out=out, epochs=1)
    return out


@pytest.fixture(scope="module")
def described(base: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first version of a team without a message."""
    out = tmp_path_factory.mktemp("described") / "version"
    describe_version(OWN, [], base=base, out=out, home=out)
    return out


def served_by_torch(version: Path, folder: Path, *without: str) -> Classifier:
    """The version as a worker with a GPU serves it, but on this processor."""
    shutil.copytree(version, folder)
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    for name in (ENGINE_FILE, *without):
        (folder / name).unlink()
        del manifest[name]
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))
    made = load(folder, device="cpu")
    assert type(made.engine).__name__ == "TorchEngine"
    return made


def of_base(base: str, classifier: Classifier, texts: Sequence[str]) -> np.ndarray:
    """The mean of the base's last layer, by transformers itself."""
    network = transformers.AutoModel.from_pretrained(base).eval()
    with torch.no_grad():
        return np.stack([network(torch.tensor([each.ids])).last_hidden_state[0].mean(0) for each in classifier.encode(texts)])


def test_what_a_base_makes_of_a_text_is_the_same_before_and_after_a_training(base: str, trained: Path, tmp_path: Path) -> None:
    """A new label and a head rest on it, in every process: of BETO it is the mean of its last layer, as pretraining left it."""
    by_graph, by_torch = load(trained, device="cpu"), served_by_torch(trained, tmp_path / "v")
    ids = [each.ids for each in by_graph.encode(TEXTS)]
    ours, theirs = by_graph.engine.logits_and_meanings(ids), by_torch.engine.logits_and_meanings(ids)
    assert by_torch.engine.width == by_graph.engine.width == 32
    assert np.abs(ours[0] - theirs[0]).max() < 1e-3
    assert np.abs(ours[1] - theirs[1]).max() < 1e-3
    assert np.abs(theirs[1] - of_base(base, by_graph, TEXTS)).max() < 1e-3
    assert np.array_equal(by_torch.engine.meanings(ids), theirs[1])
    assert np.array_equal(by_torch.engine.logits(ids), theirs[0])
    learnt = of_base(str(trained), by_graph, TEXTS[:1])  # else this test would say nothing
    assert np.abs(learnt - ours[1][:1]).max() > 0.01
    # Half as many bytes as those layers have in the network.
    assert (trained / FROZEN_FILE).stat().st_size < (trained / WEIGHTS_FILE).stat().st_size / 2


def test_a_new_label_says_the_same_where_torch_serves(described: Path, tmp_path: Path) -> None:
    """Whichever worker a message comes to, one with a GPU or one without; it is described by either, too."""
    by_graph, by_torch = load(described, device="cpu"), served_by_torch(described, tmp_path / "v")
    for ours, theirs in zip(by_graph.predict(TEXTS), by_torch.predict(TEXTS), strict=True):
        assert theirs.learning == ours.learning == OWN.names
        assert theirs.scores == pytest.approx(ours.scores, abs=2e-3)
    one, other = (Describer(folder).describe(OWN, OWN.names, TEXTS, []) for folder in (described, tmp_path / "v"))
    assert one is not None
    assert other is not None
    assert np.abs(one.meanings - other.meanings).max() < 2e-3


def test_a_version_of_before_has_nothing_to_say_of_a_new_label_where_torch_serves(described: Path, tmp_path: Path) -> None:
    """Its folder does not hold what the base was; it serves as it did, and the next training writes it."""
    classifier = served_by_torch(described, tmp_path / "v", FROZEN_FILE)
    assert classifier.engine.width == 0
    assert classifier.described is None
    assert set(classifier.predict(TEXTS)[0].scores) == set(OWN.names)


def test_a_head_that_was_fitted_answers_and_is_explained_the_same_everywhere(trained: Path, tmp_path: Path) -> None:
    """It makes nine tenths of the answer here: the words that are named must be those that it goes by."""
    by_graph = load(trained, device="cpu")
    rng = np.random.default_rng(0)
    words = ["casa", "abuela", "hoy", "nunca", "señor", "Quito", "come", "mira"]
    texts = [" ".join([*rng.permutation(words)[:4], "wwkkxx" if at % 2 else "sol"]) for at in range(120)]
    meanings = by_graph.engine.meanings([each.ids for each in by_graph.encode(texts)])
    truth = np.array([[at % 2, 0] for at in range(120)], float)
    head = fit_head(meanings, truth, np.array([[1.0, 0.0]] * 120), np.array([0.9, 0], np.float32), None)
    nobody = gather([], np.zeros((0, len(OWN)), np.int8), [])
    corrections = read_corrections(Corrections(120, nobody, head=head).to_bytes())
    everywhere = []
    asked = "mi abuela mira wwkkxx en casa hoy"
    for classifier in (by_graph.corrected(corrections), served_by_torch(trained, tmp_path / "v").corrected(corrections)):
        assert classifier.serving_head is not None
        carried = explain(classifier, asked)
        [label] = [each for each in carried.labels(OWN.names) if each.label == "loros"]
        assert [" ".join(carried.words[first:end]) for first, end in label.words] == ["wwkkxx"]
        score = [each.scores["loros"] for each in classifier.predict([asked, asked.replace("wwkkxx ", "")])]
        assert score[0] - score[1] > 0.3
        assert label.score == pytest.approx(score[0])
        everywhere.append(score)
    assert everywhere[0] == pytest.approx(everywhere[1], abs=5e-3)
