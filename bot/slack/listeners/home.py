"""The app's Home tab."""

from typing import TYPE_CHECKING, Any

from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.views import blocks

if TYPE_CHECKING:
    from bot.slack.app import Desk


def register(app: AsyncApp, desk: "Desk") -> None:
    """Opening the Home tab shows what the bot does and what the labels mean."""

    @app.event("app_home_opened")
    async def on_home(event: dict[str, Any], client: AsyncWebClient) -> None:
        if event.get("tab") == "home":
            view = blocks.home(desk.taxonomy, desk.texts, "beto")
            await client.views_publish(user_id=event["user"], view=view)
