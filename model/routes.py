"""Routes: which labels lead a message where. Pure: what stands of a message goes in, whether a route is taken comes out."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from model.judgements import MessageState
from model.schema import Frozen, Prediction, Probability

LEAST = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
MOST_CHANNELS = 20
MOST_PEOPLE = 10


class Route(Frozen):
    """What a team wants done with messages of these channels that carry any of these labels.

    A label counts that people gave, or that is predicted with `least` at least. A card goes to `card_in`; `people` (ids of
    people and of user groups) are mentioned in it, and where there is none in the message's thread. `emoji` is put on the
    message, and `webhook` is called, with the message's words where `with_text`.
    """

    labels: tuple[str, ...]
    least: Probability = 0.8
    channels: tuple[str, ...]
    card_in: str = ""
    people: tuple[str, ...] = ()
    emoji: str = ""
    webhook: str = ""
    with_text: bool = False

    @property
    def posts(self) -> bool:
        """Return whether it says something in Slack."""
        return bool(self.card_in or self.people)

    def taken_for(self, state: MessageState, prediction: Prediction | None) -> tuple[str, ...]:
        """Return the labels of the route that lead a message with these labels along it; () where none does."""
        scores = {} if prediction is None else prediction.scores
        said = {name for name, label in state.labels.items() if label.status in {"confirmed", "added"}}
        stand = (name for name in state.shown if name in self.labels)
        return tuple(name for name in stand if name in said or scores.get(name, 0.0) >= self.least)


def complaints(route: Route) -> list[str]:
    """Return what is missing or wrong, by the names of the form's fields; [] where nothing is."""
    found = []
    if not route.labels:
        found.append("labels")
    if not route.channels or len(route.channels) > MOST_CHANNELS:
        found.append("channels")
    if not (route.posts or route.emoji or route.webhook):
        found.append("card")
    if len(route.people) > MOST_PEOPLE:
        found.append("people")
    if route.webhook and not is_callable(route.webhook):
        found.append("webhook")
    return found


def is_callable(url: str) -> bool:
    """Return whether a webhook may have this address: HTTPS, a host, and no name or password in it."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url
    return plain and parts.scheme == "https" and bool(parts.hostname) and parts.username is None and parts.password is None


def in_channel(routes: Iterable[Route], channel: str) -> list[Route]:
    """Return those that begin in this channel."""
    return [route for route in routes if channel in route.channels]
