"""The buttons under a reply, in both forms: each says what an emoji or the modal says."""

import asyncio
import re

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot import queues
from bot.slack.context import ListenerContext
from bot.slack.listeners import corrections
from bot.slack.payloads.interactions import ButtonClick
from bot.views import reply_blocks
from model import gesture_handles
from model.judgements import Gesture, Kind


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register them."""

    async def correct(ack: AsyncAck, parsed: ButtonClick) -> None:
        handle = gesture_handles.of_button(parsed.user, parsed.ts)
        gesture = Gesture(user=parsed.user, handle=handle, at=parsed.at, kind=Kind.CORRECT, via="button")
        await _say(context, ack, parsed, gesture)

    async def edit(ack: AsyncAck, parsed: ButtonClick) -> None:
        await ack()
        context.after_ack(
            corrections.edit_reply(context, parsed), what=reply_blocks.EDIT_ACTION, response_url=parsed.response_url
        )

    app.action(reply_blocks.CORRECT_ACTION)(correct)
    app.action(reply_blocks.EDIT_ACTION)(edit)

    @app.action(reply_blocks.FEEDBACK_ACTION)
    async def on_thumb(ack: AsyncAck, parsed: ButtonClick) -> None:
        # Slack tells every click and none that takes one back: a thumb says the same however often it is pressed.
        await (correct if parsed.value == reply_blocks.Thumb.UP else edit)(ack, parsed)

    @app.action(re.compile(rf"{reply_blocks.NOT_ACTION}\d*"))
    async def on_not(ack: AsyncAck, parsed: ButtonClick) -> None:
        taxonomy = await context.taxonomy()
        [label] = taxonomy.today((parsed.value,)) or (parsed.value,)
        if label not in taxonomy:
            await ack()
            gone = context.tell(
                context.texts("reply.not_there"), channel=parsed.channel, user=parsed.user, response_url=parsed.response_url
            )
            context.after_ack(gone, what=reply_blocks.NOT_ACTION, response_url=parsed.response_url)
            return
        gesture = Gesture(
            user=parsed.user,
            handle=gesture_handles.of_label_button(parsed.user, parsed.ts, label),
            at=parsed.at,
            kind=Kind.SET,
            silent=tuple(name for name in taxonomy.names if name != label),
            via="button",
        )
        await _say(context, ack, parsed, gesture)


async def _say(context: ListenerContext, ack: AsyncAck, parsed: ButtonClick, gesture: Gesture) -> None:
    """Save what a button under a reply says, and have the reply show it; acknowledged once it is saved."""
    message_id, new = await asyncio.to_thread(context.store.gestures.add, gesture, channel=parsed.channel, item_ts=parsed.ts)
    await ack()
    if message_id is not None and new:
        await context.publish(queues.reply(message_id))
    told = _tell_of_button(context, parsed, known=message_id is not None)
    context.after_ack(told, what=parsed.actions[0].action_id, response_url=parsed.response_url)


async def _tell_of_button(context: ListenerContext, parsed: ButtonClick, *, known: bool) -> None:
    """Tell the person where their click changes nothing that they would see; the reply shows it else."""
    if not known:
        key = "modal.forgotten"
    elif await context.visibility.may_judge(parsed.user):
        return
    else:
        key = "judge.refused"
        # Whoever renders the reply need not tell them again.
        await asyncio.to_thread(context.store.people.take_telling, parsed.user)
    await context.tell(
        context.texts(key), channel=parsed.channel, user=parsed.user, response_url=parsed.response_url
    )  # fmt: skip
