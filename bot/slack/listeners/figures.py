"""`/beto cifras`: labels over time, corrections, what versions learnt, how sure and how fast they are, and what changed."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.slack.context import Call, ListenerContext, Tell
from bot.slack.readers import Reader
from bot.views import figure_blocks, summary_blocks
from bot.views.figure_blocks import Figures, Learned
from model.drift import Drift, drift_of
from model.labels import Taxonomy
from model.proposal import Brought, Proposal, propose
from model.store.registry import Version
from model.store.standings import Span
from model.store.store import Store

WEEKS = 8


async def show(context: ListenerContext, call: Call) -> str:
    """Open the screen."""
    await open_for(context, call.user, call.trigger_id)
    return ""


async def open_for(context: ListenerContext, user: str, trigger_id: str) -> None:
    """Open the screen for this person, and fill it as soon as it is known."""
    reader = await context.readers.soon(user)
    loading = summary_blocks.only(reader.texts("modal.loading"), reader.texts)
    opened = await context.slack.views_open(trigger_id=trigger_id, view=loading)
    view_id = str(opened["view"]["id"])
    context.after_ack(_fill(context, user, view_id), what="/beto cifras", tell=_in_modal(context, reader, view_id))


def _in_modal(context: ListenerContext, reader: Reader, view_id: str) -> Tell:
    """Return what shows a sentence in this modal instead of what it shows."""

    async def tell(sentence: str) -> None:
        await context.slack.views_update(view_id=view_id, view=summary_blocks.only(sentence, reader.texts))

    return tell


async def _fill(context: ListenerContext, user: str, view_id: str) -> None:
    reader, taxonomy = await context.readers.of(user), await context.taxonomy()
    shown = await asyncio.to_thread(_look, context.store, reader, taxonomy)
    await context.slack.views_update(view_id=view_id, view=figure_blocks.figures(shown, taxonomy, reader.texts))


async def send(context: ListenerContext, user: str, view_id: str) -> None:
    """Send it to this person as charts, in their direct messages, and say so on the screen."""
    reader, taxonomy = await context.readers.of(user), await context.taxonomy()
    shown = await asyncio.to_thread(_look, context.store, reader, taxonomy)
    text, charts = figure_blocks.charts(shown, taxonomy, reader.texts)
    await context.slack.chat_postMessage(channel=user, text=text, blocks=charts)
    view = figure_blocks.figures(shown, taxonomy, reader.texts, sent=True)
    await context.slack.views_update(view_id=view_id, view=view)


def _look(store: Store, reader: Reader, taxonomy: Taxonomy) -> Figures:
    live = store.registry.live()
    scores = None if live is None else live.card.scores.get("test") or live.card.scores["dev"]
    learned = [
        Learned(
            version=each.version,
            judgements=each.judgements,
            micro=each.report.comparison.micro.value,
            low=each.report.comparison.micro.low,
            high=each.report.comparison.micro.high,
            texts=each.report.comparison.texts,
            gain=None if each.report.comparison.micro_gain is None else each.report.comparison.micro_gain.value,
        )
        for each in store.insight.learnt()
        if each.report.comparison.texts
    ]
    return Figures(
        weeks=[(first, store.standings.count(span, taxonomy)) for first, span in _weeks(reader)],
        learned=learned,
        live=None if live is None else live.number,
        scores=scores,
        waits_s=store.insight.waits_s(),
        drift=drift_of_live(store, live),
    )


def _weeks(reader: Reader) -> list[tuple[datetime, Span]]:
    """Return the last weeks, Monday to Monday by the reader's clock, each with its first day; the present one is the last."""
    today = datetime.now(UTC).astimezone(reader.zone)
    begins = [reader.midnight(days_ago=today.weekday() + 7 * ago) for ago in range(WEEKS)][::-1]
    ends: list[Any] = [*begins[1:], datetime.now(UTC) + timedelta(seconds=1)]
    return [(begin, Span.between(begin, end)) for begin, end in zip(begins, ends, strict=True)]


def drift_of_live(store: Store, live: Version | None) -> Drift | None:
    """Return whether what comes still is what the live version was tested on."""
    return None if live is None else drift_of(live.card, store.insight.recent_scores(live.number))


def proposal_of(store: Store) -> Proposal | None:
    """Return whether a retraining is worth it by now."""
    learnt = store.insight.learnt()
    brought = [
        Brought(after.judgements - before.judgements, after.report.comparison.micro_gain.value)
        for before, after in itertools.pairwise(learnt)
        if after.report.comparison.micro_gain is not None and after.report.comparison.texts
    ]
    return propose(store.runs.new_judgements(), brought)
