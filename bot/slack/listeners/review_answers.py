"""What is done with an answer to a card of the review: it is saved, settles a dispute, is taken back, or frees the card."""

import asyncio
from dataclasses import dataclass

from bot import queues
from bot.slack.context import ListenerContext
from bot.slack.listeners import review_cards
from bot.slack.listeners.corrections import fingerprint, sees_in_time
from bot.slack.listeners.review_cards import Screen
from bot.slack.payloads.views import Opened, ViewClick
from bot.views import blocks, label_names
from model import gesture_handles
from model.judgements import VIA_SETTLE, Gesture, Kind
from model.labels import Taxonomy
from model.schema import Message
from model.store.judged_messages import VIA_BLIND_REVIEW, Judged
from model.store.outbox_row import change_key
from model.store.reviews import Candidate, Reason, ReviewCard
from model.store.stored_message import StoredMessage

# How a gesture of the review is marked, but for one on a card that showed no labels.
VIA = "review"
VIAS = {VIA, VIA_BLIND_REVIEW, VIA_SETTLE}


@dataclass(frozen=True)
class Came:
    """What came of judging a card: the message that was saved, or the card that is to be shown again, and why."""

    saved: int | None = None
    again: ReviewCard | None = None
    warning: str = ""


async def judge(
    context: ListenerContext,
    screen: Screen,
    opened: Opened,
    *,
    chosen: tuple[str, ...] | None,
    note: str | None = None,
    at: int,
) -> Came:
    """Save that the labels are as shown, or with `chosen` exactly these.

    Nothing is saved where people said something else meanwhile, and of what this person may not see.
    """
    store, texts = context.store, context.texts
    card = None if opened.card is None else await asyncio.to_thread(store.reviews.get, opened.card)
    if card is None or card.user != screen.user:
        return Came()
    taxonomy = await context.taxonomy()
    stored = await asyncio.to_thread(store.messages.get, card.message_id)
    judged = await asyncio.to_thread(store.judged.of, card.message_id, taxonomy)
    if stored is None or judged is None or stored.deleted:
        await asyncio.to_thread(store.reviews.end, card.id, "expired")
        return Came(warning=texts("review.taken"))
    sees = await sees_in_time(context, screen.user, stored.message)
    if sees is None:
        return Came(again=card, warning=texts("command.failed"))
    if not sees:
        await asyncio.to_thread(store.reviews.end, card.id, "expired")
        return Came(warning=texts("review.taken"))
    if fingerprint(judged.state, stored.revision) != opened.seen:
        # Shown, not overwritten: what somebody else said since was not known to this person.
        return Came(again=card, warning=texts("modal.changed", labels=label_names.names(judged.state.shown, taxonomy, texts)))
    message = stored.message
    gesture = _gesture(card, screen, message, taxonomy, chosen, at)
    await asyncio.to_thread(store.gestures.add, gesture, channel=message.channel, item_ts=message.ts, note=note)
    await asyncio.to_thread(store.reviews.end, card.id, "judged")
    return Came(saved=stored.id)


async def settle(context: ListenerContext, parsed: ViewClick, *, applies: bool) -> None:
    """Decide, as a lead, about a label in dispute, tell those who spoke, and show what is left of the card, or the next."""
    screen, store = Screen(parsed.user, parsed.view_id, parsed.opened.offset_s), context.store
    if (why_not := await context.why_not_lead(parsed.user)) is not None:
        await review_cards.in_modal(context, parsed.view_id)(why_not)
        return
    card = None if parsed.opened.card is None else await asyncio.to_thread(store.reviews.get, parsed.opened.card)
    if card is None or card.user != parsed.user:
        await review_cards.show_next(context, screen)
        return
    taxonomy, name = await context.taxonomy(), parsed.value
    stored = await asyncio.to_thread(store.messages.get, card.message_id)
    judged = await asyncio.to_thread(store.judged.of, card.message_id, taxonomy)
    if stored is None or judged is None or stored.deleted or not await context.visibility.may_see(parsed.user, stored.message):
        await asyncio.to_thread(store.reviews.end, card.id, "expired")
        await review_cards.show_next(context, screen, warning=context.texts("review.taken"))
        return
    if fingerprint(judged.state, stored.revision) != parsed.opened.seen or name not in judged.state.disputed:
        warning = context.texts("modal.changed", labels=label_names.names(judged.state.shown, taxonomy, context.texts))
        await go_on(context, screen, Came(again=card, warning=warning))
        return
    await asyncio.to_thread(_decide, context, parsed, stored, judged, taxonomy, applies=applies)
    await context.publish(queues.deliver(change_key(parsed.trigger_id)))
    left = len(judged.state.disputed) > 1
    if not left:
        await asyncio.to_thread(store.reviews.end, card.id, "judged")
    await context.publish(queues.reply(stored.id))
    await go_on(context, screen, Came(again=card if left else None))


async def go_on(context: ListenerContext, screen: Screen, came: Came) -> None:
    """Show the next card, or the same again where it has to be looked at again."""
    if came.saved is not None:
        await context.publish(queues.reply(came.saved))
    if (why_not := await review_cards.why_not(context, screen.user)) is not None:
        await review_cards.in_modal(context, screen.view_id)(why_not)
    elif came.again is None or not await review_cards.show(context, screen, came.again, warning=came.warning):
        await review_cards.show_next(context, screen, warning=came.warning)


async def skip(context: ListenerContext, parsed: ViewClick) -> None:
    """Put the card away unanswered, and show the next."""
    card_id = parsed.opened.card
    card = None if card_id is None else await asyncio.to_thread(context.store.reviews.get, card_id)
    if card is not None and card.user == parsed.user:
        await asyncio.to_thread(context.store.reviews.end, card.id, "skipped")
    await review_cards.show_next(context, Screen(parsed.user, parsed.view_id, parsed.opened.offset_s))


async def go_back(context: ListenerContext, parsed: ViewClick) -> None:
    """Withdraw what this person said of their last card, and give them that one again."""
    store, screen = context.store, Screen(parsed.user, parsed.view_id, parsed.opened.offset_s)
    if parsed.opened.card is not None:
        await asyncio.to_thread(let_go, context, parsed.opened.card, parsed.user)
    last = await asyncio.to_thread(store.reviews.take_back, parsed.user)
    stored = None if last is None else await asyncio.to_thread(store.messages.get, last.message_id)
    if last is None or stored is None:
        await review_cards.show_next(context, screen, warning=context.texts("review.nothing_back"))
        return
    await asyncio.to_thread(_withdraw, context, last, stored.message, parsed.at)
    await context.publish(queues.reply(stored.id))
    again = Candidate(last.message_id, Reason.SAMPLE if last.blind else Reason.AGAIN)
    if not await review_cards.give(context, screen, again, stored):
        await review_cards.show_next(context, screen, warning=context.texts("review.taken"))


def let_go(context: ListenerContext, card_id: int, user: str) -> None:
    """Leave the card to others."""
    card = context.store.reviews.get(card_id)
    if card is not None and card.user == user:
        context.store.reviews.end(card.id, "expired")


def _decide(
    context: ListenerContext, parsed: ViewClick, stored: StoredMessage, judged: Judged, taxonomy: Taxonomy, *, applies: bool
) -> None:  # fmt: skip
    """Save the lead's word, and what tells those who spoke of it in the message's thread."""
    name, message, label = parsed.value, stored.message, judged.state.labels[parsed.value]
    gesture = Gesture(
        user=parsed.user,
        handle=gesture_handles.of_settling(parsed.user, message.ts, name),
        at=parsed.at,
        kind=Kind.SET,
        labels=(name,) if applies else (),
        silent=tuple(each for each in taxonomy.names if each != name),
        via=VIA_SETTLE,
    )
    context.store.gestures.add(gesture, channel=message.channel, item_ts=message.ts)
    told = {
        "user": f"<@{parsed.user}>",
        "label": label_names.names([name], taxonomy, context.channel_texts),
        "people": blocks.mentions(tuple(user for user in (*label.yes, *label.no) if user != parsed.user)),
    }
    context.store.outbox.announce(
        change_key(parsed.trigger_id),
        message.channel,
        "lead.settled_yes" if applies else "lead.settled_no",
        told,
        thread_ts=message.thread_ts or message.ts,
    )


def _gesture(
    card: ReviewCard, screen: Screen, message: Message, taxonomy: Taxonomy, chosen: tuple[str, ...] | None, at: int
) -> Gesture:
    """Return the same gesture as the button and the modal on the reply make, marked as the review's."""
    via = VIA_BLIND_REVIEW if card.blind else VIA
    if chosen is None:
        handle = gesture_handles.of_button(screen.user, message.ts)
        return Gesture(user=screen.user, handle=handle, at=at, kind=Kind.CORRECT, via=via)
    return Gesture(
        user=screen.user,
        handle=gesture_handles.of_modal(screen.user, message.ts, screen.view_id),
        at=at,
        kind=Kind.SET,
        labels=tuple(name for name in chosen if name in taxonomy),
        via=via,
    )


def _withdraw(context: ListenerContext, card: ReviewCard, message: Message, at: int) -> None:
    """Take back what the card's person last said of it in the review."""
    said = [
        each.gesture
        for each in context.store.gestures.history(card.message_id)
        if each.gesture.user == card.user and each.gesture.via in VIAS and not each.gesture.withdrawn
    ]
    if said:
        taken_back = said[-1].model_copy(update={"withdrawn": True, "at": max(at, said[-1].at + 1)})
        context.store.gestures.add(taken_back, channel=message.channel, item_ts=message.ts)
