"""The worker's tasks. Whoever publishes says as a Celery link what happens next; no Slack is known here."""

import logging
import threading
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from model.errors import StoreUnavailable
from model.store.store import Labelled, Store
from worker.app import app
from worker.batcher import Batcher
from worker.host import Host
from worker.settings import WorkerSettings

if TYPE_CHECKING:
    from model.store.runs import Runs

log = logging.getLogger(__name__)

# A message that has no prediction by then is given up here and sent again by the sweep.
PATIENCE_S = 60.0
# Messages in one transaction: more only make the first of them wait.
AT_ONCE = 64
# How often the trainer looks whether there is something to train.
LOOK_EVERY_S = 2.0

# First trainings that failed and were complained about.
_complained: set[int] = set()


@cache
def store() -> Store:
    """This process's store."""
    return Store(WorkerSettings().store_url)


@cache
def host() -> Host:
    """This process's host; the first call starts it."""
    started = Host(store(), WorkerSettings())
    started.start()
    return started


@cache
def texts() -> Batcher[tuple[int, int], str | None]:
    """Reads what is to be labelled, many messages at a time."""
    return Batcher(lambda wanted: store().to_label(wanted, host().serving), budget=AT_ONCE, everybody=(StoreUnavailable,))


@cache
def labelled() -> Batcher[Labelled, bool]:
    """Keeps predictions, many in one transaction."""
    return Batcher(store().save_predictions, budget=AT_ONCE, everybody=(StoreUnavailable,))


@app.task(name="worker.classify")
def classify(message_id: int, revision: int) -> None:
    """The prediction of the live version for this text is in the store; nothing where the text is another by now."""
    text = texts().ask((message_id, revision), PATIENCE_S)
    if text is not None:
        prediction, model_s = host().predict(text, PATIENCE_S)
        labelled().ask(Labelled(message_id, revision, prediction, model_s), PATIENCE_S)


@app.task(name="worker.train")
def train(run_id: int) -> None:
    """The run is over, one way or the other; its row says which."""
    from model.learning.retraining import run_training

    run_training(store(), WorkerSettings(), run_id)


def keep_runs_going(stop: threading.Event) -> None:
    """Until `stop`: the first version is trained, runs of dead processes are taken up, and those that are due are begun."""
    from model.store.runs import Runs

    runs, settings = Runs(store()), WorkerSettings()
    first: int | None = None
    while not stop.is_set():
        try:
            for run_id in runs.abandoned():
                log.info("run %s is taken up again", run_id)
                train.delay(run_id)
            first = _ensure_first_version(runs, settings, first)
            if first is None and (due := why_due(runs, settings)) is not None:
                run_id, new = runs.open("beto", channel=settings.retrain_channel or None)
                if new:
                    log.info("run %s begins: %s", run_id, due)
                    train.delay(run_id)
        except StoreUnavailable as error:
            log.warning("runs are not looked after: %s", error)
        except Exception:  # kombu lets every transport's own exceptions through; the rows stay for the next round
            log.exception("a run could not be sent to the queue")
        stop.wait(LOOK_EVERY_S)


def _ensure_first_version(runs: "Runs", settings: WorkerSettings, first: int | None) -> int | None:
    """The run that trains the first version, while there is none; one that failed is not repeated by this process."""
    from model.store.registry import Registry

    if Registry(store(), settings.home_folder).live() is not None:
        return None
    if first is None:
        # Also a run that an earlier process opened: its task may be gone with Redis, and a second one does nothing.
        first, _ = runs.open("beto")
        log.info("no version is live: run %s trains the first one", first)
        train.delay(first)
    elif (run := runs.get(first)) is not None and run.status == "failed" and first not in _complained:
        _complained.add(first)
        log.error("the first training failed, start the trainer again to retry: %s", run.error)
    return first


def why_due(runs: "Runs", settings: WorkerSettings, moment: datetime | None = None) -> str | None:
    """Why a run should begin by itself now; None where it should not, or one is open already."""
    last = runs.last()
    if last is None or not last.over:
        return None
    if settings.retrain_after and (new := runs.new_judgements()) >= settings.retrain_after:
        # A run that failed is not repeated until there is more to learn from.
        if last.status == "failed" and new < 2 * settings.retrain_after:
            return None
        return f"{new} new judgements"
    hours = ((moment or datetime.now(UTC)) - last.requested_at).total_seconds() / 3600
    if settings.retrain_every_h and hours >= settings.retrain_every_h and runs.new_judgements():
        return f"{hours:.0f} hours since the last run"
    return None
