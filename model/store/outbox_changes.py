"""What the other nouns change of the outbox, inside their own transactions: a message is saved, predicted, edited, erased.

Locks are taken in the order that `outbox` names, rows of one statement in the order of their ids.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, Connection, String, and_, bindparam, case, cast, exists, func, select, text

from model.store.database import insert_or_ignore, now
from model.store.outbox_row import (
    CLAIMABLE,
    RETRY_AFTER_S,
    Kind,
    State,
    reply_key,
    report_key,
    status_key,
    summary_key,
)
from model.store.standing import forget_standing
from model.store.tables import gestures, messages, outbox, predictions, runs, standing_labels, standings

# A summary tells of so many days at most.
SUMMARY_DAYS = 7

# The id of the newest gesture, as a column of one row.
NEWEST_GESTURE = select(func.max(gestures.c.id)).scalar_subquery()
_here = messages.join(gestures, and_(gestures.c.channel == messages.c.channel, gestures.c.item_ts == messages.c.ts))
_JUDGED_BEFORE = case((exists().select_from(_here).where(messages.c.id == bindparam("opened_for")), NEWEST_GESTURE))

# What every prediction asks, built once: to build a query takes longer than to ask it.
_ids: BindParameter[int] = bindparam("ids", expanding=True)
_PREDICTED = (
    select(outbox.c.id)
    .where(outbox.c.message_id.in_(_ids), outbox.c.kind == Kind.REPLY.value, outbox.c.state != State.GONE)
    .order_by(outbox.c.id)
    .with_for_update()
)
_DUE = (
    outbox.update()
    .where(outbox.c.id.in_(_ids))
    .values(wanted=outbox.c.wanted + 1, state=State.DUE, tries=0, retry_at=bindparam("at"))
)


def of_message(message_id: Any) -> tuple[Any, Any]:
    """Return the condition for the reply of this message, or of the message in this column."""
    return outbox.c.message_id == message_id, outbox.c.kind == Kind.REPLY.value


def open_reply(
    connection: Connection, message_id: int, channel: str, thread_ts: str, *, gone: bool = False, quiet: bool = False
) -> None:
    """Open the reply of a message that was just saved: it awaits the prediction, or never comes where the message is `gone`.

    `quiet`: it is shown nobody who does not ask for it.
    """
    values = {
        "key": reply_key(message_id),
        "kind": Kind.REPLY,
        "message_id": message_id,
        "channel": channel,
        "thread_ts": thread_ts,
        "state": State.GONE if gone else State.AWAITING_PREDICTION,
        "wanted": 1,
        "retry_at": None if gone else now() + timedelta(seconds=RETRY_AFTER_S),
        "content": {"quiet": True} if quiet else None,
    }
    opened = insert_or_ignore(connection, outbox).values(judged_before=_JUDGED_BEFORE)
    connection.execute(opened, values | {"opened_for": message_id})


def unquiet_reply(connection: Connection, message_id: int) -> bool:
    """Have a quiet reply shown as any other, and return whether it was one: its message has come live after all."""
    row = connection.execute(select(outbox.c.id, outbox.c.content).where(*of_message(message_id))).one_or_none()
    if row is None or not (row.content or {}).get("quiet"):
        return False
    connection.execute(outbox.update().where(outbox.c.id == row.id).values(content=None))
    mark_reply_due(connection, message_id)
    return True


def await_prediction(connection: Connection, message_id: int) -> None:
    """Let the reply wait for the prediction of the message's new text, whoever is working on it."""
    connection.execute(
        outbox.update()
        .where(*of_message(message_id))
        .values(
            wanted=outbox.c.wanted + 1,
            state=State.AWAITING_PREDICTION,
            tries=0,
            retry_at=now() + timedelta(seconds=RETRY_AFTER_S),
        )
    )
    _mark_quoting_due(connection, [message_id])


def awaiting_prediction() -> Any:
    """Return the query of the ids of messages that await their prediction."""
    # Those that wait are few, and the only ones that `ix_outbox_waiting` holds.
    waits = (outbox.c.retry_at.is_not(None), outbox.c.state == State.AWAITING_PREDICTION)
    return select(outbox.c.message_id).where(*waits, outbox.c.kind == Kind.REPLY)


def retry_predictions(connection: Connection) -> None:
    """Have all that awaits its prediction sent again at once: there is a version now, and its pauses have grown meanwhile."""
    waiting = select(outbox.c.id).where(outbox.c.retry_at.is_not(None), outbox.c.state == State.AWAITING_PREDICTION)
    in_order = waiting.order_by(outbox.c.id).with_for_update()
    connection.execute(outbox.update().where(outbox.c.id.in_(in_order)).values(tries=0, retry_at=now()))


def mark_predicted(connection: Connection, message_ids: Iterable[int]) -> None:
    """Make the replies of these messages due: they have a new prediction."""
    if ids := list(connection.execute(_PREDICTED, {"ids": list(message_ids)}).scalars()):
        connection.execute(_DUE, {"ids": ids, "at": now() + timedelta(seconds=RETRY_AFTER_S)})


def mark_reply_due(connection: Connection, message_id: int) -> None:
    """Schedule another rendering of the message's reply, after its prediction where that is awaited.

    One that waits for its turn keeps it; what is gone stays so.
    """
    connection.execute(
        outbox.update()
        .where(*of_message(message_id), outbox.c.state != State.GONE)
        .values(
            wanted=outbox.c.wanted + 1,
            state=case(
                (outbox.c.state.in_([State.AWAITING_PREDICTION, State.WAITING_TURN]), outbox.c.state), else_=State.DUE.value
            ),
            retry_at=now() + timedelta(seconds=RETRY_AFTER_S),
        )
    )
    _mark_doubt_due(connection, message_id)


def mark_deleted(connection: Connection, message_id: int) -> None:
    """Make the reply of a message that is gone due for deletion, and what else of ours quotes it for another rendering."""
    row = connection.execute(
        outbox.update()
        .where(*of_message(message_id))
        .values(
            wanted=outbox.c.wanted + 1,
            state=State.DUE,
            tries=0,
            retry_at=now() + timedelta(seconds=RETRY_AFTER_S),
        )
        .returning(outbox.c.digest_id)
    ).one()
    forget_standing(connection, [message_id])
    _mark_doubt_due(connection, message_id)
    if row.digest_id is not None:
        mark_due(connection, outbox.c.id == row.digest_id)
    _mark_quoting_due(connection, [message_id])


def mark_expired(connection: Connection, message_ids: Sequence[int]) -> None:
    """Settle the replies of these messages, whose texts are gone: after so many days nobody waits for them.

    Digests and reports that quote them are due.
    """
    waits = (outbox.c.message_id.in_(message_ids), outbox.c.kind == Kind.REPLY.value, outbox.c.retry_at.is_not(None))
    if ids := _lock_in_order(connection, *waits):
        state = case((outbox.c.ts.is_(None), State.GONE.value), else_=State.SHOWN.value)
        connection.execute(outbox.update().where(outbox.c.id.in_(ids)).values(state=state, retry_at=None))
    replies = select(outbox.c.digest_id).where(outbox.c.message_id.in_(message_ids), outbox.c.digest_id.is_not(None))
    _mark_in_order(connection, outbox.c.id.in_(list(connection.execute(replies.distinct()).scalars())))
    _mark_quoting_due(connection, message_ids)


def mark_runs_due(connection: Connection, run_ids: Iterable[int]) -> None:
    """Schedule another rendering of these runs' status messages and reports; the sweep finds them at once."""
    keys = [key(run_id) for run_id in run_ids for key in (status_key, report_key)]
    _mark_in_order(connection, outbox.c.key.in_(keys), retry_in_s=0.0)


def mark_refused_due(connection: Connection, channel: str) -> None:
    """Make due what was refused in this channel and may not be for ever: the bot is there now."""
    # In the words of `ix_outbox_refused`, else it would not be used.
    there = (outbox.c.channel == channel, text("state = 'refused'"), outbox.c.retry_at.is_not(None))
    if ids := _lock_in_order(connection, *there):
        connection.execute(outbox.update().where(outbox.c.id.in_(ids)).values(state=State.DUE, tries=0, retry_at=now()))


def mark_archived_due(connection: Connection, channel: str) -> int:
    """Make due what was refused because the channel was archived, which it is no more; return how many rows that are."""
    ids = _lock_in_order(
        connection, outbox.c.channel == channel, outbox.c.state == State.REFUSED, outbox.c.reason == "is_archived"
    )
    connection.execute(outbox.update().where(outbox.c.id.in_(ids)).values(state=State.DUE, tries=0, retry_at=now()))
    return len(ids)


def settle_channel(connection: Connection, channel: str, message_ids: Sequence[int]) -> None:
    """Settle all that stood or was to stand in a channel that is gone, and render anew what quotes its messages elsewhere."""
    there = (outbox.c.channel == channel, outbox.c.state != State.GONE)
    _lock_in_order(connection, *there)
    values = {"state": State.GONE, "retry_at": None, "ts": None, "reason": "channel_not_found"}
    connection.execute(outbox.update().where(*there).values(**values))  # not by ids: a channel may have any number
    for table in (standing_labels, standings):
        connection.execute(table.delete().where(table.c.channel == channel))
    _mark_quoting_due(connection, message_ids)


def count_waiting(connection: Connection) -> dict[str, int]:
    """Return how many messages wait, by what they wait for: `prediction` or `reply`."""
    awaited = outbox.c.state == State.AWAITING_PREDICTION
    row = connection.execute(
        select(func.count().filter(awaited).label("prediction"), func.count().filter(~awaited).label("reply")).where(
            outbox.c.retry_at.is_not(None),
            outbox.c.kind == Kind.REPLY,
            outbox.c.state.in_([State.AWAITING_PREDICTION, *CLAIMABLE]),
        )
    ).one()
    return {"prediction": row.prediction, "reply": row.reply}


def mark_due(connection: Connection, which: Any, *, retry_in_s: float = RETRY_AFTER_S) -> None:
    """Schedule another rendering of the rows that meet this condition; the sweep takes them up after `retry_in_s`."""
    connection.execute(
        outbox.update()
        .where(which)
        .values(wanted=outbox.c.wanted + 1, state=State.DUE, tries=0, retry_at=now() + timedelta(seconds=retry_in_s))
    )


def _mark_doubt_due(connection: Connection, message_id: int) -> None:
    """Schedule another rendering of what the message's author was asked; the sweep finds it at once."""
    asked = (outbox.c.message_id == message_id, outbox.c.kind == Kind.DOUBT.value, outbox.c.state != State.GONE)
    mark_due(connection, and_(*asked), retry_in_s=0.0)


def _mark_in_order(connection: Connection, *which: Any, retry_in_s: float = RETRY_AFTER_S) -> None:
    if ids := _lock_in_order(connection, *which):
        mark_due(connection, outbox.c.id.in_(ids), retry_in_s=retry_in_s)


def _lock_in_order(connection: Connection, *which: Any) -> list[int]:
    """Lock these rows in the order of their ids, as everywhere: two that lock the same must not wait for each other."""
    return list(connection.execute(select(outbox.c.id).where(*which).order_by(outbox.c.id).with_for_update()).scalars())


def mark_known_due(connection: Connection, message_ids: Sequence[int]) -> None:
    """Schedule another rendering of the replies that name these messages as what decided, and who judged them."""
    named = select(messages.c.channel + ":" + messages.c.ts).where(messages.c.id.in_(message_ids))
    known = predictions.c.known_from.in_(list(connection.execute(named).scalars()))
    # In the words of `ix_predictions_known_from`, else it would not be used.
    replies = select(predictions.c.message_id).where(known, text("known_from is not null")).distinct()
    for message_id in sorted(connection.execute(replies).scalars()):
        mark_reply_due(connection, message_id)


def _mark_quoting_due(connection: Connection, message_ids: Sequence[int]) -> None:
    """Schedule another rendering of what quotes these messages, whose words are not what they were."""
    mark_known_due(connection, message_ids)
    _mark_in_order(connection, outbox.c.key.in_(sorted(_summaries_of(connection, message_ids))), retry_in_s=0.0)
    cards = (outbox.c.message_id.in_(message_ids), outbox.c.kind == Kind.ROUTE.value, outbox.c.state != State.GONE)
    _mark_in_order(connection, *cards, retry_in_s=0.0)
    reports = select(runs.c.id, runs.c.report).where(runs.c.report.is_not(None), runs.c.channel.is_not(None))
    if len(message_ids) == 1:  # most reports need not be read then
        reports = reports.where(cast(runs.c.report, String).contains(str(message_ids[0])))
    quoting = {
        row.id
        for row in connection.execute(reports)
        if not {flip["message_id"] for flip in row.report["flips"]}.isdisjoint(message_ids)
    }
    if quoting:
        _mark_in_order(connection, outbox.c.key.in_([report_key(run_id) for run_id in quoting]))


def _summaries_of(connection: Connection, message_ids: Sequence[int]) -> set[str]:
    """Return the keys that the summaries which may quote these messages would have: those of the days after."""
    written = connection.execute(select(messages.c.channel, messages.c.ts).where(messages.c.id.in_(message_ids)))
    days = {(row.channel, datetime.fromtimestamp(float(row.ts), UTC).date()) for row in written if row.ts < "a"}
    return {
        summary_key(channel, f"{day + timedelta(days=after)}") for channel, day in days for after in range(-1, SUMMARY_DAYS + 2)
    }


def doubt_what_is_pending(connection: Connection, owner: str) -> None:
    """Let whoever takes up what is owed to Slack look first whether it stands there: the rows may be older than Slack is."""
    unclaimed = (outbox.c.retry_at.is_not(None), outbox.c.claimed_by.is_(None))
    connection.execute(outbox.update().where(*unclaimed).values(claimed_by=owner, claimed_until=now()))
