"""The store: one database, and the nouns that are kept in it."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from sqlalchemy import select

from model.first_training import FirstTraining
from model.label_file import read_label_file
from model.masking import mask
from model.schema import Preference
from model.store.backfills import Backfills
from model.store.channels import Channels
from model.store.database import Database
from model.store.erasure import ErasureService
from model.store.examples import Examples
from model.store.explanations import Explanations
from model.store.gestures import Gestures
from model.store.insight import Insight
from model.store.inventory import Inventory
from model.store.judged_messages import JudgedMessages
from model.store.label_book import LabelBook
from model.store.label_questions import LabelQuestions
from model.store.messages import Messages
from model.store.mutes import Mutes
from model.store.outbox import Outbox
from model.store.people import People
from model.store.portions import Portions
from model.store.predictions import Predictions
from model.store.refits import Refits
from model.store.registry import Registry
from model.store.retention import Retention
from model.store.reviews import Reviews
from model.store.routes import Routes
from model.store.runs import Runs
from model.store.standings import Standings
from model.store.steps import Steps
from model.store.suspicions import Suspicions
from model.store.tables import workspace
from model.store.workers import Workers

# A full disk or a GPU that others use is over in an hour, or somebody must look.
RETRY_FIRST_AFTER_S = (60.0, 600.0, 3600.0)


class Store:
    """All that is kept, behind one URL; the versions' folders are in `home`.

    Built once in a process and handed on; any thread may call. Call `migrate` once before the first use. Every text passes
    `mask` before it is kept, so that personal data is replaced by words, unless `mask_personal` is false. Labels have the
    emoji of `label_emoji`, by their names, and else their own; `preferences` hold of those of which nobody has said anything.
    """

    def __init__(
        self,
        url: str,
        home: Path,
        *,
        mask_personal: bool = True,
        label_emoji: Mapping[str, str] | None = None,
        preferences: Mapping[str, Preference] | None = None,
    ) -> None:
        self.database = Database(url)
        self.mask = mask if mask_personal else str
        self.messages = Messages(self.database, self.mask)
        self.mutes = Mutes(self.database)
        self.predictions = Predictions(self.database)
        self.channels = Channels(self.database)
        self.examples = Examples(self.database, self.mask)
        self.outbox = Outbox(self.database)
        self.labels = LabelBook(self.database, label_emoji or {}, preferences or {})
        self.gestures = Gestures(self.database, self.mask, self.labels.current)
        self.judged = JudgedMessages(self.database)
        self.people = People(self.database)
        self.standings = Standings(self.database, self.judged)
        self.runs = Runs(self.database)
        self.registry = Registry(self.database, home)
        self.workers = Workers(self.database)
        self.refits = Refits(self.database)
        self.inventory = Inventory(self.database)
        self.insight = Insight(self.database)
        self.reviews = Reviews(self.database)
        self.routes = Routes(self.database)
        self.label_questions = LabelQuestions(self.database)
        self.portions = Portions(self.database)
        self.suspicions = Suspicions(self.database)
        self.explanations = Explanations(self.database)
        self.steps = Steps(self.database, self.mask)
        self.backfills = Backfills(self.database, self.mask)
        self.erasure = ErasureService(self.database, self.judged, self.labels)
        self.retention = Retention(self.database)

    def belongs_to(self, team: str) -> str:
        """Return the id of the workspace that this database belongs to: the first one that asked, for ever.

        Labels, versions and trainings are of the whole database, so two workspaces in one would see each other's.
        """
        with self.database.writing() as connection:
            connection.execute(self.database.insert_or_ignore(workspace).values(id=1))
            connection.execute(workspace.update().where(workspace.c.team.is_(None)).values(team=team))
            return str(connection.execute(select(workspace.c.team)).scalar_one())

    def first_training(self) -> FirstTraining | None:
        """Return how it stands with the first version; None where one is live.

        After a failure the trainer tries again by itself: as soon as the base can be had where that was the reason, else after
        each of RETRY_FIRST_AFTER_S, and then no more.
        """
        if self.registry.live() is not None:
            return None
        run, has_labels = self.runs.last(), bool(self.labels.current().names)
        if run is None or run.status != "failed":
            return FirstTraining(run, has_labels=has_labels)
        failures = self.runs.failures()
        if run.failure == "base" or failures > len(RETRY_FIRST_AFTER_S):
            return FirstTraining(run, failures, has_labels=has_labels)
        retry_at = run.beat_at + timedelta(seconds=RETRY_FIRST_AFTER_S[failures - 1])
        return FirstTraining(run, failures, retry_at, has_labels)

    def migrate(self) -> None:
        """Bring the schema to the newest migration; safe to call from several processes at once."""
        self.database.migrate()

    def begin_labels(self, file: Path | None) -> bool:
        """Take the labels of a YAML file where nobody has ever changed any, and return whether that was so.

        Later the file is not even read: from then on people say what the labels are. BadData where it is wrong.
        """
        if file is None or self.labels.events():
            return False
        return self.labels.begin_with(read_label_file(file), by="BETO_LABELS")

    def ping(self) -> None:
        """Ask the database something; StoreUnavailable where it does not answer."""
        self.database.ping()

    def close(self) -> None:
        """Give back all connections."""
        self.database.close()
