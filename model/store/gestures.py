"""What people said, kept: gestures go in as they were made, and the state of a message comes out.

A gesture may come before the message or the reply that it is about, twice, or late. It is found by the ts of its item when
the message is looked at, so nothing has to wait for anything.
"""

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, func, or_, select, text, true, union, union_all

from model.judgements import Gesture, Kind, MessageState, fold
from model.labels import Taxonomy, canonical_emoji
from model.reactions import Reaction
from model.schema import Prediction
from model.store.database import Database, aware, lock_channel, now
from model.store.outbox_changes import mark_reply_due, of_message
from model.store.outbox_row import Kind as OutboxKind
from model.store.tables import channels, gestures, messages, outbox, people, predictions, review_cards

# People change groups and become guests; a day is as old as what we know of them may be.
KNOWN_FOR = timedelta(days=1)
# Of a person whose rights changed, the replies to so many of the newest gestures are rendered anew; older ones when next touched.
RIGHTS_OF = 200
# PostgreSQL may show a gesture after a later one, and what it is about may be recorded after it: so many are looked at again.
LATE_GESTURES = 50
# Slack tells an edit again for some minutes where nobody acknowledged it: it may come after those that people made later.
EDITED_LATE_US = 3600 * 10**6
# What one can say of a message without seeing what the network says.
OWN_WORDS = {Kind.LABEL, Kind.SET, Kind.NONE}
# How a gesture of the review is marked where it was made without seeing any labels.
VIA_BLIND_REVIEW = "blind_review"


@dataclass(frozen=True)
class StoredGesture:
    """A gesture with what stands around it in the store."""

    id: int
    gesture: Gesture
    channel: str
    item_ts: str
    note: str | None
    saved_at: datetime
    stale: bool  # made before the text was changed


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


class Gestures:
    """The gestures of one database. Every note passes `mask` before it is kept."""

    def __init__(self, database: Database, mask: Callable[[str], str]) -> None:
        self._database = database
        self._mask = mask

    def add(self, gesture: Gesture, *, channel: str, item_ts: str, note: str | None = None) -> tuple[int | None, bool]:
        """Save a gesture; return the message that it is about, if that is known yet, and whether it is new."""
        with self._database.writing() as connection:
            lock_channel(connection, channel)
            message = _message_of(connection, channel, item_ts)
            return self._insert(connection, gesture, message, channel=channel, item_ts=item_ts, note=note)

    def add_reaction(self, reaction: Reaction, *, channel: str, item_ts: str) -> tuple[int | None, bool]:
        """Save what a person says by an emoji, or that they take it back, where it counts; return as `add` does.

        It counts on our reply; on a person's own message in emoji mode, where the channel chose that, or where we put
        that emoji there, which says the label that it was put for. Of all others nothing is kept. What counted once can be
        taken back wherever that is, and whatever the emoji says by now.
        """
        with self._database.reading() as connection:
            if _counted(connection, reaction, channel, item_ts) is None:
                return None, False  # everyday reactions: nobody waits for the lock of a channel for them
        with self._database.writing() as connection:
            lock_channel(connection, channel)
            gesture = _counted(connection, reaction, channel, item_ts)
            if gesture is None:
                return None, False
            message = _message_of(connection, channel, item_ts)
            return self._insert(connection, gesture, message, channel=channel, item_ts=item_ts)

    def _insert(
        self,
        connection: Connection,
        gesture: Gesture,
        message: Row[Any] | None,
        *,
        channel: str,
        item_ts: str,
        note: str | None = None,
    ) -> tuple[int | None, bool]:
        shown = None if message is None else _latest(message.id, message.revision).scalar_subquery()
        added = connection.execute(
            self._database.insert_or_ignore(gestures)
            .values(
                key=_key(channel, item_ts, gesture),
                channel=channel,
                item_ts=item_ts,
                user=gesture.user,
                handle=gesture.handle,
                at=gesture.at,
                kind=gesture.kind.value,
                labels=list(gesture.labels),
                silent=list(gesture.silent),
                withdrawn=gesture.withdrawn,
                via=gesture.via,
                prediction_id=shown,
                note=None if note is None else self._mask(note),
                saved_at=now(),
            )
            .returning(gestures.c.id)
        ).one_or_none()
        if added is not None and message is not None:
            mark_reply_due(connection, message.id)
        return (None if message is None else int(message.id)), added is not None

    def message_of(self, channel: str, item_ts: str) -> int | None:
        """Return the id of the message that `item_ts` is, or whose reply it is."""
        with self._database.reading() as connection:
            row = _message_of(connection, channel, item_ts)
            return None if row is None else int(row.id)

    def judged(self, message_id: int, taxonomy: Taxonomy) -> Judged | None:
        """Return how the labels of `taxonomy` stand for the message's present text; whatever is older is read in its names."""
        with self._database.reading() as connection:
            row = connection.execute(select(messages).where(messages.c.id == message_id)).one_or_none()
            if row is None:
                return None
            given = self._predictions(connection, [row])[row.id]
            said = self._said(connection, [row], taxonomy, given={row.id: given})[row.id]
            known = _people(connection, {each.gesture.user for each in said})
        latest = _newest(given, row.revision, taxonomy)
        fresh = _with_meaning([each for each in said if not each.stale], blind=row.blind)
        moment = now()
        allowed = {user for user in {each.gesture.user for each in said} if known.get(user) is None or known[user].may_judge}
        state = fold(
            (each.gesture for each in fresh if each.gesture.user in allowed),
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

    def history(self, message_id: int) -> list[StoredGesture]:
        """Return every gesture about the message, in Slack's order of time, stale ones among them."""
        with self._database.reading() as connection:
            row = connection.execute(select(messages).where(messages.c.id == message_id)).one_or_none()
            return [] if row is None else self._said(connection, [row], given=self._predictions(connection, [row]))[row.id]

    def last_of(self, user: str) -> StoredGesture | None:
        """Return the newest gesture of this person that still stands."""
        with self._database.reading() as connection:
            # As in `fold`: taking back takes back all of its handle so far, however often the same was done.
            gone: set[tuple[str, str, str]] = set()
            for row in connection.execute(
                select(gestures)
                .where(gestures.c.user == user)
                .order_by(gestures.c.at.desc(), gestures.c.withdrawn.desc())
                .limit(200)
            ):
                done = (row.channel, row.item_ts, row.handle)
                if row.withdrawn:
                    gone.add(done)
                elif done not in gone:
                    return _said(row, (), 0)
        return None

    def judged_since(self, mark: Mark | None) -> tuple["array[int]", Mark]:
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
            changed = [and_(messages.c.edited_at > 0, messages.c.edited_at >= mark.edited_at - EDITED_LATE_US)]
            gone = messages.c.deleted_at.is_not(None)
            changed.append(gone if mark.deleted_at is None else and_(gone, messages.c.deleted_at >= mark.deleted_at))
            for condition in changed:
                found.update(connection.execute(select(messages.c.id).where(condition)).scalars())
        return array("q", sorted(found)), now_at

    def judged_messages(
        self, taxonomy: Taxonomy, *, blind: bool = False, page: int = 500, ids: "array[int] | None" = None
    ) -> Iterator["JudgedMessage"]:
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
                given = self._predictions(connection, rows)
                said = self._said(connection, rows, taxonomy, given=given)
                persons = _people(connection, {each.gesture.user for row in rows for each in said[row.id]})
            for row in rows:
                counted = [
                    each
                    for each in _with_meaning([each for each in said[row.id] if not each.stale], blind=row.blind)
                    if each.gesture.user not in persons or persons[each.gesture.user].may_judge
                ]
                latest = _newest(given[row.id], row.revision, taxonomy)
                state = fold(
                    (each.gesture for each in counted),
                    names=taxonomy.names,
                    predicted=latest.labels if latest else (),
                    experts={user for user, person in persons.items() if person.expert},
                )
                yield JudgedMessage(row, state, tuple(counted), latest)

    def judged_blind(self, taxonomy: Taxonomy) -> Iterator[tuple[MessageState, Prediction]]:
        """Yield what the first person said of each message whose prediction was hidden until then, and that prediction.

        Hidden from all, or in the review from this person.
        """
        for each in self.judged_messages(taxonomy, blind=True):
            words = [said.gesture for said in each.said if said.gesture.kind in OWN_WORDS and not said.gesture.withdrawn]
            taken_back = {said.gesture.handle: said.gesture.at for said in each.said if said.gesture.withdrawn}
            own = [
                word
                for word in words
                if (each.row.blind or word.via == VIA_BLIND_REVIEW) and taken_back.get(word.handle, 0) < word.at
            ]
            if own and each.prediction is not None:
                yield fold(own[:1], names=taxonomy.names, predicted=()), each.prediction

    # People

    def named(self, taxonomy: Taxonomy) -> Counter[str]:
        """Return on how many messages each label of today was given by name, and not taken back."""
        given: dict[tuple[str, str], tuple[str, str, list[str]]] = {}
        wanted = select(
            gestures.c.channel, gestures.c.item_ts, gestures.c.user, gestures.c.handle, gestures.c.labels, gestures.c.withdrawn
        )
        with self._database.reading() as connection:
            for row in connection.execute(wanted.where(gestures.c.kind.in_([Kind.LABEL, Kind.SET])).order_by(gestures.c.at)):
                if row.withdrawn:
                    given.pop((row.user, row.handle), None)
                else:
                    given[row.user, row.handle] = (row.channel, row.item_ts, row.labels)
        on = {(channel, ts, name) for channel, ts, labels in given.values() for name in taxonomy.today(labels)}
        return Counter(name for _, _, name in on)

    def save_person(self, user: str, *, may_judge: bool, expert: bool) -> None:
        """Save what Slack said about this person."""
        values = {"may_judge": may_judge, "expert": expert, "looked_at": now()}
        with self._database.writing() as connection:
            connection.execute(
                self._database.insert(people)
                .values(user=user, **values)
                .on_conflict_do_update(index_elements=["user"], set_=values)
            )

    def may_judge(self, user: str) -> bool | None:
        """Return whether this person may judge; None where nobody has asked Slack lately."""
        with self._database.reading() as connection:
            known = _people(connection, [user]).get(user)
        return None if known is None or now() - aware(known.looked_at) > KNOWN_FOR else bool(known.may_judge)

    def note_rights(self, user: str, *, may_judge: bool) -> int:
        """Forget what was known of a person who judged, where that is otherwise now; return how many replies are due for it.

        Whoever renders those asks Slack anew. Only the newest of their gestures are looked at.
        """
        with self._database.writing() as connection:
            known = (people.c.user == user, people.c.may_judge.is_not(may_judge))
            if connection.execute(people.delete().where(*known).returning(people.c.user)).one_or_none() is None:
                return 0
            newest = select(gestures.c.channel, gestures.c.item_ts).where(gestures.c.user == user)
            rows = connection.execute(newest.order_by(gestures.c.id.desc()).limit(RIGHTS_OF)).all()
            found = {_message_of(connection, row.channel, row.item_ts) for row in rows}
            ids = sorted({row.id for row in found if row is not None})
            for message_id in ids:
                mark_reply_due(connection, message_id)
            return len(ids)

    def take_telling(self, user: str) -> bool:
        """Return whether this person is to be told now that their gestures do not count: once a day, by one process."""
        with self._database.writing() as connection:
            moment = now()
            return (
                connection.execute(
                    people.update()
                    .where(
                        people.c.user == user,
                        people.c.may_judge.is_not(true()),
                        or_(people.c.told_at.is_(None), people.c.told_at < moment - KNOWN_FOR),
                    )
                    .values(told_at=moment)
                    .returning(people.c.user)
                ).one_or_none()
                is not None
            )

    def _predictions(self, connection: Connection, rows: Sequence[Row[Any]]) -> dict[int, list[Row[Any]]]:
        """Return by message what the versions said of it, of earlier texts too, oldest first."""
        found: dict[int, list[Row[Any]]] = {row.id: [] for row in rows}
        columns = (predictions.c.id, predictions.c.message_id, predictions.c.revision, predictions.c.prediction)
        query: Select[Any] = select(*columns).where(predictions.c.message_id.in_(found)).order_by(predictions.c.id)
        for row in connection.execute(query):
            found[row.message_id].append(row)
        return found

    def _said(
        self,
        connection: Connection,
        rows: Sequence[Row[Any]],
        taxonomy: Taxonomy | None = None,
        *,
        given: Mapping[int, list[Row[Any]]],
    ) -> dict[int, list[StoredGesture]]:
        """Return by message its gestures in Slack's order of time; each with the labels that the network had `given` by then."""
        own = {row.id: row for row in rows}
        here = gestures.c.channel == messages.c.channel
        on_message = messages.join(gestures, and_(here, gestures.c.item_ts == messages.c.ts))
        on_reply = messages.join(outbox, and_(*of_message(messages.c.id))).join(
            gestures, and_(here, gestures.c.item_ts == outbox.c.ts)
        )
        both = union_all(
            *(
                select(gestures, messages.c.id.label("message_id")).select_from(joined).where(messages.c.id.in_(own))
                for joined in (on_message, on_reply)
            )
        )
        found: dict[int, list[Row[Any]]] = {message_id: [] for message_id in own}
        for row in sorted(connection.execute(both), key=lambda row: (row.at, row.id)):
            found[row.message_id].append(row)
        labels: dict[int, tuple[str, ...]] = {}
        first: dict[int, tuple[str, ...]] = {}
        for row in (row for each in given.values() for row in each):
            labels[row.id] = tuple(row.prediction["labels"])
            if row.revision == own[row.message_id].revision:
                first.setdefault(row.message_id, labels[row.id])
        return {
            message_id: [
                # What came before the network's first word is taken to be about that word.
                _said(row, labels.get(row.prediction_id or 0, first.get(message_id, ())), own[message_id].edited_at, taxonomy)
                for row in each
            ]
            for message_id, each in found.items()
        }


def _said(row: Row[Any], predicted: tuple[str, ...], edited_at: int, taxonomy: Taxonomy | None = None) -> StoredGesture:
    labels, silent = tuple(row.labels), tuple(row.silent)
    if taxonomy is not None:
        # Nobody who spoke while a label was not there said anything about it.
        absent = taxonomy.absent_at(row.at)
        labels, silent, predicted = taxonomy.today(labels), taxonomy.today((*silent, *absent)), taxonomy.today(predicted)
    return StoredGesture(
        id=row.id,
        gesture=Gesture(
            user=row.user,
            handle=row.handle,
            at=row.at,
            kind=Kind(row.kind),
            labels=labels,
            silent=silent,
            withdrawn=row.withdrawn,
            predicted=predicted,
            via=row.via,
        ),
        channel=row.channel,
        item_ts=row.item_ts,
        note=row.note,
        saved_at=aware(row.saved_at),
        stale=row.at < edited_at,
    )


def _with_meaning(said: list[StoredGesture], *, blind: bool) -> list[StoredGesture]:
    """Leave out what agrees or disagrees with a prediction that was hidden: it is shown from the first own word on."""
    if not blind:
        return said
    own = (each.gesture.at for each in said if each.gesture.kind in OWN_WORDS and not each.gesture.withdrawn)
    shown_at = min(own, default=None)
    return [each for each in said if each.gesture.kind in OWN_WORDS or (shown_at is not None and each.gesture.at >= shown_at)]


def _counted(connection: Connection, reaction: Reaction, channel: str, item_ts: str) -> Gesture | None:
    """Return the gesture that this reaction is, or None where it counts for nothing."""
    kind, labels = reaction.kind, reaction.labels
    made = _made(connection, channel, item_ts, reaction.handle) if reaction.withdrawn else None
    if made is not None:
        kind, labels = Kind(made.kind), tuple(made.labels)
    else:
        message = _own_message(connection, channel, item_ts)
        offered = None if message is None else _offered_for(message, reaction.emoji)
        if offered is not None:
            kind, labels = Kind.LABEL, (offered,)
        elif kind is None or not _counts_on(connection, reaction, message, channel, item_ts):
            return None
    return Gesture(
        user=reaction.user,
        handle=reaction.handle,
        at=reaction.at,
        kind=kind,
        labels=labels,
        withdrawn=reaction.withdrawn,
    )


def _offered_for(message: Row[Any], emoji: str) -> str | None:
    """Return the label that we put this emoji on the message for."""
    sign = canonical_emoji(emoji)
    return next((label for name, label in (message.offered or {}).items() if canonical_emoji(name) == sign), None)


def _counts_on(
    connection: Connection, reaction: Reaction, message: Row[Any] | None, channel: str, item_ts: str
) -> bool:  # fmt: skip
    """Return whether reactions count on this item, which is that person's `message` where it is one that we know."""
    if message is None:
        kind = _kind_of_post(connection, channel, item_ts)
        if kind is not None:
            return kind == OutboxKind.REPLY
        if reaction.on_ours:
            return True  # a reply that was posted a moment ago, and is not recorded yet
    chosen = connection.execute(select(channels).where(channels.c.channel == channel)).one_or_none()
    return chosen is not None and (chosen.seeds or chosen.reactions == "message")


def _made(connection: Connection, channel: str, item_ts: str, handle: str) -> Row[Any] | None:
    """Return the newest gesture of this handle that was made, whether or not it was taken back since."""
    here = (gestures.c.channel == channel, gestures.c.item_ts == item_ts, gestures.c.handle == handle)
    made = select(gestures).where(*here, gestures.c.withdrawn.is_(False)).order_by(gestures.c.at.desc()).limit(1)
    return connection.execute(made).one_or_none()


def _own_message(connection: Connection, channel: str, ts: str) -> Row[Any] | None:
    return connection.execute(select(messages).where(messages.c.channel == channel, messages.c.ts == ts)).one_or_none()


def _kind_of_post(connection: Connection, channel: str, ts: str) -> str | None:
    """Return what our post at this place is, where we know of one."""
    # The channel is compared here: see below.
    posts = connection.execute(select(outbox.c.channel, outbox.c.kind).where(outbox.c.ts == ts))
    return next((str(row.kind) for row in posts if row.channel == channel), None)


def _message_of(connection: Connection, channel: str, item_ts: str) -> Row[Any] | None:
    own = _own_message(connection, channel, item_ts)
    if own is not None:
        return own
    # The channel is compared here: asked for it too, SQLite would begin with all messages of the channel.
    of_replies = select(messages).join(outbox, and_(*of_message(messages.c.id))).where(outbox.c.ts == item_ts)
    return next((row for row in connection.execute(of_replies) if row.channel == channel), None)


def _latest(message_id: int, revision: int) -> Select[tuple[int]]:
    return (
        select(predictions.c.id)
        .where(predictions.c.message_id == message_id, predictions.c.revision == revision)
        .order_by(predictions.c.id.desc())
        .limit(1)
    )


def _people(connection: Connection, users: Iterable[str]) -> dict[str, Row[Any]]:
    rows = connection.execute(select(people).where(people.c.user.in_(list(users))))
    return {row.user: row for row in rows}


def _newest(given: Sequence[Row[Any]], revision: int, taxonomy: Taxonomy) -> Prediction | None:
    """Return the last prediction of this text, in the labels of today."""
    newest = next((row for row in reversed(given) if row.revision == revision), None)
    return None if newest is None else taxonomy.read(Prediction.model_validate(newest.prediction))


def judged_ids(connection: Connection, *, blind: bool, after: int = 0) -> "array[int]":
    """Return the messages that anybody ever judged, in their order: found from what was said, not by looking at each
    message; the few that are `blind` are looked at. `after`: only by gestures with a greater id.
    """
    if blind:
        # In the words of `ix_messages_blind` and `ix_review_cards_blind`, else SQLite would not use them.
        hidden = select(messages.c.id).where(text("blind"), is_judged())
        reviewed = select(review_cards.c.message_id).where(text("blind"), review_cards.c.outcome == "judged")
        return array("q", sorted(connection.execute(union(hidden, reviewed)).scalars()))
    here = messages.c.channel == gestures.c.channel
    on_message = gestures.join(messages, and_(here, messages.c.ts == gestures.c.item_ts))
    # Outer joins, because SQLite would begin inner ones with all replies; they give a null for what is about no reply.
    is_reply = outbox.c.kind == "reply"
    on_reply = gestures.outerjoin(outbox, and_(outbox.c.ts == gestures.c.item_ts, is_reply)).outerjoin(
        messages, and_(here, messages.c.id == outbox.c.message_id)
    )
    both = union(*(select(messages.c.id).select_from(joined).where(gestures.c.id > after) for joined in (on_message, on_reply)))
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


def _key(channel: str, item_ts: str, gesture: Gesture) -> str:
    whole = "\0".join([channel, item_ts, gesture.user, gesture.handle, str(gesture.at), str(gesture.withdrawn)])
    return hashlib.sha256(whole.encode()).hexdigest()
