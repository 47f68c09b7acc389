"""The versions: numbered, immutable folders, and which of them is live.

A version exists when its row does; its folder is complete by then. The newest promotion names the live version.
"""

import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, func, select, text

from model.errors import BrokenVersion
from model.schema import Card, Run, Standing
from model.serving.version_folder import is_plain, write_card
from model.store.announcements import announce_change, promotion_content, promotion_key, watched_channels
from model.store.database import Database, aware, now
from model.store.outbox_changes import mark_runs_due, retry_predictions
from model.store.tables import promotions, runs, versions

# How the reason of a promotion begins that a training's gate decided on.
BY_TRAINING = "run "


@dataclass(frozen=True)
class Version:
    """A version and where its folder is."""

    number: int
    folder: Path
    card: Card
    created_at: datetime


class Registry:
    """The versions in `home`/versions, listed in the database."""

    def __init__(self, database: Database, home: Path) -> None:
        self._database = database
        self.versions_folder = home / "versions"

    def run_directory(self, run_id: int) -> Path:
        """Return the run's own folder, with whatever an earlier attempt left in it; remove those of other runs.

        It is on the same disk as the versions, so that adding what is built there is one rename.
        """
        folder = self.versions_folder / f"run-{run_id}"
        for other in self.versions_folder.glob("run-*"):
            if other != folder:
                shutil.rmtree(other, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def made_by(self, run_id: int) -> Version | None:
        """Return the version that this run made."""
        with self._database.reading() as connection:
            row = connection.execute(select(versions).where(versions.c.run_id == run_id)).one_or_none()
            return None if row is None else self._version(row)

    def get(self, number: int) -> Version | None:
        """Return that version, unless its folder was removed."""
        with self._database.reading() as connection:
            row = connection.execute(_kept().where(versions.c.number == number)).one_or_none()
            return None if row is None else self._version(row)

    def learnt_until(self, number: int) -> datetime:
        """Return the time of the newest judgement that this version can have learnt from; BrokenVersion where it is unknown."""
        with self._database.reading() as connection:
            moment = func.coalesce(runs.c.requested_at, versions.c.created_at)
            known = select(moment).select_from(versions.outerjoin(runs, runs.c.id == versions.c.run_id))
            found = connection.execute(known.where(versions.c.number == number)).scalar_one_or_none()
        if found is None:
            raise BrokenVersion(f"there is no version {number}")
        return aware(found)

    def add(self, built: Path, card: Card, run_id: int | None = None) -> Version:
        """Move the version folder `built` in, number it and list it; it is not live by that."""
        with self._exclusive_transaction() as connection:
            number = (connection.execute(select(func.max(versions.c.number))).scalar_one() or 0) + 1
            card = card.model_copy(update={"version": number})
            write_card(built, card)
            folder = self.versions_folder / f"v{number}"
            # A folder without a row is what a process left that died between the rename and the commit.
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(built, folder)
            moment = now()
            connection.execute(
                versions.insert().values(
                    number=number, folder=folder.name, card=card.model_dump(mode="json"), created_at=moment, run_id=run_id
                )
            )
            return Version(number, folder, card, moment)

    def promote(
        self,
        number: int,
        *,
        by: str,
        reason: str,
        instead_of: int | Literal["any"] | None = "any",
        asked_in: str | None = None,
        run: Run | None = None,
    ) -> bool:
        """Make version `number` live; workers take it up within seconds. BrokenVersion where there is no such version.

        Does nothing and returns False where the live version is another than `instead_of` (None: none is). Where it takes
        another's place, the channels whose every message is labelled are told, and the one that it was `asked_in`. `run`:
        what it comes of, which is told in its own channel. What is told of the runs that made the two is due, to say what is
        true now.
        """
        with self._exclusive_transaction() as connection:
            if connection.execute(_kept().where(versions.c.number == number)).first() is None:
                raise BrokenVersion(f"there is no version {number}")
            live = connection.execute(select(promotions.c.version).order_by(promotions.c.id.desc()).limit(1)).scalar_one_or_none()
            if instead_of not in ("any", live):
                return False
            if live == number:
                return True
            promotion = promotions.insert().values(version=number, promoted_by=by, reason=reason, promoted_at=now())
            promotion_id = connection.execute(promotion.returning(promotions.c.id)).scalar_one()
            _mark_told_due(connection, [number] if live is None else [number, live])
            if live is None:
                retry_predictions(connection)
            else:
                told = watched_channels(connection)
                if asked_in is not None and not asked_in.startswith("D"):  # there its person has the answer
                    told.add(asked_in)
                rows = {
                    channel: promotion_key(promotion_id, channel)
                    for channel in sorted(told)
                    if run is None or channel != run.channel
                }
                content = promotion_content(version=number, before=live, by=by, learnt=run is not None)
                announce_change(self._database, connection, rows, content)
            return True

    def remove_old(self, keep: int) -> list[int]:
        """Remove the folders of all but the newest `keep` versions, and return the numbers of those; cards stay.

        Never the live version's, nor that of the one before it, which a rollback goes to.
        """
        needed = {version.number for version in list(self.promoted())[:2]}
        with self._exclusive_transaction() as connection:
            rows = connection.execute(_kept().order_by(versions.c.number.desc())).all()
            old = [row for row in rows[max(keep, 1) :] if row.number not in needed]
            for row in old:
                connection.execute(versions.update().where(versions.c.number == row.number).values(removed_at=now()))
            _mark_told_due(connection, [row.number for row in old])
        for row in old:
            shutil.rmtree(self._folder(row), ignore_errors=True)
        return [row.number for row in old]

    def live(self) -> Version | None:
        """Return the live version, or None before the first promotion."""
        return next(self.promoted(), None)

    def before_live(self) -> Version | None:
        """Return the version to fall back to: live before the present one, and still there."""
        return next(itertools.islice(self.promoted(), 1, None), None)

    def standing(self, number: int) -> Standing:
        """Return how this version stands now."""
        with self._database.reading() as connection:
            known = select(promotions.c.id, promotions.c.version, promotions.c.promoted_by, promotions.c.reason)
            history = connection.execute(known.order_by(promotions.c.id.desc())).all()
            is_kept = connection.execute(_kept().where(versions.c.number == number)).first() is not None
        last = next((at for at, each in enumerate(history) if each.version == number), None)
        if last is None:
            return Standing(is_kept=is_kept)
        # Where it is not live any more, what came right after it took its place.
        did = history[max(last - 1, 0)]
        by = None if did.reason.startswith(BY_TRAINING) else str(did.promoted_by)
        before = self.before_live() if last == 0 else None
        return Standing(
            is_live=last == 0, was_live=True, is_kept=is_kept, by=by, before=None if before is None else before.number
        )

    def promoted(self) -> Iterator[Version]:
        """Return every version that was live, the present one first, each once: the order to fall back in."""
        with self._database.reading() as connection:
            rows = connection.execute(
                _kept()
                .join(promotions, promotions.c.version == versions.c.number)
                .group_by(versions.c.number)
                .order_by(func.max(promotions.c.id).desc())
            ).all()
        return map(self._version, rows)

    def all(self) -> list[Version]:
        """Return every version that is kept, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(_kept().order_by(versions.c.number)).all()
        return [self._version(row) for row in rows]

    def _version(self, row: Row[Any]) -> Version:
        return Version(
            number=row.number,
            folder=self._folder(row),
            card=Card.model_validate(row.card),
            created_at=aware(row.created_at),
        )

    def _folder(self, row: Row[Any]) -> Path:
        """Return the version's folder; where somebody altered its name to lead elsewhere, the one that `add` gave it."""
        return self.versions_folder / (row.folder if is_plain(row.folder) else f"v{row.number}")

    @contextmanager
    def _exclusive_transaction(self) -> Iterator[Connection]:
        with self._database.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("select pg_advisory_xact_lock(7239)"))
            yield connection


def _mark_told_due(connection: Connection, numbers: list[int]) -> None:
    """Schedule another rendering of what is told of the runs that made these versions."""
    made = select(versions.c.run_id).where(versions.c.number.in_(numbers), versions.c.run_id.is_not(None))
    mark_runs_due(connection, connection.execute(made).scalars())


def _kept() -> Select[Any]:
    return select(versions).where(versions.c.removed_at.is_(None))
