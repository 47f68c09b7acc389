"""The messages: saved once, edited, deleted, and what is pending about each.

Every method is one transaction (see `database` for what it raises).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from model.schema import Message, Source
from model.store.database import Database, insert_or_ignore, now, tally
from model.store.outbox_changes import (
    await_prediction,
    awaiting_prediction,
    count_waiting,
    mark_deleted,
    mark_reply_due,
    open_reply,
    unquiet_reply,
)
from model.store.stored_message import StoredMessage
from model.store.tables import messages


class Messages:
    """The messages of one database. Every text passes `mask` before it is kept."""

    def __init__(self, database: Database, mask: Callable[[str], str]) -> None:
        self._database = database
        self._mask = mask

    def save(self, message: Message, edited_at: int = 0) -> tuple[int, bool]:
        """Save a message; return its id, and whether it is new: Slack may send the same one many times.

        `edited_at` is Slack's time of its last edit in microseconds, where the text is no longer the first.
        """
        message = message.model_copy(update={"text": self._mask(message.text)})
        with self._database.writing() as connection:
            moment = now()
            values = {**message.model_dump(mode="json"), "received_at": moment, "edited_at": edited_at, "revision": 1}
            row = connection.execute(insert_or_ignore(connection, messages, returning="id"), values).one_or_none()
            if row is not None:
                open_reply(connection, row.id, message.channel, message.thread_ts or message.ts)
                return row.id, True
            known = select(messages.c.id).where(*_key(message.channel, message.ts))
            message_id = connection.execute(known).scalar_one()
            # What a backfill read before its own event came, which is on its way for minutes at most.
            return message_id, unquiet_reply(connection, message_id)

    def edit(self, channel: str, ts: str, text: str, edited_at: int = 0) -> int | None:
        """Save the message's new text, which wants a new prediction; return its id, or None where nothing changed.

        `edited_at` is Slack's time of the edit in microseconds: an older edit that comes late changes nothing, and what
        people said before it was about another text.
        """
        text = self._mask(text)
        with self._database.writing() as connection:
            row = connection.execute(
                messages.update()
                .where(
                    *_key(channel, ts),
                    messages.c.text != text,
                    messages.c.deleted_at.is_(None),
                    messages.c.edited_at <= edited_at,
                )
                .values(
                    text=text,
                    edited_at=edited_at,
                    revision=messages.c.revision + 1,
                )
                .returning(messages.c.id)
            ).one_or_none()
            if row is not None:
                await_prediction(connection, row.id)
            else:
                # Back to the words that stood there: an edit in between that comes later is the older one all the same.
                unchanged = (messages.c.text == text, messages.c.deleted_at.is_(None), messages.c.edited_at < edited_at)
                connection.execute(messages.update().where(*_key(channel, ts), *unchanged).values(edited_at=edited_at))
            return None if row is None else int(row.id)

    def delete(self, channel: str, ts: str, *, may_overtake: bool = False) -> int | None:
        """Delete the text, and have the reply deleted; return the id, or None where there was no such message.

        With `may_overtake` a message that nobody has heard of is noted as gone, so that it is not answered when it comes.
        """
        gone = (
            messages.update()
            .where(*_key(channel, ts), messages.c.deleted_at.is_(None))
            .values(text="", deleted_at=now())
            .returning(messages.c.id)
        )
        with self._database.writing() as connection:
            row = connection.execute(gone).one_or_none()
            if row is None and may_overtake:
                values = {"channel": channel, "ts": ts, "user": "", "text": "", "source": Source.CHANNEL.value}
                noted = connection.execute(
                    self._database.insert_or_ignore(messages)
                    .values(
                        **values,
                        received_at=now(),
                        deleted_at=now(),
                        revision=1,
                        blind=False,
                    )
                    .returning(messages.c.id)
                ).one_or_none()
                if noted is not None:
                    open_reply(connection, noted.id, channel, ts, gone=True)
                else:  # it was gone already, or another bot process saved it between our two statements
                    row = connection.execute(gone).one_or_none()
            if row is not None:
                mark_deleted(connection, row.id)
            return None if row is None else int(row.id)

    def ask(self, message_id: int) -> None:
        """Save that somebody wants this message's reply, whatever its channel shows, which is due."""
        with self._database.writing() as connection:
            asked = messages.update().where(messages.c.id == message_id, messages.c.asked.is_(False)).values(asked=True)
            if connection.execute(asked).rowcount:
                mark_reply_due(connection, message_id)

    def set_offered(self, message_id: int, offered: Mapping[str, str]) -> None:
        """Save which emoji of ours are on the message, or about to be, each with the label that it is there for."""
        with self._database.writing() as connection:
            connection.execute(messages.update().where(messages.c.id == message_id).values(offered=dict(offered) or None))

    def offered_and_gone(self, limit: int) -> list[int]:
        """Return messages that are deleted or erased and still noted to have emoji of ours, oldest first."""
        with self._database.reading() as connection:
            found = select(messages.c.id).where(messages.c.offered.is_not(None), messages.c.deleted_at.is_not(None))
            return list(connection.execute(found.order_by(messages.c.id).limit(limit)).scalars())

    def get(self, message_id: int) -> StoredMessage | None:
        """Return the message as it is now."""
        with self._database.reading() as connection:
            row = connection.execute(select(messages).where(messages.c.id == message_id)).one_or_none()
            return None if row is None else StoredMessage.of(row)

    def find(self, channel: str, ts: str) -> StoredMessage | None:
        """Return the message with this natural key."""
        with self._database.reading() as connection:
            row = connection.execute(select(messages).where(*_key(channel, ts))).one_or_none()
            return None if row is None else StoredMessage.of(row)

    def counts(self) -> dict[str, int]:
        """Return how many messages there are, and how many wait, by what they wait for."""
        with self._database.reading() as connection:
            return {"messages": tally(connection, "messages"), **count_waiting(connection)}

    def last_in(self, channel: str) -> int | None:
        """Return the newest message of this channel that we were asked about and that is still there."""
        with self._database.reading() as connection:
            newest: int | None = connection.execute(
                select(messages.c.id)
                .where(
                    messages.c.channel == channel,
                    messages.c.deleted_at.is_(None),
                    # A command has a word for a ts; the index steps over all of them at once.
                    messages.c.ts < "a",
                )
                .order_by(messages.c.ts.desc())
                .limit(1)
            ).scalar_one_or_none()
            return newest

    def recent_texts(self, limit: int) -> list[tuple[int, str]]:
        """Return ids and texts of the newest messages that were labelled and still have their text, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select(messages.c.id, messages.c.text)
                .where(messages.c.text != "", messages.c.source != Source.COMMAND.value)
                .where(messages.c.id.not_in(awaiting_prediction()))
                .order_by(messages.c.id.desc())
                .limit(limit)
            )
            return [(row.id, row.text) for row in rows]


def _key(channel: str, ts: str) -> Sequence[Any]:
    return messages.c.channel == channel, messages.c.ts == ts
