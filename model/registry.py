"""The versions: numbered, immutable folders, and which of them is live.

A version exists when its row does; its folder is complete by then. The newest promotion names the live version.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, func, select, text

from model.errors import BrokenVersion
from model.schema import Card
from model.store import Store, aware, now
from model.tables import promotions, versions


@dataclass(frozen=True)
class Version:
    """A version and where its folder is."""

    number: int
    folder: Path
    card: Card
    created_at: datetime


class Registry:
    """The versions in `home`/versions, listed in the store."""

    def __init__(self, store: Store, home: Path) -> None:
        self.store = store
        self.versions_folder = home / "versions"

    def workshop(self, run_id: int) -> Path:
        """Where a run builds its version: on the same disk as the versions, so that adding it is one rename."""
        folder = self.versions_folder / f"run-{run_id}"
        shutil.rmtree(folder, ignore_errors=True)
        self.versions_folder.mkdir(parents=True, exist_ok=True)
        return folder

    def add(self, built: Path, card: Card) -> Version:
        """The version folder `built` is moved in, numbered and listed; it is not live by that."""
        with self._alone() as connection:
            number = (connection.execute(select(func.max(versions.c.number))).scalar_one() or 0) + 1
            card = card.model_copy(update={"version": number})
            (built / "card.json").write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
            folder = self.versions_folder / f"v{number}"
            # A folder without a row is what a process left that died between the rename and the commit.
            shutil.rmtree(folder, ignore_errors=True)
            os.rename(built, folder)
            moment = now()
            connection.execute(
                versions.insert().values(number=number, folder=folder.name, card=card.model_dump(mode="json"), created_at=moment)
            )
            return Version(number, folder, card, moment)

    def promote(self, number: int, *, by: str, reason: str) -> None:
        """Version `number` is live; workers take it up within seconds. BrokenVersion where there is no such version."""
        with self._alone() as connection:
            known = connection.execute(select(versions.c.number).where(versions.c.number == number)).first()
            if known is None:
                raise BrokenVersion(f"there is no version {number}")
            connection.execute(promotions.insert().values(version=number, promoted_by=by, reason=reason, promoted_at=now()))

    def live(self) -> Version | None:
        """The live version, or None before the first promotion."""
        return next(self.promoted(), None)

    def promoted(self) -> Iterator[Version]:
        """Every version that was live, the present one first, each once: the order to fall back in."""
        with self.store.reading() as connection:
            rows = connection.execute(
                select(versions)
                .join(promotions, promotions.c.version == versions.c.number)
                .group_by(versions.c.number)
                .order_by(func.max(promotions.c.id).desc())
            ).all()
        return map(self._version, rows)

    def all(self) -> list[Version]:
        """Every version, oldest first."""
        with self.store.reading() as connection:
            rows = connection.execute(select(versions).order_by(versions.c.number)).all()
        return [self._version(row) for row in rows]

    def _version(self, row: Row[Any]) -> Version:
        return Version(
            number=row.number,
            folder=self.versions_folder / row.folder,
            card=Card.model_validate(row.card),
            created_at=aware(row.created_at),
        )

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        with self.store.writing() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("select pg_advisory_xact_lock(7239)"))
            yield connection
