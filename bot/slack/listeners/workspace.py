"""What happens around the messages: the bot is taken out of a channel, a channel ends, a person's rights change, the app goes."""

import asyncio
import logging

from slack_bolt.async_app import AsyncApp

from bot.slack.context import ListenerContext
from bot.slack.payloads.events import AppUninstalled, ChannelChanged, ChannelRenamed, TokensRevoked, UserChanged

log = logging.getLogger(__name__)


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the listeners of channels that end and begin again, of people's rights, and of the app's end."""
    store = context.store

    @app.event("channel_left")
    @app.event("group_left")
    async def on_left(parsed: ChannelChanged) -> None:
        # Whoever takes the bot out does not want it to begin again with everything when somebody invites it.
        watched = await asyncio.to_thread(store.channels.set_mode, parsed.channel, "mention")
        log.info("the bot was taken out of %s%s", parsed.channel, ", which it labels no longer" if watched else "")

    @app.event("channel_deleted")
    @app.event("group_deleted")
    async def on_deleted(parsed: ChannelChanged) -> None:
        gone = await asyncio.to_thread(store.channels.delete, parsed.channel)
        log.info("%s was deleted: the texts of %d messages are removed, and nothing more is posted there", parsed.channel, gone)

    @app.event("channel_archive")
    @app.event("group_archive")
    async def on_archived(parsed: ChannelChanged) -> None:
        log.info("%s was archived: Slack refuses posts there until it is opened again", parsed.channel)

    @app.event("channel_unarchive")
    @app.event("group_unarchive")
    async def on_unarchived(parsed: ChannelChanged) -> None:
        due = await asyncio.to_thread(store.channels.reopen, parsed.channel)
        log.info("%s is open again: %d posts that were refused are due", parsed.channel, due)

    @app.event("channel_rename")
    @app.event("group_rename")
    async def on_renamed(parsed: ChannelRenamed) -> None:
        log.info("%s is called #%s now: nothing is kept by a channel's name", parsed.channel, parsed.name)

    @app.event("user_change")
    async def on_user(parsed: UserChanged) -> None:
        settings = context.settings
        named = (*settings.judge_ids, *settings.expert_ids)
        if settings.guests_judge:
            return
        counts = parsed.is_full_member(context.team) and (not settings.judge_ids or parsed.user in named)
        # Everybody's status and picture comes this way, too: only what a gesture of theirs hangs on is looked at.
        due = await asyncio.to_thread(store.people.note_rights, parsed.user, may_judge=counts)
        if due:
            log.info("the rights of %s changed: %d replies are rendered again", parsed.user, due)

    @app.event("tokens_revoked")
    async def on_revoked(parsed: TokensRevoked) -> None:
        if parsed.bots:
            _end_of(context, "SLACK_BOT_TOKEN was revoked")

    @app.event("app_uninstalled")
    async def on_uninstalled(parsed: AppUninstalled) -> None:  # noqa: ARG001 - Bolt hands over by name; nothing is in it
        _end_of(context, "the app was uninstalled")


def _end_of(context: ListenerContext, what: str) -> None:
    """Say that Slack takes the tokens no more; the health page says so until somebody starts the processes again."""
    if not context.lost:
        way_out = "install the app, copy its new tokens into the settings, and start the processes again; what waits is kept"
        log.error("%s: %s", what, way_out)
    context.lost.append(what)
