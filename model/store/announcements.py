"""What channels are told of a change that concerns all whose messages are labelled there: rows, saved with the change."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from model.labels import LabelEvent
from model.store.database import Database, now
from model.store.outbox_row import Kind, State
from model.store.tables import channels, outbox


def promotion_key(promotion_id: int, channel: str) -> str:
    """Return the key of what tells this channel of a promotion or a rollback."""
    return f"promotion:{promotion_id}:{channel}"


def label_key(event_id: int, channel: str) -> str:
    """Return the key of what tells this channel of a change to the set of labels."""
    return f"labels:{event_id}:{channel}"


def promotion_content(*, version: int, before: int, by: str, learnt: bool) -> dict[str, Any]:
    """Return what there is to tell of a promotion; `learnt`: the gate promoted what a training that `by` wanted has made."""
    return {"promotion": {"version": version, "before": before, "by": by, "learnt": learnt}}


def label_content(events: Sequence[LabelEvent]) -> dict[str, Any]:
    """Return what there is to tell of changes to the set of labels."""
    return {"labels": [event.model_dump(mode="json") for event in events]}


def announce_change(database: Database, connection: Connection, rows: Mapping[str, str], content: Mapping[str, Any]) -> None:
    """Save that this is to be told in these channels, by the key of each; the sweep finds it at once, whoever changed it."""
    if rows:
        values = {"kind": Kind.ANNOUNCEMENT, "state": State.DUE, "wanted": 1, "content": dict(content)}
        connection.execute(
            database.insert(outbox).on_conflict_do_nothing(),
            [{"key": key, "channel": channel, "retry_at": now(), **values} for channel, key in rows.items()],
        )


def watched_channels(connection: Connection) -> set[str]:
    """Return the channels whose every message is labelled: what answers there concerns all in them."""
    return set(connection.execute(select(channels.c.channel).where(channels.c.mode == "auto")).scalars())
