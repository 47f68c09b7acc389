"""The tasks of `worker` and `trainer`. Whoever publishes says as a Celery link what happens next; no Slack is known here."""

import logging
from dataclasses import dataclass
from typing import Any

from celery import Task

from model.errors import StoreUnavailable
from model.store.database import now
from model.store.predictions import NewPrediction, Unpredicted
from model.store.store import Store
from worker import metrics, traces
from worker.app import app, context_of
from worker.batcher import Batcher
from worker.explaining import Explainer
from worker.host import Host, NoVersion
from worker.logs import about
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)

# A message that has no prediction by then is given up here and sent again by the sweep.
PATIENCE_S = 60.0
# Messages in one transaction: more only make the first of them wait.
AT_ONCE = 64


class WorkerContext:
    """What the tasks of one `worker` process share: its store, the live version, and batchers around reading and saving."""

    def __init__(self, settings: WorkerSettings) -> None:
        """Open the store and start to load the live version; nothing is asked of the database yet."""
        self.settings = settings
        self.store = Store(settings.store_url, settings.home_folder, preferences=settings.preferences)
        self.host = Host(self.store, settings)
        self.explainer = Explainer(self.store, self.host)
        self.texts: Batcher[tuple[int, int], Unpredicted | None] = Batcher(
            lambda wanted: self.store.predictions.texts_to_predict(wanted, self.host.serving),
            budget=AT_ONCE,
            everybody=(StoreUnavailable,),
        )
        self.predictions: Batcher[NewPrediction, bool] = Batcher(
            self.store.predictions.save, budget=AT_ONCE, everybody=(StoreUnavailable,)
        )

    def why_stuck(self) -> str | None:
        """Return which of the threads has ended that `close` did not end; None where all are alive."""
        for name, ended in (("texts", self.texts.ended_threads), ("predictions", self.predictions.ended_threads)):
            if ended:
                return f"the ended thread of the batcher of {name}"
        return self.host.why_stuck()

    def close(self) -> None:
        """Answer everything that was asked, end all threads and close the store."""
        self.texts.close()
        self.host.close()
        self.predictions.close()
        self.store.close()


@dataclass(frozen=True)
class TrainerContext:
    """What the tasks of one `trainer` process, or of a child that it forked, share."""

    settings: WorkerSettings
    store: Store

    @classmethod
    def open(cls, settings: WorkerSettings) -> "TrainerContext":
        """Return a context with a store of its own: connections must not be shared across a fork."""
        return cls(settings, Store(settings.store_url, settings.home_folder, preferences=settings.preferences))


@app.task(name="worker.classify", bind=True, throws=(StoreUnavailable, NoVersion))
def classify(self: "Task[Any, Any]", message_id: int, revision: int) -> None:
    """Save what the live version predicts for this text; do nothing where the message has another text by now."""
    context: WorkerContext = context_of(self)
    with about(message_id=message_id):
        asked = context.texts.ask((message_id, revision), PATIENCE_S)
        if asked is None:
            return
        with traces.span("predict"):
            prediction, model_s = context.host.predict(asked.text, PATIENCE_S)
        if not context.predictions.ask(NewPrediction(message_id, revision, prediction, model_s), PATIENCE_S):
            return
        metrics.PREDICTIONS.inc()
        seconds = (now() - asked.received_at).total_seconds()
        if revision == 1:
            metrics.PREDICTED_SECONDS.observe(seconds)
        log.info("predicted by version %s, %.3f s after it was saved", prediction.version, seconds)


@app.task(name="worker.explain", bind=True, throws=(StoreUnavailable, NoVersion, TimeoutError))
def explain(self: "Task[Any, Any]", key: str) -> None:
    """Save why the live version gives the message of this row its labels; do nothing where that is done."""
    context: WorkerContext = context_of(self)
    asked = context.store.explanations.asked_text(key)
    if asked is not None:
        context.store.explanations.save(key, context.explainer.explain(asked, PATIENCE_S) if asked.text else None)


@app.task(name="worker.step", bind=True, throws=(StoreUnavailable, NoVersion, TimeoutError))
def step(self: "Task[Any, Any]", key: str) -> None:
    """Save what the live version says of the text that a workflow waits for; do nothing where that is done, or given up."""
    context: WorkerContext = context_of(self)
    text = context.store.steps.text_of(key)
    if text is not None:
        prediction, _ = context.host.predict(text, PATIENCE_S)
        context.store.steps.save(key, prediction)


@app.task(name="worker.train", bind=True)
def train(self: "Task[Any, Any]", run_id: int) -> None:
    """Carry out the run; its row says how it ended."""
    from model.learning.retraining import run_training
    from model.learning.suggesting import ask_monthly
    from model.learning.suspicion import note_suspicions

    context: TrainerContext = context_of(self)
    with about(run_id=run_id):
        if not run_training(context.store, context.settings, run_id):
            return
        try:
            note_suspicions(context.store)
            ask_monthly(context.store)
        except Exception:  # the run is closed, and the next one looks again
            log.exception("what looks wrong in what people said was not looked for")
