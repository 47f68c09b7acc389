"""The training runs: one at a time, owned by one process, ended with a reason, and told to people once.

A run is queued, then running, then done, failed or cancelled. Whoever works on it owns it and shows signs of life; when
they cease, another process may take it over, and in the end it is closed as failed: never "training" for ever.
"""

import os
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Row, and_, func, or_, select
from sqlalchemy.exc import IntegrityError

from model.errors import RunCancelled, RunLost, StoreUnavailable
from model.schema import Progress, Report
from model.store.database import Database, aware, now, tally
from model.store.tables import runs

Status = Literal["queued", "running", "done", "failed", "cancelled"]

# An owner gives a sign every few seconds, whatever it is doing.
BEAT_EVERY_S = 5.0
SILENT_S = 30.0
# What died so often dies of itself: of memory, most of the time.
MOST_ATTEMPTS = 3
# A status message that nobody has looked after for so long is taken over.
UNWATCHED_S = 15.0


@dataclass(frozen=True)
class Run:
    """One training run; `beat_at` is its last sign of life."""

    id: int
    requested_by: str
    dry: bool
    status: Status
    progress: Progress | None
    version: int | None
    error: str | None
    report: Report | None
    beat_at: datetime
    requested_at: datetime
    attempts: int
    cancelled_by: str | None
    channel: str | None
    status_ts: str | None
    report_ts: str | None
    reporting: bool  # somebody began to post the report, and may have died of it
    told: bool  # all that there is to say was said, or there is nobody to be told

    @property
    def over(self) -> bool:
        """Whether nothing will change any more."""
        return self.status not in {"queued", "running"}


class Runs:
    """The training runs of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, requested_by: str, *, channel: str | None = None, dry: bool = False) -> tuple[int, bool]:
        """The id of the one run that is queued or running, and whether this call opened it: the row is the lock."""
        for _ in range(2):
            try:
                with self._database.writing() as connection:
                    open_now = connection.execute(select(runs.c.id).where(runs.c.open)).scalar_one_or_none()
                    if open_now is not None:
                        return open_now, False
                    moment = now()
                    run_id: int = connection.execute(
                        runs.insert()
                        .values(
                            requested_by=requested_by,
                            dry=dry,
                            status="queued",
                            requested_at=moment,
                            beat_at=moment,
                            open=True,
                            judgements=tally(connection, "gestures"),
                            channel=channel,
                            # Whom nobody asked for, and who has no channel to tell, has nothing to be told.
                            told_at=None if channel else moment,
                        )
                        .returning(runs.c.id)
                    ).scalar_one()
                    return run_id, True
            except IntegrityError:
                continue  # another process opened one between our two statements
        raise StoreUnavailable("two processes keep opening runs at the same moment: try again")

    def get(self, run_id: int) -> Run | None:
        """The run as it is now."""
        with self._database.reading() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id)).one_or_none()
            return None if row is None else _run(row)

    def last(self) -> Run | None:
        """The newest run."""
        with self._database.reading() as connection:
            row = connection.execute(select(runs).order_by(runs.c.id.desc()).limit(1)).one_or_none()
            return None if row is None else _run(row)

    def shown_at(self, channel: str, ts: str) -> Run | None:
        """The run whose status message or report this is."""
        with self._database.reading() as connection:
            row = connection.execute(
                select(runs).where(runs.c.channel == channel, or_(runs.c.status_ts == ts, runs.c.report_ts == ts))
            ).first()
            return None if row is None else _run(row)

    def new_judgements(self) -> int:
        """How many gestures were kept since the newest run that ended with a version was asked for."""
        with self._database.reading() as connection:
            before = connection.execute(
                select(runs.c.judgements).where(runs.c.version.is_not(None)).order_by(runs.c.id.desc()).limit(1)
            ).scalar_one_or_none()
            return tally(connection, "gestures") - (before or 0)

    def uses(self, test_texts: int) -> int:
        """How many runs were judged on a test split of which today's, with so many texts, is at least half."""
        with self._database.reading() as connection:
            judged = select(func.count()).where(runs.c.test_texts * 2 >= test_texts)
            return int(connection.execute(judged).scalar_one())

    # Work

    def start(self, run_id: int, owner: str) -> Run | None:
        """The run, owned by `owner` from now on; None where it is over, or a living process works on it."""
        with self._database.writing() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id).with_for_update()).one_or_none()
            if row is None or not row.open or (row.status == "running" and not _is_dead(row)):
                return None
            return _run(
                connection.execute(
                    runs.update()
                    .where(runs.c.id == run_id)
                    .values(status="running", owner=owner, attempts=row.attempts + 1, beat_at=now())
                    .returning(runs)
                ).one()
            )

    def beat(self, run_id: int, owner: str, progress: Progress | None = None) -> None:
        """The run shows this progress and is known to live.

        Raises RunCancelled where somebody wants it to end, and RunLost where it is no longer this owner's.
        """
        values: dict[str, Any] = {"beat_at": now()}
        if progress is not None:
            values["progress"] = progress.model_dump(mode="json")
        with self._database.writing() as connection:
            row = connection.execute(
                runs.update()
                .where(runs.c.id == run_id, runs.c.open, runs.c.owner == owner)
                .values(**values)
                .returning(runs.c.cancelled_by)
            ).one_or_none()
        if row is None:
            raise RunLost(f"run {run_id} is over, or another process works on it")
        if row.cancelled_by is not None:
            raise RunCancelled(f"run {run_id} was cancelled by {row.cancelled_by}")

    def hand_back(self, run_id: int, owner: str) -> None:
        """The run waits for another process to go on with it, and this attempt does not count."""
        with self._database.writing() as connection:
            long_ago = now() - timedelta(seconds=2 * SILENT_S)
            connection.execute(_owned(run_id, owner).values(status="queued", attempts=runs.c.attempts - 1, beat_at=long_ago))

    def note_version(self, run_id: int, owner: str, version: int, test_texts: int) -> None:
        """The run has made this version and judges it on so many test texts."""
        with self._database.writing() as connection:
            connection.execute(_owned(run_id, owner).values(version=version, test_texts=test_texts))

    def close(self, run_id: int, owner: str, status: Status, *, error: str | None = None, report: Report | None = None) -> bool:
        """The run is over; False where it was already, or is no longer this owner's."""
        with self._database.writing() as connection:
            values: dict[str, Any] = {"status": status, "error": error, "open": None, "beat_at": now()}
            if report is not None:
                values["report"] = report.model_dump(mode="json")
            return (
                connection.execute(
                    runs.update()
                    .where(runs.c.id == run_id, runs.c.open, runs.c.owner == owner)
                    .values(**values)
                    .returning(runs.c.id)
                ).one_or_none()
                is not None
            )

    def cancel(self, run_id: int, by: str) -> bool:
        """The run ends: at once where nobody works on it, else within a step. False where it was over."""
        with self._database.writing() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id).with_for_update()).one_or_none()
            if row is None or not row.open:
                return False
            values: dict[str, Any] = {"cancelled_by": by}
            if row.status == "queued":
                values |= {"status": "cancelled", "open": None}
            connection.execute(runs.update().where(runs.c.id == run_id).values(**values))
            return True

    def abandoned(self) -> list[int]:
        """Runs that nobody works on and that somebody should: waiting for too long, or of a dead process.

        Those that died too often are closed as failed instead, or as cancelled where that was wanted.
        """
        found: list[int] = []
        with self._database.reading() as connection:
            if connection.execute(select(runs.c.id).where(runs.c.open)).first() is None:
                return found  # almost always, and it takes nobody's turn
        with self._database.writing() as connection:
            for row in connection.execute(select(runs).where(runs.c.open).with_for_update()).all():
                if row.status == "queued" and not _is_silent(row):
                    continue
                if row.status == "running" and not _is_dead(row):
                    continue
                values: dict[str, Any] = {"beat_at": now()}
                if row.cancelled_by is not None:
                    values |= {"status": "cancelled", "open": None}
                elif row.attempts >= MOST_ATTEMPTS:
                    error = (
                        f"the training process ended without a word {row.attempts} times; too little memory is the usual reason"
                    )
                    values |= {"status": "failed", "error": error, "open": None}
                else:
                    values |= {"status": "queued"}
                    found.append(int(row.id))
                connection.execute(runs.update().where(runs.c.id == row.id).values(**values))
        return found

    # What people see of it

    def watch(self, run_id: int) -> str | None:
        """A token for the one chain of tasks that keeps the run's status message; None where one is at it, or all is told."""
        token = uuid.uuid4().hex
        moment = now()
        with self._database.writing() as connection:
            row = connection.execute(
                runs.update()
                .where(runs.c.id == run_id, _is_unwatched(moment))
                .values(watcher=token, watched_at=moment)
                .returning(runs.c.id)
            ).one_or_none()
            return None if row is None else token

    def unwatched(self) -> list[int]:
        """Runs with something to tell that nobody is telling."""
        with self._database.reading() as connection:
            return list(connection.execute(select(runs.c.id).where(_is_unwatched(now()))).scalars())

    def look(self, run_id: int, token: str) -> Run | None:
        """The run, for the holder of the token; None where there is nothing more to tell, or somebody else tells it."""
        with self._database.writing() as connection:
            row = connection.execute(
                runs.update()
                .where(runs.c.id == run_id, runs.c.watcher == token, runs.c.told_at.is_(None))
                .values(watched_at=now())
                .returning(runs)
            ).one_or_none()
            return None if row is None else _run(row)

    def note_status(self, run_id: int, channel: str, ts: str) -> None:
        """The run's status message is this one."""
        with self._database.writing() as connection:
            connection.execute(runs.update().where(runs.c.id == run_id).values(channel=channel, status_ts=ts))

    def note_reporting(self, run_id: int) -> None:
        """The report is being posted: who comes after must look whether it was."""
        with self._database.writing() as connection:
            connection.execute(runs.update().where(runs.c.id == run_id).values(reporting_at=now()))

    def note_told(self, run_id: int, report_ts: str | None) -> None:
        """All that there is to say of the run was said."""
        with self._database.writing() as connection:
            connection.execute(runs.update().where(runs.c.id == run_id).values(told_at=now(), report_ts=report_ts))


def owner_name() -> str:
    """Return a name for this process by which others that see the same process ids can tell whether it lives."""
    return f"{process_ids_of()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"


def process_ids_of() -> str:
    """Return what tells apart those whose process ids mean the same: the boot of a kernel, and the PID namespace in it.

    Not the host's name, which two containers, or two machines made from one image, may share. Where /proc tells neither,
    a name that nobody else has: there only silence shows that a process is dead.
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot}.{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return uuid.uuid4().hex


def _owned(run_id: int, owner: str) -> Any:
    return runs.update().where(runs.c.id == run_id, runs.c.open, runs.c.owner == owner)


def _is_silent(row: Row[Any]) -> bool:
    return bool(now() - aware(row.beat_at) > timedelta(seconds=SILENT_S))


def _is_dead(row: Row[Any]) -> bool:
    """Return whether the run's owner was silent for long, or is a process that we would see here and do not."""
    if _is_silent(row):
        return True
    ids_of, pid, _ = (row.owner or "//").split("/", 2)
    if ids_of != process_ids_of() or not pid:
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _is_unwatched(moment: datetime) -> Any:
    stale = moment - timedelta(seconds=UNWATCHED_S)
    return and_(runs.c.told_at.is_(None), or_(runs.c.watched_at.is_(None), runs.c.watched_at < stale))


def _run(row: Row[Any]) -> Run:
    return Run(
        id=row.id,
        requested_by=row.requested_by,
        dry=row.dry,
        status=row.status,
        progress=None if row.progress is None else Progress.model_validate(row.progress),
        version=row.version,
        error=row.error,
        report=None if row.report is None else Report.model_validate(row.report),
        beat_at=aware(row.beat_at),
        requested_at=aware(row.requested_at),
        attempts=row.attempts,
        cancelled_by=row.cancelled_by,
        channel=row.channel,
        status_ts=row.status_ts,
        report_ts=row.report_ts,
        reporting=row.reporting_at is not None,
        told=row.told_at is not None,
    )
