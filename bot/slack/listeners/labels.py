"""The team's labels: the list, and what those who may change of it, all in modals. Channels are told by the store."""

import asyncio
import json
import logging
import re
import time
from collections.abc import Callable
from typing import Any

import aiohttp
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError

from bot.slack.context import ANSWER_WITHIN_S, Call, ListenerContext, Tell
from bot.slack.listeners import canvas, channel_labels, label_questions
from bot.slack.listeners.agreement import look as look_at_agreement
from bot.slack.listeners.label_form import label_of, what_is_wrong
from bot.slack.payloads.views import ViewClick, ViewSubmission
from bot.views import blocks, label_blocks, label_names
from bot.views.blocks import CHOICE
from bot.views.label_blocks import Undoable
from bot.views.label_standing import Standing
from model.errors import BadData, StoreUnavailable
from model.labels import Label, LabelEvent, Taxonomy
from model.schema import Card, Cuts

log = logging.getLogger(__name__)

# Of the newest predictions, so many are looked through for what a change touches.
LOOKED_THROUGH = 1000


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the buttons, the menu and the forms; `/beto etiquetas` opens the list."""

    def on_click(action: str, press: Callable[[ListenerContext, ViewClick], Any]) -> None:
        @app.action(action)
        async def on_press(ack: AsyncAck, parsed: ViewClick) -> None:
            await ack()
            tell = _in_modal(context, parsed.root_view_id)
            context.after_ack(_if_allowed(context, parsed, press), what=action, tell=tell)

    on_click(label_blocks.ADD_BUTTON, _open_form)
    on_click(label_blocks.MENU, _choose)
    on_click(label_blocks.RESTORE_BUTTON, _restore)
    on_click(label_blocks.UNDO_BUTTON, _undo)
    on_click(label_blocks.BANK_BUTTON, _keep)
    on_click(label_blocks.YES_BUTTON, _follow_suggestion)
    on_click(label_blocks.NO_BUTTON, _decline)
    on_click(label_blocks.OWN_BUTTON, _begin_empty)

    @app.view(label_blocks.LABEL_VIEW)
    async def on_save(ack: AsyncAck, parsed: ViewSubmission) -> None:
        taxonomy = await asyncio.to_thread(context.store.labels.recorded)
        label = label_of(parsed, taxonomy, context)
        if wrong := what_is_wrong(label, taxonomy, context):
            await ack(response_action="errors", errors=wrong)
            return
        await _submit(
            ack, context, parsed, _event("change" if label.name in taxonomy else "add", label.name, parsed, label=label)
        )

    @app.view(label_blocks.RETIRE_VIEW)
    async def on_retire(ack: AsyncAck, parsed: ViewSubmission) -> None:
        await _submit(ack, context, parsed, _event("retire", parsed.opened.label or "", parsed))

    @app.view(label_blocks.MERGE_VIEW)
    async def on_merge(ack: AsyncAck, parsed: ViewSubmission) -> None:
        await _submit(ack, context, parsed, _event("merge", parsed.opened.label or "", parsed, into=parsed.field(CHOICE)))


async def show(context: ListenerContext, call: Call) -> str:
    """Open the list of the team's labels, or the choice of those that this channel uses."""
    if call.rest.lower() in canvas.WORDS:
        return await canvas.put(context, call)
    if call.rest.lower() in {"canal", "channel"}:
        return await channel_labels.show(context, call)
    opened = await context.slack.views_open(trigger_id=call.trigger_id, view=blocks.loading(context.texts))
    view_id = str(opened["view"]["id"])
    context.after_ack(_show_list(context, view_id, call.user), what="/beto etiquetas", tell=_in_modal(context, view_id))
    return ""


def _in_modal(context: ListenerContext, view_id: str) -> Tell:
    """Return what shows a sentence in this modal instead of what it shows."""

    async def tell(sentence: str) -> None:
        await context.slack.views_update(view_id=view_id, view=blocks.sorry(sentence, context.texts))

    return tell


async def _show_list(context: ListenerContext, view_id: str, user: str, *, warning: str = "") -> None:
    refused = await context.why_not_edit_labels(user)
    is_lead = await context.why_not_lead(user) is None
    asked = [] if refused is not None else await label_questions.asked(context, user)

    def look() -> dict[str, Any]:
        store, texts = context.store, context.texts
        taxonomy = store.labels.current()
        named, live = store.gestures.named(taxonomy), store.registry.live()
        scores = {} if live is None else (live.card.scores.get("test") or live.card.scores["dev"]).per_label
        cuts = {} if live is None else _cuts(live.card, taxonomy)
        taught = () if live is None else taxonomy.today([name for name in live.card.labels if name not in live.card.untaught])
        described = () if live is None or not live.card.describes else set(taxonomy.names) - set(taught)
        agreed = look_at_agreement(store, taxonomy).labels if is_lead else {}
        standings = {
            name: Standing(named[name], scores.get(name), live is not None, cuts.get(name), name in described, agreed.get(name))
            for name in taxonomy.names
        }
        undoable = [Undoable(number, _told(event, taxonomy, context)) for number, event in store.labels.undoable()]
        former = store.gestures.named(None) if taxonomy.former else None
        is_new = not store.labels.events()
        return label_blocks.label_list(
            taxonomy, standings, undoable, texts, refused=refused, warning=warning, former=former, is_new=is_new, asked=asked
        )

    await context.slack.views_update(view_id=view_id, view=await asyncio.to_thread(look))


async def _if_allowed(context: ListenerContext, parsed: ViewClick, press: Callable[[ListenerContext, ViewClick], Any]) -> None:
    """Do what was pressed; the list says why not to whoever may no longer, and what went wrong."""
    if await context.why_not_edit_labels(parsed.user) is not None:
        await _show_list(context, parsed.root_view_id, parsed.user)
        return
    try:
        await press(context, parsed)
    except BadData as error:  # somebody else was faster
        log.info("the labels are as they were: %s", error)
        await _show_list(context, parsed.root_view_id, parsed.user, warning=context.texts("labels.impossible"))


async def _open_form(context: ListenerContext, parsed: ViewClick) -> None:
    await context.slack.views_push(trigger_id=parsed.trigger_id, view=label_blocks.label_form(None, context.texts, metadata="{}"))


async def _choose(context: ListenerContext, parsed: ViewClick) -> None:
    """Open the form or the question that an entry of a label's menu stands for, or move the label up."""
    act, _, name = parsed.value.partition(":")
    taxonomy = await asyncio.to_thread(context.store.labels.recorded)
    if name not in taxonomy:
        await _show_list(context, parsed.root_view_id, parsed.user)
        return
    label, metadata, texts = taxonomy[name], json.dumps({"label": name}), context.texts
    if act in {"up", "down"}:
        await _move(context, parsed, taxonomy, name, by=1 if act == "down" else -1)
        return
    touches = await asyncio.to_thread(_touches, context, taxonomy, name)
    if act == "change":
        shown, cuts = await asyncio.to_thread(_served, context, name)
        now = label.model_copy(update={"prefer": shown})
        view = label_blocks.label_form(now, texts, metadata=metadata, cuts=cuts, touches=touches)
    elif act == "merge":
        view = label_blocks.merge_form(label, taxonomy, touches, texts, metadata=metadata)
    else:
        view = label_blocks.retire_form(label, touches, texts, metadata=metadata)
    await context.slack.views_push(trigger_id=parsed.trigger_id, view=view)


def _served(context: ListenerContext, name: str) -> tuple[str, Cuts | None]:
    """Return what is preferred of the label, chosen or set, and its thresholds in the live version."""
    taxonomy, live = context.store.labels.current(), context.store.registry.live()
    cuts = {} if live is None else _cuts(live.card, taxonomy)
    return taxonomy[name].prefer if name in taxonomy else "", cuts.get(name)


def _cuts(card: Card, taxonomy: Taxonomy) -> dict[str, Cuts]:
    """Return the thresholds of the version's labels, by their names of today."""
    return {current: cuts for name, cuts in card.cuts.items() for current in taxonomy.today([name])}


def _touches(context: ListenerContext, taxonomy: Taxonomy, name: str) -> str:
    carrying, among = context.store.predictions.carrying(name, LOOKED_THROUGH)
    judged = context.store.gestures.named(taxonomy)[name]
    return context.texts("labels.touches", carrying=carrying, among=among, judged=judged)


async def _follow_suggestion(context: ListenerContext, parsed: ViewClick) -> None:
    """Open what the question proposes: the form of a new label with its messages, or the merging of two; nothing is done yet."""
    number, taxonomy = int(parsed.value) if parsed.value.isdigit() else 0, context.store.labels.recorded()
    question = dict(await asyncio.to_thread(context.store.label_questions.open)).get(number)
    names = () if question is None else taxonomy.today(question.labels)
    if question is not None and question.kind == "cluster":
        examples = await label_questions.examples(context, question, parsed.user)
        label = Label(name="", title="", title_en="", emoji="", description="", examples=tuple(examples))
        view = label_blocks.label_form(label, context.texts, metadata="{}") | {
            "title": blocks.plain_text(context.texts("labels.form_new"))
        }
    elif len(names) == 2:
        touches = await asyncio.to_thread(_touches, context, taxonomy, names[0])
        metadata = json.dumps({"label": names[0]})
        view = label_blocks.merge_form(taxonomy[names[0]], taxonomy, touches, context.texts, metadata=metadata)
    else:
        await _show_list(context, parsed.root_view_id, parsed.user)
        return
    await asyncio.to_thread(context.store.label_questions.answer, number, parsed.user)
    await context.slack.views_push(trigger_id=parsed.trigger_id, view=view)


async def _decline(context: ListenerContext, parsed: ViewClick) -> None:
    number = int(parsed.value) if parsed.value.isdigit() else 0
    await asyncio.to_thread(context.store.label_questions.answer, number, parsed.user)
    await _show_list(context, parsed.root_view_id, parsed.user)


async def _keep(context: ListenerContext, parsed: ViewClick) -> None:
    """Record that the shipped labels are theirs: an order, which changes nothing and is told to nobody."""
    await _record(context, _event("order", "", parsed, names=(await context.taxonomy()).names))
    await _show_list(context, parsed.root_view_id, parsed.user)


async def _begin_empty(context: ListenerContext, parsed: ViewClick) -> None:
    """Retire all shipped labels at once, where nobody has changed any yet; one tap brings them back."""
    if not await asyncio.to_thread(context.store.labels.events):
        names = (await asyncio.to_thread(context.store.labels.recorded)).names
        await _record(context, _event("empty", "", parsed, names=names))
    await _show_list(context, parsed.root_view_id, parsed.user)


async def _move(context: ListenerContext, parsed: ViewClick, taxonomy: Taxonomy, name: str, *, by: int) -> None:
    """Move the label past its neighbour in its own group, since the list shows groups together."""
    names = list(taxonomy.names)
    peers = [each for each in names if taxonomy[each].group == taxonomy[name].group]
    there = peers.index(name) + by
    if 0 <= there < len(peers):
        at, to = names.index(name), names.index(peers[there])
        names[at], names[to] = names[to], names[at]
        await _record(context, _event("order", "", parsed, names=tuple(names)))
    await _show_list(context, parsed.root_view_id, parsed.user)


async def _restore(context: ListenerContext, parsed: ViewClick) -> None:
    """Bring a label back; without its emoji where another has that by now."""
    taxonomy = await asyncio.to_thread(context.store.labels.recorded)
    label = taxonomy.former.get(parsed.value)
    if label is not None and label.emoji and taxonomy.by_emoji(label.emoji) is not None:
        label = label.model_copy(update={"emoji": ""})
    await _record(context, _event("restore", parsed.value, parsed, label=label))
    await _show_list(context, parsed.root_view_id, parsed.user)


async def _undo(context: ListenerContext, parsed: ViewClick) -> None:
    await _record(context, _event("undo", "", parsed, undoes=int(parsed.value) if parsed.value.isdigit() else 0))
    await _show_list(context, parsed.root_view_id, parsed.user)


async def _submit(ack: AsyncAck, context: ListenerContext, parsed: ViewSubmission, event: LabelEvent) -> None:
    """Record what a form asks for, and show the list anew, with what went wrong where it could not be."""
    try:
        why_not = await asyncio.wait_for(context.why_not_edit_labels(parsed.user), ANSWER_WITHIN_S)
        if why_not is None:
            await _record(context, event)
    except (SlackApiError, OSError, aiohttp.ClientError, TimeoutError) as error:
        log.warning("whether a person may change the labels is not known: %r", error)
        why_not = context.texts("command.failed")
    except StoreUnavailable as error:
        log.warning("a change of the labels waits for the database: %s", error)
        why_not = context.texts("command.trouble")
        if parsed.callback_id == label_blocks.LABEL_VIEW:  # what was typed is still there
            await ack(response_action="errors", errors={label_blocks.TITLE: why_not})
            return
    except BadData as error:  # somebody else was faster
        log.info("the labels are as they were: %s", error)
        why_not = context.texts("labels.impossible")
    await ack()
    if parsed.root_view_id:
        shown = _show_list(context, parsed.root_view_id, parsed.user, warning=why_not or "")
        context.after_ack(shown, what=parsed.callback_id, tell=_in_modal(context, parsed.root_view_id))


async def _record(context: ListenerContext, event: LabelEvent) -> None:
    await asyncio.to_thread(context.store.labels.record, event)
    context.labels.forget()


def _event(kind: str, name: str, parsed: ViewClick | ViewSubmission, **more: Any) -> LabelEvent:
    return LabelEvent.model_validate({"kind": kind, "name": name, "at": time.time_ns() // 1000, "by": parsed.user, **more})


def _told(event: LabelEvent, taxonomy: Taxonomy, context: ListenerContext) -> str:
    """Return what a change did and who did it, for the list of what can be undone."""

    def titled(name: str | None) -> str:
        label = taxonomy.former.get(name or "") or event.label
        return blocks.escape(
            label_names.label_title(name or "", taxonomy, context.texts) if label is None else context.texts.title(label)
        )

    who = f"<@{event.by}>" if re.fullmatch(r"[UW][A-Z0-9]+", event.by) else blocks.escape(event.by)
    return context.texts(f"labels.did_{event.kind}", label=titled(event.name), into=titled(event.into), who=who)
