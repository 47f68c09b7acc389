"""The lexical model: TF-IDF of words and of pieces of words, times a weight for each label. Needs NumPy alone.

Its terms and weights are scikit-learn's (`learning.baseline` fits them), and so are its numbers, but for the last digits: what
scikit-learn spends 2 ms on is 0.1 ms here for a message of 120 characters.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import BrokenVersion
from model.serving.calibration import Matrix
from model.serving.normalise import normalise

DESCRIPTION_FILE = "baseline.json"
WEIGHTS_FILE = "baseline.safetensors"
FORMER_NAMES = {DESCRIPTION_FILE: "floor.json", WEIGHTS_FILE: "floor.safetensors"}  # in the folders that 0.1.0 wrote

# Words and word pairs beside pieces of words: the pieces forgive typos and missing accents.
LONGEST_PHRASE = 2  # words
SHORTEST_PIECE, LONGEST_PIECE = 2, 5  # characters
_MOST_MET = 20_000  # words whose pieces are kept at hand: some 8 MB
_WORD = re.compile(r"\b\w\w+\b")  # TfidfVectorizer's


@dataclass(frozen=True)
class LexicalModel:
    """Fitted weights. `words` and `pieces` are terms with their columns, which for pieces begin where those of words end.

    `added` says which terms the version was not trained with: beside them its own terms weigh what they weighed without.
    """

    labels: tuple[str, ...]
    words: dict[str, int]
    pieces: dict[str, int]
    idf: NDArray[np.float32]  # terms
    weights: NDArray[np.float32]  # terms x labels
    bias: NDArray[np.float32]  # labels
    added: NDArray[np.bool_] | None = None  # terms; None where none is
    _met: dict[str, list[int]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def logits(self, texts: Sequence[str]) -> Matrix:
        """Return one row a text and one column a label; not calibrated, since the classes were balanced in training."""
        return self.logits_of_normalised([normalise(text) for text in texts])

    def logits_of_normalised(self, texts: Iterable[str]) -> Matrix:
        """Return what `logits` does, of texts that went through `normalise` already."""
        rows = [self._logits(plain(text)) for text in texts]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(self.labels))

    def _logits(self, text: str) -> Matrix:
        logits: Matrix = self.bias.astype(np.float64)
        for columns, values in self.features(text):
            logits += values @ self.weights[columns]
        return logits

    def features(self, text: str) -> list[tuple[NDArray[np.int64], Matrix]]:
        """Return columns and values of a plain text's words, and of its pieces; neither where none of them is known."""
        phrases = [column for term in phrases_in(text) if (column := self.words.get(term)) is not None]
        pieces = [column for word in text.split() for column in self._pieces_of(word)]
        found = []
        for each in (phrases, pieces):
            if each:
                columns, counts = np.unique(each, return_counts=True)
                values = (1 + np.log(counts)) * self.idf[columns]
                length = np.sqrt(values @ values)
                if self.added is not None and (own := values[~self.added[columns]]).size:
                    length = np.where(self.added[columns], length, np.sqrt(own @ own))
                found.append((columns, values / length))
        return found

    def carried_by(self, words: Sequence[str]) -> Matrix:
        """Return by how much each word of a normalised text raises each label's logit, words x labels.

        The sum over the words, with the bias, is the logit. A term that occurs several times, or is a pair of words, is shared
        evenly by all words that it is in.
        """
        homes: tuple[dict[int, list[int]], dict[int, list[int]]] = ({}, {})  # by column, the word of each occurrence
        last: tuple[str, int] | None = None
        for at, word in enumerate(words):
            simple = plain(word)
            for found in _WORD.findall(simple):
                terms = [(found, (at, at))] + ([] if last is None else [(f"{last[0]} {found}", (last[1], at))])
                for term, both in terms:
                    if (column := self.words.get(term)) is not None:
                        homes[0].setdefault(column, []).extend(both)
                last = found, at
            for part in simple.split():
                for column in self._pieces_of(part):
                    homes[1].setdefault(column, []).append(at)
        carried: Matrix = np.zeros((len(words), len(self.labels)))
        by_kind = [each for each in homes if each]
        for (columns, values), places in zip(self.features(plain(" ".join(words))), by_kind, strict=True):
            for column, value in zip(columns.tolist(), values.tolist(), strict=True):
                share = value * self.weights[column] / len(places[column])
                for at in places[column]:
                    carried[at] += share
        return carried

    def _pieces_of(self, word: str) -> list[int]:
        """Return the columns of a word's pieces; people use the same few thousand words again and again."""
        columns = self._met.get(word)
        if columns is None:
            columns = [column for term in pieces_in(word) if (column := self.pieces.get(term)) is not None]
            if len(self._met) >= _MOST_MET:
                self._met.clear()
            self._met[word] = columns
        return columns

    def weigh(self, piece: str) -> Matrix:
        """Return by how much one more `piece` of a text ("tarje", or "##tas" inside a word) raises each label's logit."""
        text = plain(piece.removeprefix("##"))
        spelled = text if piece.startswith("##") else f" {text}"
        columns = [
            self.pieces.get(spelled[at : at + size])
            for size in range(SHORTEST_PIECE, LONGEST_PIECE + 1)
            for at in range(len(spelled) - size + 1)
        ]
        if not piece.startswith("##"):
            columns.append(self.words.get(text))
        weight: Matrix = np.zeros(len(self.labels))
        for column in columns:
            if column is not None:
                weight += float(self.idf[column]) * self.weights[column]
        return weight

    def save(self, folder: Path, threshold: float) -> None:
        """Write baseline.json (terms, labels, the baseline's threshold) and baseline.safetensors (numbers) into `folder`."""
        from safetensors.numpy import save_file

        terms = {"words": list(self.words), "pieces": list(self.pieces)}
        description = {"labels": self.labels, "threshold": threshold, "terms": terms}
        (folder / DESCRIPTION_FILE).write_text(json.dumps(description, ensure_ascii=False) + "\n", encoding="utf-8")
        count = len(self.words)
        tensors = {"weights": self.weights.T, "bias": self.bias, "idf.words": self.idf[:count], "idf.pieces": self.idf[count:]}
        save_file({name: np.ascontiguousarray(t, np.float32) for name, t in tensors.items()}, folder / WEIGHTS_FILE)


def load_lexical(folder: Path) -> tuple[LexicalModel, float]:
    """Load what `save` wrote into `folder`, with the threshold; raise BrokenVersion naming the file that cannot be read."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    description_file, weights_file = _file(folder, DESCRIPTION_FILE), _file(folder, WEIGHTS_FILE)
    try:
        description = json.loads(description_file.read_text(encoding="utf-8"))
        labels, threshold = tuple(description["labels"]), float(description["threshold"])
        words, pieces = (list(description["terms"][name]) for name in ("words", "pieces"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BrokenVersion(f"{description_file}: {error}") from error
    try:
        tensors = load_file(weights_file)
        weights, bias = tensors["weights"], tensors["bias"]
        idf = np.concatenate([tensors["idf.words"], tensors["idf.pieces"]])
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise BrokenVersion(f"{weights_file}: {error}") from error
    terms = len(words) + len(pieces)
    if weights.shape != (len(labels), terms) or bias.shape != (len(labels),) or idf.shape != (terms,):
        raise BrokenVersion(f"{weights_file}: its shapes do not fit {description_file.name}")
    return LexicalModel(
        labels,
        {term: at for at, term in enumerate(words)},
        {term: at for at, term in enumerate(pieces, start=len(words))},
        idf,
        np.ascontiguousarray(weights.T),
        bias,
    ), threshold


def plain(text: str) -> str:
    """Return the text in lower case and without accents."""
    text = text.lower()
    if text.isascii():
        return text
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def phrases_in(text: str) -> list[str]:
    """Return the words of two letters or more, and each with the next one, of a plain text."""
    words = _WORD.findall(text)
    return [*words, *(f"{first} {second}" for first, second in pairwise(words))]


def pieces_in(text: str) -> list[str]:
    """Return the pieces of each word with a space before and behind it, of a plain text."""
    found = []
    for word in text.split():
        padded = f" {word} "
        length = len(padded)
        for size in range(SHORTEST_PIECE, LONGEST_PIECE + 1):
            if size >= length:  # the whole, once
                found.append(padded)
                break
            found += [padded[at : at + size] for at in range(length - size + 1)]
    return found


def _file(folder: Path, name: str) -> Path:
    former = folder / FORMER_NAMES[name]
    return former if former.exists() else folder / name
