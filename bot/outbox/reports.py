"""What people see of a training run: its status message while it lasts, and in that message's thread a picture and its report."""

import logging
from dataclasses import replace
from http.client import HTTPException
from typing import Any

from slack_sdk.errors import SlackApiError, SlackClientError

from bot import queues
from bot.forms import NoClassicForm
from bot.outbox.client import Message, RateLimitedClient
from bot.outbox.states import (
    AGAIN_S,
    NOT_THERE_AGAIN_S,
    AmbiguousResult,
    Done,
    Facts,
    RateLimited,
    Subject,
    Write,
)
from bot.outbox.work import Content, Work
from bot.views import blocks, label_names, run_blocks, score_blocks
from bot.views.charts import draw
from model.schema import Report, Run
from model.store.outbox_row import SETTLED, State, picture_key, report_key, status_key

log = logging.getLogger(__name__)

# A run is asked for before its status message is posted, by clocks that may differ.
BEFORE_S = 60.0


class RunWork(Work):
    """Work on a row that is about a training run."""

    NAMED = "run"

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        assert self.row.run_id is not None  # rows of these kinds have one
        run = self.context.store.runs.get(self.row.run_id)
        assert run is not None  # runs are never deleted
        self.run: Run = run

    @property
    def slack(self) -> RateLimitedClient:
        """A client that waits for a moment: nobody is in a hurry here."""
        return self.context.patient_slack

    def name(self) -> str:
        """Return the run's id."""
        return str(self.run.id)


class StatusWork(RunWork):
    """How far the run is, and what came of it."""

    METADATA = "beto_run"

    def facts(self, *, in_turn: bool) -> Facts:
        """Return what is known before the first call; while the run is not over there is always more to say."""
        return replace(super().facts(in_turn=in_turn), is_last=self.run.over)

    def oldest(self) -> str:
        """Return a moment before the status message was posted."""
        return f"{self.run.requested_at.timestamp() - BEFORE_S:.6f}"

    def render(self) -> Content:
        """Return how the run is."""
        standing = None if self.run.report is None else self.context.store.registry.standing(self.run.report.version)
        return Content(*run_blocks.status(self.run, self.context.texts, standing))

    def follow(self, write: Write) -> None:
        """Go on with the picture once the end is told."""
        if write.state is State.SHOWN and self.run.report is not None:
            self.context.publish(queues.deliver(picture_key(self.run.id)))


class InThread(RunWork):
    """Work on a row that stands in the thread of the run's status message, once that tells the end."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._status = self.context.store.outbox.get(status_key(self.run.id))

    @property
    def report(self) -> Report:
        """What the run came to."""
        assert self.run.report is not None  # rows of these kinds are opened with the report
        return self.run.report

    def thread_ts(self) -> str | None:
        """Return the ts of the status message."""
        return None if self._status is None else self._status.ts

    def facts(self, *, in_turn: bool) -> Facts:
        """Return what is known before the first call, which waits until the status message tells the end."""
        facts, status = super().facts(in_turn=in_turn), self._status
        if self.row.ts is not None:
            return facts
        if status is None or status.state is State.GONE:
            return replace(facts, subject=Subject.UNKNOWN)
        if status.state is State.REFUSED:
            again = status.retry_at is not None
            return replace(facts, waits_s=NOT_THERE_AGAIN_S) if again else replace(facts, refused_with=status.reason or "status")
        return facts if status.state is State.SHOWN else replace(facts, waits_s=AGAIN_S)


class PictureWork(InThread):
    """The scores of a report: Slack's own chart and table, or a picture where it does not take those.

    The words matter more, and two pictures are worse than none.
    """

    METADATA = "beto_picture"

    @property
    def slack(self) -> RateLimitedClient:
        """A client that waits for nothing: three calls, each of them slow, must end within a lease."""
        return self.context.slack

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._uploads = int(self.row.content.get("uploads", 0))

    def facts(self, *, in_turn: bool) -> Facts:
        """Return what is known before the first call; where no label was measured there is nothing to draw."""
        subject = Subject.PRESENT if self.report.comparison.per_label else Subject.CLOSED
        return replace(super().facts(in_turn=in_turn), subject=subject, uploads=self._uploads)

    def is_ours(self, message: Message) -> bool:
        """Return whether this message in Slack has the scores: an upload carries no metadata, but its file has a name."""
        return super().is_ours(message) or any(file.get("name") == self._file_name for file in message.get("files") or ())

    def render(self) -> Content:
        """Return the chart and the table, and what screen readers say; a picture is drawn when it is uploaded."""
        shown = score_blocks.scores(self.report, self.context.store.labels.current(), self.context.texts)
        return Content(self.context.texts("run.picture_alt"), shown)

    def post(self, content: Content) -> Done:
        """Post the chart and the table, or upload the picture."""
        try:
            return super().post(content) if content.blocks else self._upload(content)
        except NoClassicForm:
            return self._upload(content)

    def _upload(self, content: Content) -> Done:
        """Upload the picture, which is counted before it is tried."""
        picture = draw(self.report, self.context.store.labels.current(), self.context.texts)
        self.context.store.outbox.note(self.row.key, uploads=self._uploads + 1)
        try:
            self.slack.files_upload_v2(
                channel=self.row.channel,
                thread_ts=self.thread_ts(),
                content=picture,
                filename=self._file_name,
                title=self.context.texts("run.picture_title", version=self.report.version),
                alt_txt=content.text,
            )
        except RateLimited:
            self.context.store.outbox.note(self.row.key, uploads=self._uploads)
            raise
        except SlackApiError:
            raise
        except (OSError, HTTPException, SlackClientError) as error:
            # The second of its three steps goes by urllib itself, to another host, which may be blocked.
            raise AmbiguousResult("files.upload", error) from error
        return Done()  # Slack does not say where it stands

    def follow(self, write: Write) -> None:  # noqa: ARG002 - whatever came of the picture
        """Go on with the report."""
        self.context.publish(queues.deliver(report_key(self.run.id)))

    @property
    def _file_name(self) -> str:
        return f"beto-{self.report.version}.png"


class ReportWork(InThread):
    """What a run learnt from, how good that is, what changes, the verdict, and what somebody decided since."""

    METADATA = "beto_report"

    _asks_for_links = True

    def facts(self, *, in_turn: bool) -> Facts:
        """Return what is known before the first call: the report comes after its picture, or after that was refused."""
        facts = super().facts(in_turn=in_turn)
        if self.row.ts is not None or facts.waits_s or facts.subject is not Subject.PRESENT:
            return facts
        picture = self.context.store.outbox.get(picture_key(self.run.id))
        return facts if picture is None or picture.state in SETTLED else replace(facts, waits_s=AGAIN_S)

    def render(self) -> Content:
        """Return the report as it is now, with links to the messages whose labels would change."""
        texts, taxonomy, store = self.context.texts, self.context.store.labels.current(), self.context.store
        lines, hidden = [], 0
        for flip in self.report.flips:
            stored = store.messages.get(flip.message_id)
            # A blind message's labels would be told here before anybody has judged it.
            if stored is None or stored.deleted or stored.message.blind:
                continue
            message = stored.message
            if not self._may_be_told_of(message.channel):
                hidden += 1
                continue
            before, after = (label_names.names(labels, taxonomy, texts) for labels in (flip.before, flip.after))
            link = self._quoted(message.channel, message.ts, message.text)
            lines.append(texts("run.flip", link=link, before=before, after=after))
        if hidden:
            lines.append(texts.counted("run.flips_hidden" if lines else "run.flips_all_hidden", hidden))
        standing = store.registry.standing(self.report.version)
        return Content(*run_blocks.report(self.run, self.report, standing, lines, taxonomy, texts))

    def _may_be_told_of(self, channel: str) -> bool:
        """Return whether those who read this may know of messages in that channel."""
        return channel == self.row.channel or self.context.public_channels.has(channel)

    def _quoted(self, channel: str, ts: str, text: str) -> str:
        """Return a link to the message, with its first words where it is in this channel: guests do not see other public ones."""
        words = blocks.snippet(text) if channel == self.row.channel else "…"
        link = f"{self.context.workspace_url}archives/{channel}/p{ts.replace('.', '')}"
        # The report matters more than where its links lead: one call that fails is the last one.
        if self._asks_for_links:
            try:
                link = str(self.slack.chat_getPermalink(channel=channel, message_ts=ts)["permalink"])
            except SlackApiError:
                link = ""
            except (RateLimited, AmbiguousResult) as error:
                log.info("the links of run %s are made up from here on: %s", self.run.id, error)
                self._asks_for_links = False
        return f"<{link}|{words}>" if link else words
