"""The training runs: one at a time, owned by one process, ended with a reason, and told to people once.

A run is queued, then running, then done, failed or cancelled. Whoever works on it owns it and shows signs of life; when
they cease, another process may take it over, and in the end it is closed as failed: never "training" for ever.
"""

import os
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Row, String, cast, func, literal, select
from sqlalchemy.exc import IntegrityError

from model.errors import RunCancelled, RunLost, StoreUnavailable
from model.schema import Decided, Decision, Failure, Progress, Report, Run, RunStatus
from model.store.database import Database, aware, now, tally
from model.store.outbox_changes import mark_runs_due
from model.store.outbox_row import Kind
from model.store.run_posts import open_report, open_status
from model.store.tables import outbox, runs

# An owner gives a sign every few seconds, whatever it is doing.
BEAT_EVERY_S = 5.0
SILENT_S = 30.0
# What died so often dies of itself: of memory, most of the time.
MOST_ATTEMPTS = 3


_WITH_STATUS = select(runs, outbox.c.ts.label("status_ts")).outerjoin(
    outbox, outbox.c.key == literal(f"{Kind.STATUS}:") + cast(runs.c.id, String)
)


class Runs:
    """The training runs of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, requested_by: str, *, channel: str | None = None, dry: bool = False) -> tuple[int, bool]:
        """Return the id of the one run that is queued or running, and whether this call opened it: the row is the lock."""
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
                        )
                        .returning(runs.c.id)
                    ).scalar_one()
                    if channel:  # whom nobody asked for, and who has no channel to tell, has nothing to be told
                        open_status(connection, run_id, channel)
                    return run_id, True
            except IntegrityError:
                continue  # another process opened one between our two statements
        raise StoreUnavailable("two processes keep opening runs at the same moment: try again")

    def get(self, run_id: int) -> Run | None:
        """Return the run as it is now."""
        with self._database.reading() as connection:
            row = connection.execute(_WITH_STATUS.where(runs.c.id == run_id)).one_or_none()
            return None if row is None else _run(row)

    def that_made(self, version: int) -> Run | None:
        """Return the run that made this version, once it is over; None where it came otherwise."""
        with self._database.reading() as connection:
            made = _WITH_STATUS.where(runs.c.version == version, runs.c.report.is_not(None)).order_by(runs.c.id.desc()).limit(1)
            row = connection.execute(made).one_or_none()
            return None if row is None else _run(row)

    def last(self) -> Run | None:
        """Return the newest run."""
        with self._database.reading() as connection:
            row = connection.execute(_WITH_STATUS.order_by(runs.c.id.desc()).limit(1)).one_or_none()
            return None if row is None else _run(row)

    def failures(self) -> int:
        """Return how many runs failed one after the other, the newest among them."""
        with self._database.reading() as connection:
            sound = select(func.max(runs.c.id)).where(runs.c.status != "failed").scalar_subquery()
            failed = select(func.count()).where(runs.c.status == "failed", runs.c.id > func.coalesce(sound, 0))
            return int(connection.execute(failed).scalar_one())

    def shown_at(self, channel: str, ts: str) -> Run | None:
        """Return the run whose status message or report this is."""
        with self._database.reading() as connection:
            told = outbox.c.kind.in_([Kind.STATUS, Kind.REPORT])
            # The channel is compared here: there are few posts with the same ts, and no index of both.
            shown = select(outbox.c.run_id, outbox.c.channel).where(outbox.c.ts == ts, told)
            run_id = next((row.run_id for row in connection.execute(shown) if row.channel == channel), None)
            row = connection.execute(_WITH_STATUS.where(runs.c.id == run_id)).one_or_none()
            return None if row is None else _run(row)

    def new_judgements(self) -> int:
        """Return how many gestures were kept since the newest run that ended with a version was asked for."""
        with self._database.reading() as connection:
            before = connection.execute(
                select(runs.c.judgements).where(runs.c.version.is_not(None)).order_by(runs.c.id.desc()).limit(1)
            ).scalar_one_or_none()
            return tally(connection, "gestures") - (before or 0)

    def uses(self, test_texts: int) -> int:
        """Return how many runs were evaluated on a test split of which today's, with so many texts, is at least half."""
        with self._database.reading() as connection:
            judged = select(func.count()).where(runs.c.test_texts * 2 >= test_texts)
            return int(connection.execute(judged).scalar_one())

    # Work

    def start(self, run_id: int, owner: str) -> Run | None:
        """Start the run as `owner`, and return it; None where it is over, or a living process works on it."""
        with self._database.writing() as connection:
            row = connection.execute(select(runs).where(runs.c.id == run_id).with_for_update()).one_or_none()
            if row is None or not row.open or (row.status == "running" and not _is_dead(row)):
                return None
            values = {"status": "running", "owner": owner, "attempts": row.attempts + 1, "beat_at": now()}
            connection.execute(runs.update().where(runs.c.id == run_id).values(**values))
            return _run(connection.execute(_WITH_STATUS.where(runs.c.id == run_id)).one())

    def beat(self, run_id: int, owner: str, progress: Progress | None = None) -> None:
        """Show this progress, and that the run lives.

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
        """Give the run back for another process to go on with; this attempt does not count."""
        with self._database.writing() as connection:
            long_ago = now() - timedelta(seconds=2 * SILENT_S)
            connection.execute(_owned(run_id, owner).values(status="queued", attempts=runs.c.attempts - 1, beat_at=long_ago))

    def note_version(self, run_id: int, owner: str, version: int, test_texts: int) -> None:
        """Save which version the run has made, and on how many test texts it is evaluated."""
        with self._database.writing() as connection:
            connection.execute(_owned(run_id, owner).values(version=version, test_texts=test_texts))

    def close(
        self,
        run_id: int,
        owner: str,
        status: RunStatus,
        *,
        error: str | None = None,
        failure: Failure | None = None,
        report: Report | None = None,
    ) -> bool:
        """End the run; False where it was over already, or is no longer this owner's."""
        with self._database.writing() as connection:
            values: dict[str, Any] = {"status": status, "error": error, "failure": failure, "open": None, "beat_at": now()}
            if report is not None:
                values["report"] = report.model_dump(mode="json")
            closed = connection.execute(_owned(run_id, owner).values(**values).returning(runs.c.channel)).one_or_none()
            if closed is not None and closed.channel and report is not None:
                open_report(connection, run_id, closed.channel)
            return closed is not None

    def cancel(self, run_id: int, by: str) -> bool:
        """Cancel the run: at once where nobody works on it, else within a step. False where it was over."""
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
        """Return the runs that nobody works on and that somebody should: waiting for too long, or of a dead process.

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
                    values |= {"status": "failed", "error": error, "failure": "killed", "open": None}
                else:
                    values |= {"status": "queued"}
                    found.append(int(row.id))
                connection.execute(runs.update().where(runs.c.id == row.id).values(**values))
        return found

    # What people see of it

    def decide(self, run_id: int, decision: Decision, by: str) -> None:
        """Save what somebody decided under the run's report, which is rendered anew to say so."""
        with self._database.writing() as connection:
            decided = {"decision": decision, "by": by}
            connection.execute(runs.update().where(runs.c.id == run_id).values(decided=decided))
            mark_runs_due(connection, [run_id])


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
        decided=None if row.decided is None else Decided(**row.decided),
        failure=row.failure,
    )
