"""`/beto acuerdo`: how far people agree on labels, for those who answer for the review."""

import asyncio

from bot.slack.context import Call, ListenerContext
from bot.views import agreement as words
from model.agreement import Agreement, agreement
from model.labels import Taxonomy
from model.store.store import Store

# Of what people said, so many of the newest gestures are looked through.
LOOKED_THROUGH = 2000


async def tell(context: ListenerContext, call: Call) -> str:
    """Tell a lead how far people agree, by label and by pair of people."""
    if (why_not := await context.why_not_lead(call.user)) is not None:
        return why_not
    taxonomy = await context.taxonomy()
    found = await asyncio.to_thread(look, context.store, taxonomy)
    return words.in_words(found, taxonomy, context.texts)


def look(store: Store, taxonomy: Taxonomy) -> Agreement:
    """Return how far people agree on what was judged lately."""
    return agreement((each.state for each in store.judged.lately(taxonomy, LOOKED_THROUGH)), taxonomy.names)
