"""The forms that a network may be served in on a CPU, tried one after the other on dev."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from model.learning.evaluation import micro_f1
from model.learning.lessons import Learner, Lessons
from model.schema import TriedForm
from model.serving import graph
from model.serving.calibration import Matrix, sigmoid
from model.serving.engine import ENGINE_FILE, SMALL, OnnxEngine
from model.serving.graph import Form, Weights, frozen_name
from model.serving.network import save_frozen


def layers_to_learn(learner: Learner) -> Weights:
    """Return the layers that will learn as they are now, for `graph.write`; none where all of the network learns."""
    names = tuple(f"bert.encoder.layer.{number}." for number in range(learner.frozen, learner.network.config.num_hidden_layers))
    if not learner.frozen:
        return {}
    state = learner.network.state_dict()
    return {frozen_name(name): state[name].detach().float().cpu().numpy().copy() for name in state if name.startswith(names)}


def add_engine(
    folder: Path,
    network: Any,
    begun: Weights,
    dev: Lessons,
    exact: Matrix,
    mixed: Callable[[Matrix], Matrix],
    thresholds: Matrix,
) -> tuple[TriedForm, ...]:
    """Write the fastest engine for a CPU that is sound into `folder`, and return the forms that were tried, the last one last.

    `begun` are the layers that have learnt as they were before, which are written for torch as well. `exact` are torch's own
    logits on dev, of which `mixed` returns what the whole makes. No form is tried where only torch can run the network.
    """
    config = network.config.to_dict()
    if not graph.can_pack(config):
        return ()
    tried: list[TriedForm] = []
    weights = {name: tensor.detach().float().cpu().numpy() for name, tensor in network.state_dict().items()} | dict(begun)
    save_frozen(folder, begun)
    truth, known = dev.answers()
    truth = truth * known
    expected = sigmoid(mixed(exact))
    given = (expected >= thresholds) * known
    forms: tuple[Form, ...] = ("fp32",) if network.config.hidden_size <= SMALL else ("int8", "fp32")
    for form in forms:
        graph.write(folder / ENGINE_FILE, weights, config, exact.shape[1], form)
        scores = sigmoid(mixed(OnnxEngine(folder / ENGINE_FILE).logits(dev.encoded)))
        now = (scores >= thresholds) * known
        tried.append(
            TriedForm(
                form=form,
                texts=len(exact),
                change=float(np.abs(scores - expected).max()),
                flipped=int((now != given).sum()),
                decisions=int(known.sum()),
                micro_f1_exact=micro_f1(given, truth),
                micro_f1=micro_f1(now, truth),
            )
        )
        if tried[-1].sound:
            break
        (folder / ENGINE_FILE).unlink()
    return tuple(tried)
