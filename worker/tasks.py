"""The worker's tasks. Whoever publishes says as a Celery link what happens next; no Slack is known here."""

import logging
import threading
from functools import cache

from model.store import Store
from worker.app import app
from worker.host import Host
from worker.settings import WorkerSettings

log = logging.getLogger(__name__)

# A message that has no prediction by then is given up here and sent again by the sweep.
PATIENCE_S = 60.0
# A training reports at least once a second; the floor's fit is the longest silence, a few seconds.
SILENT_S = 60.0


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


@app.task(name="worker.classify")
def classify(message_id: int, revision: int) -> None:
    """The prediction of the live version for this text is in the store; nothing where the text is another by now."""
    stored = store().message(message_id)
    if stored is None or stored.deleted or stored.revision != revision:
        return
    if store().has_prediction(message_id, revision, host().serving):
        return
    prediction, model_s = host().predict(stored.message.text, PATIENCE_S)
    store().save_prediction(message_id, revision, prediction, model_s)


@app.task(name="worker.train")
def train(run_id: int) -> None:
    """The run is over, one way or the other; its row says which."""
    from model.retraining import run_training

    run_training(store(), WorkerSettings(), run_id)


def ensure_first_version(stop: threading.Event) -> None:
    """Returns when a version is live, when its training failed with a reason, or at `stop`; a killed training is begun anew."""
    from model.registry import Registry

    registry = Registry(store(), WorkerSettings().home_folder)
    published = 0
    while registry.live() is None:
        died = store().close_dead_runs(SILENT_S)
        if published == 0 or published in died:
            # Also a run that an earlier process opened: its task may be gone with Redis, and a second one does nothing.
            published, _ = store().open_run("beto")
            log.info("no version is live: run %s trains the first one", published)
            train.delay(published)
        run = store().run(published)
        if run is not None and run.status == "failed" and published not in died:
            log.error("the first training failed, start the trainer again to retry: %s", run.error)
            return
        if stop.wait(2.0):
            return
