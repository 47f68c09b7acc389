"""What the live version learnt at once: refits of its lexical model, each from everything that was judged until then.

Every method is one transaction (see `database` for what it raises).
"""

import hashlib
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection, func, select

from model.store.database import Database, aware, now, tally
from model.store.judged_messages import EDITED_LATE_US, LATE_GESTURES, judged_ids, said_before_a_word
from model.store.tables import erasure_requests, gestures, label_events, messages, outbox, people, predictions, refits

# Older ones are removed: they hold words of texts that may have been erased since.
KEPT = 1


_JUDGED_BEFORE = select(func.count(), func.max(outbox.c.judged_before)).where(outbox.c.judged_before.is_not(None))

# Of `corrected`: what another one has written is made anew.
_FORMAT = 4


@dataclass(frozen=True)
class Refit:
    """A refit of `version`: its id, and how many judged messages it knows that the version itself has not learnt from."""

    id: int
    version: int
    corrections: int


class Refits:
    """The refits of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def learnable(self) -> str:
        """Return a fingerprint of what there is to learn from.

        It changes with gestures, labels, erasures, who may judge, messages that are edited or deleted, and what the network
        says of a message that was called right or wrong before.
        """
        newest = select(func.max(messages.c.edited_at)).where(messages.c.edited_at > 0)
        deleted = select(func.max(messages.c.deleted_at)).where(messages.c.deleted_at.is_not(None))
        with self._database.reading() as connection:
            edited_at = connection.execute(newest).scalar_one() or 0
            newest_gesture = connection.execute(select(func.max(gestures.c.id))).scalar_one() or 0
            # All of the last while: one that comes late is not the newest.
            lately = (messages.c.edited_at > 0, messages.c.edited_at >= edited_at - EDITED_LATE_US)
            edits = select(func.count(), func.sum(edited_at - messages.c.edited_at)).where(*lately)
            parts = (
                _FORMAT,
                tally(connection, "gestures"),
                # What somebody said is known to be of a message only once that, or its reply, is recorded: after a crash later,
                # and where a channel's history is labelled, long after.
                tuple(judged_ids(connection, blind=False, after=newest_gesture - LATE_GESTURES)),
                *connection.execute(_JUDGED_BEFORE).one(),
                edited_at,
                *(int(each or 0) for each in connection.execute(edits).one()),
                connection.execute(deleted).scalar_one(),
                _first_words(connection),
                _basis(connection),
            )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]

    def basis(self) -> tuple[object, ...]:
        """Return what every judgement rests on: it changes with labels, erasures, and who may judge."""
        with self._database.reading() as connection:
            return _basis(connection)

    def is_made(self, version: int, learnt: str) -> bool:
        """Return whether the refit of `version` from what has this fingerprint is made."""
        made = (refits.c.version == version, refits.c.learnt == learnt, refits.c.made_at.is_not(None))
        with self._database.reading() as connection:
            return connection.execute(select(refits.c.id).where(*made)).first() is not None

    def claim(self, version: int, learnt: str, lease_s: float) -> int | None:
        """Claim the refit of `version` from what has this fingerprint; None where it is made, or another process makes it."""
        with self._database.writing() as connection:
            moment = now()
            until = moment + timedelta(seconds=lease_s)
            new = self._database.insert_or_ignore(refits).values(version=version, learnt=learnt, claimed_until=until)
            made = connection.execute(new.returning(refits.c.id)).scalar_one_or_none()
            if made is not None:
                return int(made)
            same = (refits.c.version == version, refits.c.learnt == learnt, refits.c.made_at.is_(None))
            row = connection.execute(select(refits).where(*same).with_for_update()).one_or_none()
            if row is None or aware(row.claimed_until) > moment:
                return None
            connection.execute(refits.update().where(refits.c.id == row.id).values(claimed_until=until))
            return int(row.id)

    def save(
        self, refit_id: int, corrected: bytes | None, *, corrections: int, losses: tuple[float, float] | None = None
    ) -> None:
        """Save what was claimed; without `corrected` it does not serve, and what served before it does so no more.

        `losses`: on dev, before and after.
        """
        before, after = losses or (None, None)
        with self._database.writing() as connection:
            made = {"made_at": now(), "corrected": corrected, "corrections": corrections}
            connection.execute(
                refits.update().where(refits.c.id == refit_id).values(loss_before=before, loss_after=after, **made)
            )
            old = select(refits.c.id).where(refits.c.made_at.is_not(None)).order_by(refits.c.id.desc()).offset(KEPT)
            connection.execute(refits.delete().where(refits.c.id.in_(list(connection.execute(old).scalars()))))

    def newest(self, version: int) -> Refit | None:
        """Return the newest refit of this version that is made; None where there is none, or the newest does not serve."""
        made = (refits.c.version == version, refits.c.made_at.is_not(None))
        wanted = select(refits.c.id, refits.c.corrections, refits.c.corrected.is_not(None).label("serves"))
        with self._database.reading() as connection:
            row = connection.execute(wanted.where(*made).order_by(refits.c.id.desc()).limit(1)).one_or_none()
        return None if row is None or not row.serves else Refit(row.id, version, row.corrections)

    def corrected(self, refit_id: int) -> bytes | None:
        """Return what the refit serves with; None where it was removed."""
        with self._database.reading() as connection:
            return connection.execute(select(refits.c.corrected).where(refits.c.id == refit_id)).scalar_one_or_none()


def _first_words(connection: Connection) -> tuple[int, ...]:
    awaited = said_before_a_word(connection).tolist()
    if not awaited:
        return ()
    said = select(func.count(), func.coalesce(func.max(predictions.c.id), 0)).where(predictions.c.message_id.in_(awaited))
    return tuple(connection.execute(said).one())


def _basis(connection: Connection) -> tuple[object, ...]:
    may_not = select(func.count()).select_from(people).where(people.c.may_judge.is_(False))
    experts = select(func.count()).select_from(people).where(people.c.expert.is_(True))
    newest = (select(func.max(table.c.id)) for table in (label_events, erasure_requests))
    return tuple(connection.execute(each).scalar_one() for each in (*newest, may_not, experts))
