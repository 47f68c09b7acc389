"""Fine-tuning: labelled messages in, a version's folder out. One of torch's two doors; the other is `classifier`."""

import random
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from model import baseline
from model.baseline import Floor, truth_of
from model.classifier import Classifier, encode, fitting_threads, logits_of, longest_input, pad, pick_device, quiet_transformers
from model.dataset import data_sha256
from model.errors import BadData, BaseUnavailable, UnknownLabel
from model.evaluation import best_threshold, calibrate, score
from model.folder import CARD_FILE, building, check_free, read_card, write_card
from model.labels import Taxonomy
from model.mini import first_meanings, learn_vocabulary
from model.schema import Card, Example, Progress, Scores, Split
from model.text import speak

MINI = "mini"


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; all of it is kept in the card."""

    epochs: int
    batch: int  # texts
    learning_rate: float
    warm_up: float = 0.1  # share of all steps
    weight_decay: float = 0.01
    masked: float = 0.0  # share of pieces hidden from the network at each step


MINI_RECIPE = Recipe(epochs=10, batch=16, learning_rate=1e-3, masked=0.1)


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
) -> Card:
    """A version fine-tuned from `base` is at `out`, complete, and its card is returned.

    `base` is `mini`, a folder, or a name on a hub. The best weights on `dev` are kept; calibration and threshold are
    chosen there. `seed` decides all chance. `epochs` replaces the recipe's number. `on_progress` is called after every
    step. Raises BaseUnavailable, BadData and UnknownLabel for data that cannot be trained on, and ModelError where
    `out` exists or cannot be written.
    """
    report = _Reporter(on_progress)
    report(Progress(stage="preparing"))
    check_free(out)
    _check_data({"train": train, "dev": dev, "test": test or ()}, taxonomy)
    torch.manual_seed(seed)
    where = pick_device(device)

    # The network that we begin with, and the floor that it must beat.
    if base == MINI:
        floor = baseline.fit(train, dev, taxonomy.names)
        network, tokenizer = _new_mini(train, floor, seed)
        recipe = MINI_RECIPE
    else:
        network, tokenizer = _open_base(base, taxonomy.names)
        floor = baseline.fit(train, dev, taxonomy.names)
        # Few texts want many more than the usual 3 epochs (Zhang et al. 2020, arXiv 2006.05987).
        recipe = Recipe(epochs=min(20, max(3, 12_000 // len(train))), batch=16, learning_rate=5e-5)
    if epochs is not None:
        recipe = replace(recipe, epochs=epochs)
    network.to(where)

    # Training; then the best weights, calibrated, are judged beside the floor.
    longest = longest_input(network, tokenizer)
    train_task, dev_task = (_task(tokenizer, examples, taxonomy.names, longest) for examples in (train, dev))
    with fitting_threads(network):
        steps = _fit(network, tokenizer, recipe, train_task, dev_task, seed, where, report)
    report(Progress(stage="judging", step=steps, steps=steps, epoch=recipe.epochs))
    threshold = _calibrate(network, tokenizer, dev_task, where)
    card = Card(
        base=_name_of(base),
        labels=taxonomy.names,
        thresholds=dict.fromkeys(taxonomy.names, threshold),
        seed=seed,
        settings={**asdict(recipe), "base": base, "device": str(where), "steps": steps, "torch": torch.__version__},
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
    report(Progress(stage="done", step=steps, steps=steps, epoch=recipe.epochs, seconds_left=0.0))
    return card


def _fit(
    network: Any,
    tokenizer: Any,
    recipe: Recipe,
    train: _Task,
    dev: _Task,
    seed: int,
    where: torch.device,
    report: "_Reporter",
) -> int:
    """`network` has the weights that were best on `dev`; the number of steps taken is returned."""
    chance = random.Random(seed)  # noqa: S311 - the order of texts is no secret
    lengths = [len(ids) for ids in train.encoded]
    steps = recipe.epochs * -(-len(lengths) // recipe.batch)

    # Optimiser (AdamW as torch has it corrects Adam's bias) and schedule: linear up, linear down.
    matrices = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]  # biases and layer norms are not pulled towards zero
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=recipe.learning_rate)
    warm_up = max(1, round(recipe.warm_up * steps))
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / warm_up, (steps - step) / max(1, steps - warm_up))
    )

    # Best weights so far: those that we begin with, which for mini are already of use.
    best = _copy(network)
    best_f1 = _dev_f1(network, tokenizer, dev, where)
    step = 0
    for epoch in range(1, recipe.epochs + 1):
        network.train()
        for batch in _batches(lengths, recipe.batch, chance):
            rows = pad([train.encoded[at] for at in batch], tokenizer.pad_token_id)
            if recipe.masked:
                _mask(rows["input_ids"], recipe.masked, tokenizer)
            with torch.autocast(where.type, dtype=torch.bfloat16, enabled=where.type == "cuda"):
                logits = network(**{name: tensor.to(where) for name, tensor in rows.items()}).logits
            truth, known = train.truth[batch].to(where), train.known[batch].to(where)
            losses = binary_cross_entropy_with_logits(logits.float(), truth, weight=known, reduction="sum")
            loss = losses / known.sum().clamp(min=1)  # what nobody judged teaches nothing: silence is not a no
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            step += 1
            report(Progress(stage="training", step=step, steps=steps, epoch=epoch, loss=loss.item()))
        f1 = _dev_f1(network, tokenizer, dev, where)
        if f1 >= best_f1:
            best, best_f1 = _copy(network), f1
    network.load_state_dict(best)
    return steps


class _Reporter:
    """Passes progress on, with the seconds left by the pace of the training steps so far."""

    def __init__(self, on_progress: Callable[[Progress], None] | None) -> None:
        self._on_progress = on_progress
        self._began = time.monotonic()
        self._first_step = self._began  # when the first training step had ended

    @property
    def seconds(self) -> float:
        """Since the training began."""
        return time.monotonic() - self._began

    def __call__(self, progress: Progress) -> None:
        now = time.monotonic()
        if progress.step <= 1:
            self._first_step = now
        elif progress.stage == "training":
            left = (now - self._first_step) / (progress.step - 1) * (progress.steps - progress.step)
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


def _calibrate(network: Any, tokenizer: Any, dev: _Task, where: torch.device) -> float:
    """The network's own sigmoid gives calibrated probabilities from now on; the threshold that goes with them.

    Scale and shift go into the last layer, so a plain transformers pipeline is calibrated too.
    """
    truth, known = dev.truth.double().numpy(), dev.known.double().numpy()
    scale, shift = calibrate(_task_logits(network, tokenizer, dev, where).double().numpy(), truth, known)
    last = [m for m in network.modules() if isinstance(m, torch.nn.Linear)][-1]
    with torch.no_grad():
        last.weight.mul_(scale)
        last.bias.mul_(scale).add_(shift)
    scores = _task_logits(network, tokenizer, dev, where).double().sigmoid().numpy()
    return best_threshold(scores, truth, known)


def _judge(system: Classifier | Floor, examples: Sequence[Example]) -> Scores:
    """Scores on what is known of `examples`: a label that nobody judged counts neither for nor against."""
    texts = [example.text for example in examples]
    if isinstance(system, Floor):
        predicted = system.predict(texts)
    else:
        predicted = [prediction.labels for prediction in system.predict(texts)]
    known = [set(labels) - set(e.unknown) for labels, e in zip(predicted, examples, strict=True)]
    return score([example.labels for example in examples], known, system.labels)


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
