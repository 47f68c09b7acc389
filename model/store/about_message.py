"""What whoever has claimed a row about a message works with: all of it in one query."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, bindparam, exists, or_, select

from model.schema import Prediction
from model.showing import Showing
from model.store.channel_choices import read_showing
from model.store.stored_message import StoredMessage
from model.store.tables import channels, messages, mutes, outbox, predictions

_latest = (
    select(predictions.c.prediction)
    .where(predictions.c.message_id == messages.c.id, predictions.c.revision == messages.c.revision)
    .order_by(predictions.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_reply = outbox.alias("reply")
_reply_ts = (
    select(_reply.c.ts)
    .where(_reply.c.message_id == messages.c.id, _reply.c.kind == "reply")
    .correlate(messages)
    .scalar_subquery()
)
_muted = exists().where(
    mutes.c.channel == messages.c.channel, or_(mutes.c.ts == messages.c.ts, mutes.c.ts == _reply_ts), mutes.c.muted
)
_chosen = (channels.c.display, channels.c.delay_minutes, channels.c.rest, channels.c.seeds, channels.c.labels)
# Built once: to build it takes longer than to ask it.
_ABOUT = (
    select(messages, _latest.label("latest"), _muted.label("is_muted"), *_chosen)
    .select_from(messages.outerjoin(channels, and_(channels.c.channel == messages.c.channel)))
    .where(messages.c.id == bindparam("message_id"))
)


@dataclass(frozen=True)
class AboutMessage:
    """A message, the last prediction of its present text, and what bears upon what is shown of it (see `Claim`)."""

    message: StoredMessage
    prediction: Prediction | None
    is_muted: bool
    showing: Showing
    labels: tuple[str, ...] | None


def read_about(connection: Connection, message_id: int) -> AboutMessage:
    """Return what is known of this message, which is there."""
    row = connection.execute(_ABOUT, {"message_id": message_id}).one()
    message = StoredMessage.of(row)
    return AboutMessage(
        message=message,
        prediction=None if row.latest is None or message.deleted else Prediction.model_validate(row.latest),
        is_muted=bool(row.is_muted),
        showing=read_showing(row),
        labels=None if row.labels is None else tuple(row.labels),
    )
