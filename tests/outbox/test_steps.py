"""Steps of workflows: each is told labels or a reason, once, whatever dies; none waits for ever, and no text is kept."""

import time
from typing import Any

import pytest

from bot.outbox.context import OutboxContext
from bot.outbox.executor import deliver
from bot.outbox.sweep import STEP_WITHIN_S, give_up_steps, sweep
from bot.simulator.errors import Json
from bot.simulator.server import Simulator
from model.schema import Prediction
from model.store.outbox_row import State, step_key
from model.store.tables import outbox
from tests.outbox.replying import ON_SQLITE
from tests.store.rows import everything
from worker.app import app

TEXT = "me clonaron la tarjeta, soy Zoraida, 0999123456"


def said(labels: tuple[str, ...] = ("fraude", "tarjeta"), **scores: float) -> Prediction:
    known = {"fraude": 0.97, "tarjeta": 0.91, "app": 0.03} | scores
    return Prediction(version=3, base="mini", scores=known, labels=labels)


def begun(context: OutboxContext, slack: Simulator) -> tuple[str, str]:
    """A workflow waits, and its text is saved; the execution's id and the row's key."""
    execution = slack.apps[0].functions.execute("classify_text", {"text": TEXT})["function_execution_id"]
    key, new = context.store.steps.open(execution, TEXT)
    assert new
    return execution, key


def ended(slack: Simulator, execution: str) -> Json:
    found = slack.apps[0].functions.executions[execution]
    return {name: found[name] for name in ("status", "outputs", "error") if name in found}


def row(context: OutboxContext, key: str) -> Any:
    found = context.store.outbox.get(key)
    assert found is not None
    return found


def test_the_workflow_is_told_the_labels_and_nothing_is_kept(context: OutboxContext, replies_slack: Simulator) -> None:
    """On both databases. A step's text comes from anywhere, a form or another system: it is here for a moment, masked."""
    execution, key = begun(context, replies_slack)
    assert context.store.steps.open(execution, TEXT) == (key, False)  # Slack sends an event again
    kept = everything(context.store)
    assert "Zoraida" in kept
    assert "0999123456" not in kept
    context.store.steps.save(key, said())
    assert "Zoraida" not in everything(context.store)
    deliver(context, key)
    assert ended(replies_slack, execution) == {
        "status": "success",
        "outputs": {
            "labels": "fraude, tarjeta",
            "likeliest": "fraude",
            "confidence": 0.97,
            "confidences": "fraude 0.97, tarjeta 0.91",
            "sure": True,
        },
    }
    assert (row(context, key).state, row(context, key).content) == (State.SHOWN, {})
    context.store.steps.save(key, said(labels=("app",)))  # two workers were at it
    assert context.store.steps.text_of(key) is None
    assert row(context, key).content == {}


@ON_SQLITE
@pytest.mark.parametrize(
    ("prediction", "labels", "likeliest", "confidences", "sure"),
    [
        (said(), "fraude, tarjeta", "fraude", "fraude 0.97, tarjeta 0.91", True),
        (said(tarjeta=0.55), "fraude, tarjeta", "fraude", "fraude 0.97, tarjeta 0.55", False),
        (said(labels=(), fraude=0.4, tarjeta=0.2), "", "fraude", "fraude 0.40", False),
    ],
    ids=["sure", "one is not sure", "no label"],
)
def test_a_workflow_can_branch_on_whether_the_labels_are_sure(
    prediction: Prediction, labels: str, likeliest: str, confidences: str, sure: bool, context: OutboxContext,
    replies_slack: Simulator,
) -> None:  # fmt: skip
    """A team sends what is sure on its way, and the rest to a person."""
    execution, key = begun(context, replies_slack)
    context.store.steps.save(key, prediction)
    deliver(context, key)
    outputs = ended(replies_slack, execution)["outputs"]
    found = (outputs["labels"], outputs["likeliest"], outputs["confidences"], outputs["sure"])
    assert found == (labels, likeliest, confidences, sure)


@ON_SQLITE
@pytest.mark.parametrize("fault", ["answer_lost", "reset", 503])
def test_an_answer_that_was_lost_is_given_again_and_taken_once(
    fault: str | int, context: OutboxContext, replies_slack: Simulator
) -> None:
    """The same as a process that dies in the call: whoever comes next cannot look, and does not have to."""
    execution, key = begun(context, replies_slack)
    context.store.steps.save(key, said())
    replies_slack.faults.fail_next("functions.completeSuccess", fault)
    deliver(context, key)
    assert row(context, key).state is State.DUE
    context.locks.unlock(f"deliver/{key}")
    deliver(context, key)
    assert row(context, key).state is State.SHOWN
    assert ended(replies_slack, execution)["status"] == "success"
    taken = [call for call in replies_slack.transcript if call.method == "functions.completeSuccess" and not call.error]
    assert len(taken) == 1


@ON_SQLITE
def test_where_no_worker_answers_the_workflow_is_told_within_a_minute(
    context: OutboxContext, replies_slack: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A workflow that hangs is worse than one that fails: its people see nothing at all."""
    execution, key = begun(context, replies_slack)
    published: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda name, *_args, **_more: published.append(name))
    assert give_up_steps(context) == 0
    with context.store.database.writing() as connection:
        late = {"execution": execution, "text": TEXT, "at": time.time() - STEP_WITHIN_S - 1}
        connection.execute(outbox.update().where(outbox.c.key == key).values(content=late))
    assert give_up_steps(context) == 1
    assert context.store.steps.text_of(key) is None  # a worker that comes now finds nothing to do
    deliver(context, key)
    assert ended(replies_slack, execution) == {"status": "error", "error": context.texts("step.late")}


@ON_SQLITE
def test_what_redis_lost_the_sweep_sends_again(
    context: OutboxContext, replies_slack: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To a worker while the text waits, and to ourselves where its labels are there."""
    execution, key = begun(context, replies_slack)
    sent: list[str] = []
    monkeypatch.setattr("celery.canvas.Signature.apply_async", lambda self, **_: sent.append(str(self.task)))

    def overdue() -> None:
        with context.store.database.writing() as connection:
            connection.execute(outbox.update().where(outbox.c.key == key).values(retry_at=context_start))
        context.locks.unlock("sweep")
        sweep(context)

    from model.store.database import now

    context_start = now()
    overdue()
    context.store.steps.save(key, said())
    overdue()
    assert sent == ["worker.step", "bot.deliver"]
    assert key == step_key(execution)


@ON_SQLITE
def test_a_workflow_that_has_ended_meanwhile_is_no_error(context: OutboxContext, replies_slack: Simulator) -> None:
    """Somebody stopped it, or it ran out of time: there is nobody left to be told, and nothing to repeat for ever."""
    key, _ = context.store.steps.refuse("FxGONE", "step.no_text", {})
    deliver(context, key)
    assert row(context, key).state is State.SHOWN
