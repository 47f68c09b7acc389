"""A version of BETO's exact shape whose weights are chance: it knows nothing, and is as fast and as large as BETO."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model.labels import seed_taxonomy
from model.learning.dataset import seed_messages
from model.learning.mini import learn_vocabulary
from model.schema import Card
from model.serving.engine import ENGINE_FILE
from model.serving.graph import write
from model.serving.normalise import normalise
from model.serving.version_folder import building, write_card
from model.store.database import now
from model.store.store import Store

NAME = "beto-shape"
VOCABULARY = 31_002
# config.json of dccuchile/bert-base-spanish-wwm-cased.
SHAPE: dict[str, Any] = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
    "pad_token_id": 1,
}


def publish(store: Store, home: Path) -> None:
    """Make version 1 of this shape live in `home`, unless there is a live version."""
    registry = store.registry
    if registry.live() is not None:
        return
    built = registry.run_directory(0) / "version"
    build(built)
    registry.promote(registry.add(built, _card()).number, by="bench", reason="measured")


def build(out: Path) -> None:
    """Make a version folder at `out`, without a baseline: whatever serves can load it."""
    from model.serving.network import quiet_transformers

    transformers = quiet_transformers()
    labels = seed_taxonomy().names
    transformers.set_seed(0)
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: at for at, label in enumerate(labels)}}
    config = transformers.BertConfig(
        vocab_size=VOCABULARY,
        problem_type="multi_label_classification",
        architectures=["BertForSequenceClassification"],
        **names,
        **SHAPE,
    )
    network = transformers.BertForSequenceClassification(config).eval()
    pieces = learn_vocabulary([normalise(example.text) for example in seed_messages()], size=6000)
    pieces += [f"[unused{at}]" for at in range(VOCABULARY - len(pieces))]
    with building(out) as folder:
        (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
        tokenizer = transformers.BertTokenizerFast(
            str(folder / "vocab.txt"), do_lower_case=False, strip_accents=False, model_max_length=512
        )
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        weights = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
        write(folder / ENGINE_FILE, weights, config.to_dict(), len(labels), "int8")
        write_card(folder, _card())


def _card() -> Card:
    labels = seed_taxonomy().names
    return Card(
        base=NAME,
        labels=labels,
        thresholds=dict.fromkeys(labels, 0.5),
        seed=0,
        settings={},
        data_sha256="",
        texts={},
        scores={},
        baseline={},
        seconds=0.0,
        created_at=now().isoformat(timespec="seconds"),
        code_version="",
    )


def chat(count: int, seed: int = 0) -> list[str]:
    """Return texts as long as chat messages are, made of words of the shipped messages.

    Lengths are lognormal: median 18 tokens, 95 % below 80, at most 512. A word of theirs is 1.4 tokens on the average.
    """
    chance = random.Random(seed)
    words = [word for example in seed_messages() for word in example.text.split()]
    lengths = (min(500.0, chance.lognormvariate(2.89, 0.907)) for _ in range(count))
    return [" ".join(_take(chance, words, max(1, round(tokens / 1.4)))) for tokens in lengths]


def _take(chance: random.Random, words: Sequence[str], count: int) -> list[str]:
    return [chance.choice(words) for _ in range(count)]
