"""A workflow's step: the labels of a text, which Slack hands on to the workflow's next step, or why there are none."""

import logging
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.errors import refusal
from bot.outbox.context import OutboxContext
from bot.outbox.states import Done, Facts
from bot.outbox.work import Content, Work
from bot.views.reply_blocks import SURE_FROM
from model.schema import Prediction

log = logging.getLogger(__name__)

# Slack's own word that a step has ended: by us, by a person, or by its workflow's end. There is nobody left to be told.
OVER = {"function_execution_not_found", "execution_not_in_running_state", "access_denied"}


class StepWork(Work):
    """The answer to one step of a workflow. Slack takes one answer to each, so that a second call changes nothing."""

    METADATA = "beto_step"
    NAMED = "key"

    def name(self) -> str:
        """Return the row's key; nothing is looked for by it."""
        return self.row.key

    def facts(self, *, in_turn: bool) -> Facts:  # noqa: ARG002 - only replies have turns
        """Return what is known before the first call."""
        return Facts(self.row.kind, private=True, tries=self.row.tries)

    def render(self) -> Content:
        """Return nothing: a workflow reads no post."""
        return Content("")

    def answer(self, content: Content) -> Done:  # noqa: ARG002 - what is told is no post
        """Tell the workflow."""
        told = self.row.content
        execution = str(told["execution"])
        try:
            if "prediction" in told:
                said = outputs(self.context, Prediction.model_validate(told["prediction"]))
                self.slack.functions_completeSuccess(function_execution_id=execution, outputs=said)
            else:
                why = self.context.texts(told["refusal"], **told["values"])
                self.slack.functions_completeError(function_execution_id=execution, error=why)
        except SlackApiError as error:
            if refusal(error) not in OVER:
                raise
            log.info("%s is over: %s", self.row.key, refusal(error))
        return Done()


def outputs(context: OutboxContext, prediction: Prediction) -> dict[str, Any]:
    """Return what the workflow's next steps can use; labels by their names, which no language changes.

    `sure` holds where there are labels, each with SURE_FROM at least. Where none is given, the likeliest is a guess.
    """
    taxonomy = context.store.labels.current()
    scores = {taxonomy.today([name])[0]: probability for name, probability in prediction.scores.items() if taxonomy.today([name])}
    labels = sorted(taxonomy.today(prediction.labels), key=lambda name: -scores.get(name, 0.0))
    likeliest = max(scores, key=lambda name: scores[name], default="")
    shown = labels or ([likeliest] if likeliest else [])
    return {
        "labels": ", ".join(labels),
        "likeliest": likeliest,
        "confidence": round(scores.get(likeliest, 0.0), 4),
        "confidences": ", ".join(f"{name} {scores.get(name, 0.0):.2f}" for name in shown),
        "sure": bool(labels) and all(scores.get(name, 0.0) >= SURE_FROM for name in labels),
    }
