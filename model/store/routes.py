"""The team's routes, and which messages took them: a row of the outbox for each.

Every method is one transaction (see `database` for what it raises).
"""

import secrets
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection, and_, select

from model.routes import Route
from model.schema import Source
from model.store.database import Database, aware, now
from model.store.outbox_row import RETRY_AFTER_S, SETTLED, Kind, State, route_key, webhook_key
from model.store.tables import messages, outbox, routes

Status = Literal["off", "on", "removed"]
# People see a route that was switched so many seconds later at most.
KNOWN_FOR_S = 2.0
# A webhook that did not answer rightly once in so long is called no more.
GIVEN_UP_AFTER = timedelta(days=1)
# Seconds before a webhook that failed is called again, doubled with each failure.
AGAIN_FIRST_S, AGAIN_AT_MOST_S = 2.0, 600.0


@dataclass(frozen=True)
class StoredRoute:
    """A route as the store knows it; `secret` signs what its webhook gets."""

    id: int
    route: Route
    status: Status
    changed_by: str
    told_in: str
    secret: str = field(repr=False)
    can_undo: bool = False
    failing_since: datetime | None = None
    try_at: datetime | None = None


@dataclass(frozen=True)
class Taken:
    """That a message takes a route; `stands` is the same while the same is to be said of it."""

    route: StoredRoute
    stands: str


class Routes:
    """The routes of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._read_at = 0.0
        self._known: tuple[StoredRoute, ...] = ()

    def known(self) -> tuple[StoredRoute, ...]:
        """Return all routes that are not removed, at most KNOWN_FOR_S old."""
        with self._lock:
            if not self._read_at or time.monotonic() - self._read_at > KNOWN_FOR_S:
                self._known, self._read_at = tuple(self.all()), time.monotonic()
            return self._known

    def all(self) -> list[StoredRoute]:
        """Return all routes that are not removed, the oldest first."""
        with self._database.reading() as connection:
            found = connection.execute(select(routes).where(routes.c.status != "removed").order_by(routes.c.id))
            return [_stored(row) for row in found]

    def get(self, route_id: int) -> StoredRoute | None:
        """Return the route as it is now, also where it was removed."""
        with self._database.reading() as connection:
            row = connection.execute(select(routes).where(routes.c.id == route_id)).one_or_none()
            return None if row is None else _stored(row)

    def add(self, route: Route, *, by: str, told_in: str) -> int:
        """Save a route, which is off; return its id. What becomes of it by itself is told in `told_in`."""
        with self._database.writing() as connection:
            made = routes.insert().values(
                route=route.model_dump(mode="json"), status="off", changed_by=by, told_in=told_in, changed_at=now(),
                secret=secrets.token_hex(24), failures=0,
            )  # fmt: skip
            self._forget()
            return int(connection.execute(made.returning(routes.c.id)).scalar_one())

    def change(self, route_id: int, *, by: str, route: Route | None = None, status: Status | None = None) -> StoredRoute | None:
        """Change what a route does, or switch or remove it, and return it; None where nothing changed. `undo` takes that back.

        Whatever failed before is forgotten: somebody looked at it.
        """
        with self._database.writing() as connection:
            row = self._locked(connection, route_id)
            if row is None:
                return None
            values = {"route": row.route if route is None else route.model_dump(mode="json"), "status": status or row.status}
            if values == {"route": row.route, "status": row.status}:
                return None
            return self._save(connection, row, values, by)

    def undo(self, route_id: int, *, by: str) -> StoredRoute | None:
        """Make the route what it was before the last change, and return it; None where there is nothing to undo."""
        with self._database.writing() as connection:
            row = self._locked(connection, route_id)
            return None if row is None or row.before is None else self._save(connection, row, dict(row.before), by)

    def note_success(self, route_id: int) -> None:
        """Save that the webhook took something."""
        with self._database.writing() as connection:
            failed = (routes.c.id == route_id, routes.c.failing_since.is_not(None))
            values = {"failing_since": None, "try_at": None, "failures": 0}
            connection.execute(routes.update().where(*failed).values(**values))

    def note_failure(self, route_id: int) -> float | None:
        """Save that the webhook failed; return in how many seconds it is tried again, or None: it is given up, and told.

        All that wait for the same webhook wait together: while it hangs one call at a time finds that out.
        """
        with self._database.writing() as connection:
            row = self._locked(connection, route_id)
            if row is None or row.status != "on":
                return None
            moment = now()
            since = aware(row.failing_since) if row.failing_since is not None else moment
            if moment - since >= GIVEN_UP_AFTER:
                connection.execute(routes.update().where(routes.c.id == route_id).values(status="off", try_at=None))
                told = self._database.insert_or_ignore(outbox).values(
                    key=f"route_off:{route_id}:{int(since.timestamp())}", kind=Kind.ANNOUNCEMENT, channel=row.told_in,
                    state=State.DUE, wanted=1, retry_at=moment,
                    content={"text": "routes.told_given_up", "values": {"number": route_id}},
                )  # fmt: skip
                connection.execute(told)
                self._forget()
                return None
            pause_s: float = min(AGAIN_FIRST_S * 2.0 ** min(row.failures, 12), AGAIN_AT_MOST_S)
            values = {"failing_since": since, "try_at": moment + timedelta(seconds=pause_s), "failures": row.failures + 1}
            connection.execute(routes.update().where(routes.c.id == route_id).values(**values))
            return pause_s

    # Messages

    def take(
        self, message_id: int, channel: str, thread_ts: str, taken: Sequence[Taken], *, among: Collection[int]
    ) -> list[str]:  # fmt: skip
        """Save which of the routes `among` these a message takes now, and return the keys of what is to be brought up to date.

        A route is taken once. What was said of one that is not taken any more, or for other labels, is to be said otherwise.
        """
        due: list[str] = []
        with self._database.writing() as connection:
            here = and_(outbox.c.message_id == message_id, outbox.c.kind.in_([Kind.ROUTE, Kind.WEBHOOK]))
            there = {
                row.key: row for row in connection.execute(select(outbox).where(here).order_by(outbox.c.id).with_for_update())
            }
            wanted: dict[str, tuple[Kind, str, str | None, Taken]] = {}
            for each in taken:
                route = each.route.route
                if route.posts:
                    place = (route.card_in, None) if route.card_in else (channel, thread_ts)
                    wanted[route_key(each.route.id, message_id)] = (Kind.ROUTE, *place, each)
                if route.webhook:
                    wanted[webhook_key(each.route.id, message_id)] = (Kind.WEBHOOK, channel, None, each)
            due_by = now() + timedelta(seconds=RETRY_AFTER_S)
            for key, (kind, where, thread, each) in wanted.items():
                if key not in there:
                    opened = self._database.insert_or_ignore(outbox).values(
                        key=key, kind=kind, message_id=message_id, channel=where, thread_ts=thread, state=State.DUE, wanted=1,
                        retry_at=due_by, content={"route": each.route.id, "stands": each.stands},
                    )  # fmt: skip
                    connection.execute(opened)
                    due.append(key)
            for key, row in there.items():
                stands = wanted[key][3].stands if key in wanted else ""
                if (
                    row.content["route"] in among
                    and row.content["stands"] != stands
                    and not (row.kind == Kind.WEBHOOK and row.state == State.SHOWN)
                ):
                    changed = {"content": {**row.content, "stands": stands}, "wanted": row.wanted + 1, "tries": 0}
                    later = {"state": State.DUE, "retry_at": due_by}
                    connection.execute(outbox.update().where(outbox.c.id == row.id).values(**changed, **later))
                    due.append(key)
        return due

    def recent(self, channels: Sequence[str], limit: int) -> list[int]:
        """Return the newest labelled messages of these channels that are still there, the newest first."""
        with self._database.reading() as connection:
            found = select(messages.c.id).where(
                messages.c.channel.in_(channels), messages.c.text != "", messages.c.source != Source.COMMAND.value
            )  # fmt: skip
            return list(connection.execute(found.order_by(messages.c.id.desc()).limit(limit)).scalars())

    def waiting(self, route_id: int) -> int:
        """Return how many calls of the route's webhook wait."""
        with self._database.reading() as connection:
            found = select(outbox.c.content).where(outbox.c.kind == Kind.WEBHOOK, outbox.c.state.not_in(SETTLED))
            return sum(content["route"] == route_id for content in connection.execute(found).scalars())

    def _locked(self, connection: Connection, route_id: int) -> Any:
        return connection.execute(select(routes).where(routes.c.id == route_id).with_for_update()).one_or_none()

    def _save(self, connection: Connection, row: Any, values: Mapping[str, Any], by: str) -> StoredRoute:
        more = {"changed_by": by, "changed_at": now(), "failing_since": None, "try_at": None, "failures": 0}
        before = {"route": row.route, "status": row.status}
        changed = routes.update().where(routes.c.id == row.id).values(**values, **more, before=before)
        self._forget()
        return _stored(connection.execute(changed.returning(routes)).one())

    def _forget(self) -> None:
        self._read_at = 0.0


def _stored(row: Any) -> StoredRoute:
    return StoredRoute(
        id=row.id,
        route=Route.model_validate(row.route),
        status=row.status,
        changed_by=row.changed_by,
        told_in=row.told_in,
        secret=row.secret,
        can_undo=row.before is not None,
        failing_since=None if row.failing_since is None else aware(row.failing_since),
        try_at=None if row.try_at is None else aware(row.try_at),
    )
