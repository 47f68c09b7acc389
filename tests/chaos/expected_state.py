"""What people did and what the bot acknowledged of it, recorded on Slack's side."""

import time
from collections import Counter

from bot.outbox.replies import ReplyWork
from bot.simulator.errors import Json
from bot.simulator.server import Simulator
from bot.simulator.wire import Transfer
from bot.simulator.workspace import Change

Place = tuple[str, str]  # channel, ts

REPLIES = frozenset({ReplyWork.METADATA, "beto_reply"})  # the metadata of a reply, today and in older releases


class ExpectedState:
    """What people did, and what of it the bot acknowledged."""

    def __init__(self, simulator: Simulator) -> None:
        self.written: dict[Place, None] = {}
        self.gone: set[Place] = set()
        self.repeats: list[Place] = []  # of what was judged, written once all was at rest
        self.heard: dict[str, list[Json]] = {}  # events that were acknowledged, by type
        self.replies: dict[Place, str] = {}
        self.presses: dict[tuple[str, str, str], list[bool]] = {}
        self._unanswered: set[Place] = set()
        self._under_way: dict[int, Transfer] = {}
        self._failed_at = 0.0
        self._outcomes: Counter[str] = Counter()
        self._bot = simulator.workspace.bot_user_id
        self._metadata = {channel.id: channel.metadata for channel in simulator.workspace.channels.values()}
        simulator.wire.watchers.append(self._see)
        simulator.workspace.watchers.append(self._notice)

    def wrote(self, channel: str, ts: str) -> None:
        """Record that a person wrote this message."""
        self.written[channel, ts] = None
        self._unanswered.add((channel, ts))

    def pressed(self, channel: str, ts: str, user: str, *, heard: bool) -> None:
        """Record that a person pressed a button on this reply, and whether the bot acknowledged it."""
        self.presses.setdefault((channel, ts, user), []).append(heard)

    def reply_of(self, channel: str, ts: str) -> str | None:
        """Return the ts of the reply that stands under this message."""
        return self.replies.get((channel, ts))

    def waiting(self) -> int:
        """Return how many messages have no reply yet and are not deleted."""
        return len(self._unanswered - self.gone)

    def at_rest(self, seconds: float) -> bool:
        """Return whether no event is on its way, nor will come again because one failed within so many seconds."""
        return not self._under_way and time.monotonic() - self._failed_at > seconds

    def faults(self) -> dict[str, int]:
        """Return how often each kind of event or call failed between Slack and the bot."""
        return dict(sorted(self._outcomes.items()))

    def _notice(self, change: Change) -> None:
        message = change.message
        if change.kind == "posted" and message.get("user") == self._bot:
            payload = change.channel.metadata.get(message["ts"], {})
            if payload.get("event_type") in REPLIES:
                _, channel, ts = payload["event_payload"]["message"].split(":")
                self.replies[channel, ts] = message["ts"]
                self._unanswered.discard((channel, ts))

    def _see(self, transfer: Transfer) -> None:
        if not transfer.outcome:
            if transfer.kind == "event":
                self._under_way[transfer.id] = transfer
            return
        if transfer.outcome != "ok" and transfer.kind in ("event", "call"):
            self._outcomes[f"{transfer.kind} {transfer.outcome}"] += 1
        if transfer.kind != "event":
            return
        self._under_way.pop(transfer.id, None)
        if transfer.outcome == "ok":
            event = _remembered(transfer.request.get("event", {}))
            if event is not None:
                self.heard.setdefault(str(event.get("type")), []).append(event)
        else:
            self._failed_at = time.monotonic()


def _remembered(event: Json) -> Json | None:
    """Return what is to be remembered of an event; None if it tells nothing that a person did (most, in a long run)."""
    message, previous = event.get("message") or {}, event.get("previous_message") or {}
    if event.get("bot_id") or message.get("bot_id"):
        return None
    if event.get("subtype") != "message_changed":
        return {key: value for key, value in event.items() if key not in ("blocks", "previous_message")}
    if message.get("text") == previous.get("text"):
        return None
    kept = {key: message[key] for key in ("ts", "text", "subtype") if key in message}
    return {key: event[key] for key in ("type", "subtype", "channel", "event_ts")} | {"message": kept}
