"""Fine-tuning: labelled messages in, a version's folder out. Behind torch's second door, with `recipe` and `checkpoint`."""

import logging
import random
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from model.errors import BadData, ModelError, UnknownLabel
from model.labels import Taxonomy
from model.learning.baseline import Baseline, fit_baseline, truth_of
from model.learning.bases import e5
from model.learning.checkpoint import Checkpoint, Position, fingerprint, learned_state
from model.learning.dataset import data_sha256
from model.learning.descriptions import untaught
from model.learning.distributed import DistributedContext
from model.learning.evaluation import best_threshold, calibrated_threshold, expected_calibration_error, score
from model.learning.mixture import fit_mixture
from model.learning.preferences import fit_cuts
from model.learning.recipe import Recipe, begin, freeze, name_of, titles_of
from model.schema import UNTAUGHT, Card, Cuts, Example, Mixture, Progress, Scores, TriedForm
from model.serving import graph
from model.serving.calibration import Matrix, sigmoid
from model.serving.classifier import cut, encode
from model.serving.engine import ENGINE_FILE, SMALL, OnnxEngine
from model.serving.graph import Form, Weights, frozen_name
from model.serving.mixture import mix, save_mixture
from model.serving.network import (
    calibrate_network,
    fitting_threads,
    forward,
    has_bf16,
    lay_out,
    logits_of,
    longest_input,
    lower_of,
    pick_device,
    scale_logits,
    upper,
)
from model.serving.version_folder import building, check_free, write_card
from model.settings import ModelSettings

log = logging.getLogger(__name__)

# Bytes: of e5 1.4 million tokens, some 70,000 chat messages. Where there are more, each step goes through all layers.
_MOST_CACHED = 1 << 30


@dataclass(frozen=True)
class _Task:
    """Encoded texts with their answers, texts x labels."""

    encoded: list[list[int]]
    truth: torch.Tensor
    known: torch.Tensor
    # What the layers that do not learn make of each text, tokens x width, by texts; None where all layers learn.
    lower: list[torch.Tensor] | None = None

    def joined(self, other: "_Task") -> "_Task":
        """Return this task's texts and then the other's."""
        below = None if self.lower is None or other.lower is None else [*self.lower, *other.lower]
        known, truth = torch.cat([self.known, other.known]), torch.cat([self.truth, other.truth])
        return _Task([*self.encoded, *other.encoded], truth, known, below)

    def drawn(self, batch: Sequence[int], rate: float, longest: int, rng: random.Random) -> "_Task":
        """Return the texts of `batch`, with probability `rate` each joined with any other one, before or behind it.

        The two carry the labels of both, as one message that says two things does; what is known of neither stays unknown.
        """
        encoded, truth, known = [self.encoded[at] for at in batch], self.truth[batch], self.known[batch]
        below = None if self.lower is None else [self.lower[at] for at in batch]
        for row, at in enumerate(batch):
            if rng.random() >= rate:
                continue
            pair = [at, rng.randrange(len(self.encoded))]
            rng.shuffle(pair)
            one, two = pair
            encoded[row] = [*self.encoded[one], *self.encoded[two][1:]][:longest]  # a text begins with [CLS], once
            if below is not None and self.lower is not None:
                below[row] = torch.cat([self.lower[one], self.lower[two][1:]])[:longest]
            truth[row] = (self.truth[pair] * self.known[pair]).amax(dim=0)
            known[row] = torch.maximum(truth[row], self.known[pair].amin(dim=0))
        return _Task(encoded, truth, known, below)

    def answers(self) -> tuple[Matrix, Matrix]:
        """Return (truth, known) as NumPy's."""
        return self.truth.double().numpy(), self.known.double().numpy()


@dataclass(frozen=True)
class _Model:
    """The network in training, with its tokenizer and the device where it is."""

    network: Any
    tokenizer: Any
    device: torch.device
    frozen: int = 0  # the lowest layers, which do not learn

    def logits(self, task: _Task) -> torch.Tensor:
        """Return the logits, texts x labels, on the CPU; the network is in evaluation mode from here on."""
        self.network.eval()
        return logits_of(self.network, self.tokenizer.pad_token_id, task.encoded, self.device, task.lower, self.frozen)

    def scores(self, task: _Task) -> Matrix:
        """Return probabilities, texts x labels."""
        scores: Matrix = self.logits(task).double().sigmoid().numpy()
        return scores


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
    home: Path | None = None,
    quick: bool = False,
    within_s: float | None = None,
) -> Card:
    """Fine-tune a version from `base`, write it whole to `out`, and return its card.

    `base` is `mini`, `e5`, a folder, or a name on a hub; `home` is where e5 is unpacked, BETO_HOME by default. The best
    weights on `dev` are kept; calibration, mixture and thresholds are chosen there, these by what `taxonomy` prefers of each
    label too. `seed` decides all randomness. `quick`: a checkpoint learns for a minute only. `epochs` replaces the recipe's
    number. After `within_s` seconds the training ends with what it has learnt, its rate having fallen to zero by then.
    `on_progress` is called after every step. Raises BaseUnavailable, BadData and UnknownLabel for data that cannot be trained
    on, and ModelError where `out` exists or cannot be written, or where not even one text at a time fits into memory.

    In the folder `checkpoint` the training's state is kept after every epoch, and every minute of a long one: the same
    call with the same data goes on from there, and on a CPU ends with the weights of a training that was never
    interrupted. The folder is the caller's to remove.

    Where `torchrun` started several processes that all call this, each works on its shard of every batch; rank zero
    alone reports and writes.
    """
    context = DistributedContext()
    report = _TimedProgress(on_progress if context.is_rank_zero else None)
    report(Progress(stage="preparing"))
    check_free(out)
    _check_data({"train": train, "dev": dev, "test": test or ()}, taxonomy)
    where = context.init_process_group(pick_device(device))

    # Data and model: the network that we begin with, and the baseline that it must beat.
    home = home or ModelSettings().home_folder
    network, tokenizer, baseline, recipe = begin(train, dev, taxonomy.names, base=base, seed=seed, home=home, quick=quick)
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    limit_s = (within_s or float("inf")) / (2 if recipe.learns_dev_too else 1)
    model = _Model(network.to(where), tokenizer, where, freeze(network, recipe.trained_layers))
    begun = _begun_layers(model)
    longest = longest_input(network, tokenizer)
    learnt = [*train, *titles_of(taxonomy) * recipe.titles]
    train_task, dev_task = _tasks(model, (learnt, dev), taxonomy.names, longest, report)

    # Training. The network then has its best weights on dev; or its last, where what serves will be trained without a dev.
    steps = _steps(recipe, len(learnt))
    all_steps = steps + _steps(recipe, len(learnt) + len(dev)) if recipe.learns_dev_too else steps
    states = Checkpoint(checkpoint, fingerprint(learnt, dev, taxonomy.names, recipe, base, seed), writes=context.is_rank_zero)
    chosen_on = None if recipe.learns_dev_too else dev_task
    ended = _fit(model, recipe, train_task, chosen_on, seed, report.part(0, all_steps), states, context, limit_s)
    report(_evaluating(ended, recipe, ended.step, all_steps if recipe.learns_dev_too else ended.step))

    # Calibration, mixture and thresholds, all on dev, which is then scored as it will serve, beside the yardsticks.
    svc = fit_baseline(train, dev, taxonomy.names, "svc")
    dev_lexical = baseline.lexical.logits([example.text for example in dev])
    decided, dev_encoder = _decide(model, dev_task, dev_lexical, taxonomy.names)
    scores = {"dev": _score(decided, dev_encoder, dev, baseline, svc)}

    # Where dev is worth learning too, all of it again on everything, with what dev has decided: that is what serves.
    if recipe.learns_dev_too:
        everything = [*train, *dev]
        network, _, refitted, _ = begin(everything, (), taxonomy.names, base=base, seed=seed, home=home, quick=quick)
        baseline = replace(refitted, threshold=baseline.threshold)
        svc = replace(fit_baseline(everything, (), taxonomy.names, "svc"), threshold=svc.threshold)
        model = _Model(network.to(where), tokenizer, where, freeze(network, recipe.trained_layers))
        states = Checkpoint(
            None if checkpoint is None else checkpoint / "with-dev",
            fingerprint([*learnt, *dev], (), taxonomy.names, recipe, base, seed),
            writes=context.is_rank_zero,
        )
        all_task, part = train_task.joined(dev_task), report.part(steps, all_steps)
        ended = _fit(model, recipe, all_task, None, seed, part, states, context, limit_s)
        scale_logits(network, decided.scale, decided.shift)
        dev_encoder = model.logits(dev_task).double().numpy()
        dev_lexical = baseline.lexical.logits([example.text for example in dev])
    final = _evaluating(ended, recipe, all_steps if recipe.learns_dev_too else ended.step)
    report(final)
    if test:
        encoder = model.logits(_task(model, test, taxonomy.names, longest)).double().numpy()
        scores["test"] = _score(decided, encoder, test, baseline, svc)
    card = Card(
        base=name_of(base),
        origin=e5.ORIGIN if base == e5.NAME else "",
        labels=taxonomy.names,
        thresholds=decided.thresholds(taxonomy),
        seed=seed,
        settings={
            **asdict(recipe),
            "epochs_run": ended.epoch,
            "micro_batch": ended.micro_batch,
            "base": base,
            "device": str(where),
            "processes": context.world_size,
            "steps": ended.step,
            "torch": torch.__version__,
            UNTAUGHT: ",".join(untaught(taxonomy.names, train)),
        },
        data_sha256=data_sha256([*train, *dev, *(test or ())]),
        texts={"train": len(train), "dev": len(dev), "test": len(test or ())},
        scores={split: each["version"] for split, each in scores.items()},
        encoder_scores={split: each["encoder"] for split, each in scores.items()},
        baseline={split: each["baseline"] for split, each in scores.items()},
        svc={split: each["svc"] for split, each in scores.items()},
        seconds=round(report.seconds, 1),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        code_version=code_version(),
        mixture=decided.mixture,
        cuts=decided.cuts,
        preferences=taxonomy.preferences(taxonomy.names),
    )

    if context.is_rank_zero:
        mixed = partial(mix, decided.mixture, lexical=dev_lexical)
        card = _write(out, model, baseline, card, partial(_add_engine, begun=begun, dev=dev_task, exact=dev_encoder, mixed=mixed))
        report(final.model_copy(update={"stage": "done", "seconds_left": 0.0}))
    return card


def _write(out: Path, model: _Model, baseline: Baseline, card: Card, add_engine: Callable[..., tuple[TriedForm, ...]]) -> Card:
    """Write the version: network, tokenizer, lexical model, mixture, the engine for a CPU, and the card, which is returned."""
    with building(out) as folder:
        model.network.save_pretrained(folder)
        model.tokenizer.save_pretrained(folder)
        baseline.save(folder)
        assert card.mixture is not None
        save_mixture(folder, card.mixture)
        thresholds = np.array([card.thresholds[label] for label in card.labels])
        card = card.model_copy(update={"forms": add_engine(folder, model.network, thresholds=thresholds)})
        write_card(folder, card)
    return card


def _fit(
    model: _Model,
    recipe: Recipe,
    train: _Task,
    dev: _Task | None,
    seed: int,
    report: Callable[[Progress], None],
    checkpoint: Checkpoint,
    context: DistributedContext,
    within_s: float,
) -> Position:
    """Train the network, leave it with the weights that were best on `dev`, and return where the training ended.

    Without `dev` the last weights are kept.
    """
    with fitting_threads(model.network):
        return _fit_in_threads(model, recipe, train, dev, seed, report, checkpoint, context, within_s)


def _fit_in_threads(
    model: _Model,
    recipe: Recipe,
    train: _Task,
    dev: _Task | None,
    seed: int,
    report: Callable[[Progress], None],
    checkpoint: Checkpoint,
    context: DistributedContext,
    within_s: float,
) -> Position:
    network, where = model.network, model.device
    lengths, longest = [len(ids) for ids in train.encoded], longest_input(network, model.tokenizer)
    steps = _steps(recipe, len(lengths))
    optimiser = _optimiser(network, recipe)

    # Where an earlier call was interrupted; else best so far are the weights we begin with, which for mini are of use.
    at = checkpoint.load(network, optimiser, where) or Position(
        best=_copy(network), best_f1=0.0 if dev is None else _dev_f1(model, dev), micro_batch=recipe.batch
    )
    clock = time.monotonic() - at.seconds
    while at.epoch < recipe.epochs and (dev is None or at.epochs_without_improvement < recipe.patience) and at.seconds < within_s:
        network.train()
        # Randomness comes from the seed and the epoch or step alone: then no generator's state has to be kept in a checkpoint.
        rng = random.Random(f"{seed} {at.epoch}")  # noqa: S311 - the order of texts is no secret
        for batch in list(_batches(lengths, recipe.batch, rng))[at.batches :]:
            # Gradients of this process's shard, then of the whole batch.
            joining = random.Random(f"{seed} {at.step} joined")  # noqa: S311 - which messages are joined is no secret
            drawn = train.drawn(batch, recipe.joined_rate, longest, joining)
            judged = float(drawn.known.sum().clamp(min=1))
            torch_seed = 1_000_003 * seed + at.step + context.rank
            shard = context.shard(range(len(batch)))
            learn = partial(_learn, model, recipe.token_mask_rate, drawn, shard, judged, torch_seed)
            loss, at.micro_batch = _as_memory_allows(learn, at.micro_batch, where)
            loss = context.all_reduce_gradients(network, loss)
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            # The step, at the rate that the schedule has for it.
            at.seconds = context.broadcast(time.monotonic() - clock, where)
            spent = min(steps, round(at.seconds / within_s * steps))  # as many steps as the time that is gone is worth
            factor = _rate_factor(max(at.step, spent), steps, recipe.warm_up)
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * factor
            optimiser.step()
            at.step += 1
            at.batches += 1
            if checkpoint.is_due():
                checkpoint.save(at, network, optimiser)
            at.ended_early = at.seconds >= within_s and at.step < steps
            report(Progress(stage="training", step=at.step, steps=steps, epoch=at.epoch + 1, loss=loss, note=at.note(recipe)))
            if at.ended_early:
                break
        # The epoch's end: the best weights so far are kept, and all processes go by rank zero's score.
        f1 = 0.0 if dev is None else context.broadcast(_dev_f1(model, dev), where)
        at.epochs_without_improvement = 0 if f1 > at.best_f1 else at.epochs_without_improvement + 1
        if f1 >= at.best_f1:
            at.best, at.best_f1 = _copy(network), f1
        at.epoch, at.batches = at.epoch + 1, 0
        checkpoint.save(at, network, optimiser)
    network.load_state_dict(at.best, strict=False)
    return at


def _steps(recipe: Recipe, texts: int) -> int:
    return recipe.epochs * -(-texts // recipe.batch)


def _evaluating(ended: Position, recipe: Recipe, step: int, steps: int | None = None) -> Progress:
    return Progress(stage="evaluating", step=step, steps=steps or step, epoch=ended.epoch, note=ended.note(recipe))


@dataclass(frozen=True)
class _Decided:
    """What dev has decided: how the encoder is calibrated, the mixture, and the thresholds of the whole and the encoder alone."""

    scale: float
    shift: float
    mixture: Mixture
    threshold: float
    encoder_threshold: float
    cuts: dict[str, Cuts]

    def thresholds(self, taxonomy: Taxonomy) -> dict[str, float]:
        """Return each label's threshold by what is preferred of it."""
        preferences = taxonomy.preferences(self.cuts)
        return {name: cuts.by(preferences.get(name, "balance")).threshold for name, cuts in self.cuts.items()}


def _decide(model: _Model, dev: _Task, lexical: Matrix, labels: Sequence[str]) -> tuple[_Decided, Matrix]:
    """Calibrate the network on dev, and return what dev decides, with the network's logits on it."""
    truth, known = dev.answers()
    scale, shift = calibrate_network(model.network, model.logits(dev), truth, known)
    encoder: Matrix = model.logits(dev).double().numpy()
    mixture = fit_mixture(encoder, lexical, truth, known)
    mixed = sigmoid(mix(mixture, encoder, lexical))
    threshold, encoder_threshold = (calibrated_threshold(scores, truth, known) for scores in (mixed, sigmoid(encoder)))
    return _Decided(scale, shift, mixture, threshold, encoder_threshold, fit_cuts(mixed, truth, known, labels)), encoder


def _score(
    decided: _Decided, encoder: Matrix, examples: Sequence[Example], baseline: Baseline, svc: Baseline
) -> dict[str, Scores]:
    """Score the version as it will serve, its encoder alone, and the yardsticks; `encoder` are the network's logits."""
    texts = [example.text for example in examples]
    lexical = baseline.lexical.logits(texts)
    systems = {
        "version": (sigmoid(mix(decided.mixture, encoder, lexical)), decided.threshold),
        "encoder": (sigmoid(encoder), decided.encoder_threshold),
        "baseline": (sigmoid(lexical), baseline.threshold),
        "svc": (svc.scores(texts), svc.threshold),
    }
    return {name: _evaluate(*each, examples, baseline.labels) for name, each in systems.items()}


def _optimiser(network: Any, recipe: Recipe) -> torch.optim.AdamW:
    """Make an AdamW (as torch has it, it corrects Adam's bias) whose groups know their `peak` rate."""
    body = {id(p) for p in network.base_model.parameters()}
    learning = [p for p in network.parameters() if p.requires_grad]
    groups = [
        {
            "params": [p for p in learning if (id(p) in body) == in_body and (p.ndim > 1) == is_matrix],
            "weight_decay": recipe.weight_decay if is_matrix else 0.0,  # biases and layer norms are not pulled to zero
            "peak": recipe.learning_rate * (1.0 if in_body else recipe.head_lr_multiplier),
        }
        for in_body in (True, False)
        for is_matrix in (True, False)
    ]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)


def _rate_factor(step: int, steps: int, warm_up: float) -> float:
    """Return the share of the peak rate at which `step` (from 0) of `steps` is taken: linear up, then linear down."""
    warm_up_steps = max(1, round(warm_up * steps))
    return min((step + 1) / warm_up_steps, (steps - step) / max(1, steps - warm_up_steps))


def _learn(
    model: _Model,
    token_mask_rate: float,
    train: _Task,
    batch: Sequence[int],
    judged: float,
    torch_seed: int,
    micro_batch: int,
) -> float:
    """Put the gradients of `batch` into the network, and return what it adds to a mean loss over `judged` judged labels.

    At most `micro_batch` texts go through at once.
    """
    network, tokenizer, where = model.network, model.tokenizer, model.device
    torch.manual_seed(torch_seed)
    network.zero_grad()
    total = 0.0
    for first in range(0, len(batch), micro_batch):
        part = list(batch[first : first + micro_batch])
        inputs = lay_out(network, [train.encoded[at] for at in part], tokenizer.pad_token_id)
        if token_mask_rate:
            _mask(inputs["input_ids"], token_mask_rate, tokenizer)
        inputs = {name: tensor.to(where) for name, tensor in inputs.items()}
        below = None if train.lower is None else torch.cat([train.lower[at] for at in part]).to(where, torch.float32)
        with torch.autocast(where.type, dtype=torch.bfloat16, enabled=has_bf16(network, where)):
            logits = forward(network, inputs) if below is None else upper(network, below, inputs, model.frozen)
        truth, known = train.truth[part].to(where), train.known[part].to(where)
        losses = binary_cross_entropy_with_logits(logits.float(), truth, weight=known, reduction="sum")
        loss = losses / judged  # what nobody judged teaches nothing: silence is not a no
        loss.backward()
        total += loss.item()
    return total


def _as_memory_allows(learn: Callable[[int], float], micro_batch: int, where: torch.device) -> tuple[float, int]:
    """Call `learn` with `micro_batch` texts at a time, with half as many where they do not fit, and so on.

    Returns (what it returned, the texts at a time for which it did). The gradients are summed over the parts of a batch, so
    the step is the same. Raises ModelError where one text alone does not fit.
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
    """Return whether memory ran out: on a GPU torch has a class for it, elsewhere it is a RuntimeError that says so."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "out of memory" in text or "can't allocate memory" in text


class _TimedProgress:
    """A listener to progress that adds the seconds left, by the pace of this process's training steps so far."""

    def __init__(self, on_progress: Callable[[Progress], None] | None) -> None:
        self._on_progress = on_progress
        self._began = time.monotonic()
        self._first: tuple[float, int] | None = None  # when the first training step of this process had ended, and which

    @property
    def seconds(self) -> float:
        """Return the seconds since the training began."""
        return time.monotonic() - self._began

    def part(self, before: int, steps: int) -> Callable[[Progress], None]:
        """Return the listener to a part of the training, which has `steps` in all, `before` of them before it."""
        return lambda progress: self(progress.model_copy(update={"step": before + progress.step, "steps": steps}))

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


def _tasks(
    model: _Model, splits: Sequence[Sequence[Example]], labels: Sequence[str], longest: int, report: Callable[[Progress], None]
) -> list[_Task]:
    """Encode the splits as `_task` does, and report how many of their texts are read."""
    texts, before, tasks = sum(map(len, splits)), 0, []
    for examples in splits:

        def on_read(read: int, before: int = before) -> None:
            report(Progress(stage="preparing", step=before + read, steps=texts))

        tasks.append(_task(model, examples, labels, longest, on_read))
        before += len(examples)
    return tasks


def _task(
    model: _Model,
    examples: Sequence[Example],
    labels: Sequence[str],
    longest: int,
    on_read: Callable[[int], None] = lambda _: None,
) -> _Task:
    """Encode the examples; what the layers that do not learn make of them is worked out once, where there is room for it."""
    network, tokenizer = model.network, model.tokenizer
    encoded = [cut(ids, longest) for ids in encode(tokenizer.backend_tokenizer, [example.text for example in examples])]
    truth, known = truth_of(examples, labels)
    below = None
    if model.frozen and 2 * network.config.hidden_size * sum(map(len, encoded)) <= _MOST_CACHED:
        below = lower_of(network.eval(), tokenizer.pad_token_id, encoded, model.device, model.frozen, on_read)
    return _Task(encoded, torch.tensor(truth, dtype=torch.float32), torch.tensor(known, dtype=torch.float32), below)


def _batches(lengths: Sequence[int], size: int, rng: random.Random) -> Iterator[list[int]]:
    """Yield every index once, in batches of about the same length and in random order: padding is work for nothing."""
    order = list(range(len(lengths)))
    rng.shuffle(order)
    # Sorting eight batches at a time removes most of the padding and leaves it to chance which texts share a batch.
    chunks = (sorted(order[at : at + 8 * size], key=lengths.__getitem__) for at in range(0, len(order), 8 * size))
    batches = [chunk[at : at + size] for chunk in chunks for at in range(0, len(chunk), size)]
    rng.shuffle(batches)
    yield from batches


def _mask(ids: torch.Tensor, rate: float, tokenizer: Any) -> None:
    """Replace each piece by [MASK] with probability `rate`, in place; special tokens stay."""
    special = torch.isin(ids, torch.tensor(tokenizer.all_special_ids))
    ids[(torch.rand(ids.shape) < rate) & ~special] = tokenizer.mask_token_id


def _copy(network: Any) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in learned_state(network).items()}


def _dev_f1(model: _Model, dev: _Task) -> float:
    """Return micro-F1 on dev at its best threshold: at 0.5 an early epoch would only show how low its probabilities are."""
    scores = model.scores(dev)
    truth, known = dev.answers()
    return _micro_f1((scores >= best_threshold(scores, truth, known)) * known, truth * known)


def _evaluate(scores: Matrix, threshold: float, examples: Sequence[Example], labels: Sequence[str]) -> Scores:
    """Score probabilities on what is known of `examples`: a label that nobody judged counts neither for nor against."""
    given = scores >= threshold
    known = [
        {label for label, is_given in zip(labels, row, strict=True) if is_given} - set(example.unknown)
        for row, example in zip(given, examples, strict=True)
    ]
    ece = expected_calibration_error(scores, *truth_of(examples, labels))
    return score([example.labels for example in examples], known, labels).model_copy(update={"ece": ece})


def _begun_layers(model: _Model) -> Weights:
    """Return the layers that will learn as they are now, for `graph.write`; none where all of the network learns."""
    names = tuple(f"bert.encoder.layer.{number}." for number in range(model.frozen, model.network.config.num_hidden_layers))
    if not model.frozen:
        return {}
    state = model.network.state_dict()
    return {frozen_name(name): state[name].detach().float().cpu().numpy().copy() for name in state if name.startswith(names)}


def _add_engine(
    folder: Path,
    network: Any,
    begun: Weights,
    dev: _Task,
    exact: Matrix,
    mixed: Callable[[Matrix], Matrix],
    thresholds: Matrix,
) -> tuple[TriedForm, ...]:
    """Write the fastest engine for a CPU that is sound into `folder`, and return the forms that were tried, the last one last.

    `begun` are the layers that have learnt as they were before. `exact` are torch's own logits on dev, of which `mixed` returns
    what the whole makes. No form is tried where the network is of a kind that only torch can run.
    """
    config = network.config.to_dict()
    if not graph.can_pack(config):
        return ()
    tried: list[TriedForm] = []
    weights = {name: tensor.detach().float().cpu().numpy() for name, tensor in network.state_dict().items()} | dict(begun)
    truth, known = dev.answers()
    truth = truth * known
    expected = sigmoid(mixed(exact))
    given = (expected >= thresholds) * known
    forms: tuple[Form, ...] = ("fp32",) if network.config.hidden_size <= SMALL else ("int8", "fp32")
    for form in forms:
        graph.write(folder / ENGINE_FILE, weights, config, exact.shape[1], form)
        scores = sigmoid(mixed(OnnxEngine(folder / ENGINE_FILE).logits(dev.encoded)))
        now = (scores >= thresholds) * known
        tried.append(
            TriedForm(
                form=form,
                texts=len(exact),
                change=float(np.abs(scores - expected).max()),
                flipped=int((now != given).sum()),
                decisions=int(known.sum()),
                micro_f1_exact=_micro_f1(given, truth),
                micro_f1=_micro_f1(now, truth),
            )
        )
        if tried[-1].sound:
            break
        (folder / ENGINE_FILE).unlink()
    return tuple(tried)


def _micro_f1(given: Matrix, truth: Matrix) -> float:
    return float(2 * (given * truth).sum() / max(1.0, given.sum() + truth.sum()))


def code_version() -> str:
    """Return the package's version, with the commit where it runs from a checkout."""
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
