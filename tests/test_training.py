"""Training gives a whole, repeatable, honest version, or says in a sentence why not."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model.classifier import load
from model.dataset import data_sha256, seed_examples
from model.errors import BadData, BaseUnavailable, ModelError, UnknownLabel
from model.evaluation import score
from model.folder import read_card
from model.labels import Taxonomy, seed_taxonomy
from model.schema import Example, Progress
from model.training import train

TINY = Taxonomy.from_names(["app", "gracias"])
EXAMPLES = [
    Example(text=f"{text} {tail}", labels=labels)
    for text, labels in [("no abre la app", ("app",)), ("mil gracias", ("gracias",)), ("hola", ())]
    for tail in ("hoy", "señor", "¿ya?", "otra vez", "desde ayer", "en Quito", "por favor", "pues")
]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version of two labels, and a checkpoint folder for others to begin with."""
    folder = tmp_path_factory.mktemp("tiny") / "v"
    train(EXAMPLES, EXAMPLES, taxonomy=TINY, base="mini", out=folder, epochs=2)
    return folder


def test_a_short_training_on_the_shipped_messages_is_of_use(trained_version: Path) -> None:
    """The demo's first impression; a network that learnt nothing would score 20."""
    test = seed_examples()["test"]
    predicted = [prediction.labels for prediction in load(trained_version).predict([example.text for example in test])]
    assert score([example.labels for example in test], predicted, seed_taxonomy().names).micro_f1 > 0.65


def test_the_card_tells_what_was_done(tiny: Path) -> None:
    """Every number in a report can be traced to data, seed, settings and code."""
    card = read_card(tiny)
    assert card.base == card.settings["base"] == "mini"
    assert card.data_sha256 == data_sha256([*EXAMPLES, *EXAMPLES])
    assert card.texts == {"train": 24, "dev": 24, "test": 0}
    assert set(card.scores) == set(card.floor) == {"dev"}
    assert card.settings["epochs"] == 2
    assert set(card.thresholds) == {"app", "gracias"}
    assert card.code_version
    assert card.seconds > 0


def test_one_seed_gives_one_version(tmp_path: Path) -> None:
    """A result that nobody can repeat is no result."""
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        train(EXAMPLES, EXAMPLES, taxonomy=TINY, base="mini", out=tmp_path / name, seed=seed, epochs=1)
    weights = {name: (tmp_path / name / "model.safetensors").read_bytes() for name in "abc"}
    assert weights["a"] == weights["b"] != weights["c"]


def test_progress_comes_after_every_step_with_the_time_left(tmp_path: Path) -> None:
    """A person who waits sees a bar that moves, and when it will end."""
    seen: list[Progress] = []
    train(EXAMPLES, EXAMPLES, taxonomy=TINY, base="mini", out=tmp_path / "v", epochs=3, on_progress=seen.append)
    assert [progress.stage for progress in seen][:2] == ["preparing", "training"]
    assert [progress.stage for progress in seen][-2:] == ["judging", "done"]
    steps = [progress for progress in seen if progress.stage == "training"]
    assert [progress.step for progress in steps] == list(range(1, steps[-1].steps + 1))
    assert all(progress.loss is not None for progress in steps)
    assert all(progress.seconds_left is not None for progress in steps[1:])
    assert steps[-1].seconds_left == 0.0


def test_a_local_checkpoint_of_the_same_kind_is_fine_tuned(tiny: Path, tmp_path: Path) -> None:
    """BETO's way, on a small network: other labels, the checkpoint's own vocabulary, and its own name."""
    taxonomy = Taxonomy.from_names(["saludo", "app", "gracias"])
    examples = [e if e.labels else e.model_copy(update={"labels": ("saludo",)}) for e in EXAMPLES]
    checkpoint = tmp_path / "pequeño-bert"
    checkpoint.mkdir()
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        (checkpoint / name).write_bytes((tiny / name).read_bytes())
    card = train(examples, examples, taxonomy=taxonomy, base=str(checkpoint), out=tmp_path / "v", epochs=2)
    assert card.base == "pequeño-bert"
    assert load(tmp_path / "v").labels == ("saludo", "app", "gracias")
    assert (tmp_path / "v" / "tokenizer.json").read_bytes() == (checkpoint / "tokenizer.json").read_bytes()


def test_what_began_as_mini_stays_mini(tiny: Path, tmp_path: Path) -> None:
    """A small network must never pass for BETO by way of a folder's name."""
    assert train(EXAMPLES, EXAMPLES, taxonomy=TINY, base=str(tiny), out=tmp_path / "v", epochs=1).base == "mini"


def test_labels_that_nobody_judged_teach_nothing(tmp_path: Path) -> None:
    """A correction by one emoji must not become thirteen silent noes."""
    blind = [e.model_copy(update={"labels": tuple(set(e.labels) - {"app"}), "unknown": ("app",)}) for e in EXAMPLES]
    train([*EXAMPLES, *blind, *blind, *blind], EXAMPLES, taxonomy=TINY, base="mini", out=tmp_path / "v", epochs=2)
    predictions = load(tmp_path / "v").predict(["no abre la app ahora", "mil gracias"])
    assert predictions[0].scores["app"] > 0.5 > predictions[1].scores["app"]


def test_an_existing_folder_is_never_written_over(tiny: Path) -> None:
    """It may be the version that serves; and this is known before the training, not after."""
    began = time.monotonic()
    with pytest.raises(ModelError, match="is there already: choose another folder"):
        train(EXAMPLES, EXAMPLES, taxonomy=TINY, base="mini", out=tiny)
    assert time.monotonic() - began < 1


def test_a_folder_that_cannot_be_written_is_said_at_once(tmp_path: Path) -> None:
    """Not after the night's training."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match=r"v cannot be written"):
        train(EXAMPLES, EXAMPLES, taxonomy=TINY, base="mini", out=tmp_path / "file" / "v")


def test_data_that_cannot_be_trained_on_is_refused(tmp_path: Path) -> None:
    """With what is wrong, instead of a tensor's shape."""
    out = tmp_path / "v"
    with pytest.raises(BadData, match="there are no train messages"):
        train([], EXAMPLES, taxonomy=TINY, base="mini", out=out)
    with pytest.raises(BadData, match="there are no dev messages"):
        train(EXAMPLES, [], taxonomy=TINY, base="mini", out=out)
    with pytest.raises(UnknownLabel, match="'nube' is not in the taxonomy"):
        train(EXAMPLES, [Example(text="x", labels=("nube",))], taxonomy=TINY, base="mini", out=out)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "is no checkpoint: it has no config.json"), ("{}", "cannot be loaded"), ("[", "cannot be loaded")],
)
def test_a_folder_that_is_no_checkpoint_is_told_with_the_ways_out(tmp_path: Path, content: str | None, message: str) -> None:
    """A mistyped path is the commonest mistake."""
    base = tmp_path / "base"
    base.mkdir()
    if content is not None:
        (base / "config.json").write_text(content)
    with pytest.raises(BaseUnavailable, match=rf"{message}.*HF_ENDPOINT.*--base mini"):
        train(EXAMPLES, EXAMPLES, taxonomy=TINY, base=str(base), out=tmp_path / "v")


def test_a_name_that_no_hub_can_have_is_refused(tmp_path: Path) -> None:
    """Before anything is asked of the network."""
    with pytest.raises(BaseUnavailable, match="neither a folder nor a hub name"):
        train(EXAMPLES, EXAMPLES, taxonomy=TINY, base="no tal//nombre", out=tmp_path / "v")


def test_an_unreachable_hub_is_told_soon_with_the_ways_out(tmp_path: Path) -> None:
    """Behind a firewall the hub's own client tries for three quarters of a minute, and then says nothing of use."""
    # A process of its own: the hub's client reads its settings once. Port 9 of loopback refuses.
    program = (
        "import json, sys, time\nfrom pathlib import Path\n"
        "from model.errors import BaseUnavailable\nfrom model.labels import Taxonomy\nfrom model.schema import Example\n"
        "from model.training import train\n"
        "e = [Example(text='hola app', labels=('app',)), Example(text='no', labels=())]\nbegan = time.monotonic()\n"
        "try:\n    train(e, e, taxonomy=Taxonomy.from_names(['app']), base='nadie/este-modelo', out=Path(sys.argv[1]))\n"
        "except BaseUnavailable as error:\n    print(json.dumps([str(error), time.monotonic() - began]))\n"
    )
    environment = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path / "hub")}
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "v")], capture_output=True, text=True, env=environment, check=True
    )
    message, seconds = json.loads(done.stdout.splitlines()[-1])
    assert "'nadie/este-modelo' is not on this machine and http://127.0.0.1:9 cannot be reached" in message
    assert "--base mini" in message
    assert "HF_ENDPOINT" in message
    assert seconds < 15
    assert "Traceback" not in done.stderr
