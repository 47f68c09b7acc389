"""A training's state on disk, from which the same call goes on after an interruption."""

import hashlib
import json
import logging
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from model.learning.recipe import Recipe
from model.schema import Example
from model.serving.version_folder import flush

CHECKPOINT_FILE = "checkpoint.safetensors"

log = logging.getLogger(__name__)

_SAVE_EVERY_S = 60.0  # within an epoch; after each epoch in any case
_SAVING_SHARE = 0.05  # at most this share of the time goes into checkpoints: BETO's is 1.8 GB


@dataclass
class Position:
    """The state of a training that changes as it goes, but for the network's and the optimiser's."""

    best: dict[str, torch.Tensor]  # of `learned_state`, the weights with the best F1 on dev so far
    best_f1: float
    micro_batch: int  # texts that fit into memory at a time
    step: int = 0
    epoch: int = 0  # whole epochs
    batches: int = 0  # taken of the epoch after them
    epochs_without_improvement: int = 0  # epochs since dev F1 rose
    seconds: float = 0.0  # of training, in all processes that went on with it
    ended_early: bool = False  # its time was up

    def note(self, recipe: Recipe) -> str | None:
        """Return what those who wait should know; it is part of every report of progress, since many are never shown."""
        notes = []
        if self.micro_batch < recipe.batch:
            notes.append(f"batch halved to {self.micro_batch}")
        if self.ended_early:
            notes.append(f"ended after {self.seconds / 60:.0f} min, its time being up")
        return "; ".join(notes) or None


class Checkpoint:
    """The file with a training's whole state, from which the same training goes on; without a folder nothing is kept.

    The tensors are safetensors', what is left is JSON in the file's header: one rename replaces both together.
    """

    def __init__(self, folder: Path | None, fingerprint: str, *, writes: bool = True) -> None:
        self._folder = folder
        self._writes = writes
        self._fingerprint = fingerprint
        self._saved = time.monotonic()
        self._pause = _SAVE_EVERY_S

    def is_due(self) -> bool:
        """Return whether enough time has passed for another checkpoint within an epoch."""
        return self._folder is not None and self._writes and time.monotonic() - self._saved >= self._pause

    def save(self, at: Position, network: Any, optimiser: torch.optim.Optimizer) -> None:
        """Save the state to the disk itself; where that fails, log a warning and leave the earlier checkpoint as it is."""
        if self._folder is None or not self._writes:
            return
        began = time.monotonic()
        tensors = {f"network.{name}": tensor for name, tensor in learned_state(network).items()}
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
            flush(parts / CHECKPOINT_FILE)
            os.replace(parts / CHECKPOINT_FILE, self._folder / CHECKPOINT_FILE)
            flush(self._folder)
        except (OSError, SafetensorError) as error:
            log.warning("the training goes on without a new checkpoint in %s: %s", self._folder, error)
        shutil.rmtree(parts, ignore_errors=True)  # what was written in vain would keep the disk full
        self._saved = time.monotonic()
        self._pause = max(_SAVE_EVERY_S, (self._saved - began) / _SAVING_SHARE)

    def load(self, network: Any, optimiser: torch.optim.Optimizer, where: torch.device) -> Position | None:
        """Load the state that the same training saved, into `network` and `optimiser` too.

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
                names = opened.keys()  # what was opened is no mapping, and cannot be iterated over
                tensors = {name: opened.get_tensor(name).clone() for name in names}
            weights, best, moments = (
                {name.removeprefix(kind): tensor for name, tensor in tensors.items() if name.startswith(kind)}
                for kind in ("network.", "best.", "optimiser.")
            )
            at = Position(best={name: tensor.to(where) for name, tensor in best.items()}, **rest)
            # All is looked at before anything is changed: half a checkpoint would be worse than none.
            expected = {name: tensor.shape for name, tensor in learned_state(network).items()}
            for found in (weights, best):
                if {name: tensor.shape for name, tensor in found.items()} != expected:
                    raise ValueError("its weights have other names or shapes")
            state: dict[int, dict[str, torch.Tensor]] = {}
            for key, tensor in moments.items():
                parameter, name = key.split(".")
                state.setdefault(int(parameter), {})[name] = tensor
            optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
            network.load_state_dict(weights, strict=False)
        except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
            log.warning("%s is broken and is ignored: %s", file, error)
            return None
        log.info("the training goes on after step %d", at.step)
        return at


def learned_state(network: Any) -> dict[str, torch.Tensor]:
    """Return the network's weights but for those that its training leaves as they are, by name."""
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    return {name: tensor for name, tensor in network.state_dict().items() if name not in frozen}


def fingerprint(
    train: Sequence[Example], dev: Sequence[Example], labels: Sequence[str], recipe: Recipe, base: str, seed: int
) -> str:
    """Return a hash that is equal for trainings that take the same steps.

    Unlike data_sha256 it depends on the order of the texts, which decides the batches.
    """
    data = [[[e.text, sorted(e.labels), sorted(e.unknown)] for e in examples] for examples in (train, dev)]
    everything = [data, list(labels), asdict(recipe), base, seed, torch.__version__]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()
