"""What turns token ids into logits, and how texts share a pass through it. Never torch: see `network` for that."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

import numpy as np

from model.serving.calibration import Matrix

ENGINE_FILE = "engine.onnx"
SMALL = 256  # hidden units of a network that gains nothing by int8, nor by a second thread in training

# Tokens a pass of the packed graph: more are no faster on a CPU, and keep short texts waiting.
PACK = 256
# There attention alone is padded, to the longest text: what is padded may be as much again as what is needed, and this
# much more (squares of tokens), which costs less than another pass.
_FREE_SQUARES = 1 << 15
# Bytes of a graph that is held a second time, for a lone message: e5 takes some 70 MiB more, and BETO would take 134.
_HELD_TWICE = 96 << 20


class Engine(Protocol):
    """A network ready to run, in one number format."""

    device: str  # cpu, or the GPU's name for torch
    form: str  # int8, fp32 or bf16
    pass_tokens: int  # a pass of more is no faster
    width: int  # of what `logits_and_meanings` gives beside the logits; 0 where it cannot be asked for

    def logits(self, encoded: Sequence[list[int]]) -> Matrix:
        """Return one row a text and one column a label; no text may be empty or longer than the network reads.

        Several threads may ask at once.
        """

    def logits_and_meanings(self, encoded: Sequence[list[int]]) -> tuple[Matrix, Matrix]:
        """Return the logits, and what the base itself makes of each text, texts x `width`."""

    def meanings(self, encoded: Sequence[list[int]]) -> Matrix:
        """Return the second of these alone."""


class OnnxEngine:
    """The packed graph of a version (`graph.write`) on this machine's processor, by ONNX Runtime.

    A pass runs in the thread that asks for it, on one core, and as many passes as there are cores run at a time: passes
    that share cores wait for each other at every matrix. Only a lone message has nobody to share with, and is answered by
    all cores, where its weights are small enough to be held a second time for it.
    """

    def __init__(self, file: Path) -> None:
        self.pass_tokens = PACK
        self.device = "cpu"
        self._of_one_core = self._of_all_cores = _session(file, 1)
        widths = {output.name: int(output.shape[1]) for output in self._of_one_core.get_outputs()}
        self._labels, self.width = widths["logits"], widths.get("meanings", 0)
        self.form = self._of_one_core.get_modelmeta().custom_metadata_map["form"]
        if self.form == "int8" and file.stat().st_size <= _HELD_TWICE and cores() > 1:
            self._of_all_cores = _session(file, cores())
        self._counting = Lock()
        self._passes = 0  # that run now

    def logits(self, encoded: Sequence[list[int]]) -> Matrix:
        """Return what `Engine` promises."""
        return self._run(encoded, {"logits": self._labels})["logits"]

    def logits_and_meanings(self, encoded: Sequence[list[int]]) -> tuple[Matrix, Matrix]:
        """Return the logits, and what the base makes of each text, texts x `width`, the same for every version of a base."""
        found = self._run(encoded, {"logits": self._labels, "meanings": self.width})
        return found["logits"], found["meanings"]

    def meanings(self, encoded: Sequence[list[int]]) -> Matrix:
        """Return the meanings alone."""
        return self._run(encoded, {"meanings": self.width})["meanings"]

    def _run(self, encoded: Sequence[list[int]], wanted: Mapping[str, int]) -> dict[str, Matrix]:
        """Return each output that is wanted, with its width; no text may be empty or longer than the network reads."""
        found: dict[str, Matrix] = {name: np.zeros((len(encoded), width)) for name, width in wanted.items()}
        # Nobody pays for the second output who does not ask for it.
        asked = {"wants_meanings": np.array("meanings" in wanted)} if self.width else {}

        def run(batch: list[int]) -> None:
            with self._session_for(batch) as session:
                made = session.run(list(wanted), packed([encoded[at] for at in batch]) | asked)
            for name, rows in zip(wanted, made, strict=True):
                found[name][batch] = rows

        batches = list(packs([len(ids) for ids in encoded]))
        if len(batches) == 1:
            run(batches[0])
        else:
            with ThreadPoolExecutor(cores()) as pool:
                list(pool.map(run, batches))
        return found

    @contextmanager
    def _session_for(self, batch: Sequence[int]) -> Iterator[Any]:
        """Yield the session of all cores for a text that is alone, and the other for texts that others wait beside."""
        with self._counting:
            self._passes += 1
            alone = self._passes == 1 and len(batch) == 1
        try:
            yield self._of_all_cores if alone else self._of_one_core
        finally:
            with self._counting:
                self._passes -= 1


def _session(file: Path, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    options.add_session_config_entry("session.force_spinning_stop", "1")  # between passes its threads sleep
    return onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def cores() -> int:
    """Return how many threads of this process can run at once."""
    return len(os.sched_getaffinity(0))


def packed(texts: Sequence[list[int]]) -> dict[str, Any]:
    """Return the inputs of a packed pass: all tokens in one row, and how attention finds each text in it.

    `ids`, `positions` (tokens): each token and its place in its text. `rows` (texts x longest): where in `ids` each token
    of a text stands, 0 where there is none. `lengths` (texts). `back` (tokens): where in the flat `rows` each token stands.
    `first` (texts): where in `ids` each text begins.
    """
    lengths = np.array([len(ids) for ids in texts])
    first = np.cumsum(lengths) - lengths
    places = np.arange(lengths.max())
    there = places < lengths[:, None]
    return {
        "ids": np.concatenate(texts).astype(np.int64),
        "positions": np.broadcast_to(places, there.shape)[there],
        "rows": np.where(there, first[:, None] + places, 0),
        "lengths": lengths.astype(np.int32),
        "back": np.flatnonzero(there),
        "first": first,
    }


def packs(lengths: Sequence[int], *, tokens: int = PACK) -> Iterator[list[int]]:
    """Yield the indices of texts for each packed pass of at most so many tokens, the shortest texts first."""
    batch: list[int] = []
    total = needed = 0
    for at in sorted(range(len(lengths)), key=lengths.__getitem__):
        length = lengths[at]  # the longest so far
        padded = (len(batch) + 1) * length**2
        if batch and (total + length > tokens or padded > 2 * (needed + length**2) + _FREE_SQUARES):
            yield batch
            batch, total, needed = [], 0, 0
        batch.append(at)
        total += length
        needed += length**2
    if batch:
        yield batch


def passes(lengths: Sequence[int], *, tokens: int, share: float) -> Iterator[list[int]]:
    """Yield the indices of texts for each padded pass, the longest texts first.

    At most `tokens` a pass with their padding, and no text shorter than `share` of the longest.
    """
    batch: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda at: (-lengths[at], at)):
        longest = lengths[batch[0]] if batch else 0
        if batch and (longest * (len(batch) + 1) > tokens or lengths[at] < share * longest):
            yield batch
            batch = []
        batch.append(at)
    if batch:
        yield batch
