"""What is to be shown of a message, and where: what its channel chose, who mutes it, and who asked for it all the same."""

from dataclasses import dataclass

from slack_sdk.errors import SlackApiError

from bot.outbox.context import OutboxContext
from bot.outbox.states import AGAIN_S, AmbiguousResult, RateLimited
from bot.views.reply_blocks import SURE_FROM
from model.judgements import MessageState
from model.schema import Prediction, Source
from model.store.database import now
from model.store.judged_messages import Judged
from model.store.outbox_row import Claim
from model.store.stored_message import StoredMessage

# On one message so many emoji of labels, at most.
MOST_EMOJI = 5


@dataclass(frozen=True)
class Shown:
    """Whether the labels are shown in the thread, and by emoji on the message; `wait_s` seconds from now, not before."""

    thread: bool = True
    emoji: bool = False
    offers: bool = False
    wait_s: float = 0.0
    muted_by: tuple[str, ...] = ()


def shown_of(context: OutboxContext, claim: Claim, stored: StoredMessage, reply_ts: str | None) -> Shown:
    """Return what is to be shown now of the message that is claimed.

    Whoever asks for labels gets them in the thread, at once and at any hour. With emoji the thread is for what people said
    otherwise than the network; where nothing is shown not even for that. Nobody waits for what changes a reply that stands.
    """
    message = stored.message
    if message.source is Source.COMMAND or message.channel.startswith("D"):
        return Shown()
    places = [message.ts, *([reply_ts] if reply_ts else [])]
    if claim.is_muted and (muted_by := tuple(context.store.mutes.of(message.channel, *places))):
        return Shown(thread=False, muted_by=muted_by)
    showing = claim.showing
    emoji = showing.display == "emoji"
    if stored.asked or message.source is not Source.CHANNEL:
        return Shown(emoji=emoji, offers=showing.offers and not emoji)
    judged: Judged | None = None
    if showing.display == "emoji" or showing.delay_minutes:
        try:
            judged = judged_now(context, stored)
        except (SlackApiError, RateLimited, AmbiguousResult):
            return Shown(thread=reply_ts is not None, wait_s=AGAIN_S)  # whose word counts is not known yet
    acted = judged is not None and bool(judged.state.judges)
    thread = showing.display == "thread" or (emoji and judged is not None and _says_otherwise(judged.state, claim.prediction))
    wait_s = 0.0 if reply_ts is not None else showing.wait_s(stored.received_at, now(), acted=acted)
    return Shown(thread, emoji, showing.offers and not emoji, wait_s)


def judged_now(context: OutboxContext, stored: StoredMessage) -> Judged:
    """Return the message's labels as they stand; who of those that judged counts is asked of Slack first.

    Raises what a call to Slack raises.
    """
    judged_messages, taxonomy = context.store.judged, context.store.labels.current()
    judged = judged_messages.of(stored.id, taxonomy)
    if judged is not None and judged.unknown_people:
        for user in judged.unknown_people:
            context.judges.look_at(user)
        judged = judged_messages.of(stored.id, taxonomy)
    assert judged is not None  # the message is there
    return judged


def sure_labels(state: MessageState, prediction: Prediction | None) -> list[str]:
    """Return the labels that stand and are sure, likeliest first: said by people, or predicted with SURE_FROM at least."""
    scores = {} if prediction is None else prediction.scores
    said = {name for name, label in state.labels.items() if label.status in {"confirmed", "added"}}
    sure = [name for name in state.shown if name in said or scores.get(name, 0.0) >= SURE_FROM]
    return sorted(sure, key=lambda name: (name not in said, -scores.get(name, 0.0)))


def _says_otherwise(state: MessageState, prediction: Prediction | None) -> bool:
    """Return whether people see the labels otherwise than the network, or differ among themselves."""
    predicted = set() if prediction is None else set(prediction.labels) & set(state.labels)
    return bool(state.judges) and (bool(state.disputed) or set(state.shown) != predicted)
