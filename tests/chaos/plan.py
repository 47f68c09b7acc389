"""What the harness is asked to do."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """What happens; the same plan brings the same people, words, disturbances and faults of Slack in the same order."""

    messages: int = 300
    gestures: int = 150
    kills: int = 10
    seed: int = 0
    twice: bool = False  # two of each of our processes
    postgres: bool = False
    share: float = 0.05  # of Slack's events and calls, that meet a fault
    pace: float = 0.1  # of the product's waits
    without: str = ""  # this safeguard
    retrainings: int = 1
    drain_within_s: float = 300.0
