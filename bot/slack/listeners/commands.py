"""`/beto` and its words, Spanish and English alike."""

import asyncio
import difflib
import hashlib
import time
from collections.abc import Awaitable, Callable

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot import queues
from bot.slack import history, people
from bot.slack.answering import who_answers
from bot.slack.context import ANSWER_WITHIN_S, Call, ListenerContext
from bot.slack.listeners import (
    agreement,
    backfills,
    erasure,
    explanations,
    figures,
    guide,
    labels,
    review,
    routes,
    showing,
    summaries,
    training,
)
from bot.slack.payloads.interactions import SlashCommand
from bot.slack.payloads.payload import LONGEST
from bot.views import blocks, first_version, showing_blocks
from model.first_training import FirstTraining
from model.reactions import Place
from model.schema import Message, Source
from model.store.channels import Mode

Word = Callable[[ListenerContext, Call], Awaitable[str]]

# How `/beto emoji` is switched.
ON, OFF = {"on", "sí", "si", "yes"}, {"off", "no"}
# What `/beto reacciones` chooses.
PLACES: dict[str, Place] = {
    "mensaje": "message", "mensajes": "message", "message": "message", "messages": "message",
    "respuesta": "reply", "respuestas": "reply", "reply": "reply", "replies": "reply",
}  # fmt: skip
# How each mode of a channel is called in the locale files, by whether we are in it.
MODE_KEYS: dict[tuple[Mode, bool], str] = {
    ("auto", True): "command.mode_auto",
    ("mention", True): "command.mode_mention",
    ("auto", False): "command.mode_auto_outside",
    ("mention", False): "command.mode_mention_outside",
}


def register(app: AsyncApp, context: ListenerContext) -> None:
    """Register `/beto`, which answers its person alone."""

    @app.command("/beto")
    async def on_command(ack: AsyncAck, parsed: SlashCommand) -> None:
        word, _, rest = (parsed.text or "").strip().partition(" ")
        call = Call(
            channel=parsed.channel,
            user=parsed.user,
            rest=rest.strip(),
            trigger_id=parsed.trigger_id,
            response_url=parsed.response_url,
        )
        answering = asyncio.ensure_future(_answer(context, word, call))
        await asyncio.wait([answering], timeout=ANSWER_WITHIN_S)
        if answering.done():
            await ack(answering.result())
            return
        # Slack or the database take their time, and Slack gives us three seconds: the answer comes by the response URL.
        await ack()
        context.after_ack(_answer_later(context, call, answering), what=f"/beto {word}", response_url=call.response_url)


async def _answer(context: ListenerContext, word: str, call: Call) -> str:
    """Return the answer."""
    answer = WORDS.get(word.lower())
    if answer is not None:
        return await answer(context, call)
    shown = blocks.escape(word[:50]).replace("`", "'")
    likely = difflib.get_close_matches(word.lower()[:50], [each for each in WORDS if each], n=1)
    key = "command.unknown_likely" if likely else "command.unknown"
    return context.texts(key, word=shown, likely="".join(likely))


async def _answer_later(context: ListenerContext, call: Call, answering: "asyncio.Future[str]") -> None:
    if text := await answering:
        await context.answer(call.response_url, text, what="/beto")


async def tell_help(context: ListenerContext, _call: Call) -> str:
    """Tell what one can do."""
    return context.texts("command.help", bot=context.bot_name)


async def classify(context: ListenerContext, call: Call) -> str:
    """Save the text and have it labelled; its labels come by the response URL, a moment later."""
    if not call.rest:
        return context.texts("command.no_text")
    first = await asyncio.to_thread(context.store.first_training)
    if first is not None and first.failed:  # nothing would come, so nothing is kept
        return first_version.sentence(first, context.texts)
    message = Message(
        channel=call.channel,
        # Unique for this gesture, and no longer the trigger itself.
        ts=f"command-{hashlib.sha256(call.trigger_id.encode()).hexdigest()[:32]}",
        user=call.user,
        text=call.rest[:LONGEST],
        source=Source.COMMAND,
        response_url=call.response_url,
    )
    message_id, new = await asyncio.to_thread(context.store.messages.save, message)
    if new:
        await context.publish(queues.classify_and_reply(message_id, 1))
    return "" if first is None else first_version.sentence(first, context.texts)


async def undo(context: ListenerContext, call: Call) -> str:
    """Withdraw the person's last gesture that still stands."""
    gestures = context.store.gestures
    last = await asyncio.to_thread(gestures.last_of, call.user)
    if last is None:
        return context.texts("command.nothing_to_undo")
    at = max(time.time_ns() // 1000, last.gesture.at + 1)
    taken_back = last.gesture.model_copy(update={"withdrawn": True, "at": at, "via": "undo"})
    message_id, _ = await asyncio.to_thread(gestures.add, taken_back, channel=last.channel, item_ts=last.item_ts)
    if message_id is not None:
        await context.publish(queues.reply(message_id))
    link = await history.link_to(context.slack, last.channel, last.item_ts)
    what = history.phrase(last.gesture, await context.taxonomy(), context.texts)
    return context.texts("command.undone", what=what, link=link)


async def tell_history(context: ListenerContext, call: Call) -> str:
    """Tell the history of the linked message, or of the channel's newest one that we know."""
    if call.rest:
        ref = history.read_link(call.rest)
        message_id = None if ref is None else await asyncio.to_thread(context.store.gestures.message_of, *ref)
    else:
        message_id = await asyncio.to_thread(context.store.messages.last_in, call.channel)
    return await history.tell(context, message_id, asked_by=call.user)


async def emoji(context: ListenerContext, call: Call) -> str:
    """Have the likely labels' emoji put on the channel's messages, or not; without a word, or with another, tell which."""
    channels = context.store.channels
    word = call.rest.lower()
    before = await asyncio.to_thread(channels.seeds, call.channel)
    if word not in ON | OFF:
        return context.texts("command.emoji_is_on" if before else "command.emoji_is_off")
    if not await context.visibility.is_full_member(call.user):
        return context.texts("command.guest")
    on = word in ON
    elsewhere = await _elsewhere(context, call)
    await asyncio.to_thread(channels.set_seeds, call.channel, on)
    if on != before and not elsewhere:
        await context.announce(call, "command.told_emoji_on" if on else "command.told_emoji_off")
    return context.texts("command.emoji_on" if on else "command.emoji_off") + (elsewhere if on else "")


async def reactions(context: ListenerContext, call: Call) -> str:
    """Have reactions to the channel's messages themselves count, or not; without a word, or with another, tell which."""
    channels, texts = context.store.channels, context.texts
    place = PLACES.get(call.rest.lower())
    if place is None:
        before = await asyncio.to_thread(channels.reactions, call.channel)
        told = "command.reactions_is_message" if before == "message" else "command.reactions_is_reply"
        return texts(told) + await _while_emoji(context, call)
    if not await context.visibility.is_full_member(call.user):
        return texts("command.guest")
    elsewhere = await _elsewhere(context, call)
    changed = await asyncio.to_thread(channels.set_reactions, call.channel, place)
    to_message = place == "message"
    if changed and not elsewhere:
        await context.announce(call, "command.told_reactions_message" if to_message else "command.told_reactions_reply")
    said = texts("command.reactions_message" if to_message else "command.reactions_reply") + elsewhere
    return said if to_message else said + await _while_emoji(context, call)


async def _elsewhere(context: ListenerContext, call: Call) -> str:
    """Return what is to be added where a choice has no effect yet, or none for whoever else is there; else nothing.

    Slack lets the bot see no difference between its own direct messages with this person and other people's.
    """
    if call.channel.startswith("D"):
        return f"\n{context.texts('command.chosen_direct')}"
    if await people.is_member(context.slack, call.channel):
        return ""
    return f"\n{context.texts('command.chosen_outside', bot=context.bot_name)}"


async def _while_emoji(context: ListenerContext, call: Call) -> str:
    """Return what is to be added where offering decides, whatever it chose for reactions."""
    seeds = await asyncio.to_thread(context.store.channels.seeds, call.channel)
    return f"\n{context.texts('command.reactions_emoji')}" if seeds else ""


async def status(context: ListenerContext, call: Call) -> str:
    """Tell which version really serves and since when, what waits, and what is done in this channel."""
    store, texts = context.store, context.texts
    inside = call.channel.startswith("D") or await people.is_member(context.slack, call.channel)

    def look() -> str:
        first, live = store.first_training(), store.registry.live()
        untrained = first_version.sentence(first or FirstTraining(None), texts)
        counts = store.messages.counts()
        kept = texts.counted("command.status_messages", counts["messages"])
        waiting = texts("command.status_waiting", prediction=counts["prediction"], reply=counts["reply"])
        key = "command.mode_direct" if call.channel.startswith("D") else MODE_KEYS[store.channels.mode(call.channel), inside]
        mode = texts(key, bot=context.bot_name)
        if inside and not call.channel.startswith("D") and store.channels.mode(call.channel) == "auto":
            mode = f"{mode}. {showing_blocks.told(store.channels.showing(call.channel), texts)}"
        return "\n".join(
            [
                *([untrained] if live is None else who_answers(store, live, texts)),
                f"{kept} · {waiting}",
                texts("command.status_here", mode=mode),
            ]
        )

    return await asyncio.to_thread(look)


WORDS: dict[str, Word] = {
    "": tell_help,
    "ayuda": tell_help,
    "help": tell_help,
    "clasifica": classify,
    "clasificar": classify,
    "classify": classify,
    "watch": showing.watch,
    "vigila": showing.watch,
    "unwatch": showing.unwatch,
    "deja": showing.unwatch,
    "deshacer": undo,
    "undo": undo,
    "historial": tell_history,
    "history": tell_history,
    "por": explanations.show,  # `/beto por qué`
    "porqué": explanations.show,
    "porque": explanations.show,
    "why": explanations.show,
    "emoji": emoji,
    "reacciones": reactions,
    "reactions": reactions,
    "reentrena": training.retrain,
    "reentrenar": training.retrain,
    "retrain": training.retrain,
    "versiones": training.tell_versions,
    "versions": training.tell_versions,
    "vuelve": training.roll_back,
    "volver": training.roll_back,
    "rollback": training.roll_back,
    "olvida": erasure.erase,
    "olvidar": erasure.erase,
    "forget": erasure.erase,
    "conserva": erasure.keep,
    "keep": erasure.keep,
    "etiquetas": labels.show,
    "labels": labels.show,
    "etiqueta": backfills.label_history,
    "label": backfills.label_history,
    "guía": guide.show,
    "guia": guide.show,
    "guide": guide.show,
    "rutas": routes.show,
    "routes": routes.show,
    "revisa": review.show,
    "revisar": review.show,
    "review": review.show,
    "resumen": summaries.show,
    "resume": summaries.show,
    "summary": summaries.show,
    "cifras": figures.show,
    "figures": figures.show,
    "numbers": figures.show,
    "acuerdo": agreement.tell,
    "agreement": agreement.tell,
    "estado": status,
    "status": status,
}
