"""`/beto guía`, and the button beside the choice of labels: when each label applies."""

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.slack.context import Call, ListenerContext
from bot.slack.listeners import canvas
from bot.slack.payloads.views import ViewClick
from bot.views import blocks, guide_blocks, label_names


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the button that lays the guide over the modal in which somebody chooses."""

    @app.action(guide_blocks.GUIDE_BUTTON)
    async def on_guide(ack: AsyncAck, parsed: ViewClick) -> None:
        await ack()
        context.after_ack(_lay_over(context, parsed), what=guide_blocks.GUIDE_BUTTON)


async def show(context: ListenerContext, call: Call) -> str:
    """Open the guide; with a label's name or title behind it, of that label alone; or with "canvas" put it into the channel."""
    if call.rest.lower() in canvas.WORDS:
        return await canvas.put(context, call)
    taxonomy, texts = await context.taxonomy(), context.texts
    only, warning = None, ""
    if call.rest:
        found = label_names.label_options(call.rest, taxonomy, texts)
        if found:
            only = taxonomy[found[0]["value"]]
        else:
            warning = texts("guide.unknown", word=blocks.escape(call.rest[:50]))
    view = guide_blocks.guide(taxonomy, texts, only=only, warning=warning)
    await context.slack.views_open(trigger_id=call.trigger_id, view=view)
    return ""


async def _lay_over(context: ListenerContext, parsed: ViewClick) -> None:
    view = guide_blocks.guide(await context.taxonomy(), context.texts)
    await context.slack.views_push(trigger_id=parsed.trigger_id, view=view)
