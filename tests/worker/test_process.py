"""What the processes of `worker` share: how they start, and what their tasks find."""

import os
import subprocess
import sys

import pytest

from model.errors import BadSetting
from tests.broker import broker
from worker.app import app, configure
from worker.host import NoVersion
from worker.process import need, node_name
from worker.settings import WorkerSettings
from worker.tasks import classify


@pytest.mark.parametrize(("process", "module", "extra"), [("worker", "onnxruntime", "serve"), ("trainer", "torch", "model")])
def test_a_missing_extra_is_one_sentence_at_start(process: str, module: str, extra: str) -> None:
    """`pip install beto-bot` is enough for the bot; who starts a worker with it must not find tracebacks without end."""
    code = f"import sys; sys.modules[{module!r}] = None; sys.argv = ['beto', {process!r}]; from bot.cli import main; main()"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"beto: `beto {process}` needs {module}: pip install 'beto-bot[{extra}]'\n"


def test_all_that_is_missing_is_named_at_once() -> None:
    """Nobody wants to install, start and read three times."""
    with pytest.raises(BadSetting, match="needs no_such_module, nor_this: pip install"):
        need("worker", "serve", ("json", "no_such_module", "nor_this"))


def test_a_task_in_a_process_without_a_context_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that consumes a queue which is not its own is a mistake of whoever started it."""
    monkeypatch.setattr(app, "context", None)
    with pytest.raises(RuntimeError, match=r"worker\.classify runs in a process that has no context"):
        classify(1, 1)


def test_the_application_is_configured_by_the_settings_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process reads its settings once; what stands in the environment later changes nothing."""
    with broker("redis://127.0.0.1:9/2"):
        configure(WorkerSettings(redis_url="redis://127.0.0.1:9/3"))
        monkeypatch.setenv("BETO_REDIS_URL", "redis://127.0.0.1:9/4")
        assert app.conf.broker_url == "redis://127.0.0.1:9/3"


def test_two_processes_that_share_hostname_and_process_id_have_names_of_their_own() -> None:
    """Two containers made alike are both process 7 of the same host; one would take the other's place in Celery's control."""
    names = {node_name("worker") for _ in range(2)}  # of one process: the id and the host are the same
    assert len(names) == 2
    assert all(name.startswith(f"worker-{os.getpid()}-") and name.endswith("@%h") for name in names)


def test_a_message_that_waits_for_the_first_version_costs_a_line_in_the_log_and_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each of them is tried again for as long as there is no version, which may be days."""
    error = NoVersion("no version is live yet")
    assert isinstance(error, classify.throws)
    classify.on_failure(error, "id", (1, 1), {}, None)
    (record,) = caplog.records
    assert record.getMessage() == "worker.classify waits for the sweep: no version is live yet"
    assert record.exc_info is None


def test_the_worker_routes_its_own_tasks_and_knows_no_others() -> None:
    """Whoever publishes a task of another package names its queue; the worker passes on what it was given."""
    assert {name.split(".")[0] for name in app.conf.task_routes} == {"worker"}
