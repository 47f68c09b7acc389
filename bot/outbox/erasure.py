"""The sweep of what is to be gone: wishes to forget that were not carried out, and texts that were kept long enough."""

import logging
import time

from bot.outbox.client import settings, store
from bot.outbox.replies import reply

log = logging.getLogger(__name__)

# Days are what retention is counted in.
EXPIRE_EVERY_S = 3600.0

_expired_at: list[float] = []


def sweep() -> None:
    """Every pending wish is carried out; once an hour, what was kept too long is gone."""
    forgetting = store().erasure
    for wish in forgetting.pending():
        done, touched = forgetting.execute(wish)
        for message_id in touched:
            reply.delay(message_id)
        log.info("wish %s is carried out: %s messages and %s judgements", wish, done.messages, done.judgements)
    if not _expired_at or time.monotonic() - _expired_at[-1] > EXPIRE_EVERY_S:
        _expired_at[:] = [time.monotonic()]
        if gone := forgetting.expire(settings().retention_days, settings().retention_corrected_days):
            log.info("%s texts were kept long enough and are gone", gone)
