"""What should be there after chaos, and what is."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bot.outbox.replies import METADATA, draw
from bot.simulator.errors import Json
from bot.simulator.server import Simulator
from bot.simulator.wire import Transfer
from bot.simulator.workspace import Change, Workspace
from bot.slack.payloads import microseconds, read_reaction
from bot.views.texts import load_texts
from model.errors import BrokenVersion
from model.labels import seed_taxonomy
from model.serving.version_folder import verify
from model.store.gestures import Gestures
from model.store.label_book import LabelBook
from model.store.registry import Registry
from model.store.runs import Runs
from model.store.store import Store, StoredMessage
from model.store.tables import gestures

TOLD = 20
Place = tuple[str, str]  # channel, ts


class Ledger:
    """What people did and what of it the bot acknowledged, written down on Slack's side."""

    def __init__(self, simulator: Simulator) -> None:
        self.written: dict[Place, None] = {}
        self.gone: set[Place] = set()
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
        """A person wrote this message."""
        self.written[channel, ts] = None
        self._unanswered.add((channel, ts))

    def pressed(self, channel: str, ts: str, user: str, *, heard: bool) -> None:
        """A person pressed a button on this reply, and saw whether it was heard."""
        self.presses.setdefault((channel, ts, user), []).append(heard)

    def reply_of(self, channel: str, ts: str) -> str | None:
        """The ts of the reply that stands under this message."""
        return self.replies.get((channel, ts))

    def waiting(self) -> int:
        """How many messages have no reply yet and are not gone."""
        return len(self._unanswered - self.gone)

    def at_rest(self, seconds: float) -> bool:
        """Whether no event is on its way, nor will come again because one failed within so many seconds."""
        return not self._under_way and time.monotonic() - self._failed_at > seconds

    def faults(self) -> dict[str, int]:
        """How often each thing went wrong between Slack and the bot."""
        return dict(sorted(self._outcomes.items()))

    def _notice(self, change: Change) -> None:
        message = change.message
        if change.kind == "posted" and message.get("user") == self._bot:
            payload = change.channel.metadata.get(message["ts"], {})
            if payload.get("event_type") == METADATA:
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
            event = _told(transfer.request.get("event", {}))
            if event is not None:
                self.heard.setdefault(str(event.get("type")), []).append(event)
        else:
            self._failed_at = time.monotonic()


def _told(event: Json) -> Json | None:
    """What is to be remembered of an event; None where it tells nothing that a person did (most, in a long run)."""
    message, previous = event.get("message") or {}, event.get("previous_message") or {}
    if event.get("bot_id") or message.get("bot_id"):
        return None
    if event.get("subtype") != "message_changed":
        return {key: value for key, value in event.items() if key not in ("blocks", "previous_message")}
    if message.get("text") == previous.get("text"):
        return None
    kept = {key: message[key] for key in ("ts", "text", "subtype") if key in message}
    return {key: event[key] for key in ("type", "subtype", "channel", "event_ts")} | {"message": kept}


def judge(store: Store, home: Path, workspace: Workspace, ledger: Ledger) -> dict[str, Any]:
    """The figures; `wrong` is the sum of all that is not as it should be, with `examples`."""
    examples: list[str] = []
    counts: Counter[str] = Counter()

    def complain(kind: str, about: object) -> None:
        counts[kind] += 1
        if len(examples) < TOLD:
            examples.append(f"{kind}: {about}")

    _judge_replies(store, workspace, ledger, complain)
    kept = _judge_gestures(store, ledger, complain)
    runs = _judge_registry(store, home, complain)
    names = ("lost", "doubled", "wrong_state", "stray", "gestures_lost", "gestures_doubled", "registry")
    return {
        "messages": len(ledger.written),
        "edits_heard": sum(event.get("subtype") == "message_changed" for event in ledger.heard.get("message", ())),
        "deleted": len(ledger.gone),
        "gestures": kept,
        "runs": runs,
        **{name: counts[name] for name in names},
        "wrong": sum(counts.values()),
        "examples": examples,
    }


def _judge_replies(store: Store, workspace: Workspace, ledger: Ledger, complain: Any) -> None:
    """Each message that Slack delivered has one reply, which shows what the store says; one that is gone has none."""
    posted = _posted(workspace)
    heard, deleted, texts = _heard_messages(ledger)
    for place in ledger.written:
        found, stored = posted.get(place, []), store.find_message(workspace.team_id, *place)
        if place in deleted:
            if found:
                complain("stray", f"{place} is deleted and has {found}")
        elif place not in heard and stored is None:
            continue  # Slack gave it up
        elif place in ledger.gone and stored is not None and stored.deleted and not found:
            continue  # its deletion was heard, and Slack never heard of that
        elif not found or stored is None:
            complain("lost", f"{place}: posted {found}, stored {stored}")
        elif len(found) > 1:
            complain("doubled", f"{place} has {found}")
        else:
            _judge_reply(store, workspace, stored, found[0], texts.get(place), complain)


def _posted(workspace: Workspace) -> dict[Place, list[Place]]:
    """Where the replies to each message stand, by the metadata that they carry."""
    posted: dict[Place, list[Place]] = {}
    for channel in workspace.channels.values():
        for ts, metadata in channel.metadata.items():
            if metadata.get("event_type") == METADATA and ts in channel.messages:
                _, where, of = metadata["event_payload"]["message"].split(":")
                posted.setdefault((where, of), []).append((channel.id, ts))
    return posted


def _heard_messages(ledger: Ledger) -> tuple[set[Place], set[Place], dict[Place, str]]:
    """Of the acknowledged events: messages that were told of, those that are deleted, and the last text of those edited."""
    heard: set[Place] = set()
    deleted: set[Place] = set()
    texts: dict[Place, tuple[int, str]] = {}
    for event in [*ledger.heard.get("message", ()), *ledger.heard.get("app_mention", ())]:
        match event.get("subtype"):
            case None if not event.get("bot_id"):
                heard.add((event["channel"], event["ts"]))
            case "message_deleted":
                deleted.add((event["channel"], event["deleted_ts"]))
            case "message_changed" if event["message"].get("subtype") == "tombstone":
                deleted.add((event["channel"], event["message"]["ts"]))
            case "message_changed":
                place, at = (event["channel"], event["message"]["ts"]), microseconds(event["event_ts"])
                if at >= texts.get(place, (0, ""))[0]:
                    texts[place] = at, event["message"]["text"]
    return heard, deleted, {place: text for place, (_, text) in texts.items()}


def _judge_reply(store: Store, workspace: Workspace, stored: StoredMessage, at: Place, text: str | None, complain: Any) -> None:
    """The reply `at` this place shows what the store says, which is about the words that stand there."""
    message = stored.message
    place = (message.channel, message.ts)
    own = str(workspace.channels[message.channel].messages.get(message.ts, {}).get("text", ""))
    if text == own and message.text not in store.mask(own):
        complain("wrong_state", f"{place} says {own!r}, stored is {message.text!r}")
    shown = workspace.channels[at[0]].messages[at[1]]
    if shown.get("thread_ts") != message.ts:
        complain("stray", f"{place} is answered outside its thread")
    expected, found = list(_words(_expected(store, stored))), list(_words(shown.get("blocks")))
    if not expected or found != expected:
        complain("wrong_state", f"{place} shows {found}, not {expected}")


def _expected(store: Store, stored: StoredMessage) -> Any:
    """The blocks that the reply should have."""
    taxonomy = LabelBook(store).current()
    judged = Gestures(store).judged(stored.id, taxonomy)
    prediction = store.latest_prediction(stored.id)
    if judged is None or prediction is None:
        return None
    return draw(stored.message, prediction, judged, taxonomy, load_texts("es"))[1]


def _words(blocks: Any) -> Iterator[str]:
    """Everything in the blocks that people read."""
    if isinstance(blocks, list):
        for each in blocks:
            yield from _words(each)
    elif isinstance(blocks, dict):
        for key, value in blocks.items():
            if key == "text" and isinstance(value, str):
                yield value
            else:
                yield from _words(value)


def _judge_gestures(store: Store, ledger: Ledger, complain: Any) -> int:
    """Each gesture that was acknowledged is kept once, and nothing that nobody made."""
    with store.reading() as connection:
        rows = connection.execute(select(gestures)).all()
    kept = Counter(
        (row.channel, row.item_ts, row.user, row.handle, row.at, row.withdrawn) for row in rows if row.via == "reaction"
    )
    made = set()
    for event in [*ledger.heard.get("reaction_added", ()), *ledger.heard.get("reaction_removed", ())]:
        read = read_reaction(event, taxonomy=seed_taxonomy(), bot_user="")
        if read is not None:
            channel, item, gesture = read
            made.add((channel, item, gesture.user, gesture.handle, gesture.at, gesture.withdrawn))
    for key in made:
        if not kept[key]:
            complain("gestures_lost", key)
    for key, count in kept.items():
        if count > 1:
            complain("gestures_doubled", f"{key}: {count} times")
    pressed = Counter((row.channel, row.item_ts, row.user) for row in rows if row.via == "button")
    for place, heard in ledger.presses.items():
        if pressed[place] < sum(heard):
            complain("gestures_lost", f"{place}: {sum(heard)} presses heard, {pressed[place]} kept")
        elif pressed[place] > len(heard):
            complain("gestures_doubled", f"{place}: {len(heard)} presses, {pressed[place]} kept")
    return len(rows)


def _judge_registry(store: Store, home: Path, complain: Any) -> dict[str, int]:
    """Every listed version is whole, one is live, and every run is over."""
    registry, runs = Registry(store, home), Runs(store)
    if registry.live() is None:
        complain("registry", "no version is live")
    for version in registry.all():
        try:
            verify(version.folder)
        except BrokenVersion as error:
            complain("registry", error)
    last = runs.last()
    found: Counter[str] = Counter()
    for run_id in range(1, 1 + (0 if last is None else last.id)):
        run = runs.get(run_id)
        if run is not None:
            found[run.status if run.error is None else f"{run.status}: {run.error}"] += 1
            if not run.over:
                complain("registry", f"run {run_id} is {run.status}")
    return dict(found)
