"""Texts that say nearly the same: found exactly, also among a hundred thousand."""

import zlib
from array import array
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from model.text_key import canonical_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Integers = NDArray[np.int64]

# Two texts that share at least 3/5 of their four-letter pieces say the same thing with a word or an amount changed: one of
# them in train would give away the other in test. For sets of a and b pieces that is: 8 x shared >= 3 x (a + b).
_SHINGLE = 4
# Sets whose sizes differ by less than this are treated alike; the closer the sizes, the fewer pieces must be looked at.
_BAND = 1.2
# Earlier texts are looked at in blocks of so many: who has found its first near-duplicate takes no part in the next.
_BLOCK = 8192
# With so many texts at once a step's pairs take some 100 MB at worst.
_AT_ONCE = 1024


def first_near_duplicates(texts: Sequence[str], wanted: Sequence[bool] | None = None) -> list[int | None]:
    """Return for each text the index of the first earlier one that says the same with little changed, or None.

    Only the `wanted` ones are looked up; None for the others. Exact: no pair is missed, whatever the filters below. Needs
    SciPy, of the `model` extra. `python -m tests.bench growth` measures the seconds.
    """
    same, kept, sets = _distinct(texts)
    asked: Any = [True] * len(kept) if wanted is None else [False] * len(kept)
    for at, is_wanted in zip(same, wanted or (), strict=wanted is not None):
        asked[at] |= is_wanted
    firsts: Sequence[int] | Integers = _Sets(sets).firsts(asked) if kept else []
    answers: list[int | None] = []
    for here, at in enumerate(same):
        if wanted is not None and not wanted[here]:
            answers.append(None)
        elif firsts[at] < len(kept):
            answers.append(kept[int(firsts[at])])
        else:
            answers.append(kept[at] if kept[at] < here else None)
    return answers


def _distinct(texts: Sequence[str]) -> tuple[list[int], list[int], list["array[int]"]]:
    """Take texts with the same pieces together: (the number of each text's set, the first text of each set, the sets)."""
    known: dict[bytes, int] = {}
    same: list[int] = []
    kept: list[int] = []
    sets: list[array[int]] = []
    for here, text in enumerate(texts):
        pieces = array("I", sorted(_shingles(text)))
        at = known.setdefault(pieces.tobytes(), len(kept))
        if at == len(kept):
            kept.append(here)
            sets.append(pieces)
        same.append(at)
    return same, kept, sets


def _shingles(text: str) -> set[int]:
    padded = f" {canonical_text(text)} "
    pieces = {padded[at : at + _SHINGLE] for at in range(max(1, len(padded) - _SHINGLE + 1))}
    return {zlib.crc32(piece.encode("utf-8", "replace")) for piece in pieces}


class _Sets:
    """Sets of pieces as the rows of a sparse matrix, their rarest pieces first.

    Three filters, each of which lets every near pair pass. Two near sets share one of their first pieces in any fixed order
    (prefix filter, Chaudhuri et al. 2006): the product of two matrices of first pieces names these pairs, and in the order of
    rarity they are few. Their sizes must agree. And where their 512-bit signatures differ in more bits than near sets have
    different pieces, they are not near. What is left is counted.
    """

    def __init__(self, sets: Sequence["array[int]"]) -> None:
        import numpy as np
        from scipy.sparse import csr_matrix

        self.sizes: Integers = np.array([len(pieces) for pieces in sets], dtype=np.int64)
        flat = np.concatenate([np.frombuffer(pieces, np.uint32) for pieces in sets])
        owners = np.repeat(np.arange(len(sets)), self.sizes)
        self.signatures = np.zeros((len(sets), 8), np.uint64)
        np.bitwise_or.at(self.signatures, (owners, (flat >> 6) & 7), np.uint64(1) << (flat & 63).astype(np.uint64))
        pieces, columns, counts = np.unique(flat, return_inverse=True, return_counts=True)
        rarity = np.empty(len(pieces), np.int32)
        rarity[np.lexsort((pieces, counts))] = np.arange(len(pieces), dtype=np.int32)
        starts = np.concatenate([[0], np.cumsum(self.sizes)])
        shape = (len(sets), len(pieces))
        self.matrix = csr_matrix((np.ones(len(flat), np.int32), rarity[columns], starts), shape=shape)
        self.matrix.sort_indices()
        self.bands = np.floor(np.log(self.sizes) / np.log(_BAND)).astype(np.int64)

    def firsts(self, asked: Sequence[bool]) -> "Integers":
        """Return for each set that is asked for the index of the first earlier one that is near; their number where none is."""
        import numpy as np

        count = len(self.sizes)
        firsts = np.full(count, count)
        for begin in range(0, count, _BLOCK):
            earlier = np.arange(begin, min(begin + _BLOCK, count))
            later = begin + np.flatnonzero((firsts[begin:] == count) & np.asarray(asked)[begin:])
            for there, here in self._alike(earlier, later):
                firsts_there = self._first_pieces(there, partners=here).T.tocsr()
                for at in range(0, len(here), _AT_ONCE):
                    some = here[at : at + _AT_ONCE]
                    pairs = (self._first_pieces(some, partners=there) @ firsts_there).tocoo()
                    ours, theirs = self._near(some[pairs.row], there[pairs.col])
                    np.minimum.at(firsts, ours, theirs)
        return firsts

    def _alike(self, earlier: "Integers", later: "Integers") -> Iterator[tuple["Integers", "Integers"]]:
        """Yield (earlier, later) rows of about one size each, for all sizes that may be near."""
        for there in self._banded(earlier):
            for here in self._banded(later):
                one, other = self.sizes[there], self.sizes[here]
                if 5 * one.max() >= 3 * other.min() and 5 * other.max() >= 3 * one.min():
                    yield there, here

    def _banded(self, rows: "Integers") -> list["Integers"]:
        import numpy as np

        bands = self.bands[rows]
        return [rows[bands == band] for band in np.unique(bands)]

    def _first_pieces(self, rows: "Integers", *, partners: "Integers") -> Any:
        """Return the rows with so many of their rarest pieces that each shares one with every near row among the partners."""
        import numpy as np
        from scipy.sparse import csr_matrix

        sizes = self.sizes[rows]
        smallest = np.maximum(self.sizes[partners].min(), _ceil(3 * sizes, 5))
        lengths = np.maximum(sizes - _ceil(3 * (sizes + smallest), 8) + 1, 0)
        ends = np.cumsum(lengths)
        places = np.arange(ends[-1]) + np.repeat(self.matrix.indptr[rows] - (ends - lengths), lengths)
        shape = (len(rows), self.matrix.shape[1])
        starts = np.concatenate([[0], ends])
        return csr_matrix((np.ones(len(places), np.int32), self.matrix.indices[places], starts), shape=shape)

    def _near(self, ours: "Integers", theirs: "Integers") -> tuple["Integers", "Integers"]:
        """Return those of these pairs that are near, the second being the earlier."""
        import numpy as np

        one, other = self.sizes[ours], self.sizes[theirs]
        possible = (theirs < ours) & (5 * one >= 3 * other) & (5 * other >= 3 * one)
        ours, theirs, both = ours[possible], theirs[possible], (one + other)[possible]
        # In steps that stay in the processor's cache.
        steps = [slice(at, at + (1 << 14)) for at in range(0, len(ours), 1 << 14)]
        differing = np.zeros(len(ours), np.int64)
        for step in steps:
            differing[step] = np.bitwise_count(self.signatures[ours[step]] ^ self.signatures[theirs[step]]).sum(axis=1)
        possible = 4 * differing <= both
        ours, theirs, both = ours[possible], theirs[possible], both[possible]
        shared = np.asarray(self.matrix[ours].multiply(self.matrix[theirs]).sum(axis=1)).ravel()
        near = 8 * shared >= 3 * both
        return ours[near], theirs[near]


def _ceil(number: Any, divisor: int) -> Any:
    return -(-number // divisor)
