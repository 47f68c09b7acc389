"""Evaluation after a chaos run: what should be there, and what is."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bot.outbox.replies import render_reply
from bot.simulator.workspace import Workspace
from bot.slack.payloads.events import ReactionEvent
from bot.slack.payloads.parsing import parse_event
from bot.slack.payloads.payload import microseconds
from bot.views.native import Block, classic_form
from bot.views.texts import load_texts
from model.errors import BrokenVersion
from model.labels import Taxonomy, fold_labels, seed_taxonomy
from model.learning.judged import JudgedSoFar
from model.reactions import Signs
from model.serving.version_folder import verify
from model.store.outbox_row import State, reply_key
from model.store.store import Store
from model.store.stored_message import StoredMessage
from model.store.tables import gestures
from model.text_key import text_key
from tests.chaos.expected_state import REPLIES, ExpectedState, Place
from tests.chaos.routes import evaluate_routes
from tests.https import Hook

MOST_EXAMPLES = 20


def evaluate(
    store: Store, home: Path, workspace: Workspace, expected: ExpectedState, hook: Hook | None = None
) -> dict[str, Any]:  # fmt: skip
    """Return the figures; `wrong` is the sum of all that is not as it should be, with `examples`."""
    examples: list[str] = []
    counts: Counter[str] = Counter()

    def report(kind: str, about: object) -> None:
        counts[kind] += 1
        if len(examples) < MOST_EXAMPLES:
            examples.append(f"{kind}: {about}")

    given_up = _evaluate_replies(store, workspace, expected, report)
    kept = _evaluate_gestures(store, expected, report)
    _evaluate_corrections(store, expected, report)
    runs = _evaluate_registry(store, home, report)
    routes = {} if hook is None else evaluate_routes(store, workspace, hook, label_sets(store), report)
    names = ["lost", "doubled", "wrong_state", "stray", "gestures_lost", "gestures_doubled", "uncorrected", "registry"]
    names += ["routes_lost", "routes_doubled", "routes_forged", "routes_wrong"]
    return {
        "messages": len(expected.written),
        "edits_heard": sum(event.get("subtype") == "message_changed" for event in expected.heard.get("message", ())),
        "deleted": len(expected.gone),
        "given_up_by_slack": given_up,
        "gestures": kept,
        "repeats": len(expected.repeats),
        "runs": runs,
        "routes": routes,
        **{name: counts[name] for name in names},
        "wrong": sum(counts.values()),
        "examples": examples,
    }


def _evaluate_replies(store: Store, workspace: Workspace, expected: ExpectedState, report: Any) -> int:
    """Report each delivered message without exactly one right reply, and each deleted one with any.

    Return how many Slack gave up, since no delivery of them was acknowledged.
    """
    posted, given_up = _posted(workspace), []
    heard, deleted, texts = _heard_messages(expected)
    sets = label_sets(store)
    for place in expected.written:
        found, stored = posted.get(place, []), store.messages.find(*place)
        if place in deleted:
            if found:
                report("stray", f"{place} is deleted and has {found}")
        elif place not in heard and stored is None:
            given_up.append(place)  # by Slack
        elif place in expected.gone and stored is not None and stored.deleted and not found:
            continue  # its deletion was heard, and Slack never heard of that
        elif place in expected.gone and stored is not None and not found and _is_taken_back(store, stored):
            continue  # Slack gave its deletion up, and put the reply into the channel, from where it was taken away
        elif not found or stored is None:
            report("lost", f"{place}: posted {found}, stored {stored}")
        elif len(found) > 1:
            report("doubled", f"{place} has {found}")
        else:
            _evaluate_reply(store, workspace, stored, found[0], texts.get(place), sets, report)
    return len(given_up)


def _posted(workspace: Workspace) -> dict[Place, list[Place]]:
    """Return the places of the replies to each message, by the metadata that they carry."""
    posted: dict[Place, list[Place]] = {}
    for channel in workspace.channels.values():
        for ts, metadata in channel.metadata.items():
            if metadata.get("event_type") in REPLIES and ts in channel.messages:
                _, where, of = metadata["event_payload"]["message"].split(":")
                posted.setdefault((where, of), []).append((channel.id, ts))
    return posted


def _is_taken_back(store: Store, stored: StoredMessage) -> bool:
    row = store.outbox.get(reply_key(stored.id))
    return row is not None and row.state is State.GONE


def _heard_messages(expected: ExpectedState) -> tuple[set[Place], set[Place], dict[Place, str]]:
    """Return what the acknowledged events say: messages posted, messages deleted, and the last text of those edited."""
    heard: set[Place] = set()
    deleted: set[Place] = set()
    texts: dict[Place, tuple[int, str]] = {}
    for event in [*expected.heard.get("message", ()), *expected.heard.get("app_mention", ())]:
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


def _evaluate_reply(
    store: Store,
    workspace: Workspace,
    stored: StoredMessage,
    at: Place,
    text: str | None,
    sets: Sequence[Taxonomy],
    report: Any,
) -> None:
    """Report where the reply `at` this place does not show what the store says of the words that stand there."""
    message = stored.message
    place = (message.channel, message.ts)
    own = str(workspace.channels[message.channel].messages.get(message.ts, {}).get("text", ""))
    if text == own and message.text not in store.mask(own):
        report("wrong_state", f"{place} says {own!r}, stored is {message.text!r}")
    shown = workspace.channels[at[0]].messages[at[1]]
    if shown.get("thread_ts") != message.ts:
        report("stray", f"{place} is answered outside its thread")
    found = list(_without_source(_words(shown.get("blocks"))))
    expected = [list(_words(form)) for taxonomy in sets for form in _expected(store, stored, taxonomy)]
    if not any(expected) or found not in expected:
        report("wrong_state", f"{place} shows {found}, not {expected[-2:]}")


def label_sets(store: Store) -> list[Taxonomy]:
    """Return the sets of labels that there were, the newest last: a reply is in those of the moment when it was rendered."""
    events = store.labels.events()
    return [fold_labels(seed_taxonomy(), events[:upto]) for upto in range(len(events) + 1)]


def _expected(store: Store, stored: StoredMessage, taxonomy: Taxonomy) -> list[list[Block]]:
    """Return the blocks that the reply should have in these labels, in the native form and in the classic one; none of both if
    there is nothing to show yet.
    """
    judged = store.judged.of(stored.id, taxonomy)
    prediction = store.predictions.latest(stored.id)
    if judged is None or prediction is None:
        return []
    shown = render_reply(stored.message, prediction, judged, taxonomy, load_texts("es"))[1]
    return [shown, classic_form(shown)]


def _without_source(words: Iterable[str]) -> Iterator[str]:
    """Yield the words without whose word a repeat repeats: that is true of the moment when it was rendered."""
    for each in words:
        lines = [line for line in each.splitlines() if not line.startswith("como en ")]
        if lines or not each:
            yield "\n".join(lines)


def _words(blocks: Any) -> Iterator[str]:
    """Yield everything in the blocks that people read."""
    if isinstance(blocks, list):
        for each in blocks:
            yield from _words(each)
    elif isinstance(blocks, dict):
        for key, value in blocks.items():
            if key == "text" and isinstance(value, str):
                yield value
            else:
                yield from _words(value)


def _evaluate_gestures(store: Store, expected: ExpectedState, report: Any) -> int:
    """Report gestures that were acknowledged and are not kept exactly once; return how many are kept.

    An emoji is one in the labels of the moment when it was heard: surely where it has a meaning in all that there were.
    """
    sets = label_sets(store)
    with store.database.reading() as connection:
        rows = connection.execute(select(gestures)).all()
    kept = Counter(
        (row.channel, row.item_ts, row.user, row.handle, row.at, row.withdrawn) for row in rows if row.via == "reaction"
    )
    made = set()
    for event in [*expected.heard.get("reaction_added", ()), *expected.heard.get("reaction_removed", ())]:
        parsed = parse_event(event)
        meant = [parsed.reaction(each, Signs(), bot_user="") for each in sets] if isinstance(parsed, ReactionEvent) else []
        found = [each for each in meant if each is not None and each[1].kind is not None]
        if found and len(found) == len(sets):
            (channel, item), reaction = found[0]
            made.add((channel, item, reaction.user, reaction.handle, reaction.at, reaction.withdrawn))
    for key in made:
        if not kept[key]:
            report("gestures_lost", key)
    for key, count in kept.items():
        if count > 1:
            report("gestures_doubled", f"{key}: {count} times")
    pressed = Counter((row.channel, row.item_ts, row.user) for row in rows if row.via == "button")
    for place, heard in expected.presses.items():
        if pressed[place] < sum(heard):
            report("gestures_lost", f"{place}: {sum(heard)} presses heard, {pressed[place]} kept")
        elif pressed[place] > len(heard):
            report("gestures_doubled", f"{place}: {len(heard)} presses, {pressed[place]} kept")
    return len(rows)


def _evaluate_corrections(store: Store, expected: ExpectedState, report: Any) -> None:
    """Report each repeat of a judged message that is not answered as that was judged, by the version with all corrections."""
    if not expected.repeats:
        return
    taxonomy = store.labels.recorded()
    judged = {text_key(each.example.text): each.example for each in JudgedSoFar(store).read(taxonomy).values()}
    live = store.registry.live()
    newest = None if live is None else store.refits.newest(live.number)
    for place in expected.repeats:
        stored = store.messages.find(*place)
        prediction = None if stored is None else store.predictions.latest(stored.id)
        if stored is None or prediction is None or live is None or newest is None:
            report("uncorrected", f"{place}: {stored}, {prediction}, {live}, {newest}")
            continue
        said = judged.get(text_key(stored.message.text))
        if said is None:
            report("uncorrected", f"{place} repeats {stored.message.text!r}, which nobody judged")
            continue
        given = tuple(sorted(set(taxonomy.today(prediction.labels)) - set(said.unknown)))
        answer = (prediction.version, prediction.corrections, given)
        if answer != (live.number, newest.corrections, tuple(sorted(said.labels))):
            report("uncorrected", f"{place} is answered {answer}, was judged {said.labels}, by {newest}")


def _evaluate_registry(store: Store, home: Path, report: Any) -> dict[str, int]:
    """Report broken versions, a missing live version and unfinished runs; return how many runs ended in which way."""
    registry, runs = store.registry, store.runs
    if registry.live() is None:
        report("registry", "no version is live")
    for version in registry.all():
        try:
            verify(version.folder)
        except BrokenVersion as error:
            report("registry", error)
    last = runs.last()
    found: Counter[str] = Counter()
    for run_id in range(1, 1 + (0 if last is None else last.id)):
        run = runs.get(run_id)
        if run is not None:
            found[run.status if run.error is None else f"{run.status}: {run.error}"] += 1
            if not run.over:
                report("registry", f"run {run_id} is {run.status}")
    return dict(found)
