"""What channels wrote before somebody had it labelled: a row of the outbox each, with how far it is.

Every method is one transaction (see `database` for what it raises).
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from model.schema import Message
from model.store.database import Database, insert_or_ignore, now
from model.store.outbox_changes import open_reply
from model.store.outbox_row import Kind, State, backfill_key
from model.store.tables import messages, outbox


class Backfills:
    """The backfills of one database. Every text passes `mask` before it is kept."""

    def __init__(self, database: Database, mask: Callable[[str], str]) -> None:
        self._database = database
        self._mask = mask

    def open(self, channel: str, user: str, *, oldest: str, latest: str, request: str) -> str | None:
        """Begin to label what stands in the channel between these two moments (of Slack's); return the row's key.

        None where one goes on there already. `request` names who asked when, so that the same request begins it once.
        """
        key = backfill_key(channel, request)
        content = {"channel": channel, "oldest": oldest, "before": latest, "state": "running", "read": 0, "saved": 0}
        with self._database.writing() as connection:
            running = self._running(connection, channel)
            if running is not None:
                return key if running == key else None
            connection.execute(
                insert_or_ignore(connection, outbox).values(
                    # It is told to the person, in their direct messages.
                    key=key, kind=Kind.BACKFILL, channel=user, state=State.DUE, wanted=1, retry_at=now(), content=content,
                )
            )  # fmt: skip
        return key

    def running(self, channel: str) -> str | None:
        """Return the key of the one that goes on in this channel."""
        with self._database.reading() as connection:
            return self._running(connection, channel)

    def of_post(self, user: str, ts: str) -> str | None:
        """Return the key of the one of which this person reads in this post, in their direct messages with the bot."""
        this = (outbox.c.kind == Kind.BACKFILL, outbox.c.channel == user, outbox.c.ts == ts)
        with self._database.reading() as connection:
            return connection.execute(select(outbox.c.key).where(*this)).scalar_one_or_none()

    def progress(self, key: str) -> dict[str, Any]:
        """Return how far it is: `state` ("running", "done", "cancelled", "refused"), and messages `read` and `saved`."""
        with self._database.reading() as connection:
            return dict(connection.execute(select(outbox.c.content).where(outbox.c.key == key)).scalar_one())

    def save_page(self, key: str, page: Sequence[Message], *, read: int, before: str, is_last: bool) -> list[int]:
        """Save a page of messages and how far it is now, in one; return the ids of those that are new.

        Their replies are shown to nobody, unless somebody asks. What came live stays as it is. Does nothing where it is over
        or another process has read this page.
        """
        with self._database.writing() as connection:
            content = connection.execute(select(outbox.c.content).where(outbox.c.key == key).with_for_update()).scalar_one()
            if content["state"] != "running" or float(content["before"]) <= float(before):
                return []
            ids = [found for message in page if (found := self._save(connection, message)) is not None]
            far = {"before": before, "read": content["read"] + read, "saved": content["saved"] + len(ids)}
            far["state"] = "done" if is_last else "running"
            connection.execute(outbox.update().where(outbox.c.key == key).values(content={**content, **far}))
        return ids

    def end(self, key: str, state: str, **more: str) -> bool:
        """End it before its time, "cancelled" or "refused"; return whether it went on until now."""
        with self._database.writing() as connection:
            content = connection.execute(select(outbox.c.content).where(outbox.c.key == key).with_for_update()).scalar_one()
            if content["state"] != "running":
                return False
            values = {"content": {**content, "state": state, **more}, "wanted": outbox.c.wanted + 1}
            connection.execute(outbox.update().where(outbox.c.key == key).values(**values))
        return True

    def waiting(self, channel: str) -> int:
        """Return how many of the channel's messages await their prediction."""
        waits = (outbox.c.retry_at.is_not(None), outbox.c.state == State.AWAITING_PREDICTION, outbox.c.channel == channel)
        with self._database.reading() as connection:
            return int(connection.execute(select(func.count()).select_from(outbox).where(*waits)).scalar_one())

    def _save(self, connection: Connection, message: Message) -> int | None:
        values: Mapping[str, Any] = message.model_copy(update={"text": self._mask(message.text)}).model_dump(mode="json")
        saved = self._database.insert_or_ignore(messages).values(**values, received_at=now(), edited_at=0, revision=1)
        row = connection.execute(saved.returning(messages.c.id)).one_or_none()
        if row is None:
            return None
        open_reply(connection, row.id, message.channel, message.ts, quiet=True)
        return int(row.id)

    @staticmethod
    def _running(connection: Connection, channel: str) -> str | None:
        rows = select(outbox.c.key, outbox.c.content).where(outbox.c.kind == Kind.BACKFILL, outbox.c.retry_at.is_not(None))
        found = (row.key for row in connection.execute(rows) if _goes_on(row.content, channel))
        return next(found, None)


def _goes_on(content: Mapping[str, Any], channel: str) -> bool:
    return bool(content["channel"] == channel and content["state"] == "running")
