"""The sweep: whatever was saved and waits for too long is on the queues again, whatever Redis or a dead process has lost."""

import logging
import threading

from bot import queues
from bot.metrics import SWEEPS, SWEPT
from bot.outbox.context import OutboxContext
from bot.outbox.erasure import ErasureSweep
from bot.outbox.portions import open_portions
from bot.outbox.summaries import open_summaries
from model.errors import StoreUnavailable
from model.store.outbox_row import Kind

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 5.0
# By then a worker has labelled a text, or none is there.
STEP_WITHIN_S = 60.0


def sweep(context: OutboxContext) -> int:
    """Publish a task for each row that has waited for too long; return how many were published.

    Only what is on its way counts as tried: while Redis is away nothing is, and all of it is found again as soon as it is back.
    """
    if not context.locks.lock("sweep", SWEEP_EVERY_S / 2):
        return 0  # another process is at it
    outbox = context.store.outbox
    sent = []
    try:
        for row in outbox.overdue():
            if row.revision is not None and row.kind is Kind.EXPLANATION:
                task = queues.explain_and_show(row.key)
            elif row.kind is Kind.STEP:
                # Where the labels are there, or it was given up, there is no text, and the workflow is told.
                waits = context.store.steps.text_of(row.key) is not None
                task = queues.label_and_complete(row.key) if waits else queues.deliver(row.key)
            elif row.revision is not None and row.message_id is not None:
                task = queues.classify_and_reply(row.message_id, row.revision)
            else:
                task = queues.deliver(row.key)
            task.apply_async()
            sent.append(row)
    except StoreUnavailable:
        raise
    except Exception as error:  # kombu lets every transport's own exceptions through
        log.warning("the sweep could not publish: %r", error)
    outbox.note_sent(sent)
    return len(sent)


def give_up_steps(context: OutboxContext) -> int:
    """Tell workflows that have waited for STEP_WITHIN_S that nothing comes: else they would wait for ever."""
    keys = context.store.steps.give_up(STEP_WITHIN_S, "step.late")
    for key in keys:
        context.publish(queues.deliver(key))
    return len(keys)


class Sweeper:
    """Sweeps the outbox and what is to be erased every SWEEP_EVERY_S, in a thread of its own."""

    def __init__(self, context: OutboxContext) -> None:
        self._context = context
        self._erasure = ErasureSweep(context)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)

    def start(self) -> None:
        """Begin to sweep."""
        self._thread.start()

    def stop(self) -> None:
        """Sweep no more."""
        self._stop.set()

    def why_stuck(self) -> str | None:
        """Return that the thread has ended, where `stop` did not end it; else None."""
        ended = self._thread.ident is not None and not self._stop.is_set() and not self._thread.is_alive()
        return "the ended thread of the sweep" if ended else None

    def look(self) -> None:
        """Sweep once; none of these keeps the others from their work."""
        for what, look in (
            ("what channels are to be told", lambda: open_summaries(self._context)),
            ("the outbox", lambda: sweep(self._context)),
            ("workflows that waited in vain", lambda: give_up_steps(self._context)),
            ("what is to be erased", self._erasure.run),
            ("what stood before", self._note_former),
            ("the daily reviews", lambda: open_portions(self._context)),
        ):
            outcome = "failed"
            try:
                found = look()
                outcome = "done"
            except StoreUnavailable as error:
                log.warning("the sweep of %s waits for the database: %s", what, error)
            except Exception:  # the thread must outlive whatever goes wrong; the rows stay for the next round
                log.exception("the sweep of %s failed", what)
            else:
                if found:
                    SWEPT.labels(what).inc(found)
                    log.info("the sweep sent %s rows again", found)
            SWEEPS.labels(what, outcome).inc()

    def _note_former(self) -> int:
        """Note what stands under some more of the messages that were answered before that was kept."""
        store = self._context.store
        return store.standings.note_former(store.labels.current()) if store.standings.has_former() else 0

    def _run(self) -> None:
        while not self._stop.wait(SWEEP_EVERY_S):
            self.look()
