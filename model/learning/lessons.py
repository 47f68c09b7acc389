"""Lessons: messages as a network reads them, with their answers, and the learner whose they are."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from model.learning.baseline import truth_of
from model.schema import Example, Progress
from model.serving.calibration import Matrix
from model.serving.classifier import cut, encode
from model.serving.network import logits_of, lower_of

# Bytes: of e5 1.4 million tokens, some 70,000 chat messages. Where there are more, each step goes through all layers.
_MOST_CACHED = 1 << 30


@dataclass(frozen=True)
class Lessons:
    """Encoded texts with their answers, texts x labels."""

    encoded: list[list[int]]
    truth: torch.Tensor
    known: torch.Tensor
    # What the layers that do not learn make of each text, tokens x width, by texts; None where all layers learn.
    lower: list[torch.Tensor] | None = None

    def joined(self, other: "Lessons") -> "Lessons":
        """Return these texts and then the other's."""
        below = None if self.lower is None or other.lower is None else [*self.lower, *other.lower]
        known, truth = torch.cat([self.known, other.known]), torch.cat([self.truth, other.truth])
        return Lessons([*self.encoded, *other.encoded], truth, known, below)

    def drawn(self, batch: Sequence[int], rate: float, longest: int, rng: random.Random) -> "Lessons":
        """Return the texts of `batch`, with probability `rate` each joined with any other one, before or behind it.

        The two carry the labels of both, as one message that says two things does; what is known of neither stays unknown.
        """
        encoded, truth, known = [self.encoded[at] for at in batch], self.truth[batch], self.known[batch]
        below = None if self.lower is None else [self.lower[at] for at in batch]
        for row, at in enumerate(batch):
            if rng.random() >= rate:
                continue
            pair = [at, rng.randrange(len(self.encoded))]
            rng.shuffle(pair)
            one, two = pair
            encoded[row] = [*self.encoded[one], *self.encoded[two][1:]][:longest]  # a text begins with [CLS], once
            if below is not None and self.lower is not None:
                below[row] = torch.cat([self.lower[one], self.lower[two][1:]])[:longest]
            truth[row] = (self.truth[pair] * self.known[pair]).amax(dim=0)
            known[row] = torch.maximum(truth[row], self.known[pair].amin(dim=0))
        return Lessons(encoded, truth, known, below)

    def answers(self) -> tuple[Matrix, Matrix]:
        """Return (truth, known) as NumPy's."""
        return self.truth.double().numpy(), self.known.double().numpy()


@dataclass(frozen=True)
class Learner:
    """The network in training, with its tokenizer and the device where it is."""

    network: Any
    tokenizer: Any
    device: torch.device
    frozen: int = 0  # the lowest layers, which do not learn

    def logits(self, lessons: Lessons) -> torch.Tensor:
        """Return the logits, texts x labels, on the CPU; the network is in evaluation mode from here on."""
        self.network.eval()
        return logits_of(self.network, self.tokenizer.pad_token_id, lessons.encoded, self.device, lessons.lower, self.frozen)

    def scores(self, lessons: Lessons) -> Matrix:
        """Return probabilities, texts x labels."""
        scores: Matrix = self.logits(lessons).double().sigmoid().numpy()
        return scores


def read_splits(
    learner: Learner, splits: Sequence[Sequence[Example]], labels: Sequence[str], longest: int, report: Callable[[Progress], None]
) -> list[Lessons]:
    """Encode the splits as `read` does, and report how many of their texts are read."""
    texts, before, read_so_far = sum(map(len, splits)), 0, []
    for examples in splits:

        def on_read(read: int, before: int = before) -> None:
            report(Progress(stage="preparing", part="reading", step=before + read, steps=texts))

        read_so_far.append(read(learner, examples, labels, longest, on_read))
        before += len(examples)
    return read_so_far


def read(
    learner: Learner,
    examples: Sequence[Example],
    labels: Sequence[str],
    longest: int,
    on_read: Callable[[int], None] = lambda _: None,
) -> Lessons:
    """Encode the examples; what the layers that do not learn make of them is worked out once, where there is room for it."""
    network, tokenizer = learner.network, learner.tokenizer
    encoded = [cut(ids, longest) for ids in encode(tokenizer.backend_tokenizer, [example.text for example in examples])]
    truth, known = truth_of(examples, labels)
    below = None
    if learner.frozen and 2 * network.config.hidden_size * sum(map(len, encoded)) <= _MOST_CACHED:
        below = lower_of(network.eval(), tokenizer.pad_token_id, encoded, learner.device, learner.frozen, on_read)
    return Lessons(encoded, torch.tensor(truth, dtype=torch.float32), torch.tensor(known, dtype=torch.float32), below)
