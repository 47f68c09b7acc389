"""The cards of the review: which comes next, to whom, and what it shows."""

import asyncio
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot.slack import history
from bot.slack.context import ListenerContext, Tell
from bot.slack.listeners.corrections import fingerprint
from bot.views import review_blocks
from bot.views.review_blocks import CardShown, Progress
from model.schema import Message
from model.store.judged_messages import Judged
from model.store.reviews import Candidate, Reason, ReviewCard
from model.store.stored_message import StoredMessage

# Channels are asked about one by one: nobody waits for more of them than this.
MOST_LOOKED_AT = 40
# One of so many cards asks about something old that looks wrong, where there is any.
SUSPECT_EVERY = 4


@dataclass(frozen=True)
class Screen:
    """Where a reviewer is: their modal, and their clock."""

    user: str
    view_id: str
    offset_s: int


def in_modal(context: ListenerContext, view_id: str) -> Tell:
    """Return what shows a sentence in this modal instead of what it shows."""

    async def tell(sentence: str) -> None:
        await context.slack.views_update(view_id=view_id, view=review_blocks.only(sentence, context.texts))

    return tell


async def why_not(context: ListenerContext, user: str) -> str | None:
    """Return the sentence that says why this person may not review; None where they may."""
    if not await context.visibility.is_full_member(user):
        return context.texts("review.refused_guest")
    return None if await context.visibility.may_judge(user) else context.texts("judge.refused")


async def show_next(context: ListenerContext, screen: Screen, *, warning: str = "") -> None:
    """Show the next card of those that this person may see and nobody else has in hand, or that there is none."""
    reviews, every = context.store.reviews, context.settings.review_blind_every
    given = await asyncio.to_thread(reviews.given, screen.user)
    settles = await context.why_not_lead(screen.user) is None
    ways: list[Callable[[], list[Candidate]]] = [
        lambda: reviews.candidates(screen.user, MOST_LOOKED_AT, settles=settles),
        lambda: reviews.suspects(screen.user, MOST_LOOKED_AT),
    ]
    if given % SUSPECT_EVERY == SUSPECT_EVERY - 1:
        ways.reverse()
    if every > 0 and given % every == every - 1:
        ways.insert(0, lambda: reviews.candidates(screen.user, MOST_LOOKED_AT, random.Random()))  # noqa: S311 - a sample, no secret
    for way in ways:
        for candidate in await asyncio.to_thread(way):
            stored = await asyncio.to_thread(context.store.messages.get, candidate.message_id)
            if stored is None or stored.deleted or not await context.visibility.may_see(screen.user, stored.message):
                continue
            if await give(context, screen, candidate, stored, warning=warning, settles=settles):
                return
    view = review_blocks.nothing_left(
        await _progress(context, screen),
        context.texts,
        metadata=json.dumps({"offset_s": screen.offset_s}),
        may_go_back=await asyncio.to_thread(reviews.may_take_back, screen.user),
    )
    await context.slack.views_update(view_id=screen.view_id, view=view)


async def give(
    context: ListenerContext,
    screen: Screen,
    candidate: Candidate,
    stored: StoredMessage,
    *,
    warning: str = "",
    settles: bool = False,
) -> bool:
    """Give this person the message and show it; return False where somebody else has it, or it needs nobody any more."""
    taxonomy = await context.taxonomy()
    judged = await asyncio.to_thread(context.store.judged.of, candidate.message_id, taxonomy)
    if judged is None or (candidate.reason is Reason.DISPUTE and not _is_open_to(judged, screen.user, settles=settles)):
        return False
    if candidate.reason is Reason.SUSPECT and not await asyncio.to_thread(_suspected, context, candidate.message_id, judged):
        return False
    blind = candidate.reason is Reason.SAMPLE or (stored.message.blind and not judged.state.judges)
    card = await asyncio.to_thread(lambda: context.store.reviews.claim(candidate, screen.user, blind=blind))
    return card is not None and await show(context, screen, card, warning=warning)


async def show(context: ListenerContext, screen: Screen, card: ReviewCard, *, warning: str = "") -> bool:
    """Show the card, or return False where its message is gone, or hidden from this person."""
    store, taxonomy = context.store, await context.taxonomy()

    def look() -> tuple[StoredMessage | None, Judged | None, list[tuple[str, str]], bool]:
        said = store.gestures.history(card.message_id)
        notes = [(each.gesture.user, each.note) for each in said if each.note and not each.stale]
        stored = store.messages.get(card.message_id)
        return stored, store.judged.of(card.message_id, taxonomy), notes, store.reviews.may_take_back(screen.user)

    stored, judged, notes, may_go_back = await asyncio.to_thread(look)
    if stored is None or judged is None or not stored.message.text:
        return False
    message = stored.message
    if not await context.visibility.may_see(screen.user, message):
        return False
    suspected = await asyncio.to_thread(_suspected, context, card.message_id, judged) if card.reason is Reason.SUSPECT else []
    shown = CardShown(
        text=message.text,
        channel=message.channel,
        link=await _link(context, message),
        reason=card.reason,
        blind=card.blind,
        state=judged.state,
        scores=judged.prediction.scores if judged.prediction is not None and not card.blind else {},
        notes=notes[-3:],
        suspected=suspected,
        among=await context.used_labels(message.channel),
        may_settle=bool(judged.state.disputed) and await context.why_not_lead(screen.user) is None,
    )
    metadata = {"card": card.id, "seen": fingerprint(judged.state, stored.revision), "offset_s": screen.offset_s}
    view = review_blocks.card(
        shown,
        card.id,
        await _progress(context, screen),
        taxonomy,
        context.texts,
        metadata=json.dumps(metadata),
        may_go_back=may_go_back,
        warning=warning,
    )
    await context.slack.views_update(view_id=screen.view_id, view=view)
    return True


def _suspected(context: ListenerContext, message_id: int, judged: Judged) -> list[tuple[str, bool]]:
    """Return what looks wrong and is still said of this message, in the labels of today."""
    found = {}
    for each in context.store.suspicions.of(message_id):
        for name in context.store.labels.current().today([each.label]):
            if name in judged.state.labels and judged.state.labels[name].applies is each.says:
                found[name] = each.says
    return list(found.items())


def _is_open_to(judged: Judged, user: str, *, settles: bool) -> bool:
    """Return whether a label is in dispute on which this person has not spoken, or which they may settle."""
    states = (judged.state.labels[name] for name in judged.state.disputed)
    return any(settles or user not in (*label.yes, *label.no) for label in states)


async def _link(context: ListenerContext, message: Message) -> str:
    link = await history.link_to(context.slack, message.channel, message.ts)
    return "" if link == "-" else link


async def _progress(context: ListenerContext, screen: Screen) -> Progress:
    """Return how far this person is since midnight by their own clock."""
    there = datetime.now(UTC) + timedelta(seconds=screen.offset_s)
    midnight = there.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(seconds=screen.offset_s)
    done = await asyncio.to_thread(context.store.reviews.judged_since, screen.user, midnight)
    return Progress(done, context.settings.review_goal)
