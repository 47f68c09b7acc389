"""Training gives a whole, repeatable, honest version, or says in a sentence why not."""

import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from model.errors import BadData, BaseUnavailable, ModelError, UnknownLabel
from model.labels import Taxonomy, seed_taxonomy
from model.learning import checkpoint, loop
from model.learning.checkpoint import CHECKPOINT_FILE
from model.learning.dataset import data_sha256, seed_examples, write_examples
from model.learning.evaluation import score
from model.learning.recipe import MINI_RECIPE, begin
from model.learning.training import train
from model.schema import Card, Example, Progress
from model.serving.classifier import load
from model.serving.network import forward
from model.serving.version_folder import read_card

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
    train(EXAMPLES, EXAMPLES, taxonomy=TINY.with_preferences({"app": "recall"}), base="mini", out=folder, epochs=2)
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
    assert set(card.scores) == set(card.baseline) == {"dev"}
    assert card.settings["epochs"] == 2
    assert set(card.thresholds) == {"app", "gracias"}
    assert card.code_version
    assert card.seconds > 0


def test_the_card_is_readable_by_people_too(tiny: Path) -> None:
    """Who finds the folder in a year must learn what it is, what it learnt from and where not to trust it."""
    card, text = read_card(tiny), (tiny / "README.md").read_text(encoding="utf-8")
    for word in ("app, gracias", card.data_sha256, card.code_version, "Learnt from** 24 messages", "logistic regression"):
        assert word in text
    assert f"| micro-F1 | {100 * card.scores['dev'].micro_f1:.1f} | {100 * card.baseline['dev'].micro_f1:.1f} |" in text


def test_what_is_preferred_is_saved_with_the_version(tiny: Path) -> None:
    """Wherever the folder goes, the label is given as its team wants it, and the README says what that costs."""
    card = read_card(tiny)
    assert card.preferences == {"app": "recall"}
    assert card.thresholds == {"app": card.cuts["app"].recall.threshold, "gracias": card.cuts["gracias"].balance.threshold}
    assert card.thresholds["app"] < card.thresholds["gracias"]
    assert card.cuts["app"].carrying == 8
    assert load(tiny, device="cpu").thresholds == card.thresholds
    assert "**Preferred**: recall of app: given from" in (tiny / "README.md").read_text(encoding="utf-8")


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
    stages = [stage for stage, _ in itertools.groupby(seen, key=lambda progress: progress.stage)]
    assert stages == ["preparing", "training", "evaluating", "done"]
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


def test_a_new_head_begins_with_how_frequent_each_label_is(tiny: Path) -> None:
    """Else the first epochs only learn that most labels are absent; what nobody judged is no absence."""
    blind = [e.model_copy(update={"labels": (), "unknown": ("gracias",)}) if e.labels == ("gracias",) else e for e in EXAMPLES]
    network, _, _, _ = begin(blind, EXAMPLES, TINY.names, base=str(tiny), seed=0, home=tiny)
    assert network.classifier.bias.sigmoid().tolist() == pytest.approx([8.5 / 25, 0.5 / 17])


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
        "from model.learning.training import train\n"
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


class Killed(Exception):
    """Stands for whatever ends a training in the middle."""


def kill_after(step: int) -> Callable[[Progress], None]:
    def on_progress(progress: Progress) -> None:
        if progress.stage == "training" and progress.step == step:
            raise Killed

    return on_progress


def mini(out: Path, **more: Any) -> Card:
    """Three epochs of two steps each."""
    return train(EXAMPLES, EXAMPLES, taxonomy=TINY, base="mini", out=out, **{"epochs": 3, "seed": 5, **more})


@pytest.mark.parametrize("every_s", [60.0, 0.0], ids=["after an epoch", "within an epoch"])
def test_an_interrupted_training_ends_as_if_it_never_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every_s: float) -> None:
    """A machine that restarts costs minutes, not the night; and the version is the same to the last bit."""
    monkeypatch.setattr(checkpoint, "_SAVE_EVERY_S", every_s)
    monkeypatch.setattr(checkpoint, "_SAVING_SHARE", float("inf"))
    whole = mini(tmp_path / "whole")
    with pytest.raises(Killed):
        mini(tmp_path / "v", checkpoint=tmp_path / "c", on_progress=kill_after(3))
    seen: list[Progress] = []
    card = mini(tmp_path / "v", checkpoint=tmp_path / "c", on_progress=seen.append)
    assert [each.step for each in seen if each.stage == "training"] == ([3, 4, 5, 6] if every_s else [4, 5, 6])
    assert (tmp_path / "v" / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()
    same = ("scores", "baseline", "thresholds", "settings", "data_sha256")
    assert [getattr(card, name) for name in same] == [getattr(whole, name) for name in same]


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    """Killed between the last step and the registry, a run only has to write its version again."""
    mini(tmp_path / "a", checkpoint=tmp_path / "c")
    seen: list[Progress] = []
    mini(tmp_path / "b", checkpoint=tmp_path / "c", on_progress=seen.append)
    assert "training" not in [progress.stage for progress in seen]
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()


@pytest.mark.parametrize(
    "other",
    [{"seed": 6}, {"epochs": 4}, {"train": EXAMPLES[::-1]}, {"dev": EXAMPLES[1:]}],
    ids=["seed", "recipe", "order", "dev"],
)
def test_the_checkpoint_of_another_training_is_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, other: dict[str, Any]
) -> None:
    """New judgements came in between: what was learned without them must not count as learned with them."""
    mini(tmp_path / "a", checkpoint=tmp_path / "c")
    given: dict[str, Any] = {"train": EXAMPLES, "dev": EXAMPLES, "seed": 5, "epochs": 3, **other}
    seen: list[Progress] = []
    train(**given, taxonomy=TINY, base="mini", out=tmp_path / "b", checkpoint=tmp_path / "c", on_progress=seen.append)
    assert next(each.step for each in seen if each.stage == "training") == 1
    assert "is another training's and is ignored" in caplog.text


@pytest.mark.parametrize("damage", ["half", "empty", "no header", "other shapes"])
def test_a_broken_checkpoint_is_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str) -> None:
    """The training then takes longer; it must not fail, and must not go on from nonsense."""
    mini(tmp_path / "a", checkpoint=tmp_path / "c")
    file = tmp_path / "c" / CHECKPOINT_FILE
    whole = file.read_bytes()
    if damage == "other shapes":
        with safe_open(file, "pt") as opened:
            header = opened.metadata()
        tensors = load_file(file)
        tensors["best.classifier.bias"] = torch.zeros(5)
        save_file(tensors, file, metadata=header)
    elif damage == "no header":
        save_file(load_file(file), file)
    else:
        file.write_bytes(whole[: len(whole) // 2] if damage == "half" else b"")
    mini(tmp_path / "b", checkpoint=tmp_path / "c")
    assert "is broken and is ignored" in caplog.text
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()


def test_a_full_disk_does_not_end_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A checkpoint is a convenience; the version is what was asked for. The earlier checkpoint stays."""
    save = checkpoint.Checkpoint.save
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def save_on_a_full_disk(self: Any, at: Any, *rest: Any) -> None:
        """The second epoch finds room for 10 kB only."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000 if at.epoch == 2 else soft, hard))
        save(self, at, *rest)
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    monkeypatch.setattr(checkpoint.Checkpoint, "save", save_on_a_full_disk)
    seen: list[Progress] = []
    mini(tmp_path / "whole")
    with pytest.raises(Killed):
        mini(tmp_path / "v", checkpoint=tmp_path / "c", on_progress=kill_after(5))
    assert "the training goes on without a new checkpoint" in caplog.text
    assert [path.name for path in (tmp_path / "c").iterdir()] == [CHECKPOINT_FILE]
    mini(tmp_path / "v", checkpoint=tmp_path / "c", on_progress=seen.append)
    assert next(each.step for each in seen if each.stage == "training") == 3
    assert (tmp_path / "v" / "model.safetensors").read_bytes() == (tmp_path / "whole" / "model.safetensors").read_bytes()


def test_what_a_killed_process_left_of_a_checkpoint_is_swept_away(tmp_path: Path) -> None:
    """Twenty kills must not fill the disk with twenty halves of 1.8 GB."""
    (tmp_path / "c" / "part").mkdir(parents=True)
    (tmp_path / "c" / "part" / ".tmpX1").write_bytes(b"half")
    mini(tmp_path / "v", checkpoint=tmp_path / "c", epochs=1)
    assert [path.name for path in (tmp_path / "c").iterdir()] == [CHECKPOINT_FILE]


@pytest.fixture
def plain(tiny: Path, tmp_path: Path) -> Path:
    """A checkpoint without dropout, of which no try differs by chance from another."""
    folder = tmp_path / "plain"
    shutil.copytree(tiny, folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}))
    return folder


def shrink_memory(monkeypatch: pytest.MonkeyPatch, texts: int, error: Exception) -> None:
    """From here on `error` is raised where more than `texts` texts go through a network that learns."""

    def bounded(network: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
        if len(inputs["lengths"]) > texts:
            raise error
        return forward(network, inputs)

    monkeypatch.setattr(loop, "forward", bounded)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory"),
    ],
    ids=["gpu", "cpu"],
)
def test_a_batch_that_does_not_fit_is_halved_and_teaches_the_same(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """A smaller machine gives the same version, only later; and people are told why it takes longer."""
    common: dict[str, Any] = {"taxonomy": TINY, "base": str(plain), "epochs": 2}
    blind = [e.model_copy(update={"labels": (), "unknown": TINY.names}) for e in EXAMPLES[::3]]
    wide = train([*EXAMPLES, *blind], EXAMPLES, out=tmp_path / "wide", **common)
    shrink_memory(monkeypatch, 5, error)
    seen: list[Progress] = []
    narrow = train([*EXAMPLES, *blind], EXAMPLES, out=tmp_path / "narrow", on_progress=seen.append, **common)
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("wide", "narrow")]
    for name, tensor in weights[0].items():
        if not name.endswith("key.bias"):  # moves all that a token attends to alike: it learns nothing but rounding errors
            torch.testing.assert_close(weights[1][name], tensor, rtol=1e-4, atol=1e-5)
    assert {each.note for each in seen if each.stage == "training"} == {"batch halved to 4"}
    assert (wide.settings["micro_batch"], narrow.settings["micro_batch"]) == (16, 4)
    assert wide.settings["steps"] == narrow.settings["steps"]


def test_chance_does_not_remember_the_try_that_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Halved at the first step or from the beginning: one seed gives one version."""
    shrink_memory(monkeypatch, 8, torch.OutOfMemoryError())
    mini(tmp_path / "a", epochs=1)
    learn = loop._learn
    monkeypatch.setattr(loop, "_learn", lambda *args: learn(*args[:-1], min(8, args[-1])))
    mini(tmp_path / "b", epochs=1)
    assert (tmp_path / "a" / "model.safetensors").read_bytes() == (tmp_path / "b" / "model.safetensors").read_bytes()


def test_a_machine_too_small_for_one_message_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the ways out, instead of an allocator's figures."""
    shrink_memory(monkeypatch, 0, torch.OutOfMemoryError())
    with pytest.raises(ModelError, match="not even one message at a time fits into the memory of cpu"):
        mini(tmp_path / "v")


def test_another_error_is_not_taken_for_a_lack_of_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Halving would hide a fault of ours behind sixteen retries."""
    shrink_memory(monkeypatch, 8, RuntimeError("shapes do not fit"))
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        mini(tmp_path / "v")


def test_two_processes_train_what_one_does(plain: Path, tmp_path: Path) -> None:
    """More GPUs make the same version sooner. Here two processes on the CPU: each takes half of every batch."""
    data = tmp_path / "data.jsonl"
    write_examples(data, EXAMPLES)
    command = ["-m", "bot", "train", "--data", str(data), "--dev", str(data), "--base", str(plain), "--json", "--out"]
    environment = os.environ | {"BETO_DEVICE": "cpu", "OMP_NUM_THREADS": "1"}
    alone = subprocess.run(
        [sys.executable, *command, str(tmp_path / "alone")], env=environment, capture_output=True, text=True, check=True
    )
    together = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *command, str(tmp_path / "two")],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    one, two = (Card.model_validate_json(done.stdout.splitlines()[-1]) for done in (alone, together))
    assert (one.settings["processes"], two.settings["processes"]) == (1, 2)
    assert len(together.stdout.splitlines()) == 1  # rank zero alone reports
    assert one.settings["steps"] == two.settings["steps"]
    weights = [load_file(tmp_path / name / "model.safetensors") for name in ("alone", "two")]
    for name, tensor in weights[0].items():
        if not name.endswith("key.bias"):  # moves all that a token attends to alike: it learns nothing but rounding errors
            torch.testing.assert_close(weights[1][name], tensor, rtol=1e-3, atol=1e-4)


def test_a_training_ends_when_it_learns_no_more(tmp_path: Path) -> None:
    """Nobody waits for epochs that bring nothing; the bar ends where the training does."""
    seen: list[Progress] = []
    card = mini(tmp_path / "v", epochs=30, on_progress=seen.append)
    assert card.settings["epochs"] == 30
    patience = MINI_RECIPE.patience
    assert patience <= card.settings["epochs_run"] < 30
    assert card.settings["steps"] == seen[-1].step == seen[-1].steps == 2 * int(card.settings["epochs_run"])


@pytest.mark.parametrize("positives", [0, 1])
def test_a_label_that_hardly_anything_carries_is_no_obstacle(tmp_path: Path, positives: int) -> None:
    """A new label begins like that."""
    taxonomy = Taxonomy.from_names([*TINY.names, "nueva"])
    rare = [e.model_copy(update={"labels": (*e.labels, "nueva")}) if at < positives else e for at, e in enumerate(EXAMPLES)]
    card = train(rare, EXAMPLES, taxonomy=taxonomy, base="mini", out=tmp_path / "v", epochs=2, test=EXAMPLES)
    assert all(tensor.isfinite().all() for tensor in load_file(tmp_path / "v" / "model.safetensors").values())
    assert card.scores["test"].per_label["app"].f1 > 0.5


def test_a_message_of_which_one_label_is_known_is_enough(tmp_path: Path) -> None:
    """One emoji judges one label; all the rest stays open, in training and on dev."""
    sparse = [
        e.model_copy(update={"labels": tuple(set(e.labels) & {name}), "unknown": tuple(set(TINY.names) - {name})})
        for at, e in enumerate(EXAMPLES)
        for name in [TINY.names[at % 2]]
    ]
    train(sparse, sparse, taxonomy=TINY, base="mini", out=tmp_path / "v", epochs=2)
    assert all(tensor.isfinite().all() for tensor in load_file(tmp_path / "v" / "model.safetensors").values())
    assert load(tmp_path / "v").predict(["no abre la app ahora"])[0].scores["app"] > 0.5


def test_messages_of_which_nothing_is_known_leave_finite_weights(tmp_path: Path) -> None:
    """A mean over nothing is no number; here it is nothing learned."""
    blind = [e.model_copy(update={"labels": (), "unknown": TINY.names}) for e in EXAMPLES]
    train([*EXAMPLES, *blind, *blind], EXAMPLES, taxonomy=TINY, base="mini", out=tmp_path / "v", epochs=2)
    assert all(tensor.isfinite().all() for tensor in load_file(tmp_path / "v" / "model.safetensors").values())


def test_the_bench_compares_on_equal_terms(tmp_path: Path) -> None:
    """A number against somebody else's trainer is only worth something beside all that was equal."""
    write_examples(tmp_path / "data.jsonl", EXAMPLES)
    write_examples(tmp_path / "judged.jsonl", EXAMPLES[::3])
    command = [sys.executable, "-m", "tests.bench", "training", "--json", "--seeds", "1"]
    files = ["--data", str(tmp_path / "data.jsonl"), "--dev", str(tmp_path / "judged.jsonl")]
    done = subprocess.run([*command, *files], capture_output=True, text=True, check=True, env=os.environ)
    result = json.loads(done.stdout.splitlines()[-1])
    assert set(result["systems"]) == {"beto", "trainer", "trainer_tuned", "floor"}
    assert result["seeds"] == [0]
    assert {"cpu", "cores", "versions", "commit", "device", "texts"} <= set(result)
    for name in ("beto", "trainer", "trainer_tuned"):
        assert result["systems"][name]["mean"]["examples_per_s"] > 0
        assert result["systems"][name]["mean"]["seconds"] > 0
    # As many epochs as the recipe has; only ours may end earlier.
    assert result["systems"]["trainer"]["mean"]["epochs"] == MINI_RECIPE.epochs
    assert result["systems"]["beto"]["mean"]["epochs"] <= MINI_RECIPE.epochs
