"""The question to a thread what is right, where people disagree on a label."""

from dataclasses import replace

from bot.metrics import DISPUTES
from bot.outbox.about import AboutMessage
from bot.outbox.states import Facts, Subject, Write
from bot.outbox.work import Content
from bot.views import reply_blocks
from model.judgements import LabelState


class QuestionWork(AboutMessage):
    """The question to a thread what is right, where people disagree on a label; later, how that was settled."""

    METADATA = "beto_question"
    NAMED = "about"

    _is_open: bool | None = None  # whether people disagreed when it was rendered; None: it was not

    @property
    def label(self) -> str:
        """The label in dispute."""
        return str(self.row.content["label"])

    def name(self) -> str:
        """Return the message's place with the label."""
        return f"{self.place}:{self.label}"

    def facts(self, *, in_turn: bool) -> Facts:
        """Return what is known before the first call; a dispute that was settled before it was asked about needs no question."""
        asks = (label := self._judged()) is not None and label.status == "disputed" and not self.is_muted()
        subject = Subject.GONE if self.stored.deleted else Subject.PRESENT if asks else Subject.CLOSED
        return replace(super().facts(in_turn=in_turn), subject=subject)

    def render(self) -> Content:
        """Return the question, or what became of it."""
        taxonomy, label = self.context.store.labels.current(), self._judged()
        self._is_open = label is not None and label.status == "disputed"
        if label is not None and self._is_open:
            return Content(reply_blocks.dispute(self.label, label, taxonomy, self.context.texts))
        return Content(reply_blocks.settled(self.label, label, taxonomy, self.context.texts))

    def follow(self, write: Write) -> None:
        """Count the dispute when the thread is asked, or asked once more, and when it is settled; not when it is drawn again."""
        if self._is_open is None or write.ts is None:
            return
        # A row of an earlier version does not say, and was asked about.
        was_open = self.row.ts is not None
        if self.context.store.outbox.note_dispute(self.row.key, is_open=self._is_open, was_open=was_open):
            DISPUTES.labels("asked" if self._is_open else "settled").inc()

    def _judged(self) -> LabelState | None:
        """Return how the label stands now; None where it was retired since."""
        judged = self.context.store.judged.of(self.stored.id, self.context.store.labels.current())
        return None if judged is None else judged.state.labels.get(self.label)
