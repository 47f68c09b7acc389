"""What the labels themselves suggest, for whoever may change them and may read what it rests on."""

import asyncio

from bot.slack.context import ListenerContext
from bot.views import blocks
from bot.views.label_blocks import Asked
from model.store.label_questions import LabelQuestion

# Of a group of messages, so many become the examples of the label that it may be.
EXAMPLES = 3


async def asked(context: ListenerContext, user: str) -> list[Asked]:
    """Return the open questions that this person may read, in words."""
    taxonomy, texts = await context.taxonomy(), context.texts
    found = []
    for number, question in await asyncio.to_thread(context.store.label_questions.open):
        names = [name for name in taxonomy.today(question.labels) if name in taxonomy]
        if question.kind == "together" and len(names) == 2:
            one, other = (blocks.escape(texts.title(taxonomy[name])) for name in names)
            told = texts("labels.question_together", one=one, other=other, percent=texts.percent(question.share))
            found.append(Asked(number, told, texts("labels.question_merge")))
        elif question.kind == "cluster" and await _reads_all(context, question, user):
            words = ", ".join(f"«{blocks.escape(word)}»" for word in question.words)
            told = texts("labels.question_cluster", number=len(question.messages), words=words)
            found.append(Asked(number, told, texts("labels.question_add")))
    return found


async def examples(context: ListenerContext, question: LabelQuestion, user: str) -> list[str]:
    """Return the first messages of a group that this person may read, each on one line."""
    found: list[str] = []
    for message_id in question.messages:
        stored = await asyncio.to_thread(context.store.messages.get, message_id)
        if stored is not None and not stored.deleted and await context.visibility.may_see(user, stored.message):
            found.append(" ".join(stored.message.text.split()))
        if len(found) == EXAMPLES:
            break
    return found


async def _reads_all(context: ListenerContext, question: LabelQuestion, user: str) -> bool:
    """Return whether this person may read every message of the group: its words are theirs."""
    for message_id in question.messages:
        stored = await asyncio.to_thread(context.store.messages.get, message_id)
        if stored is None or stored.deleted or not await context.visibility.may_see(user, stored.message):
            return False
    return True
