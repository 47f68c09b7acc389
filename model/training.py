"""Fine-tuning: labelled messages in, a version's folder out. One of torch's two doors; the other is `classifier`."""

import hashlib
import json
import logging
import os
import random
import shutil
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.nn.functional import binary_cross_entropy_with_logits

from model import baseline
from model.baseline import Floor, truth_of
from model.classifier import Classifier, encode, fitting_threads, logits_of, longest_input, pad, pick_device, quiet_transformers
from model.dataset import data_sha256
from model.errors import BadData, BaseUnavailable, ModelError, UnknownLabel
from model.evaluation import Matrix, best_threshold, calibrate, expected_calibration_error, label_thresholds, score
from model.folder import CARD_FILE, building, check_free, read_card, write_card
from model.labels import Taxonomy
from model.mini import first_meanings, learn_vocabulary
from model.schema import Card, Example, Progress, Scores, Split
from model.text import speak

MINI = "mini"
CHECKPOINT_FILE = "checkpoint.safetensors"

log = logging.getLogger(__name__)

_SAVE_EVERY_S = 60.0  # within an epoch; after each epoch in any case
_SAVING_SHARE = 0.05  # at most this share of the time goes into checkpoints: BETO's is 1.8 GB


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; all of it is kept in the card."""

    epochs: int  # at most
    batch: int  # texts that one step learns from, however many of them fit into memory at a time
    learning_rate: float
    patience: int  # epochs without a better dev F1 that end the training
    warm_up: float = 0.1  # share of all steps
    weight_decay: float = 0.01
    head_pace: float = 1.0  # learning rate of what is new above the checkpoint, as a multiple
    masked: float = 0.0  # share of pieces hidden from the network at each step


# Mini begins where the floor ends, loses some of it at the high rates and wins it back at the low ones: with a patience of
# 4 it ended in the dip (micro-F1 on the shipped test split, mean of three seeds, 72.8 instead of 75.0).
MINI_RECIPE = Recipe(epochs=10, batch=16, learning_rate=1e-3, patience=10, masked=0.1)


@dataclass(frozen=True)
class _Task:
    """Encoded texts with their answers, texts x labels."""

    encoded: list[list[int]]
    truth: torch.Tensor
    known: torch.Tensor


def train(
    train: Sequence[Example],
    dev: Sequence[Example],
    *,
    taxonomy: Taxonomy,
    base: str,
    out: Path,
    seed: int = 0,
    device: str = "auto",
    on_progress: Callable[[Progress], None] | None = None,
    test: Sequence[Example] | None = None,
    epochs: int | None = None,
    checkpoint: Path | None = None,
) -> Card:
    """A version fine-tuned from `base` is at `out`, complete, and its card is returned.

    `base` is `mini`, a folder, or a name on a hub. The best weights on `dev` are kept; calibration and threshold are
    chosen there. `seed` decides all chance. `epochs` replaces the recipe's number. `on_progress` is called after every
    step. Raises BaseUnavailable, BadData and UnknownLabel for data that cannot be trained on, and ModelError where
    `out` exists or cannot be written, or where not even one text at a time fits into memory.

    In the folder `checkpoint` the training's state is kept after every epoch, and every minute of a long one: the same
    call with the same data goes on from there, and on a CPU ends with the weights of a training that was never
    interrupted. The folder is the caller's to remove.
    """
    report = _Reporter(on_progress)
    report(Progress(stage="preparing"))
    check_free(out)
    _check_data({"train": train, "dev": dev, "test": test or ()}, taxonomy)
    where = pick_device(device)

    # The network that we begin with, and the floor that it must beat.
    network, tokenizer, floor, recipe = begin(train, dev, taxonomy.names, base=base, seed=seed)
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    network.to(where)

    # Training; then the best weights, calibrated, are judged beside the floor.
    longest = longest_input(network, tokenizer)
    train_task, dev_task = (_task(tokenizer, examples, taxonomy.names, longest) for examples in (train, dev))
    with fitting_threads(network):
        keeper = _Checkpoint(checkpoint, _fingerprint(train, dev, taxonomy.names, recipe, base, seed))
        ended = _fit(network, tokenizer, recipe, train_task, dev_task, seed, where, report, keeper)
    final = Progress(stage="judging", step=ended.step, steps=ended.step, epoch=ended.epoch, note=ended.note(recipe))
    report(final)
    _calibrate(network, tokenizer, dev_task, where)
    scores = _task_logits(network, tokenizer, dev_task, where).double().sigmoid().numpy()
    thresholds = label_thresholds(scores, dev_task.truth.double().numpy(), dev_task.known.double().numpy())
    card = Card(
        base=_name_of(base),
        labels=taxonomy.names,
        thresholds=dict(zip(taxonomy.names, thresholds, strict=True)),
        seed=seed,
        settings={
            **asdict(recipe),
            "epochs_run": ended.epoch,
            "micro_batch": ended.micro_batch,
            "base": base,
            "device": str(where),
            "steps": ended.step,
            "torch": torch.__version__,
        },
        data_sha256=data_sha256([*train, *dev, *(test or ())]),
        texts={"train": len(train), "dev": len(dev), "test": len(test or ())},
        scores={},
        floor={},
        seconds=0.0,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        code_version=_code_version(),
    )
    classifier = Classifier(network, tokenizer, card, where)
    judged: dict[Split, Sequence[Example]] = {"dev": dev, **({"test": test} if test else {})}
    card = card.model_copy(
        update={
            "scores": {split: _judge(classifier, examples) for split, examples in judged.items()},
            "floor": {split: _judge(floor, examples) for split, examples in judged.items()},
            "seconds": round(report.seconds, 1),
        }
    )
    with building(out) as folder:
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        floor.save(folder)
        write_card(folder, card)
    report(final.model_copy(update={"stage": "done", "seconds_left": 0.0}))
    return card


def begin(
    train: Sequence[Example], dev: Sequence[Example], labels: Sequence[str], *, base: str, seed: int
) -> tuple[Any, Any, Floor, Recipe]:
    """(network, tokenizer, floor, recipe): what a training from `base` begins with; the same for the same arguments."""
    torch.manual_seed(seed)
    if base == MINI:
        floor = baseline.fit(train, dev, labels)
        return *_new_mini(train, floor, seed), floor, MINI_RECIPE
    network, tokenizer = _open_base(base, labels)
    _begin_head(network, train, labels)
    recipe = Recipe(
        # Few texts want many more than the usual 3 epochs (Zhang et al. 2020, arXiv 2006.05987).
        epochs=min(20, max(3, 12_000 // len(train))),
        batch=16,
        # BERT's usual rate at its width; narrower networks bear more.
        learning_rate=5e-5 * 768 / network.config.hidden_size,
        patience=5,
        # After 15 epochs on 300 messages of 48 labels, a 22M checkpoint told only the most frequent ones (micro-F1 22) at
        # 5e-5 for all layers; nor did it at 5e-4. At
        # 1e-4, and 20 times as much for the new layer, it comes to 62.
        head_pace=20.0,
    )
    return network, tokenizer, baseline.fit(train, dev, labels), recipe


@dataclass
class _Position:
    """How far a training is: all that changes as it goes, but for the network and the optimiser."""

    best: dict[str, torch.Tensor]  # the weights with the best F1 on dev so far
    best_f1: float
    micro_batch: int  # texts that fit into memory at a time
    step: int = 0
    epoch: int = 0  # whole epochs
    batches: int = 0  # taken of the epoch after them
    stale: int = 0  # epochs since dev F1 rose

    def note(self, recipe: Recipe) -> str | None:
        """What the people who wait should know; said in every report, as many are never shown."""
        return f"batch halved to {self.micro_batch}" if self.micro_batch < recipe.batch else None


def _fit(
    network: Any,
    tokenizer: Any,
    recipe: Recipe,
    train: _Task,
    dev: _Task,
    seed: int,
    where: torch.device,
    report: "_Reporter",
    checkpoint: "_Checkpoint",
) -> _Position:
    """`network` has the weights that were best on `dev`; where the training ended is returned."""
    lengths = [len(ids) for ids in train.encoded]
    steps = recipe.epochs * -(-len(lengths) // recipe.batch)

    # Optimiser (AdamW as torch has it corrects Adam's bias) and schedule: linear up, linear down.
    body = {id(p) for p in network.base_model.parameters()}
    groups = [
        {
            "params": [p for p in network.parameters() if (id(p) in body) == in_body and (p.ndim > 1) == is_matrix],
            "weight_decay": recipe.weight_decay if is_matrix else 0.0,  # biases and layer norms are not pulled to zero
            "peak": recipe.learning_rate * (1.0 if in_body else recipe.head_pace),
        }
        for in_body in (True, False)
        for is_matrix in (True, False)
    ]
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate)
    warm_up = max(1, round(recipe.warm_up * steps))

    # Where an earlier call was interrupted; else best so far are the weights we begin with, which for mini are of use.
    at = checkpoint.load(network, optimiser, where) or _Position(
        best=_copy(network), best_f1=_dev_f1(network, tokenizer, dev, where), micro_batch=recipe.batch
    )
    while at.epoch < recipe.epochs and at.stale < recipe.patience:
        network.train()
        # All chance comes from the seed and the epoch or step alone: then nothing of it has to be kept in a checkpoint.
        chance = random.Random(f"{seed} {at.epoch}")  # noqa: S311 - the order of texts is no secret
        for batch in list(_batches(lengths, recipe.batch, chance))[at.batches :]:
            torch_seed = 1_000_003 * seed + at.step
            learn = partial(_learn, network, tokenizer, recipe.masked, train, batch, torch_seed, where)
            loss, at.micro_batch = _as_memory_allows(learn, at.micro_batch, where)
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            for group in optimiser.param_groups:
                pace = min((at.step + 1) / warm_up, (steps - at.step) / max(1, steps - warm_up))
                group["lr"] = group["peak"] * pace
            optimiser.step()
            at.step += 1
            at.batches += 1
            if checkpoint.is_due():
                checkpoint.save(at, network, optimiser)
            progress = Progress(stage="training", step=at.step, steps=steps, epoch=at.epoch + 1, loss=loss, note=at.note(recipe))
            report(progress)
        f1 = _dev_f1(network, tokenizer, dev, where)
        at.stale = 0 if f1 > at.best_f1 else at.stale + 1
        if f1 >= at.best_f1:
            at.best, at.best_f1 = _copy(network), f1
        at.epoch, at.batches = at.epoch + 1, 0
        checkpoint.save(at, network, optimiser)
    network.load_state_dict(at.best)
    return at


def _learn(
    network: Any,
    tokenizer: Any,
    masked: float,
    train: _Task,
    batch: Sequence[int],
    torch_seed: int,
    where: torch.device,
    micro_batch: int,
) -> float:
    """The gradients of the mean loss over `batch` are in `network`; that loss. At most `micro_batch` texts go through at once."""
    torch.manual_seed(torch_seed)
    network.zero_grad()
    judged = train.known[batch].sum().clamp(min=1).to(where)
    total = 0.0
    for first in range(0, len(batch), micro_batch):
        part = batch[first : first + micro_batch]
        rows = pad([train.encoded[at] for at in part], tokenizer.pad_token_id)
        if masked:
            _mask(rows["input_ids"], masked, tokenizer)
        with torch.autocast(where.type, dtype=torch.bfloat16, enabled=where.type == "cuda"):
            logits = network(**{name: tensor.to(where) for name, tensor in rows.items()}).logits
        truth, known = train.truth[part].to(where), train.known[part].to(where)
        losses = binary_cross_entropy_with_logits(logits.float(), truth, weight=known, reduction="sum")
        loss = losses / judged  # what nobody judged teaches nothing: silence is not a no
        loss.backward()  # type: ignore[no-untyped-call]
        total += loss.item()
    return total


def _as_memory_allows(learn: Callable[[int], float], micro_batch: int, where: torch.device) -> tuple[float, int]:
    """(what `learn` gives, the texts at a time for which it did): where `micro_batch` do not fit, half as many are tried.

    The gradients are summed over the parts of a batch, so the step is the same. Raises ModelError where one text alone
    does not fit.
    """
    while True:
        try:
            return learn(micro_batch), micro_batch
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
            if micro_batch == 1:
                raise ModelError(
                    f"not even one message at a time fits into the memory of {where} with this network: end what else runs "
                    "there, train elsewhere (BETO_DEVICE=cpu), or take a smaller base (`--base mini`)"
                ) from error
        # Here and not above: while the error is alive, its traceback holds the tensors of the failed try.
        micro_batch //= 2
        log.warning("out of memory: %d messages at a time from here on", micro_batch)
        if where.type == "cuda":
            torch.cuda.empty_cache()


def _is_out_of_memory(error: Exception) -> bool:
    """On a GPU torch has a class for it; on a CPU, and in libraries below torch, it is a RuntimeError that says so."""
    said = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "out of memory" in said or "can't allocate memory" in said


class _Checkpoint:
    """One file with a training's whole state, for the same training begun again; nothing is kept without a folder.

    The tensors are safetensors', what is left is JSON in the file's header: one rename replaces both together.
    """

    def __init__(self, folder: Path | None, fingerprint: str) -> None:
        self._folder = folder
        self._fingerprint = fingerprint
        self._saved = time.monotonic()
        self._pause = _SAVE_EVERY_S

    def is_due(self) -> bool:
        """Whether enough time has passed for another one within an epoch."""
        return self._folder is not None and time.monotonic() - self._saved >= self._pause

    def save(self, at: _Position, network: Any, optimiser: torch.optim.Optimizer) -> None:
        """The state is on the disk. Where it cannot be written, a warning says so, and the earlier one stays."""
        if self._folder is None:
            return
        began = time.monotonic()
        tensors = {f"network.{name}": tensor for name, tensor in network.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in at.best.items()}
        for parameter, state in optimiser.state_dict()["state"].items():
            tensors |= {f"optimiser.{parameter}.{name}": tensor for name, tensor in state.items()}
        rest = {field.name: getattr(at, field.name) for field in fields(at) if field.name != "best"}
        header = {"position": json.dumps(rest), "fingerprint": self._fingerprint}
        # A folder of its own: safetensors begins with a file of a random name, which a process that is killed leaves.
        parts = self._folder / "part"
        try:
            shutil.rmtree(parts, ignore_errors=True)
            parts.mkdir(parents=True)
            save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, parts / CHECKPOINT_FILE, metadata=header)
            _flush(parts / CHECKPOINT_FILE)
            os.replace(parts / CHECKPOINT_FILE, self._folder / CHECKPOINT_FILE)
            _flush(self._folder)
        except (OSError, SafetensorError) as error:
            log.warning("the training goes on without a new checkpoint in %s: %s", self._folder, error)
        shutil.rmtree(parts, ignore_errors=True)  # what was written in vain would keep the disk full
        self._saved = time.monotonic()
        self._pause = max(_SAVE_EVERY_S, (self._saved - began) / _SAVING_SHARE)

    def load(self, network: Any, optimiser: torch.optim.Optimizer, where: torch.device) -> _Position | None:
        """The state that the same training kept, with `network` and `optimiser` as they were then.

        None where there is none, and, with a warning, where it is broken or another training's.
        """
        if self._folder is None or not (self._folder / CHECKPOINT_FILE).exists():
            return None
        file = self._folder / CHECKPOINT_FILE
        try:
            with safe_open(file, "pt") as opened:
                header = opened.metadata()
                if header["fingerprint"] != self._fingerprint:
                    log.warning("%s is another training's and is ignored", file)
                    return None
                rest = json.loads(header["position"])
                tensors = {name: opened.get_tensor(name).clone() for name in opened.keys()}  # noqa: SIM118
            weights, best, moments = (
                {name.removeprefix(kind): tensor for name, tensor in tensors.items() if name.startswith(kind)}
                for kind in ("network.", "best.", "optimiser.")
            )
            at = _Position(best={name: tensor.to(where) for name, tensor in best.items()}, **rest)
            # All is looked at before anything is changed: half a checkpoint would be worse than none.
            expected = {name: tensor.shape for name, tensor in network.state_dict().items()}
            for found in (weights, best):
                if {name: tensor.shape for name, tensor in found.items()} != expected:
                    raise ValueError("its weights have other names or shapes")
            state: dict[int, dict[str, torch.Tensor]] = {}
            for key, tensor in moments.items():
                parameter, name = key.split(".")
                state.setdefault(int(parameter), {})[name] = tensor
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
            network.load_state_dict(weights)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            log.warning("%s is broken and is ignored: %s", file, error)
            return None
        log.info("the training goes on after step %d", at.step)
        return at


def _fingerprint(
    train: Sequence[Example], dev: Sequence[Example], labels: Sequence[str], recipe: Recipe, base: str, seed: int
) -> str:
    """Equal for trainings that take the same steps. Unlike data_sha256 it minds the order, which decides the batches."""
    data = [[[e.text, sorted(e.labels), sorted(e.unknown)] for e in examples] for examples in (train, dev)]
    everything = [data, list(labels), asdict(recipe), base, seed, torch.__version__]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()


def _flush(path: Path) -> None:
    """What was written to the file or folder is on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Reporter:
    """Passes progress on, with the seconds left by the pace of this process's training steps so far."""

    def __init__(self, on_progress: Callable[[Progress], None] | None) -> None:
        self._on_progress = on_progress
        self._began = time.monotonic()
        self._first: tuple[float, int] | None = None  # when the first training step of this process had ended, and which

    @property
    def seconds(self) -> float:
        """Since the training began."""
        return time.monotonic() - self._began

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.stage == "training":
            began, first = self._first = self._first or (now, progress.step)
            if progress.step > first:
                left = (now - began) / (progress.step - first) * (progress.steps - progress.step)
                progress = progress.model_copy(update={"seconds_left": round(left, 1)})
        if self._on_progress is not None:
            self._on_progress(progress)


def _check_data(data: dict[str, Sequence[Example]], taxonomy: Taxonomy) -> None:
    for split in ("train", "dev"):
        if not data[split]:
            raise BadData(f"there are no {split} messages")
    for split, examples in data.items():
        for example in examples:
            for label in (*example.labels, *example.unknown):
                if label not in taxonomy:
                    raise UnknownLabel(f"{split}: {label!r} is not in the taxonomy: {example.text[:60]!r}")


def _task(tokenizer: Any, examples: Sequence[Example], labels: Sequence[str], longest: int) -> _Task:
    encoded = encode(tokenizer, [example.text for example in examples])
    cut = [ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]] for ids in encoded]
    truth, known = truth_of(examples, labels)
    return _Task(cut, torch.tensor(truth, dtype=torch.float32), torch.tensor(known, dtype=torch.float32))


def _batches(lengths: Sequence[int], size: int, chance: random.Random) -> Iterator[list[int]]:
    """Every index once, in batches of about the same length and in random order: padding is work for nothing."""
    order = list(range(len(lengths)))
    chance.shuffle(order)
    # Sorting eight batches at a time removes most of the padding and leaves the company of each text to chance.
    chunks = (sorted(order[at : at + 8 * size], key=lengths.__getitem__) for at in range(0, len(order), 8 * size))
    batches = [chunk[at : at + size] for chunk in chunks for at in range(0, len(chunk), size)]
    chance.shuffle(batches)
    yield from batches


def _mask(ids: torch.Tensor, share: float, tokenizer: Any) -> None:
    """`share` of the pieces become [MASK], in place; special tokens stay."""
    special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids))
    ids[(torch.rand(ids.shape) < share) & ~special] = tokenizer.mask_token_id


def _copy(network: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}


def _task_logits(network: Any, tokenizer: Any, task: _Task, where: torch.device) -> torch.Tensor:
    network.eval()
    return logits_of(network, tokenizer, task.encoded, longest_input(network, tokenizer), where)


def _dev_f1(network: Any, tokenizer: Any, dev: _Task, where: torch.device) -> float:
    """Micro-F1 on dev at its best threshold: at 0.5 an early epoch would only show how timid it still is."""
    scores = _task_logits(network, tokenizer, dev, where).double().sigmoid().numpy()
    truth, known = dev.truth.double().numpy(), dev.known.double().numpy()
    given = (scores >= best_threshold(scores, truth, known)) * known
    return float(2 * (given * truth).sum() / max(1.0, given.sum() + (truth * known).sum()))


def _calibrate(network: Any, tokenizer: Any, dev: _Task, where: torch.device) -> None:
    """The network's own sigmoid gives calibrated probabilities from now on.

    Scale and shift go into the last layer, so a plain transformers pipeline is calibrated too.
    """
    truth, known = dev.truth.double().numpy(), dev.known.double().numpy()
    scale, shift = calibrate(_task_logits(network, tokenizer, dev, where).double().numpy(), truth, known)
    last = _last_layer(network)
    with torch.no_grad():
        last.weight.mul_(scale)
        last.bias.mul_(scale).add_(shift)


def _judge(system: Classifier | Floor, examples: Sequence[Example]) -> Scores:
    """Scores on what is known of `examples`: a label that nobody judged counts neither for nor against."""
    texts = [example.text for example in examples]
    scores: Matrix
    if isinstance(system, Floor):
        predicted, scores = system.predict(texts), system.scores(texts)
    else:
        predictions = system.predict(texts)
        predicted = [prediction.labels for prediction in predictions]
        scores = np.array([[prediction.scores[label] for label in system.labels] for prediction in predictions])
    known = [set(labels) - set(e.unknown) for labels, e in zip(predicted, examples, strict=True)]
    ece = expected_calibration_error(scores, *truth_of(examples, system.labels))
    return score([example.labels for example in examples], known, system.labels).model_copy(update={"ece": ece})


def _new_mini(train: Sequence[Example], floor: Floor, seed: int) -> tuple[Any, Any]:
    """A small BERT of BETO's kind, which begins by averaging what the floor says of each piece of the text."""
    transformers = quiet_transformers()
    vocabulary = learn_vocabulary([speak(example.text) for example in train], size=6000)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
        tokenizer = transformers.BertTokenizerFast(
            str(Path(folder) / "vocab.txt"), do_lower_case=False, strip_accents=False, model_max_length=512
        )
    width = max(128, 64 * -(-2 * len(floor.labels) // 64))
    config = transformers.BertConfig(
        **_label_names(floor.labels),
        vocab_size=len(vocabulary),
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=2 * width,
        hidden_dropout_prob=0.3,
        pad_token_id=tokenizer.pad_token_id,
    )
    network = transformers.BertForSequenceClassification(config)
    with torch.no_grad():
        embeddings = network.bert.embeddings
        embeddings.word_embeddings.weight.copy_(torch.from_numpy(first_meanings(floor, vocabulary, width, seed)))
        embeddings.position_embeddings.weight.zero_()
        embeddings.token_type_embeddings.weight.zero_()
        # Small queries and keys look everywhere alike; identities hand on what they see; quiet feed-forward layers.
        for layer in network.bert.encoder.layer:
            torch.nn.init.eye_(layer.attention.self.value.weight)
            torch.nn.init.eye_(layer.attention.output.dense.weight)
            layer.output.dense.weight.mul_(0.1)
        torch.nn.init.eye_(network.bert.pooler.dense.weight).mul_(0.5)
        network.classifier.weight.zero_()
        network.classifier.weight[:, : len(floor.labels)].fill_diagonal_(1.0)
    _calibrate(network.eval(), tokenizer, _task(tokenizer, train, floor.labels, 512), torch.device("cpu"))
    return network, tokenizer


def _open_base(base: str, labels: Sequence[str]) -> tuple[Any, Any]:
    """The checkpoint in a folder, in the hub's cache or on the hub, with a new head for `labels`."""
    transformers = quiet_transformers()
    folder = Path(base).expanduser()
    is_local = folder.exists() or base.startswith(("/", ".", "~"))
    if is_local and not (folder / "config.json").is_file():
        raise BaseUnavailable(f"{folder} is no checkpoint: it has no config.json. {_WAYS_OUT}")
    offline = is_local or _is_cached(base)
    if not offline:
        _check_hub(base)
    try:
        place = str(folder) if is_local else base
        tokenizer = transformers.AutoTokenizer.from_pretrained(place, local_files_only=offline)
        network = transformers.AutoModelForSequenceClassification.from_pretrained(
            place, local_files_only=offline, ignore_mismatched_sizes=True, dtype=torch.float32, **_label_names(labels)
        )
    # transformers, the hub's client and the file formats each raise their own; to the operator it is one thing.
    except Exception as error:
        raise BaseUnavailable(f"{base!r} cannot be loaded: {str(error).splitlines()[0]}. {_WAYS_OUT}") from error
    return network, tokenizer


def _begin_head(network: Any, train: Sequence[Example], labels: Sequence[str]) -> None:
    """The last layer is new, and says of every text how frequent each label is: nothing else is known yet.

    Else the first epochs only learn that most labels are absent (Lin et al. 2017, arXiv 1708.02002, 4.1).
    """
    truth, known = truth_of(train, labels)
    share = ((truth * known).sum(axis=0) + 0.5) / (known.sum(axis=0) + 1)
    last = _last_layer(network)
    with torch.no_grad():
        last.weight.normal_(std=0.02)
        last.bias.copy_(torch.from_numpy(np.log(share / (1 - share))))


def _last_layer(network: Any) -> Any:
    return [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]


_WAYS_OUT = (
    "Ways out: a local folder with the checkpoint (config.json, weights, tokenizer), a mirror of the hub by "
    "HF_ENDPOINT, or the small network that needs no download: `--base mini`."
)
_HUB_PATIENCE_S = 8.0


def _label_names(labels: Sequence[str]) -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: at for at, label in enumerate(labels)},
        "problem_type": "multi_label_classification",
    }


def _is_cached(base: str) -> bool:
    from huggingface_hub import try_to_load_from_cache

    try:
        return isinstance(try_to_load_from_cache(base, "config.json"), str)
    except ValueError as error:  # no name that a hub could have
        raise BaseUnavailable(f"{base!r} is neither a folder nor a hub name: {error}. {_WAYS_OUT}") from None


def _check_hub(base: str) -> None:
    """Raise BaseUnavailable unless the hub answers; its own client would try for 46 s before it says so."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise BaseUnavailable(f"{base!r} is not in the cache, and HF_HUB_OFFLINE is set. {_WAYS_OUT}")
    failure: list[str] = [f"no answer within {_HUB_PATIENCE_S:.0f} s"]

    def call() -> None:
        try:
            urllib.request.urlopen(constants.ENDPOINT, timeout=_HUB_PATIENCE_S).close()  # noqa: S310 - the operator's URL
        except urllib.error.HTTPError as answer:  # any answer is an answer
            answer.close()
        except (OSError, ValueError) as error:
            failure[0] = str(getattr(error, "reason", error))
            return
        failure.clear()

    # A thread, because the name look-up knows no time limit.
    thread = threading.Thread(target=call, daemon=True)
    thread.start()
    thread.join(_HUB_PATIENCE_S + 1)
    if failure:
        raise BaseUnavailable(
            f"{base!r} is not on this machine and {constants.ENDPOINT} cannot be reached: {failure[0]}. {_WAYS_OUT}"
        )


def _name_of(base: str) -> str:
    """What the card calls the base: a version that goes on from mini is still mini, never BETO."""
    folder = Path(base).expanduser()
    if not folder.is_dir():
        return base
    return read_card(folder).base if (folder / CARD_FILE).exists() else folder.resolve().name


def _code_version() -> str:
    """The package's version, and the commit where it runs from a checkout."""
    try:
        version = metadata.version("beto-bot")
    except metadata.PackageNotFoundError:
        version = "0"
    folder = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=5, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return version
    return f"{version}+{commit}"
