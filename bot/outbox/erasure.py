"""The sweep of what is to be gone: erasure requests that were not executed, texts and messages that were kept long enough."""

import logging
import time

from bot import queues
from bot.outbox.context import OutboxContext
from model.errors import StoreUnavailable

log = logging.getLogger(__name__)

# Days are what retention is counted in.
EXPIRE_EVERY_S = 3600.0
# Slack takes off some twenty reactions a minute.
OFFERED_AT_ONCE = 200
# Messages between two other sweeps: a second's work or two.
REMOVED_AT_ONCE = 2000


class ErasureSweep:
    """Executes pending erasure requests and retention; remembers when it last looked at the latter."""

    def __init__(self, context: OutboxContext) -> None:
        self._context = context
        self._expired_at: float | None = None
        self._removed_at: float | None = None

    def run(self) -> None:
        """Execute every pending request, and once an hour the retention; one that fails does not stop the others.

        Raises StoreUnavailable: then none of them can be executed.
        """
        erasure = self._context.store.erasure
        for request_id in erasure.pending():
            try:
                done, touched = erasure.execute(request_id)
            except StoreUnavailable:
                raise
            except Exception:  # it stays pending, and whoever asked for another is not to wait for this one
                log.exception("erasure request %s could not be executed", request_id)
                continue
            for message_id in touched:
                self._context.publish(queues.reply(message_id))
            log.info("erasure request %s is executed: %s messages and %s judgements", request_id, done.messages, done.judgements)
        if _is_time(self._expired_at):
            self._expired_at = time.monotonic()
            self._expire()
        if _is_time(self._removed_at):
            self._remove()

    def _expire(self) -> None:
        store, settings = self._context.store, self._context.settings
        for message_id in store.messages.offered_and_gone(OFFERED_AT_ONCE):
            self._context.publish(queues.unseed(message_id))
        if gone := store.retention.expire(settings.retention_days, settings.retention_corrected_days):
            log.info("%s texts were kept long enough and are gone", gone)

    def _remove(self) -> None:
        """Remove some of the messages that nobody needs; where there may be more, the next look goes on, not the next hour."""
        retention = self._context.store.retention
        gone = retention.remove(self._context.settings.retention_messages_days, REMOVED_AT_ONCE)
        if gone < REMOVED_AT_ONCE:
            self._removed_at = time.monotonic()
            retention.forget_taught()
        if gone:
            log.info("%s messages were kept long enough and are removed", gone)


def _is_time(looked_at: float | None) -> bool:
    return looked_at is None or time.monotonic() - looked_at > EXPIRE_EVERY_S
