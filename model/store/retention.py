"""Retention: for how long a message's text is kept, and for how long the message itself.

First the text goes, after days that differ for what people judged and what nobody did; then, once nobody has wanted anything of
it for long, the whole message. What stands in Slack stays there.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, or_, select

from model.store.database import Database, lock_channel, now
from model.store.erasure import discount_judgements
from model.store.judged_messages import is_judged
from model.store.outbox_changes import mark_expired, of_message
from model.store.outbox_row import Kind
from model.store.standing import forget_standing
from model.store.tables import (
    erasure_requests,
    gestures,
    messages,
    mutes,
    outbox,
    review_cards,
    runs,
    training_texts,
    versions,
    workspace,
)

BATCH = 500
# Writers wait for one transaction: some 20 ms on SQLite.
REMOVED_TOGETHER = 200
TAUGHT_TOGETHER = 5000


class Retention:
    """How long the texts and the messages of one database are kept."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def kept_days(self, default: int, default_corrected: int) -> tuple[int, int]:
        """Return for how many days texts are kept that nobody, and that somebody, corrected; 0: for ever."""
        with self._database.reading() as connection:
            row = connection.execute(select(workspace)).one_or_none()
        if row is None:
            return default, default_corrected
        return (
            default if row.retention_days is None else row.retention_days,
            default_corrected if row.retention_corrected_days is None else row.retention_corrected_days,
        )

    def choose(self, *, days: int | None = None, corrected_days: int | None = None) -> None:
        """Save the workspace's choice; None leaves that choice as it is."""
        chosen = {"retention_days": days, "retention_corrected_days": corrected_days}
        values = {name: value for name, value in chosen.items() if value is not None}
        with self._database.writing() as connection:
            insert = self._database.insert(workspace).values(id=1, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=["id"], set_=values))

    # Texts

    def expire(self, default: int, default_corrected: int, batch: int = BATCH) -> int:
        """Remove texts and notes that were kept for longer than the workspace wants; return how many messages lost theirs.

        Labels and judgements stay. Each batch is a transaction, and what is gone is not looked at again: a job that is
        killed goes on where it was.
        """
        expired = 0
        days, corrected_days = self.kept_days(default, default_corrected)
        for kept_days, corrected in ((days, False), (corrected_days, True)):
            while kept_days and (gone := self._expire_some(kept_days, corrected, batch)):
                expired += gone
        if expired:
            self._database.empty_journal()
        return expired

    def _expire_some(self, days: int, corrected: bool, batch: int) -> int:
        since = now() - timedelta(days=days)
        judged = is_judged() if corrected else ~is_judged()
        with self._database.writing() as connection:
            rows = connection.execute(
                select(messages.c.id, messages.c.channel, messages.c.ts, outbox.c.ts.label("reply_ts"))
                .outerjoin(outbox, and_(*of_message(messages.c.id)))
                .where(
                    messages.c.received_at < since,
                    messages.c.edited_at < int(since.timestamp() * 1e6),
                    messages.c.text != "",
                    judged,
                )
                .order_by(messages.c.received_at)
                .limit(batch)
                .with_for_update(of=messages)  # each process expires: the second waits, and finds them done
            ).all()
            ids = [row.id for row in rows]
            connection.execute(messages.update().where(messages.c.id.in_(ids)).values(text="", response_url=None))
            mark_expired(connection, ids)
            for row in rows if corrected else ():
                connection.execute(
                    gestures.update()
                    .where(
                        gestures.c.channel == row.channel,
                        gestures.c.item_ts.in_([row.ts, row.reply_ts or row.ts]),
                    )
                    .values(note=None)
                )
            return len(rows)

    # Messages

    def remove(self, days: int, most: int, together: int = REMOVED_TOGETHER) -> int:
        """Remove messages without a text that came, or were edited, more than `days` ago; return how many, `most` at most.

        With them go their predictions, what was said of them, what stands under them, and the rows of what we posted; in Slack
        nothing changes. What is owed to Slack, lies before a reviewer or waits for its erasure is left alone, and so is the
        newest message: SQLite would give its id again. Each batch is a transaction; 0 days remove nothing.
        """
        if not days:
            return 0
        since = now() - timedelta(days=days)
        removed = after = 0
        with self._database.reading() as connection:
            # By their ids, which grow with the time: no index of what is gone is needed.
            newer = select(messages.c.id).where(messages.c.received_at >= since).order_by(messages.c.id).limit(1)
            newest = select(messages.c.id).order_by(messages.c.id.desc()).limit(1)
            ends = [connection.execute(query).scalar_one_or_none() for query in (newer, newest)]
        end = next((each for each in ends if each is not None), 0)
        while removed < most:
            with self._database.reading() as connection:
                there = (messages.c.id > after, messages.c.id < end, *_may_go(since))
                some = select(messages.c.id, messages.c.channel).where(*there).order_by(messages.c.id)
                rows = connection.execute(some.limit(min(together, most - removed))).all()
            if not rows:
                break
            after = rows[-1].id
            removed += self._remove([row.id for row in rows], {row.channel for row in rows}, since)
        if removed:
            self._database.empty_journal()
        return removed

    def _remove(self, ids: Sequence[int], channels: set[str], since: datetime) -> int:
        with self._database.writing() as connection:
            for channel in sorted(channels):
                lock_channel(connection, channel)  # whoever judges or answers there now is seen
            rows = connection.execute(
                select(messages.c.id, messages.c.channel, messages.c.ts)
                .where(messages.c.id.in_(ids), *_may_go(since))
                .order_by(messages.c.id)
                .with_for_update(skip_locked=True)  # another process removes them, or somebody edits
            ).all()
            gone = [row.id for row in rows]
            posts = connection.execute(select(outbox).where(outbox.c.message_id.in_(gone)).order_by(outbox.c.id)).all()
            places: dict[str, set[str]] = defaultdict(set)
            for row in rows:
                places[row.channel].add(row.ts)
            for post in posts:
                if post.kind == Kind.REPLY and post.ts is not None:
                    places[post.channel].add(post.ts)
            said = 0
            for channel, stamps in places.items():
                here = (gestures.c.channel == channel, gestures.c.item_ts.in_(stamps))
                said += connection.execute(gestures.delete().where(*here)).rowcount
                connection.execute(mutes.delete().where(mutes.c.channel == channel, mutes.c.ts.in_(stamps)))
            if said:
                discount_judgements(connection, said)
            forget_standing(connection, gone)
            # Predictions, posts, cards and suspicions refer to their message, and go with it.
            connection.execute(messages.delete().where(messages.c.id.in_(gone)))
            digests = {post.digest_id for post in posts if post.digest_id is not None}
            answers = outbox.alias().c.digest_id == outbox.c.id
            empty = (outbox.c.id.in_(digests), outbox.c.retry_at.is_(None), ~select(1).where(answers).exists())
            connection.execute(outbox.delete().where(*empty))
            return len(gone)

    def forget_taught(self) -> int:
        """Remove the record of what was learnt by versions whose folders are gone, and by runs without one; return its rows."""
        kept = select(versions.c.run_id).where(versions.c.removed_at.is_(None), versions.c.run_id.is_not(None))
        taught = select(1).where(training_texts.c.run_id == runs.c.id).exists()
        with self._database.reading() as connection:
            over = select(runs.c.id).where(runs.c.open.is_(None), runs.c.id.not_in(kept), taught)
            run_ids = list(connection.execute(over).scalars())
        removed = 0
        for run_id in run_ids:
            while True:
                with self._database.writing() as connection:
                    some = select(training_texts.c.text_id).where(training_texts.c.run_id == run_id).limit(TAUGHT_TOGETHER)
                    own = (training_texts.c.run_id == run_id, training_texts.c.text_id.in_(some))
                    gone = connection.execute(training_texts.delete().where(*own)).rowcount
                removed += gone
                if gone < TAUGHT_TOGETHER:
                    break
        return removed


def _may_go(since: datetime) -> tuple[Any, ...]:
    """Return the conditions for a message that came before `since` and that nothing needs any more."""
    moment = now()
    its_post, its_card = outbox.c.message_id == messages.c.id, review_cards.c.message_id == messages.c.id
    owed = select(1).where(its_post, or_(outbox.c.retry_at.is_not(None), outbox.c.claimed_until > moment)).exists()
    in_hand = select(1).where(its_card, review_cards.c.outcome.is_(None), review_cards.c.claimed_until > moment).exists()
    asked = erasure_requests.c.done_at.is_(None)
    return (
        messages.c.text == "",
        messages.c.received_at < since,
        messages.c.edited_at < int(since.timestamp() * 1e6),
        or_(messages.c.offered.is_(None), messages.c.deleted_at.is_(None)),  # else our emoji are still to be taken off
        messages.c.id.not_in(select(erasure_requests.c.message_id).where(asked, erasure_requests.c.message_id.is_not(None))),
        messages.c.user.not_in(select(erasure_requests.c.user).where(asked, erasure_requests.c.user.is_not(None))),
        ~owed,
        ~in_hand,
    )
