"""`/beto revisa a las 9`: a daily reminder of the review, one's own or a channel's."""

import asyncio
import re

from bot.slack import people
from bot.slack.context import Call, ListenerContext
from model.store.portions import Portion

NEVER = {"nunca", "never", "no", "off"}
_HOUR = re.compile(r"(?:a\s+las?\s+|at\s+)?(\d{1,2})(?::00)?(?:\s*h)?")
_CHANNEL = re.compile(r"(?:canal|channel)\b\s*")


async def choose(context: ListenerContext, call: Call) -> str:
    """Say when this person, or with `canal` this channel, is reminded of the review, or change it."""
    texts, rest = context.texts, call.rest.lower()
    is_channel = _CHANNEL.match(rest) is not None
    rest = _CHANNEL.sub("", rest, count=1).strip()
    if is_channel:
        if (why_not := await context.why_not_lead(call.user)) is not None:
            return why_not
        if call.channel.startswith("D") or not await people.is_member(context.slack, call.channel):
            return texts("portion.outside", bot=context.bot_name)
    elif not await context.visibility.is_full_member(call.user):
        return texts("review.refused_guest")
    elif not await context.visibility.may_judge(call.user):
        return texts("judge.refused")
    channel = call.channel if is_channel else await _direct(context, call.user)
    portions, kind = context.store.portions, "channel" if is_channel else "own"
    if rest in NEVER:
        changed = await asyncio.to_thread(portions.stop, channel)
        return texts(f"portion.stopped_{kind}" if changed else "portion.none")
    found = _HOUR.fullmatch(rest)
    if found is None or int(found[1]) > 23:
        return texts("portion.how")
    person = (await context.slack.users_info(user=call.user))["user"]
    portion = Portion(channel, call.user, int(found[1]), int(person.get("tz_offset") or 0))
    await asyncio.to_thread(portions.set, portion)
    return texts(f"portion.set_{kind}", hour=f"{portion.hour}:00")


async def _direct(context: ListenerContext, user: str) -> str:
    opened = await context.slack.conversations_open(users=user)
    return str(opened["channel"]["id"])
