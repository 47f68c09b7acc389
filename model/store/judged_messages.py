"""Judged messages: how the labels of each stand by what people said of it.

Every method is one transaction, or one a page (see `database` for what it raises).
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, TextClause, and_, bindparam, func, or_, select, text, union

from model.judgements import VIA_SETTLE, Kind, MessageState, fold
from model.labels import Taxonomy, only
from model.schema import Prediction
from model.store.channel_choices import chosen_labels
from model.store.database import Database, aware, now
from model.store.outbox_changes import of_message
from model.store.people import KNOWN_FOR, known_people
from model.store.stored_gesture import StoredGesture, gestures_of, predictions_of
from model.store.tables import channels, gestures, messages, outbox, review_cards

# PostgreSQL may show a gesture after a later one, and what it is about may be recorded after it: so many are looked at again.
LATE_GESTURES = 50
# Slack tells an edit again for some minutes where nobody acknowledged it: it may come after those that people made later.
EDITED_LATE_US = 3600 * 10**6
# What one can say of a message without seeing what the network says.
OWN_WORDS = {Kind.LABEL, Kind.SET, Kind.NONE}
# How a gesture of the review is marked where it was made without seeing any labels.
VIA_BLIND_REVIEW = "blind_review"

# Built once: to build a query takes longer than to ask it.
_MESSAGE = (
    select(messages, channels.c.labels.label("used_labels"))
    .outerjoin(channels, channels.c.channel == messages.c.channel)
    .where(messages.c.id == bindparam("of_id"))
)


@dataclass(frozen=True)
class Judged:
    """A message's labels as they stand, and what they follow from.

    `state` counts only those who may judge; `stale` is how many gestures were about an earlier text; `strangers` are those
    whose gestures do not count.
    """

    state: MessageState
    prediction: Prediction | None
    stale: int
    strangers: tuple[str, ...]
    unknown_people: tuple[str, ...]  # judged, and nobody has asked Slack about them lately


@dataclass(frozen=True)
class JudgedMessage:
    """A message's row, its labels as they stand, the gestures that count, and what the network says of it."""

    row: Row[Any]
    state: MessageState
    said: tuple[StoredGesture, ...]
    prediction: Prediction | None


@dataclass(frozen=True)
class Mark:
    """Up to where a reader has seen what people said, and what became of its messages."""

    gesture: int
    edited_at: int
    deleted_at: datetime | None


class JudgedMessages:
    """The judged messages of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, message_id: int, taxonomy: Taxonomy) -> Judged | None:
        """Return how the labels of `taxonomy` stand for the message's present text; whatever is older is read in its names."""
        with self._database.reading() as connection:
            row = connection.execute(_MESSAGE, {"of_id": message_id}).one_or_none()
            if row is None:
                return None
            given = predictions_of(connection, [row])[row.id]
            said = gestures_of(connection, [row], taxonomy, given={row.id: given})[row.id]
            known = known_people(connection, {each.gesture.user for each in said})
        used = {} if row.used_labels is None else {row.channel: tuple(row.used_labels)}
        latest = _newest(given, row, taxonomy, used)
        fresh = _with_meaning([each for each in said if not each.stale], blind=row.blind)
        moment = now()
        allowed = {user for user in {each.gesture.user for each in said} if known.get(user) is None or known[user].may_judge}
        state = fold(
            (each.gesture for each in fresh if each.gesture.user in allowed or each.gesture.via == VIA_SETTLE),
            names=taxonomy.names,
            predicted=latest.labels if latest else (),
            experts={user for user, person in known.items() if person.expert},
        )
        users = sorted({each.gesture.user for each in fresh})
        return Judged(
            state=state,
            prediction=latest,
            stale=sum(each.stale for each in said),
            strangers=tuple(user for user in users if user not in allowed),
            unknown_people=tuple(
                user for user in users if user not in known or moment - aware(known[user].looked_at) > KNOWN_FOR
            ),
        )

    def changed_since(self, mark: Mark | None) -> tuple["array[int]", Mark]:
        """Return the messages of which anything was said, or that were edited or deleted, since `mark`; and the mark now.

        Without a mark, all that anybody ever judged. Some that did not change may be among them.
        """
        newest = select(func.coalesce(func.max(gestures.c.id), 0)).scalar_subquery()
        edited = select(func.coalesce(func.max(messages.c.edited_at), 0)).where(messages.c.edited_at > 0).scalar_subquery()
        deleted = select(func.max(messages.c.deleted_at)).where(messages.c.deleted_at.is_not(None)).scalar_subquery()
        with self._database.reading() as connection:
            row = connection.execute(select(newest, edited, deleted)).one()
            now_at = Mark(int(row[0]), int(row[1]), row[2])
            if mark is None:
                return judged_ids(connection, blind=False), now_at
            found = set(judged_ids(connection, blind=False, after=mark.gesture - LATE_GESTURES))
            found.update(said_before_a_word(connection))
            since = outbox.c.judged_before >= mark.gesture - LATE_GESTURES
            found.update(connection.execute(select(outbox.c.message_id).where(since)).scalars())
            changed = [and_(messages.c.edited_at > 0, messages.c.edited_at >= mark.edited_at - EDITED_LATE_US)]
            gone = messages.c.deleted_at.is_not(None)
            changed.append(gone if mark.deleted_at is None else and_(gone, messages.c.deleted_at >= mark.deleted_at))
            for condition in changed:
                found.update(connection.execute(select(messages.c.id).where(condition)).scalars())
        return array("q", sorted(found)), now_at

    def messages(
        self, taxonomy: Taxonomy, *, blind: bool = False, page: int = 500, ids: "array[int] | None" = None
    ) -> Iterator[JudgedMessage]:
        """Yield every message that somebody judged and that still has its text, with its state, oldest first; in small pages.

        With `blind` only those whose prediction was hidden from all or from a reviewer, with `ids` only these. Costs what was
        judged, not what was not.
        """
        if ids is None:
            with self._database.reading() as connection:
                ids = judged_ids(connection, blind=blind)
        for at in range(0, len(ids), page):
            with self._database.reading() as connection:
                if connection.dialect.name == "postgresql":
                    # Else a page of 500 is joined by reading all replies and gestures: 0.25 ms a message among 10,000, 2 ms
                    # among a million, where looking each up takes the same among any number.
                    connection.execute(text("set local enable_hashjoin = off"))
                    connection.execute(text("set local enable_mergejoin = off"))
                rows = connection.execute(
                    select(messages)
                    .where(messages.c.id.in_(ids[at : at + page].tolist()), messages.c.deleted_at.is_(None))
                    .order_by(messages.c.id)
                ).all()
                given = predictions_of(connection, rows)
                said = gestures_of(connection, rows, taxonomy, given=given)
                persons = known_people(connection, {each.gesture.user for row in rows for each in said[row.id]})
                used = chosen_labels(connection, {row.channel for row in rows})
            for row in rows:
                counted = [
                    each
                    for each in _with_meaning([each for each in said[row.id] if not each.stale], blind=row.blind)
                    if each.gesture.user not in persons or persons[each.gesture.user].may_judge or each.gesture.via == VIA_SETTLE
                ]
                latest = _newest(given[row.id], row, taxonomy, used)
                state = fold(
                    (each.gesture for each in counted),
                    names=taxonomy.names,
                    predicted=latest.labels if latest else (),
                    experts={user for user, person in persons.items() if person.expert},
                )
                yield JudgedMessage(row, state, tuple(counted), latest)

    def lately(self, taxonomy: Taxonomy, most: int) -> Iterator[JudgedMessage]:
        """Yield the messages that the newest `most` gestures are about, as `messages` does."""
        with self._database.reading() as connection:
            newest = connection.execute(select(func.coalesce(func.max(gestures.c.id), 0))).scalar_one()
            ids = judged_ids(connection, blind=False, after=newest - most)
        return self.messages(taxonomy, ids=ids)

    def said_blind(self, taxonomy: Taxonomy) -> Iterator[tuple[MessageState, Prediction]]:
        """Yield what the first person said of each message whose prediction was hidden until then, and that prediction.

        Hidden from all, or in the review from this person.
        """
        for each in self.messages(taxonomy, blind=True):
            words = [said.gesture for said in each.said if said.gesture.kind in OWN_WORDS and not said.gesture.withdrawn]
            taken_back = {said.gesture.handle: said.gesture.at for said in each.said if said.gesture.withdrawn}
            own = [
                word
                for word in words
                if (each.row.blind or word.via == VIA_BLIND_REVIEW) and taken_back.get(word.handle, 0) < word.at
            ]
            if own and each.prediction is not None:
                yield fold(own[:1], names=taxonomy.names, predicted=()), each.prediction


def _with_meaning(said: list[StoredGesture], *, blind: bool) -> list[StoredGesture]:
    """Leave out what agrees or disagrees with a prediction that is not there yet, or was hidden: from the first own word on
    it is shown.
    """
    said = [each for each in said if each.gesture.kind in OWN_WORDS or not each.waits]
    if not blind:
        return said
    own = (each.gesture.at for each in said if each.gesture.kind in OWN_WORDS and not each.gesture.withdrawn)
    shown_at = min(own, default=None)
    return [each for each in said if each.gesture.kind in OWN_WORDS or (shown_at is not None and each.gesture.at >= shown_at)]


def _newest(
    given: Sequence[Row[Any]], message: Row[Any], taxonomy: Taxonomy, used: Mapping[str, tuple[str, ...]]
) -> Prediction | None:  # fmt: skip
    """Return the last prediction of this text, in the labels of today that its channel uses."""
    newest = next((row for row in reversed(given) if row.revision == message.revision), None)
    if newest is None:
        return None
    read, chosen = taxonomy.read(Prediction.model_validate(newest.prediction)), used.get(message.channel)
    return only(read, None if chosen is None else taxonomy.today(chosen))


def judged_ids(connection: Connection, *, blind: bool, after: int = 0) -> "array[int]":
    """Return the messages that anybody ever judged, in their order: found from what was said, not by looking at each
    message; the few that are `blind` are looked at. `after`: only by gestures with a greater id.
    """
    if blind:
        # In the words of `ix_messages_blind` and `ix_review_cards_blind`, else SQLite would not use them.
        hidden = select(messages.c.id).where(text("blind"), is_judged())
        reviewed = select(review_cards.c.message_id).where(text("blind"), review_cards.c.outcome == "judged")
        return array("q", sorted(connection.execute(union(hidden, reviewed)).scalars()))
    return _about(connection, gestures.c.id > after)


def said_before_a_word(connection: Connection) -> "array[int]":
    """Return the messages of which somebody said "correct" or "wrong" before the network had said anything, in their order.

    What that means depends on the network's first word. They are few: a worker was down, or slower than a person.
    """
    # In the words of `ix_gestures_before_a_word`, else SQLite would not use it.
    return _about(connection, text("gestures.prediction_id is null and gestures.kind in ('correct', 'wrong')"))


def _about(connection: Connection, condition: ColumnElement[bool] | TextClause) -> "array[int]":
    """Return the messages that the gestures of which this holds are about, in their order."""
    here = messages.c.channel == gestures.c.channel
    on_message = gestures.join(messages, and_(here, messages.c.ts == gestures.c.item_ts))
    # Outer joins, because SQLite would begin inner ones with all replies; they give a null for what is about no reply.
    is_reply = outbox.c.kind == "reply"
    on_reply = gestures.outerjoin(outbox, and_(outbox.c.ts == gestures.c.item_ts, is_reply)).outerjoin(
        messages, and_(here, messages.c.id == outbox.c.message_id)
    )
    both = union(*(select(messages.c.id).select_from(joined).where(condition) for joined in (on_message, on_reply)))
    return array("q", sorted(found for found in connection.execute(both).scalars() if found is not None))


def is_judged() -> Any:
    """Return whether anybody ever judged the row of `messages` at hand, as a condition."""
    on_message = (
        select(gestures.c.id).where(gestures.c.channel == messages.c.channel, gestures.c.item_ts == messages.c.ts).exists()
    )
    on_reply = (
        select(gestures.c.id)
        .join(outbox, outbox.c.ts == gestures.c.item_ts)
        .where(
            *of_message(messages.c.id),
            gestures.c.channel == messages.c.channel,
        )
        .exists()
    )
    return or_(on_message, on_reply)
