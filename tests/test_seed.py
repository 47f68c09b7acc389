"""The shipped messages are what their datasheet promises."""

from collections import Counter
from pathlib import Path

import pytest

from model.labels import seed_taxonomy
from model.learning.dataset import SPLITS, data_sha256, seed_examples
from model.learning.mini import learn_vocabulary
from model.learning.near_duplicates import first_near_duplicates
from model.schema import Example
from model.serving.normalise import normalise

BETO = Path(__file__).parents[2] / "shared" / "beto"


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
    assert first_near_duplicates([example.text for example in examples]) == [None] * len(examples)


def test_no_two_messages_are_of_one_mould(examples: list[Example]) -> None:
    """Templates would make every score too good."""
    openings = Counter(" ".join(example.text.lower().split()[:3]) for example in examples)
    assert max(openings.values()) <= 12


def test_the_test_split_is_frozen() -> None:
    """Scores of different versions can be compared only on the same texts; mend a label, and say so by mending this."""
    data = seed_examples()
    assert [len(data[split]) for split in SPLITS] == [1005, 128, 182]
    assert data_sha256(data["test"])[:12] == "a97cc63246d4"


def test_beto_can_say_every_shipped_message(examples: list[Example]) -> None:
    """No amount, name or emoji is lost as [UNK] in production."""
    if not BETO.exists():
        pytest.skip("BETO's vocab.txt is not at hand")
    from transformers import BertTokenizerFast

    beto = BertTokenizerFast(str(BETO / "vocab.txt"), do_lower_case=False, strip_accents=False)
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
