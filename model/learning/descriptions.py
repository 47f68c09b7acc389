"""Making labels speak that no training has learnt: from what is written of them, and from the first messages that carry them."""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from model.labels import Label, Taxonomy, seed_taxonomy
from model.learning.baseline import truth_of
from model.learning.light_head import fit_beside
from model.schema import Card, Example
from model.serving.calibration import Matrix
from model.serving.classifier import cut, encode
from model.serving.described import SHIFT, Described, unit, weigh_pieces
from model.serving.engine import ENGINE_FILE, Engine, OnnxEngine
from model.serving.head import LENGTH
from model.serving.lexical import pieces_in, plain
from model.serving.normalise import normalise
from model.serving.version_folder import FROZEN_FILE

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# How the id of an example begins that is no message, but what is written of a label.
WRITTEN = "label:"
# A label that so many judged messages carry is one like others.
ENOUGH = 10
# Messages of which nothing is said, as the measure of what is usual; each costs some 5 ms once.
BACKGROUND = 300
# With fewer labels there is hardly any others to stand above: shipped ones stand beside them.
_FEWEST_COMPARED = 8
# A label of which so many judged messages are known not to carry it needs no others for noes.
_NOES = 10
# So many times that a message carried one of the labels make the cut half theirs and half the one of descriptions.
_HALF = 60.0
# The newest messages that are learnt from.
_MOST_LEARNT = 2_000
_LONGEST = 128  # tokens: as much of a message says what it is about


class Describer:
    """Describes labels to one version again and again; what a text means to its base is worked out once. For one thread."""

    def __init__(self, folder: Path) -> None:
        """`folder` is the version's."""
        self._folder = folder
        self._engine: Engine | None = None
        self._tokenizer: Tokenizer | None = None
        self._meanings: dict[str, Matrix] = {}
        self._words: dict[str, Matrix] = {}  # likeness of words with what `_like` is
        self._like: tuple[Any, ...] = ()

    @property
    def can(self) -> bool:
        """Whether the version's base says what a text means; a small network that was trained from nothing does not."""
        if self._engine is None and (engine := self._open()) is not None:
            from tokenizers import Tokenizer

            self._engine = engine
            self._tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
            self._tokenizer.no_padding()
            self._tokenizer.no_truncation()
        return self._engine is not None and self._engine.width > 0

    def _open(self) -> Engine | None:
        if (self._folder / ENGINE_FILE).exists():
            return OnnxEngine(self._folder / ENGINE_FILE)
        if (self._folder / FROZEN_FILE).exists():  # torch serves this one everywhere
            from model.serving.network import open_engine

            return open_engine(self._folder, "cpu")
        return None

    def describe(
        self, taxonomy: Taxonomy, speaks: Sequence[str], background: Sequence[str], judged: Sequence[Example]
    ) -> Described | None:
        """Return what lets the labels `speaks` answer; None where there are none, or where the version cannot (see `can`).

        `background` are messages of which nothing need be known, at least one; `judged` are what people said of others.
        """
        if not speaks or not self.can:
            return None
        compared = _compared(taxonomy)
        texts = {label.name: written(label) for label in compared}
        centre = unit(self._of(background)).mean(axis=0)
        meanings = np.stack([_direction(self._of(texts[label.name]), centre) for label in compared])
        pieces, idf, terms = _words([texts[label.name][-1] for label in compared], background)
        carry = Counter(name for example in judged for name in example.labels)
        made = Described(
            labels=tuple(label.name for label in compared),
            speaks=tuple(speaks),
            learning=tuple(name for name in speaks if carry[name] < ENOUGH),
            centre=centre.astype(np.float32),
            meanings=meanings.astype(np.float32),
            pieces=pieces,
            idf=idf,
            terms=terms,
            judged=np.zeros((meanings.shape[1] + 1, len(speaks)), np.float32),
        )
        told = [example for example in judged if not set(speaks).issubset(example.unknown)]
        examples = [*_given_with([taxonomy[name] for name in speaks]), *told[-_MOST_LEARNT:]]
        self._learn(made, examples, background)
        return made

    def _learn(self, made: Described, examples: Sequence[Example], background: Sequence[str]) -> None:
        """Set `made.judged` to what these examples teach beside what is written of the labels.

        Where a label's noes are few, messages of the background are taken for such.
        """
        truth, known = truth_of(examples, made.speaks)
        yes, no = truth.sum(axis=0), (known - truth).sum(axis=0)
        if not yes.any():
            return
        known[:, (yes == 0) & (no < _NOES)] = 0
        few = (yes > 0) & (no < _NOES)
        said = {example.text for example in examples}
        others = [text for text in background if text not in said] if few.any() else []
        texts = [*others, *(example.text for example in examples)]
        truth = np.vstack([np.zeros((len(others), len(yes))), truth])
        known = np.vstack([np.broadcast_to(few, (len(others), len(yes))), known]).astype(float)
        centred = unit(unit(self._of(texts)) - made.centre)
        words = np.stack([self._words_of(made, text) for text in texts])
        learns = np.flatnonzero(known.any(axis=0))
        beside = made.written_logits(centred, words) - SHIFT  # from SHIFT on a label is given
        weights, cut = fit_beside(LENGTH * centred, truth[:, learns], known[:, learns], beside[:, learns])
        weights[:-1] *= LENGTH
        weights[-1] -= np.log(cut / (1 - cut)) * yes.sum() / (yes.sum() + _HALF)
        made.judged[:, learns] = weights

    def _words_of(self, made: Described, text: str) -> Matrix:
        """Return how much its words are like what is written of each label, worked out once while that stays the same."""
        like = made.labels, made.pieces, made.terms.tobytes()
        if like != self._like:
            self._like, self._words = like, {}
        if text not in self._words:
            self._words[text] = made.likeness_of_words(plain(normalise(text)))
        return self._words[text]

    def _of(self, texts: Sequence[str]) -> Matrix:
        """Return what the base makes of each text, texts x width."""
        assert self._engine is not None
        assert self._tokenizer is not None
        new = [*dict.fromkeys(text for text in texts if text not in self._meanings)]
        if new:
            found = self._engine.meanings([cut(ids, _LONGEST) for ids in encode(self._tokenizer, new)])
            self._meanings |= dict(zip(new, found, strict=True))
        return np.stack([self._meanings[text] for text in texts])


def untaught(labels: Sequence[str], examples: Iterable[Example]) -> tuple[str, ...]:
    """Return those of the labels that none of the examples carries which are messages."""
    carried = {name for example in examples if not (example.id or "").startswith(WRITTEN) for name in example.labels}
    return tuple(name for name in labels if name not in carried)


def unknown_labels(taxonomy: Taxonomy, card: Card) -> tuple[str, ...]:
    """Return the labels of today that no message taught the version."""
    taught = taxonomy.today([name for name in card.labels if name not in card.untaught])
    return tuple(name for name in taxonomy.names if name not in taught)


def _compared(taxonomy: Taxonomy) -> list[Label]:
    """Return the labels that a text is compared with: all of today, and shipped ones where those are few."""
    few = len(taxonomy) < _FEWEST_COMPARED
    others = [label for label in seed_taxonomy() if label.name not in taxonomy][: _FEWEST_COMPARED - len(taxonomy)] if few else []
    return [*taxonomy, *others]


def _given_with(labels: Sequence[Label]) -> list[Example]:
    """Return the examples that came with the labels: of each is known whether that one label applies."""
    names = {label.name for label in labels}
    return [
        Example(text=text, labels=(label.name,) if applies else (), unknown=tuple(names - {label.name}))
        for label in labels
        for applies, texts in ((True, label.examples), (False, label.counterexamples))
        for text in texts
    ]


def written(label: Label) -> list[str]:
    """Return what is written of a label: its title, and its title with its description."""
    title = label.title.replace("_", " ")
    return [title, f"{title}: {label.description}"] if label.description else [title, title]


def _direction(vectors: Matrix, centre: Matrix) -> Matrix:
    direction: Matrix = unit(unit(unit(vectors) - centre).mean(axis=0))
    return direction


def _words(texts: Sequence[str], background: Sequence[str]) -> tuple[dict[str, int], NDArray[np.float32], NDArray[np.float32]]:
    """Return (pieces with their columns, idf, terms) of `Described`, from what is written of each label and from messages."""
    told = [plain(normalise(text)) for text in texts]
    met: dict[str, int] = {}
    for text in [*told, *(plain(normalise(text)) for text in background)]:
        for piece in set(pieces_in(text)):
            met[piece] = met.get(piece, 0) + 1
    first = dict.fromkeys(piece for text in told for piece in pieces_in(text))
    # A piece that a single message has weighs as much as one that none has.
    pieces = [*first, *(piece for piece, count in met.items() if count > 1 and piece not in first)]
    columns = {piece: at for at, piece in enumerate(pieces)}
    counts = np.array([met[piece] for piece in pieces])
    idf = (np.log((1 + len(told) + len(background)) / (1 + counts)) + 1).astype(np.float32)
    terms = np.zeros((len(first), len(texts)), np.float32)
    for at, text in enumerate(told):
        for column, value in weigh_pieces(text, columns, idf).items():
            if column >= 0:
                terms[column, at] = value
    return columns, idf, terms


def sample(texts: Sequence[str], most: int) -> list[str]:
    """Return at most so many of the texts, evenly from first to last, each once and none of them empty."""
    distinct = [*dict.fromkeys(text for text in texts if plain(normalise(text)).strip())]
    return distinct[:: -(-len(distinct) // most)] if distinct else []
