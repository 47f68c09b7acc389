"""What each kind of row shows, and where it stands: the base of the classes in `replies`, `digests` and `reports`."""

from dataclasses import dataclass
from typing import Any, ClassVar

from slack_sdk.errors import SlackApiError

from bot.errors import refusal
from bot.outbox.client import NO_UNFURL, Message, RateLimitedClient, find_messages, has_metadata
from bot.outbox.context import OutboxContext
from bot.outbox.states import AmbiguousResult, Done, Facts, RateLimited, Refused, Write, redraw_every_s
from bot.views.blocks import Block
from model.store.database import now
from model.store.outbox_row import Claim
from model.store.standing import Standing


@dataclass(frozen=True)
class Content:
    """What a post shows: its text for notifications, and its blocks."""

    text: str
    blocks: list[Block] | None = None


class Work:
    """One claimed row: what is known of it, what it shows, and the calls to Slack that bring it there.

    A call raises RateLimited, AmbiguousResult or SlackApiError.
    """

    METADATA: ClassVar[str]  # what our posts of this kind are found by
    NAMED: ClassVar[str]

    def __init__(self, context: OutboxContext, claim: Claim) -> None:
        self.context = context
        self.claim = claim
        self.row = claim.row
        self.questions: dict[str, str] = {}  # labels that the thread is or was asked about, and how each stands
        self.standing: Standing | None = None  # of a reply, what stands under its message

    def prepare(self) -> None:
        """Open the rows that follow from this one, whatever becomes of it; whoever dies here leaves it due, to be done again."""

    # What there is to know

    def facts(self, *, in_turn: bool) -> Facts:  # noqa: ARG002 - only replies have turns
        """Return what is known before the first call."""
        row = self.row
        return Facts(row.kind, ts=row.ts, in_doubt=self.claim.in_doubt, early_s=self._early_s(), tries=row.tries)

    def name(self) -> str:
        """Return what our post of this row is called in its metadata."""
        raise NotImplementedError

    def thread_ts(self) -> str | None:
        """Return the thread that the post is in."""
        return self.row.thread_ts

    def oldest(self) -> str:
        """Return the moment since when a post in the channel itself may stand there."""
        return "0"

    def render(self) -> Content:
        """Return what is to be shown."""
        raise NotImplementedError

    # Calls

    @property
    def slack(self) -> RateLimitedClient:
        """The client that this kind of row is shown by."""
        return self.context.slack

    def find(self) -> list[str]:
        """Return the ts of each post of this row that stands in Slack, the oldest first."""
        return find_messages(self.slack, self.row.channel, self.is_ours, thread_ts=self.thread_ts(), oldest=self.oldest())

    def is_ours(self, message: Message) -> bool:
        """Return whether this message in Slack is a post of this row."""
        return has_metadata(message, self.METADATA, self.NAMED, self.name())

    def post(self, content: Content) -> Done:
        """Post it."""
        thread_ts = self.thread_ts()
        where: dict[str, Any] = {} if thread_ts is None else {"thread_ts": thread_ts}
        posted = self.slack.chat_postMessage(**self._arguments(content), **where, **NO_UNFURL)
        return Done(str(posted["ts"]), misplaced=thread_ts is not None and posted["message"].get("thread_ts") != thread_ts)

    def update(self, ts: str, content: Content) -> Done:
        """Render the post anew."""
        self.slack.chat_update(ts=ts, **self._arguments(content))
        return Done(ts)

    def delete(self, ts: str) -> Done:
        """Delete the post."""
        self.slack.chat_delete(channel=self.row.channel, ts=ts)
        return Done()

    def answer(self, content: Content) -> Done:
        """Send it to the person who asked, alone."""
        raise NotImplementedError

    def metadata(self) -> dict[str, Any]:
        """Return what the post is to be found by."""
        return {"event_type": self.METADATA, "event_payload": {self.NAMED: self.name()}}

    # What follows

    def follow(self, write: Write) -> None:
        """Publish what comes next, once the row is recorded. Best effort: whatever must come is a row of its own."""

    def _early_s(self) -> float:
        """Return the seconds until this row may be rendered again."""
        if self.row.rendered_at is None:
            return 0.0
        return max(redraw_every_s(self.row.kind) - (now() - self.row.rendered_at).total_seconds(), 0.0)

    def _arguments(self, content: Content) -> dict[str, Any]:
        shown = {} if content.blocks is None else {"blocks": content.blocks}
        return {"channel": self.row.channel, "text": content.text, "metadata": self.metadata(), **shown}


def outcome_of(error: SlackApiError | RateLimited | AmbiguousResult) -> Refused | RateLimited | AmbiguousResult:
    """Return what a call that raised this came to."""
    return Refused(str(refusal(error))) if isinstance(error, SlackApiError) else error
