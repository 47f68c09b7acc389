"""One post that answers many messages of a channel together, where more of them wait than Slack lets us answer in time."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from bot.outbox.client import Message
from bot.outbox.context import used_labels
from bot.outbox.states import Facts, Subject, Write
from bot.outbox.work import Content, Work
from bot.views import blocks, reply_blocks
from model.labels import only
from model.store.outbox_row import State
from model.store.standing import Standing, microseconds
from model.store.stored_message import StoredMessage


class DigestWork(Work):
    """The labels of all messages that this post still answers, a line each."""

    METADATA = "beto_digest"
    NAMED = "messages"

    _standing: Sequence[tuple[StoredMessage, Standing]] = ()  # as far as was rendered

    def facts(self, *, in_turn: bool) -> Facts:
        """Return what is known before the first call; a post that answers nobody any more is to go."""
        self._members = self.context.store.outbox.members(self.row)
        return replace(super().facts(in_turn=in_turn), subject=Subject.PRESENT if self._members else Subject.GONE)

    def name(self) -> str:
        """Return the ts of each message that it answered at first."""
        return " ".join(self.row.content["messages"])

    def oldest(self) -> str:
        """Return the ts of the oldest message: no post answers what was not said yet."""
        return str(min(self.row.content["messages"]))

    def is_ours(self, message: Message) -> bool:
        """Return whether this message in Slack answers any of the messages as a digest."""
        metadata = message.get("metadata") or {}
        if metadata.get("event_type") != self.METADATA:
            return False
        return not set(self.row.content["messages"]).isdisjoint(str(metadata["event_payload"][self.NAMED]).split())

    def render(self) -> Content:
        """Return a line for each message."""
        context, store = self.context, self.context.store
        found = [(store.messages.get(message_id), store.predictions.latest(message_id)) for message_id in self._members]
        store.labels.catch_up({name for _, prediction in found if prediction is not None for name in prediction.learning})
        taxonomy = store.labels.current()
        lines, stamps = [], []
        standing = []
        for stored, prediction in found:
            if stored is None or prediction is None or stored.deleted:
                continue
            message = stored.message
            stamps.append(message.ts)
            link = context.link_to(message.channel, message.ts, blocks.snippet(message.text))
            read = only(taxonomy.read(prediction), used_labels(context, message.channel, taxonomy))
            at, labels = microseconds(message.ts), read.labels
            standing.append((stored, Standing(at, None if message.blind else labels)))
            told = "…" if message.blind else reply_blocks.predicted(read, taxonomy, context.texts)
            lines.append(context.texts("digest.line", link=link, labels=told))
        self._stamps, self._standing = stamps, standing
        text, shown_blocks = reply_blocks.digest(lines, context.texts)
        return Content(text, shown_blocks)

    def follow(self, write: Write) -> None:
        """Keep what stands under those that have no reply of their own."""
        if write.state is State.SHOWN:
            self.context.store.standings.keep_new(self._standing)

    def metadata(self) -> dict[str, Any]:
        """Return which messages the post answers now."""
        return {"event_type": self.METADATA, "event_payload": {self.NAMED: " ".join(self._stamps)}}
