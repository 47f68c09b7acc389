"""Files of the `E5S1` format: a BERT's weights in 4 bits with its Unigram tokenizer, little endian.

In their order: header, pieces of the vocabulary with their scores, a normalisation map, a table of tensors, the tensors.
A matrix is rows x columns in blocks of 32 weights: a scale in f16 and 16 bytes, whose low halves are weights 0 to 15 and whose
high halves 16 to 31; a weight is (half - 8) * scale.
"""

import struct
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

MAGIC, VERSION, BLOCK = b"E5S1", 1, 32
_FLOATS, _BLOCKS = 0, 1  # kinds of tensors
_PACKED = np.dtype([("scale", "<f2"), ("halves", "u1", BLOCK // 2)])


@dataclass(frozen=True)
class FourBitModel:
    """A whole file: the network's shape, the tokenizer's pieces and the tensors, each unpacked when it is asked for."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    positions: int
    types: int
    epsilon: float
    begin: int  # ids of the special pieces
    end: int
    pad: int
    unknown: int
    pieces: list[str]
    scores: list[float]
    content: bytes
    tensors: dict[str, tuple[int, int, int, int]]  # name -> kind, count, offset, bytes

    def vector(self, name: str) -> NDArray[np.float32]:
        """Return a tensor that is kept in f32, flat; KeyError where there is none."""
        kind, count, offset, size = self.tensors[name]
        if kind != _FLOATS or size != 4 * count:
            raise ValueError(f"{name} is no tensor of floats")
        return np.frombuffer(self.content, "<f4", count, offset).astype(np.float32)

    def matrix(self, name: str, columns: int, rows: NDArray[np.int64] | None = None) -> NDArray[np.float32]:
        """Return a tensor that is kept in 4 bits, rows x `columns`, or of it only `rows`; KeyError where there is none."""
        kind, count, offset, size = self.tensors[name]
        if kind != _BLOCKS or count % columns or columns % BLOCK or size != count // BLOCK * _PACKED.itemsize:
            raise ValueError(f"{name} is no 4-bit matrix of {columns} columns")
        blocks = np.frombuffer(self.content, _PACKED, count // BLOCK, offset).reshape(-1, columns // BLOCK)
        if rows is not None:
            blocks = blocks[rows]
        halves = blocks["halves"]
        weights = np.concatenate([halves & 15, halves >> 4], axis=2).astype(np.float32) - 8
        weights *= blocks["scale"].astype(np.float32)[:, :, None]
        return weights.reshape(len(blocks), columns)


def parse(content: bytes) -> FourBitModel:
    """Return the model that a file's content holds; ValueError where it is none."""
    reader = _Reader(content)
    try:
        if reader.take(4) != MAGIC or reader.number("I") != VERSION:
            raise ValueError("no file of this format")
        hidden, layers, heads, feed_forward, _rows, positions, types = reader.numbers("7i")
        epsilon = float(reader.number("f"))
        if reader.number("i") != BLOCK:
            raise ValueError("blocks of another size")
        count, begin, end, pad, unknown = reader.numbers("5i")
        [text_size] = reader.numbers("Q")
        bounds = reader.numbers(f"{count + 1}I")
        scores = reader.numbers(f"{count}f")
        text = reader.take(int(text_size))
        pieces = [text[start:stop].decode() for start, stop in pairwise(map(int, bounds))]
        _entries, map_size = reader.numbers("iI")
        reader.take(int(map_size))  # what NFKC does, and our own text preparation before it
        tensors = {}
        for _ in range(int(reader.number("i"))):
            name = reader.take(int(reader.number("H"))).decode()
            kind, elements, offset, size = map(int, reader.numbers("BIQQ"))
            if offset + size > len(content):
                raise ValueError(f"{name} lies behind the end of the file")
            tensors[name] = (kind, elements, offset, size)
    except struct.error as error:
        raise ValueError("the file ends too early") from error
    return FourBitModel(
        hidden=int(hidden),
        layers=int(layers),
        heads=int(heads),
        feed_forward=int(feed_forward),
        positions=int(positions),
        types=int(types),
        epsilon=epsilon,
        begin=int(begin),
        end=int(end),
        pad=int(pad),
        unknown=int(unknown),
        pieces=pieces,
        scores=[float(score) for score in scores],
        content=content,
        tensors=tensors,
    )


class _Reader:
    """Reads one thing after the other; struct.error where there is not enough left."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        taken = self._content[self._at : self._at + size]
        if len(taken) < size:
            raise struct.error("too short")
        self._at += size
        return taken

    def numbers(self, form: str) -> tuple[float, ...]:
        """Return the next numbers, by struct's letters for them."""
        return struct.unpack("<" + form, self.take(struct.calcsize("<" + form)))

    def number(self, form: str) -> float:
        """Return the next number."""
        return self.numbers(form)[0]
