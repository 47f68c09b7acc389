"""A training run to Block Kit: its status, its report, its details. Pure, as `blocks` is."""

from typing import Any

from bot.views.blocks import Block, button, escape, label_title, mentions, plain_text, section
from bot.views.texts import Texts
from model.labels import Taxonomy
from model.schema import Card, Reason, Report, Run, TriedForm

CANCEL_ACTION = "run_cancel"
PROMOTE_ACTION = "run_promote"
KEEP_ACTION = "run_keep"
DETAILS_ACTION = "run_details"
BAR = 20  # cells


def status(run: Run, texts: Texts) -> tuple[str, list[Block]]:
    """Render the status message of a training run, as it is now, and its text for notifications."""
    who = texts("run.automatic") if run.requested_by == "beto" else texts("run.asked_by", user=f"<@{run.requested_by}>")
    title = texts("run.title_dry" if run.dry else "run.title", run=run.id, who=who)
    line = _line(run, texts)
    if not run.over and run.progress is not None and run.progress.note:
        line += "\n" + texts("run.note_batch", note=escape(run.progress.note))
    shown = [section(f"{title}\n{line}")]
    if not run.over and run.cancelled_by is None:
        shown.append({"type": "actions", "elements": [button(CANCEL_ACTION, texts("run.cancel"))]})
    return f"{title}\n{line}", shown


def _line(run: Run, texts: Texts) -> str:
    progress = run.progress
    match run.status:
        case "done" if run.report is None:
            return texts("run.unchanged")
        case "done":
            assert run.report is not None
            # Somebody may have put it to work since.
            answers = run.report.promoted or (run.decided is not None and run.decided.decision == "promoted")
            return texts("run.promoted" if answers else "run.kept", version=run.report.version)
        case "failed":
            return texts("run.failed", error=escape(run.error or "?")[:1500])
        case "cancelled":
            return texts("run.cancelled", user=f"<@{run.cancelled_by}>")
    if run.cancelled_by is not None:
        return texts("run.cancelling")
    if run.status == "queued" or progress is None:
        return texts("run.queued")
    if progress.stage == "training" and progress.steps:
        done = min(progress.step / progress.steps, 1.0)
        bar = "█" * round(BAR * done) + "░" * (BAR - round(BAR * done))
        return texts(
            "run.training",
            bar=bar,
            percent=texts.percent(done),
            epoch=progress.epoch,
            loss=f"{progress.loss or 0.0:.3f}",
            left=_time_left(progress.seconds_left, texts),
        )
    return texts("run.evaluating" if progress.stage in {"evaluating", "done"} else "run.preparing")


def _time_left(seconds: float | None, texts: Texts) -> str:
    if seconds is None:
        return texts("run.left_unknown")
    return (
        texts("run.left_s", seconds=max(1, round(seconds)))
        if seconds < 90
        else texts("run.left_min", minutes=round(seconds / 60))
    )


def report(
    run: Run, report: Report, live: int, flips: list[str], taxonomy: Taxonomy, texts: Texts, *, decided: str = ""
) -> tuple[str, list[Block]]:
    """Render the report of a run: what it learnt from, how good that is, what changes, the verdict, and what one can do.

    `live` is the version that answers now; `flips` are lines of mrkdwn; `decided` who did what since, and no buttons then.
    """
    found = report.comparison
    learned = texts(
        "run.learned" if report.corrections else "run.learned_seed",
        version=report.version,
        texts=sum(report.texts.values()),
        corrections=report.corrections,
    )
    if report.judges:
        learned += "\n" + texts("run.thanks", people=mentions(report.judges))
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
    scores.append(texts("run.baseline", micro=points(found.micro_baseline), macro=points(found.macro_baseline)))
    before = "" if found.ece_live is None else texts("run.ece_before", ece=points(found.ece_live))
    scores.append(texts("run.ece", ece=points(found.ece), before=before))
    if report.blind is not None:
        scores.append(texts("run.blind", messages=report.blind.messages, micro=points(report.blind.micro_f1)))
    scores += [_form(tried, texts) for tried in report.forms if tried.form != "fp32"]
    scores += [texts("run.note_batch", note=escape(note)) for note in report.notes]
    undecided = any(reason.code == "live_broken" for reason in report.verdict.reasons)
    outcome = "ask" if undecided else "yes" if report.verdict.promote else "no"
    verdict = [texts(f"run.verdict_{outcome}")]
    verdict += [f"• {_reason(reason, taxonomy, texts)}" for reason in report.verdict.reasons]
    if live == report.version:
        now = texts("run.now_live", version=live)
    elif run.dry:
        now = texts("run.not_live_dry", version=live)
    else:
        waits = (report.verdict.promote or undecided) and not decided
        now = texts("run.waits" if waits else "run.not_live", version=live)
    shown = [section(learned), section("\n".join(scores))]
    if flips:
        shown.append(section("\n".join([texts("run.flips"), *flips])))
    shown.append(section("\n".join([*verdict, now, *([decided] if decided else [])])))
    buttons = [button(DETAILS_ACTION, texts("run.details"))]
    if not decided and live != report.version:
        buttons = [button(PROMOTE_ACTION, texts("run.promote")), button(KEEP_ACTION, texts("run.keep")), *buttons]
    shown.append({"type": "actions", "elements": buttons})
    return f"{learned}\n{verdict[0]}", shown


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
        "blocks": [section("\n".join(lines)), {"type": "divider"}, section("```" + escape("\n".join(card_lines))[:2900] + "```")],
    }
