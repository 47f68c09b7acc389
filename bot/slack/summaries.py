"""What came in a channel, shown to one who reads there: in their language, by their clock."""

import asyncio
import json
from datetime import UTC, datetime

from bot.slack import history
from bot.slack.context import ListenerContext
from bot.views import summary_blocks
from model.summary import Summary


async def show_in(context: ListenerContext, view_id: str, user: str, channel: str, days: int) -> None:
    """Show in this modal what came since midnight, or since so many days before; or that they do not read there."""
    reader = await context.readers.of(user)
    texts, since = reader.texts, reader.midnight(days_ago=days)
    if not await context.visibility.reads(user, channel):
        view = summary_blocks.only(texts("summary.hidden"), texts)
        await context.slack.views_update(view_id=view_id, view=view)
        return
    taxonomy = await context.taxonomy()
    summary = await asyncio.to_thread(context.store.standings.summary, channel, since, datetime.now(UTC), taxonomy)
    view = summary_blocks.modal(
        summary,
        taxonomy,
        texts,
        archives=await _archives(context, summary),
        days=days,
        metadata=json.dumps({"channel": channel, "days": days}),
    )
    await context.slack.views_update(view_id=view_id, view=view)


async def _archives(context: ListenerContext, summary: Summary) -> str:
    """Return where the permalinks of this workspace begin; "" where Slack does not say."""
    for seen in [*(each for _, lines in summary.first for each in lines), *summary.others][:3]:
        link = await history.link_to(context.slack, summary.channel, seen.ts)
        if "/archives/" in link:
            return f"{link.partition('/archives/')[0]}/archives/"
    return ""
