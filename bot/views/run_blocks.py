"""A training run to Block Kit: its status, its report, its details. Pure, as `blocks` is."""

from typing import Any

from bot.views import announcements
from bot.views.blocks import Block, button, context, escape, mentions, plain_text, section, shorten
from bot.views.label_names import label_title
from bot.views.native import Native, folded, rich_text
from bot.views.texts import Texts
from model.labels import Taxonomy
from model.schema import Card, Reason, Report, Run, Standing, TriedForm

CANCEL_ACTION = "run_cancel"
PROMOTE_ACTION = "run_promote"
KEEP_ACTION = "run_keep"
GO_BACK_ACTION = "run_go_back"
DETAILS_ACTION = "run_details"
PROMOTE_VIEW = "promote_view"
BAR = 20  # cells
STEPS = ("gather", "learn", "measure", "decide")
# A label rose or fell where a change so one-sided comes by chance less than once in twenty times (`LabelChange.chance`).
BY_CHANCE = 0.05
# Of each kind; the details name all of them.
MOST_CHANGES = 6
# Slack's limit for the text of a confirmation.
CONFIRM_LENGTH = 300


def status(run: Run, texts: Texts, standing: Standing | None = None) -> tuple[str, list[Block]]:
    """Render the status message of a training run, as it is now, and its text for notifications.

    `standing` is of the version that the run made, if it made one.
    """
    who = texts("run.automatic") if run.requested_by == "beto" else texts("run.asked_by", user=f"<@{run.requested_by}>")
    title = texts("run.title_dry" if run.dry else "run.title", run=run.id, who=who)
    line = _line(run, texts, standing or Standing())
    if not run.over and run.progress is not None and run.progress.note:
        line += "\n" + texts("run.note_batch", note=escape(run.progress.note))
    told = section(f"{title}\n{line}")
    tasks = _tasks(run, texts)
    shown: list[Block] = [Native(section(title)), Native(tasks, told)] if tasks else [told]
    if not run.over and run.cancelled_by is None:
        shown.append({"type": "actions", "elements": [button(CANCEL_ACTION, texts("run.cancel"))]})
    return f"{title}\n{line}", shown


def _line(run: Run, texts: Texts, standing: Standing) -> str:
    progress = run.progress
    match run.status:
        case "done" if run.report is None:
            return texts("run.unchanged")
        case "done":
            assert run.report is not None
            # Somebody may have put it to work since, or another in its place.
            waits = "run.waiting" if _waits(run, run.report, standing) else "run.kept"
            key = "run.promoted" if standing.is_live else "run.replaced" if standing.was_live else waits
            return texts(key, version=run.report.version)
        case "failed":
            return texts("run.failed", error=escape(shorten(run.error or "?", 1000)))
        case "cancelled":
            return texts("run.cancelled", user=f"<@{run.cancelled_by}>")
    if run.cancelled_by is not None:
        return texts("run.cancelling")
    if run.status == "queued" or progress is None:
        return texts("run.queued")
    done = min(progress.step / progress.steps, 1.0) if progress.steps else 0.0
    bar = "█" * round(BAR * done) + "░" * (BAR - round(BAR * done))
    if progress.stage == "preparing" and progress.steps:
        return texts(f"run.{progress.part}", bar=bar, percent=texts.percent(done))
    if progress.stage == "training" and progress.steps:
        return texts(
            "run.training",
            bar=bar,
            percent=texts.percent(done),
            epoch=progress.epoch,
            loss=f"{progress.loss or 0.0:.3f}",
            left=_time_left(progress.seconds_left, texts),
        )
    return texts("run.evaluating" if progress.stage in {"evaluating", "done"} else "run.preparing")


def _tasks(run: Run, texts: Texts) -> Block | None:
    """Build the run's steps as tasks, while it is under way and where it failed; None where nobody would learn more by them."""
    if run.cancelled_by is not None or run.status not in {"queued", "running", "failed"}:
        return None
    progress = run.progress
    at = 0 if progress is None else {"preparing": 0, "training": 1, "evaluating": 2, "done": 3}[progress.stage]
    now = {"queued": "pending", "running": "in_progress", "failed": "error"}[run.status]
    tasks = []
    for n, step in enumerate(STEPS):
        task: Block = {"task_id": step, "title": texts(f"run.step_{step}"), "status": "pending"}
        if n < at:
            task["status"] = "complete"
        elif n == at:
            task["status"] = now
            if details := _details_of_step(run, texts):
                task["details"] = rich_text(details)
        tasks.append(task)
    return {"type": "plan", "title": texts(f"run.plan_{run.status}"), "tasks": tasks}


def _details_of_step(run: Run, texts: Texts) -> str:
    """Return how far the step is that is under way, in plain words."""
    if run.status == "failed":
        return shorten(run.error or "?", 300)
    progress = run.progress
    if progress is None or not progress.steps:
        return ""
    values: dict[str, object] = {"percent": texts.percent(min(progress.step / progress.steps, 1.0))}
    key = f"run.step_{progress.part}"
    if progress.stage == "training":
        left = _time_left(progress.seconds_left, texts)
        key, values = (
            "run.step_training",
            {**values, "epoch": progress.epoch, "loss": f"{progress.loss or 0.0:.3f}", "left": left},
        )
    elif progress.stage != "preparing":
        return ""
    return texts(key, **values) + (f" · {progress.note}" if progress.note else "")


def _time_left(seconds: float | None, texts: Texts) -> str:
    if seconds is None:
        return texts("run.left_unknown")
    return (
        texts("run.left_s", seconds=max(1, round(seconds)))
        if seconds < 90
        else texts("run.left_min", minutes=round(seconds / 60))
    )


def report(
    run: Run, report: Report, standing: Standing, flips: list[str], taxonomy: Taxonomy, texts: Texts
) -> tuple[str, list[Block]]:
    """Render the report of a run: the verdict and what answers now, how often it is right, which labels rose and which fell,
    and only then what it learnt from and all the scores. `flips` are lines of mrkdwn.
    """
    waits = _waits(run, report, standing)
    against = [_reason(reason, taxonomy, texts) for reason in report.verdict.reasons if not reason.good]
    verdict = [_verdict(report, texts), *(f"• {reason}" for reason in against)]
    verdict += _now(run, standing, texts, waits=waits)
    right = _right(report, texts)
    changes = _changes(report, taxonomy, texts)
    shown = [section("\n".join(verdict))]
    if right or changes:
        shown.append(section("\n".join([*right, *changes])))
    if changes:
        shown.append(context(texts("run.changes_how")))
    if preferred := _preferred(report, taxonomy, texts):
        shown += [section("\n".join(preferred)), context(texts("run.preferred_how"))]
    if flips:
        shown.append(section("\n".join([texts("run.flips"), *flips])))
    learned = _learned(report, texts)
    more = [section(learned), section("\n".join(_scores(report, taxonomy, texts)))]
    # Who finds nothing measured is to see that, and not to look for it.
    shown += [folded(texts("run.folded"), *more)] if report.comparison.texts else more
    buttons = []
    if standing.is_live and standing.before is not None:
        buttons.append(button(GO_BACK_ACTION, texts("run.go_back", version=standing.before)))
    if not standing.is_live and standing.is_kept:
        sure = confirm(report, against, texts) if report.found_worse else None
        buttons.append(button(PROMOTE_ACTION, texts("run.promote")) | ({} if sure is None else {"confirm": sure}))
    if waits:
        buttons.append(button(KEEP_ACTION, texts("run.keep")))
    shown.append({"type": "actions", "elements": [*buttons, button(DETAILS_ACTION, texts("run.details"))]})
    return "\n".join([*verdict, *right, *changes, *preferred, learned]), shown


def confirm(report: Report, against: list[str], texts: Texts) -> Block:
    """Render the question before a version is put to work that was not found better."""
    return {
        "title": plain_text(texts("run.sure")),
        "text": section(shorten(_doubts(report, against, texts), CONFIRM_LENGTH))["text"],
        "confirm": plain_text(texts("run.promote")),
        "deny": plain_text(texts("forget.close")),
    }


def promote_modal(report: Report, taxonomy: Taxonomy, texts: Texts, *, metadata: str) -> dict[str, Any]:
    """Render the same question in a modal; Slack keeps `metadata`, and nobody else can write it."""
    against = [_reason(reason, taxonomy, texts) for reason in report.verdict.reasons if not reason.good]
    return {
        "type": "modal",
        "callback_id": PROMOTE_VIEW,
        "private_metadata": metadata,
        "title": plain_text(texts("run.sure")),
        "submit": plain_text(texts("run.promote_short")),
        "close": plain_text(texts("forget.close")),
        "blocks": [section(_doubts(report, against, texts))],
    }


def promote_notice(text: str, texts: Texts) -> dict[str, Any]:
    """Render what became of it, in the modal that asked."""
    return {
        "type": "modal",
        "title": plain_text(texts("run.sure")),
        "close": plain_text(texts("modal.close")),
        "blocks": [section(text)],
    }


def _doubts(report: Report, against: list[str], texts: Texts) -> str:
    return "\n".join([texts("run.sure_text", version=report.version), *(f"• {reason}" for reason in against)])


def _verdict(report: Report, texts: Texts) -> str:
    if report.undecided:
        return texts("run.verdict_ask")
    if report.live is None:
        return texts("run.verdict_first")
    if not report.verdict.promote:
        return texts("run.verdict_no", live=report.live)
    by_chance = not any(reason.code == "wins" for reason in report.verdict.reasons)
    return texts("run.verdict_likely" if by_chance else "run.verdict_yes", live=report.live)


def _waits(run: Run, report: Report, standing: Standing) -> bool:
    """Return whether somebody has to decide what becomes of the version."""
    return not (standing.is_live or standing.was_live or run.dry or run.decided or report.found_worse)


def _now(run: Run, standing: Standing, texts: Texts, *, waits: bool) -> list[str]:
    """Return whether the version answers now, and who decided that."""
    who = None if standing.by is None else announcements.person(standing.by, texts)
    if standing.is_live:
        lines = [texts("run.now_live") if who is None else texts("run.now_live_by", who=who)]
    elif standing.was_live:
        lines = [texts("run.not_live_now") if who is None else texts("run.not_live_now_by", who=who)]
    elif waits:
        lines = [texts("run.waits")]
    else:
        lines = [texts("run.not_live_dry" if run.dry else "run.not_live")]
        if run.decided is not None and run.decided.decision == "kept":
            lines.append(texts("run.decided_keep", user=f"<@{run.decided.by}>"))
    return lines if standing.is_kept else [*lines, texts("run.removed")]


def _right(report: Report, texts: Texts) -> list[str]:
    """Return on how many of ten messages every label is right, with the numbers themselves; nothing for reports of 0.1.0."""
    found = report.comparison
    if found.right is None or not found.texts:
        return []
    # Ten of ten only where all are.
    tenths = 10 if found.right == found.texts else min(round(10 * found.right / found.texts), 9)
    values = {"tenths": tenths, "right": found.right, "texts": found.texts}
    if found.right_live is None or report.live is None:
        return [texts("run.right", **values)]
    return [texts("run.right_both", live=report.live, right_live=found.right_live, **values)]


def _changes(report: Report, taxonomy: Taxonomy, texts: Texts) -> list[str]:
    """Return which labels fell and which rose for certain, and which may have by chance, the largest changes first; nothing
    where none was measured.
    """
    if not report.comparison.per_label:
        return []
    rose: list[tuple[int, str]] = []
    fell: list[tuple[int, str]] = []
    unsure: list[tuple[int, str]] = []
    for label, change in report.comparison.per_label.items():
        if change.better is None or change.worse is None or change.chance is None:
            return []
        net = change.better - change.worse
        title = escape(label_title(label, taxonomy, texts))
        told = (-abs(net), texts("run.change", title=title, better=change.better, worse=change.worse))
        if net and change.chance >= BY_CHANCE:
            unsure.append(told)
        elif net:
            (rose if net > 0 else fell).append(told)
    lines = [
        texts(key, labels=", ".join(told for _, told in sorted(changed, key=lambda each: each[0])[:MOST_CHANGES]))
        + (texts("run.more", more=len(changed) - MOST_CHANGES) if len(changed) > MOST_CHANGES else "")
        for key, changed in (("run.fell", fell), ("run.rose", rose), ("run.by_chance", unsure))
        if changed
    ]
    return lines or [texts("run.no_change")]


def _preferred(report: Report, taxonomy: Taxonomy, texts: Texts) -> list[str]:
    """Return what the labels give of which people prefer recall or precision, as they serve."""
    lines = []
    for label, change in report.comparison.per_label.items():
        if (found := change.preferred) is None:
            continue
        title = escape(label_title(label, taxonomy, texts))
        name = texts(f"labels.prefer_{found.preference}")
        line = texts("run.preferred", title=title, name=name, found=found.found, texts=change.support, given=found.given)
        if found.found_before is not None and found.given_before is not None:
            line += texts("run.preferred_before", found=found.found_before, given=found.given_before, live=report.live)
        lines.append(line)
    return lines


def _learned(report: Report, texts: Texts) -> str:
    values = {"version": report.version, "texts": sum(report.texts.values())}
    if report.corrections:
        share = texts.share(report.corrections, sum(report.texts.values()))
        learned = texts.counted("run.learned", report.corrections, share=share, **values)
        if report.absorbed and report.live is not None:
            learned += " " + texts.counted("run.absorbed", report.absorbed, live=report.live)
    else:
        learned = texts("run.learned_seed", **values)
    return learned + "\n" + texts("run.thanks", people=mentions(report.judges)) if report.judges else learned


def _scores(report: Report, taxonomy: Taxonomy, texts: Texts) -> list[str]:
    """Return every number, with its limits, and what speaks for the verdict."""
    found = report.comparison
    if not found.texts:
        return [texts("run.untested"), *(texts("run.note_batch", note=escape(note)) for note in report.notes)]
    scores = [texts("run.scores", texts=found.texts)]
    for name, value, gain in (("micro-F1", found.micro, found.micro_gain), ("macro-F1", found.macro, found.macro_gain)):
        against = (
            ""
            if gain is None
            else texts(
                "run.gain",
                gain=points(gain.value, sign=True),
                live=report.live,
                low=points(gain.low, sign=True),
                high=points(gain.high, sign=True),
            )
        )
        scores.append(
            texts("run.score", name=name, value=points(value.value), low=points(value.low), high=points(value.high), gain=against)
        )
    scores += [f"• {_reason(reason, taxonomy, texts)}" for reason in report.verdict.reasons if reason.good]
    scores.append(texts("run.baseline", micro=points(found.micro_baseline), macro=points(found.macro_baseline)))
    before = "" if found.ece_live is None else texts("run.ece_before", ece=points(found.ece_live))
    scores.append(texts("run.ece", ece=points(found.ece), before=before))
    if report.blind is not None:
        scores.append(texts.counted("run.blind", report.blind.messages, micro=points(report.blind.micro_f1)))
    scores += [_form(tried, texts) for tried in report.forms if tried.form != "fp32"]
    return scores + [texts("run.note_batch", note=escape(note)) for note in report.notes]


def _form(tried: TriedForm, texts: Texts) -> str:
    return texts(
        "run.form" if tried.sound else "run.form_refused",
        form=tried.form,
        flipped=tried.flipped,
        decisions=tried.decisions,
        exact=points(tried.micro_f1_exact),
        micro=points(tried.micro_f1),
    )


def _reason(reason: Reason, taxonomy: Taxonomy, texts: Texts) -> str:
    values: dict[str, object] = dict(reason.values)
    if "label" in values:
        values["label"] = escape(label_title(str(values["label"]), taxonomy, texts))
    if "which" in values:
        values["which"] = str(values["which"]).capitalize()
    for name in ("gain", "low", "high"):
        if name in values:
            values[name] = points(float(reason.values[name]), sign=reason.code != "loses" or name != "gain")
    for name in ("before", "after", "baseline", "ours"):
        if name in values:
            values[name] = points(float(reason.values[name]))
    return texts(f"run.reason_{reason.code}", **values)


def points(share: float, *, sign: bool = False) -> str:
    """Write 0.8237 as 82.4: hundredths are what people compare; with `sign`, +1.2 or −0.4, else without any."""
    number = round(100 * share, 1)
    if not sign:
        return f"{abs(number):.1f}"
    return f"{'−' if number < 0 else '+'}{abs(number):.1f}"


def details(report: Report, card: Card, taxonomy: Taxonomy, texts: Texts) -> dict[str, Any]:
    """Render the modal with every label's F1 and the version's card."""
    lines = [
        f"• {escape(label_title(label, taxonomy, texts))} ({change.support}): "
        + (f"{points(change.before)} → " if change.before is not None else "")
        + f"*{points(change.after)}*"
        + (f" (+{change.better} −{change.worse})" if change.better is not None else "")
        for label, change in report.comparison.per_label.items()
    ]
    card_lines = [
        f"base: {card.base}", f"parent: {card.parent or '-'}", f"seed: {card.seed}", f"data: {card.data_sha256[:16]}",
        f"texts: {', '.join(f'{split} {count}' for split, count in card.texts.items())}", f"code: {card.code_version}",
        f"seconds: {card.seconds}", f"created: {card.created_at}",
        *(f"{name}: {value}" for name, value in card.settings.items()),
    ]  # fmt: skip
    return {
        "type": "modal",
        "title": plain_text(texts("run.details_title", version=report.version)),
        "close": plain_text(texts("modal.close")),
        "blocks": [
            # Thirty lines of a title and three numbers stay below the 3,000 characters of a section.
            *(section("\n".join(lines[at : at + 30])) for at in range(0, len(lines), 30)),
            {"type": "divider"},
            section("```" + escape("\n".join(card_lines))[:2900] + "```"),
        ],
    }
