"""The replies: who may post or redraw one, what it shows, and which post answers a message in its place.

A reply is claimed with a lease before Slack is called and recorded after it; whoever dies in between leaves a claim that runs
out, and the next one looks in the thread first. Every method is one transaction (see `database` for what it raises).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection, case, func, or_, select

from model.schema import Prediction, Source
from model.store.database import Database, aware, lock_channel, now
from model.store.messages import StoredMessage
from model.store.pending import RETRY_AFTER_S, mark_reply_pending
from model.store.tables import gestures, messages, predictions, replies

Recorded = Literal["shown", "moved on", "surplus"]

# In place of a digest's ts: it is being posted.
PENDING = "pending"


@dataclass(frozen=True)
class Claim:
    """The right to bring one reply up to date until the lease ends.

    `prediction` is of the message's present text, or None where the message is gone or not yet predicted.
    `orphaned`: an earlier claim ended without a word, so a reply that nobody recorded may stand in the thread. `digest_ts`:
    the message was answered together with others.
    """

    message: StoredMessage
    prediction: Prediction | None
    reply_ts: str | None
    orphaned: bool
    drawn_at: datetime | None = None
    asked: tuple[str, ...] = ()
    digest_ts: str | None = None


class Replies:
    """The replies in one database."""

    def __init__(self, store: Database) -> None:
        self._store = store

    def claim(self, message_id: int, owner: str, lease_s: float) -> Claim | None:
        """`owner` alone may post or redraw this reply for `lease_s` seconds; None where nothing is owed or another has it."""
        with self._store.writing() as connection:
            row = connection.execute(select(messages).where(messages.c.id == message_id).with_for_update()).one_or_none()
            if row is None or row.owed != "reply":
                return None
            moment = now()
            # A second statement, because it must see what was there when the lock was got, not when it was asked for.
            latest = (
                select(predictions.c.prediction)
                .where(predictions.c.message_id == message_id, predictions.c.revision == row.revision)
                .order_by(predictions.c.id.desc())
                .limit(1)
            )
            reply = connection.execute(
                select(replies, latest.scalar_subquery().label("latest"))
                .select_from(messages.outerjoin(replies))
                .where(messages.c.id == message_id)
            ).one()
            if reply.claimed_by is not None and aware(reply.claimed_until) > moment:
                return None
            claim = {"claimed_by": owner, "claimed_until": moment + timedelta(seconds=lease_s)}
            connection.execute(
                self._store.insert(replies)
                .values(message_id=message_id, shown=0, **claim)
                .on_conflict_do_update(index_elements=["message_id"], set_=claim)
            )
            return Claim(
                message=StoredMessage.of(row),
                prediction=None if reply.latest is None or row.deleted_at else Prediction.model_validate(reply.latest),
                reply_ts=reply.ts,
                orphaned=reply.claimed_by is not None,
                drawn_at=None if reply.drawn_at is None else aware(reply.drawn_at),
                asked=tuple(reply.asked or ()),
                digest_ts=reply.digest_ts,
            )

    def record(
        self,
        message_id: int,
        owner: str,
        *,
        state: int,
        reply_ts: str | None,
        asked: Sequence[str] = (),
        before: str | None = None,
        digest_ts: str | None = None,
    ) -> Recorded:
        """The reply `reply_ts` shows `state` (None: there is no reply any more) and the claim is given back.

        `before` is the reply that the claim knew of; `asked` are the labels in dispute that the thread has been asked about;
        `digest_ts` answered it instead of a reply. "moved on": the reply must be drawn once more. "surplus": whoever took over
        when the lease had run out recorded another reply, which counts, and `reply_ts` is to go.
        """
        with self._store.writing() as connection:
            where = select(messages.c.channel, replies.c.ts).join(replies).where(messages.c.id == message_id)
            message = connection.execute(where).one()
            if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
                # Locks are taken in one order everywhere: channel, message, reply.
                lock_channel(connection, message.channel)
                message = connection.execute(where.with_for_update(of=messages)).one()
            moment = now()
            if message.ts not in (None, before, reply_ts):
                # Until the surplus is gone the next claim is in doubt, and somebody comes to make it.
                self._give_back(connection, message_id, owner, in_doubt=reply_ts is not None)
                unclaimed = (replies.c.message_id == message_id, replies.c.claimed_by.is_(None))
                if reply_ts is not None:
                    doubt = {"claimed_by": owner, "claimed_until": moment}
                    connection.execute(replies.update().where(*unclaimed).values(**doubt))
                    connection.execute(
                        messages.update()
                        .where(messages.c.id == message_id, messages.c.owed == "nothing")
                        .values(owed="reply", retry_at=moment + timedelta(seconds=RETRY_AFTER_S))
                    )
                return "moved on" if reply_ts is None else "surplus"
            is_ours = replies.c.claimed_by == owner
            # Also when the lease ran out meanwhile: the reply is there, whoever holds the claim by now.
            connection.execute(
                replies.update()
                .where(replies.c.message_id == message_id)
                .values(
                    ts=reply_ts,
                    shown=state,
                    posted_at=func.coalesce(replies.c.posted_at, moment),
                    drawn_at=moment,
                    asked=list(asked),
                    digest_ts=digest_ts,
                    claimed_by=case((is_ours, None), else_=replies.c.claimed_by),
                    claimed_until=case((is_ours, None), else_=replies.c.claimed_until),
                )
            )
            if reply_ts is not None and message.ts != reply_ts:
                early = connection.execute(
                    select(gestures.c.id)
                    .where(
                        gestures.c.channel == message.channel,
                        gestures.c.item_ts == reply_ts,
                    )
                    .limit(1)
                ).first()
                if early is not None:  # somebody reacted to the reply before we knew it by its ts
                    mark_reply_pending(connection, message_id)
            settled = connection.execute(
                messages.update()
                .where(messages.c.id == message_id, messages.c.state == state)
                .values(owed="nothing", response_url=None)
                .returning(messages.c.id)
            ).one_or_none()
            if settled is None:
                # Where a later state had been shown before, what was just drawn hides it.
                connection.execute(
                    messages.update()
                    .where(messages.c.id == message_id, messages.c.owed == "nothing")
                    .values(owed="reply", retry_at=moment + timedelta(seconds=RETRY_AFTER_S))
                )
            return "moved on" if settled is None else "shown"

    def note(self, message_id: int, reply_ts: str) -> None:
        """The reply stands in the thread, whatever becomes of the rest of the work on it."""
        with self._store.writing() as connection:
            connection.execute(
                replies.update().where(replies.c.message_id == message_id, replies.c.ts.is_(None)).values(ts=reply_ts)
            )

    def note_digest(self, message_ids: Sequence[int], digest_ts: str | None) -> None:
        """These claimed messages are about to be answered by one post (PENDING), which nobody may live to record; or are not."""
        with self._store.writing() as connection:
            connection.execute(replies.update().where(replies.c.message_id.in_(message_ids)).values(digest_ts=digest_ts))

    def release(self, message_id: int, owner: str, retry_in_s: float, *, in_doubt: bool = False) -> None:
        """The claim is given back with nothing done, and the sweep takes the message up again after `retry_in_s`.

        `in_doubt`: the reply may have been posted, and the next claim is `orphaned`.
        """
        with self._store.writing() as connection:
            connection.execute(
                messages.update().where(messages.c.id == message_id).values(retry_at=now() + timedelta(seconds=retry_in_s))
            )
            self._give_back(connection, message_id, owner, in_doubt=in_doubt)

    def _give_back(self, connection: Connection, message_id: int, owner: str, *, in_doubt: bool = False) -> None:
        values = {"claimed_until": now()} if in_doubt else {"claimed_by": None, "claimed_until": None}
        connection.execute(
            replies.update().where(replies.c.message_id == message_id, replies.c.claimed_by == owner).values(**values)
        )

    def line(self, channel: str, limit: int, *, newest_first: bool) -> list[int]:
        """Messages of the channel that wait for their first reply and that nobody is posting, in the order to serve them."""
        moment = now()
        with self._store.reading() as connection:
            return list(
                connection.execute(
                    select(messages.c.id)
                    .outerjoin(replies, replies.c.message_id == messages.c.id)
                    .where(
                        messages.c.owed == "reply",
                        messages.c.channel == channel,
                        messages.c.deleted_at.is_(None),
                        messages.c.source != Source.COMMAND.value,
                        replies.c.ts.is_(None),
                        or_(replies.c.claimed_until.is_(None), replies.c.claimed_until < moment),
                    )
                    .order_by(messages.c.ts.desc() if newest_first else messages.c.ts)
                    .limit(limit)
                ).scalars()
            )

    def digest(self, channel: str, digest_ts: str) -> list[int]:
        """Messages that this post answers, the oldest first."""
        with self._store.reading() as connection:
            return list(
                connection.execute(
                    select(messages.c.id)
                    .join(replies, replies.c.message_id == messages.c.id)
                    .where(
                        messages.c.channel == channel,
                        messages.c.deleted_at.is_(None),
                        replies.c.digest_ts == digest_ts,
                        replies.c.ts.is_(None),
                    )
                    .order_by(messages.c.ts)
                ).scalars()
            )

    def ts_of(self, message_id: int) -> str | None:
        """The reply's own ts in Slack, once it stands in the thread."""
        with self._store.reading() as connection:
            return connection.execute(select(replies.c.ts).where(replies.c.message_id == message_id)).scalar_one_or_none()
