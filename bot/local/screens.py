"""`beto doctor --screens`: every kind of screen, in both languages and both forms, with extreme words, judged by Slack.

Slack's `blocks.validate` takes no token and posts nothing. What is sent are made-up words; nothing of the database.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from bot.errors import refusal
from bot.local.slack_checks import WITHIN_S, CheckFailed
from bot.settings import BotSettings
from bot.views import (
    blocks,
    correction_blocks,
    erasure_blocks,
    figure_blocks,
    guide_blocks,
    home_blocks,
    label_blocks,
    reply_blocks,
    review_blocks,
    route_blocks,
    run_blocks,
    score_blocks,
    showing_blocks,
    summary_blocks,
    why_blocks,
)
from bot.views.native import classic_form, has_forms
from bot.views.texts import Texts, load_texts
from model.judgements import Gesture, Kind, fold
from model.labels import Label, Taxonomy
from model.routes import Route
from model.schema import (
    Card,
    Carried,
    Comparison,
    Explanation,
    Interval,
    LabelChange,
    Prediction,
    Progress,
    Reason,
    Report,
    Run,
    Standing,
    Verdict,
)
from model.showing import Showing
from model.summary import Counted, Seen, Summary

Screen = tuple[str, str, dict[str, Any]]  # what it is called, "message" or "view", and what Slack is asked about

LABELS = 120
# Signs that must be escaped: in titles of labels as many as people can write, in descriptions and messages as Slack takes.
TITLE = "<!channel> & «ñandú» *_~` :no_hay: "
WORDS = "<https://ejemplo.com|Slack> & <@U0SIMUANA> *ojo* `código` 😀 línea\n"
AT = datetime(2026, 11, 30, tzinfo=UTC)
PEOPLE = ("U0SIMUANA", "U0SIMULUIS", "U0SIMUMARIA")
CHANNEL = "C0SIMUATENCION"


def check_screens(settings: BotSettings) -> str:
    """Ask Slack about each screen; CheckFailed names those that it would not take, and where in them the mistake is."""
    handlers = [RateLimitErrorRetryHandler(max_retry_count=5)]
    client = WebClient(base_url=settings.slack_api_url, timeout=WITHIN_S, retry_handlers=[*handlers])
    asked, wrong = 0, []
    for language in ("es", "en"):
        for name, what, payload in screens(load_texts(language, settings.sign_emoji)):
            asked += 1
            try:
                client.blocks_validate(message=payload) if what == "message" else client.blocks_validate(view=payload)
            except SlackApiError as error:
                if refusal(error) in {None, "unknown_method"}:
                    raise CheckFailed(f"blocks.validate cannot be asked at {settings.slack_api_url}: {refusal(error)}") from error
                found = error.response.get("errors") or [{"message": refusal(error)}]
                wrong += [f"{name} ({language}): {each.get('message')} at {each.get('pointer', '?')}" for each in found[:3]]
    if wrong:
        raise CheckFailed(f"{len(wrong)} mistakes in {asked} screens: {'; '.join(wrong[:10])}")
    return f"{asked} screens of two languages and two forms are as Slack takes them"


def screens(texts: Texts) -> Iterator[Screen]:
    """Yield every kind of screen with ordinary labels few and with extreme ones many, each in its native and its classic form."""
    for size, taxonomy in (("few", _taxonomy(3)), ("many", _taxonomy(LABELS)), ("none", Taxonomy([]))):
        for name, shown in _messages(taxonomy, texts):
            yield f"{name}, {size} labels", "message", {"text": name, "blocks": list(shown)}
            if has_forms(shown) and (classic := classic_form(shown)):
                yield f"{name}, {size} labels, classic", "message", {"text": name, "blocks": classic}
        for name, view in _views(taxonomy, texts):
            yield f"{name}, {size} labels", "view", {**view, "blocks": list(view["blocks"])}
            if has_forms(view["blocks"]):
                yield f"{name}, {size} labels, classic", "view", {**view, "blocks": classic_form(view["blocks"])}


def _taxonomy(count: int) -> Taxonomy:
    extreme = count > 3
    return Taxonomy(
        [
            Label(
                name=f"etiqueta-{n}",
                title=f"{TITLE}{n} {'x' * 60}"[:60] if extreme else f"Etiqueta {n}",
                title_en=f"{TITLE}{n} {'y' * 60}"[:60] if extreme else f"Label {n}",
                emoji="" if n % 2 else f"emoji_de_nombre_largo_{n}",
                description=(WORDS * 20)[:300] if extreme else "",
                examples=((WORDS * 9)[:300],) * 5 if extreme else (),
                counterexamples=((WORDS * 9)[:300],) * 5 if extreme else (),
                group=f"{TITLE}{n % 4}"[:40] if extreme else "",
            )
            for n in range(count)
        ]
    )


def _prediction(taxonomy: Taxonomy) -> Prediction:
    scores = {name: 0.97 if n % 2 else 0.6 for n, name in enumerate(taxonomy.names)}
    return Prediction(
        version=9_999, base="x" * 80, scores=scores, labels=taxonomy.names[:40], truncated=True, corrections=10_000,
        learning=taxonomy.names[:5],
    )  # fmt: skip


def _messages(taxonomy: Taxonomy, texts: Texts) -> Iterator[tuple[str, list[blocks.Block]]]:
    prediction, labels = _prediction(taxonomy), taxonomy.names
    said = [Gesture(user=user, handle=user, at=n, kind=Kind.SET, labels=labels[:n]) for n, user in enumerate(PEOPLE)]
    for name, gestures in (("reply", []), ("judged reply", said[1:2]), ("disputed reply", said[:2])):
        state = fold(gestures, names=labels, predicted=prediction.labels)
        yield name, reply_blocks.reply(prediction, state, taxonomy, texts, stale=3, older=True, known=WORDS)[1]
    for n in (1, 2, 3):
        short = prediction.model_copy(update={"labels": labels[:n]})
        yield f"reply with {n}", reply_blocks.reply(short, fold([], names=labels, predicted=short.labels), taxonomy, texts)[1]
    yield "blind reply", reply_blocks.blind(texts)[1]
    yield "muted reply", reply_blocks.muted(PEOPLE * 3, texts)[1]
    line = f"• <https://example.slack.com/archives/{CHANNEL}/p1796000000000000|{blocks.snippet(WORDS * 9)}> Tarjeta, Fraude"
    yield "digest", reply_blocks.digest([line] * 40, texts)[1]
    for name, run in _runs():
        yield f"status of a run, {name}", run_blocks.status(run, texts)[1]
    report, run = _report(taxonomy), next(_runs())[1]
    standing = Standing(is_live=False, was_live=False, before=1)
    yield "report", run_blocks.report(run, report, standing, [f"• {line}"] * 5, taxonomy, texts)[1]
    if scores := score_blocks.scores(report, taxonomy, texts):
        yield "scores", scores
    yield "figures as charts", figure_blocks.charts(_figures(taxonomy), taxonomy, texts)[1]
    summary = _summary(taxonomy)
    yield (
        "summary",
        summary_blocks.post(summary, taxonomy, texts, archives="https://example.slack.com/archives/", every="daily")[1],
    )
    yield "backfill", blocks.backfill((WORDS * 60)[:2900], texts, is_running=True)
    yield "daily reminder", review_blocks.portion(texts, direct=False)[1]


def _views(taxonomy: Taxonomy, texts: Texts) -> Iterator[tuple[str, dict[str, Any]]]:
    labels, text = taxonomy.names, WORDS * 600
    state = fold(
        [Gesture(user=PEOPLE[0], handle="h", at=1, kind=Kind.SET, labels=labels[:20])], names=labels, predicted=labels[:9]
    )
    prediction, report, warning = _prediction(taxonomy), _report(taxonomy), WORDS
    yield "labels", correction_blocks.labels_modal(text, labels[:20], state, taxonomy, texts, metadata="{}", warning=warning)
    yield "loading", blocks.loading(texts)
    yield "sorry", blocks.sorry(text[:3000], texts)
    yield "notice", erasure_blocks.notice(text[:3000], texts)
    yield "forget", erasure_blocks.forget_modal(text[:2900], texts, metadata="{}", quoted=text)
    yield "promote", run_blocks.promote_modal(report, taxonomy, texts, metadata="{}")
    yield "details of a run", run_blocks.details(report, _card(), taxonomy, texts)
    yield "guide", guide_blocks.guide(taxonomy, texts, warning=warning)
    yield "list of labels", label_blocks.label_list(taxonomy, {}, [], texts, refused=None, warning=warning)
    for label in (None, *list(taxonomy)[:1]):
        yield "form of a label", label_blocks.label_form(label, texts, metadata="{}", touches=warning)
        if label is not None:
            yield "retire a label", label_blocks.retire_form(label, warning, texts, metadata="{}")
            yield "merge a label", label_blocks.merge_form(label, taxonomy, warning, texts, metadata="{}")
    yield "labels of a channel", label_blocks.channel_form(taxonomy, labels[:20], texts, metadata="{}")
    for blind in (False, True):
        notes, link = [(PEOPLE[0], WORDS * 9)], "https://example.com"
        shown = review_blocks.CardShown(text, CHANNEL, link, "teaches", blind, state, prediction.scores, notes, may_settle=True)
        progress = review_blocks.Progress(3, 10)
        yield (
            "review card",
            review_blocks.card(shown, 1, progress, taxonomy, texts, metadata="{}", may_go_back=True, warning=warning),
        )
    yield "review, nothing left", review_blocks.nothing_left(
        review_blocks.Progress(10, 10), texts, metadata="{}", may_go_back=True
    )  # fmt: skip
    route = Route(labels=labels[:20], channels=(CHANNEL,) * 9, card_in=CHANNEL, people=PEOPLE, emoji="x", webhook="https://a.b/c")
    listed = [route_blocks.Listed(n, route, is_on=bool(n % 2), secret="s" * 40, found=3, among=100) for n in range(1, 40)]
    yield "routes", route_blocks.route_list(listed, taxonomy, texts, refused=None, warning=warning, metadata="{}")
    yield "form of a route", route_blocks.route_form(route, taxonomy, texts, metadata="{}")
    yield "how labels are shown", showing_blocks.showing_form(Showing(), taxonomy, texts, zone="America/Guayaquil", metadata="{}")
    archives = "https://example.slack.com/archives/"
    yield "summary", summary_blocks.modal(_summary(taxonomy), taxonomy, texts, archives=archives, days=6, metadata="{}")
    yield "figures", figure_blocks.figures(_figures(taxonomy), taxonomy, texts)
    spans = tuple((n, n + 1) for n in range(9))
    carried = [Carried(label=name, score=0.9, given=True, words=spans, against=spans) for name in labels]
    explained = Explanation(version=3, base="mini", corrections=12, revision=1, labels=tuple(carried))
    near = [why_blocks.Near(f"<https://example.com|{blocks.snippet(text)}>", labels[:9], PEOPLE)] * 3
    yield "why", why_blocks.explanation(
        explained, text.split(), state, taxonomy, texts, known=WORDS, near=near, asked=None, describes=True, metadata="{}"
    )  # fmt: skip
    workplace = home_blocks.Workplace(
        answers=WORDS, live=3, may_train=True, waiting=9, doubts=(WORDS,), counted=_counted(taxonomy)
    )
    yield "home", home_blocks.home(workplace, taxonomy, texts, "beto")


def _runs() -> Iterator[tuple[str, Run]]:
    common: dict[str, Any] = {
        "id": 9_999, "requested_by": PEOPLE[0], "dry": True, "version": None, "report": None, "beat_at": AT, "requested_at": AT,
        "attempts": 1, "cancelled_by": None, "channel": CHANNEL, "status_ts": "1.1", "decided": None,
    }  # fmt: skip
    note = WORDS * 9
    yield "queued", Run(status="queued", error=None, progress=None, **common)
    for stage in ("preparing", "training", "evaluating"):
        progress = Progress(stage=stage, step=1, steps=2, epoch=99, loss=9.999, seconds_left=9_999, note=note)
        yield stage, Run(status="running", error=None, progress=progress, **common)
    progress = Progress(stage="training", step=1, steps=2)
    yield "failed", Run(status="failed", error=WORDS * 900, progress=progress, **common)


def _report(taxonomy: Taxonomy) -> Report:
    half = Interval(value=0.8, low=0.7, high=0.9)
    per_label = {
        name: LabelChange(before=None if n == 0 else 0.5, after=0.9, support=99, better=9, worse=n % 9, chance=0.01)
        for n, name in enumerate(taxonomy.names)
    }
    comparison = Comparison(
        texts=300, right=200, right_live=190, micro=half, macro=half, micro_gain=half, macro_gain=half, micro_baseline=0.7,
        macro_baseline=0.6, ece=0.05, ece_live=0.06, per_label=per_label,
    )  # fmt: skip
    values = {"which": "micro", "gain": 0.01, "low": -0.01, "high": 0.03}
    reasons = (Reason.model_validate({"code": "wins", "good": False, "values": values}),) * 5
    return Report(
        version=9_999, live=9_998, comparison=comparison, verdict=Verdict(promote=False, reasons=reasons), promoted=False,
        texts={"train": 9_999, "dev": 99, "test": 300}, corrections=999, judges=PEOPLE * 9, flips=(), notes=(WORDS,) * 3,
    )  # fmt: skip


def _card() -> Card:
    settings = {f"setting_{n}": WORDS for n in range(40)}
    return Card(
        base="x" * 80, labels=(), thresholds={}, seed=7, settings=settings, data_sha256="0" * 64, texts={"train": 9_999},
        scores={}, baseline={}, seconds=9_999.9, created_at=AT.isoformat(), code_version="0.0.0", parent=9_998,
    )  # fmt: skip


def _summary(taxonomy: Taxonomy) -> Summary:
    labels, prediction = taxonomy.names, _prediction(taxonomy)
    state = fold([], names=labels, predicted=prediction.labels)
    seen = [Seen(n, f"179600000{n}.000001", WORDS * 9, state, prediction) for n in range(5)]
    return Summary(CHANNEL, AT, _counted(taxonomy), [(name, seen) for name in labels[:3]], seen)


def _counted(taxonomy: Taxonomy) -> Counted:
    return Counted(messages=9_999, unlabelled=1, judged=500, corrected=499, labels=dict.fromkeys(taxonomy.names, 9_999))


def _figures(taxonomy: Taxonomy) -> figure_blocks.Figures:
    learned = [figure_blocks.Learned(n, 9_999, 0.8, 0.7, 0.9, 300, 0.01) for n in range(30)]
    weeks = [(AT + timedelta(weeks=n), _counted(taxonomy)) for n in range(8)]
    return figure_blocks.Figures(weeks, learned, 30, None, [0.1] * 99, None)
