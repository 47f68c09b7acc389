"""What is still to be done about a message: predict it, show its reply, or nothing."""

from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import Connection, case, text

from model.store.database import now
from model.store.tables import messages

Pending = Literal["prediction", "reply", "nothing"]

# A message that waits longer than this after its last step is sent again by the sweep.
RETRY_AFTER_S = 15.0
RETRY_AT_MOST_S = 300.0


def mark_reply_pending(connection: Connection, message_id: int) -> None:
    """Schedule another rendering of the message's reply, after its prediction where that is pending."""
    connection.execute(
        messages.update()
        .where(messages.c.id == message_id)
        .values(
            state=messages.c.state + 1,
            owed=case((messages.c.owed == "prediction", "prediction"), else_="reply"),
            retry_at=now() + timedelta(seconds=RETRY_AFTER_S),
        )
    )


def is_pending() -> Any:
    """Return the condition that something is pending; in the words of `ix_messages_owed`, else it would not be used."""
    return text("owed != 'nothing'")
