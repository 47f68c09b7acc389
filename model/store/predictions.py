"""What the versions say of the messages.

Every method is one transaction (see `database` for what it raises).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BindParameter, and_, bindparam, func, select

from model.schema import Prediction
from model.store.database import Database, aware, insert_or_ignore, now
from model.store.outbox_changes import mark_predicted
from model.store.tables import messages, predictions


@dataclass(frozen=True)
class NewPrediction:
    """What a version says of a message's text; `model_s` are the seconds that its pass took in the network."""

    message_id: int
    revision: int
    prediction: Prediction
    model_s: float


@dataclass(frozen=True)
class Unpredicted:
    """A message's text that has no prediction of a version, and when the message was saved."""

    text: str
    received_at: datetime


# What every message asks, built once: to build a query takes longer than to ask it.
_ids: BindParameter[int] = bindparam("ids", expanding=True)
_by_version = and_(
    predictions.c.message_id == messages.c.id,
    predictions.c.revision == messages.c.revision,
    predictions.c.version == bindparam("by"),
)
_TEXTS = (
    select(messages.c.id, messages.c.revision, messages.c.text, messages.c.received_at)
    .outerjoin(predictions, _by_version)
    .where(messages.c.id.in_(_ids), messages.c.deleted_at.is_(None), predictions.c.id.is_(None))
)
_CURRENT = (
    select(messages.c.id, messages.c.revision)
    .where(messages.c.id.in_(_ids), messages.c.deleted_at.is_(None))
    .order_by(messages.c.id)
    .with_for_update()
)
_LATEST = (
    select(predictions.c.message_id, predictions.c.revision, func.max(predictions.c.version).label("version"))
    .where(predictions.c.message_id.in_(_ids))
    .group_by(predictions.c.message_id, predictions.c.revision)
)


class Predictions:
    """The predictions of one database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def texts_to_predict(self, wanted: Sequence[tuple[int, int]], version: int) -> list[Unpredicted | None]:
        """Return the text of each (message id, revision); None where there is nothing to predict.

        That is where the message is gone, has another text by now, or was labelled by this version.
        """
        with self._database.reading() as connection:
            rows = connection.execute(_TEXTS, {"ids": [message_id for message_id, _ in wanted], "by": version}).all()
        texts = {(row.id, row.revision): Unpredicted(row.text, aware(row.received_at)) for row in rows}
        return [texts.get(each) for each in wanted]

    def save(self, made: Sequence[NewPrediction]) -> list[bool]:
        """Save predictions and make the replies due; False for each whose text has changed since, or that was known.

        False also where a later version has spoken: a worker that was frozen does not talk over it.
        """
        with self._database.writing() as connection:
            moment = now()
            # In the order of their ids, as everywhere: two workers that lock the same rows must not wait for each other.
            current = {
                (row.id, row.revision) for row in connection.execute(_CURRENT, {"ids": [each.message_id for each in made]})
            }
            latest = {
                (row.message_id, row.revision): row.version
                for row in connection.execute(_LATEST, {"ids": [message_id for message_id, _ in current]})
            }
            current -= {
                (each.message_id, each.revision)
                for each in made
                if latest.get((each.message_id, each.revision), 0) > each.prediction.version
            }
            rows = [
                {
                    "message_id": each.message_id,
                    "revision": each.revision,
                    "version": each.prediction.version,
                    "prediction": each.prediction.model_dump(mode="json"),
                    "model_s": each.model_s,
                    "created_at": moment,
                    "known_from": each.prediction.known_from,
                }
                for each in made
                if (each.message_id, each.revision) in current
            ]
            if not rows:
                return [False] * len(made)
            added = set(connection.execute(insert_or_ignore(connection, predictions, returning="message_id"), rows).scalars())
            mark_predicted(connection, added)
            return [(each.message_id, each.revision) in current and each.message_id in added for each in made]

    def carrying(self, label: str, among: int) -> tuple[int, int]:
        """Return how many of the newest predictions, at most `among`, give this label, and how many there are."""
        newest = select(predictions.c.prediction).order_by(predictions.c.id.desc()).limit(among)
        with self._database.reading() as connection:
            labels = [prediction["labels"] for prediction in connection.execute(newest).scalars()]
        return sum(label in each for each in labels), len(labels)

    def latest(self, message_id: int) -> Prediction | None:
        """Return the last prediction of the message's present text."""
        with self._database.reading() as connection:
            found = connection.execute(
                select(predictions.c.prediction)
                .join(messages, (messages.c.id == predictions.c.message_id) & (messages.c.revision == predictions.c.revision))
                .where(messages.c.id == message_id)
                .order_by(predictions.c.id.desc())
                .limit(1)
            ).scalar_one_or_none()
            return None if found is None else Prediction.model_validate(found)

    def all_of(self, message_id: int) -> list[tuple[datetime, Prediction]]:
        """Return what each version predicted of the message, of earlier texts too, oldest first."""
        with self._database.reading() as connection:
            rows = connection.execute(
                select(predictions.c.created_at, predictions.c.prediction)
                .where(predictions.c.message_id == message_id)
                .order_by(predictions.c.id)
            ).all()
            return [(aware(row.created_at), Prediction.model_validate(row.prediction)) for row in rows]
