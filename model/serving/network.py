"""A network as torch runs it. Behind torch's first door: loading a network."""

import copy
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file
from safetensors.torch import load_file

from model.serving.calibration import Matrix, calibrate
from model.serving.engine import SMALL, packed, packs, passes
from model.serving.graph import Weights, can_pack, frozen_name
from model.serving.version_folder import FROZEN_FILE

# Padded tokens a forward pass, by kind of device: a CPU gains nothing by more, a GPU wants tens of thousands.
_TOKENS_A_PASS = {"cpu": 4096, "cuda": 32768}
# A shorter text joins a longer one's pass only while it is at least this share of it: padding costs more than a second
# pass (0.6 of the unbatched rate when chat messages were padded to the longest of 32).
_SHORTEST_SHARE = 0.75


class TorchEngine:
    """A network served by torch: on a GPU in bf16, and on a CPU, in fp32, what no packed graph can express."""

    def __init__(self, network: Any, pad_id: int, device: torch.device, frozen: Mapping[str, torch.Tensor] | None = None) -> None:
        """`frozen` are the highest layers of a packed network as they were before they learnt, under the names of `frozen_name`.

        Without them `width` is 0, and there are no meanings.
        """
        self.pass_tokens = _TOKENS_A_PASS[device.type]
        self.width = network.config.hidden_size if frozen else 0
        self.form = "bf16" if network.dtype is torch.bfloat16 else "fp32"
        self._network = network.to(device).eval()
        self._frozen = _frozen_layers(network, frozen or {})
        self._pad_id = pad_id
        self._device = device
        self.device = str(device)
        self._turn = Lock()

    def logits(self, encoded: Sequence[list[int]]) -> Matrix:
        """Return what `engine.Engine` promises."""
        with self._turn:  # a pass uses all of the device
            found: Matrix = logits_of(self._network, self._pad_id, encoded, self._device).double().numpy()
        return found

    def logits_and_meanings(self, encoded: Sequence[list[int]]) -> tuple[Matrix, Matrix]:
        """Return the logits, and what the base makes of each text, texts x `width`, the same for every version of a base."""
        if not self.width:
            return self.logits(encoded), self.meanings(encoded)
        return self._run(encoded, with_logits=True)

    def meanings(self, encoded: Sequence[list[int]]) -> Matrix:
        """Return the meanings alone; of each text no column where the base is not known any more."""
        return self._run(encoded, with_logits=False)[1] if self.width else np.zeros((len(encoded), 0))

    def _run(self, encoded: Sequence[list[int]], *, with_logits: bool) -> tuple[Matrix, Matrix]:
        """Go through the layers that never learnt once, then through the others as they are, if so wanted, and as they were."""
        logits = np.zeros((len(encoded), self._network.config.num_labels if with_logits else 0))
        meanings = np.zeros((len(encoded), self.width))
        shared = self._network.config.num_hidden_layers - len(self._frozen)
        with self._turn, torch.inference_mode(), fitting_threads(self._network):
            for batch in packs([len(ids) for ids in encoded], tokens=self.pass_tokens):
                inputs = lay_out(self._network, [encoded[at] for at in batch], self._pad_id)
                inputs = {name: tensor.to(self._device) for name, tensor in inputs.items()}
                below = lower(self._network, inputs, shared)
                if with_logits:
                    logits[batch] = upper(self._network, below, inputs, shared).float().cpu().numpy()
                for layer in self._frozen:
                    below = _through(layer, below, inputs, last=False)
                meanings[batch] = _mean_of_texts(below, inputs["lengths"]).cpu().numpy()
        return logits, meanings


def open_engine(folder: Path, device: str) -> TorchEngine:
    """Load the network from `folder`; whatever transformers stumbles over is raised as it is."""
    where = pick_device(device)
    # A folder holds numbers and never code: no pickled weights, no modules of its own.
    network = quiet_transformers().AutoModelForSequenceClassification.from_pretrained(
        folder,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        dtype=torch.bfloat16 if where.type == "cuda" else torch.float32,
    )
    frozen = load_file(folder / FROZEN_FILE) if (folder / FROZEN_FILE).exists() else None
    return TorchEngine(network, network.config.pad_token_id or 0, where, frozen)


def save_frozen(folder: Path, weights: Weights) -> None:
    """Write those of the weights that have a `frozen_name` for `open_engine`; no file where there are none.

    In f16: a meaning then moves by less than a thousandth, and the file is half as large.
    """
    names = [name for name in weights if name.startswith(frozen_name(""))]
    if names:
        save_file({name: np.ascontiguousarray(weights[name], np.float16) for name in names}, folder / FROZEN_FILE)


def _frozen_layers(network: Any, frozen: Mapping[str, torch.Tensor]) -> list[Any]:
    """Return the layers that `frozen` holds, the network's highest, the lowest first; on its device and in its number format."""
    layers = network.bert.encoder.layer if frozen else []
    names = [frozen_name(f"bert.encoder.layer.{number}.") for number in range(len(layers))]
    found: list[Any] = []
    for name, layer in zip(names, layers, strict=True):
        weights = {part.removeprefix(name): tensor for part, tensor in frozen.items() if part.startswith(name)}
        if weights or found:
            as_it_was = copy.deepcopy(layer)
            as_it_was.load_state_dict(weights)
            found.append(as_it_was)
    return found


def _mean_of_texts(x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Return the mean of each text's tokens, texts x width, in fp32."""
    of = torch.repeat_interleave(torch.arange(len(lengths), device=x.device), lengths)
    sums = torch.zeros(len(lengths), x.shape[1], device=x.device).index_add_(0, of, x.float())
    return sums / lengths[:, None]


def pick_device(device: str) -> torch.device:
    """Return the torch device of that name; `auto` is CUDA where there is a GPU, else the CPU."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


def has_bf16(network: Any, device: torch.device) -> bool:
    """Return whether matrices of this network are faster in bf16 there: on a GPU, and on a CPU that has instructions for it."""
    if device.type == "cuda":
        return True
    can: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()  # torch 2.13 has it, 2.6 not yet
    return network.config.hidden_size > SMALL and bool(can.get("avx512_bf16") or can.get("amx_bf16"))


@contextmanager
def fitting_threads(network: Any) -> Iterator[None]:
    """Let torch use one thread for a small network, and as many as it likes for one of BETO's size.

    Two threads that meet after every small matrix wait for each other more than they work: beside other processes, an
    epoch of mini took 50 s on two threads and 2 s on one (2 CPU cores, load 5, 2026-11); alone there was no difference.
    """
    before = torch.get_num_threads()
    if network.config.hidden_size <= SMALL:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def quiet_transformers() -> Any:
    """Return the transformers module without progress bars and remarks, which would fill people's terminals."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # else it warns in every process that forks later
    import transformers  # seconds: not before a network is wanted

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return transformers


def longest_input(network: Any, tokenizer: Any) -> int:
    """Return how many tokens the network can read at most."""
    return int(min(tokenizer.model_max_length, network.config.max_position_embeddings))


def logits_of(
    network: Any,
    pad_id: int,
    encoded: Sequence[list[int]],
    device: torch.device,
    below: Sequence[torch.Tensor] | None = None,
    layers: int = 0,
) -> torch.Tensor:
    """Return logits on the CPU, texts x labels, in the order of `encoded`; no text may be longer than the network can read.

    Where `below` is what `lower_of` made of the texts with as many `layers`, only the other layers are gone through.
    """
    logits = torch.zeros(len(encoded), network.config.num_labels)
    lengths, tokens = [len(ids) for ids in encoded], _TOKENS_A_PASS[device.type]
    cut_up = packs if is_packed(network) else partial(passes, share=_SHORTEST_SHARE)
    with torch.inference_mode(), fitting_threads(network):
        for batch in cut_up(lengths, tokens=tokens):
            inputs = lay_out(network, [encoded[at] for at in batch], pad_id)
            inputs = {name: tensor.to(device) for name, tensor in inputs.items()}
            if below is None:
                scores = forward(network, inputs)
            else:
                scores = upper(network, torch.cat([below[at] for at in batch]).to(device, torch.float32), inputs, layers)
            logits[batch] = scores.float().cpu()
    return logits


def lower_of(
    network: Any,
    pad_id: int,
    encoded: Sequence[list[int]],
    device: torch.device,
    layers: int,
    on_read: Callable[[int], None] = lambda _: None,
) -> list[torch.Tensor]:
    """Return what the lowest `layers` layers of a packed network make of each text, tokens x width, in f16 on the CPU.

    `on_read` is called after each pass, with the number of texts that are done.
    """
    read = 0
    made: list[torch.Tensor] = [torch.empty(0)] * len(encoded)
    with (
        torch.no_grad(),  # and not inference_mode, whose tensors no gradient may pass beside
        fitting_threads(network),
        torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_bf16(network, device)),
    ):
        for batch in packs([len(ids) for ids in encoded], tokens=_TOKENS_A_PASS[device.type]):
            texts = [encoded[at] for at in batch]
            inputs = {name: tensor.to(device) for name, tensor in lay_out(network, texts, pad_id).items()}
            x = lower(network, inputs, layers).half().cpu()
            for at, tokens in zip(batch, x.split([len(ids) for ids in texts]), strict=True):
                made[at] = tokens.clone()
            on_read(read := read + len(batch))
    return made


def is_packed(network: Any) -> bool:
    """Return whether texts go through this network without padding."""
    return can_pack(network.config.to_dict())


def lay_out(network: Any, texts: Sequence[list[int]], pad_id: int) -> dict[str, torch.Tensor]:
    """Return the inputs of `forward`; `input_ids` are the packed tokens, or texts x the longest where they must be padded."""
    if is_packed(network):
        inputs = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in packed(texts).items() if name != "rows"}
        return {"input_ids": inputs.pop("ids"), **inputs}
    longest = max(map(len, texts))
    ids = torch.tensor([[*ids, *[pad_id] * (longest - len(ids))] for ids in texts])
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids in texts])
    return {"input_ids": ids, "attention_mask": mask}


def forward(network: Any, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return the logits, texts x labels, of what `lay_out` made; with gradients and dropout where the network trains."""
    if not is_packed(network):
        logits: torch.Tensor = network(**inputs).logits
        return logits
    return upper(network, lower(network, inputs, 0), inputs, 0)


def lower(network: Any, inputs: Mapping[str, torch.Tensor], layers: int) -> torch.Tensor:
    """Return what the lowest `layers` layers of a packed network make of each token, tokens x width; they may not be all."""
    embeddings = network.bert.embeddings
    x: torch.Tensor = embeddings.word_embeddings(inputs["input_ids"]) + embeddings.position_embeddings(inputs["positions"])
    x = embeddings.dropout(embeddings.LayerNorm(x + embeddings.token_type_embeddings.weight[0]))
    for layer in network.bert.encoder.layer[:layers]:
        x = _through(layer, x, inputs, last=False)
    return x


def upper(network: Any, x: torch.Tensor, inputs: Mapping[str, torch.Tensor], layers: int) -> torch.Tensor:
    """Return the logits, texts x labels, of what `lower` made with as many `layers`."""
    bert = network.bert
    for layer in bert.encoder.layer[layers:]:
        x = _through(layer, x, inputs, last=layer is bert.encoder.layer[-1])
    pooled = bert.pooler.activation(bert.pooler.dense(x))
    scores: torch.Tensor = network.classifier(network.dropout(pooled))
    return scores


def _through(layer: Any, x: torch.Tensor, inputs: Mapping[str, torch.Tensor], *, last: bool) -> torch.Tensor:
    """Return what the layer makes of each token; the last layer works out the first token of each text alone."""
    lengths, attention = inputs["lengths"], layer.attention.self
    texts, longest = len(lengths), int(lengths.max())
    mask = (torch.arange(longest, device=lengths.device) < lengths[:, None])[:, None, None, :]
    heads, width = attention.num_attention_heads, attention.attention_head_size

    def apart(tokens: torch.Tensor) -> torch.Tensor:
        """Return the row as texts x heads x longest x width. To copy rows in is far cheaper to undo than to gather them."""
        rows = tokens.new_zeros(texts * longest, heads * width).index_copy(0, inputs["back"], tokens)
        return rows.view(texts, longest, heads, width).transpose(1, 2)

    key, value = apart(attention.key(x)), apart(attention.value(x))
    if last:  # nothing but the first token of each text is read behind it
        x = x.index_select(0, inputs["first"])
        query = attention.query(x).view(texts, 1, heads, width).transpose(1, 2)
    else:
        query = apart(attention.query(x))
    dropout = attention.dropout.p if layer.training else 0.0
    seen = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
    seen = seen.transpose(1, 2).reshape(-1, heads * width)
    x = layer.attention.output(seen if last else seen.index_select(0, inputs["back"]), x)
    made: torch.Tensor = layer.output(layer.intermediate(x), x)
    return made


def calibrate_network(network: Any, logits: torch.Tensor, truth: Matrix, known: Matrix) -> tuple[float, float]:
    """Change the last layer so that the network's own sigmoid is calibrated, and return scale and shift of its logits.

    `logits` are its own on dev. As both go into the last layer, a plain transformers pipeline is calibrated too.
    """
    scale, shift = calibrate(logits.double().numpy(), truth, known)
    scale_logits(network, scale, shift)
    return scale, shift


def scale_logits(network: Any, scale: float, shift: float) -> None:
    """Change the last layer so that its logits are multiplied by `scale`, and `shift` is added."""
    last = last_layer(network)
    with torch.no_grad():
        last.weight.mul_(scale)
        last.bias.mul_(scale).add_(shift)


def last_layer(network: Any) -> Any:
    """Return the layer that gives the logits."""
    return [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1]
