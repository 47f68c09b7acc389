"""The review cards: which messages wait to be judged, whose turn it is with each, and what came of it.

Every method is one transaction (see `database` for what it raises).
"""

import random
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, and_, func, not_, or_, select, text

from model.review_order import most_teaching, uncertainty
from model.schema import Prediction, Source
from model.store.database import Database, insert_or_ignore, now
from model.store.judged_messages import is_judged
from model.store.outbox_row import RETRY_AFTER_S, Kind, State, doubt_key
from model.store.tables import gestures, messages, outbox, predictions, review_cards, suspicions

# Whoever leaves a card open for so long leaves it to others.
LEASE = timedelta(minutes=10)
# Of the newest messages, disputes and notes, so many are looked through.
LOOKED_THROUGH, DISPUTES = 1000, 100
# What one person was given lately: what is much like it teaches little until a version has learnt from it.
LATELY = 30
# An author is asked where less is known than of nine tenths of so many predictions; fewer than `ENOUGH` tell nothing. What that
# comes to holds for so many messages more: to work it out for each would be a third of what answering a message costs.
COMPARED, ENOUGH, HOLDS_FOR = 100, 20, 20
# An undo goes back so far.
UNDONE_WITHIN = timedelta(hours=1)


class Reason(StrEnum):
    """Why a message is given to a reviewer."""

    SUSPECT = "suspect"  # what was said of it looks wrong
    DISPUTE = "dispute"  # people disagree on a label
    NOTE = "note"  # somebody left a note
    SAMPLE = "sample"  # drawn by chance, to see how often the labels are right
    TEACHES = "teaches"  # it teaches much
    AGAIN = "again"  # they took back what they had said in the review


@dataclass(frozen=True)
class Candidate:
    """A message that a reviewer may be given."""

    message_id: int
    reason: Reason


@dataclass(frozen=True)
class ReviewCard:
    """A message that a reviewer was given. `blind`: without labels."""

    id: int
    message_id: int
    user: str
    reason: Reason
    blind: bool

    @classmethod
    def of(cls, row: Row[Any]) -> "ReviewCard":
        """Return what a row of `review_cards` says."""
        return cls(row.id, row.message_id, row.user, Reason(row.reason), row.blind)


class Reviews:
    """The cards of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._doubtful = (0.0, -HOLDS_FOR)  # above so much uncertainty an author is asked, as of this message

    def get(self, card_id: int) -> ReviewCard | None:
        """Return the card, open or not."""
        with self._database.reading() as connection:
            row = connection.execute(select(review_cards).where(review_cards.c.id == card_id)).one_or_none()
            return None if row is None else ReviewCard.of(row)

    def open_of(self, user: str) -> ReviewCard | None:
        """Return the card that this person has in hand."""
        mine = (review_cards.c.user == user, review_cards.c.outcome.is_(None), review_cards.c.claimed_until > now())
        with self._database.reading() as connection:
            row = connection.execute(select(review_cards).where(*mine).order_by(review_cards.c.id.desc()).limit(1)).one_or_none()
            return None if row is None else ReviewCard.of(row)

    def candidates(
        self, user: str, most: int, chance: random.Random | None = None, *, settles: bool = False
    ) -> list[Candidate]:  # fmt: skip
        """Return what this person may be given, best first: disputes and notes of others, then what teaches most.

        With `chance`, what nobody has judged, in its order. Whoever `settles` disputes is given also those on which they have
        spoken. Looked for among the newest, whatever is stored; never what this
        person had already, what somebody else has in hand, and what somebody wrote to the bot alone.
        """
        with self._database.reading() as connection:
            rows = _unjudged(connection, user)
            if chance is not None:
                drawn = [row.id for row in rows if row.latest is not None]
                return [Candidate(message_id, Reason.SAMPLE) for message_id in chance.sample(drawn, min(most, len(drawn)))]
            found = [Candidate(message_id, Reason.DISPUTE) for message_id in _disputed(connection, user, again=settles)]
            found += [Candidate(message_id, Reason.NOTE) for message_id in _noted(connection, user)]
            known = _lately(connection, user)
        # What no version has spoken of comes last, as it came.
        values = [uncertainty(row.latest["scores"]) if row.latest is not None else 0.0 for row in rows]
        order = most_teaching([row.text for row in rows], values, most, known=known)
        return [*found[: most // 2], *(Candidate(rows[at].id, Reason.TEACHES) for at in order)]

    def waiting(self, user: str) -> Counter[str]:
        """Return by channel how many messages wait for a word of this person: disputes, and notes of others; of the newest."""
        with self._database.reading() as connection:
            ids = {*_disputed(connection, user, again=False), *_noted(connection, user)}
            return Counter(connection.execute(select(messages.c.channel).where(messages.c.id.in_(ids))).scalars())

    def suspects(self, user: str, most: int) -> list[Candidate]:
        """Return judged messages of which something looks wrong, the least believable first; each is asked about once."""
        asked = select(review_cards.c.id).where(
            review_cards.c.message_id == messages.c.id,
            review_cards.c.reason == Reason.SUSPECT.value,
            review_cards.c.outcome == "judged",
        )
        with self._database.reading() as connection:
            found = connection.execute(
                select(messages.c.id)
                .join(suspicions, suspicions.c.message_id == messages.c.id)
                .where(_free(user, again=True), ~asked.exists())
                .group_by(messages.c.id)
                .order_by(func.min(suspicions.c.score))
                .limit(most)
            )
            return [Candidate(message_id, Reason.SUSPECT) for message_id in found.scalars()]

    def claim(self, candidate: Candidate, user: str, *, blind: bool) -> ReviewCard | None:
        """Give the message to this person for `LEASE`, or return None where somebody else has it in hand."""
        with self._database.writing() as connection:
            moment = now()
            of_message = and_(review_cards.c.message_id == candidate.message_id, review_cards.c.outcome.is_(None))
            connection.execute(
                review_cards.update()
                .where(of_message, or_(review_cards.c.claimed_until <= moment, review_cards.c.user == user))
                .values(outcome="expired", ended_at=moment)
            )
            row = connection.execute(
                self._database.insert_or_ignore(review_cards)
                .values(
                    message_id=candidate.message_id,
                    user=user,
                    reason=candidate.reason.value,
                    blind=blind,
                    given_at=moment,
                    claimed_until=moment + LEASE,
                )
                .returning(review_cards)
            ).one_or_none()
            return None if row is None else ReviewCard.of(row)

    def end(self, card_id: int, outcome: str) -> bool:
        """Record what came of an open card: judged, skipped or expired; return whether it was open."""
        with self._database.writing() as connection:
            ended = connection.execute(
                review_cards.update()
                .where(review_cards.c.id == card_id, review_cards.c.outcome.is_(None))
                .values(outcome=outcome, ended_at=now())
            )
            return bool(ended.rowcount)

    def take_back(self, user: str) -> ReviewCard | None:
        """Mark the last card that this person judged within `UNDONE_WITHIN` as undone, and return it."""
        mine = (review_cards.c.user == user, review_cards.c.outcome == "judged", review_cards.c.ended_at > now() - UNDONE_WITHIN)
        with self._database.writing() as connection:
            last = select(review_cards.c.id).where(*mine).order_by(review_cards.c.ended_at.desc()).limit(1)
            row = connection.execute(
                review_cards.update()
                .where(review_cards.c.id == last.scalar_subquery(), review_cards.c.outcome == "judged")
                .values(outcome="undone")
                .returning(review_cards)
            ).one_or_none()
            return None if row is None else ReviewCard.of(row)

    def may_take_back(self, user: str) -> bool:
        """Return whether `take_back` would find a card."""
        mine = (review_cards.c.user == user, review_cards.c.outcome == "judged", review_cards.c.ended_at > now() - UNDONE_WITHIN)
        with self._database.reading() as connection:
            return connection.execute(select(review_cards.c.id).where(*mine).limit(1)).one_or_none() is not None

    def is_in_doubt(self, message_id: int, prediction: Prediction, a_day: int) -> bool:
        """Return whether the message's author is worth a question: of `a_day` today (UTC) one is left, and little is sure.

        That is where less is known of the labels than of those of nine tenths of the newest predictions, if there are enough.
        """
        doubtful_from = self._doubtful_from(message_id)
        if doubtful_from is None or uncertainty(prediction.scores) <= doubtful_from:
            return False
        last = select(outbox.c.id).where(outbox.c.key == doubt_key(_today(), a_day - 1))
        with self._database.reading() as connection:
            return connection.execute(last).first() is None

    def _doubtful_from(self, message_id: int) -> float | None:
        """Return above how much uncertainty an author is asked; None while there is too little to say."""
        doubtful_from, as_of = self._doubtful
        if not as_of <= message_id < as_of + HOLDS_FOR:
            newest = select(predictions.c.prediction).order_by(predictions.c.id.desc()).limit(COMPARED)
            with self._database.reading() as connection:
                values = [uncertainty(each["scores"]) for each in connection.execute(newest).scalars()]
            if len(values) < ENOUGH:
                return None
            doubtful_from = sorted(values, reverse=True)[len(values) // 10]
            self._doubtful = doubtful_from, message_id
        return doubtful_from

    def open_doubt(self, message_id: int, a_day: int) -> str | None:
        """Open the question to the message's author, and return its key; None where it was asked, or nothing of today is left.

        Once a message, and at most `a_day` times a day, whichever processes ask.
        """
        with self._database.writing() as connection:
            message = connection.execute(select(messages).where(messages.c.id == message_id).with_for_update()).one()
            asked = select(outbox.c.id).where(outbox.c.message_id == message_id, outbox.c.kind == Kind.DOUBT.value)
            if message.deleted_at is not None or connection.execute(asked).first() is not None:
                return None
            for number in range(a_day):
                key = doubt_key(_today(), number)
                opened = insert_or_ignore(connection, outbox).values(
                    key=key,
                    kind=Kind.DOUBT,
                    message_id=message_id,
                    channel=message.channel,
                    thread_ts=message.thread_ts or message.ts,
                    state=State.DUE,
                    wanted=1,
                    retry_at=now() + timedelta(seconds=RETRY_AFTER_S),
                )
                if connection.execute(opened.returning(outbox.c.id)).first() is not None:
                    return key
            return None

    def judged_since(self, user: str, moment: datetime) -> int:
        """Return how many cards this person has judged since then."""
        mine = (review_cards.c.user == user, review_cards.c.outcome == "judged", review_cards.c.ended_at >= moment)
        with self._database.reading() as connection:
            return int(connection.execute(select(func.count()).where(*mine)).scalar_one())

    def given(self, user: str) -> int:
        """Return how many cards this person was ever given and answered."""
        mine = (review_cards.c.user == user, review_cards.c.outcome.in_(["judged", "skipped"]))
        with self._database.reading() as connection:
            return int(connection.execute(select(func.count()).where(*mine)).scalar_one())


def _today() -> str:
    return f"{now():%Y-%m-%d}"


def _free(user: str, *, again: bool = False) -> Any:
    """Return the condition for a row of `messages` that this person may be given, `again`: after they have judged it."""
    done = ["skipped"] if again else ["judged", "skipped"]
    taken = select(review_cards.c.id).where(
        review_cards.c.message_id == messages.c.id,
        or_(
            and_(review_cards.c.outcome.is_(None), review_cards.c.user != user, review_cards.c.claimed_until > now()),
            and_(review_cards.c.user == user, review_cards.c.outcome.in_(done)),
        ),
    )
    private = or_(messages.c.source == Source.COMMAND.value, messages.c.channel.startswith("D"))
    return and_(messages.c.text != "", messages.c.deleted_at.is_(None), not_(private), ~taken.exists())


def _unjudged(connection: Connection, user: str) -> Sequence[Any]:
    """Return the newest messages that nobody judged, with the last prediction of each, newest first."""
    newest = select(messages.c.id).order_by(messages.c.id.desc()).limit(LOOKED_THROUGH).subquery()
    latest = (
        select(predictions.c.prediction)
        .where(predictions.c.message_id == messages.c.id, predictions.c.revision == messages.c.revision)
        .order_by(predictions.c.id.desc())
        .limit(1)
    )
    return connection.execute(
        select(messages.c.id, messages.c.text, latest.scalar_subquery().label("latest"))
        .select_from(messages)
        .join(newest, newest.c.id == messages.c.id)
        .where(_free(user), ~is_judged())
        .order_by(messages.c.id.desc())
    ).all()


def _disputed(connection: Connection, user: str, *, again: bool) -> Sequence[int]:
    """Return the messages of the newest questions about labels in dispute, newest first; some may be settled by now."""
    # In the words of `ix_outbox_question`, else it would not be used.
    asked = select(outbox.c.message_id).where(text("kind = 'question'")).order_by(outbox.c.id.desc()).limit(DISPUTES)
    about = list(dict.fromkeys(connection.execute(asked).scalars()))
    free = set(connection.execute(select(messages.c.id).where(messages.c.id.in_(about), _free(user, again=again))).scalars())
    return [message_id for message_id in about if message_id in free]


def _noted(connection: Connection, user: str) -> Sequence[int]:
    """Return the messages of the newest notes that nobody has looked at in the review since, but for this person's own."""
    newest = (
        select(gestures.c.channel, gestures.c.item_ts, gestures.c.user, gestures.c.saved_at)
        .where(text("note is not null"))
        .order_by(gestures.c.id.desc())
        .limit(DISPUTES)
        .subquery()
    )
    looked_at = select(review_cards.c.id).where(
        review_cards.c.message_id == messages.c.id,
        review_cards.c.outcome == "judged",
        review_cards.c.ended_at >= newest.c.saved_at,
    )
    on_reply = (
        select(outbox.c.id)
        .where(outbox.c.message_id == messages.c.id, outbox.c.kind == Kind.REPLY.value, outbox.c.ts == newest.c.item_ts)
        .exists()
    )
    rows = connection.execute(
        select(messages.c.id)
        .select_from(messages)
        .join(newest, and_(messages.c.channel == newest.c.channel, or_(messages.c.ts == newest.c.item_ts, on_reply)))
        .where(newest.c.user != user, _free(user), ~looked_at.exists())
        .order_by(messages.c.id.desc())
    )
    return list(dict.fromkeys(rows.scalars()))


def _lately(connection: Connection, user: str) -> Collection[str]:
    """Return the texts of this person's last cards."""
    mine = (
        select(messages.c.text)
        .select_from(messages)
        .join(review_cards, review_cards.c.message_id == messages.c.id)
        .where(review_cards.c.user == user, review_cards.c.outcome == "judged")
    )
    return list(connection.execute(mine.order_by(review_cards.c.ended_at.desc()).limit(LATELY)).scalars())
