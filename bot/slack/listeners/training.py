"""Retraining and versions: the words of `/beto` for them, and the buttons on a run's messages."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.errors import SlackApiError

from bot import queues
from bot.errors import refusal
from bot.slack import people
from bot.slack.context import Call, ListenerContext
from bot.slack.history import link_to
from bot.slack.payloads.interactions import ButtonClick
from bot.slack.payloads.views import ViewSubmission
from bot.views import blocks, reply_blocks, run_blocks
from model.errors import BrokenVersion
from model.schema import Report, Run
from model.store.outbox_row import report_key
from model.store.registry import Version

log = logging.getLogger(__name__)

Press = Callable[[ListenerContext, ButtonClick], Coroutine[Any, Any, None]]

REHEARSALS = {"--prueba", "prueba", "--dry-run", "dry-run"}


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register the buttons; the words are in `commands`. All are acknowledged first: Slack is asked whether somebody may."""
    buttons: dict[str, Press] = {
        run_blocks.CANCEL_ACTION: _cancel,
        run_blocks.PROMOTE_ACTION: _promote,
        run_blocks.KEEP_ACTION: _keep,
        run_blocks.GO_BACK_ACTION: _go_back,
        run_blocks.DETAILS_ACTION: _show_details,
    }
    for action, press in buttons.items():
        app.action(action)(_listener(context, action, press))

    @app.view(run_blocks.PROMOTE_VIEW)
    async def on_yes(ack: AsyncAck, parsed: ViewSubmission) -> None:
        await ack(response_action="update", view=run_blocks.promote_notice(context.texts("modal.loading"), context.texts))
        context.after_ack(_promote_all_the_same(context, parsed), what=run_blocks.PROMOTE_VIEW)


def _listener(context: ListenerContext, name: str, press: Press) -> Callable[..., Awaitable[None]]:
    async def on_press(ack: AsyncAck, parsed: ButtonClick) -> None:
        await ack()
        context.after_ack(press(context, parsed), what=name, response_url=parsed.response_url)

    return on_press


async def _cancel(context: ListenerContext, parsed: ButtonClick) -> None:
    run = await _run_of(context, parsed)
    if run is not None and not await asyncio.to_thread(context.store.runs.cancel, run.id, parsed.user):
        await _tell(context, parsed, context.texts("run.over"))


async def _promote(context: ListenerContext, parsed: ButtonClick) -> None:
    """Make the run's version live, and have that shown under its report."""
    run = await _run_of(context, parsed)
    if run is None or run.report is None:
        return
    registry, version = context.store.registry, run.report.version
    live = await asyncio.to_thread(registry.live)
    if live is not None and live.number == version:  # somebody was faster, and the button is about to go
        await _tell(context, parsed, context.texts("versions.same", version=version))
    try:
        await asyncio.to_thread(
            registry.promote, version, by=parsed.user, reason=f"button under run {run.id}", asked_in=parsed.channel
        )  # fmt: skip
    except BrokenVersion:  # it made room for newer ones
        kept = ", ".join(str(each.number) for each in await asyncio.to_thread(registry.all))
        await _tell(context, parsed, context.texts("versions.unknown", version=version, all=kept))
        return
    await _show_what_is_true(context, run)


async def _go_back(context: ListenerContext, parsed: ButtonClick) -> None:
    """Make the version live again that the button names: the one that was live before the run's."""
    run = await _run_of(context, parsed)
    if run is None or run.report is None:
        return
    version, registry, outbox = run.report.version, context.store.registry, context.store.outbox

    def turn() -> bool:
        """Return whether what the button says was so; else what stands there is about to change."""
        row, standing = outbox.get(report_key(run.id)), registry.standing(version)
        if row is None or row.shown != row.wanted or not standing.is_live or standing.before is None:
            return False
        reason = f"button under run {run.id}: back"
        return registry.promote(
            standing.before, by=parsed.user, reason=reason, instead_of=version, asked_in=parsed.channel
        )  # fmt: skip

    try:
        turned = await asyncio.to_thread(turn)
    except BrokenVersion:  # its files went at this very moment
        turned = False
    if not turned:
        await _tell(context, parsed, context.texts("run.changed"))
    await _show_what_is_true(context, run)


async def _keep(context: ListenerContext, parsed: ButtonClick) -> None:
    """Have it shown under the run's report that the version before it goes on."""
    run = await _run_of(context, parsed)
    if run is not None and run.report is not None:
        await asyncio.to_thread(context.store.runs.decide, run.id, "kept", parsed.user)
        await _show_what_is_true(context, run)


async def _show_what_is_true(context: ListenerContext, run: Run) -> None:
    """Have the run's report and status say what is so now; those of other runs that it concerns, the sweep finds."""
    await context.publish(queues.run_report(run.id))
    await context.publish(queues.run_status(run.id))


async def _show_details(context: ListenerContext, parsed: ButtonClick) -> None:
    """Open the modal with every label's score."""
    store, taxonomy = context.store, await context.taxonomy()

    def look() -> dict[str, Any] | None:
        run = store.runs.shown_at(*parsed.ref)
        version = None if run is None else store.registry.made_by(run.id)
        if run is None or run.report is None or version is None:
            return None
        return run_blocks.details(run.report, version.card, taxonomy, context.texts)

    if (view := await asyncio.to_thread(look)) is not None:
        await context.slack.views_open(trigger_id=parsed.trigger_id, view=view)
    else:
        await _tell(context, parsed, context.texts("run.unknown"))


async def _run_of(context: ListenerContext, parsed: ButtonClick) -> Run | None:
    """Return the run whose button was pressed by somebody who may; None after telling the others why not."""
    if (why_not := await context.why_not_train(parsed.user)) is not None:
        await _tell(context, parsed, why_not)
        return None
    run = await asyncio.to_thread(context.store.runs.shown_at, *parsed.ref)
    if run is None:
        await _tell(context, parsed, context.texts("run.unknown"))
    return run


async def _tell(context: ListenerContext, parsed: ButtonClick, text: str) -> None:
    await context.tell(text, channel=parsed.channel, user=parsed.user, response_url=parsed.response_url)


async def retrain(context: ListenerContext, call: Call) -> str:
    """Queue a run, whose status message follows; or tell where the one is that is under way."""
    runs, texts = context.store.runs, context.texts
    if (why_not := await context.why_not_train(call.user)) is not None:
        return why_not
    if not call.channel.startswith("D") and not await people.is_member(context.slack, call.channel):
        return texts("ask.not_member", bot=context.bot_name)
    if call.channel.startswith("D"):
        last = await asyncio.to_thread(runs.last)
        if (last is None or last.over) and not await _can_tell(context, call, texts("run.coming")):
            return texts("run.not_here")
    run_id, new = await asyncio.to_thread(
        runs.open, call.user, channel=call.channel, dry=call.rest.lower() in REHEARSALS
    )  # fmt: skip
    if not new:
        run = await asyncio.to_thread(runs.get, run_id)
        if run is None or run.channel is None or run.status_ts is None:
            return texts("run.already_unseen")
        if run.channel != call.channel and not await context.visibility.reads(call.user, run.channel):
            return texts("run.already_unseen")
        return texts("run.already", link=await link_to(context.slack, run.channel, run.status_ts))
    await context.publish(queues.run_status(run_id))
    await context.publish(queues.train(run_id))
    return ""


async def _can_tell(context: ListenerContext, call: Call, text: str) -> bool:
    """Show the text; return whether that is possible here: in others' direct messages nothing of ours can stand."""
    try:
        await context.slack.chat_postEphemeral(channel=call.channel, user=call.user, text=text)
    except SlackApiError as error:
        if refusal(error) not in {"channel_not_found", "not_in_channel", "user_not_in_channel"}:
            raise
        return False
    return True


async def tell_versions(context: ListenerContext, _call: Call) -> str:
    """Tell the versions that are kept, the newest first, and which of them is live."""
    registry, texts = context.store.registry, context.texts

    def look() -> str:
        live, kept = registry.live(), registry.all()[::-1]
        if not kept:
            return texts("versions.none")
        lines = [_line(context, version, is_live=live is not None and version.number == live.number) for version in kept[:20]]
        return "\n".join([*lines, texts("versions.hint")])

    return await asyncio.to_thread(look)


async def roll_back(context: ListenerContext, call: Call) -> str:
    """Make the version before the live one live again, or the one that is named."""
    registry, texts, taxonomy = context.store.registry, context.texts, await context.taxonomy()
    if (why_not := await context.why_not_train(call.user)) is not None:
        return why_not

    def turn() -> str | dict[str, Any]:
        live, kept = registry.live(), {str(version.number): version for version in registry.all()}
        named = call.rest.lower().removeprefix("v")
        version = kept.get(named) if named else registry.before_live()
        if version is None and named:
            return texts("versions.unknown", version=blocks.escape(call.rest[:20]), all=", ".join(kept) or "-")
        if version is None or live is None:
            return texts("versions.nowhere")
        if version.number == live.number:
            return texts("versions.same", version=live.number)
        if (doubts := _doubts(context, version.number)) is not None:
            metadata = json.dumps({"version": version.number, "channel": call.channel})
            return run_blocks.promote_modal(doubts, taxonomy, texts, metadata=metadata)
        registry.promote(version.number, by=call.user, reason="/beto vuelve", asked_in=call.channel)
        base = blocks.escape(reply_blocks.base_name(version.card.base))
        return texts("versions.back", version=version.number, base=base, before=live.number)

    answer = await asyncio.to_thread(turn)
    if isinstance(answer, str):
        return answer
    await context.slack.views_open(trigger_id=call.trigger_id, view=answer)
    return ""


def _doubts(context: ListenerContext, version: int) -> Report | None:
    """Return the report that did not find this version better, unless it was put to work before: then people know it."""
    run = context.store.runs.that_made(version)
    report = None if run is None else run.report
    if report is None or not report.found_worse or context.store.registry.standing(version).was_live:
        return None
    return report


async def _promote_all_the_same(context: ListenerContext, parsed: ViewSubmission) -> None:
    """Make the version of the modal live, whose person has read that it was not found better; say so in the modal."""
    texts, registry, version = context.texts, context.store.registry, parsed.opened.version
    # Asked again: between question and answer somebody may have lost the right.
    told = await context.why_not_train(parsed.user)
    if told is None and version is not None:
        reason, asked_in = "/beto vuelve, and yes", parsed.opened.channel
        try:
            await asyncio.to_thread(registry.promote, version, by=parsed.user, reason=reason, asked_in=asked_in)
            told = texts("versions.now", version=version)
        except BrokenVersion:
            kept = ", ".join(str(each.number) for each in await asyncio.to_thread(registry.all))
            told = texts("versions.unknown", version=version, all=kept)
    view = run_blocks.promote_notice(told or texts("command.failed"), texts)
    try:
        await context.slack.views_update(view_id=parsed.view_id, view=view)
    except SlackApiError as error:  # the person has closed it; the channel is told anyway
        log.info("what became of a promotion was not shown: %s", refusal(error))


def _line(context: ListenerContext, version: Version, *, is_live: bool) -> str:
    scores = version.card.scores.get("test") or version.card.scores["dev"]
    return context.texts(
        "versions.line",
        mark=context.texts("versions.live" if is_live else "versions.kept"),
        version=version.number,
        base=blocks.escape(reply_blocks.base_name(version.card.base)),
        when=blocks.moment(version.created_at),
        micro=run_blocks.points(scores.micro_f1),
        macro=run_blocks.points(scores.macro_f1),
        texts=context.texts.counted("versions.texts", sum(version.card.texts.values())),
    )
