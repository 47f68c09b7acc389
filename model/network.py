"""A network as torch runs it. Behind torch's first door: loading a network."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from model.engine import SMALL, passes
from model.evaluation import Matrix, calibrate

# Padded tokens a forward pass, by kind of device: a CPU gains nothing by more, a GPU wants tens of thousands.
_TOKENS_A_PASS = {"cpu": 4096, "cuda": 32768}
# A shorter text joins a longer one's pass only while it is at least this share of it: padding costs more than a second
# pass (0.6 of the unbatched rate when chat messages were padded to the longest of 32).
_SHORTEST_SHARE = 0.75


class TorchEngine:
    """Serves a network by torch: on a GPU in bf16, and on a CPU, exactly, what no packed graph can say."""

    def __init__(self, network: Any, pad_id: int, device: torch.device) -> None:
        self.pass_tokens = _TOKENS_A_PASS[device.type]
        self.form = "bf16" if network.dtype is torch.bfloat16 else "fp32"
        self._network = network.to(device).eval()
        self._pad_id = pad_id
        self._device = device

    def probabilities(self, encoded: Sequence[list[int]]) -> Matrix:
        """See `engine.Engine`."""
        scores: Matrix = logits_of(self._network, self._pad_id, encoded, self._device).double().sigmoid().numpy()
        return scores


def open_engine(folder: Path, device: str) -> TorchEngine:
    """The network in `folder`; whatever transformers stumbles over is raised as it is."""
    where = pick_device(device)
    network = quiet_transformers().AutoModelForSequenceClassification.from_pretrained(
        folder, local_files_only=True, dtype=torch.bfloat16 if where.type == "cuda" else torch.float32
    )
    return TorchEngine(network, network.config.pad_token_id or 0, where)


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
    if network.config.hidden_size <= SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def quiet_transformers() -> Any:
    """The transformers module without progress bars and remarks, which would stand in people's terminals."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # else it warns in every process that forks later
    import transformers  # seconds: not before a network is wanted

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def longest_input(network: Any, tokenizer: Any) -> int:
    """How many tokens the network can read at most."""
    return int(min(tokenizer.model_max_length, network.config.max_position_embeddings))


def logits_of(network: Any, pad_id: int, encoded: Sequence[list[int]], device: torch.device) -> torch.Tensor:
    """Logits on the CPU, texts x labels, in the order of `encoded`, none of which is longer than the network can read."""
    logits = torch.zeros(len(encoded), network.config.num_labels)
    with torch.inference_mode(), fitting_threads(network):
        for batch in passes([len(ids) for ids in encoded], tokens=_TOKENS_A_PASS[device.type], share=_SHORTEST_SHARE):
            rows = pad([encoded[at] for at in batch], pad_id)
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
