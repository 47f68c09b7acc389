"""The emoji of ours on a message: which are to be there, and the calls that put them there and take them off."""

from dataclasses import replace

from slack_sdk.errors import SlackApiError

from bot.errors import refusal
from bot.outbox.about import AboutMessage
from bot.outbox.context import OutboxContext
from bot.outbox.routing import route_emoji
from bot.outbox.showing import MOST_EMOJI, judged_now, shown_of, sure_labels
from bot.outbox.states import PERMANENT_ERRORS, Done, Facts, Subject
from bot.outbox.work import Content
from model.store.outbox_row import reply_key

# A workspace may not have the emoji that the setting or the label names, and people may have put too many.
NOT_PUT = {"already_reacted", "invalid_name", "message_not_found", "too_many_reactions", *PERMANENT_ERRORS}
NOT_TAKEN = {"no_reaction", "invalid_name", "message_not_found", *PERMANENT_ERRORS}


class EmojiWork(AboutMessage):
    """The emoji of the labels that stand and are sure, on the message itself, where its channel wants that.

    Slack keeps one reaction of ours however often it is put, so nothing has to be looked for after a lost answer.
    """

    METADATA = "beto_emoji"
    NAMED = "about"

    def name(self) -> str:
        """Return the message's place; no post carries it."""
        return self.place

    def find(self) -> list[str]:
        """Return nothing: there is no post of this row."""
        return []

    def facts(self, *, in_turn: bool) -> Facts:
        """Return what is known before the first call; what is gone has no emoji (see `process.take_reactions_off`)."""
        facts = super().facts(in_turn=in_turn)
        if self.stored.deleted or self.claim.prediction is None:
            return replace(facts, subject=Subject.UNKNOWN)
        self._shown = shown_of(self.context, self.claim, self.stored, self._reply_ts())
        return replace(facts, waits_s=self._shown.wait_s)

    def render(self) -> Content:
        """Return which emoji are to be there, and remember for which labels; who of those that judged counts is asked first."""
        taxonomy, message = self.context.store.labels.current(), self.stored.message
        judged = judged_now(self.context, self.stored)
        prediction = None if self.claim.prediction is None else taxonomy.read(self.claim.prediction)
        # What a route puts there says no label: nobody taps it to judge.
        self._wanted: dict[str, str] = dict.fromkeys(route_emoji(self.context, self.stored, judged.state, prediction), "")
        if not self._shown.muted_by and not (message.blind and not judged.state.judges):
            stand = sure_labels(judged.state, prediction)
            named = {taxonomy[name].emoji: name for name in stand if name in taxonomy and taxonomy[name].emoji}
            # Those that are there stay while their labels stand, whatever the channel shows by now.
            shown = {emoji: name for emoji, name in named.items() if self._shown.emoji or emoji in self._put}
            self._wanted |= dict(list(shown.items())[:MOST_EMOJI])
        return Content(" ".join(self._wanted))

    def post(self, content: Content) -> Done:
        """Put what is missing, and take off what is too much."""
        wanted = {emoji: self._wanted[emoji] for emoji in content.text.split()}
        put, messages, message = dict(self._put), self.context.store.messages, self.stored.message
        surplus = [emoji for emoji in put if emoji not in wanted]
        offered = dict(self.stored.offered)
        if wanted.keys() - offered.keys():
            # Saved before anybody can tap one: on these emoji their gestures count for ever.
            messages.set_offered(self.stored.id, offered := offered | wanted)
        try:
            for emoji, label in wanted.items():
                if emoji not in put:
                    _unless(NOT_PUT, self.context, "add", message.channel, message.ts, emoji)
                    put[emoji] = label
            for emoji in surplus:
                _unless(NOT_TAKEN, self.context, "remove", message.channel, message.ts, emoji)
                del put[emoji]
        finally:
            self.context.store.outbox.note(self.row.key, put=put)
            if surplus:
                gone = [emoji for emoji in surplus if emoji not in put]
                messages.set_offered(self.stored.id, {name: label for name, label in offered.items() if name not in gone})
        return Done()

    @property
    def _put(self) -> dict[str, str]:
        """The emoji that are there, as far as anybody lived to record it, with their labels."""
        return dict(self.row.content.get("put") or {})

    def _reply_ts(self) -> str | None:
        reply = self.context.store.outbox.get(reply_key(self.stored.id))
        return None if reply is None else reply.ts


def _unless(errors: set[str], context: OutboxContext, verb: str, channel: str, ts: str, emoji: str) -> None:
    """Add or remove our reaction; these errors mean that there is nothing to do."""
    call = context.slack.reactions_add if verb == "add" else context.slack.reactions_remove
    try:
        call(channel=channel, timestamp=ts, name=emoji)
    except SlackApiError as error:
        if refusal(error) not in errors:
            raise
