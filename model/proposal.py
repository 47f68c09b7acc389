"""Whether a retraining is worth it by now, and what it is likely to bring, from what those before it brought. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# Fewer new judgements hardly move anything: between versions of the shipped messages F1 moves by chance alone as much as they do.
ENOUGH = 50


@dataclass(frozen=True)
class Brought:
    """What one retraining brought: micro-F1 over the version that was live then, by so many judgements that were new."""

    judgements: int
    gain: float


@dataclass(frozen=True)
class Proposal:
    """So many judgements are new. `gain` is what they are likely to bring, None where nobody knows; `of` so many retrainings."""

    judgements: int
    gain: float | None
    of: int


def propose(new: int, before: Sequence[Brought]) -> Proposal | None:
    """Return that a retraining is worth it, or None where too little is new.

    The gain is the median of what a judgement brought in retrainings before, times those that are new, and never more than the
    best of those brought: curves of learning flatten (docs/benchmarks.md, The learning curve).
    """
    if new < ENOUGH:
        return None
    known = [each for each in before if each.judgements > 0]
    if not known:
        return Proposal(new, None, 0)
    rate = statistics.median(each.gain / each.judgements for each in known)
    best = max(each.gain for each in known)
    return Proposal(new, min(rate * new, max(best, 0.0)), len(known))
