"""What people said of texts, found again by the very same text and by one that nearly repeats it. Needs NumPy alone."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.text_key import canonical_text, key_of_canonical

# Of the SHA-256 of a text; by chance two of a hundred million texts share so much once in three thousand databases.
_KEY_BYTES = 8
_PIECE = 3  # letters
# A text's smallest piece under each of so many orders (MinHash, Broder 1997): texts agree in as many of them as they share
# pieces. In the bands of an index those that share three quarters of their pieces agree in one band at least by 95 %.
_ORDERS, _BAND = 32, 4
_RNG = np.random.default_rng(20_261_130)
_FACTORS = _RNG.integers(0, 1 << 64, _ORDERS, dtype=np.uint64) | np.uint64(1)
_SHIFTS = _RNG.integers(0, 1 << 64, _ORDERS, dtype=np.uint64)
# Of the orders. Of 10 such pairs among 1,657 messages of a bank, 8 had the same labels; from 0.6 to 0.75 it is half of them.
_NEAR = 24
# Words so short turn a sentence round ("no", "sí", "sin"): what repeats it has the same ones, and as many words in all.
_SHORT = 3


@dataclass(frozen=True)
class Sketch:
    """All that is kept of a text: its key, the smallest pieces, and a hash of its short words and how many words it has."""

    key: int
    frame: int
    smallest: NDArray[np.uint8]  # _ORDERS


def sketch(text: str) -> Sketch:
    """Return the sketch of a text, the same whatever differs in case, accents, signs and digits."""
    simple = canonical_text(text)
    words = simple.split()
    frame = f"{len(words)} {' '.join(word for word in words if len(word) <= _SHORT)}"
    padded = f" {simple} ".encode("utf-8", "replace")
    pieces = {padded[at : at + _PIECE] for at in range(max(1, len(padded) - _PIECE + 1))}
    hashes = np.fromiter(map(zlib.crc32, pieces), np.uint64, len(pieces))
    # Modulo 2^64, of which the upper half is well mixed (multiply-shift, Dietzfelbinger et al. 1997).
    smallest = ((hashes[:, None] * _FACTORS + _SHIFTS) >> np.uint64(24)).min(axis=0)
    return Sketch(
        int.from_bytes(bytes.fromhex(key_of_canonical(simple))[:_KEY_BYTES], "little"),
        zlib.crc32(frame.encode("utf-8", "replace")),
        (smallest * _FACTORS >> np.uint64(56)).astype(np.uint8),
    )


@dataclass(frozen=True)
class Repeated:
    """What was said of the text that another repeats, by labels: 1, -1, or 0 where nothing; and where, as "channel:ts"."""

    said: NDArray[np.int8]
    source: str


@dataclass(frozen=True)
class JudgedTexts:
    """Sketches of judged texts, in the order of their keys, with what was said: for each label yes, no, or neither."""

    keys: NDArray[np.uint64]  # texts
    frames: NDArray[np.uint32]
    smallest: NDArray[np.uint8]  # texts x _ORDERS
    said: NDArray[np.int8]  # texts x labels: 1, -1, 0
    sources: NDArray[np.bytes_]  # texts: where it was said, as "channel:ts"

    @cached_property
    def _index(self) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
        """The bands of all texts, sorted, and which text each is of: worked out where texts are looked for, and nowhere else."""
        bands = _bands(self.frames, self.smallest).ravel()
        order = np.argsort(bands, kind="stable")
        return bands[order], (order // (_ORDERS // _BAND)).astype(np.int32)

    def __len__(self) -> int:
        """Return how many texts there are."""
        return len(self.keys)

    def find(self, text: str) -> Repeated | None:
        """Return what was said of the very same text, else of the one that it repeats most nearly; None where there is none."""
        if not len(self.keys):
            return None
        asked = sketch(text)
        at = int(np.searchsorted(self.keys, np.uint64(asked.key)))
        if at < len(self.keys) and self.keys[at] == asked.key:
            return self._repeated(at)
        wanted = _bands(np.array([asked.frame], np.uint32), asked.smallest[None])[0]
        bands, texts = self._index
        first, last = (np.searchsorted(bands, wanted, side) for side in ("left", "right"))
        near = np.concatenate([texts[begin:end] for begin, end in zip(first, last, strict=True)])
        if not len(near):
            return None
        alike = (self.smallest[near] == asked.smallest).sum(axis=1)
        best = int(alike.argmax())
        return self._repeated(int(near[best])) if alike[best] >= _NEAR else None

    def _repeated(self, at: int) -> Repeated:
        return Repeated(self.said[at], self.sources[at].decode("ascii", "replace"))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what `judged_texts` makes the same of again."""
        yes, no = (np.packbits(self.said == sign, axis=1) for sign in (1, -1))
        sources = self.sources.view(np.uint8).reshape(len(self.sources), self.sources.dtype.itemsize)
        return {"keys": self.keys, "frames": self.frames, "smallest": self.smallest, "yes": yes, "no": no, "sources": sources}


def judged_texts(arrays: dict[str, NDArray[Any]], labels: int) -> JudgedTexts:
    """Make of what `JudgedTexts.arrays` gave what it was, ready to be asked."""
    yes, no = (np.unpackbits(arrays[name], axis=1, count=labels).astype(np.int8) for name in ("yes", "no"))
    sources = np.ascontiguousarray(arrays["sources"])
    made = JudgedTexts(arrays["keys"], arrays["frames"], arrays["smallest"], yes - no, sources.view(f"S{sources.shape[1]}")[:, 0])
    _ = made._index  # before a message waits for it
    return made


class Rows(NamedTuple):
    """Arrays of judged texts, in any order, a key as often as texts have it; as in `JudgedTexts`."""

    keys: NDArray[np.uint64]
    frames: NDArray[np.uint32]
    smallest: NDArray[np.uint8]
    said: NDArray[np.int8]
    sources: NDArray[np.bytes_]

    def at(self, chosen: NDArray[Any]) -> "Rows":
        """Return those at these places, or where this is true."""
        return Rows(*(array[chosen] for array in self))

    def and_then(self, others: "Rows") -> "Rows":
        """Return these and the others behind them."""
        return Rows(*(np.concatenate([ours, theirs]) for ours, theirs in zip(self, others, strict=True)))

    def gathered(self) -> JudgedTexts:
        """Return the texts in the order of their keys; of those with the same key the last one counts."""
        keys, last = np.unique(self.keys[::-1], return_index=True)
        return JudgedTexts(keys, *self.at(len(self.keys) - 1 - last)[1:])


def rows_of(sketches: Sequence[Sketch], said: NDArray[np.int8], sources: Sequence[str]) -> Rows:
    """Put together what was said, texts x labels, and where."""
    smallest = np.frombuffer(b"".join(each.smallest.tobytes() for each in sketches), np.uint8)
    encoded = [source.encode("ascii", "replace") for source in sources] or np.zeros(0, "S1")
    return Rows(
        np.fromiter((each.key for each in sketches), np.uint64, len(sketches)),
        np.fromiter((each.frame for each in sketches), np.uint32, len(sketches)),
        smallest.reshape(len(sketches), _ORDERS),
        said,
        np.array(encoded, dtype=np.bytes_),
    )


def gather(sketches: Sequence[Sketch], said: NDArray[np.int8], sources: Sequence[str]) -> JudgedTexts:
    """Put together what was said, texts x labels, and where; of texts with the same key the last one counts."""
    return rows_of(sketches, said, sources).gathered()


def _bands(frames: NDArray[np.uint32], smallest: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return a number for each band of each text: equal where frame, band and the smallest pieces there are."""
    found = np.ascontiguousarray(smallest).view(np.uint32).astype(np.uint64)
    place = np.arange(found.shape[1], dtype=np.uint64)
    mixed = found * _FACTORS[:1] + (frames.astype(np.uint64)[:, None] << np.uint64(20)) * _FACTORS[1:2] + place * _SHIFTS[:1]
    folded: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(29))
    return folded
