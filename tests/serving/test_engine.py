"""The packed graph says what the network says, whoever shares the pass, and is not served where it strays."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from model.schema import TriedForm
from model.serving import graph
from model.serving.calibration import sigmoid
from model.serving.classifier import load
from model.serving.engine import ENGINE_FILE, OnnxEngine, packed, packs, passes
from model.serving.network import TorchEngine, forward, lay_out
from model.serving.version_folder import MANIFEST_FILE, file_sha256

LENGTHS = (2, 512, 3, 40, 41, 7, 7, 7, 120, 2, 90)


def network(**changes: Any) -> Any:
    """A BERT with BETO's kinds of layers, whose weights are chance; large enough to be served in int8."""
    torch.manual_seed(0)
    shape = {
        "vocab_size": 99,
        "hidden_size": 320,
        "num_hidden_layers": 3,
        "num_attention_heads": 5,
        "intermediate_size": 640,
        "num_labels": 7,
        "pad_token_id": 1,
    }
    return transformers.BertForSequenceClassification(transformers.BertConfig(**shape | changes)).eval()


def texts(*lengths: int) -> list[list[int]]:
    chance = np.random.default_rng(0)
    return [[4, *chance.integers(6, 99, length - 2).tolist(), 5] for length in lengths]


def served(net: Any, file: Path, form: graph.Form) -> OnnxEngine:
    weights = {name: tensor.numpy() for name, tensor in net.state_dict().items()}
    graph.write(file, weights, net.config.to_dict(), net.config.num_labels, form)
    return OnnxEngine(file)


@pytest.mark.parametrize(("form", "tolerance"), [("fp32", 1e-4), ("int8", 0.05)])
def test_the_graph_says_what_the_base_made_of_a_text_before_it_learnt(tmp_path: Path, form: graph.Form, tolerance: float) -> None:
    """What people write of a label is compared with messages by that, and a training must not move it under their feet."""
    net, learnt = network(), network()
    with torch.no_grad():
        for parameter in learnt.bert.encoder.layer[1:].parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    weights = {name: tensor.numpy() for name, tensor in learnt.state_dict().items()}
    begun = {name: tensor.numpy() for name, tensor in net.state_dict().items() if name.startswith("bert.encoder.layer.")}
    begun = {name: array for name, array in begun.items() if not name.startswith("bert.encoder.layer.0.")}
    graph.write(
        tmp_path / ENGINE_FILE, weights | {graph.frozen_name(n): a for n, a in begun.items()}, net.config.to_dict(), 7, form
    )
    engine, alone = OnnxEngine(tmp_path / ENGINE_FILE), served(learnt, tmp_path / "alone.onnx", form)
    logits, meanings = engine.logits_and_meanings(texts(*LENGTHS))
    with torch.no_grad():
        made = [net.bert(torch.tensor([ids])).last_hidden_state[0].mean(0).numpy() for ids in texts(*LENGTHS)]
    assert engine.width == 320
    assert alone.width == 0
    assert np.abs(meanings - np.stack(made)).max() < tolerance
    assert np.array_equal(engine.meanings(texts(*LENGTHS)), meanings)
    assert np.array_equal(logits, alone.logits(texts(*LENGTHS)))
    assert np.array_equal(engine.logits(texts(*LENGTHS)), logits)
    session = onnxruntime.InferenceSession(tmp_path / ENGINE_FILE, providers=["CPUExecutionProvider"])
    unasked = session.run(["meanings"], packed(texts(*LENGTHS)) | {"wants_meanings": np.array(False)})
    assert unasked[0].shape == (0, 320)  # who asks for logits alone does not pay for it


def test_a_network_that_torch_serves_has_nothing_beside_its_logits() -> None:
    """Its folder does not hold what the base was; whoever asks gets no column, and no error."""
    engine = TorchEngine(network(), 1, torch.device("cpu"))
    logits, meanings = engine.logits_and_meanings(texts(*LENGTHS))
    assert np.array_equal(logits, engine.logits(texts(*LENGTHS)))
    assert meanings.shape == engine.meanings(texts(*LENGTHS)).shape == (len(LENGTHS), engine.width) == (len(LENGTHS), 0)


@pytest.mark.parametrize(("form", "tolerance"), [("fp32", 1e-5), ("int8", 0.02)])
def test_the_graph_says_what_the_network_says(tmp_path: Path, form: graph.Form, tolerance: float) -> None:
    """People correct what they are shown; it must be what was trained and judged."""
    net = network()
    engine = served(net, tmp_path / ENGINE_FILE, form)
    exact = TorchEngine(net, 1, torch.device("cpu")).logits(texts(*LENGTHS))
    assert engine.form == form
    assert np.abs(sigmoid(engine.logits(texts(*LENGTHS))) - sigmoid(exact)).max() < tolerance
    assert engine.logits([]).shape == (0, 7)


def test_a_packed_pass_teaches_what_a_padded_one_does() -> None:
    """Training without padding is a matter of speed alone: the same answers, and the same gradients."""
    net = network(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0).train()
    gradients = []
    for packed_ in (True, False):
        net.zero_grad()
        if packed_:
            logits = forward(net, lay_out(net, texts(*LENGTHS), 1))
        else:
            ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(text) for text in texts(*LENGTHS)], True, 1)
            logits = net(input_ids=ids, attention_mask=(ids != 1).long()).logits
        logits.square().sum().backward()
        gradients.append([logits.detach(), *(parameter.grad.clone() for parameter in net.parameters())])
    for ours, plain in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, plain, rtol=1e-3, atol=1e-4)


def test_strangers_in_a_pass_change_nothing_in_int8(tmp_path: Path) -> None:
    """One scale for all activations of a pass would let a loud text round a quiet one away."""
    engine = served(network(), tmp_path / ENGINE_FILE, "int8")
    together = engine.logits(texts(*LENGTHS))
    alone = np.concatenate([engine.logits([text]) for text in texts(*LENGTHS)])
    assert np.abs(together - alone).max() < 1e-6


@pytest.mark.parametrize("form", ["fp32", "int8"])
def test_many_who_ask_at_once_are_told_what_one_core_tells_one(tmp_path: Path, form: graph.Form) -> None:
    """How many cores a machine has, and who else asks meanwhile, is no reason for another answer."""
    many = served(network(), tmp_path / ENGINE_FILE, form)
    all_cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(all_cores)})
    try:
        one = OnnxEngine(tmp_path / ENGINE_FILE)
        alone = [one.logits([text]) for text in texts(*LENGTHS)]
    finally:
        os.sched_setaffinity(0, all_cores)
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda text: many.logits([text]), texts(*LENGTHS)))
    assert np.abs(np.concatenate(at_once) - np.concatenate(alone)).max() < 1e-5


def test_a_form_that_strays_is_not_served(tmp_path: Path) -> None:
    """Speed must not cost right answers: the exact form serves then, and the card says why."""
    from model.learning.forms import add_engine
    from model.learning.lessons import Lessons

    net = network()
    with torch.no_grad():  # one loud unit, as real checkpoints have them, but louder: int8 has no steps left for the others
        net.bert.encoder.layer[1].output.LayerNorm.weight[3] = 1e5
    encoded = texts(*(20,) * 40)
    exact = TorchEngine(net, 1, torch.device("cpu")).logits(encoded)
    answers = torch.tensor(exact >= np.median(exact, axis=0)).float()
    lessons = Lessons(encoded, answers, torch.ones_like(answers))
    int8, fp32 = add_engine(tmp_path, net, {}, lessons, exact, lambda logits: logits, sigmoid(np.median(exact, axis=0)))
    assert int8.form == "int8"
    assert not int8.sound
    assert int8.flipped > 0.01 * int8.decisions == 0.01 * 40 * 7
    assert fp32.form == "fp32"
    assert fp32.sound
    assert OnnxEngine(tmp_path / ENGINE_FILE).form == "fp32"


def tried(**changes: Any) -> TriedForm:
    values = {"texts": 100, "change": 0.2, "flipped": 10, "decisions": 1000, "micro_f1_exact": 0.8, "micro_f1": 0.795}
    return TriedForm.model_validate({"form": "int8", **values, **changes})


def test_a_form_is_sound_within_a_decision_in_a_hundred_and_half_a_point() -> None:
    """The bound that operators are promised, at its edges."""
    assert tried().sound
    assert not tried(flipped=11).sound
    assert not tried(micro_f1=0.7949).sound


def test_a_worker_on_a_cpu_loads_no_torch(trained_version: Path) -> None:
    """A worker is ready in a second and stays small; torch alone is 200 MiB."""
    code = (
        "import sys; from pathlib import Path; from model.serving.classifier import load\n"
        f"print(load(Path({str(trained_version)!r}), device='cpu').predict(['perdí la tarjeta'])[0].base)\n"
        "print(sorted({'torch', 'transformers', 'sklearn', 'onnx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["mini", "[]"]


def test_a_version_without_a_graph_is_served_by_torch(trained_version: Path, tmp_path: Path) -> None:
    """Networks of other kinds than BERT, and versions from before, answer the same, only slower."""
    import shutil

    folder = tmp_path / "v1"
    shutil.copytree(trained_version, folder)
    (folder / ENGINE_FILE).unlink()
    manifest = json.loads((folder / MANIFEST_FILE).read_text())
    assert manifest.pop(ENGINE_FILE) == file_sha256(trained_version / ENGINE_FILE)
    (folder / MANIFEST_FILE).write_text(json.dumps(manifest))
    by_torch, by_graph = load(folder, device="cpu"), load(trained_version, device="cpu")
    assert (type(by_torch.engine).__name__, type(by_graph.engine).__name__) == ("TorchEngine", "OnnxEngine")
    for theirs, ours in zip(by_torch.predict(["perdí la tarjeta", ""]), by_graph.predict(["perdí la tarjeta", ""]), strict=True):
        assert theirs.labels == ours.labels
        assert theirs.scores == pytest.approx(ours.scores, abs=2e-5)


@pytest.mark.parametrize(
    ("config", "can"),
    [
        ({}, True),
        ({"model_type": "roberta"}, False),
        ({"hidden_act": "relu"}, False),
        ({"position_embedding_type": "relative_key"}, False),
    ],
)
def test_only_networks_that_it_can_say_are_packed(config: dict[str, Any], can: bool) -> None:
    """A graph that leaves something out would answer, and wrongly."""
    assert graph.can_pack(network().config.to_dict() | config) is can


@settings(deadline=None)
@given(st.lists(st.integers(2, 512), max_size=80))
def test_every_text_is_in_one_pass_and_no_pass_is_mostly_padding(lengths: list[int]) -> None:
    """Padding chat messages to a stranger's length made them slower than one by one."""
    found = list(packs(lengths))
    assert sorted(at for batch in found for at in batch) == list(range(len(lengths)))
    for batch in found:
        sizes = [lengths[at] for at in batch]
        assert len(batch) == 1 or sum(sizes) <= 256
        assert len(sizes) * max(sizes) ** 2 <= 2 * sum(size**2 for size in sizes) + 2**15
    assert sorted(at for batch in passes(lengths, tokens=4096, share=0.75) for at in batch) == list(range(len(lengths)))
    for batch in passes(lengths, tokens=4096, share=0.75):
        sizes = [lengths[at] for at in batch]
        assert len(batch) == 1 or len(sizes) * max(sizes) <= 4096
        assert min(sizes) >= 0.75 * max(sizes)


def test_the_row_knows_where_each_text_stands() -> None:
    """Attention must see a text's own tokens and no others."""
    made = packed([[7, 8, 9], [5], [4, 6]])
    assert made["ids"].tolist() == [7, 8, 9, 5, 4, 6]
    assert made["positions"].tolist() == [0, 1, 2, 0, 0, 1]
    assert made["rows"].tolist() == [[0, 1, 2], [3, 0, 0], [4, 5, 0]]
    assert made["lengths"].tolist() == [3, 1, 2]
    assert made["back"].tolist() == [0, 1, 2, 3, 6, 7]
    assert made["first"].tolist() == [0, 3, 4]
