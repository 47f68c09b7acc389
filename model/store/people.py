"""People: who may judge, as Slack told, and what is due where that changes.

Every method is one transaction (see `database` for what it raises).
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, or_, select, true

from model.store.database import Database, aware, now
from model.store.outbox_changes import mark_reply_due
from model.store.stored_gesture import message_of
from model.store.tables import gestures, people

# People change groups and become guests; a day is as old as what we know of them may be.
KNOWN_FOR = timedelta(days=1)
# Of a person whose rights changed, the replies to so many of the newest gestures are rendered anew; older ones when next touched.
RIGHTS_OF = 200


class People:
    """What is known of the people of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, user: str, *, may_judge: bool, expert: bool) -> None:
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
            known = known_people(connection, [user]).get(user)
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
            found = {message_of(connection, row.channel, row.item_ts) for row in rows}
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


def known_people(connection: Connection, users: Iterable[str]) -> dict[str, Row[Any]]:
    """Return the rows of those of `users` that we know."""
    asked = list(users)
    rows = connection.execute(select(people).where(people.c.user.in_(asked))) if asked else ()  # nobody said anything of most
    return {row.user: row for row in rows}
