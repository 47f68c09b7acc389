"""A Celery consumer of the product for tests: `python -m tests.worker.consuming QUEUE PACE`, with one task that waits."""

import sys
import time

from tests.chaos.process import shorten_waits
from worker.app import app
from worker.process import consume
from worker.settings import WorkerSettings


@app.task(name="tests.wait")
def wait(seconds: float) -> None:
    """Be at work for so long."""
    time.sleep(seconds)


if __name__ == "__main__":
    queue, pace, longest_task_s = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
    shorten_waits(pace)
    consume(WorkerSettings(), "worker", queue, ["--pool", "threads", "--concurrency", "1"], longest_task_s=longest_task_s)
