"""The messages: saved once, edited, deleted, and what is pending about each.

Every method is one transaction (see `database` for what it raises).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, select

from model.schema import Message, Source
from model.store.database import Database, aware, now, tally
from model.store.pending import RETRY_AFTER_S, RETRY_AT_MOST_S, Pending, is_pending
from model.store.tables import messages


@dataclass(frozen=True)
class StoredMessage:
    """A message as the store knows it now; `text` is empty once it was deleted."""

    id: int
    message: Message
    revision: int
    state: int
    owed: Pending
    received_at: datetime
    deleted: bool

    @classmethod
    def of(cls, row: Row[Any]) -> "StoredMessage":
        """What a row of `messages` says."""
        return cls(
            id=row.id,
            message=Message(
                channel=row.channel,
                ts=row.ts,
                thread_ts=row.thread_ts,
                user=row.user,
                text=row.text,
                source=Source(row.source),
                response_url=row.response_url,
                blind=row.blind,
            ),
            revision=row.revision,
            state=row.state,
            owed=row.owed,
            received_at=aware(row.received_at),
            deleted=row.deleted_at is not None,
        )


class Messages:
    """The messages of one database. Every text passes `mask` before it is kept."""

    def __init__(self, database: Database, mask: Callable[[str], str]) -> None:
        self._database = database
        self._mask = mask

    def save(self, message: Message, edited_at: int = 0) -> tuple[int, bool]:
        """The message is durable. Returns its id, and whether it is new: Slack may send the same one many times.

        `edited_at` is Slack's time of its last edit in microseconds, where the text is no longer the first.
        """
        message = message.model_copy(update={"text": self._mask(message.text)})
        with self._database.writing() as connection:
            moment = now()
            row = connection.execute(
                self._database.insert_or_ignore(messages)
                .values(
                    **message.model_dump(mode="json"),
                    received_at=moment,
                    edited_at=edited_at,
                    revision=1,
                    state=1,
                    owed="prediction",
                    retry_at=moment + timedelta(seconds=RETRY_AFTER_S),
                )
                .returning(messages.c.id)
            ).one_or_none()
            if row is not None:
                return row.id, True
            known = select(messages.c.id).where(*_key(message.channel, message.ts))
            return connection.execute(known).scalar_one(), False

    def edit(self, channel: str, ts: str, text: str, edited_at: int = 0) -> int | None:
        """The message has the new text and wants a new prediction; its id, or None where nothing changed.

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
                    state=messages.c.state + 1,
                    owed="prediction",
                    tries=0,
                    retry_at=now() + timedelta(seconds=RETRY_AFTER_S),
                )
                .returning(messages.c.id)
            ).one_or_none()
            if row is None:
                # Back to the words that stood there: an edit in between that comes later is the older one all the same.
                unchanged = (messages.c.text == text, messages.c.deleted_at.is_(None), messages.c.edited_at < edited_at)
                connection.execute(messages.update().where(*_key(channel, ts), *unchanged).values(edited_at=edited_at))
            return None if row is None else int(row.id)

    def delete(self, channel: str, ts: str, *, may_overtake: bool = False) -> int | None:
        """The text is gone and the reply is to go; the id, or None where there was no such message.

        With `may_overtake` a message that nobody has heard of is noted as gone, so that it is not answered when it comes.
        """
        gone = (
            messages.update()
            .where(*_key(channel, ts), messages.c.deleted_at.is_(None))
            .values(
                text="",
                deleted_at=now(),
                state=messages.c.state + 1,
                owed="reply",
                tries=0,
                retry_at=now() + timedelta(seconds=RETRY_AFTER_S),
            )
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
                        state=1,
                        owed="nothing",
                        blind=False,
                        retry_at=now(),
                    )
                    .returning(messages.c.id)
                ).one_or_none()
                if noted is None:  # it was gone already, or another bot process saved it between our two statements
                    row = connection.execute(gone).one_or_none()
            return None if row is None else int(row.id)

    def get(self, message_id: int) -> StoredMessage | None:
        """The message as it is now."""
        with self._database.reading() as connection:
            row = connection.execute(select(messages).where(messages.c.id == message_id)).one_or_none()
            return None if row is None else StoredMessage.of(row)

    def find(self, channel: str, ts: str) -> StoredMessage | None:
        """The message with this natural key."""
        with self._database.reading() as connection:
            row = connection.execute(select(messages).where(*_key(channel, ts))).one_or_none()
            return None if row is None else StoredMessage.of(row)

    def waiting(self, limit: int = 500) -> list[tuple[int, Pending]]:
        """Ids of messages that something is owed to for longer than usual, and what; each is left alone for a while after.

        The pause doubles with each try up to `RETRY_AT_MOST_S`, so a message that cannot be served costs little.
        """
        with self._database.writing() as connection:
            moment = now()
            rows = connection.execute(
                select(messages.c.id, messages.c.owed, messages.c.tries)
                .where(is_pending(), messages.c.retry_at <= moment)
                .order_by(messages.c.retry_at)
                .limit(limit)
                .with_for_update(skip_locked=True)
            ).all()
            pauses = [min(RETRY_AFTER_S * 2.0 ** min(row.tries, 10), RETRY_AT_MOST_S) for row in rows]
            if rows:
                connection.execute(
                    messages.update()
                    .where(messages.c.id == bindparam("row"))
                    .values(tries=messages.c.tries + 1, retry_at=bindparam("at")),
                    [{"row": row.id, "at": moment + timedelta(seconds=pause)} for row, pause in zip(rows, pauses, strict=True)],
                )
            return [(row.id, row.owed) for row in rows]

    def counts(self) -> dict[str, int]:
        """Return how many messages there are, and how many wait, by what they wait for."""
        # Those that wait are few, and the only ones that `ix_messages_owed` holds.
        waiting = select(*(func.count().filter(messages.c.owed == owed).label(owed) for owed in ("prediction", "reply")))
        with self._database.reading() as connection:
            row = connection.execute(waiting.where(is_pending())).one()
            return {"messages": tally(connection, "messages"), "prediction": row.prediction, "reply": row.reply}

    def last_in(self, channel: str) -> int | None:
        """The newest message of this channel that we were asked about and that is still there."""
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
        """Ids and texts of the newest messages that were labelled and still have their text, newest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select(messages.c.id, messages.c.text)
                .where(messages.c.text != "", messages.c.source != Source.COMMAND.value, messages.c.owed != "prediction")
                .order_by(messages.c.id.desc())
                .limit(limit)
            )
            return [(row.id, row.text) for row in rows]


def _key(channel: str, ts: str) -> Sequence[Any]:
    return messages.c.channel == channel, messages.c.ts == ts
