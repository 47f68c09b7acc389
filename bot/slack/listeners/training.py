"""Retraining and versions: the words of `/beto` for them, and the buttons on a run's messages."""

import asyncio
from typing import TYPE_CHECKING, Any

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.outbox.reports import report_message, show_run
from bot.slack import people
from bot.slack.history import link_to
from bot.views import blocks, run_blocks
from model.errors import BrokenVersion
from model.store.registry import Registry, Version
from model.store.runs import Run
from worker.tasks import train

if TYPE_CHECKING:
    from bot.slack.app import Desk
    from bot.slack.listeners.commands import Call

REHEARSALS = {"--prueba", "prueba", "--dry-run", "dry-run"}


def register(app: AsyncApp, desk: "Desk") -> None:
    """The buttons; their words are in `commands`."""

    async def run_of(body: dict[str, Any], client: AsyncWebClient) -> Run | None:
        """The run whose button was pressed by somebody who may; None after telling the others why not."""
        channel, ts, user = body["container"]["channel_id"], body["container"]["message_ts"], body["user"]["id"]
        if not await people.may_train(client, desk.settings, user):
            await client.chat_postEphemeral(channel=channel, user=user, text=desk.texts("run.refused"))
            return None
        return await asyncio.to_thread(desk.runs.shown_at, channel, ts)

    @app.action(run_blocks.CANCEL_ACTION)
    async def on_cancel(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        run, user = await run_of(body, client), body["user"]["id"]
        if run is not None and not await asyncio.to_thread(desk.runs.cancel, run.id, user):
            channel = body["container"]["channel_id"]
            await client.chat_postEphemeral(channel=channel, user=user, text=desk.texts("run.over"))

    @app.action(run_blocks.PROMOTE_ACTION)
    async def on_promote(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        run = await run_of(body, client)
        if run is not None and run.report is not None:
            user, version = body["user"]["id"], run.report.version
            try:
                await asyncio.to_thread(_registry(desk).promote, version, by=user, reason=f"button under run {run.id}")
            except BrokenVersion:  # it made room for newer ones
                kept = ", ".join(str(each.number) for each in await asyncio.to_thread(_registry(desk).all))
                text = desk.texts("versions.unknown", version=version, all=kept)
                await client.chat_postEphemeral(channel=body["container"]["channel_id"], user=user, text=text)
                return
            await _redraw(client, body, run, desk.texts("run.decided_promote", user=f"<@{user}>", version=version))

    @app.action(run_blocks.KEEP_ACTION)
    async def on_keep(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        run = await run_of(body, client)
        if run is not None and run.report is not None:
            await _redraw(client, body, run, desk.texts("run.decided_keep", user=f"<@{body['user']['id']}>"))

    @app.action(run_blocks.DETAILS_ACTION)
    async def on_details(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()

        def look() -> dict[str, Any] | None:
            channel, ts = body["container"]["channel_id"], body["container"]["message_ts"]
            run = desk.runs.shown_at(channel, ts)
            version = None if run is None else _registry(desk).made_by(run.id)
            if run is None or run.report is None or version is None:
                return None
            return run_blocks.details(run.report, version.card, desk.taxonomy, desk.texts)

        if (view := await asyncio.to_thread(look)) is not None:
            await client.views_open(trigger_id=body["trigger_id"], view=view)


async def _redraw(client: AsyncWebClient, body: dict[str, Any], run: Run, decided: str) -> None:
    """The report says what somebody decided, and has no buttons for that any more."""
    assert run.report is not None
    text, shown = await asyncio.to_thread(report_message, run, run.report, decided)
    await client.chat_update(channel=body["container"]["channel_id"], ts=body["container"]["message_ts"], text=text, blocks=shown)


async def retrain(desk: "Desk", call: "Call") -> str:
    """A run is queued and its status message is on its way; or a link to the one that is under way."""
    if not await people.may_train(call.client, desk.settings, call.user):
        return desk.texts("run.refused")
    if not call.channel.startswith("D") and not await people.is_member(call.client, call.channel):
        return desk.texts("ask.not_member", bot="beto")
    dry = call.rest.lower() in REHEARSALS
    run_id, new = await asyncio.to_thread(desk.runs.open, call.user, channel=call.channel, dry=dry)
    if not new:
        run = await asyncio.to_thread(desk.runs.get, run_id)
        if run is None or run.channel is None or run.status_ts is None:
            return desk.texts("run.already_unseen")
        return desk.texts("run.already", link=await link_to(call.client, run.channel, run.status_ts))
    if (token := await asyncio.to_thread(desk.runs.watch, run_id)) is not None:
        await desk.publish(show_run.si(run_id, token))
    await desk.publish(train.si(run_id))
    return ""


async def tell_versions(desk: "Desk", _call: "Call") -> str:
    """The versions that are kept, the newest first, and which of them answers."""

    def look() -> str:
        registry = _registry(desk)
        live, kept = registry.live(), registry.all()[::-1]
        if not kept:
            return desk.texts("versions.none")
        lines = [_line(desk, version, is_live=live is not None and version.number == live.number) for version in kept[:20]]
        return "\n".join([*lines, desk.texts("versions.hint")])

    return await asyncio.to_thread(look)


async def go_back(desk: "Desk", call: "Call") -> str:
    """The version before the live one answers again, or the one that is named."""
    if not await people.may_train(call.client, desk.settings, call.user):
        return desk.texts("run.refused")

    def turn() -> str:
        registry = _registry(desk)
        live, kept = registry.live(), {str(version.number): version for version in registry.all()}
        named = call.rest.lower().removeprefix("v")
        version = kept.get(named) if named else registry.before_live()
        if version is None and named:
            return desk.texts("versions.unknown", version=blocks.escape(call.rest[:20]), all=", ".join(kept) or "-")
        if version is None or live is None:
            return desk.texts("versions.nowhere")
        if version.number == live.number:
            return desk.texts("versions.same", version=live.number)
        registry.promote(version.number, by=call.user, reason="/beto vuelve")
        base = blocks.escape(blocks.base_name(version.card.base))
        return desk.texts("versions.back", version=version.number, base=base, before=live.number)

    return await asyncio.to_thread(turn)


def _line(desk: "Desk", version: Version, *, is_live: bool) -> str:
    scores = version.card.scores.get("test") or version.card.scores["dev"]
    return desk.texts(
        "versions.line",
        mark=desk.texts("versions.live" if is_live else "versions.kept"),
        version=version.number,
        base=blocks.escape(blocks.base_name(version.card.base)),
        when=f"<!date^{int(version.created_at.timestamp())}^{{date_num}} {{time}}|{version.created_at:%Y-%m-%d %H:%M} UTC>",
        micro=run_blocks.points(scores.micro_f1),
        macro=run_blocks.points(scores.macro_f1),
        texts=sum(version.card.texts.values()),
    )


def _registry(desk: "Desk") -> Registry:
    return desk.store.registry
