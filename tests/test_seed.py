"""The shipped messages are what their datasheet promises."""

import hashlib
import json
import os
import re
from collections import Counter
from importlib import resources

import pytest

from model.labels import seed_taxonomy
from model.learning.dataset import SPLITS, data_sha256, divide, seed_examples, seed_messages
from model.learning.mini import learn_vocabulary
from model.learning.near_duplicates import first_near_duplicates
from model.schema import Example
from model.serving.normalise import normalise
from model.text_key import text_key

VOCABULARY = os.environ.get("BETO_VOCABULARY", "")


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    return [example for split in SPLITS for example in seed_examples()[split]]


def test_there_are_enough_of_every_label(examples: list[Example]) -> None:
    """A label with a handful of messages could be neither learnt nor tested."""
    counts = Counter(label for example in examples for label in example.labels)
    assert len(examples) >= 1200
    assert set(counts) == set(seed_taxonomy().names)
    assert min(counts.values()) >= 60
    assert sum(counts.values()) / len(examples) == pytest.approx(1.6, abs=0.1)
    assert sum(not example.labels for example in examples) >= 50


def test_texts_and_ids_are_each_there_once(examples: list[Example]) -> None:
    """A repeat would be trained on and tested on at once."""
    assert len({example.id for example in examples}) == len(examples)
    assert all(example.id == f"seed-{text_key(example.text)[:10]}" for example in examples)
    assert first_near_duplicates([example.text for example in examples]) == [None] * len(examples)


def test_no_two_messages_are_of_one_mould(examples: list[Example]) -> None:
    """Templates would make every score too good."""
    openings = Counter(" ".join(example.text.lower().split()[:3]) for example in examples)
    assert max(openings.values()) <= 12


# By how many messages there were: how many each split has, and a fingerprint of its texts. What is added comes after them.
FROZEN = {
    1315: {"train": (1005, "590418a4b113"), "dev": (128, "a66474fc7125"), "test": (182, "e0e66950298f")},
    1929: {"train": (1455, "6de1b17c17c2"), "dev": (189, "16a0107a74c0"), "test": (285, "c3bc86cf0543")},
}


@pytest.mark.parametrize("count", FROZEN)
def test_no_shipped_message_ever_changes_its_split(count: int) -> None:
    """Whoever has trained on a message may not be tested on it after an upgrade: only the end of the file may grow."""
    whole, then = seed_examples(), divide(seed_messages()[:count])
    for split in SPLITS:
        keys = sorted(text_key(example.text) for example in then[split])
        assert (len(keys), hashlib.sha256("".join(keys).encode()).hexdigest()[:12]) == FROZEN[count][split]
        assert {example.id for example in then[split]} <= {example.id for example in whole[split]}
    assert max(FROZEN) == len(seed_messages())


def test_the_labels_of_the_test_split_are_frozen() -> None:
    """Scores of different versions can be compared only on the same texts; mend a label, and say so by mending this."""
    assert data_sha256(divide(seed_messages()[:1315])["test"])[:12] == "a97cc63246d4"
    assert data_sha256(seed_examples()["test"])[:12] == "62438110c83e"


def test_the_datasheet_counts_what_is_there() -> None:
    """Its tables are read instead of the file."""
    folder = resources.files("model") / "seed"
    sheet = (folder / "DATASHEET.md").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in (folder / "messages.jsonl").read_text(encoding="utf-8").splitlines()]
    labels = Counter(label for row in rows for label in row["labels"])
    countries, styles = (Counter(_NAMES.get(row[of], row[of]) for row in rows) for of in ("country", "style"))
    today, growth = sheet.split("## How they were made")
    assert f"{len(rows):,} Spanish messages" in today
    assert f"{sum(not row['labels'] for row in rows)} messages have none" in today
    assert {name: int(count) for name, count in re.findall(r"\b([a-z]+) \| (\d+) \|", today) if name in labels} == labels
    for of, counts in (("countries", countries), ("styles", styles)):
        line = re.search(rf"^\| {of} \| (.*) \|$", today, re.M)
        assert line
        assert {name: int(count) for name, count in (part.rsplit(" ", 1) for part in line[1].split(", "))} == counts
    cells = re.findall(r"([A-Za-z -]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|", growth)
    grown = {name.strip(): [int(count.replace(",", "")) for count in counts] for name, *counts in cells}
    assert all(before + added == now for before, added, now in grown.values())
    splits = {split: len(examples) for split, examples in seed_examples().items()}
    unlabelled = sum(not row["labels"] for row in rows)
    now = {**labels, **countries, **styles, **splits, "no label": unlabelled, "all": len(rows)}
    assert {name: counts[2] for name, counts in grown.items()} == now


_NAMES = {
    "EC": "Ecuador", "AR": "Argentina", "MX": "Mexico", "ES": "Spain", "PE": "Peru", "CO": "Colombia", "CL": "Chile",
    "noaccents": "no accents", "voice": "voice-like", "caps": "capitals",
}  # fmt: skip


def test_beto_can_say_every_shipped_message(examples: list[Example]) -> None:
    """No amount, name or emoji is lost as [UNK] in production."""
    if not VOCABULARY:
        pytest.skip("BETO_VOCABULARY names no vocab.txt of BETO's")
    from transformers import BertTokenizerFast

    beto = BertTokenizerFast(VOCABULARY, do_lower_case=False, strip_accents=False)
    assert beto.unk_token_id == 3
    lost = [e.text for e in examples if beto.unk_token_id in beto(normalise(e.text))["input_ids"]]
    assert lost == []


def test_mini_can_say_every_shipped_message(examples: list[Example]) -> None:
    """Also those that its vocabulary was not made from."""
    from tokenizers import BertWordPieceTokenizer

    vocabulary = learn_vocabulary([normalise(example.text) for example in seed_examples()["train"]], 2000)
    assert vocabulary[:6] == ["[MASK]", "[PAD]", "[EOS]", "[UNK]", "[CLS]", "[SEP]"]
    mini = BertWordPieceTokenizer({piece: at for at, piece in enumerate(vocabulary)}, lowercase=False, strip_accents=False)
    assert [e.text for e in examples if 3 in mini.encode(normalise(e.text)).ids] == []


def test_the_vocabulary_is_the_same_every_time() -> None:
    """One seed must give one version: also in another process, whose hashes fall differently."""
    import subprocess
    import sys

    program = (
        "from model.learning.dataset import seed_examples; from model.learning.mini import learn_vocabulary;"
        "from model.serving.normalise import normalise;"
        "print(hash(tuple(learn_vocabulary([normalise(e.text) for e in seed_examples()['dev']], 900))))"
    )
    answers = {
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment).stdout
        for environment in ({"PYTHONHASHSEED": "0", "RAYON_NUM_THREADS": "1"}, {"PYTHONHASHSEED": "0"})
    }
    assert len(answers) == 1
