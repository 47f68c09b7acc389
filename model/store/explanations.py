"""What people ask the network about a message, and its answer: rows of the outbox, which one person is shown once.

Of the message's words nothing is kept here (`schema.Explanation`), and once it is shown nothing at all. Every method is one
transaction (see `database` for what it raises).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from model.schema import Explanation, Source
from model.store.database import Database, insert_or_ignore, now
from model.store.judged_messages import judged_ids
from model.store.outbox_row import RETRY_AFTER_S, Kind, State
from model.store.tables import messages, outbox


@dataclass(frozen=True)
class AskedText:
    """The text that is to be explained, as it is now."""

    message_id: int
    revision: int
    text: str  # empty where it is gone


class Explanations:
    """The explanations that were asked for in one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, key: str, message_id: int, channel: str, asked: Mapping[str, str | bool]) -> None:
        """Save that somebody wants to know why; `asked` says who it is shown to, and where."""
        with self._database.writing() as connection:
            connection.execute(
                insert_or_ignore(connection, outbox).values(
                    key=key,
                    kind=Kind.EXPLANATION,
                    message_id=message_id,
                    channel=channel,
                    state=State.AWAITING_PREDICTION,
                    wanted=1,
                    retry_at=now() + timedelta(seconds=RETRY_AFTER_S),
                    content={"asked": dict(asked)},
                )
            )

    def asked_text(self, key: str) -> AskedText | None:
        """Return the text that is to be explained; None where that is done."""
        wanted = select(messages.c.id, messages.c.revision, messages.c.text, messages.c.deleted_at).join(
            outbox, outbox.c.message_id == messages.c.id
        )
        with self._database.reading() as connection:
            waits = (outbox.c.key == key, outbox.c.state == State.AWAITING_PREDICTION)
            row = connection.execute(wanted.where(*waits)).one_or_none()
        return None if row is None else AskedText(row.id, row.revision, row.text if row.deleted_at is None else "")

    def save(self, key: str, explanation: Explanation | None) -> None:
        """Save the answer, which is to be shown now; None where there is no text any more."""
        with self._database.writing() as connection:
            waits = (outbox.c.key == key, outbox.c.state == State.AWAITING_PREDICTION)
            row = connection.execute(select(outbox.c.content).where(*waits).with_for_update()).one_or_none()
            if row is None:  # two workers were at it
                return
            made = None if explanation is None else explanation.model_dump(mode="json")
            values = {"content": {**row.content, "explanation": made}, "state": State.DUE, "tries": 0}
            retry_at = now() + timedelta(seconds=RETRY_AFTER_S)
            connection.execute(outbox.update().where(outbox.c.key == key).values(retry_at=retry_at, **values))

    def judged_texts(self, most: int) -> Sequence[tuple[int, int, str]]:
        """Return id, revision and text of the newest messages that people judged and that are there, the oldest first."""
        with self._database.reading() as connection:
            ids = judged_ids(connection, blind=False)[-most:].tolist()
            there = (messages.c.id.in_(ids), messages.c.text != "", messages.c.source != Source.COMMAND.value)
            found = select(messages.c.id, messages.c.revision, messages.c.text).where(*there).order_by(messages.c.id)
            return [(row.id, row.revision, row.text) for row in connection.execute(found)]
