"""Who may retrain, change the labels and settle disputes, and where the bot is: asked of Slack each time, since rights change."""

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import refusal
from bot.settings import BotSettings


async def may_train(client: AsyncWebClient, settings: BotSettings, user: str) -> bool:
    """Return whether this person is named in BETO_TRAINERS, or where that is empty, an admin or owner of the workspace.

    See `ListenerContext.why_not_train` for what else it takes.
    """
    return await _is_named(client, settings.trainer_ids, user)


async def may_edit_labels(client: AsyncWebClient, settings: BotSettings, user: str) -> bool:
    """Return whether this person is named in BETO_LABEL_EDITORS, or where that is empty, may train.

    See `ListenerContext.why_not_edit_labels` for what else it takes.
    """
    return await _is_named(client, settings.label_editor_ids or settings.trainer_ids, user)


async def may_edit_routes(client: AsyncWebClient, settings: BotSettings, user: str) -> bool:
    """Return whether this person is named in BETO_ROUTE_EDITORS, or where that is empty, may train.

    See `ListenerContext.why_not_edit_routes` for what else it takes.
    """
    return await _is_named(client, settings.route_editor_ids or settings.trainer_ids, user)


async def may_lead(client: AsyncWebClient, settings: BotSettings, user: str) -> bool:
    """Return whether this person is named in BETO_LEADS, or where that is empty, may train.

    See `ListenerContext.why_not_lead` for what else it takes.
    """
    return await _is_named(client, settings.lead_ids or settings.trainer_ids, user)


async def _is_named(client: AsyncWebClient, ids: tuple[str, ...], user: str) -> bool:
    """Return whether this person, or a group of theirs, is among the ids; where there are none, whether they are an admin."""
    if not ids:
        try:
            person = (await client.users_info(user=user))["user"]
        except SlackApiError as error:
            if refusal(error) not in {"user_not_found", "user_not_visible"}:
                raise
            return False
        return bool(person.get("is_admin") or person.get("is_owner"))
    if user in ids:
        return True
    return any([await _is_in(client, group, user) for group in ids if group.startswith("S")])


async def _is_in(client: AsyncWebClient, group: str, user: str) -> bool:
    try:
        return user in (await client.usergroups_users_list(usergroup=group))["users"]
    except SlackApiError as error:
        if refusal(error) != "no_such_subteam":  # nobody is in it; `beto doctor` names it
            raise
        return False


async def is_member(client: AsyncWebClient, channel: str) -> bool:
    """Return whether the bot is in this channel."""
    try:
        info = await client.conversations_info(channel=channel)
    except SlackApiError as error:
        # A private channel that we are not in does not exist for us; an app may be without the scopes of private ones.
        if refusal(error) not in {"channel_not_found", "missing_scope"}:
            raise
        return False
    return bool(info["channel"].get("is_member"))


async def may_answer(client: AsyncWebClient, channel: str, ts: str) -> bool:
    """Return whether the bot is where this message stands, so that it can answer there."""
    if not channel.startswith("D"):
        return await is_member(client, channel)
    try:  # no scope of ours lets us ask about direct messages, and Slack gives nobody a link to other people's
        await client.chat_getPermalink(channel=channel, message_ts=ts)
    except SlackApiError as error:
        if refusal(error) not in {"channel_not_found", "message_not_found"}:
            raise
        return False
    return True
