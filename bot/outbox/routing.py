"""Routes that messages take: which, the card or the mention that says so, and the webhook that is called."""

import hashlib
import json
import logging
import threading
import time
from dataclasses import dataclass, replace

from bot import webhooks
from bot.outbox.about import AboutMessage
from bot.outbox.context import OutboxContext
from bot.outbox.showing import judged_now
from bot.outbox.states import AGAIN_S, Done, Facts, RateLimited, Subject
from bot.outbox.work import Content
from bot.views import route_blocks
from model.judgements import MessageState
from model.schema import Prediction, Source
from model.store.database import now
from model.store.routes import StoredRoute, Taken
from model.store.stored_message import StoredMessage

log = logging.getLogger(__name__)

# Of the threads of a process, so many call webhooks at once: one that hangs must not hold up what people wait for.
_CALLS = threading.BoundedSemaphore(2)
NO_CALL_FREE_S = 0.5


@dataclass(frozen=True)
class Routed:
    """The keys of what is due for a message, whether its thread is written in, and whether an emoji is put on it."""

    due: tuple[str, ...] = ()
    in_thread: bool = False
    emoji: bool = False


def take_routes(context: OutboxContext, stored: StoredMessage, prediction: Prediction | None) -> Routed:
    """Save which routes this message takes as its labels stand, and return what is due for it.

    Never of what somebody wrote to the bot alone, and never of a post of ours, whoever asked about it: else a card could lead
    to a card. Raises what a call to Slack raises.
    """
    message, routes = stored.message, context.store.routes
    known = routes.known()
    if not known or message.source is Source.COMMAND or message.channel.startswith("D") or message.user == context.bot_user:
        return Routed()
    # What led along a route that is off by now stands as it is.
    on = [each for each in known if each.status == "on" and message.channel in each.route.channels]
    if not on:
        return Routed()
    judged = judged_now(context, stored)
    read = None if prediction is None else context.store.labels.current().read(prediction)
    hidden = _is_hidden(stored, judged.state)
    led = ((each, each.route.taken_for(judged.state, read)) for each in on)
    taken = [Taken(each, _how_it_stands(labels, judged.state, hidden=hidden)) for each, labels in led if labels]
    return Routed(
        tuple(routes.take(stored.id, message.channel, message.thread_ts or message.ts, taken, among={each.id for each in on})),
        in_thread=any(each.route.route.people and not each.route.route.card_in for each in taken),
        emoji=any(each.route.emoji for each in on),
    )


def route_emoji(context: OutboxContext, stored: StoredMessage, state: MessageState, prediction: Prediction | None) -> list[str]:
    """Return the emoji that routes put on this message as its labels stand."""
    channel, known = stored.message.channel, context.store.routes.known()
    on = (each.route for each in known if each.status == "on" and each.route.emoji and channel in each.route.channels)
    return [route.emoji for route in on if route.taken_for(state, prediction)]


class RouteWork(AboutMessage):
    """The card in the route's channel, or the mention in the message's thread; later, that it is not so any more."""

    METADATA = "beto_route"
    NAMED = "about"

    def name(self) -> str:
        """Return the message's place with the route."""
        return f"{self.place}:{self.row.content['route']}"

    def oldest(self) -> str:
        """Return the message's ts: nothing leads to what was not said yet."""
        return self.stored.message.ts

    def facts(self, *, in_turn: bool) -> Facts:
        """Return what is known before the first call; what was mended before it was posted needs no card."""
        self._route = self.context.store.routes.get(int(self.row.content["route"]))
        facts = super().facts(in_turn=in_turn)
        if self.stored.deleted:
            return replace(facts, subject=Subject.GONE)
        if _is_read_anew(self):
            return replace(facts, waits_s=AGAIN_S)
        is_on = self._route is not None and self._route.status == "on"
        stands = bool(self.row.content["stands"])
        return facts if stands and (is_on or self.row.ts is not None) else replace(facts, subject=Subject.CLOSED)

    def render(self) -> Content:
        """Return the card as the message's labels stand."""
        context, stored, taxonomy = self.context, self.stored, self.context.store.labels.current()
        assert self._route is not None  # routes are never deleted
        prediction = None if self.claim.prediction is None else taxonomy.read(self.claim.prediction)
        noted: str = self.row.content["stands"]
        while True:
            judged = judged_now(context, stored)
            labels = self._route.route.taken_for(judged.state, prediction)
            stands = _how_it_stands(labels, judged.state, hidden=_is_hidden(stored, judged.state)) if labels else ""
            if stands == noted:
                break
            # Noted before it is said, and looked at once more: whoever takes the route later compares with what the card says,
            # also where the labels are again what they were when it was taken.
            context.store.outbox.note(self.row.key, **{**self.row.content, "stands": stands})
            noted = stands
        message = stored.message
        here = message.channel == self.row.channel
        words = route_blocks.words(message.text) if here else context.texts("routes.card_link")
        return Content(
            route_blocks.card(
                labels,
                judged.state,
                prediction,
                taxonomy,
                context.texts,
                link=context.link_to(message.channel, message.ts, words),
                channel=message.channel,
                people=self._route.route.people,
                hidden=_is_hidden(stored, judged.state),
                in_thread=self.row.thread_ts is not None,
            )
        )


class WebhookWork(AboutMessage):
    """The call of a route's webhook: one that is taken, with a key by which the other side knows it again."""

    METADATA = "beto_webhook"
    NAMED = "about"

    def name(self) -> str:
        """Return the row's key; nothing in Slack carries it."""
        return self.row.key

    def find(self) -> list[str]:
        """Return nothing: there is no post of this row."""
        return []

    def facts(self, *, in_turn: bool) -> Facts:
        """Return what is known before the call; all of a route wait together after one that failed."""
        route = self.context.store.routes.get(int(self.row.content["route"]))
        facts = super().facts(in_turn=in_turn)
        if self.stored.deleted or route is None or route.status != "on" or not self.row.content["stands"]:
            return replace(facts, subject=Subject.UNKNOWN)
        if _is_read_anew(self):
            return replace(facts, waits_s=AGAIN_S)
        self._route: StoredRoute = route
        waits_s = 0.0 if route.try_at is None else max((route.try_at - now()).total_seconds(), 0.0)
        return replace(facts, waits_s=waits_s)

    def render(self) -> Content:
        """Return what the webhook gets."""
        stored, taxonomy = self.stored, self.context.store.labels.current()
        judged = judged_now(self.context, stored)
        prediction = None if self.claim.prediction is None else taxonomy.read(self.claim.prediction)
        scores = {} if prediction is None else prediction.scores
        message = stored.message
        told = {
            "type": "beto_route",
            "route": self._route.id,
            "idempotency_key": idempotency_key(self.row.key),
            "team": self.context.team,
            "channel": message.channel,
            "ts": message.ts,
            "link": f"{self.context.workspace_url}archives/{message.channel}/p{message.ts.replace('.', '')}",
            "labels": [
                {"name": name, "title": self.context.texts.title(taxonomy[name]), "probability": scores.get(name)}
                for name in self._route.route.taken_for(judged.state, prediction)
            ],
        }
        if self._route.route.with_text:
            told["text"] = message.text
        return Content(json.dumps(told, ensure_ascii=False))

    def post(self, content: Content) -> Done:
        """Call it; where it was not taken, it is called again later, with the same key."""
        routes, route, body = self.context.store.routes, self._route, content.text.encode()
        if not _CALLS.acquire(blocking=False):
            raise RateLimited("webhook", NO_CALL_FREE_S)
        try:
            headers = webhooks.signature(route.secret, body, int(time.time()))
            headers["Idempotency-Key"] = idempotency_key(self.row.key)
            webhooks.call(route.route.webhook, body, headers, into=self.context.settings.webhook_networks)
        except webhooks.WebhookFailed as error:
            pause_s = routes.note_failure(route.id)
            log.warning(
                "the webhook of route %s failed, %s: %s", route.id, "given up" if pause_s is None else "again later", error
            )
            raise RateLimited("webhook", pause_s or 0.0) from error
        finally:
            _CALLS.release()
        if route.failing_since is not None:
            routes.note_success(route.id)
        return Done()


def idempotency_key(row_key: str) -> str:
    """Return what names this call and no other, however often it is made."""
    return hashlib.sha256(row_key.encode()).hexdigest()[:32]


def _is_hidden(stored: StoredMessage, state: MessageState) -> bool:
    """Return whether the message's labels are told nobody yet."""
    return stored.message.blind and not state.judges


def _is_read_anew(work: AboutMessage) -> bool:
    """Return whether the message's text was changed and is still to be labelled: nothing of it is known until then."""
    return work.claim.prediction is None and bool(work.stored.message.text.strip())


def _how_it_stands(labels: tuple[str, ...], state: MessageState, *, hidden: bool) -> str:
    """Return the same while the same is to be said of a message that took a route."""
    said = [hidden, *((name, state.labels[name].status, state.labels[name].yes) for name in labels)]
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]
