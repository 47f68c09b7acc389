"""What came in a channel, told there by itself, daily or weekly: when, and what it shows. Nothing where nothing came."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from bot.outbox.context import OutboxContext
from bot.outbox.states import Facts, Subject
from bot.outbox.work import Content, Work
from bot.views import summary_blocks
from model.store.channels import SummaryChoice
from model.store.database import now
from model.store.outbox_row import summary_key
from model.store.standings import Span
from model.summary import Summary


@dataclass(frozen=True)
class Due:
    """The last time that a channel was to be told, and from when on: by the clock of its zone."""

    since: datetime
    at: datetime


def last_due(choice: SummaryChoice, moment: datetime) -> Due:
    """Return the last time at or before this moment: each day, or each Monday, at the hour of its zone's clock."""
    try:
        zone = ZoneInfo(choice.zone)
    except (KeyError, ValueError, OSError):  # a zone that this machine does not know
        zone = ZoneInfo("UTC")
    step = timedelta(days=1 if choice.frequency == "daily" else 7)
    there = moment.astimezone(zone)
    day = there.date() - timedelta(days=0 if choice.frequency == "daily" else there.weekday())
    at = datetime(day.year, day.month, day.day, choice.hour, tzinfo=zone)
    if at > moment:
        at -= step  # by the clock on the wall: a day on which that changes has 23 or 25 hours
    return Due(at - step, at)


def open_summaries(context: OutboxContext) -> int:
    """Open the post of each channel that is to be told by now, once, whichever processes try; return how many."""
    opened = 0
    for choice in context.store.channels.summaries():
        due = last_due(choice, now())
        key = summary_key(choice.channel, f"{due.at:%Y-%m-%d}")
        if due.at > choice.since and context.store.outbox.get(key) is None:
            content = {"since": due.since.timestamp(), "until": due.at.timestamp(), "every": choice.frequency}
            opened += context.store.outbox.open_summary(key, choice.channel, content)
    return opened


class SummaryWork(Work):
    """What came in a channel since it was told last."""

    METADATA = "beto_summary"
    NAMED = "key"

    def name(self) -> str:
        """Return the row's key."""
        return self.row.key

    def oldest(self) -> str:
        """Return the moment when it was due."""
        return f"{float(self.row.content['until']):.6f}"

    def facts(self, *, in_turn: bool) -> Facts:
        """Return what is known before the first call; where nothing came, nothing is said."""
        store, taxonomy = self.context.store, self.context.store.labels.current()
        came = store.standings.count(self._span, taxonomy, channel=self.row.channel, by_label=False).messages
        return replace(super().facts(in_turn=in_turn), subject=Subject.PRESENT if came else Subject.CLOSED)

    def render(self) -> Content:
        """Return counts, and the messages that matter first."""
        store, taxonomy = self.context.store, self.context.store.labels.current()
        since, until = (datetime.fromtimestamp(each / 1e6).astimezone() for each in (self._span.since, self._span.until))
        summary: Summary = store.standings.summary(self.row.channel, since, until, taxonomy)
        archives = f"{self.context.workspace_url}archives/"
        every = str(self.row.content["every"])
        return Content(*summary_blocks.post(summary, taxonomy, self.context.texts, archives=archives, every=every))

    @property
    def _span(self) -> Span:
        content = self.row.content
        return Span(int(content["since"] * 1e6), int(content["until"] * 1e6))
