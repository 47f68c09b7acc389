"""Texts that a workflow wants labelled: rows of the outbox that hold the text until its labels are known, then the labels alone.

There is no message: nobody judges it, and nothing learns from it. Every method is one transaction (see `database` for what it
raises).
"""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from model.schema import Prediction
from model.store.database import Database, insert_or_ignore, now
from model.store.outbox_row import RETRY_AFTER_S, Kind, State, step_key
from model.store.tables import outbox


class Steps:
    """The steps of workflows that one database knows. Every text passes `mask` before it is kept."""

    def __init__(self, database: Database, mask: Callable[[str], str]) -> None:
        self._database = database
        self._mask = mask

    def open(self, execution: str, text: str, *, channel: str = "") -> tuple[str, bool]:
        """Save that a workflow waits for this text's labels; return the row's key, and whether it is new.

        `channel`: whose message it is, where it is one's.
        """
        content = {"execution": execution, "text": self._mask(text), "at": time.time()}
        return self._open(execution, State.AWAITING_PREDICTION, content, channel)

    def refuse(self, execution: str, text_key: str, values: Mapping[str, str]) -> tuple[str, bool]:
        """Save that a workflow is to be told no, by this sentence of the locales; likewise."""
        content = {"execution": execution, "refusal": text_key, "values": dict(values)}
        return self._open(execution, State.DUE, content, "")

    def text_of(self, key: str) -> str | None:
        """Return the text that is to be labelled; None where that is done, or given up."""
        with self._database.reading() as connection:
            content = connection.execute(select(outbox.c.content).where(*_waits(key))).scalar_one_or_none()
        return None if content is None else str(content["text"])

    def save(self, key: str, prediction: Prediction) -> None:
        """Save the labels, which the workflow is to be told now; the text goes. Does nothing where that is done."""
        self._settle(key, {"prediction": prediction.model_dump(mode="json")})

    def give_up(self, after_s: float, text_key: str) -> list[str]:
        """Have those that have waited longer than this told so, by this sentence; return their rows' keys."""
        oldest = time.time() - after_s
        waiting = select(outbox.c.key, outbox.c.content).where(
            outbox.c.kind == Kind.STEP, outbox.c.state == State.AWAITING_PREDICTION, outbox.c.retry_at.is_not(None)
        )
        with self._database.reading() as connection:
            keys = [row.key for row in connection.execute(waiting) if float(row.content["at"]) < oldest]
        for key in keys:
            self._settle(key, {"refusal": text_key, "values": {}})
        return keys

    def _open(self, execution: str, state: State, content: Mapping[str, Any], channel: str) -> tuple[str, bool]:
        key = step_key(execution)
        values = {"key": key, "kind": Kind.STEP, "channel": channel, "state": state, "wanted": 1, "content": dict(content)}
        with self._database.writing() as connection:
            row = insert_or_ignore(connection, outbox).values(**values, retry_at=now() + timedelta(seconds=RETRY_AFTER_S))
            return key, connection.execute(row.returning(outbox.c.id)).one_or_none() is not None

    def _settle(self, key: str, made: Mapping[str, Any]) -> None:
        with self._database.writing() as connection:
            content = connection.execute(select(outbox.c.content).where(*_waits(key)).with_for_update()).scalar_one_or_none()
            if content is None:
                return  # somebody else was faster
            values = {"content": {"execution": content["execution"], **made}, "state": State.DUE, "tries": 0}
            retry_at = now() + timedelta(seconds=RETRY_AFTER_S)
            connection.execute(outbox.update().where(outbox.c.key == key).values(retry_at=retry_at, **values))


def _waits(key: str) -> tuple[Any, Any]:
    return outbox.c.key == key, outbox.c.state == State.AWAITING_PREDICTION
