"""Which labels a channel uses: `/beto etiquetas canal`, for its members."""

import asyncio
import json

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot import queues
from bot.slack import people
from bot.slack.context import Call, ListenerContext
from bot.slack.payloads.views import ViewSubmission
from bot.views import label_blocks, label_names
from bot.views.blocks import CHOICE
from model.errors import StoreUnavailable
from model.store.outbox_row import change_key


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the form."""

    @app.view(label_blocks.CHANNEL_VIEW)
    async def on_save(ack: AsyncAck, parsed: ViewSubmission) -> None:
        channel, taxonomy = parsed.opened.channel or "", await context.taxonomy()
        chosen = tuple(name for name in taxonomy.names if name in parsed.chosen)
        try:
            changed = await asyncio.to_thread(context.store.channels.set_labels, channel, chosen or None)
        except StoreUnavailable:
            await ack(response_action="errors", errors={CHOICE: context.texts("command.trouble")})
            return
        await ack()
        if changed:
            context.after_ack(_tell(context, parsed, channel, chosen), what=label_blocks.CHANNEL_VIEW)


async def show(context: ListenerContext, call: Call) -> str:
    """Open the choice of this channel's labels, for full members; in a direct message there is none."""
    if call.channel.startswith("D"):
        return context.texts("labels.channel_direct")
    if not await context.visibility.is_full_member(call.user):
        return context.texts("command.guest")
    if not await people.is_member(context.slack, call.channel):
        return context.texts("command.chosen_outside", bot=context.bot_name)
    taxonomy = await context.taxonomy()
    chosen = await asyncio.to_thread(context.store.channels.labels, call.channel)
    view = label_blocks.channel_form(
        taxonomy, taxonomy.today(chosen or ()), context.texts, metadata=json.dumps({"channel": call.channel})
    )
    await context.slack.views_open(trigger_id=call.trigger_id, view=view)
    return ""


async def _tell(context: ListenerContext, parsed: ViewSubmission, channel: str, chosen: tuple[str, ...]) -> None:
    """Tell the channel which labels it uses from now on, who chose them, and how that is changed."""
    key, texts = change_key(parsed.view_id), context.channel_texts
    told = {"user": f"<@{parsed.user}>", "labels": label_names.names(chosen, await context.taxonomy(), texts)}
    text_key = "labels.told_channel" if chosen else "labels.told_channel_all"
    await asyncio.to_thread(context.store.outbox.announce, key, channel, text_key, told)
    await context.publish(queues.deliver(key))
