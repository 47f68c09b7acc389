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
from model.learning.distributed import DistributedContext
from model.learning.evaluation import best_threshold, expected_calibration_error, label_thresholds, score
from model.learning.mixture import fit_mixture
from model.learning.recipe import Recipe, begin, freeze, name_of
from model.schema import Card, Example, Progress, Scores, Split, TriedForm
from model.serving import graph
from model.serving.calibration import Matrix, sigmoid
from model.serving.classifier import Classifier, cut, encode
from model.serving.engine import ENGINE_FILE, SMALL, OnnxEngine
from model.serving.graph import Form
from model.serving.mixture import ENCODER_ALONE, mix, save_mixture
from model.serving.network import (
    TorchEngine,
    calibrate_network,
    fitting_threads,
    forward,
    has_bf16,
    lay_out,
    logits_of,
    longest_input,
    lower_of,
    pick_device,
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
) -> Card:
    """Fine-tune a version from `base`, write it whole to `out`, and return its card.

    `base` is `mini`, `e5`, a folder, or a name on a hub; `home` is where e5 is unpacked, BETO_HOME by default. The best
    weights on `dev` are kept; calibration and threshold are chosen there. `seed` decides all randomness. `epochs` replaces
    the recipe's number. `on_progress` is called after every step. Raises BaseUnavailable, BadData and UnknownLabel for data
    that cannot be trained on, and ModelError where `out` exists or cannot be written, or where not even one text at a time
    fits into memory.

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
    network, tokenizer, baseline, recipe = begin(
        train, dev, taxonomy.names, base=base, seed=seed, home=home or ModelSettings().home_folder
    )
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    model = _Model(network.to(where), tokenizer, where, freeze(network, recipe.trained_layers))
    longest = longest_input(network, tokenizer)
    train_task, dev_task = (_task(model, examples, taxonomy.names, longest) for examples in (train, dev))

    # Training; the network has its best weights then.
    states = Checkpoint(checkpoint, fingerprint(train, dev, taxonomy.names, recipe, base, seed), writes=context.is_rank_zero)
    with fitting_threads(network):
        ended = _fit(model, recipe, train_task, dev_task, seed, report, states, context)

    # Calibration, mixture and thresholds, all on dev, which is then scored as it will serve, beside the baseline.
    final = Progress(stage="evaluating", step=ended.step, steps=ended.step, epoch=ended.epoch, note=ended.note(recipe))
    report(final)
    truth, known = dev_task.answers()
    calibrate_network(network, model.logits(dev_task), truth, known)
    dev_encoder, dev_lexical = model.logits(dev_task).double().numpy(), baseline.lexical.logits([e.text for e in dev])
    mixture = fit_mixture(dev_encoder, dev_lexical, truth, known)
    dev_scores = sigmoid(mix(mixture, dev_encoder, dev_lexical))
    thresholds = label_thresholds(dev_scores, truth, known)
    card = Card(
        base=name_of(base),
        origin=e5.ORIGIN if base == e5.NAME else "",
        labels=taxonomy.names,
        thresholds=dict(zip(taxonomy.names, thresholds, strict=True)),
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
        },
        data_sha256=data_sha256([*train, *dev, *(test or ())]),
        texts={"train": len(train), "dev": len(dev), "test": len(test or ())},
        scores={},
        baseline={},
        seconds=0.0,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        code_version=_code_version(),
        mixture=mixture,
    )
    engine = TorchEngine(network, tokenizer.pad_token_id, where)
    whole, encoder = (
        partial(Classifier, engine, tokenizer.backend_tokenizer, max_tokens=longest, lexical=baseline.lexical, mixture=each)
        for each in (mixture, ENCODER_ALONE)
    )
    own = dict(zip(taxonomy.names, label_thresholds(sigmoid(dev_encoder), truth, known), strict=True))
    systems: dict[str, Classifier | Baseline] = {
        "scores": whole(card=card),
        "encoder_scores": encoder(card=card.model_copy(update={"thresholds": own})),
        "baseline": baseline,
        "svc": fit_baseline(train, dev, taxonomy.names, "svc"),
    }
    evaluated: dict[Split, Sequence[Example]] = {"dev": dev, **({"test": test} if test else {})}
    card = card.model_copy(
        update={
            **{
                name: {split: _evaluate(system, examples) for split, examples in evaluated.items()}
                for name, system in systems.items()
            },
            "seconds": round(report.seconds, 1),
        }
    )

    # The version: network, tokenizer, lexical model, mixture, the engine for a CPU, and the card.
    if context.is_rank_zero:
        with building(out) as folder:
            network.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            baseline.save(folder)
            save_mixture(folder, mixture)
            mixed = partial(mix, mixture, lexical=dev_lexical)
            tried = _add_engine(folder, network, dev_task, dev_encoder, mixed, np.array(thresholds))
            card = card.model_copy(update={"forms": tried})
            write_card(folder, card)
        report(final.model_copy(update={"stage": "done", "seconds_left": 0.0}))
    return card


def _fit(
    model: _Model,
    recipe: Recipe,
    train: _Task,
    dev: _Task,
    seed: int,
    report: "_TimedProgress",
    checkpoint: Checkpoint,
    context: DistributedContext,
) -> Position:
    """Train the network, leave it with the weights that were best on `dev`, and return where the training ended."""
    network, where = model.network, model.device
    lengths = [len(ids) for ids in train.encoded]
    steps = recipe.epochs * -(-len(lengths) // recipe.batch)
    optimiser = _optimiser(network, recipe)

    # Where an earlier call was interrupted; else best so far are the weights we begin with, which for mini are of use.
    at = checkpoint.load(network, optimiser, where) or Position(
        best=_copy(network), best_f1=_dev_f1(model, dev), micro_batch=recipe.batch
    )
    while at.epoch < recipe.epochs and at.epochs_without_improvement < recipe.patience:
        network.train()
        # Randomness comes from the seed and the epoch or step alone: then no generator's state has to be kept in a checkpoint.
        rng = random.Random(f"{seed} {at.epoch}")  # noqa: S311 - the order of texts is no secret
        for batch in list(_batches(lengths, recipe.batch, rng))[at.batches :]:
            # Gradients of this process's shard, then of the whole batch.
            judged = float(train.known[batch].sum().clamp(min=1))
            torch_seed = 1_000_003 * seed + at.step + context.rank
            learn = partial(_learn, model, recipe.token_mask_rate, train, context.shard(batch), judged, torch_seed)
            loss, at.micro_batch = _as_memory_allows(learn, at.micro_batch, where)
            loss = context.all_reduce_gradients(network, loss)
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            # The step, at the rate that the schedule has for it.
            factor = _rate_factor(at.step, steps, recipe.warm_up)
            for group in optimiser.param_groups:
                group["lr"] = group["peak"] * factor
            optimiser.step()
            at.step += 1
            at.batches += 1
            if checkpoint.is_due():
                checkpoint.save(at, network, optimiser)
            report(Progress(stage="training", step=at.step, steps=steps, epoch=at.epoch + 1, loss=loss, note=at.note(recipe)))
        # The epoch's end: the best weights so far are kept, and all processes go by rank zero's score.
        f1 = context.broadcast(_dev_f1(model, dev), where)
        at.epochs_without_improvement = 0 if f1 > at.best_f1 else at.epochs_without_improvement + 1
        if f1 >= at.best_f1:
            at.best, at.best_f1 = _copy(network), f1
        at.epoch, at.batches = at.epoch + 1, 0
        checkpoint.save(at, network, optimiser)
    network.load_state_dict(at.best, strict=False)
    return at


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
        part = batch[first : first + micro_batch]
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


def _task(model: _Model, examples: Sequence[Example], labels: Sequence[str], longest: int) -> _Task:
    """Encode the examples; what the layers that do not learn make of them is worked out once, where there is room for it."""
    network, tokenizer = model.network, model.tokenizer
    encoded = [cut(ids, longest) for ids in encode(tokenizer.backend_tokenizer, [example.text for example in examples])]
    truth, known = truth_of(examples, labels)
    below = None
    if model.frozen and 2 * network.config.hidden_size * sum(map(len, encoded)) <= _MOST_CACHED:
        below = lower_of(network.eval(), tokenizer.pad_token_id, encoded, model.device, model.frozen)
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


def _evaluate(system: Classifier | Baseline, examples: Sequence[Example]) -> Scores:
    """Score `system` on what is known of `examples`: a label that nobody judged counts neither for nor against it."""
    texts = [example.text for example in examples]
    scores: Matrix
    if isinstance(system, Baseline):
        predicted, scores = system.predict(texts), system.scores(texts)
    else:
        predictions = system.predict(texts)
        predicted = [prediction.labels for prediction in predictions]
        scores = np.array([[prediction.scores[label] for label in system.labels] for prediction in predictions])
    known = [set(labels) - set(e.unknown) for labels, e in zip(predicted, examples, strict=True)]
    ece = expected_calibration_error(scores, *truth_of(examples, system.labels))
    return score([example.labels for example in examples], known, system.labels).model_copy(update={"ece": ece})


def _add_engine(
    folder: Path, network: Any, dev: _Task, exact: Matrix, mixed: Callable[[Matrix], Matrix], thresholds: Matrix
) -> tuple[TriedForm, ...]:
    """Write the fastest engine for a CPU that is sound into `folder`, and return the forms that were tried, the last one last.

    `exact` are torch's own logits on dev, of which `mixed` returns what the whole makes. No form is tried where the network is
    of a kind that only torch can run.
    """
    config = network.config.to_dict()
    if not graph.can_pack(config):
        return ()
    tried: list[TriedForm] = []
    weights = {name: tensor.detach().float().cpu().numpy() for name, tensor in network.state_dict().items()}
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


def _code_version() -> str:
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
