"""What people said, kept: gestures go in as they were made.

A gesture may come before the message or the reply that it is about, twice, or late. It is found by the ts of its item when
the message is looked at, so nothing has to wait for anything.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

from sqlalchemy import Connection, Row, Select, select

from model.judgements import VIA_SETTLE, Gesture, Kind
from model.labels import Taxonomy, canonical_emoji
from model.reactions import Reaction
from model.store.channel_choices import chosen_labels
from model.store.database import Database, lock_channel, now
from model.store.outbox_changes import mark_reply_due
from model.store.outbox_row import Kind as OutboxKind
from model.store.standing import microseconds
from model.store.stored_gesture import StoredGesture, gestures_of, message_of, own_message, predictions_of, read_gesture
from model.store.tables import channels, gestures, messages, outbox, predictions

# A reply is recorded when it was posted, or after an outage. What is older and not known was removed (`retention`).
UNRECORDED_US = 7 * 86_400 * 10**6


class Gestures:
    """The gestures of one database. Every note passes `mask` before it is kept."""

    def __init__(self, database: Database, mask: Callable[[str], str], labels: Callable[[], Taxonomy]) -> None:
        self._database = database
        self._mask = mask
        self._labels = labels

    def add(self, gesture: Gesture, *, channel: str, item_ts: str, note: str | None = None) -> tuple[int | None, bool]:
        """Save a gesture; return the message that it is about, if that is known yet, and whether it is new.

        Of what is so old that we no longer know it nothing is kept.
        """
        with self._database.writing() as connection:
            lock_channel(connection, channel)
            message = message_of(connection, channel, item_ts)
            return self._insert(connection, gesture, message, channel=channel, item_ts=item_ts, note=note)

    def add_reaction(self, reaction: Reaction, *, channel: str, item_ts: str) -> tuple[int | None, bool]:
        """Save what a person says by an emoji, or that they take it back, where it counts; return as `add` does.

        It counts on our reply; on a person's own message while emoji are offered, where the channel chose that, or where we
        put that emoji there, which says the label that it was put for. Of all others nothing is kept. What counted once can be
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
            message = message_of(connection, channel, item_ts)
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
        if message is None and _is_old(item_ts, gesture.at):
            return None, False
        shown = None if message is None else _latest(message.id, message.revision).scalar_subquery()
        silent = {*gesture.silent, *self._not_offered(connection, gesture, message, channel=channel, item_ts=item_ts)}
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
                silent=sorted(silent),
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

    def _not_offered(
        self, connection: Connection, gesture: Gesture, message: Row[Any] | None, *, channel: str, item_ts: str
    ) -> Collection[str]:
        """Return the labels that the channel does not use and nobody gave this message: whoever speaks there speaks of others."""
        used = chosen_labels(connection, [channel]).get(channel)
        if used is None or gesture.via == VIA_SETTLE:
            return ()
        taxonomy = self._labels()
        places = {item_ts} if message is None else {item_ts, message.ts}
        given = select(gestures.c.labels).where(gestures.c.channel == channel, gestures.c.item_ts.in_(places))
        named = {name for labels in connection.execute(given).scalars() for name in labels}
        return set(taxonomy.names) - set(taxonomy.today((*used, *named, *gesture.labels)))

    def is_forgotten(self, channel: str, item_ts: str, *, at: int) -> bool:
        """Return whether a post of ours stands there that we no longer know at this moment (microseconds)."""
        with self._database.reading() as connection:
            return _is_old(item_ts, at) and _kind_of_post(connection, channel, item_ts) is None

    def message_of(self, channel: str, item_ts: str) -> int | None:
        """Return the id of the message that `item_ts` is, or whose reply it is."""
        with self._database.reading() as connection:
            row = message_of(connection, channel, item_ts)
            return None if row is None else int(row.id)

    def history(self, message_id: int) -> list[StoredGesture]:
        """Return every gesture about the message, in Slack's order of time, stale ones among them."""
        with self._database.reading() as connection:
            row = connection.execute(select(messages).where(messages.c.id == message_id)).one_or_none()
            return [] if row is None else gestures_of(connection, [row], given=predictions_of(connection, [row]))[row.id]

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
                    return read_gesture(row, (), 0)
        return None

    def named(self, taxonomy: Taxonomy | None) -> Counter[str]:
        """Return on how many messages each label of today was given by name, and not taken back; by names of then for None."""
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
        on = {
            (channel, ts, name)
            for channel, ts, labels in given.values()
            for name in (labels if taxonomy is None else taxonomy.today(labels))
        }
        return Counter(name for _, _, name in on)


def _counted(connection: Connection, reaction: Reaction, channel: str, item_ts: str) -> Gesture | None:
    """Return the gesture that this reaction is, or None where it counts for nothing."""
    kind, labels = reaction.kind, reaction.labels
    made = _made(connection, channel, item_ts, reaction.handle) if reaction.withdrawn else None
    if made is not None:
        kind, labels = Kind(made.kind), tuple(made.labels)
    else:
        message = own_message(connection, channel, item_ts)
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
    """Return the label that we put this emoji on the message for; what a route put there (`""`) stands for none."""
    sign = canonical_emoji(emoji)
    return next((label for name, label in (message.offered or {}).items() if label and canonical_emoji(name) == sign), None)


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


def _is_old(item_ts: str, at: int) -> bool:
    """Return whether what stands there would be known by this moment; a command has a word for a ts."""
    return item_ts < "a" and at - microseconds(item_ts) > UNRECORDED_US


def _kind_of_post(connection: Connection, channel: str, ts: str) -> str | None:
    """Return what our post at this place is, where we know of one."""
    # The channel is compared here: see below.
    posts = connection.execute(select(outbox.c.channel, outbox.c.kind).where(outbox.c.ts == ts))
    return next((str(row.kind) for row in posts if row.channel == channel), None)


def _latest(message_id: int, revision: int) -> Select[tuple[int]]:
    return (
        select(predictions.c.id)
        .where(predictions.c.message_id == message_id, predictions.c.revision == revision)
        .order_by(predictions.c.id.desc())
        .limit(1)
    )


def _key(channel: str, item_ts: str, gesture: Gesture) -> str:
    whole = "\0".join([channel, item_ts, gesture.user, gesture.handle, str(gesture.at), str(gesture.withdrawn)])
    return hashlib.sha256(whole.encode()).hexdigest()
