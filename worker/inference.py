"""The `worker` process: many messages at a time in threads, one batcher and one network behind them."""

from worker import metrics
from worker.app import INFERENCE, app
from worker.process import consume, database_away, need
from worker.settings import WorkerSettings

# A task asks three times (see `worker.tasks`), each time with PATIENCE_S; it waits for nothing else.
LONGEST_TASK_S = 300.0


def run_worker() -> None:
    """Host the live version and label what is queued, until told to stop."""
    need("worker", "serve", ("numpy", "onnxruntime", "safetensors", "tokenizers"))
    from worker.tasks import WorkerContext

    settings = WorkerSettings()
    app.context = context = WorkerContext(settings)
    context.store.migrate()
    metrics.watch_database(context.store.database)
    metrics.VERSION.set_function(lambda: context.host.serving)
    metrics.CORRECTIONS.set_function(lambda: context.host.corrections)
    context.host.start()
    consume(
        settings,
        "worker",
        INFERENCE,
        ["--pool", "threads", "--concurrency", str(settings.concurrency)],
        why_not_ready=lambda: database_away(context.store) or (None if context.host.serving else "a live version"),
        why_stuck=context.why_stuck,
        longest_task_s=LONGEST_TASK_S,
        details=lambda: {"serving": context.host.serving, "corrections": context.host.corrections},
        measured=(metrics.SERVING,),
    )
    context.close()
