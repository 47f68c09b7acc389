"""Reactions on a message, within Slack's limits."""

from bot.simulator import composer
from bot.simulator.errors import Json, SlackError

REACTIONS_PER_PERSON = 23
REACTIONS_PER_MESSAGE = 50

_SAME_EMOJI = {"thumbsup": "+1", "thumbsdown": "-1"}  # Slack keeps one of the two names


def kept_name(name: str) -> str:
    """Return the name by which Slack keeps the emoji; SlackError for what is none."""
    name = _SAME_EMOJI.get(name, name)
    if not composer.is_emoji(name):
        raise SlackError("invalid_name")
    return name


def added(message: Json, user: str, name: str) -> Json:
    """Return the message with `user`'s reaction `name`, a kept name, besides those that it has."""
    reactions: list[Json] = list(message.get("reactions", ()))
    at = next((n for n, one in enumerate(reactions) if one["name"] == name), None)
    if at is not None and user in reactions[at]["users"]:
        raise SlackError("already_reacted")
    if sum(user in one["users"] for one in reactions) >= REACTIONS_PER_PERSON:
        raise SlackError("too_many_reactions")
    if at is None:
        if len(reactions) >= REACTIONS_PER_MESSAGE:
            raise SlackError("too_many_emoji")
        reactions.append({"name": name, "users": [user], "count": 1})
    else:
        users = [*reactions[at]["users"], user]
        reactions[at] = {"name": name, "users": users, "count": len(users)}
    return _with(message, reactions)


def removed(message: Json, user: str, name: str) -> Json:
    """Return the message without `user`'s reaction `name`, a kept name."""
    reactions: list[Json] = list(message.get("reactions", ()))
    at = next((n for n, one in enumerate(reactions) if one["name"] == name and user in one["users"]), None)
    if at is None:
        raise SlackError("no_reaction")
    users = [one for one in reactions[at]["users"] if one != user]
    reactions[at : at + 1] = [{"name": name, "users": users, "count": len(users)}] if users else []
    return _with(message, reactions)


def _with(message: Json, reactions: list[Json]) -> Json:
    others = {key: value for key, value in message.items() if key != "reactions"}
    return {**others, "reactions": reactions} if reactions else others
