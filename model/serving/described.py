"""Labels that no training has learnt yet, known by what is written of them: how much a text is like each of them.

A text and what is written of a label are compared by their meanings, which the version's base gives (`Engine.meanings`), and
by the pieces of their words. How far a label stands above the others is what its probability comes from, by one measure for all
labels: fitted on shipped messages, it holds on messages of another bank and other labels (docs/decisions/0012).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import BrokenVersion
from model.serving.calibration import Matrix, sigmoid
from model.serving.lexical import LONGEST_PIECE, pieces_in

DESCRIBED_FILE = "described.safetensors"
# Of a standard deviation, and of a label that stands exactly as high as labels that apply do on average: Platt's, fitted on the
# 1,455 shipped training messages with their 14 labels. On 1,657 banking messages with 48 labels its calibration error is 0.9 %.
SCALE, SHIFT = 1.376, -1.13
# So many labels apply to a message: with more labels to choose from, one must stand higher.
_LABELS_A_MESSAGE = 1.6
# From here on such a label is given: the probability where it stands that high.
GIVEN_FROM = float(sigmoid(np.array(SHIFT)))
# Nothing more likely is said of a label that fewer people have judged than make it one like others.
MOST_LIKELY = 0.75
_NUMBERS = ("centre", "meanings", "idf", "terms", "judged")
# Two letters are in everything.
SHORTEST_PIECE = 3


@dataclass(frozen=True)
class Described:
    """What is written of labels, as texts are compared with it. `speaks` are those of the `labels` that answer by it."""

    labels: tuple[str, ...]
    speaks: tuple[str, ...]
    learning: tuple[str, ...]  # those that speak and were judged too seldom to be labels like others
    centre: NDArray[np.float32]  # width: the mean of messages
    meanings: NDArray[np.float32]  # labels x width, of length one
    pieces: Mapping[str, int]  # pieces of words, those that the labels' texts have first
    idf: NDArray[np.float32]  # pieces
    terms: NDArray[np.float32]  # pieces that the labels' texts have x labels
    judged: NDArray[np.float32]  # (width + 1) x speaks: what judged messages add to a logit, by meaning and always

    def likeness_of_words(self, plain: str) -> Matrix:
        """Return how much the words of a plain text (`lexical.plain`) are like what is written of each label."""
        found: Matrix = np.zeros(len(self.labels))
        values = weigh_pieces(plain, self.pieces, self.idf)
        for column, value in values.items():
            if 0 <= column < len(self.terms):
                found += value * self.terms[column]
        return found

    def scores(self, meanings: Matrix, words: Matrix) -> Matrix:
        """Return the probabilities of those that speak, texts x `speaks`.

        `meanings` are the texts', texts x width; `words` are what `likeness_of_words` gave, texts x labels.
        """
        centred = unit(unit(meanings) - self.centre)
        scores = sigmoid(self.written_logits(centred, words) + centred @ self.judged[:-1] + self.judged[-1])
        learning = [at for at, name in enumerate(self.speaks) if name in self.learning]
        scores[:, learning] = np.minimum(scores[:, learning], MOST_LIKELY)
        return scores

    def written_logits(self, centred: Matrix, words: Matrix) -> Matrix:
        """Return the logits by what is written of the labels alone, texts x `speaks`; `centred` as `scores` centres meanings."""
        found: Matrix = logits_of(centred @ self.meanings.T + words)[:, [self.labels.index(name) for name in self.speaks]]
        return found

    def tensors(self) -> dict[str, NDArray[Any]]:
        """Return all of it as `read_described` takes it."""
        told = {"labels": self.labels, "speaks": self.speaks, "learning": self.learning, "pieces": list(self.pieces)}
        return {
            "described.names": np.frombuffer(json.dumps(told, ensure_ascii=False).encode(), np.uint8),
            "described.centre": self.centre,
            "described.meanings": self.meanings.astype(np.float16),
            "described.idf": self.idf.astype(np.float16),
            "described.terms": self.terms.astype(np.float16),
            "described.judged": self.judged,
        }


def read_described(tensors: Mapping[str, NDArray[Any]]) -> Described | None:
    """Read what `Described.tensors` returned; None where there is none of it, BrokenVersion where it does not fit together."""
    if "described.names" not in tensors:
        return None
    try:
        told = json.loads(tensors["described.names"].tobytes())
        numbers = {name: tensors[f"described.{name}"].astype(np.float32) for name in _NUMBERS}
        labels, speaks, learning = (tuple(told[name]) for name in ("labels", "speaks", "learning"))
        width = len(numbers["centre"])
        shapes = [(len(labels), width), (len(told["pieces"]),), (width + 1, len(speaks))]
        fits = [numbers[name].shape for name in ("meanings", "idf", "judged")] == shapes
        if not (fits and numbers["terms"].shape[1] == len(labels) and set(learning) <= set(speaks) <= set(labels)):
            raise BrokenVersion("what is written of the labels does not fit together")
        return Described(labels, speaks, learning, pieces={piece: at for at, piece in enumerate(told["pieces"])}, **numbers)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise BrokenVersion(f"what is written of the labels cannot be read: {error}") from error


def save_described(described: Described, file: Path) -> None:
    """Write it as one file."""
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(tensor) for name, tensor in described.tensors().items()}, file)


def load_described(file: Path) -> Described | None:
    """Load what `save_described` wrote; raise BrokenVersion where it cannot be read."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return read_described(load_file(file))
    except (OSError, SafetensorError) as error:
        raise BrokenVersion(f"{file}: {error}") from error


def weigh_pieces(plain: str, pieces: Mapping[str, int], idf: NDArray[np.float32]) -> dict[int, float]:
    """Return what the pieces of a plain text weigh, by their columns: sublinear TF-IDF, of length one.

    Pieces that nobody has met weigh as much as the rarest, and have no column: their share of the length is at -1.
    """
    counts: dict[str, int] = {}
    for piece in pieces_in(plain):
        if SHORTEST_PIECE <= len(piece) <= LONGEST_PIECE:
            counts[piece] = counts.get(piece, 0) + 1
    rarest = float(idf.max(initial=1.0))
    found, strange = {}, 0.0
    for piece, count in counts.items():
        column = pieces.get(piece)
        value = (1 + np.log(count)) * (rarest if column is None else float(idf[column]))
        if column is None:
            strange += value**2
        else:
            found[column] = value
    length = np.sqrt(strange + sum(value**2 for value in found.values())) or 1.0
    return {-1: np.sqrt(strange) / length} | {column: value / length for column, value in found.items()}


def logits_of(likeness: Matrix) -> Matrix:
    """Return the logits of a likeness, texts x labels: by how many standard deviations each stands above the others."""
    # The likelihood that one of so many is drawn, as if likeness were normal.
    high = NormalDist().inv_cdf(1 - min(0.5, _LABELS_A_MESSAGE / likeness.shape[1]))
    spread = likeness.std(axis=1, keepdims=True)
    above = (likeness - likeness.mean(axis=1, keepdims=True)) / np.maximum(spread, 1e-9)
    logits: Matrix = SCALE * (above - high) + SHIFT
    return logits


def unit(vectors: Matrix) -> Matrix:
    """Return each row at length one; zeros stay zeros."""
    made: Matrix = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return made
