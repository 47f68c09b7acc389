"""Our types to Block Kit. Pure: the same input gives the same message, and nothing here asks Slack or the store."""

from typing import Any

from bot.texts import Texts
from model.judgements import LabelState, MessageState
from model.labels import Taxonomy
from model.runs import Run
from model.schema import Card, Prediction, Reason, Report, TriedForm

Block = dict[str, Any]

CORRECT_ACTION = "labels_correct"
EDIT_ACTION = "labels_edit"
EDIT_VIEW = "labels_view"
CANCEL_ACTION = "run_cancel"
PROMOTE_ACTION = "run_promote"
KEEP_ACTION = "run_keep"
DETAILS_ACTION = "run_details"
BAR = 20  # cells
CHOICE = "labels"
NOTE = "note"


def escape(text: str) -> str:
    """`text` as plain characters in mrkdwn: only `&`, `<` and `>` mean something there (Slack's formatting page)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def section(text: str) -> Block:
    """A paragraph of mrkdwn, cut at Slack's 3,000 characters."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text[:3000]}}


def context(*texts: str) -> Block:
    """A small grey line."""
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text[:2000]} for text in texts]}


def reply(
    prediction: Prediction,
    state: MessageState,
    taxonomy: Taxonomy,
    texts: Texts,
    *,
    stale: int = 0,
    buttons: bool = True,
    older: bool = False,
) -> tuple[str, list[Block]]:
    """The reply in the thread, and its text for notifications: each label that stands, strongest first, and who said what.

    Where no label stands, the best guess is there as a guess, or that people said so. `stale` gestures were about an
    earlier text. `older`: the version that answered was trained before the labels became what they are.
    """
    body, summary = _standing(prediction, state, taxonomy, texts)
    shown = [section(body)]
    lines = _who_said_what(state, taxonomy, texts)
    if stale and not state.judges:
        lines.append(texts("reply.stale"))
    if prediction.truncated:
        lines.append(texts("reply.truncated"))
    if lines:
        shown.append(context("\n".join(lines)))
    if buttons:
        shown.append(
            {
                "type": "actions",
                "elements": [
                    button(CORRECT_ACTION, texts("reply.correct")),
                    button(EDIT_ACTION, texts("reply.edit")),
                ],
            }
        )
    signature = texts("reply.signature", base=escape(base_name(prediction.base)), version=prediction.version)
    if older:
        signature += f" · {texts('reply.older')}"
    shown.append(context(f"{signature} · {texts('reply.how')}" if buttons else signature))
    return summary, shown


def blind(texts: Texts) -> tuple[str, list[Block]]:
    """The reply to a message whose labels are hidden until somebody said their own."""
    shown = [
        section(texts("reply.blind")),
        {"type": "actions", "elements": [button(EDIT_ACTION, texts("reply.edit"))]},
        context(texts("reply.blind_how")),
    ]
    return texts("reply.blind"), shown


def button(action: str, text: str) -> Block:
    """A plain button; what it is about is looked up from the message that it stands on, never read from the button."""
    return {"type": "button", "action_id": action, "text": {"type": "plain_text", "text": text, "emoji": True}}


def base_name(base: str) -> str:
    """How the network that answered is called: `mini` is never called BETO."""
    if base == "mini":
        return "mini"
    return "BETO" if "bert-base-spanish-wwm" in base else base.rstrip("/").rsplit("/", 1)[-1]


def label_title(name: str, taxonomy: Taxonomy, texts: Texts) -> str:
    """A label's title; one that was retired since keeps its bare name."""
    return texts.title(taxonomy[name]) if name in taxonomy else name


def names(labels: tuple[str, ...] | list[str], taxonomy: Taxonomy, texts: Texts) -> str:
    """The labels' titles in a row; a dash for none."""
    return ", ".join(escape(label_title(name, taxonomy, texts)) for name in labels) or texts("reply.no_label")


def dispute(label: str, state: LabelState, taxonomy: Taxonomy, texts: Texts) -> str:
    """The question to those who differ about a label."""
    return texts(
        "reply.ask",
        emoji=_emoji(label, taxonomy),
        title=escape(label_title(label, taxonomy, texts)),
        yes=_people(state.yes),
        no=_people(state.no),
    )


def loading(texts: Texts) -> dict[str, Any]:
    """The modal while the store is asked: Slack lets a trigger open something for three seconds only."""
    return {
        "type": "modal",
        "callback_id": EDIT_VIEW,
        "title": _plain(texts("modal.title")),
        "close": _plain(texts("modal.close")),
        "blocks": [section(texts("modal.loading"))],
    }


def labels_modal(
    text: str,
    chosen: tuple[str, ...],
    state: MessageState | None,
    taxonomy: Taxonomy,
    texts: Texts,
    *,
    metadata: str,
    warning: str = "",
) -> dict[str, Any]:
    """The modal with every label to choose from, its description beside it, and a note."""
    options = [_option(label.name, taxonomy, texts) for label in taxonomy]
    choice: Block = {
        "type": "multi_static_select",
        "action_id": CHOICE,
        "placeholder": _plain(texts("modal.choose")),
        "options": options,
        "focus_on_load": True,
    }
    if initial := [option for option in options if option["value"] in chosen]:
        choice["initial_options"] = initial
    quoted = escape(text) if len(text) <= 600 else escape(text[:600]) + "…"
    said = _who_said_what(state, taxonomy, texts) if state is not None else []
    return {
        "type": "modal",
        "callback_id": EDIT_VIEW,
        "private_metadata": metadata,
        "title": _plain(texts("modal.title")),
        "submit": _plain(texts("modal.submit")),
        "close": _plain(texts("modal.close")),
        "blocks": [
            *([section(f":warning: {warning}")] if warning else []),
            section("\n".join(f"&gt; {line}" for line in quoted.splitlines()) or "&gt;"),
            *([context("\n".join(said))] if said else []),
            {
                "type": "input",
                "block_id": CHOICE,
                "optional": True,  # no label at all is an answer
                "label": _plain(texts("modal.labels")),
                "hint": _plain(texts("modal.hint")),
                "element": choice,
            },
            {
                "type": "input",
                "block_id": NOTE,
                "optional": True,
                "label": _plain(texts("modal.note")),
                "element": {"type": "plain_text_input", "action_id": NOTE, "multiline": True, "max_length": 500},
            },
        ],
    }


def run_status(run: Run, texts: Texts) -> tuple[str, list[Block]]:
    """The status message of a training run, as it is now, and its text for notifications."""
    who = texts("run.automatic") if run.requested_by == "beto" else texts("run.asked_by", user=f"<@{run.requested_by}>")
    title = texts("run.title_dry" if run.dry else "run.title", run=run.id, who=who)
    line = _run_line(run, texts)
    if not run.over and run.progress is not None and run.progress.note:
        line += "\n" + texts("run.note_batch", note=escape(run.progress.note))
    shown = [section(f"{title}\n{line}")]
    if not run.over and run.cancelled_by is None:
        shown.append({"type": "actions", "elements": [button(CANCEL_ACTION, texts("run.cancel"))]})
    return f"{title}\n{line}", shown


def _run_line(run: Run, texts: Texts) -> str:
    progress = run.progress
    match run.status:
        case "done" if run.report is None:
            return texts("run.unchanged")
        case "done":
            assert run.report is not None
            return texts("run.promoted" if run.report.promoted else "run.kept", version=run.report.version)
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
    return texts("run.judging" if progress.stage in {"judging", "done"} else "run.preparing")


def _time_left(seconds: float | None, texts: Texts) -> str:
    if seconds is None:
        return texts("run.left_unknown")
    return (
        texts("run.left_s", seconds=max(1, round(seconds)))
        if seconds < 90
        else texts("run.left_min", minutes=round(seconds / 60))
    )


def run_report(
    run: Run, report: Report, live: int, flips: list[str], taxonomy: Taxonomy, texts: Texts, *, decided: str = ""
) -> tuple[str, list[Block]]:
    """What a run has to say: what it learnt from, how good that is, what changes, the verdict, and what one can do.

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
        learned += "\n" + texts("run.thanks", people=_people(report.judges))
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
    scores.append(texts("run.floor", micro=points(found.micro_floor), macro=points(found.macro_floor)))
    before = "" if found.ece_live is None else texts("run.ece_before", ece=points(found.ece_live))
    scores.append(texts("run.ece", ece=points(found.ece), before=before))
    if report.blind is not None:
        scores.append(texts("run.blind", messages=report.blind.messages, micro=points(report.blind.micro_f1)))
    scores += [_form(tried, texts) for tried in report.forms if tried.form != "fp32"]
    scores += [texts("run.note_batch", note=escape(note)) for note in report.notes]
    verdict = [texts("run.verdict_yes" if report.verdict.promote else "run.verdict_no")]
    verdict += [f"• {_reason(reason, taxonomy, texts)}" for reason in report.verdict.reasons]
    if live == report.version:
        now = texts("run.now_live", version=live)
    elif run.dry:
        now = texts("run.not_live_dry", version=live)
    else:
        now = texts("run.waits" if report.verdict.promote and not decided else "run.not_live", version=live)
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
        values["label"] = label_title(str(values["label"]), taxonomy, texts)
    if "which" in values:
        values["which"] = str(values["which"]).capitalize()
    for name in ("gain", "low", "high"):
        if name in values:
            values[name] = points(float(reason.values[name]), sign=reason.code != "loses" or name != "gain")
    for name in ("before", "after", "floor", "ours"):
        if name in values:
            values[name] = points(float(reason.values[name]))
    return texts(f"run.reason_{reason.code}", **values)


def points(share: float, *, sign: bool = False) -> str:
    """0.8237 as 82.4: hundredths are what people compare; with `sign`, +1.2 or −0.4, else without any."""
    number = round(100 * share, 1)
    if not sign:
        return f"{abs(number):.1f}"
    return f"{'−' if number < 0 else '+'}{abs(number):.1f}"


def run_details(report: Report, card: Card, taxonomy: Taxonomy, texts: Texts) -> dict[str, Any]:
    """The modal with every label's F1 and the version's card."""
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
        "title": _plain(texts("run.details_title", version=report.version)),
        "close": _plain(texts("modal.close")),
        "blocks": [section("\n".join(lines)), {"type": "divider"}, section("```" + escape("\n".join(card_lines))[:2900] + "```")],
    }


def sorry(text: str, texts: Texts) -> dict[str, Any]:
    """A modal that only says why there is nothing to choose."""
    return {
        "type": "modal",
        "title": _plain(texts("modal.title")),
        "close": _plain(texts("modal.close")),
        "blocks": [section(text)],
    }


def home(taxonomy: Taxonomy, texts: Texts, bot: str) -> dict[str, Any]:
    """The app's Home tab: what it does, and what each label means."""
    labels = [f":{label.emoji}: *{texts.title(label)}*: {label.description}" for label in taxonomy]
    return {
        "type": "home",
        "blocks": [
            {"type": "header", "text": {"type": "plain_text", "text": texts("home.title")}},
            section(texts("command.help", bot=bot)),
            {"type": "divider"},
            {"type": "header", "text": {"type": "plain_text", "text": texts("home.labels")}},
            *(section("\n".join(labels[start : start + 7])) for start in range(0, len(labels), 7)),
        ],
    }


def _standing(prediction: Prediction, state: MessageState, taxonomy: Taxonomy, texts: Texts) -> tuple[str, str]:
    """(mrkdwn, plain) of the labels that stand."""
    unknown_here = [name for name in prediction.labels if name not in state.labels]  # of a set that is no more
    standing = sorted([*state.shown, *unknown_here], key=lambda name: -prediction.scores.get(name, 0.0))
    if not standing:
        if state.judges and not state.disputed:
            return texts("reply.judged_none"), texts("reply.judged_none")
        best = max(prediction.scores, key=lambda name: prediction.scores[name], default="")
        if not best or state.judges:
            return texts("reply.none_short"), texts("reply.none_short")
        guess = {"emoji": _emoji(best, taxonomy), "title": escape(label_title(best, taxonomy, texts))}
        return texts("reply.none", percent=texts.percent(prediction.scores[best]), **guess), texts("reply.none_short")
    pieces, plain = [], []
    for name in standing:
        title = label_title(name, taxonomy, texts)
        status = state.labels[name].status if name in state.labels else "predicted"
        # What people said needs no probability any more.
        mark = texts.percent(prediction.scores[name]) if status == "predicted" else {"added": "+"}.get(status, "✓")
        pieces.append(texts("reply.label", emoji=_emoji(name, taxonomy), title=escape(title), mark=mark))
        plain.append(f"{title} {mark}")
    return "   ".join(pieces), " · ".join(plain)


def _who_said_what(state: MessageState, taxonomy: Taxonomy, texts: Texts) -> list[str]:
    """A line for each kind of word and the same people, and one for each dispute."""
    together: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    lines = []
    for name, label in state.labels.items():
        if label.status in {"confirmed", "added"}:
            together.setdefault((label.status, label.yes), []).append(name)
        elif label.status == "rejected" and label.yes + label.no and _worth_saying(state, name):
            together.setdefault((label.status, label.no), []).append(name)
        elif label.status == "disputed":
            title = escape(label_title(name, taxonomy, texts))
            lines.append(texts("reply.disputed", title=title, yes=_people(label.yes), no=_people(label.no)))
    said = [
        texts(f"reply.{status}", labels=names(labels, taxonomy, texts), people=_people(people))
        for (status, people), labels in together.items()
    ]
    return said + lines


def _worth_saying(state: MessageState, name: str) -> bool:
    """Whether a rejected label was ever on show: "correct" also says no to all that nobody thought of."""
    return name in state.predicted or bool(state.labels[name].yes)


def _option(name: str, taxonomy: Taxonomy, texts: Texts) -> Block:
    label = taxonomy[name]
    return {
        "text": {"type": "plain_text", "text": f":{label.emoji}: {texts.title(label)}"[:75], "emoji": True},
        "value": name,
        "description": _plain(label.description if len(label.description) <= 75 else label.description[:74] + "…"),
    }


def _people(users: tuple[str, ...]) -> str:
    shown = ", ".join(f"<@{user}>" for user in users[:5])
    return shown if len(users) <= 5 else f"{shown} +{len(users) - 5}"


def _emoji(name: str, taxonomy: Taxonomy) -> str:
    return (taxonomy[name].emoji or "label") if name in taxonomy else "label"


def _plain(text: str) -> Block:
    return {"type": "plain_text", "text": text, "emoji": True}
