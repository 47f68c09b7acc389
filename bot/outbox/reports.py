"""What people see of a training run: its status message while it lasts, and its report in that message's thread."""

import logging
import time
from functools import cache
from typing import Any

from slack_sdk.errors import SlackApiError

from bot.outbox.client import (
    NO_UNFURL,
    PERMANENT_ERRORS,
    AmbiguousResult,
    RateLimited,
    find_messages,
    labels,
    settings,
    slack,
    store,
)
from bot.views import blocks, run_blocks
from bot.views.charts import draw
from bot.views.texts import load_texts
from model.schema import Report
from model.store.runs import Run, Runs
from worker.app import app

log = logging.getLogger(__name__)

METADATA = "beto_run"
REPORT = "beto_report"
LOOK_EVERY_S = 1.0
REDRAW_EVERY_S = 3.0
# A training tells little; it may wait for its turn here.
PATIENCE_S = 30.0


@cache
def runs() -> Runs:
    """The runs in this process's store."""
    return store().runs


def follow(run_id: int) -> None:
    """The run's status message is kept up to date from now on, by one chain of tasks."""
    token = runs().watch(run_id)
    if token is not None:
        show_run.delay(run_id, token)


@app.task(name="bot.run")
def show_run(run_id: int, token: str, drawn_at: float = 0.0) -> None:
    """People see how far the run is, and what came of it; looks again in a second while it is not over."""
    run = runs().look(run_id, token)
    if run is None:
        return
    try:
        if run.over:
            _tell_end(run)
            return
        if time.time() - drawn_at >= REDRAW_EVERY_S:
            _show_status(run)
            drawn_at = time.time()
    except SlackApiError as error:
        reason = error.response.get("error", "")
        if reason not in PERMANENT_ERRORS:
            raise  # the sweep begins another chain
        log.warning("run %s can be shown to nobody: %s", run_id, reason)
        runs().note_told(run_id, None)
        return
    except (RateLimited, AmbiguousResult) as error:
        log.info("run %s is shown later: %s", run_id, error)
    show_run.apply_async((run_id, token, drawn_at), countdown=LOOK_EVERY_S)


def _show_status(run: Run) -> str:
    """The status message says how the run is; its ts."""
    assert run.channel is not None  # nobody follows a run that has nobody to tell
    text, shown = run_blocks.status(run, load_texts(settings().language))
    post: dict[str, Any] = {
        "channel": run.channel,
        "text": text,
        "blocks": shown,
        "metadata": {"event_type": METADATA, "event_payload": {"run": str(run.id)}},
    }
    if run.status_ts is not None:
        slack(PATIENCE_S).chat_update(ts=run.status_ts, **post)
        return run.status_ts
    # Whoever posted it may not have lived to note it.
    ts = _find_status(run) or str(slack(PATIENCE_S).chat_postMessage(**post, **NO_UNFURL)["ts"])
    runs().note_status(run.id, run.channel, ts)
    return ts


def _find_status(run: Run) -> str | None:
    """The ts of the run's status message, where one stands in its channel that was not noted."""
    assert run.channel is not None
    oldest = f"{run.requested_at.timestamp() - 60:.6f}"
    newer = slack(PATIENCE_S).conversations_history(channel=run.channel, oldest=oldest, limit=200, include_all_metadata=True)
    for message in newer["messages"]:
        metadata = message.get("metadata") or {}
        if metadata.get("event_type") == METADATA and metadata["event_payload"].get("run") == str(run.id):
            return str(message["ts"])
    return None


def _tell_end(run: Run) -> None:
    """The status message says how it ended, and the report with its picture is in its thread, once."""
    status_ts = _show_status(run)
    assert run.channel is not None
    report_ts = None
    if run.report is not None:
        if run.reporting:
            report_ts = next(iter(find_messages(run.channel, status_ts, REPORT, "run", str(run.id))), None)
        if report_ts is None:
            runs().note_reporting(run.id)
            report_ts = _post_report(run, run.report, run.channel, status_ts)
    runs().note_told(run.id, report_ts)


def _post_report(run: Run, report: Report, channel: str, thread: str) -> str:
    texts, taxonomy = load_texts(settings().language), labels().current()
    try:
        slack(PATIENCE_S).files_upload_v2(
            channel=channel,
            thread_ts=thread,
            content=draw(report, taxonomy, texts),
            filename=f"beto-{report.version}.png",
            title=texts("run.picture_title", version=report.version),
            alt_txt=texts("run.picture_alt"),
        )
    except (SlackApiError, AmbiguousResult) as error:  # the words matter more, and two pictures are worse than none
        log.warning("the picture of run %s could not be shown: %s", run.id, error)
    text, shown = report_message(run, report)
    metadata = {"event_type": REPORT, "event_payload": {"run": str(run.id)}}
    return str(
        slack(PATIENCE_S).chat_postMessage(
            channel=channel, thread_ts=thread, text=text, blocks=shown, metadata=metadata, **NO_UNFURL
        )["ts"]
    )


@app.task(name="bot.decision")
def show_decision(run_id: int, decision: str, by: str) -> None:
    """Show under the run's report what somebody decided, and no buttons for that any more."""
    run = runs().get(run_id)
    if run is None or run.report is None or run.channel is None or run.report_ts is None:
        return
    key = "run.decided_promote" if decision == "promoted" else "run.decided_keep"
    decided = load_texts(settings().language)(key, user=f"<@{by}>", version=run.report.version)
    try:
        text, shown = report_message(run, run.report, decided)
        slack(PATIENCE_S).chat_update(channel=run.channel, ts=run.report_ts, text=text, blocks=shown)
    except RateLimited as wait:
        show_decision.apply_async((run_id, decision, by), countdown=wait.retry_after_s)


def report_message(run: Run, report: Report, decided: str = "") -> tuple[str, list[blocks.Block]]:
    """The report as it is now, with links to the messages whose labels would change, and what somebody `decided` since."""
    texts, taxonomy = load_texts(settings().language), labels().current()
    lines = []
    for flip in report.flips:
        stored = store().messages.get(flip.message_id)
        if stored is None or stored.deleted:
            continue
        before, after = (blocks.names(labels, taxonomy, texts) for labels in (flip.before, flip.after))
        lines.append(
            texts(
                "run.flip",
                link=_quoted(stored.message.channel, stored.message.ts, stored.message.text, run),
                before=before,
                after=after,
            )
        )
    live = store().registry.live()
    return run_blocks.report(run, report, 0 if live is None else live.number, lines, taxonomy, texts, decided=decided)


def _quoted(channel: str, ts: str, text: str, run: Run) -> str:
    """A link to the message, with its first words where those who read this may read it."""
    try:
        link = str(slack(PATIENCE_S).chat_getPermalink(channel=channel, message_ts=ts)["permalink"])
    except SlackApiError:
        link = ""
    words = blocks.escape(" ".join(text.split())[:60]).replace("|", " ") if channel == run.channel else ""
    return f"<{link}|{words or '…'}>" if link else words or "…"


def sweep() -> int:
    """Every run that has something to tell and that nobody tells is followed again; how many."""
    found = runs().unwatched()
    for run_id in found:
        follow(run_id)
    return len(found)
