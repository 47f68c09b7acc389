"""`/beto revisa`: one message after the other, the one that teaches most first, in a modal that only its reviewer sees."""

import asyncio
import logging
import time

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.slack.context import Call, ListenerContext
from bot.slack.listeners import portions, review_answers, review_cards
from bot.slack.listeners.review_answers import Came
from bot.slack.listeners.review_cards import Screen, in_modal
from bot.slack.payloads.interactions import ButtonClick
from bot.slack.payloads.views import ViewClick, ViewSubmission
from bot.views import review_blocks
from model.errors import StoreUnavailable

log = logging.getLogger(__name__)


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
        screen, tell = Screen(parsed.user, parsed.view_id, parsed.opened.offset_s), in_modal(context, parsed.view_id)
        try:
            came = await review_answers.judge(context, screen, parsed.opened, chosen=None, at=parsed.at)
        except StoreUnavailable as error:
            await ack()
            await context.tell_failure(error, what=review_blocks.CORRECT_BUTTON, response_url=None, tell=tell)
            return
        await ack()
        context.after_ack(review_answers.go_on(context, screen, came), what=review_blocks.CORRECT_BUTTON, tell=tell)

    @app.action(review_blocks.SKIP_BUTTON)
    async def on_skip(ack: AsyncAck, parsed: ViewClick) -> None:
        await ack()
        skipping, tell = review_answers.skip(context, parsed), in_modal(context, parsed.view_id)
        context.after_ack(skipping, what=review_blocks.SKIP_BUTTON, tell=tell)

    @app.action(review_blocks.BACK_BUTTON)
    async def on_back(ack: AsyncAck, parsed: ViewClick) -> None:
        await ack()
        going_back, tell = review_answers.go_back(context, parsed), in_modal(context, parsed.view_id)
        context.after_ack(going_back, what=review_blocks.BACK_BUTTON, tell=tell)

    for action in (review_blocks.SETTLE_YES_BUTTON, review_blocks.SETTLE_NO_BUTTON):

        @app.action(action)
        async def on_settle(ack: AsyncAck, parsed: ViewClick, action: str = action) -> None:
            await ack()
            settling = review_answers.settle(context, parsed, applies=action == review_blocks.SETTLE_YES_BUTTON)
            context.after_ack(settling, what=action, tell=in_modal(context, parsed.view_id))

    @app.view(review_blocks.REVIEW_VIEW)
    async def on_save(ack: AsyncAck, parsed: ViewSubmission) -> None:
        screen, texts = Screen(parsed.user, parsed.view_id, parsed.opened.offset_s), context.texts
        chosen, note = parsed.chosen_anywhere, parsed.noted_anywhere
        try:
            came = await review_answers.judge(context, screen, parsed.opened, chosen=chosen, note=note, at=time.time_ns() // 1000)
        except StoreUnavailable as error:
            log.warning("%s waits for the database: %s", review_blocks.REVIEW_VIEW, error)
            # What they chose and wrote is still there.
            await ack(response_action="errors", errors=dict.fromkeys(list(parsed.fields)[:1], texts("command.trouble")))
            return
        # The next card may take longer than Slack waits.
        await ack(response_action="update", view=review_blocks.only(texts("modal.loading"), texts))
        tell = in_modal(context, parsed.view_id)
        context.after_ack(review_answers.go_on(context, screen, came), what=review_blocks.REVIEW_VIEW, tell=tell)

    @app.view_closed(review_blocks.REVIEW_VIEW)
    async def on_close(ack: AsyncAck, parsed: ViewSubmission) -> None:
        await ack()
        if parsed.opened.card is not None:  # else others would wait until it runs out
            await asyncio.to_thread(review_answers.let_go, context, parsed.opened.card, parsed.user)


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
    context.after_ack(_begin(context, user, view_id), what="/beto revisa", tell=in_modal(context, view_id))


async def _begin(context: ListenerContext, user: str, view_id: str) -> None:
    if (why_not := await review_cards.why_not(context, user)) is not None:
        await in_modal(context, view_id)(why_not)
        return
    person = (await context.slack.users_info(user=user))["user"]
    screen = Screen(user, view_id, int(person.get("tz_offset") or 0))
    in_hand = await asyncio.to_thread(context.store.reviews.open_of, user)
    await review_answers.go_on(context, screen, Came(again=in_hand))
