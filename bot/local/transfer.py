"""`beto import` and `beto export`: labelled messages between the store and files."""

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from model import gesture_handles
from model.errors import BadData
from model.judgements import Gesture, Kind
from model.learning.dataset import STANDARD, read_examples, write_examples
from model.learning.retraining import judged_example
from model.schema import Example
from model.settings import ModelSettings
from model.store.judged_messages import JudgedMessage
from model.store.store import Store
from model.text_key import text_key

PSEUDONYM_KEY_FILE = "pseudonyms.key"


def import_file(settings: ModelSettings, path: Path) -> str:
    """Save every line of the file, or, where one is wrong, none (BadData names it), and return a sentence with counts.

    A line with the `id` of a message that we know and with `by` is taken as that person's word on it, unless it says what
    stands already; every other line as a labelled text.
    """
    store = _open(settings)
    try:
        read = read_examples(path, store.labels.current())
        if nul := next((at for at, example in enumerate(read, 1) if "\0" in example.text), None):
            raise BadData(f"{path}, message {nul}: the text holds a NUL, which PostgreSQL does not keep")
        examples = [
            # Before anything is looked up: what is kept, and its key, are of the masked text.
            example.model_copy(update={"text": store.mask(example.text)})
            for example in read
        ]
        judged = [(message, example) for example in examples if (message := _message_of(store, example)) is not None]
        of_messages = {id(example) for _, example in judged}
        texts = [example for example in examples if id(example) not in of_messages]
        new, changed = store.examples.save([(text_key(example.text), example) for example in texts])
        words = sum(_judge(store, message, example) for message, example in judged)
    finally:
        store.close()
    same = len(examples) - new - changed - words
    return (
        f"{len(examples)} messages read: {new} new, {changed} with other labels than before, "
        f"{words} judged anew, {same} as they were"
    )


def export_file(settings: ModelSettings, path: Path, *, corrections: bool = False, pseudonyms: bool = False) -> str:
    """Write every message that was judged, and then every one that was imported, and return a sentence with the count.

    A judged message carries its channel, its time, what the newest version says of it, notes, and what each person said.
    With `corrections` only those where people said otherwise than the network. With `pseudonyms` people are named by a
    keyed hash, the same in every export from this BETO_HOME.
    """
    store = _open(settings)
    try:
        key = _pseudonym_key(settings.home_folder) if pseudonyms else None
        written = list(_judged(store, key, corrections=corrections))
        if not corrections:
            written += [(_named(each, key), {}) for each, _ in store.examples.all()]
    finally:
        store.close()
    write_examples(path, (example for example, _ in written), (details for _, details in written))
    return f"{len(written)} messages written to {'standard output' if path == STANDARD else path}"


def _judged(store: Store, key: bytes | None, *, corrections: bool) -> Iterator[tuple[Example, dict[str, Any]]]:
    """Yield each judged message and its details; people are named by a hash with `key` where there is one."""
    names = store.labels.current().names
    for each in store.judged.messages(store.labels.current()):
        example = judged_example(each)
        if example is not None and (not corrections or _is_correction(each)):
            yield _named(example, key), _details(each, names, key)


def _is_correction(judged: JudgedMessage) -> bool:
    state = judged.state
    return any(label.applies is not None and label.applies != (name in state.predicted) for name, label in state.labels.items())


def _details(judged: JudgedMessage, names: Sequence[str], key: bytes | None) -> dict[str, Any]:
    """Return what else there is to tell of a judged message. What a person denied stands with a `!` before it."""
    row, state, prediction = judged.row, judged.state, judged.prediction
    details: dict[str, Any] = {
        "channel": row.channel,
        "time": datetime.fromtimestamp(float(row.ts), UTC).isoformat(timespec="seconds"),
        "version": "" if prediction is None else prediction.version,
        "probability": {} if prediction is None else {name: round(p, 4) for name, p in prediction.scores.items()},
        "note": "\n".join(each.note for each in judged.said if each.note and not each.gesture.withdrawn),
    }
    for user in state.judges:
        details[f"said:{user if key is None else _pseudonym(key, user)}"] = [
            *(name for name in names if user in state.labels[name].yes),
            *(f"!{name}" for name in names if user in state.labels[name].no),
        ]
    return details


def _named(example: Example, key: bytes | None) -> Example:
    return example if key is None else example.model_copy(update={"by": tuple(_pseudonym(key, user) for user in example.by)})


def _message_of(store: Store, example: Example) -> int | None:
    """Return the message of this line, if it names one that we know with this text, and somebody who judged it."""
    if not example.by or example.id is None or example.id.count(":") not in (1, 2):
        return None
    channel, ts = example.id.split(":")[-2:]  # 0.1.0 wrote the workspace before them
    stored = store.messages.find(channel, ts)
    return stored.id if stored is not None and stored.message.text == example.text else None


def _judge(store: Store, message_id: int, example: Example) -> bool:
    """Save the line as a judgement of each person that it names, and return whether it said something new."""
    gestures = store.gestures
    judged = store.judged.of(message_id, store.labels.current())
    stored = store.messages.get(message_id)
    assert judged is not None
    assert stored is not None
    stands = {name for name, label in judged.state.labels.items() if label.applies}
    if stands == set(example.labels) and set(judged.state.unknown) == set(example.unknown):
        return False
    message = stored.message
    for user in example.by:
        gesture = Gesture(
            user=user,
            handle=gesture_handles.of_import(user, message.ts),
            at=time.time_ns() // 1000,
            kind=Kind.SET,
            labels=example.labels,
            silent=example.unknown,
            via="import",
        )
        gestures.add(gesture, channel=message.channel, item_ts=message.ts)
    return True


def _pseudonym(key: bytes, user: str) -> str:
    return "P" + hmac.new(key, user.encode(), hashlib.sha256).hexdigest()[:12]


def _pseudonym_key(home: Path) -> bytes:
    """Return the key of this BETO_HOME, made at its first use; without it nobody can tell who is who by trying ids."""
    path = home / PSEUDONYM_KEY_FILE
    try:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes()
    with os.fdopen(file, "wb") as new:
        new.write(key := secrets.token_bytes(32))
    return key


def _open(settings: ModelSettings) -> Store:
    store = Store(settings.store_url, settings.home_folder, mask_personal=settings.mask_personal)
    store.migrate()
    return store
