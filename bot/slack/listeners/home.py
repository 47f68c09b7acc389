"""The app's Home tab."""

from slack_bolt.async_app import AsyncApp

from bot.slack.context import ListenerContext
from bot.slack.payloads import AppHomeOpened
from bot.views import blocks


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the listener that shows what the bot does and what the labels mean."""

    @app.event("app_home_opened")
    async def on_home(parsed: AppHomeOpened) -> None:
        if parsed.tab == "home":
            context.after_ack(_show(context, parsed.user), what="app_home_opened")


async def _show(context: ListenerContext, user: str) -> None:
    view = blocks.home(await context.taxonomy(), context.texts, context.bot_name)
    await context.slack.views_publish(user_id=user, view=view)
