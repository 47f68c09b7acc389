"""Erasure: a message, and all that a person wrote and judged.

A request is a row of its own, so that it is executed to its end whichever process dies meanwhile. What stays of
an erased message is its row without text and author, so that Slack's redelivery does not bring it back.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Connection, and_, case, func, or_, select, tuple_

from model.schema import Example
from model.store.database import Database, lock_channel, now
from model.store.judged_messages import JudgedMessages
from model.store.label_book import LabelBook
from model.store.outbox_changes import mark_deleted, mark_known_due, mark_reply_due, of_message
from model.store.tables import (
    erasure_requests,
    examples,
    gestures,
    label_questions,
    messages,
    mutes,
    outbox,
    people,
    portions,
    predictions,
    review_cards,
    runs,
    split_assignments,
    suspicions,
    training_texts,
    versions,
)
from model.text_key import text_key

BATCH = 500
IMPORTED = "imported:"


@dataclass(frozen=True)
class Erased:
    """What a request came to: so many messages and judgements are gone; these versions, whose folders are kept, learnt from them.

    `training` is true where the training under way does.
    """

    messages: int
    judgements: int
    versions: tuple[int, ...]
    training: bool


class ErasureService:
    """The erasure requests of one database."""

    def __init__(self, database: Database, judged: JudgedMessages, labels: LabelBook) -> None:
        self._database = database
        self._judged = judged
        self._labels = labels

    # Requests

    def create_request(self, *, by: str, message_id: int | None = None, user: str | None = None) -> int:
        """Save the request to erase this message, or all of this person's; return its id for `execute`."""
        with self._database.writing() as connection:
            row = erasure_requests.insert().values(
                user=user, message_id=message_id, requested_by=by, versions=[], requested_at=now()
            )
            return int(connection.execute(row.returning(erasure_requests.c.id)).scalar_one())

    def pending(self) -> list[int]:
        """Return the requests that were not executed to their end, oldest first, but for those of this minute."""
        with self._database.reading() as connection:
            return list(
                connection.execute(
                    select(erasure_requests.c.id)
                    .where(erasure_requests.c.done_at.is_(None), erasure_requests.c.requested_at < now() - timedelta(minutes=1))
                    .order_by(erasure_requests.c.id)
                ).scalars()
            )

    def extent(self, user: str) -> tuple[int, int]:
        """Return how many messages and how many judgements of this person are kept."""
        with self._database.reading() as connection:
            wrote = select(func.count()).where(messages.c.user == user)
            said = select(func.count()).where(gestures.c.user == user)
            return int(connection.execute(wrote).scalar_one()), int(connection.execute(said).scalar_one())

    def execute(self, request_id: int) -> tuple[Erased, list[int]]:
        """Erase all of it; return what that came to, and the ids of messages whose reply is to be deleted or rendered again.

        Each message is a transaction of its own: what dies half way is taken up where it stopped, and twice does no harm.
        """
        with self._database.reading() as connection:
            request = connection.execute(select(erasure_requests).where(erasure_requests.c.id == request_id)).one()
        touched: list[int] = []
        keys: set[str] = set()
        self._note_versions(request_id, request.user, request.message_id)
        for message_id in list(self._messages_of(request.user, request.message_id)):
            touched.append(message_id)
            keys |= self._erase(request_id, message_id)
        if request.user is not None:
            touched += self._delete_judgements(request_id, request.user)
        self._delete_splits(keys)
        with self._database.writing() as connection:
            if request.user is not None:
                connection.execute(people.delete().where(people.c.user == request.user))
                connection.execute(review_cards.delete().where(review_cards.c.user == request.user))
                connection.execute(mutes.delete().where(mutes.c.user == request.user))
                connection.execute(portions.delete().where(portions.c.user == request.user))
            connection.execute(erasure_requests.update().where(erasure_requests.c.id == request_id).values(done_at=now()))
            done = connection.execute(select(erasure_requests).where(erasure_requests.c.id == request_id)).one()
            training = connection.execute(select(runs.c.id).where(runs.c.open)).scalar_one_or_none()
        self._database.empty_journal()
        kept = tuple(number for number in done.versions if number > 0)
        return Erased(done.messages, done.judgements, kept, training is not None and -training in done.versions), touched

    def _messages_of(self, user: str | None, message_id: int | None) -> Iterator[int]:
        chosen = messages.c.user == user if user is not None else messages.c.id == message_id
        with self._database.reading() as connection:
            yield from connection.execute(select(messages.c.id).where(chosen)).scalars()

    def _erase(self, request_id: int, message_id: int) -> set[str]:
        """Leave nothing of the message but its place; return the key of the text that it had."""
        with self._database.writing() as connection:
            channel = connection.execute(select(messages.c.channel).where(messages.c.id == message_id)).scalar_one_or_none()
            lock_channel(connection, channel or "")
            row = connection.execute(select(messages).where(messages.c.id == message_id).with_for_update()).one_or_none()
            if row is None or (row.deleted_at is not None and not row.user):  # kept long enough, or erased before
                return set()
            reply_ts = connection.execute(select(outbox.c.ts).where(*of_message(message_id))).scalar_one_or_none()
            said = connection.execute(
                gestures.delete().where(
                    gestures.c.channel == row.channel,
                    gestures.c.item_ts.in_([row.ts, reply_ts or row.ts]),
                )
            ).rowcount
            connection.execute(predictions.delete().where(predictions.c.message_id == message_id))
            connection.execute(review_cards.delete().where(review_cards.c.message_id == message_id))
            connection.execute(mutes.delete().where(mutes.c.channel == row.channel, mutes.c.ts == row.ts))
            connection.execute(suspicions.delete().where(suspicions.c.message_id == message_id))
            for question in connection.execute(select(label_questions.c.id, label_questions.c.question)).all():
                if message_id in question.question.get("messages", ()):  # its words may be this message's
                    connection.execute(label_questions.delete().where(label_questions.c.id == question.id))
            connection.execute(
                messages.update()
                .where(messages.c.id == message_id)
                .values(
                    text="",
                    user="",
                    response_url=None,
                    deleted_at=func.coalesce(messages.c.deleted_at, now()),
                )
            )
            mark_deleted(connection, message_id)
            keys = {text_key(row.text)} if row.text else set()
            connection.execute(examples.delete().where(examples.c.text_key.in_(keys)))
            _count(connection, request_id, messages_=1, judgements=said)
            return keys

    def _delete_judgements(self, request_id: int, user: str) -> list[int]:
        """Delete the person's judgements; return the messages whose labels may stand otherwise now."""
        with self._database.reading() as connection:
            items = connection.execute(
                select(gestures.c.channel, gestures.c.item_ts).where(gestures.c.user == user).distinct()
            ).all()
        touched = []
        for channel, item_ts in items:
            with self._database.writing() as connection:
                lock_channel(connection, channel)
                gone = connection.execute(
                    gestures.delete().where(
                        gestures.c.user == user,
                        gestures.c.channel == channel,
                        gestures.c.item_ts == item_ts,
                    )
                ).rowcount
                _count(connection, request_id, messages_=0, judgements=gone)
                on_message = connection.execute(
                    select(messages.c.id)
                    .outerjoin(outbox, and_(*of_message(messages.c.id)))
                    .where(
                        messages.c.channel == channel,
                        or_(messages.c.ts == item_ts, outbox.c.ts == item_ts),
                        messages.c.deleted_at.is_(None),
                    )
                ).scalars()
                for message_id in list(on_message):
                    mark_reply_due(connection, message_id)
                    mark_known_due(connection, [message_id])
                    touched.append(message_id)
        return touched

    def _delete_splits(self, keys: set[str]) -> None:
        """Delete the splits of these texts, unless another message says the same: that one keeps its split."""
        if not keys:
            return
        others = {text_key(each.row.text) for each in self._judged.messages(self._labels.current())}
        with self._database.writing() as connection:
            for some in _chunks(keys - others):
                connection.execute(split_assignments.delete().where(split_assignments.c.text_key.in_(some)))

    # Versions

    def record_training_texts(self, run_id: int, taught: Iterable[Example]) -> None:
        """Save what the version of this run learns from; shipped messages are nobody's."""
        ids = {example.id for example in taught if example.id is not None and _is_ours(example.id)}
        with self._database.writing() as connection:
            connection.execute(training_texts.delete().where(training_texts.c.run_id == run_id))
            for some in _chunks(ids):
                connection.execute(training_texts.insert(), [{"run_id": run_id, "text_id": text_id} for text_id in some])

    def without_erased(self, frozen: Sequence[Example]) -> list[Example]:
        """Return what of a snapshot was not deleted, erased or imported otherwise since it was frozen."""
        ids = [example.id for example in frozen if example.id is not None and _is_ours(example.id)]
        there: set[str] = set()
        with self._database.reading() as connection:
            for some in _chunks(each for each in ids if not each.startswith(IMPORTED)):
                rows = connection.execute(
                    select(messages.c.channel, messages.c.ts).where(
                        tuple_(messages.c.channel, messages.c.ts).in_([tuple(each.split(":")) for each in some]),
                        messages.c.text != "",
                    )
                )
                there |= {":".join(row) for row in rows}
            for some in _chunks(each.removeprefix(IMPORTED) for each in ids if each.startswith(IMPORTED)):
                there |= {
                    IMPORTED + key
                    for key in connection.execute(select(examples.c.text_key).where(examples.c.text_key.in_(some))).scalars()
                }
        gone = set(ids) - there
        return [example for example in frozen if example.id not in gone]

    def _note_versions(self, request_id: int, user: str | None, message_id: int | None) -> None:
        """Name in the request the versions that learnt from what is about to go; a run under way as its negative id."""
        own = messages.c.user == user if user is not None else messages.c.id == message_id
        text_id = messages.c.channel + ":" + messages.c.ts
        chosen: Any = select(text_id).where(own)
        if user is not None:
            judged_by = and_(
                gestures.c.channel == messages.c.channel,
                or_(gestures.c.item_ts == messages.c.ts, gestures.c.item_ts == outbox.c.ts),
            )
            chosen = chosen.union(
                select(text_id)
                .select_from(messages)
                .outerjoin(outbox, and_(*of_message(messages.c.id)))
                .join(gestures, judged_by)
                .where(gestures.c.user == user)
            )
        with self._database.writing() as connection:
            before = connection.execute(
                select(erasure_requests.c.versions).where(erasure_requests.c.id == request_id)
            ).scalar_one()
            taught: Any = training_texts.c.text_id.in_(chosen)
            if message_id is not None:
                # Imported with the same words: it goes too.
                text = connection.execute(select(messages.c.text).where(messages.c.id == message_id)).scalar_one_or_none()
                taught = or_(taught, training_texts.c.text_id == IMPORTED + text_key(text or ""))
            run_ids = list(connection.execute(select(training_texts.c.run_id).distinct().where(taught)).scalars())
            made = connection.execute(
                select(versions.c.number).where(versions.c.run_id.in_(run_ids), versions.c.removed_at.is_(None))
            ).scalars()
            going_on = connection.execute(select(runs.c.id).where(runs.c.id.in_(run_ids), runs.c.open)).scalars()
            named = sorted({*before, *made, *(-run_id for run_id in going_on)})
            connection.execute(erasure_requests.update().where(erasure_requests.c.id == request_id).values(versions=named))


def discount_judgements(connection: Connection, gone: int) -> None:
    """Let runs, which count the judgements that were kept when they began, not wait for those that are gone to be given again."""
    remaining = runs.c.judgements - gone
    connection.execute(runs.update().values(judgements=case((remaining > 0, remaining), else_=0)))


def _count(connection: Connection, request_id: int, *, messages_: int, judgements: int) -> None:
    connection.execute(
        erasure_requests.update()
        .where(erasure_requests.c.id == request_id)
        .values(messages=erasure_requests.c.messages + messages_, judgements=erasure_requests.c.judgements + judgements)
    )
    discount_judgements(connection, judgements)


def _is_ours(text_id: str) -> bool:
    return text_id.startswith(IMPORTED) or (text_id.count(":") == 1 and not text_id.startswith("label:"))


def _chunks(values: Iterable[str]) -> Iterator[list[str]]:
    rest = iter(values)
    while some := list(islice(rest, BATCH)):
        yield some
