"""The question to a message's author, where the network is least sure: whom it is asked, and what it shows."""

import logging
from dataclasses import replace

from slack_sdk.errors import SlackApiError

from bot.outbox.about import AboutMessage
from bot.outbox.context import OutboxContext
from bot.outbox.states import AmbiguousResult, Facts, RateLimited, Subject
from bot.outbox.work import Content
from bot.views import label_names, reply_blocks
from model.labels import only
from model.schema import Prediction, Source
from model.store.stored_message import StoredMessage

log = logging.getLogger(__name__)

# Of the labels that are neither sure nor unlikely, so many are named.
NAMED_LABELS = 3


def open_doubt(context: OutboxContext, stored: StoredMessage, prediction: Prediction) -> str | None:
    """Open the question to the author of a message that was just answered so, and return its key; None where nobody is asked.

    Never of what is hidden, of what was asked of the bot alone, and of people whose word does not count.
    """
    message, a_day = stored.message, context.settings.ask_a_day
    if not a_day or message.blind or message.source is not Source.CHANNEL or message.channel.startswith("D"):
        return None
    reviews, people = context.store.reviews, context.store.people
    if not reviews.is_in_doubt(stored.id, prediction, a_day):
        return None
    if people.may_judge(message.user) is None:
        try:
            context.judges.look_at(message.user)
        except (SlackApiError, RateLimited, AmbiguousResult) as error:
            log.info("whether %s may be asked is not known: %s", message.user, error)
    return reviews.open_doubt(stored.id, a_day) if people.may_judge(message.user) else None


class DoubtWork(AboutMessage):
    """The question what is right; later, thanks."""

    METADATA = "beto_doubt"
    NAMED = "about"

    def name(self) -> str:
        """Return the message's place."""
        return self.place

    def facts(self, *, in_turn: bool) -> Facts:
        """Return what is known before the first call; what was judged before it was asked needs no question."""
        if self.stored.deleted:
            subject = Subject.GONE
        elif self._is_open() and not self.is_muted():
            subject = Subject.PRESENT
        else:
            subject = Subject.CLOSED
        return replace(super().facts(in_turn=in_turn), subject=subject)

    def render(self) -> Content:
        """Return the question, or thanks for what somebody said since."""
        texts, user = self.context.texts, self.stored.message.user
        if not self._is_open():
            return Content(texts("doubt.thanks"))
        taxonomy, prediction = self.context.store.labels.current(), self.claim.prediction
        assert prediction is not None  # else it is not open
        scores = only(taxonomy.read(prediction), self.used_labels(taxonomy)).scores
        near = sorted((name for name in scores if name in taxonomy), key=lambda name: abs(scores[name] - 0.5))
        doubtful = [name for name in near if 1 - reply_blocks.SURE_FROM <= scores[name] < reply_blocks.SURE_FROM][:NAMED_LABELS]
        key = "doubt.ask" if doubtful else "doubt.ask_any"
        return Content(texts(key, user=f"<@{user}>", labels=label_names.names(doubtful, taxonomy, texts)))

    def _is_open(self) -> bool:
        """Return whether there is a prediction, and nobody has judged it."""
        judged = self.context.store.judged.of(self.stored.id, self.context.store.labels.current())
        return self.claim.prediction is not None and judged is not None and not judged.state.judges
