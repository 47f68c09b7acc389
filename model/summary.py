"""What came in a channel: counts, and the messages that matter first. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from model.judgements import MessageState
from model.labels import Taxonomy
from model.schema import Prediction


@dataclass(frozen=True)
class Counted:
    """How many messages there are, and of how many each is true; by label of today, in their order, how many carry it.

    `corrected`: people judged it, and what stands is not what was predicted.
    """

    messages: int = 0
    unlabelled: int = 0
    judged: int = 0
    corrected: int = 0
    labels: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """A message as it stands: what is predicted of it, and what people said."""

    message_id: int
    ts: str
    text: str
    state: MessageState
    prediction: Prediction | None


@dataclass(frozen=True)
class Summary:
    """What came in a channel from a moment on. `first` are the labels that come first, each with its newest messages."""

    channel: str
    since: datetime
    counted: Counted
    first: Sequence[tuple[str, Sequence[Seen]]]
    others: Sequence[Seen]


def first_labels(taxonomy: Taxonomy) -> tuple[str, ...]:
    """Return the labels that come first, in their order: those of which no message is to be missed; else the first two."""
    wanted = tuple(label.name for label in taxonomy if label.prefer == "recall")
    return wanted or taxonomy.names[:2]
