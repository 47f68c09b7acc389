"""A BERT as one ONNX graph over packed tokens: the texts of a pass stand behind each other in one row, without padding.

All but attention works token by token, so only attention needs to know where a text ends: there alone the row is laid
out as texts x longest, and taken back. In the last layer only the first token of each text is worked out, which is all
that is read of it. `com.microsoft` operators are ONNX Runtime's own (its docs/ContribOperators.md).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Form = Literal["int8", "fp32"]
Weights = Mapping[str, NDArray[np.float32]]  # by their names

_ZERO_POINT = 128  # of activations, which are unsigned


def can_pack(config: Mapping[str, Any]) -> bool:
    """Return whether `write` can express a network with this config.json."""
    return (
        config.get("model_type") == "bert"
        and config.get("hidden_act") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
    )


def write(file: Path, weights: Weights, config: Mapping[str, Any], labels: int, form: Form) -> None:
    """Write the network to `file`: its inputs are what `engine.packed` makes, its output is `logits` (texts x `labels`).

    `weights` are a transformers BertForSequenceClassification's, by their names there. In int8 each row of a matrix has a
    scale of its own, and so has each token, by its largest activation: a text's scores never depend on the texts beside it.

    Where they hold the highest layers as they were before they learnt, under the names of `frozen_name`, there is a second
    output, `meanings` (texts x width): the mean of what those make of each token. It is worked out where the input
    `wants_meanings` says so, and has no rows otherwise.
    """
    graph = _Graph(weights, form)
    heads, layers, epsilon = config["num_attention_heads"], config["num_hidden_layers"], config["layer_norm_eps"]
    position = weights["bert.embeddings.position_embeddings.weight"] + weights["bert.embeddings.token_type_embeddings.weight"][0]
    word = weights["bert.embeddings.word_embeddings.weight"]
    words = graph.gather(graph.constant(word.astype(np.float16) if form == "int8" else word), "ids")
    summed = graph.add(graph.node("Cast", words, to=TensorProto.FLOAT), graph.gather(graph.constant(position), "positions"))
    x = graph.node("LayerNormalization", summed, *graph.norm("bert.embeddings.LayerNorm"), axis=-1, epsilon=epsilon)
    frozen = [number for number in range(layers) if frozen_name(f"bert.encoder.layer.{number}.output.dense.weight") in weights]
    shared = frozen[0] if frozen else layers
    layer = partial(_add_layer, graph, heads=heads, width=config["hidden_size"], epsilon=epsilon)
    for number in range(shared):
        x = layer(x, f"bert.encoder.layer.{number}", last=number == layers - 1)
    below = x
    for number in frozen:
        x = layer(x, f"bert.encoder.layer.{number}", last=number == layers - 1)
    pooled = graph.node("Tanh", graph.exact_linear(x, "bert.pooler.dense"))
    graph.node("Identity", graph.exact_linear(pooled, "classifier"), output="logits")
    if frozen:
        with graph.branch() as wanted:
            meaning = below
            for number in frozen:
                meaning = layer(meaning, frozen_name(f"bert.encoder.layer.{number}"), last=False)
            meaning = graph.mean_of_texts(meaning)
        graph.choice("wants_meanings", (wanted, meaning), width=config["hidden_size"], output="meanings")
    onnx.save(graph.finished(labels, form, width=config["hidden_size"] if frozen else 0), file)


def frozen_name(name: str) -> str:
    """Return under which name `write` takes a layer's part as it was before it learnt."""
    return f"frozen.{name}"


def _add_layer(graph: "_Graph", x: str, layer: str, *, last: bool, heads: int, width: int, epsilon: float) -> str:
    """Add a layer; the last one works out the first token of each text alone."""
    attention = [f"{layer}.attention.self.{name}" for name in ("query", "key", "value")]
    if last:
        key, value = (graph.gather(graph.product(x, name), "rows") for name in attention[1:])
        x = graph.gather(x, "first")
        query = graph.node("Unsqueeze", graph.product(x, attention[0]), graph.constant(np.array([1])))
    else:
        query, key, value = (graph.gather(graph.product(x, name), "rows") for name in attention)
    seen = graph.contrib("MultiHeadAttention", query, key, value, graph.bias(*attention), "lengths", num_heads=heads)
    seen = graph.node("Reshape", seen, graph.constant(np.array([-1, width])))
    if not last:
        seen = graph.gather(seen, "back")
    for dense, norm in (("attention.output.dense", "attention.output.LayerNorm"), ("output.dense", "output.LayerNorm")):
        if dense == "output.dense":
            seen = graph.gelu(x, f"{layer}.intermediate.dense")
        x = graph.linear_and_norm(seen, x, f"{layer}.{dense}", f"{layer}.{norm}", epsilon)
    return x


class _Graph:
    """The nodes and constants of a graph that is being built; a value is the name of a node's output."""

    def __init__(self, weights: Weights, form: Form) -> None:
        self._weights = weights
        self._int8 = form == "int8"
        self._nodes: list[onnx.NodeProto] = []
        self._names = 0  # given so far: they are unique in branches too
        self._constants: dict[bytes, onnx.TensorProto] = {}
        self._in_steps: dict[str, tuple[str, str]] = {}

    def finished(self, labels: int, form: Form, *, width: int = 0) -> onnx.ModelProto:
        """Return the whole model, with its form in its metadata; `width` is that of the meanings, 0 where there are none."""
        inputs = [("ids", ["tokens"]), ("positions", ["tokens"]), ("rows", ["texts", "longest"]), ("back", ["tokens"])]
        described = [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name, shape in inputs]
        described.append(helper.make_tensor_value_info("first", TensorProto.INT64, ["texts"]))
        described.append(helper.make_tensor_value_info("lengths", TensorProto.INT32, ["texts"]))
        if width:
            described.append(helper.make_tensor_value_info("wants_meanings", TensorProto.BOOL, []))
        outputs = [("logits", labels), *([("meanings", width)] if width else [])]
        made = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["texts" if name == "logits" else "wanted", size])
            for name, size in outputs
        ]
        graph = helper.make_graph(self._nodes, "packed", described, made, list(self._constants.values()))
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9, producer_name="beto-bot")
        helper.set_model_props(model, {"form": form})
        return model

    def constant(self, value: Any) -> str:
        """Add a constant; equal ones are kept once."""
        tensor = numpy_helper.from_array(np.ascontiguousarray(value))
        key = tensor.SerializeToString()
        if key not in self._constants:
            tensor.name = f"c{len(self._constants)}"
            self._constants[key] = tensor
        return self._constants[key].name

    def node(self, operator: str, *inputs: str, domain: str = "", output: str = "", **attributes: Any) -> str:
        """Add a node with one output."""
        output = output or self._name()
        self._nodes.append(helper.make_node(operator, inputs, [output], domain=domain, **attributes))
        return output

    @contextmanager
    def branch(self) -> Iterator[list[onnx.NodeProto]]:
        """Yield a list, to which all that is added meanwhile goes instead: what `choice` runs or not."""
        outside, self._nodes = self._nodes, []
        try:
            yield self._nodes
        finally:
            self._nodes = outside

    def choice(self, condition: str, then: tuple[list[onnx.NodeProto], str], *, width: int, output: str) -> None:
        """Add what a branch gives, rows x `width`, where the input `condition` is true; no row otherwise."""
        nodes, made = then
        made_of = helper.make_tensor_value_info(made, TensorProto.FLOAT, None)
        nothing = numpy_helper.from_array(np.zeros((0, width), np.float32))
        empty = helper.make_node("Constant", [], [f"{output}_none"], value=nothing)
        none = helper.make_tensor_value_info(f"{output}_none", TensorProto.FLOAT, [0, width])
        self._nodes.append(
            helper.make_node(
                "If",
                [condition],
                [output],
                then_branch=helper.make_graph(nodes, f"{output}_then", [], [made_of]),
                else_branch=helper.make_graph([empty], f"{output}_else", [], [none]),
            )
        )

    def _name(self) -> str:
        self._names += 1
        return f"n{self._names}"

    def contrib(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node of ONNX Runtime's own."""
        return self.node(operator, *inputs, domain="com.microsoft", **attributes)

    def add(self, left: str, right: str) -> str:
        """Add the sum of two values."""
        return self.node("Add", left, right)

    def gather(self, data: str, indices: str) -> str:
        """Add a choice of rows of `data`."""
        return self.node("Gather", data, indices)

    def norm(self, name: str) -> tuple[str, str]:
        """Return a layer norm's weight and bias."""
        return self.constant(self._weights[f"{name}.weight"]), self.constant(self._weights[f"{name}.bias"])

    def mean_of_texts(self, x: str) -> str:
        """Add the mean of each text's tokens."""
        counts = self.node("Unsqueeze", self.node("Cast", "lengths", to=TensorProto.INT64), self.constant(np.array([1])))
        longest = self.node("Squeeze", self.gather(self.node("Shape", "rows"), self.constant(np.array([1]))))
        places = self.node("Range", self.constant(np.int64(0)), longest, self.constant(np.int64(1)))
        there = self.node("Cast", self.node("Less", places, counts), to=TensorProto.FLOAT)
        row = self.node("Unsqueeze", there, self.constant(np.array([1])))
        summed = self.node("Squeeze", self.node("MatMul", row, self.gather(x, "rows")), self.constant(np.array([1])))
        return self.node("Div", summed, self.node("Cast", counts, to=TensorProto.FLOAT))

    def exact_linear(self, x: str, name: str) -> str:
        """Add a linear layer that is fp32 in any form: the two behind the last layer cost nothing."""
        return self.add(self.node("MatMul", x, self.constant(self._weights[f"{name}.weight"].T)), self.bias(name))

    def linear_and_norm(self, x: str, beside: str, name: str, norm: str, epsilon: float) -> str:
        """Add a linear layer, its residual connection and its layer norm.

        `SkipLayerNormalization`, which is all of it but the product, takes four times as long on a CPU.
        """
        summed = self.add(self.add(self.product(x, name), self.bias(name)), beside)
        return self.node("LayerNormalization", summed, *self.norm(norm), axis=-1, epsilon=epsilon)

    def gelu(self, x: str, name: str) -> str:
        """Add a linear layer with its activation."""
        return self.contrib("BiasGelu", self.product(x, name), self.bias(name))

    def bias(self, *names: str) -> str:
        """Return the biases of linear layers, side by side."""
        return self.constant(np.concatenate([self._weights[f"{name}.bias"] for name in names]))

    def product(self, x: str, name: str) -> str:
        """Add a linear layer without its bias."""
        matrix = self._weights[f"{name}.weight"]
        if not self._int8:
            return self.node("MatMul", x, self.constant(matrix.T))
        scale = np.maximum(np.abs(matrix).max(axis=1), 1e-12) / 127
        rounded = np.round(matrix / scale[:, None]).astype(np.int8)
        quantised, step = self._quantised(x)
        product = self.contrib(
            "MatMulIntegerToFloat",
            quantised,
            self.constant(rounded.T),
            self.constant(np.float32(1)),
            self.constant(scale.astype(np.float32)),
            self.constant(np.uint8(_ZERO_POINT)),
        )
        return self.node("Mul", product, step)

    def _quantised(self, x: str) -> tuple[str, str]:
        """Return a value in whole steps of each token's own size, and the steps; of one that is asked for again, the same."""
        if x not in self._in_steps:
            largest = self.node("ReduceMax", self.node("Abs", x), self.constant(np.array([-1])), keepdims=1)
            step = self.node("Mul", largest, self.constant(np.float32(1 / 127)))
            step = self.node("Max", step, self.constant(np.float32(1e-12)))
            steps = self.node("Squeeze", step, self.constant(np.array([-1])))
            zeros = self.node("Expand", self.constant(np.uint8(_ZERO_POINT)), self.node("Shape", steps))
            self._in_steps[x] = self.node("QuantizeLinear", x, steps, zeros, axis=0), step
        return self._in_steps[x]
