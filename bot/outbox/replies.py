"""Replies to messages: what each of them shows, and whom it tells."""

import hashlib
import logging
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from http.client import HTTPException
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.webhook import WebhookClient

from bot import queues
from bot.metrics import SHOWN_SECONDS, count_call
from bot.outbox.about import AboutMessage
from bot.outbox.client import Message as SlackMessage
from bot.outbox.client import has_metadata
from bot.outbox.context import OutboxContext
from bot.outbox.doubts import open_doubt
from bot.outbox.routing import take_routes
from bot.outbox.showing import Shown, judged_now, shown_of
from bot.outbox.states import AGAIN_S, AmbiguousResult, Done, Facts, RateLimited, Subject, Write
from bot.outbox.work import Content
from bot.views import blocks, reply_blocks
from bot.views.native import classic_form
from bot.views.texts import Texts
from model.judgements import LabelState
from model.labels import Taxonomy, only
from model.schema import Message, Prediction, Source
from model.store.database import now
from model.store.judged_messages import Judged
from model.store.outbox_row import State, emoji_key, question_key
from model.store.standing import Standing
from model.store.stored_message import StoredMessage

log = logging.getLogger(__name__)

# A channel may want the emoji of at most so many labels, those with at least this probability.
SEEDS = 5
SEED_FROM = 0.15
RESPONSE_WITHIN_S = 10
# Of those who judged the message that decided, so many are named.
NAMED = 3


class ReplyWork(AboutMessage):
    """The labels of a message, in its thread."""

    METADATA = "beto_labels"
    NAMED = "message"

    # How replies of older releases are called.
    _FORMER = "beto_reply"
    _told: Mapping[str, Any] = {}  # what other apps are told, as far as was rendered
    _strangers: tuple[str, ...] = ()  # whose judgements do not count, as far as was rendered
    _shown: Shown = Shown()

    def prepare(self) -> None:
        """Look what is to be shown, and open what follows: routes that the message takes, and the emoji on it."""
        if self.stored.deleted or self.claim.prediction is None:
            return
        if self.row.content.get("quiet") and not self.stored.asked:
            self._shown = Shown(thread=False)  # written long before: nobody waits for it, and no route leads it anywhere
            return
        self._shown = shown_of(self.context, self.claim, self.stored, self.row.ts)
        outbox, message = self.context.store.outbox, self.stored.message
        try:
            routed = take_routes(self.context, self.stored, self.claim.prediction)
        except (SlackApiError, RateLimited, AmbiguousResult) as error:
            log.info("whose word counts is not known yet, so no route is taken: %s", error)
            self._shown = replace(self._shown, wait_s=AGAIN_S)
            return
        for key in routed.due:
            self.context.publish(queues.deliver(key))
        if routed.in_thread and self._shown.emoji and not self._shown.thread:
            # Whoever is called there is to see why.
            self.context.store.messages.ask(self.stored.id)
            self._shown = replace(self._shown, thread=True)
        has_emoji = self.stored.offered and outbox.get(emoji_key(self.stored.id)) is not None
        if self._shown.emoji or routed.emoji or has_emoji:
            emoji = outbox.open_emoji(self.stored.id, message.channel, message.thread_ts or message.ts)
            self.context.publish(queues.deliver(emoji))

    def facts(self, *, in_turn: bool) -> Facts:
        """Return what is known before the first call."""
        message, is_private = self.stored.message, self.stored.message.source is Source.COMMAND
        if self.stored.deleted:
            subject = Subject.GONE
        elif self.claim.prediction is None:
            # The text was kept long enough and is gone, and nobody had predicted it: what people say of it is kept.
            subject = Subject.UNKNOWN
        else:
            subject = Subject.PRESENT if self._shown.thread else Subject.QUIET
            if subject is Subject.QUIET:
                self._note_standing()
        return replace(
            super().facts(in_turn=in_turn),
            subject=subject,
            waits_s=self._shown.wait_s,
            private=is_private,
            in_order=not is_private,
            behind_others=not in_turn and self.context.locks.is_locked(f"line/{message.channel}"),
        )

    def _note_standing(self) -> None:
        """Note how the labels stand that nobody is shown: summaries and figures count them all the same."""
        store = self.context.store
        judged = store.judged.of(self.stored.id, store.labels.current())
        if judged is not None:
            self.standing = Standing.of(self.stored, judged.state)

    def name(self) -> str:
        """Return the message's place, by which its reply is found."""
        return self.place

    def is_ours(self, message: SlackMessage) -> bool:
        """Return whether this message in Slack is the reply, of whichever release."""
        return super().is_ours(message) or has_metadata(message, self._FORMER, self.NAMED, self.name())

    def metadata(self) -> dict[str, Any]:
        """Return what the reply is found by, and what other apps may read: the labels that stand, no word of the message."""
        found = super().metadata()
        return {**found, "event_payload": {**found["event_payload"], **self._told}}

    def render(self) -> Content:
        """Return the labels as they stand; who of those that judged counts is asked of Slack first."""
        prediction = self.claim.prediction
        assert prediction is not None  # else the subject is not present
        taxonomy = self.context.store.labels.current()
        self._told = {}
        if self._shown.muted_by:
            return Content(*reply_blocks.muted(self._shown.muted_by, self.context.texts))
        judged = judged_now(self.context, self.stored)
        self._strangers = judged.strangers
        if self.stored.message.source is not Source.COMMAND:
            labels = {*self.row.asked, *judged.state.disputed}
            self.standing = Standing.of(self.stored, judged.state)
            self.questions = {label: _how_it_stands(judged.state.labels.get(label)) for label in sorted(labels)}
        known = known_from(self.context, prediction.known_from, self.stored, taxonomy)
        among = self.used_labels(taxonomy)
        if judged.state.judges or not self.stored.message.blind:
            self._told = {"labels": list(judged.state.shown), "judged": bool(judged.state.judges), "version": prediction.version}
        text, shown = render_reply(
            self.stored.message, prediction, judged, taxonomy, self.context.texts, known=known, among=among
        )
        return Content(text, shown)

    def answer(self, content: Content) -> Done:
        """Show the labels to the person who gave the command, alone, unless it was too long ago."""
        url = self.stored.message.response_url
        if not url:
            return Done()
        post_to(url, content)
        return Done()

    def follow(self, write: Write) -> None:
        """Ask about labels in dispute, offer the likely ones, and tell those whose word does not count."""
        for label in self.row.asked if write.state is State.GONE else self.questions:
            if write.state is State.GONE or self.questions[label] != self.row.asked.get(label):
                self.context.publish(queues.deliver(question_key(self.stored.id, label)))
        if self.row.digest_id is not None and (digest := self.context.store.outbox.key_of(self.row.digest_id)) is not None:
            self.context.publish(queues.deliver(digest))
        if write.state is State.GONE and self.stored.offered:
            self.context.publish(queues.unseed(self.stored.id))
        if write.state is not State.SHOWN:
            return
        if self.row.shown == 0 and (write.ts is not None or self.stored.message.source is Source.COMMAND):
            SHOWN_SECONDS.observe((now() - self.stored.received_at).total_seconds())
        if self.row.ts is None and write.ts is not None:
            self._seed()
        is_first = self.row.ts is None and (write.ts is not None or (self._shown.emoji and self.row.shown == 0))
        prediction = self.claim.prediction
        if is_first and prediction and (doubt := open_doubt(self.context, self.stored, prediction)) is not None:
            if write.ts is None:
                # The question is about what the reply shows, and is answered there.
                self.context.store.messages.ask(self.stored.id)
                self.context.publish(queues.reply(self.stored.id))
            self.context.publish(queues.deliver(doubt))
        for user in self._strangers:
            self._tell(user)

    def _seed(self) -> None:
        """Put the likeliest labels' emoji on the message, where the channel wants that: a correction is one tap then."""
        message, prediction = self.stored.message, self.claim.prediction
        if prediction is None or message.blind or not self._shown.offers:
            return
        taxonomy = self.context.store.labels.current()
        scores = only(taxonomy.read(prediction), self.used_labels(taxonomy)).scores
        likely = sorted(
            (name for name in scores if name in taxonomy and scores[name] >= SEED_FROM), key=lambda name: -scores[name]
        )
        offered = {taxonomy[name].emoji: name for name in likely[:SEEDS] if taxonomy[name].emoji}
        # Saved before anybody can tap one: on these emoji their gestures count for ever.
        self.context.store.messages.set_offered(self.stored.id, offered)
        for emoji in offered:
            self.context.publish(queues.seed(message.channel, message.ts, emoji))

    def _tell(self, user: str) -> None:
        """Tell a person, once a day, that their corrections do not count."""
        if not self.context.store.people.take_telling(user):
            return
        try:
            self.slack.chat_postEphemeral(
                channel=self.row.channel, user=user, thread_ts=self.row.thread_ts, text=self.context.texts("judge.refused")
            )
        except (SlackApiError, RateLimited, AmbiguousResult) as error:  # they may have left; the labels stand there
            log.info("could not tell %s that their corrections do not count: %s", user, error)


def render_reply(
    message: Message,
    prediction: Prediction,
    judged: Judged,
    taxonomy: Taxonomy,
    texts: Texts,
    *,
    known: str = "",
    among: Collection[str] | None = None,
) -> tuple[str, list[blocks.Block]]:
    """Return the reply that shows this: its text for notifications, and its blocks; `known` is why it is known.

    Of what the network says, only the labels that are `among` those of the channel; None for all.
    """
    if message.blind and not judged.state.judges:
        return reply_blocks.blind(texts)
    read = taxonomy.read(prediction)
    older = set(read.scores) != set(taxonomy.names)
    private = message.source is Source.COMMAND
    read = only(read, among)
    return reply_blocks.reply(
        read, judged.state, taxonomy, texts, stale=judged.stale, buttons=not private, older=older, known=known
    )


def known_from(
    context: OutboxContext, source_id: str | None, stored: StoredMessage, taxonomy: Taxonomy, *, is_member: bool | None = None
) -> str:
    """Return in which judged message ("channel:ts") people said so, and who did; "" where that is erased, or taken back.

    Where not everybody who reads about `stored` may read that message, neither it nor they are named. A name calls nobody.
    `is_member`: one person reads it, who is a full member or not; None: all who read where `stored` is, or who gave a command.
    """
    channel, _, ts = (source_id or "").partition(":")
    source = context.store.messages.find(channel, ts) if ts else None
    if source is None or source.deleted or source.id == stored.id:
        return ""
    judged = context.store.judged.of(source.id, taxonomy)
    if judged is None or not judged.state.judges:
        return ""
    texts = context.texts
    if channel != stored.message.channel and not (
        context.public_channels.has(channel) and _reads_public_channels(context, stored, is_member)
    ):
        return texts("reply.known_elsewhere")
    agreed = judged.prediction is not None and set(judged.state.shown) == set(judged.prediction.labels)
    names = [context.names.of(user) for user in judged.state.judges[:NAMED]]
    people = ", ".join(f"@{blocks.escape(name)}" for name in names if name) or texts("reply.somebody")
    link = context.link_to(channel, ts, texts("reply.known_message"))
    return texts("reply.known_confirmed" if agreed else "reply.known", link=link, people=people)


def _reads_public_channels(context: OutboxContext, stored: StoredMessage, is_member: bool | None) -> bool:
    if is_member is not None:
        return is_member
    if stored.message.source is Source.COMMAND or stored.message.channel.startswith("D"):  # one person reads it
        return context.names.is_full_member(stored.message.user)
    return not context.public_channels.is_read_outside(stored.message.channel)


def _how_it_stands(label: LabelState | None) -> str:
    """Return the same while the same people say the same of a label, and what follows from it is the same."""
    return hashlib.sha256(repr(label).encode()).hexdigest()[:16]


def post_to(response_url: str, content: Content) -> None:
    """Show the content, once, to the person whose command this is the address of; AmbiguousResult where it may not be there."""
    # Without a list of its own slack_sdk posts again, by itself, what was cut off.
    client = WebhookClient(response_url, timeout=RESPONSE_WITHIN_S, retry_handlers=[])
    began = time.perf_counter()
    try:
        # In the classic form: such an address does not tell what was wrong with a block.
        shown = None if content.blocks is None else classic_form(content.blocks)
        sent = client.send(text=content.text, blocks=shown, response_type="ephemeral")
    except (OSError, HTTPException) as error:
        count_call("response_url", "lost", time.perf_counter() - began)
        raise AmbiguousResult("response_url", error) from None
    lost = sent.status_code >= 500 or sent.status_code == 429
    count_call("response_url", "lost" if lost else "ok", time.perf_counter() - began)
    if lost:
        raise AmbiguousResult("response_url", sent.status_code)
