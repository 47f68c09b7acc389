"""A version in memory, ready to label texts. Needs torch only where the version is not served by its packed graph."""

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from model.digits import shortened
from model.errors import BrokenVersion
from model.schema import Card, Mixture, Prediction, Preference
from model.serving.calibration import Matrix, sigmoid
from model.serving.corrections import SAID_NO, SAID_YES, Corrections
from model.serving.described import DESCRIBED_FILE, GIVEN_FROM, Described, load_described
from model.serving.engine import ENGINE_FILE, Engine, OnnxEngine
from model.serving.head import Head
from model.serving.judged_texts import Repeated
from model.serving.lexical import LexicalModel, load_lexical, plain
from model.serving.mixture import ENCODER_ALONE, load_mixture, mix
from model.serving.normalise import normalise
from model.serving.version_folder import verify

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# One of these is there where a GPU's driver is. To ask torch itself would load it: 200 MiB, and seconds.
_GPU_DRIVERS = (Path("/dev/nvidiactl"), Path("/dev/dxg"), Path("/dev/kfd"))


@dataclass(frozen=True)
class EncodedText:
    """A text as a version reads it: token ids with special ones, uncut, and what the lexical model says of each label."""

    ids: list[int]
    lexical: Matrix  # labels; zeros where it does not serve
    judged: Repeated | None = None  # what people said of the text that it repeats
    words: Matrix | None = None  # how much its words are like what is written of labels, where any speaks by that


class Classifier:
    """A version's engine, tokenizer, card, lexical model and mixture, for any thread."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: "Tokenizer",
        card: Card,
        max_tokens: int,
        lexical: LexicalModel | None = None,
        mixture: Mixture = ENCODER_ALONE,
        described: Described | None = None,
    ) -> None:
        self.engine = engine
        self.tokenizer = tokenizer
        self.card = card
        self.labels = card.labels
        self.max_tokens = max_tokens
        self.lexical = lexical
        self.mixture = mixture
        self.thresholds = dict(card.thresholds)
        self.corrections: Corrections | None = None
        self._described = described
        tokenizer.no_padding()
        tokenizer.no_truncation()

    def corrected(self, corrections: Corrections | None) -> "Classifier":
        """Return the version with these corrections instead of those that it has; network and tokenizer are shared."""
        made = copy.copy(self)  # made anew it would set up the tokenizer, which others are using
        made.corrections = corrections
        return made

    def preferring(self, preferences: Mapping[str, Preference]) -> "Classifier":
        """Return the version with the thresholds of these preferences, by the labels' names in it; the rest is shared.

        A version of before has no others than its own.
        """
        made = copy.copy(self)
        made.thresholds = self.card.thresholds_for(preferences)
        return made

    @property
    def described(self) -> Described | None:
        """Return what lets labels speak that the version was not taught; None where there are none, or its base cannot."""
        newer = None if self.corrections is None else self.corrections.described
        return (newer or self._described) if self.engine.width else None

    @property
    def serving_lexical(self) -> LexicalModel | None:
        """Return the lexical model that has a share in what is predicted: the one fitted last; None where none has."""
        if not self.mixture.lexical:
            return None
        refitted = None if self.corrections is None else self.corrections.lexical
        return self.lexical if refitted is None else refitted

    @property
    def serving_head(self) -> Head | None:
        """Return the light head that has a share in what is predicted; None where none has."""
        return None if self.corrections is None or not self.engine.width else self.corrections.head

    def encode(self, texts: Sequence[str]) -> list[EncodedText]:
        """Read each text, in order."""
        normalised = [normalise(text) for text in texts]
        encoded = self.tokenizer.encode_batch_fast(normalised)
        model = self.serving_lexical
        lexical = model.logits_of_normalised(normalised) if model is not None else np.zeros((len(texts), len(self.labels)))
        said = [None if self.corrections is None else self.corrections.judged.find(text) for text in texts]
        described = self.described
        words = [None if described is None else described.likeness_of_words(plain(text)) for text in normalised]
        return [EncodedText(each.ids, *rest) for each, *rest in zip(encoded, lexical, said, words, strict=True)]

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Predict each text, in order; any text will do, also an empty one or one of 40,000 characters."""
        return self.predict_encoded(self.encode(texts))

    def predict_encoded(self, encoded: Sequence[EncodedText]) -> list[Prediction]:
        """Predict each text that `encode` gave."""
        if not encoded:
            return []
        lexical = np.stack([text.lexical for text in encoded])
        head = self.serving_head
        ids = [cut(text.ids, self.max_tokens) for text in encoded]
        described, meanings = self.described, None
        if (head is not None or described is not None) and self.mixture.encoder:
            encoder, meanings = self.engine.logits_and_meanings(ids)
        elif self.mixture.encoder:
            encoder = self.engine.logits(ids)
        else:  # the network does not help, and is not asked
            encoder = np.zeros_like(lexical)
            meanings = None if head is None and described is None else self.engine.meanings(ids)
        logits = mix(self.mixture, encoder, lexical)
        if head is not None and meanings is not None:
            logits = head.mixed(logits, meanings)
        scores = sigmoid(logits)
        if described is not None and meanings is not None:
            words = np.stack([text.words for text in encoded if text.words is not None])
            scores = np.hstack([scores, described.scores(meanings, words)])
        for row, text in zip(scores, encoded, strict=True):
            if text.judged is not None:
                said = text.judged.said[: len(row)]  # of a label that spoke when it was said, and does so no more, nothing
                row[: len(said)][said > 0], row[: len(said)][said < 0] = SAID_YES, SAID_NO
        return [
            self._prediction(row, text, truncated=len(text.ids) > self.max_tokens)
            for row, text in zip(scores.tolist(), encoded, strict=True)
        ]

    def _prediction(self, row: Sequence[float], text: EncodedText, *, truncated: bool) -> Prediction:
        described = self.described
        speaks, learning = ((), ()) if described is None else (described.speaks, described.learning)
        # What speaks by its description does so also where the version has a column for it, which says nothing.
        thresholds = self.thresholds | dict.fromkeys(speaks, GIVEN_FROM)
        scores = {label: shortened(score, thresholds[label]) for label, score in zip((*self.labels, *speaks), row, strict=True)}
        sure = [label for label in scores if scores[label] >= thresholds[label]]
        return Prediction(
            version=self.card.version,
            base=self.card.base,
            scores=scores,
            labels=tuple(sorted(sure, key=lambda label: -scores[label])),
            truncated=truncated,
            corrections=0 if self.corrections is None else self.corrections.count,
            known_from=text.judged.source if text.judged is not None and text.judged.said.any() else None,
            learning=learning,
        )


def load(folder: Path, *, device: str = "auto") -> Classifier:
    """Load the version in `folder` onto `device` (auto, cpu, cuda).

    Raises BrokenVersion, naming the file, where one is missing, half written or altered, or where they do not fit.
    """
    from tokenizers import Tokenizer  # only here: who imports the type alone does not need it

    card = verify(folder)
    engine: Engine
    try:
        config = json.loads((folder / "config.json").read_bytes())
        labels = tuple(config["id2label"][str(at)] for at in range(len(config["id2label"])))
        if labels != card.labels or set(labels) != set(card.thresholds):
            raise BrokenVersion(f"{folder}: card.json and config.json name different labels")
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        if (folder / ENGINE_FILE).exists() and not _has_gpu(device):
            engine = OnnxEngine(folder / ENGINE_FILE)
        else:
            engine = _torch_engine(folder, device, config)
        mixture = load_mixture(folder)
        lexical = load_lexical(folder)[0] if mixture.lexical else None
        if lexical is not None and lexical.labels != labels:
            raise BrokenVersion(f"{folder}: the lexical model and config.json name different labels")
        described = load_described(folder / DESCRIBED_FILE) if (folder / DESCRIBED_FILE).exists() else None
        return Classifier(engine, tokenizer, card, _longest_input(folder, config), lexical, mixture, described)
    except BrokenVersion:
        raise
    # Whatever the libraries stumble over, the folder is no version that can serve; the cause stays attached.
    except Exception as error:
        raise BrokenVersion(f"{folder} cannot be loaded: {error}") from error


def encode(tokenizer: "Tokenizer", texts: Sequence[str]) -> list[list[int]]:
    """Return the token ids of each text, normalised first, with special ones, uncut."""
    return [each.ids for each in tokenizer.encode_batch_fast([normalise(text) for text in texts])]


def cut(ids: list[int], longest: int) -> list[int]:
    """Return at most `longest` of a text's tokens; the last, which is [SEP], stays."""
    return ids if len(ids) <= longest else [*ids[: longest - 1], ids[-1]]


def _torch_engine(folder: Path, device: str, config: dict[str, Any]) -> Engine:
    """Open what torch serves; BrokenVersion with the way out where it is needed and not installed."""
    try:
        from model.serving.network import open_engine
    except ModuleNotFoundError as error:
        raise BrokenVersion(
            f"{folder}: its network ({config.get('model_type')}) is served by torch alone, and {error.name} is not installed. "
            "Ways out: install the extra `model`, serve with the image of the trainer, or train from a base of BERT's kind (`e5`)"
        ) from error
    return open_engine(folder, device)


def _has_gpu(device: str) -> bool:
    if device != "auto":
        return device == "cuda"
    if not any(driver.exists() for driver in _GPU_DRIVERS):
        return False
    from model.serving.network import pick_device

    return pick_device(device).type == "cuda"


def _longest_input(folder: Path, config: dict[str, Any]) -> int:
    tokenizer = json.loads((folder / "tokenizer_config.json").read_bytes())
    return int(min(tokenizer.get("model_max_length", 512), config["max_position_embeddings"]))
