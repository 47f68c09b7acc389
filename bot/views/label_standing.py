"""How a label stands, told by what was measured and judged. Pure, as `blocks` is."""

from dataclasses import dataclass
from typing import Literal

from model.agreement import Alpha
from model.schema import Cuts, LabelScores

# Fewer judgements than this say little, and a label right less often than in seven of ten is weak.
FEW, SOUND_FROM = 10, 0.7

State = Literal["new", "described", "learning", "sound", "weak"]


@dataclass(frozen=True)
class Standing:
    """How a label stands: on how many messages people gave it, and what the live version, if there is one, scores on it.

    `cuts` are the live version's thresholds of it; None where they cannot be moved.
    """

    judged: int = 0
    scores: LabelScores | None = None
    is_served: bool = False  # a version is live, whether or not it knows the label
    cuts: Cuts | None = None
    is_described: bool = False  # where the live version was not taught it, what is written of it speaks
    agreement: Alpha | None = None  # how far people agree on it, where the reader may know

    @property
    def state(self) -> State | None:
        """Return new or described where the live version was not taught it, learning while few messages carry it."""
        if self.is_described:
            return "described" if self.judged < FEW else "learning"
        if self.scores is None:
            return "new" if self.is_served else None
        if self.scores.support == 0 or self.scores.support + self.judged < FEW:
            return "learning"
        return "sound" if self.scores.f1 >= SOUND_FROM else "weak"

    @property
    def right_of_ten(self) -> int | None:
        """Return how many of ten the live version gets right; None where that rests on too little to be said."""
        return round(self.scores.f1 * 10) if self.scores is not None and self.state in {"sound", "weak"} else None
