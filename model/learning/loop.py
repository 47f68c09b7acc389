"""The training loop: a learner goes through its lessons, epoch by epoch, and can go on where it was interrupted."""

import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from model.errors import ModelError
from model.learning.checkpoint import Checkpoint, Position, learned_state
from model.learning.distributed import DistributedContext
from model.learning.evaluation import best_threshold, micro_f1
from model.learning.lessons import Learner, Lessons
from model.learning.recipe import Recipe
from model.schema import Progress
from model.serving.network import fitting_threads, forward, has_bf16, lay_out, longest_input, upper

log = logging.getLogger(__name__)


def fit(
    learner: Learner,
    recipe: Recipe,
    train: Lessons,
    dev: Lessons | None,
    seed: int,
    report: Callable[[Progress], None],
    checkpoint: Checkpoint,
    context: DistributedContext,
    within_s: float,
) -> Position:
    """Train the network, leave it with the weights that were best on `dev`, and return where the training ended.

    Without `dev` the last weights are kept.
    """
    with fitting_threads(learner.network):
        return _fit_in_threads(learner, recipe, train, dev, seed, report, checkpoint, context, within_s)


def _fit_in_threads(
    learner: Learner,
    recipe: Recipe,
    train: Lessons,
    dev: Lessons | None,
    seed: int,
    report: Callable[[Progress], None],
    checkpoint: Checkpoint,
    context: DistributedContext,
    within_s: float,
) -> Position:
    network, where = learner.network, learner.device
    lengths, longest = [len(ids) for ids in train.encoded], longest_input(network, learner.tokenizer)
    steps = steps_of(recipe, len(lengths))
    optimiser = _optimiser(network, recipe)

    # Where an earlier call was interrupted; else best so far are the weights we begin with, which for mini are of use.
    at = checkpoint.load(network, optimiser, where) or Position(
        best=_copy(network), best_f1=0.0 if dev is None else _dev_f1(learner, dev), micro_batch=recipe.batch
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
            learn = partial(_learn, learner, recipe.token_mask_rate, drawn, shard, judged, torch_seed)
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
        f1 = 0.0 if dev is None else context.broadcast(_dev_f1(learner, dev), where)
        at.epochs_without_improvement = 0 if f1 > at.best_f1 else at.epochs_without_improvement + 1
        if f1 >= at.best_f1:
            at.best, at.best_f1 = _copy(network), f1
        at.epoch, at.batches = at.epoch + 1, 0
        checkpoint.save(at, network, optimiser)
    network.load_state_dict(at.best, strict=False)
    return at


def steps_of(recipe: Recipe, texts: int) -> int:
    """Return the steps of a training that is not ended early, with so many texts."""
    return recipe.epochs * -(-texts // recipe.batch)


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
    learner: Learner,
    token_mask_rate: float,
    train: Lessons,
    batch: Sequence[int],
    judged: float,
    torch_seed: int,
    micro_batch: int,
) -> float:
    """Put the gradients of `batch` into the network, and return what it adds to a mean loss over `judged` judged labels.

    At most `micro_batch` texts go through at once.
    """
    network, tokenizer, where = learner.network, learner.tokenizer, learner.device
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
            logits = forward(network, inputs) if below is None else upper(network, below, inputs, learner.frozen)
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


def _dev_f1(learner: Learner, dev: Lessons) -> float:
    """Return micro-F1 on dev at its best threshold: at 0.5 an early epoch would only show how low its probabilities are."""
    scores = learner.scores(dev)
    truth, known = dev.answers()
    return micro_f1((scores >= best_threshold(scores, truth, known)) * known, truth * known)
