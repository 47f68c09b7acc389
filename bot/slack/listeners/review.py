"""`/beto revisa`: one message after the other, the one that teaches most first, in a modal that only its reviewer sees."""

import asyncio
import json
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot import queues
from bot.slack import history
from bot.slack.context import Call, ListenerContext, Tell
from bot.slack.listeners import portions
from bot.slack.listeners.corrections import fingerprint, sees_in_time
from bot.slack.payloads import ButtonClick, Opened, ViewClick, ViewSubmission
from bot.views import blocks, review_blocks
from bot.views.review_blocks import CardShown, Progress
from model import gesture_handles
from model.errors import StoreUnavailable
from model.judgements import VIA_SETTLE, Gesture, Kind
from model.labels import Taxonomy
from model.schema import Message
from model.store.judged_messages import VIA_BLIND_REVIEW, Judged
from model.store.outbox_row import change_key
from model.store.reviews import Candidate, Reason, ReviewCard
from model.store.stored_message import StoredMessage

log = logging.getLogger(__name__)

# How a gesture of the review is marked, but for one on a card that showed no labels.
VIA = "review"
VIAS = {VIA, VIA_BLIND_REVIEW, VIA_SETTLE}
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


@dataclass(frozen=True)
class Came:
    """What came of judging a card: the message that was saved, or the card that is to be shown again, and why."""

    saved: int | None = None
    again: ReviewCard | None = None
    warning: str = ""


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the button on the Home tab, and the buttons and the form of a card."""

    @app.action(review_blocks.OPEN_BUTTON)
    async def on_open(ack: AsyncAck, parsed: ViewClick) -> None:
        await ack()
        context.after_ack(_open(context, parsed.user, parsed.trigger_id), what=review_blocks.OPEN_BUTTON)

    @app.action(review_blocks.OPEN_ACTION)
    async def on_reminded(ack: AsyncAck, parsed: ButtonClick) -> None:
        await ack()
        opening = _open(context, parsed.user, parsed.trigger_id)
        context.after_ack(opening, what=review_blocks.OPEN_ACTION, response_url=parsed.response_url)

    @app.action(review_blocks.CORRECT_BUTTON)
    async def on_correct(ack: AsyncAck, parsed: ViewClick) -> None:
        screen, tell = Screen(parsed.user, parsed.view_id, parsed.opened.offset_s), _in_modal(context, parsed.view_id)
        try:
            came = await _judge(context, screen, parsed.opened, chosen=None, at=parsed.at)
        except StoreUnavailable as error:
            await ack()
            await context.tell_failure(error, what=review_blocks.CORRECT_BUTTON, response_url=None, tell=tell)
            return
        await ack()
        context.after_ack(_go_on(context, screen, came), what=review_blocks.CORRECT_BUTTON, tell=tell)

    @app.action(review_blocks.SKIP_BUTTON)
    async def on_skip(ack: AsyncAck, parsed: ViewClick) -> None:
        await ack()
        context.after_ack(_skip(context, parsed), what=review_blocks.SKIP_BUTTON, tell=_in_modal(context, parsed.view_id))

    @app.action(review_blocks.BACK_BUTTON)
    async def on_back(ack: AsyncAck, parsed: ViewClick) -> None:
        await ack()
        context.after_ack(_go_back(context, parsed), what=review_blocks.BACK_BUTTON, tell=_in_modal(context, parsed.view_id))

    for action in (review_blocks.SETTLE_YES_BUTTON, review_blocks.SETTLE_NO_BUTTON):

        @app.action(action)
        async def on_settle(ack: AsyncAck, parsed: ViewClick, action: str = action) -> None:
            await ack()
            settling = _settle(context, parsed, applies=action == review_blocks.SETTLE_YES_BUTTON)
            context.after_ack(settling, what=action, tell=_in_modal(context, parsed.view_id))

    @app.view(review_blocks.REVIEW_VIEW)
    async def on_save(ack: AsyncAck, parsed: ViewSubmission) -> None:
        screen, texts = Screen(parsed.user, parsed.view_id, parsed.opened.offset_s), context.texts
        chosen, note = parsed.chosen_anywhere, parsed.noted_anywhere
        try:
            came = await _judge(context, screen, parsed.opened, chosen=chosen, note=note, at=time.time_ns() // 1000)
        except StoreUnavailable as error:
            log.warning("%s waits for the database: %s", review_blocks.REVIEW_VIEW, error)
            # What they chose and wrote is still there.
            await ack(response_action="errors", errors=dict.fromkeys(list(parsed.fields)[:1], texts("command.trouble")))
            return
        # The next card may take longer than Slack waits.
        await ack(response_action="update", view=review_blocks.only(texts("modal.loading"), texts))
        tell = _in_modal(context, parsed.view_id)
        context.after_ack(_go_on(context, screen, came), what=review_blocks.REVIEW_VIEW, tell=tell)

    @app.view_closed(review_blocks.REVIEW_VIEW)
    async def on_close(ack: AsyncAck, parsed: ViewSubmission) -> None:
        await ack()
        if parsed.opened.card is not None:  # else others would wait until it runs out
            await asyncio.to_thread(_let_go, context, parsed.opened.card, parsed.user)


async def show(context: ListenerContext, call: Call) -> str:
    """Open the review, or with an hour behind the word, have it come daily."""
    if call.rest:
        return await portions.choose(context, call)
    await _open(context, call.user, call.trigger_id)
    return ""


async def _open(context: ListenerContext, user: str, trigger_id: str) -> None:
    loading = review_blocks.only(context.texts("modal.loading"), context.texts)
    opened = await context.slack.views_open(trigger_id=trigger_id, view=loading)
    view_id = str(opened["view"]["id"])
    context.after_ack(_begin(context, user, view_id), what="/beto revisa", tell=_in_modal(context, view_id))


def _in_modal(context: ListenerContext, view_id: str) -> Tell:
    """Return what shows a sentence in this modal instead of what it shows."""

    async def tell(sentence: str) -> None:
        await context.slack.views_update(view_id=view_id, view=review_blocks.only(sentence, context.texts))

    return tell


async def _begin(context: ListenerContext, user: str, view_id: str) -> None:
    if (why_not := await _why_not(context, user)) is not None:
        await _in_modal(context, view_id)(why_not)
        return
    person = (await context.slack.users_info(user=user))["user"]
    screen = Screen(user, view_id, int(person.get("tz_offset") or 0))
    in_hand = await asyncio.to_thread(context.store.reviews.open_of, user)
    await _go_on(context, screen, Came(again=in_hand))


async def _why_not(context: ListenerContext, user: str) -> str | None:
    """Return the sentence that says why this person may not review; None where they may."""
    if not await context.visibility.is_full_member(user):
        return context.texts("review.refused_guest")
    return None if await context.visibility.may_judge(user) else context.texts("judge.refused")


async def _show_next(context: ListenerContext, screen: Screen, *, warning: str = "") -> None:
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
            if await _give(context, screen, candidate, stored, warning=warning, settles=settles):
                return
    view = review_blocks.nothing_left(
        await _progress(context, screen),
        context.texts,
        metadata=json.dumps({"offset_s": screen.offset_s}),
        may_go_back=await asyncio.to_thread(reviews.may_take_back, screen.user),
    )
    await context.slack.views_update(view_id=screen.view_id, view=view)


async def _give(
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
    return card is not None and await _show(context, screen, card, warning=warning)


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


async def _show(context: ListenerContext, screen: Screen, card: ReviewCard, *, warning: str = "") -> bool:
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


async def _link(context: ListenerContext, message: Message) -> str:
    link = await history.link_to(context.slack, message.channel, message.ts)
    return "" if link == "-" else link


async def _progress(context: ListenerContext, screen: Screen) -> Progress:
    """Return how far this person is since midnight by their own clock."""
    there = datetime.now(UTC) + timedelta(seconds=screen.offset_s)
    midnight = there.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(seconds=screen.offset_s)
    done = await asyncio.to_thread(context.store.reviews.judged_since, screen.user, midnight)
    return Progress(done, context.settings.review_goal)


async def _judge(
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
        return Came(again=card, warning=texts("modal.changed", labels=blocks.names(judged.state.shown, taxonomy, texts)))
    message = stored.message
    gesture = _gesture(card, screen, message, taxonomy, chosen, at)
    await asyncio.to_thread(store.gestures.add, gesture, channel=message.channel, item_ts=message.ts, note=note)
    await asyncio.to_thread(store.reviews.end, card.id, "judged")
    return Came(saved=stored.id)


async def _settle(context: ListenerContext, parsed: ViewClick, *, applies: bool) -> None:
    """Decide, as a lead, about a label in dispute, tell those who spoke, and show what is left of the card, or the next."""
    screen, store = Screen(parsed.user, parsed.view_id, parsed.opened.offset_s), context.store
    if (why_not := await context.why_not_lead(parsed.user)) is not None:
        await _in_modal(context, parsed.view_id)(why_not)
        return
    card = None if parsed.opened.card is None else await asyncio.to_thread(store.reviews.get, parsed.opened.card)
    if card is None or card.user != parsed.user:
        await _show_next(context, screen)
        return
    taxonomy, name = await context.taxonomy(), parsed.value
    stored = await asyncio.to_thread(store.messages.get, card.message_id)
    judged = await asyncio.to_thread(store.judged.of, card.message_id, taxonomy)
    if stored is None or judged is None or stored.deleted or not await context.visibility.may_see(parsed.user, stored.message):
        await asyncio.to_thread(store.reviews.end, card.id, "expired")
        await _show_next(context, screen, warning=context.texts("review.taken"))
        return
    if fingerprint(judged.state, stored.revision) != parsed.opened.seen or name not in judged.state.disputed:
        warning = context.texts("modal.changed", labels=blocks.names(judged.state.shown, taxonomy, context.texts))
        await _go_on(context, screen, Came(again=card, warning=warning))
        return
    await asyncio.to_thread(_decide, context, parsed, stored, judged, taxonomy, applies=applies)
    await context.publish(queues.deliver(change_key(parsed.trigger_id)))
    left = len(judged.state.disputed) > 1
    if not left:
        await asyncio.to_thread(store.reviews.end, card.id, "judged")
    await context.publish(queues.reply(stored.id))
    await _go_on(context, screen, Came(again=card if left else None))


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
        "label": blocks.names([name], taxonomy, context.channel_texts),
        "people": blocks.mentions(tuple(user for user in (*label.yes, *label.no) if user != parsed.user)),
    }
    context.store.outbox.announce(
        change_key(parsed.trigger_id),
        message.channel,
        "lead.settled_yes" if applies else "lead.settled_no",
        told,
        thread_ts=message.thread_ts or message.ts,
    )


async def _go_on(context: ListenerContext, screen: Screen, came: Came) -> None:
    """Show the next card, or the same again where it has to be looked at again."""
    if came.saved is not None:
        await context.publish(queues.reply(came.saved))
    if (why_not := await _why_not(context, screen.user)) is not None:
        await _in_modal(context, screen.view_id)(why_not)
    elif came.again is None or not await _show(context, screen, came.again, warning=came.warning):
        await _show_next(context, screen, warning=came.warning)


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


async def _skip(context: ListenerContext, parsed: ViewClick) -> None:
    card_id = parsed.opened.card
    card = None if card_id is None else await asyncio.to_thread(context.store.reviews.get, card_id)
    if card is not None and card.user == parsed.user:
        await asyncio.to_thread(context.store.reviews.end, card.id, "skipped")
    await _show_next(context, Screen(parsed.user, parsed.view_id, parsed.opened.offset_s))


async def _go_back(context: ListenerContext, parsed: ViewClick) -> None:
    """Withdraw what this person said of their last card, and give them that one again."""
    store, screen = context.store, Screen(parsed.user, parsed.view_id, parsed.opened.offset_s)
    if parsed.opened.card is not None:
        await asyncio.to_thread(_let_go, context, parsed.opened.card, parsed.user)
    last = await asyncio.to_thread(store.reviews.take_back, parsed.user)
    stored = None if last is None else await asyncio.to_thread(store.messages.get, last.message_id)
    if last is None or stored is None:
        await _show_next(context, screen, warning=context.texts("review.nothing_back"))
        return
    await asyncio.to_thread(_withdraw, context, last, stored.message, parsed.at)
    await context.publish(queues.reply(stored.id))
    again = Candidate(last.message_id, Reason.SAMPLE if last.blind else Reason.AGAIN)
    if not await _give(context, screen, again, stored):
        await _show_next(context, screen, warning=context.texts("review.taken"))


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


def _let_go(context: ListenerContext, card_id: int, user: str) -> None:
    """Leave the card to others."""
    card = context.store.reviews.get(card_id)
    if card is not None and card.user == user:
        context.store.reviews.end(card.id, "expired")
