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
    label_changes: int = 0
    drain_within_s: float = 300.0
    upgrade_from: str = ""  # the release whose processes run at the beginning (`upgrade.RELEASES`); empty: today's
    redelivery_s: tuple[float, float, float] = (0.0, 2.0, 6.0)  # Slack's own are 0, 60 and 300; here nobody waits that long
    per_s: float = 60.0  # what people do in a second, all together, while few messages wait
