"""The daily reminders of the review: opened when their hour has come, where something waits."""

from bot import queues
from bot.outbox.context import OutboxContext
from model.store.portions import Portion

# One is enough to be reminded of.
LOOKED_FOR = 1


def open_portions(context: OutboxContext) -> int:
    """Open today's reminders whose hour has come, and return how many."""

    def is_worth_it(portion: Portion) -> bool:
        return bool(context.store.reviews.candidates(portion.user, LOOKED_FOR))

    keys = context.store.portions.open_due(is_worth_it)
    for key in keys:
        context.publish(queues.deliver(key))
    return len(keys)
