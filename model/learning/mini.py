"""The small stand-in for BETO: its vocabulary, and what its pieces mean before it has been trained."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.learning.baseline import Baseline
from model.serving.normalise import ALPHABET

# BETO's own order, in which [PAD] is 1 and not 0.
SPECIAL_TOKENS = ("[MASK]", "[PAD]", "[EOS]", "[UNK]", "[CLS]", "[SEP]")


def learn_vocabulary(texts: Sequence[str], size: int) -> list[str]:
    """Return cased WordPiece pieces in the order of their ids: BETO's special ones, the whole alphabet, then learnt pieces.

    `texts` are normalised already. As no character is left out, no text in the alphabet has an [UNK].
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106 - no password
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False, strip_accents=False)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = sorted(ALPHABET - {" "})
    # Given first, the letters have fixed ids; else the trainer numbers "##a" as its hash map falls, and breaks ties by it.
    first = [*SPECIAL_TOKENS, *letters, *(f"##{letter}" for letter in letters if letter.isalnum())]
    trainer = trainers.WordPieceTrainer(vocab_size=size, min_frequency=2, show_progress=False, special_tokens=first)
    tokenizer.train_from_iterator(texts, trainer)
    vocabulary = tokenizer.get_vocab()
    return sorted(vocabulary, key=vocabulary.__getitem__)


def first_meanings(baseline: Baseline, vocabulary: Sequence[str], width: int, seed: int) -> NDArray[np.float32]:
    """Return embeddings, pieces x `width`, whose first columns hold the baseline's weight of each piece for each label.

    So a network that only averages its input begins about where the baseline ends, and learns from there what the order of
    the words adds; begun at random on a thousand messages it stays ten points of micro-F1 below. The other columns are
    random.
    """
    weights = np.stack([baseline.lexical.weigh(piece) for piece in vocabulary])
    weights[: len(SPECIAL_TOKENS)] = 0.0
    weights /= max(1e-9, float(np.sqrt((weights**2).mean())))
    # Of equal length, so that the layer norm after them treats all pieces alike.
    free = np.random.default_rng(seed).standard_normal((len(vocabulary), width - weights.shape[1]))
    free *= np.sqrt(free.shape[1]) / np.linalg.norm(free, axis=1, keepdims=True)
    return np.concatenate([weights, free], axis=1).astype(np.float32)
