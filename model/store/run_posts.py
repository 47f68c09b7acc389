"""The rows of the outbox by which a training run shows in Slack, opened inside its own transactions."""

from sqlalchemy import Connection

from model.store.database import insert_or_ignore, now
from model.store.outbox_row import Kind, State, picture_key, report_key, status_key
from model.store.tables import outbox


def open_status(connection: Connection, run_id: int, channel: str) -> None:
    """Open the status message of a run; the sweep finds it at once, whoever asked for the run."""
    _open(connection, status_key(run_id), Kind.STATUS, run_id, channel)


def open_report(connection: Connection, run_id: int, channel: str) -> None:
    """Open the picture and the report of a run that is done."""
    _open(connection, picture_key(run_id), Kind.PICTURE, run_id, channel)
    _open(connection, report_key(run_id), Kind.REPORT, run_id, channel)


def _open(connection: Connection, key: str, kind: Kind, run_id: int, channel: str) -> None:
    values = {"key": key, "kind": kind, "run_id": run_id, "channel": channel, "state": State.DUE, "wanted": 1, "retry_at": now()}
    connection.execute(insert_or_ignore(connection, outbox), values)
