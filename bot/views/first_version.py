"""Why nothing is labelled yet: how it stands with the first version. Pure, as `blocks` is."""

from bot.views.blocks import escape
from bot.views.texts import Texts
from model.first_training import FirstTraining
from model.schema import Run
from model.settings import BASES_WITHOUT_HUB

# Of an error that is told to whoever asks; all of it stands in the run's row and in the trainer's log.
LONGEST_ERROR = 300


def sentence(first: FirstTraining, texts: Texts) -> str:
    """Say why no version answers, and what comes next or who can do what."""
    run = first.run
    if not first.has_labels:
        return texts("first.no_labels")
    if run is None:
        return texts("first.none")
    match run.status:
        case "failed":
            return f"{_failure(run, texts)}\n{_what_next(first, run, texts)}"
        case "cancelled":
            return texts("first.cancelled", user=f"<@{run.cancelled_by}>")
        case "queued":
            return texts("first.queued")
    progress = run.progress
    if progress is not None and progress.stage == "training" and progress.steps:
        return texts("first.training", percent=texts.percent(min(progress.step / progress.steps, 1.0)))
    if progress is not None and progress.stage == "preparing" and progress.steps:
        return texts(f"first.{progress.part}", percent=texts.percent(progress.step / progress.steps))
    return texts("first.preparing")


def _failure(run: Run, texts: Texts) -> str:
    match run.failure:
        case "base":
            return texts("first.failed_base")
        case "killed":
            return texts("first.failed_killed", attempts=run.attempts)
    first_line = (run.error or "?").splitlines()[0]
    return texts("first.failed_other", error=escape(first_line[:LONGEST_ERROR]))


def _what_next(first: FirstTraining, run: Run, texts: Texts) -> str:
    if run.failure == "base":
        return texts("first.base_way_out", base=BASES_WITHOUT_HUB[0])
    if first.retry_at is None:
        return texts("first.no_more")
    moment = f"<!date^{int(first.retry_at.timestamp())}^{{time}}|{first.retry_at:%H:%M} UTC>"
    return texts("first.again_at", at=moment)
