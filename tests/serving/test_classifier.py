"""A version answers any text, says how sure it may be, and is refused when it is not what was written."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.errors import BrokenVersion
from model.labels import seed_taxonomy
from model.learning.dataset import seed_examples
from model.serving.calibration import sigmoid
from model.serving.classifier import Classifier, load
from model.serving.lexical import FORMER_NAMES, load_lexical
from model.serving.normalise import normalise
from model.serving.version_folder import MANIFEST_FILE, building, file_sha256, read_card

TEXTS = [
    "Me clonaron la tarjeta y hay consumos que no hice",
    "",
    "🙏",
    "<https://ejemplo.com/pagar>",
    "xyz" * 13_334,
    "la transferencia no llega " * 1_600,
    "\x00\u202e\ud800 ﷽",
    "gracias",
]


@pytest.fixture(scope="module")
def classifier(trained_version: Path) -> Classifier:
    return load(trained_version, device="cpu")


def test_any_text_gets_a_prediction(classifier: Classifier) -> None:
    """Whatever a person pastes, the others in the batch and the worker live on."""
    predictions = classifier.predict(TEXTS)
    assert len(predictions) == len(TEXTS)
    for prediction in predictions:
        assert set(prediction.scores) == set(seed_taxonomy().names)
        assert prediction.base == "mini"
        assert all(prediction.scores[label] >= classifier.card.thresholds[label] for label in prediction.labels)
        strengths = [prediction.scores[label] for label in prediction.labels]
        assert strengths == sorted(strengths, reverse=True)
    assert classifier.predict([]) == []


def test_a_text_longer_than_the_network_reads_says_so(classifier: Classifier) -> None:
    """The reply tells the person that only the beginning was read."""
    assert [prediction.truncated for prediction in classifier.predict(TEXTS)] == [len(text) > 30_000 for text in TEXTS]
    counts = [len(text.ids) for text in classifier.encode(TEXTS)]
    assert max(counts) > classifier.max_tokens
    assert min(counts) == 2  # [CLS] and [SEP]
    assert classifier.encode([]) == []


def test_company_does_not_change_an_answer(classifier: Classifier) -> None:
    """Strangers share a batch; the answer is as if each had come alone, and the same again."""
    together = classifier.predict(TEXTS)
    assert classifier.predict(TEXTS) == together
    for text, prediction in zip(TEXTS, together, strict=True):
        [alone] = classifier.predict([text])
        assert alone.labels == prediction.labels
        assert alone.scores == pytest.approx(prediction.scores, abs=2e-5)


def test_the_folder_loads_in_a_plain_pipeline_with_its_encoders_probabilities(
    trained_version: Path, classifier: Classifier
) -> None:
    """Whoever knows transformers needs nothing of ours but the words of `normalise`: calibration is in the weights."""
    import transformers

    pipeline = transformers.pipeline("text-classification", model=str(trained_version), top_k=None, device="cpu")
    text = "No me llega la transferencia de €190 :rage:"
    found = {answer["label"]: answer["score"] for answer in pipeline([normalise(text)])[0]}
    scores = sigmoid(classifier.engine.logits([classifier.encode([text])[0].ids]))[0]
    assert found == pytest.approx(dict(zip(classifier.labels, scores, strict=True)), abs=1e-5)
    assert "its encoder alone" in (trained_version / "README.md").read_text(encoding="utf-8")


def test_the_special_ids_are_those_of_beto(classifier: Classifier, trained_version: Path) -> None:
    """Code that works for mini must work for BETO: padding is 1."""
    tokenizer = classifier.tokenizer
    special = ["[MASK]", "[PAD]", "[EOS]", "[UNK]", "[CLS]", "[SEP]"]
    assert [tokenizer.token_to_id(token) for token in special] == [0, 1, 2, 3, 4, 5]
    assert json.loads((trained_version / "config.json").read_text())["pad_token_id"] == 1
    assert tokenizer.encode("Él").tokens != tokenizer.encode("el").tokens


def test_it_reads_a_text_as_a_plain_tokenizer_does(trained_version: Path, classifier: Classifier) -> None:
    """The network was trained on what transformers' tokenizer makes of a text."""
    import transformers

    plain = transformers.AutoTokenizer.from_pretrained(trained_version)
    assert [text.ids for text in classifier.encode(TEXTS)] == plain([normalise(text) for text in TEXTS])["input_ids"]
    assert classifier.max_tokens == plain.model_max_length


def test_no_shipped_message_has_an_unknown_token(classifier: Classifier) -> None:
    """Also none of those that its vocabulary was not made from."""
    texts = [example.text for examples in seed_examples().values() for example in examples]
    unknown = classifier.tokenizer.token_to_id("[UNK]")
    assert all(unknown not in text.ids for text in classifier.encode(texts))


def test_there_is_no_pickle_in_a_version(trained_version: Path) -> None:
    """Loading a version must never run somebody's code."""
    assert {path.suffix for path in trained_version.iterdir()} <= {".json", ".md", ".onnx", ".safetensors", ".txt"}


def cut_weights(folder: Path) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[: len(content) // 2])


def flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "model.safetensors").write_bytes(content)


def rename_a_label(folder: Path) -> None:
    card = json.loads((folder / "card.json").read_text())
    card["labels"][0] = "otra"
    (folder / "card.json").write_text(json.dumps(card))


def alter_the_mixture(folder: Path) -> None:
    mixture = json.loads((folder / "mixture.json").read_text())
    (folder / "mixture.json").write_text(json.dumps(mixture | {"lexical": 0.0}))


DAMAGES: list[tuple[Callable[[Path], None], str]] = [
    (cut_weights, "model.safetensors is not what was written"),
    (flip_a_bit, "model.safetensors is not what was written"),
    (alter_the_mixture, "mixture.json is not what was written"),
    (lambda folder: (folder / "mixture.json").unlink(), "mixture.json cannot be read"),
    (lambda folder: (folder / "baseline.safetensors").write_bytes(b""), "baseline.safetensors is not what was written"),
    (rename_a_label, "card.json and config.json name different labels"),
    (lambda folder: (folder / "card.json").unlink(), "card.json is missing"),
    (lambda folder: (folder / "card.json").write_text("{"), "card.json cannot be read"),
    (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json cannot be read"),
    (lambda folder: (folder / "manifest.json").unlink(), "manifest.json cannot be read"),
    (lambda folder: (folder / "manifest.json").write_text("{}"), "manifest.json does not list model.safetensors"),
    (lambda folder: (folder / "config.json").write_text("{}"), "config.json is not what was written"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGES)
def test_a_damaged_version_is_refused_by_name(
    trained_version: Path, tmp_path: Path, damage: Callable[[Path], None], message: str
) -> None:
    """The last good version must go on serving, and the operator must know what to look at."""
    folder = tmp_path / "v1"
    shutil.copytree(trained_version, folder)
    damage(folder)
    with pytest.raises(BrokenVersion, match=message):
        load(folder)


def relist(folder: Path) -> None:
    """Make the folder one that was written as it is now."""
    listed = json.loads((folder / MANIFEST_FILE).read_text())
    there = {name: file_sha256(folder / name) for name in listed if (folder / name).exists()}
    (folder / MANIFEST_FILE).write_text(json.dumps(there))


def test_what_serves_is_the_mixture(trained_version: Path, classifier: Classifier) -> None:
    """The labels that people see are those of the whole: encoder and lexical model, as they were weighed on dev."""
    mixture = classifier.mixture
    assert mixture == classifier.card.mixture
    assert mixture.lexical > 0
    [encoded] = classifier.encode(["perdí la tarjeta y no entra a la app"])
    encoder = classifier.engine.logits([encoded.ids])[0]
    expected = sigmoid(mixture.encoder * encoder + mixture.lexical * encoded.lexical + mixture.shift)
    [prediction] = classifier.predict_encoded([encoded])
    assert list(prediction.scores.values()) == pytest.approx(expected.tolist(), rel=1e-4)
    assert np.allclose(load_lexical(trained_version)[0].logits(["perdí la tarjeta y no entra a la app"])[0], encoded.lexical)


def test_a_version_without_a_mixture_is_its_encoder_alone(trained_version: Path, tmp_path: Path) -> None:
    """Those that 0.1.0 and 0.2.0 wrote go on serving as they did, also after a rollback to one."""
    folder = tmp_path / "v1"
    shutil.copytree(trained_version, folder)
    (folder / "mixture.json").unlink()
    for name, former in FORMER_NAMES.items():
        (folder / name).unlink()
        assert not (folder / former).exists()
    relist(folder)
    card = json.loads((folder / "card.json").read_text())
    for later in ("mixture", "encoder_scores", "svc", "origin"):
        del card[later]
    (folder / "card.json").write_text(json.dumps(card))
    old = load(folder, device="cpu")
    [encoded] = old.encode(["perdí la tarjeta"])
    expected = sigmoid(old.engine.logits([encoded.ids]))[0].tolist()
    assert list(old.predict(["perdí la tarjeta"])[0].scores.values()) == pytest.approx(expected, rel=1e-4)


def test_a_part_that_weighs_nothing_is_not_asked(trained_version: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the network does not help, nobody waits for it; and the other way round."""
    folder = tmp_path / "v1"
    shutil.copytree(trained_version, folder)
    (folder / "mixture.json").write_text(json.dumps({"encoder": 0.0, "lexical": 1.0, "shift": 0.0}))
    relist(folder)
    alone = load(folder, device="cpu")
    monkeypatch.setattr(alone.engine, "logits", None)  # to be called would be an error
    assert set(alone.predict(["perdí la tarjeta"])[0].scores) == set(alone.labels)


def test_a_lexical_model_of_other_labels_is_refused(trained_version: Path, tmp_path: Path) -> None:
    """Put together from two versions it would answer, and wrongly."""
    folder = tmp_path / "v1"
    shutil.copytree(trained_version, folder)
    text = (folder / "baseline.json").read_text(encoding="utf-8")
    (folder / "baseline.json").write_text(text.replace('"fraude"', '"timo"', 1), encoding="utf-8")
    relist(folder)
    with pytest.raises(BrokenVersion, match=r"the lexical model and config\.json name different labels"):
        load(folder, device="cpu")


def test_a_card_may_be_numbered_afterwards(trained_version: Path, tmp_path: Path) -> None:
    """The registry gives the number when the version is listed."""
    folder = tmp_path / "v7"
    shutil.copytree(trained_version, folder)
    card = read_card(folder).model_copy(update={"version": 7})
    (folder / "card.json").write_text(card.model_dump_json())
    assert load(folder).predict(["hola"])[0].version == 7


def test_a_folder_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    """A crash while writing must not look like a version."""

    def write() -> None:
        with building(tmp_path / "v1") as folder:
            (folder / "config.json").write_text("{}")
            raise RuntimeError("the power is cut")

    with pytest.raises(RuntimeError):
        write()
    assert list(tmp_path.iterdir()) == []
