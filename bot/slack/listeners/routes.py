"""The team's routes: `/beto rutas`, the list and the form in modals, the rehearsal of a route that is off, and its test."""

import asyncio
import json
import logging
import re
import time

import aiohttp
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError

from bot import queues, webhooks
from bot.slack import people
from bot.slack.context import ANSWER_WITHIN_S, Call, ListenerContext, Tell
from bot.slack.payloads.views import ViewClick, ViewSubmission
from bot.views import blocks, route_blocks
from bot.views.route_blocks import CARD, CHANNELS, EMOJI, EXAMPLES, GROUP, LEAST_FIELD, PEOPLE, TEXT, WEBHOOK, Listed
from model.errors import StoreUnavailable
from model.labels import Taxonomy, slack_name
from model.routes import LEAST, Route, complaints
from model.store.outbox_row import change_key
from model.store.routes import StoredRoute

log = logging.getLogger(__name__)

# So many of the newest messages are looked at before a route is switched on.
REHEARSED = 100
_GROUP = re.compile(r"<!subteam\^(S[A-Z0-9]+)(?:\|[^>]*)?>|\b(S[A-Z0-9]{5,})\b")


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the button, the menu and the form; `/beto rutas` opens the list."""

    @app.action(route_blocks.ADD_BUTTON)
    async def on_add(ack: AsyncAck, parsed: ViewClick) -> None:
        await ack()
        context.after_ack(_open_form(context, parsed, None), what=route_blocks.ADD_BUTTON, tell=_in_modal(context, parsed))

    @app.action(route_blocks.MENU)
    async def on_choose(ack: AsyncAck, parsed: ViewClick) -> None:
        await ack()
        context.after_ack(_choose(context, parsed), what=route_blocks.MENU, tell=_in_modal(context, parsed))

    @app.view(route_blocks.ROUTE_VIEW)
    async def on_save(ack: AsyncAck, parsed: ViewSubmission) -> None:
        route, texts = _route_of(parsed, await context.taxonomy()), context.texts
        wrong = {field: texts(f"routes.wrong_{field}") for field in complaints(route)}
        if not wrong:
            try:
                wrong = await asyncio.wait_for(_who_may(context, parsed.user, route), ANSWER_WITHIN_S)
            except (SlackApiError, OSError, aiohttp.ClientError, TimeoutError) as error:
                log.warning("whether a person may make a route is not known: %r", error)
                wrong = {CHANNELS: texts("command.failed")}
        if not wrong:
            try:
                await asyncio.to_thread(_save, context, parsed, route)
            except StoreUnavailable as error:
                log.warning("a route waits for the database: %s", error)
                wrong = {CHANNELS: texts("command.trouble")}
        if wrong:
            await ack(response_action="errors", errors=wrong)
            return
        await ack()
        if parsed.root_view_id:
            channel = parsed.opened.channel or ""
            shown = _show_list(context, parsed.root_view_id, parsed.user, channel)
            context.after_ack(shown, what=route_blocks.ROUTE_VIEW)


async def show(context: ListenerContext, call: Call) -> str:
    """Open the list of the team's routes."""
    opened = await context.slack.views_open(trigger_id=call.trigger_id, view=blocks.loading(context.texts))
    view_id = str(opened["view"]["id"])

    async def tell(sentence: str) -> None:
        await context.slack.views_update(view_id=view_id, view=blocks.sorry(sentence, context.texts))

    context.after_ack(_show_list(context, view_id, call.user, call.channel), what="/beto rutas", tell=tell)
    return ""


def _in_modal(context: ListenerContext, parsed: ViewClick) -> Tell:
    async def tell(sentence: str) -> None:
        await context.slack.views_update(view_id=parsed.root_view_id, view=blocks.sorry(sentence, context.texts))

    return tell


async def _show_list(context: ListenerContext, view_id: str, user: str, channel: str, *, warning: str = "") -> None:
    refused = await context.why_not_edit_routes(user)
    stored, taxonomy = await asyncio.to_thread(context.store.routes.all), await context.taxonomy()
    listed = [await _listed(context, each, user, taxonomy, may_edit=refused is None) for each in stored]
    metadata = json.dumps({"channel": channel} if channel else {})
    view = route_blocks.route_list(listed, taxonomy, context.texts, refused=refused, warning=warning, metadata=metadata)
    await context.slack.views_update(view_id=view_id, view=view)


async def _listed(context: ListenerContext, each: StoredRoute, user: str, taxonomy: Taxonomy, *, may_edit: bool) -> Listed:
    """Return the route as this person may know it: nothing of channels that they do not read."""
    reads = [await context.visibility.reads(user, channel) for channel in _places(each.route)]
    is_on, found, among = each.status == "on", 0, 0
    links: tuple[str, ...] = ()
    if not is_on and all(reads):
        found, among, links = await asyncio.to_thread(_rehearse, context, each.route, taxonomy)
    waiting = await asyncio.to_thread(context.store.routes.waiting, each.id) if each.route.webhook else 0
    return Listed(
        each.id, each.route, is_on, hidden=not all(reads), can_undo=each.can_undo, is_failing=each.failing_since is not None,
        waiting=waiting, secret=each.secret if each.route.webhook and may_edit else "", found=found, among=among, links=links,
    )  # fmt: skip


def _rehearse(context: ListenerContext, route: Route, taxonomy: Taxonomy) -> tuple[int, int, tuple[str, ...]]:
    """Return how many of the newest messages would have taken the route, of how many, and links to the first ones.

    Of what is hidden until somebody has judged it nothing is told.
    """
    store, found = context.store, 0
    links: list[str] = []
    ids = store.routes.recent(route.channels, REHEARSED)
    for message_id in ids:
        stored, judged = store.messages.get(message_id), store.judged.of(message_id, taxonomy)
        if stored is None or judged is None or not route.taken_for(judged.state, judged.prediction):
            continue
        found += 1
        if len(links) < EXAMPLES and not (stored.message.blind and not judged.state.judges):
            links.append(f"<#{stored.message.channel}>: {blocks.snippet(stored.message.text)}")
    return found, len(ids), tuple(links)


async def _open_form(context: ListenerContext, parsed: ViewClick, stored: StoredRoute | None) -> None:
    if await context.why_not_edit_routes(parsed.user) is not None:
        await _show_list(context, parsed.root_view_id, parsed.user, parsed.opened.channel or "")
        return
    channel = parsed.opened.channel or ""
    metadata = json.dumps({**({"channel": channel} if channel else {}), **({"route": stored.id} if stored else {})})
    begins = channel if channel and not channel.startswith("D") else ""
    route = None if stored is None else stored.route
    view = route_blocks.route_form(route, await context.taxonomy(), context.texts, metadata=metadata, channel=begins)
    await context.slack.views_push(trigger_id=parsed.trigger_id, view=view)


async def _choose(context: ListenerContext, parsed: ViewClick) -> None:
    """Do what an entry of a route's menu stands for, if this person may, and show the list anew."""
    act, _, number = parsed.value.partition(":")
    routes, channel, texts = context.store.routes, parsed.opened.channel or "", context.texts
    stored = await asyncio.to_thread(routes.get, int(number)) if number.isdigit() else None
    warning = await context.why_not_edit_routes(parsed.user) or ""
    if stored is None or stored.status == "removed":
        warning = texts("routes.gone")
    elif not warning and (wrong := await _who_may(context, parsed.user, stored.route)):
        warning = next(iter(wrong.values()))
    if warning or stored is None:
        await _show_list(context, parsed.root_view_id, parsed.user, channel, warning=warning)
        return
    if act == "change":
        await _open_form(context, parsed, stored)
        return
    if act == "test":
        warning = await _test(context, stored)
    else:
        before = stored.status
        if act == "undo":
            changed = await asyncio.to_thread(lambda: routes.undo(stored.id, by=parsed.user))
        else:
            status = {"on": "on", "off": "off", "remove": "removed"}.get(act, before)
            changed = await asyncio.to_thread(lambda: routes.change(stored.id, by=parsed.user, status=status))  # type: ignore[arg-type]  # one of them
        if changed is not None and "on" in {before, changed.status}:
            await _announce(context, stored, changed, parsed.user, parsed.trigger_id)
    await _show_list(context, parsed.root_view_id, parsed.user, channel, warning=warning)


async def _test(context: ListenerContext, stored: StoredRoute) -> str:
    """Call the route's webhook with what says that it is a test; return what came of it."""
    body = json.dumps({"type": "beto_route_test", "route": stored.id, "team": context.team}).encode()
    headers = webhooks.signature(stored.secret, body, int(time.time()))
    try:
        into = context.settings.webhook_networks
        status = await asyncio.to_thread(webhooks.call, stored.route.webhook, body, headers, into=into)
    except webhooks.WebhookFailed as error:
        log.info("the test of the webhook of route %s failed: %s", stored.id, error)
        return context.texts("routes.tested_wrong", number=stored.id, reason=blocks.escape(str(error)))
    return context.texts("routes.tested", number=stored.id, status=status)


async def _announce(context: ListenerContext, before: StoredRoute, after: StoredRoute, user: str, trigger_id: str) -> None:
    """Have every channel of the route told, in which messages are followed from now on, or no longer, and who wanted that."""
    taxonomy, is_on = await context.taxonomy(), after.status == "on"
    told = "routes.told_on" if is_on and before.status != "on" else "routes.told_changed" if is_on else "routes.told_off"
    for channel in dict.fromkeys((*_places(before.route), *_places(after.route))):
        # A channel is told of itself, and of those alone that all its people may read.
        route = after.route
        others = [each for each in _places(route) if each != channel]
        public = [await context.visibility.is_public(each) for each in others]
        what = route_blocks.told(route, taxonomy, context.channel_texts, hidden=not all(public))
        key = change_key(f"{trigger_id}:{channel}")
        values: dict[str, str | int] = {"user": f"<@{user}>", "number": after.id, "what": what}
        await asyncio.to_thread(context.store.outbox.announce, key, channel, told, values)
        await context.publish(queues.deliver(key))


async def _who_may(context: ListenerContext, user: str, route: Route) -> dict[str, str]:
    """Return what this person may not do, by the field that says it: only channels count that they read, and the bot, too."""
    texts = context.texts
    if why_not := await context.why_not_edit_routes(user):
        return {CHANNELS: why_not}
    for field, channels in ((CHANNELS, route.channels), (CARD, (route.card_in,) if route.card_in else ())):
        for channel in channels:
            if not await context.visibility.reads(user, channel):
                return {field: texts("routes.wrong_unread")}
            if not await people.is_member(context.slack, channel):
                return {field: texts("routes.wrong_outside", bot=context.bot_name)}
    return {}


def _save(context: ListenerContext, parsed: ViewSubmission, route: Route) -> None:
    """Save a new route, or a changed one, which is off then: it is rehearsed before it goes on."""
    routes, known = context.store.routes, parsed.opened.route
    if known is None:
        told_in = parsed.opened.channel or ""
        routes.add(route, by=parsed.user, told_in=route.channels[0] if told_in in {"", *_direct(told_in)} else told_in)
    else:
        routes.change(known, by=parsed.user, route=route, status="off")


def _direct(channel: str) -> tuple[str, ...]:
    return (channel,) if channel.startswith("D") else ()


def _places(route: Route) -> tuple[str, ...]:
    """Return the channels that a route has to do with."""
    return tuple(dict.fromkeys((*route.channels, *((route.card_in,) if route.card_in else ()))))


def _route_of(parsed: ViewSubmission, taxonomy: Taxonomy) -> Route:
    """Return the route that the form describes."""
    groups = [first or second for first, second in _GROUP.findall(parsed.field(GROUP))]
    least = next((each for each in LEAST if str(each) == parsed.field(LEAST_FIELD)), 0.8)
    return Route(
        labels=tuple(name for name in parsed.chosen if name in taxonomy),
        least=least,
        channels=parsed.ids(CHANNELS),
        card_in=next(iter(parsed.ids(CARD)), ""),
        people=(*parsed.ids(PEOPLE), *dict.fromkeys(groups)),
        emoji=slack_name(parsed.field(EMOJI)),
        webhook=parsed.field(WEBHOOK),
        with_text=bool(parsed.options_of(TEXT)),
    )
