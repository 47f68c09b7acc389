"""Who wants nothing more said about a message.

Every method is one transaction (see `database` for what it raises).
"""

from sqlalchemy import and_, select

from model.store.database import Database, lock_channel
from model.store.outbox_changes import mark_reply_due, of_message
from model.store.tables import channels, messages, mutes, outbox


class Mutes:
    """The mutes of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def set(self, channel: str, item_ts: str, user: str, *, at: int, muted: bool) -> int | None:
        """Save that a person mutes a message, by itself or by its reply, or does so no longer; return the message if it is known.

        `at` is Slack's time in microseconds: of each person the last word counts, in whatever order they come. What a person
        says before the message itself is heard of counts once it is.
        """
        with self._database.writing() as connection:
            lock_channel(connection, channel)
            reply = select(messages.c.id, messages.c.ts, messages.c.channel).join(outbox, and_(*of_message(messages.c.id)))
            # The channel is compared here: asked for it too, SQLite would begin with all messages of the channel.
            found = next((row for row in connection.execute(reply.where(outbox.c.ts == item_ts)) if row.channel == channel), None)
            ts = item_ts if found is None else found.ts
            known = select(messages.c.id).where(messages.c.channel == channel, messages.c.ts == ts)
            message_id = connection.execute(known).scalar_one_or_none()
            if message_id is None:
                watched = select(channels.c.channel).where(channels.c.channel == channel, channels.c.mode == "auto")
                if connection.execute(watched).first() is None:
                    return None  # nothing of it will come here
            values = {"at": at, "muted": muted}
            insert = self._database.insert(mutes).values(channel=channel, ts=ts, user=user, **values)
            connection.execute(
                insert.on_conflict_do_update(index_elements=["channel", "ts", "user"], set_=values, where=mutes.c.at < at)
            )
            if message_id is not None:
                mark_reply_due(connection, message_id)
            return message_id

    def of(self, channel: str, *places: str) -> list[str]:
        """Return who mutes the message that stands, or whose reply stands, at one of these places (`ts`)."""
        with self._database.reading() as connection:
            here = (mutes.c.channel == channel, mutes.c.ts.in_(places), mutes.c.muted)
            return list(connection.execute(select(mutes.c.user).where(*here).order_by(mutes.c.at)).scalars())
