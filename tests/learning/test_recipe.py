"""A pretrained network learns in its highest layers, by the amount of data, and in the time that there is."""

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file

from model.errors import BrokenVersion
from model.labels import Label, Taxonomy
from model.learning import checkpoint, lessons, retraining, training
from model.learning.dataset import seed_messages, split_for_dev
from model.learning.recipe import TRAINED_LAYERS, checkpoint_recipe, freeze, titles_of
from model.learning.training import train
from model.schema import Example, Progress
from model.serving import network as serving_network
from model.serving.classifier import load
from model.serving.engine import OnnxEngine
from model.settings import ModelSettings
from model.store.store import Store

TINY = Taxonomy.from_names(["app", "gracias"])
EXAMPLES = [
    Example(text=f"{text} {tail}", labels=labels)
    for text, labels in [("no abre la app", ("app",)), ("mil gracias", ("gracias",)), ("hola", ())]
    for tail in ("hoy", "señor", "¿ya?", "otra vez", "desde ayer", "en Quito", "por favor", "pues")
]
LAYERS = TRAINED_LAYERS + 2


def config(**changes: Any) -> Any:
    shape = {
        "vocab_size": 300, "hidden_size": 64, "num_hidden_layers": LAYERS, "num_attention_heads": 2, "intermediate_size": 96,
        "pad_token_id": 1, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
    }  # fmt: skip
    return transformers.BertConfig(**shape | changes)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint with two layers more than learn, without dropout, so that no two trainings differ by chance."""
    folder = tmp_path_factory.mktemp("base") / "sechs-schichten"
    first = tmp_path_factory.mktemp("first") / "v"
    train(EXAMPLES, EXAMPLES, taxonomy=TINY, base="mini", out=first, epochs=1)
    vocabulary = json.loads((first / "config.json").read_text())["vocab_size"]
    torch.manual_seed(0)
    transformers.BertModel(config(vocab_size=vocabulary)).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((first / name).read_bytes())
    return folder


def trained(base: Path, out: Path, **more: Any) -> Any:
    return train(EXAMPLES, EXAMPLES, taxonomy=TINY, base=str(base), out=out, **{"epochs": 2, "seed": 3, **more})


def test_only_the_highest_layers_learn(base: Path, tmp_path: Path) -> None:
    """That the layers below are gone through once is only right while they stay as they are."""
    trained(base, tmp_path / "v")
    before, after = load_file(base / "model.safetensors"), load_file(tmp_path / "v" / "model.safetensors")
    for name, tensor in before.items():
        frozen = name.startswith("embeddings.") or any(name.startswith(f"encoder.layer.{at}.") for at in range(2))
        assert torch.equal(after[f"bert.{name}"], tensor) is frozen or name.endswith("key.bias"), name
    assert load(tmp_path / "v", device="cpu").card.settings["trained_layers"] == TRAINED_LAYERS


def test_what_comes_before_it_learns_is_shown_as_it_goes_on(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With many messages it takes minutes, and nobody is to look at a bar that stands still; what follows never falls back."""
    monkeypatch.setitem(serving_network._TOKENS_A_PASS, "cpu", 64)
    seen: list[Progress] = []
    trained(base, tmp_path / "v", on_progress=seen.append)
    for part in ("words", "reading"):
        told = [each for each in seen if each.stage == "preparing" and each.part == part and each.steps]
        assert len(told) > 4
        assert told[-1].step == told[-1].steps
    shares = [each.share for each in seen]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)


def test_what_the_lower_layers_say_may_be_remembered(base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More messages than fit into memory are trained on without it, and teach the same."""
    trained(base, tmp_path / "remembered")
    monkeypatch.setattr(lessons, "_MOST_CACHED", 0)
    trained(base, tmp_path / "afresh")
    texts = [example.text for example in EXAMPLES]
    one, two = (load(tmp_path / name, device="cpu") for name in ("remembered", "afresh"))
    for ours, theirs in zip(one.predict(texts), two.predict(texts), strict=True):
        assert ours.scores == pytest.approx(theirs.scores, abs=0.02)


def test_a_training_of_some_layers_goes_on_where_it_was_interrupted(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And its checkpoint holds what it changes, not the 160 MB that it does not."""

    class Killed(Exception):
        pass

    def kill(progress: Progress) -> None:
        if progress.stage == "training" and progress.step == 3:
            raise Killed

    monkeypatch.setattr(checkpoint, "_SAVE_EVERY_S", 0.0)
    monkeypatch.setattr(checkpoint, "_SAVING_SHARE", float("inf"))
    trained(base, tmp_path / "whole")
    with pytest.raises(Killed):
        trained(base, tmp_path / "v", checkpoint=tmp_path / "c", on_progress=kill)
    saved = load_file(tmp_path / "c" / checkpoint.CHECKPOINT_FILE)
    assert not [name for name in saved if "embeddings" in name or "encoder.layer.1." in name]
    seen: list[Progress] = []
    trained(base, tmp_path / "v", checkpoint=tmp_path / "c", on_progress=seen.append)
    assert next(each.step for each in seen if each.stage == "training") == 4
    one, two = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "v"))
    assert one == two


@pytest.mark.parametrize(
    ("kind", "frozen"),
    [({}, 2), ({"num_hidden_layers": TRAINED_LAYERS}, 0), ({"num_hidden_layers": 12}, 8), ({"hidden_act": "relu"}, 0)],
)
def test_which_networks_learn_in_part(kind: dict[str, Any], frozen: int) -> None:
    """A shallow one has no layers to spare, and one that is not packed has nowhere to begin in its middle."""
    network = transformers.BertForSequenceClassification(config(**kind))
    recipe = checkpoint_recipe(network, 300, quick=False)
    assert recipe.trained_layers == (TRAINED_LAYERS if frozen else 0)
    assert freeze(network, recipe.trained_layers) == frozen
    assert network.bert.embeddings.word_embeddings.weight.requires_grad is not bool(frozen)
    assert network.classifier.weight.requires_grad


@pytest.mark.parametrize(
    ("texts", "epochs", "quickly"), [(20, 40, 40), (100, 40, 40), (300, 20, 15), (1_005, 8, 4), (1_500, 8, 3), (50_000, 8, 2)]
)
def test_few_messages_are_gone_through_more_often(texts: int, epochs: int, quickly: int) -> None:
    """Three epochs of a hundred messages are twenty steps: nothing is learnt in them. A quick training has its own bound."""
    network = transformers.BertForSequenceClassification(config())
    assert [checkpoint_recipe(network, texts, quick=quick).epochs for quick in (False, True)] == [epochs, quickly]


def test_what_a_label_is_called_is_learnt_with_the_messages(base: Path, tmp_path: Path) -> None:
    """An encoder knows words that no message has said yet; a label without description is its name alone."""
    app = Label(name="app", title="App y web", title_en="", emoji="", description="La banca del móvil.")
    taxonomy = Taxonomy([app, *Taxonomy.from_names(["mil_gracias"])])
    said = titles_of(taxonomy)
    assert [(each.text, each.labels) for each in said] == [
        ("App y web", ("app",)), ("La banca del móvil.", ("app",)), ("mil gracias", ("mil_gracias",)),
    ]  # fmt: skip
    few = [Example(text=f"no abre {at}", labels=("app",)) for at in range(15)]
    card = train(few, few[:1], taxonomy=taxonomy, base=str(base), out=tmp_path / "v", epochs=1)
    assert card.settings["steps"] == 2  # of 16 each: with the dev message 19 are learnt, and not 16
    assert card.texts["train"] == 15


def test_two_messages_joined_carry_the_labels_of_both() -> None:
    """People say two things in one message; what nobody judged in one of them is judged in neither, unless the other has it."""
    encoded, truth = [[0, 7, 2], [0, 8, 9, 2]], torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 1.0]])
    known = torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    below = [torch.full((len(ids), 2), float(at)) for at, ids in enumerate(encoded)]
    two = lessons.Lessons(encoded, truth, known, below)
    assert two.drawn([1, 0], 0.0, 512, random.Random(0)).encoded == [encoded[1], encoded[0]]
    seen = set()
    for seed in range(20):
        drawn = two.drawn([0], 1.0, 6, random.Random(seed))
        assert drawn.lower is not None
        assert [len(each) for each in drawn.lower] == [len(each) for each in drawn.encoded]
        seen.add((tuple(drawn.encoded[0]), tuple(drawn.truth[0].tolist()), tuple(drawn.known[0].tolist())))
    # With itself, before the other, and behind it; of at most six tokens.
    both = ((1.0, 1.0, 0.0, 1.0), (1.0, 1.0, 0.0, 1.0))
    assert seen == {
        ((0, 7, 2, 7, 2), (1.0, 0.0, 0.0, 0.0), (1.0, 1.0, 0.0, 0.0)),
        ((0, 7, 2, 8, 9, 2), *both),
        ((0, 8, 9, 2, 7, 2), *both),
    }
    assert two.encoded == [[0, 7, 2], [0, 8, 9, 2]]
    assert two.truth[0].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_a_base_of_another_family_is_served_by_torch_and_says_so(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may know Spanish better; whoever chose it learns what it costs, and a worker without torch what it lacks."""
    folder = tmp_path / "destilada"
    vocabulary = json.loads((base / "config.json").read_text())["vocab_size"]
    shape = transformers.DistilBertConfig(vocab_size=vocabulary, dim=32, n_layers=1, n_heads=2, hidden_dim=48)
    transformers.DistilBertModel(shape).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((base / name).read_bytes())
    trained(folder, tmp_path / "v", epochs=1)
    version = load(tmp_path / "v", device="cpu")
    assert not isinstance(version.engine, OnnxEngine)
    assert version.card.forms == ()
    assert version.predict(["no abre la app"])[0].scores.keys() == {"app", "gracias"}
    assert "**Serves by torch**" in (tmp_path / "v" / "README.md").read_text(encoding="utf-8")
    monkeypatch.setitem(sys.modules, "model.serving.network", None)  # as where it is not installed
    with pytest.raises(BrokenVersion, match=r"\(distilbert\) is served by torch alone, and .* is not installed"):
        load(tmp_path / "v", device="cpu")


def test_twenty_messages_are_enough_to_begin_with(base: Path, tmp_path: Path) -> None:
    """The first day: a label in one message, half of them in none of dev, emoji or a word alone; it is trained, and answers."""
    labels = Taxonomy.from_names(["app", "gracias", "rara", "nadie"])
    texts = ["no abre la app", "gracias", "🙏", "💳❌", "hola"]
    carried: list[tuple[str, ...]] = [("app",), ("gracias",), ("gracias",), (), ()]
    some = [Example(text=f"{text}{'!' * at}", labels=own) for at in range(4) for text, own in zip(texts, carried, strict=True)]
    some[4] = some[4].model_copy(update={"labels": ("rara",)})
    learnt, dev = split_for_dev(some)
    assert len(learnt) + len(dev) == 20
    dev = [example.model_copy(update={"labels": tuple(name for name in example.labels if name == "app")}) for example in dev]
    card = train(learnt, dev, taxonomy=labels, base=str(base), out=tmp_path / "v", epochs=1)
    assert all(0 < threshold < 1 for threshold in card.thresholds.values())
    assert card.cuts["nadie"].gives("recall") is None
    for prediction in load(tmp_path / "v", device="cpu").predict(["🙏🙏", "fraude", "", "💳❌!"]):
        assert all(0 <= score <= 1 for score in prediction.scores.values())


def test_a_wider_network_learns_more_slowly() -> None:
    """At e5's rate BETO, twice as wide, would forget what it knows."""
    narrow, wide = (transformers.BertForSequenceClassification(config(hidden_size=width)) for width in (64, 128))
    rates = [checkpoint_recipe(network, 300, quick=False).learning_rate for network in (narrow, wide)]
    assert rates[0] == 2 * rates[1] == pytest.approx(4e-4 * 384 / 64)


def test_time_that_is_up_ends_the_training_with_what_it_has_learnt(base: Path, tmp_path: Path) -> None:
    """Whoever has the machine for ten minutes gets a version in ten minutes, and is told why it is no better."""
    seen: list[Progress] = []
    card = trained(base, tmp_path / "v", epochs=50, within_s=0.001, on_progress=seen.append)
    assert card.settings["steps"] == 1
    assert "its time being up" in str(seen[-1].note)
    assert load(tmp_path / "v", device="cpu").predict(["mil gracias"])
    assert trained(base, tmp_path / "w", within_s=3600).settings["steps"] == 8


@pytest.fixture
def few_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    few = seed_messages()[:60]
    monkeypatch.setattr(retraining, "seed_messages", lambda: few)


def test_the_first_version_is_a_quick_one_and_the_next_run_does_the_whole(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few_messages: None
) -> None:
    """Nobody waits to try the product; and asking for a training then is not answered with "there is nothing new"."""
    settings = ModelSettings(home=tmp_path, database_url="", base=str(base), device="cpu")
    store = Store(settings.store_url, tmp_path)
    store.migrate()
    trained_with: list[dict[str, Any]] = []

    def watched(whole: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **how: Any) -> Any:
            trained_with.append(how)
            return whole(*args, **how, epochs=None if how["quick"] else 1)

        return call

    monkeypatch.setattr(training, "train", watched(training.train))

    def run() -> Any:
        run_id, _ = store.runs.open("U1")
        retraining.run_training(store, settings, run_id)
        done = store.runs.get(run_id)
        assert done is not None
        assert done.error is None
        return done

    first = run()
    assert first.report.promoted
    live = store.registry.live()
    assert live is not None
    assert live.card.settings["quick"] is True
    assert live.card.settings["learns_dev_too"] is False
    second = run()
    assert second.report is not None
    made = store.registry.made_by(second.id)
    assert made is not None
    assert made.card.settings["quick"] is False
    assert [how["quick"] for how in trained_with] == [True, False]
    store.registry.promote(made.number, by="U1", reason="test")
    assert run().report is None  # now there is nothing new
    store.close()
