"""Routes in a chaos run: what leads where, a webhook that hangs, fails, lies and redirects, and what came of it."""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from slack_sdk.signature import SignatureVerifier
from sqlalchemy import select

from bot.outbox.routing import RouteWork, idempotency_key
from bot.simulator.workspace import Workspace
from model.labels import Taxonomy
from model.routes import Route
from model.store.outbox_row import Kind, State, webhook_key
from model.store.routes import StoredRoute
from model.store.store import Store
from model.store.tables import messages, outbox
from tests.https import Hook

CARDS = "fraudes"
KINDS = [Kind.ROUTE.value, Kind.WEBHOOK.value, Kind.EMOJI.value]


def make_routes(store: Store, workspace: Workspace, channels: list[str], hook: Hook, seed: int) -> None:
    """Switch routes of every kind on, whose webhook does to each third call what webhooks do."""
    chance = random.Random(f"{seed}/webhook")
    hook.misbehaves = lambda: chance.choice(["hang", "lie", "500", "302", "429"]) if chance.random() < 0.33 else ""
    cards = workspace.channel(CARDS)
    workspace.join(cards, workspace.user(workspace.bot_user_id))
    luis = workspace.user("luis").id
    for made in (
        Route(labels=("fraude", "urgente"), least=0.5, channels=tuple(channels), card_in=cards.id, people=(luis,)),
        Route(labels=("tarjeta", "reclamo", "cuenta"), least=0.5, channels=tuple(channels), webhook=hook.url),
        Route(labels=("app",), least=0.5, channels=tuple(channels), people=(luis,)),
        Route(labels=("cajero",), least=0.5, channels=tuple(channels), emoji="eyes"),
    ):
        store.routes.change(store.routes.add(made, by=luis, told_in=channels[0]), by=luis, status="on")


def is_anything_owed(store: Store) -> bool:
    """Return whether a card, a call or an emoji is still to come."""
    with store.database.reading() as connection:
        waits = select(outbox.c.id).where(outbox.c.kind.in_(KINDS), outbox.c.retry_at.is_not(None)).limit(1)
        return connection.execute(waits).first() is not None


def evaluate_routes(
    store: Store, workspace: Workspace, hook: Hook, sets: Sequence[Taxonomy], report: Callable[[str, object], None]
) -> dict[str, int]:
    """Report each route that was not taken once, or taken by nobody's right; return how many were, by kind.

    `sets` are the labels that there were, the newest last. A route is taken in those of the moment when the message is shown:
    where they do not agree whether it leads there, both are right.
    """
    posted: dict[str, list[str]] = defaultdict(list)
    for channel in workspace.channels.values():
        for ts, metadata in channel.metadata.items():
            if metadata.get("event_type") == RouteWork.METADATA and ts in channel.messages:
                posted[metadata["event_payload"]["about"]].append(str(channel.messages[ts]["text"]))
    calls = Counter(headers["idempotency-key"] for headers, _ in hook.heard)
    taken = Counter(body for body in hook.taken)
    known, team = store.routes.all(), workspace.team_id
    counts, rightful, expected = Counter[str](), set[str](), set[str]()
    with store.database.reading() as connection:
        ids = list(connection.execute(select(messages.c.id).where(messages.c.source != "command")).scalars())
        states = {row.key: row.state for row in connection.execute(select(outbox.c.key, outbox.c.state))}
    for message_id in ids:
        stored = store.messages.get(message_id)
        each_judged = [store.judged.of(message_id, taxonomy) for taxonomy in sets]
        judged_in = [judged for judged in each_judged if judged is not None]
        if stored is None or len(judged_in) < len(sets):
            continue
        for each in known:
            about = f"{team}:{stored.message.channel}:{stored.message.ts}:{each.id}"
            leading = {not stored.deleted and bool(each.route.taken_for(one.state, one.prediction)) for one in judged_in}
            rightful.add(about)
            expected.update({idempotency_key(webhook_key(each.id, message_id))} if each.route.webhook else ())
            if len(leading) > 1:
                if len(posted[about]) > 1:
                    report("routes_doubled", f"{about}: {posted[about]}")
                continue
            [leads] = leading
            if each.route.posts:
                counts["cards"] += bool(posted[about])
                _evaluate_card(about, posted[about], leads, stored.deleted, report)
            if each.route.webhook:
                key = webhook_key(each.id, message_id)
                if leads and (states.get(key) != State.SHOWN or not calls[idempotency_key(key)]):
                    report("routes_lost", f"{key} is {states.get(key)}, called {calls[idempotency_key(key)]} times")
                counts["webhooks"] += bool(calls[idempotency_key(key)])
            if each.route.emoji and leads:
                counts["emoji"] += 1
                _evaluate_emoji(workspace, stored.message.channel, stored.message.ts, each, report)
    for about in posted.keys() - rightful:
        report("routes_forged", about)
    for key in calls.keys() - expected:
        report("routes_forged", f"a call {key} of no message")
    for headers, body in hook.heard:
        secret, sent_at = next(each.secret for each in known if each.route.webhook), headers["x-beto-request-timestamp"]
        # When it was sent is as old as the run: the words alone are checked.
        signed = SignatureVerifier(secret).generate_signature(timestamp=sent_at, body=body)
        if signed != headers["x-beto-signature"]:
            report("routes_forged", f"a call that is not signed: {headers}")
    if hook.followed:
        report("routes_forged", f"redirects were followed: {hook.followed}")
    counts["webhook calls"], counts["webhooks taken again"] = sum(calls.values()), sum(count - 1 for count in taken.values())
    return dict(counts)


def _evaluate_card(about: str, texts: list[str], leads: bool, deleted: bool, report: Callable[[str, object], None]) -> None:
    if len(texts) > 1:
        report("routes_doubled", f"{about}: {texts}")
    elif deleted and texts:
        report("routes_forged", f"{about} is deleted and has {texts}")
    elif leads and not texts:
        report("routes_lost", about)
    elif texts and ("~" in texts[0]) is leads:
        report("routes_wrong", f"{about} {'leads' if leads else 'does not lead'} there and says {texts}")


def _evaluate_emoji(
    workspace: Workspace, channel: str, ts: str, each: StoredRoute, report: Callable[[str, object], None]
) -> None:  # fmt: skip
    message = workspace.channels[channel].messages.get(ts, {"subtype": "tombstone"})
    if message.get("subtype") == "tombstone":
        return  # nobody heard that it was deleted
    reactions: list[dict[str, Any]] = message.get("reactions", [])
    bot = workspace.bot_user_id
    if not any(one["name"] == each.route.emoji and bot in one["users"] for one in reactions):
        report("routes_lost", f"no {each.route.emoji} on {channel}:{ts}")
