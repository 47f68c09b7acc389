"""The first version of a team that has labels and no message of theirs: what is written of the labels is all that it knows.

Behind torch's second door, as `training` is, in whose place it stands.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from model.errors import BaseUnavailable
from model.labels import Taxonomy
from model.learning.baseline import Baseline
from model.learning.bases import e5
from model.learning.dataset import data_sha256, seed_messages
from model.learning.descriptions import BACKGROUND, Describer, sample, untaught
from model.learning.evaluation import score
from model.learning.recipe import MINI, TRAINED_LAYERS, name_of, open_base
from model.learning.training import code_version
from model.schema import UNTAUGHT, Card, Example, Mixture
from model.serving import graph
from model.serving.described import DESCRIBED_FILE, GIVEN_FROM, save_described
from model.serving.engine import ENGINE_FILE, SMALL
from model.serving.lexical import LexicalModel
from model.serving.mixture import save_mixture
from model.serving.network import is_packed, save_frozen
from model.serving.version_folder import building, check_free, write_card

# A logit of all labels: nothing but what is written of them speaks.
SILENT = -12.0


def is_all_there_is(base: str, taxonomy: Taxonomy, examples: Sequence[Example]) -> bool:
    """Return whether not one message carries any of the labels, and the base knows the language by itself."""
    return base != MINI and len(untaught(taxonomy.names, examples)) == len(taxonomy)


def describe_version(taxonomy: Taxonomy, examples: Sequence[Example], *, base: str, out: Path, home: Path) -> Card:
    """Write a version to `out` that knows the labels by what is written of them, and return its card; nothing is trained.

    `examples` are what there is besides, for the card's hash. Raises BaseUnavailable, also for a base that is no BERT, and
    ModelError where `out` exists or cannot be written.
    """
    began = time.monotonic()
    check_free(out)
    network, tokenizer = open_base(str(e5.unpacked(home)) if base == e5.NAME else base, taxonomy.names)
    if not is_packed(network):
        raise BaseUnavailable(f"{base!r} cannot tell labels by what is written of them: take `e5`, or label some messages first")
    labels = len(taxonomy)
    config = network.config.to_dict()
    weights = {name: tensor.detach().float().cpu().numpy() for name, tensor in network.state_dict().items()}
    first = max(1, network.config.num_hidden_layers - TRAINED_LAYERS)
    learns = tuple(f"bert.encoder.layer.{number}." for number in range(first, network.config.num_hidden_layers))
    weights |= {graph.frozen_name(name): weights[name] for name in weights if name.startswith(learns)}
    empty = score([], [], taxonomy.names)
    card = Card(
        base=name_of(base),
        origin=e5.ORIGIN if base == e5.NAME else "",
        labels=taxonomy.names,
        thresholds=dict.fromkeys(taxonomy.names, round(GIVEN_FROM, 3)),
        seed=0,
        settings={"base": base, UNTAUGHT: ",".join(taxonomy.names)},
        data_sha256=data_sha256(examples),
        texts={"train": 0, "dev": 0, "test": 0},
        scores={"dev": empty, "test": empty},
        baseline={"dev": empty, "test": empty},
        seconds=0.0,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        code_version=code_version(),
        mixture=Mixture(encoder=0.0, lexical=0.0, shift=SILENT),
    )
    silent = LexicalModel(
        taxonomy.names, {}, {}, np.zeros(0, np.float32), np.zeros((0, labels), np.float32), np.full(labels, SILENT, np.float32)
    )
    with building(out) as folder:
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        graph.write(folder / ENGINE_FILE, weights, config, labels, "fp32" if network.config.hidden_size <= SMALL else "int8")
        save_frozen(folder, weights)
        Baseline(silent, threshold=0.5).save(folder)
        assert card.mixture is not None
        save_mixture(folder, card.mixture)
        background = sample([example.text for example in seed_messages()], BACKGROUND)
        described = Describer(folder).describe(taxonomy, taxonomy.names, background, [])
        assert described is not None  # the graph has been written for it
        save_described(described, folder / DESCRIBED_FILE)
        card = card.model_copy(update={"seconds": round(time.monotonic() - began, 1)})
        write_card(folder, card)
    return card
