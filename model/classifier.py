"""A version in memory, ready to label texts. Behind torch's first door: loading a network."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from model.errors import BrokenVersion
from model.evaluation import Matrix, calibrate
from model.folder import verify
from model.schema import Card, Prediction
from model.text import speak

# Padded tokens a forward pass: keeps 40,000-character texts apart from each other on a small machine.
_TOKENS_A_PASS = 4096
# A shorter text joins a longer one's pass only while it is at least this share of it: padding costs more than a second
# pass (0.6 of the unbatched rate when chat messages were padded to the longest of 32).
_SHORTEST_SHARE = 0.75
_SMALL = 256  # hidden units


class Classifier:
    """A network with its tokenizer and card; not for several threads at once."""

    def __init__(self, network: Any, tokenizer: Any, card: Card, device: torch.device) -> None:
        self.network = network.to(device).eval()
        self.tokenizer = tokenizer
        self.card = card
        self.labels = card.labels
        self.device = device
        self.max_tokens = longest_input(network, tokenizer)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """How many tokens the network reads for each text, special ones among them; never above `max_tokens`."""
        return [min(len(ids), self.max_tokens) for ids in encode(self.tokenizer, texts)]

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """A prediction for each text, in order; any text will do, also an empty one or one of 40,000 characters."""
        encoded = encode(self.tokenizer, texts)
        scores = logits_of(self.network, self.tokenizer, encoded, self.max_tokens, self.device).double().sigmoid()
        return [
            self._prediction(row, truncated=len(ids) > self.max_tokens) for row, ids in zip(scores.tolist(), encoded, strict=True)
        ]

    def _prediction(self, row: Sequence[float], *, truncated: bool) -> Prediction:
        scores = dict(zip(self.labels, row, strict=True))
        sure = [label for label in self.labels if scores[label] >= self.card.thresholds[label]]
        return Prediction(
            version=self.card.version,
            base=self.card.base,
            scores=scores,
            labels=tuple(sorted(sure, key=lambda label: -scores[label])),
            truncated=truncated,
        )


def load(folder: Path, *, device: str = "auto") -> Classifier:
    """The version in `folder`, on `device` (auto, cpu, cuda).

    Raises BrokenVersion, naming the file, where one is missing, half written or altered, or where they do not fit.
    """
    card = verify(folder)
    transformers = quiet_transformers()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        network = transformers.AutoModelForSequenceClassification.from_pretrained(folder, local_files_only=True)
    # Whatever transformers stumbles over, the folder is no version that can serve; the cause stays attached.
    except Exception as error:
        raise BrokenVersion(f"{folder} cannot be loaded: {error}") from error
    labels = tuple(network.config.id2label[at] for at in range(network.config.num_labels))
    if labels != card.labels or set(labels) != set(card.thresholds):
        raise BrokenVersion(f"{folder}: card.json and config.json name different labels")
    return Classifier(network, tokenizer, card, pick_device(device))


def pick_device(device: str) -> torch.device:
    """`auto` is CUDA where there is a GPU, else the CPU."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


@contextmanager
def fitting_threads(network: Any) -> Iterator[None]:
    """Inside, torch uses one thread for a small network, and as many as it likes for one of BETO's size.

    Two threads that meet after every small matrix wait for each other more than they work: beside other processes, an
    epoch of mini took 50 s on two threads and 2 s on one (2 CPU cores, load 5, 2026-11); alone there was no difference.
    """
    before = torch.get_num_threads()
    if network.config.hidden_size <= _SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def quiet_transformers() -> Any:
    """The transformers module without progress bars and remarks, which would stand in people's terminals."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # else it warns in every process that forks later
    import transformers  # seconds: not before a network is wanted

    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    return transformers


def longest_input(network: Any, tokenizer: Any) -> int:
    """How many tokens the network can read at most."""
    return int(min(tokenizer.model_max_length, network.config.max_position_embeddings))


def encode(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Token ids of each text said in words, with special ones, uncut."""
    if not texts:
        return []
    ids: list[list[int]] = tokenizer([speak(text) for text in texts])["input_ids"]
    return ids


def logits_of(network: Any, tokenizer: Any, encoded: Sequence[list[int]], max_tokens: int, device: torch.device) -> torch.Tensor:
    """Logits on the CPU, texts x labels, in the order of `encoded`; each text is cut at `max_tokens`."""
    logits = torch.zeros(len(encoded), network.config.num_labels)
    # The last token is [SEP], which a cut text keeps.
    cut = [ids if len(ids) <= max_tokens else [*ids[: max_tokens - 1], ids[-1]] for ids in encoded]
    with torch.inference_mode(), fitting_threads(network):
        for batch in _passes([len(ids) for ids in cut]):
            rows = pad([cut[at] for at in batch], tokenizer.pad_token_id)
            logits[batch] = network(**{name: t.to(device) for name, t in rows.items()}).logits.float().cpu()
    return logits


def calibrate_network(network: Any, logits: torch.Tensor, truth: Matrix, known: Matrix) -> None:
    """The network's own sigmoid gives calibrated probabilities from now on; `logits` are what it said of dev.

    Scale and shift go into the last layer, so a plain transformers pipeline is calibrated too.
    """
    scale, shift = calibrate(logits.double().numpy(), truth, known)
    last = last_layer(network)
    with torch.no_grad():
        last.weight.mul_(scale)
        last.bias.mul_(scale).add_(shift)


def last_layer(network: Any) -> Any:
    """The layer that gives the logits."""
    return [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]


def pad(rows: Sequence[list[int]], pad_id: int) -> dict[str, torch.Tensor]:
    """`input_ids` and `attention_mask`, rows x the longest of them."""
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return {"input_ids": ids, "attention_mask": mask}


def _passes(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Indices of texts of about the same length, the longest first."""
    batch: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda at: (-lengths[at], at)):
        longest = lengths[batch[0]] if batch else 0
        if batch and (longest * (len(batch) + 1) > _TOKENS_A_PASS or lengths[at] < _SHORTEST_SHARE * longest):
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch
