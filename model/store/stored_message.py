"""A message as the store knows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from model.schema import Message, Source
from model.store.database import aware


@dataclass(frozen=True)
class StoredMessage:
    """A message as the store knows it now; `text` is empty once it was deleted."""

    id: int
    message: Message
    revision: int
    received_at: datetime
    deleted: bool
    offered: Mapping[str, str] = field(default_factory=dict)  # the emoji that we put on it, and for which label
    asked: bool = False  # somebody wants its reply, whatever the channel shows

    @classmethod
    def of(cls, row: Row[Any]) -> "StoredMessage":
        """Read a row of `messages`."""
        return cls(
            id=row.id,
            message=Message(
                channel=row.channel,
                ts=row.ts,
                thread_ts=row.thread_ts,
                user=row.user,
                text=row.text,
                source=Source(row.source),
                response_url=row.response_url,
                blind=row.blind,
            ),
            revision=row.revision,
            received_at=aware(row.received_at),
            deleted=row.deleted_at is not None,
            offered=row.offered or {},
            asked=row.asked,
        )
