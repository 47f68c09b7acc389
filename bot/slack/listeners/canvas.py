"""The label guide as a canvas among a channel's tabs, on request: `/beto guía canvas`."""

import asyncio
import logging

from slack_sdk.errors import SlackApiError

from bot.errors import refusal
from bot.slack import people
from bot.slack.context import Call, ListenerContext
from bot.views import guide_blocks
from model.labels import Taxonomy

log = logging.getLogger(__name__)

WORDS = {"canvas", "lienzo"}
# How Slack says that the canvas is not there any more.
GONE = frozenset({"canvas_deleted", "canvas_not_found"})
# How it says that this channel or workspace has none; what else it says may be otherwise a moment later.
REFUSED = frozenset(
    {
        "canvas_disabled_file_team", "canvas_disabled_user_team", "canvas_globally_disabled", "canvas_tab_creation_failed",
        "free_team_canvas_tab_already_exists", "free_team_not_allowed", "free_teams_cannot_create_non_tabbed_canvases",
        "free_teams_cannot_edit_standalone_canvases", "restricted_action",
    }
)  # fmt: skip


async def put(context: ListenerContext, call: Call) -> str:
    """Make the canvas in this channel, or bring the one that was made up to date; return what its person is told."""
    texts = context.texts
    if call.channel.startswith("D"):
        return texts("canvas.direct")
    if not await context.visibility.is_full_member(call.user):
        return texts("command.guest")
    if not await people.is_member(context.slack, call.channel):
        return texts("ask.not_member", bot=context.bot_name)
    taxonomy, used = await context.taxonomy(), await context.used_labels(call.channel)
    shown = Taxonomy([label for label in taxonomy if used is None or label.name in used])
    if not shown.labels:
        return texts("labels.none_yet")
    # It stands in the channel, whoever asked for it.
    content = {"type": "markdown", "markdown": guide_blocks.markdown(shown, context.channel_texts)}
    try:
        return await _write(context, call.channel, content)
    except SlackApiError as error:
        code = refusal(error)
        if code == "missing_scope":
            return texts("canvas.no_scope")
        if code not in REFUSED:
            raise
        log.info("no canvas in %s: %s", call.channel, code)
        return texts("canvas.none_here", code=f"`{code}`")


async def _write(context: ListenerContext, channel: str, content: dict[str, str]) -> str:
    channels, slack = context.store.channels, context.slack
    known = await asyncio.to_thread(channels.canvas, channel)
    if known is not None:
        try:
            # Without a section it is all of the canvas.
            await slack.canvases_edit(canvas_id=known, changes=[{"operation": "replace", "document_content": content}])
            return context.texts("canvas.renewed")
        except SlackApiError as error:
            if refusal(error) not in GONE:
                raise
    # One of our own, not the channel's canvas: what people wrote in that is theirs.
    title = context.channel_texts("canvas.title")
    made = await slack.canvases_create(channel_id=channel, title=title, document_content=content)
    canvas_id = str(made["canvas_id"])
    kept = await asyncio.to_thread(lambda: channels.keep_canvas(channel, canvas_id, instead_of=known))
    if kept != canvas_id:  # somebody else asked in the same moment
        await slack.canvases_delete(canvas_id=canvas_id)
    return context.texts("canvas.made")
