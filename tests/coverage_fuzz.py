"""Input at the entries that parse, led by what it reaches in the code: `pip install atheris`, then

    python -m tests.coverage_fuzz data -max_total_time=60

TARGET is one of `data`, `payload`, `text`; everything after it goes to libFuzzer. Beside `test_fuzz.py`, whose inputs are drawn
blindly: these grow out of whatever took another branch. What fails is left as `crash-*` in the present folder.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["bot", "model"]):
    from model.errors import BadData
    from model.labels import seed_taxonomy
    from model.learning.dataset import read_examples, seed_messages
    from model.masking import mask
    from model.serving.normalise import normalise
    from tests.test_fuzz import SURFACES, mutated, read

LABELS = seed_taxonomy()
VALUES: list[Any] = [None, "", "\0", "\ud800", "1.000001", "U1", [], {}, [{}], {"id": "U1"}, 0, -1, 1e400, True]


class Chance:
    """`random.Random`, as far as `mutated` needs it, whose outcomes libFuzzer chooses."""

    def __init__(self, content: bytes) -> None:
        self._bytes = atheris.FuzzedDataProvider(content)

    def choice(self, options: Sequence[Any]) -> Any:
        """One of them."""
        return options[self._bytes.ConsumeIntInRange(0, len(options) - 1)]

    def random(self) -> float:
        """Between 0 and 1."""
        return float(self._bytes.ConsumeProbability())

    def words(self) -> str:
        """A text of up to fifty characters, halves of pairs among them."""
        return str(self._bytes.ConsumeUnicode(50))


def data(content: bytes) -> None:
    """A file to import (CSV where it begins with `C`): its place is in the error, and what is read can be kept."""
    file = Path(FOLDER.name, f"data{'.csv' if content[:1] == b'C' else '.jsonl'}")
    file.write_bytes(content[1:])
    refused = str(file)
    try:
        for example in read_examples(file, LABELS):
            example.text.encode("utf-8")  # or nothing would keep it
    except BadData as error:
        refused = str(error)
    assert str(file) in refused


def payload(content: bytes) -> None:
    """A request of Slack's in which up to four things are something else: nothing is raised."""
    chance = Chance(content)
    event = chance.choice(SURFACES)
    for _ in range(chance.choice(range(4)) + 1):
        value = chance.choice([*VALUES, "words"])
        event = mutated(event, chance, chance.words() if value == "words" else value)
    read(event)


def text(content: bytes) -> None:
    """What people write: what is masked stays so, and what is said stays said."""
    masked = mask(content.decode("utf-8", "replace"))
    assert mask(masked) == masked
    assert normalise(normalise(masked)) == normalise(masked)


TARGETS: dict[str, Callable[[bytes], None]] = {each.__name__: each for each in (data, payload, text)}


def seeds(target: str) -> Iterator[bytes]:
    """What it begins with."""
    for example in seed_messages()[:40]:
        if target == "text":
            yield f"{example.text} 4111 1111 1111 1111, 1710034065, <@U1|ana> ana@banco.ec +593 99 123 4567".encode()
        elif target == "data":
            yield b"J" + json.dumps({"text": example.text, "labels": example.labels, "by": "U1"}).encode()
            yield f'Ctext,labels,unknown\n"{example.text}",{"|".join(example.labels)},\n'.encode()


if __name__ == "__main__":
    if sys.argv[1:2] == [] or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: python -m tests.coverage_fuzz {{{','.join(TARGETS)}}} [libFuzzer's options]")
    target = sys.argv.pop(1)
    FOLDER = tempfile.TemporaryDirectory(prefix="beto-fuzz-")
    corpus = Path(FOLDER.name, "corpus")
    corpus.mkdir()
    for number, seed in enumerate(seeds(target)):
        (corpus / str(number)).write_bytes(seed)
    atheris.Setup([*sys.argv, str(corpus)], TARGETS[target])
    atheris.Fuzz()
