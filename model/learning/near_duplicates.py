"""Texts that say nearly the same: found exactly, also among a hundred thousand."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
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
_BLOCK = 16384
# So many threads at most, each with its own memory.
_THREADS = 4
# So many pairs of texts at once, of which a step's product takes some 100 MB at worst; and of those that are counted.
_PAIRS, _COUNTED = 1 << 23, 1 << 15
# Texts of so many characters in all are cut into pieces at once.
_CHARACTERS = 1 << 21
# One rare piece that two sets share is often chance, a twelfth of all their pieces seldom: of 100 pairs that share one of
# their first pieces, one is left to be counted (100,000 texts of `python -m tests.bench growth`).
_SHARED_FIRST = 12


def first_near_duplicates(texts: Sequence[str], wanted: Sequence[bool] | None = None) -> list[int | None]:
    """Return for each text the index of the first earlier one that says the same with little changed, or None.

    Only the `wanted` ones are looked up; None for the others. Exact: no pair is missed, whatever the filters below. Memory:
    some 100 MB a thread and five bytes for each piece of each text, whatever they have in common. Needs SciPy, of the `model`
    extra. `python -m tests.bench growth` measures the seconds.
    """
    known: dict[str, int] = {}
    same = [known.setdefault(canonical_text(text), len(known)) for text in texts]
    kept: list[int] = []
    asked = [wanted is None] * len(known)
    for here, at in enumerate(same):
        if at == len(kept):
            kept.append(here)
        if wanted is not None and wanted[here]:
            asked[at] = True
    firsts: Sequence[int] | Integers = _Sets(list(known)).firsts(asked) if kept else []
    answers: list[int | None] = []
    for here, at in enumerate(same):
        if wanted is not None and not wanted[here]:
            answers.append(None)
        elif firsts[at] < len(kept):
            answers.append(kept[int(firsts[at])])
        else:
            answers.append(kept[at] if kept[at] < here else None)
    return answers


class _Pieces:
    """All texts' pieces of four characters as integers, some texts at a time."""

    def __init__(self, texts: Sequence[str]) -> None:
        import numpy as np

        ends = np.cumsum([len(text) for text in texts])
        cuts = np.unique(np.searchsorted(ends, np.arange(0, ends[-1] + 1, _CHARACTERS)))
        self._parts = [texts[cut:until] for cut, until in zip(cuts, [*cuts[1:], len(texts)], strict=True)]
        present = np.zeros(0x110000, bool)
        for part in self._parts:
            present[_characters(["".join(part)])] = True
        # From 1, in 16 bits: a piece is 64 bits then. (Of more than 65,535 different characters, some would share a number.)
        self._numbers = ((np.cumsum(present) - 1) % 0xFFFF + 1).astype(np.uint64)

    def __iter__(self) -> Iterator[tuple["Integers", "NDArray[np.uint64]"]]:
        """Yield for some texts at a time (how many pieces each has, the pieces), a text after the other, repeats included.

        A text is cut as if it had a space before and behind; one that is shorter than a piece is a piece.
        """
        import numpy as np

        for part in self._parts:
            numbers: Any = self._numbers[_characters(f" {text} \0\0" for text in part)]
            lengths = np.array([len(text) + 4 for text in part])
            ends = np.cumsum(lengths)
            numbers[ends - 1] = numbers[ends - 2] = 0
            pieces = numbers[:-3] << 48 | numbers[1:-2] << 32 | numbers[2:-1] << 16 | numbers[3:]
            counts = np.maximum(1, lengths - 2 - _SHINGLE + 1)
            yield counts, pieces[_runs(ends - lengths, counts)]


def _characters(texts: Iterator[str] | Sequence[str]) -> "NDArray[np.uint32]":
    import numpy as np

    return np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)


def _runs(starts: "Integers", lengths: "Integers") -> "Integers":
    """Return start, start + 1 ... of each run, one run after the other."""
    import numpy as np

    ends = np.cumsum(lengths)
    runs: Integers = np.arange(ends[-1]) + np.repeat(starts - (ends - lengths), lengths)
    return runs


class _Sets:
    """Sets of pieces as the rows of a sparse matrix, their rarest pieces first.

    Two filters, each of which lets every near pair pass. Their sizes must agree. And near sets share some of their first
    pieces in any fixed order (prefix filter, Chaudhuri et al. 2006; with more than one piece, Wang et al. 2012): the product of
    two matrices of first pieces counts them, and in the order of rarity few pairs share that many. What is left is counted.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        import numpy as np
        from scipy.sparse import csr_matrix

        cut = _Pieces(texts)
        seen = [np.unique(pieces, return_counts=True) for _, pieces in cut]
        pieces, columns = np.unique(np.concatenate([each for each, _ in seen]), return_inverse=True)
        counts = np.bincount(columns, np.concatenate([each for _, each in seen]))
        rarity = np.empty(len(pieces), np.int64)
        rarity[np.argsort(counts, kind="stable")] = np.arange(len(pieces))
        flat, sizes = [], []
        for lengths, some in cut:
            owners = np.repeat(np.arange(len(lengths)) * len(pieces), lengths)
            places = np.sort(owners + rarity[np.searchsorted(pieces, some)])
            places = places[np.diff(places, prepend=-1) > 0]
            flat.append((places % len(pieces)).astype(np.int32))
            sizes.append(np.bincount(places // len(pieces)))
        self.sizes: Integers = np.concatenate(sizes)
        indices, starts = np.concatenate(flat), np.concatenate([[0], np.cumsum(self.sizes)])
        self.matrix = csr_matrix((np.ones(len(indices), np.int8), indices, starts), shape=(len(texts), len(pieces)))
        self.bands = np.floor(np.log(self.sizes) / np.log(_BAND)).astype(np.int64)

    def firsts(self, asked: Sequence[bool]) -> "Integers":
        """Return for each set that is asked for the index of the first earlier one that is near; their number where none is."""
        import numpy as np

        count = len(self.sizes)
        firsts = np.full(count, count)
        # SciPy's products let other threads work meanwhile.
        with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as pool:
            for begin in range(0, count, _BLOCK):
                earlier = np.arange(begin, min(begin + _BLOCK, count))
                later = begin + np.flatnonzero((firsts[begin:] == count) & np.asarray(asked)[begin:])
                for ours, theirs in pool.map(lambda rows: self._first_pairs(*rows), self._alike(earlier, later)):
                    firsts[ours] = np.minimum(firsts[ours], theirs)
        return firsts

    def _first_pairs(self, there: "Integers", here: "Integers") -> tuple["Integers", "Integers"]:
        """Return those of `here` that are near to an earlier one of `there`, and the first of these for each."""
        import numpy as np

        at_least = 1 + int(min(self.sizes[there].min(), self.sizes[here].min())) // _SHARED_FIRST
        firsts_there = self._first_pieces(there, at_least, partners=here).T.tocsr()
        at_once = max(1, _PAIRS // len(there))
        found = []
        for at in range(0, len(here), at_once):
            some = here[at : at + at_once]
            shared = self._first_pieces(some, at_least, partners=there) @ firsts_there
            found.append(self._first_of_each(*self._candidates(some, there, shared, at_least)))
        ours, theirs = zip(*found, strict=True)
        return np.concatenate(ours), np.concatenate(theirs)

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

    def _first_pieces(self, rows: "Integers", at_least: int, *, partners: "Integers") -> Any:
        """Return the rows with so many of their rarest pieces that each shares `at_least` with every near row among the partners.

        Near rows of a and b pieces share s = 3/8 (a + b) at least. The k-th that they share has s - k others behind it in
        either row, and so is among the first a - s + k of one and the first b - s + k of the other.
        """
        import numpy as np
        from scipy.sparse import csr_matrix

        sizes = self.sizes[rows]
        smallest = np.maximum(self.sizes[partners].min(), _ceil(3 * sizes, 5))
        lengths = np.clip(sizes - _ceil(3 * (sizes + smallest), 8) + at_least, 0, sizes)
        places = _runs(self.matrix.indptr[rows], lengths)
        shape = (len(rows), self.matrix.shape[1])
        starts = np.concatenate([[0], np.cumsum(lengths)])
        return csr_matrix((np.ones(len(places), np.int32), self.matrix.indices[places], starts), shape=shape)

    def _candidates(self, here: "Integers", there: "Integers", shared: Any, at_least: int) -> tuple["Integers", "Integers"]:
        """Return the pairs that may be near by their sizes and by how many first pieces they share, sorted."""
        import numpy as np

        pairs = shared.tocoo()
        some = np.flatnonzero(pairs.data >= at_least)
        ours, theirs = here[pairs.row[some]], there[pairs.col[some]]
        one, other = self.sizes[ours], self.sizes[theirs]
        possible = (theirs < ours) & (5 * one >= 3 * other) & (5 * other >= 3 * one)
        keys = np.sort(ours[possible] * len(self.sizes) + theirs[possible])
        return keys // len(self.sizes), keys % len(self.sizes)

    def _first_of_each(self, ours: "Integers", theirs: "Integers") -> tuple["Integers", "Integers"]:
        """Return the first near pair of each of `ours`.

        Where many texts repeat one another the first candidate is near already: then the others are not counted.
        """
        import numpy as np

        _, groups, sizes = np.unique(ours, return_inverse=True, return_counts=True)
        places = np.arange(len(ours)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        turns = np.log2(places + 1).astype(np.int64)  # the first, the next two, the next four ...
        found = np.full(len(sizes), -1)
        for turn in range(1 + turns.max(initial=-1)):
            some = np.flatnonzero((turns == turn) & (found[groups] < 0))
            near = some[self._are_near(ours[some], theirs[some])]
            with_one, first = np.unique(groups[near], return_index=True)
            found[with_one] = near[first]
        found = found[found >= 0]
        return ours[found], theirs[found]

    def _are_near(self, ours: "Integers", theirs: "Integers") -> "NDArray[np.bool_]":
        import numpy as np

        needed = _ceil(3 * (self.sizes[ours] + self.sizes[theirs]), 8)
        near = np.zeros(len(ours), bool)
        for at in range(0, len(ours), _COUNTED):
            step = slice(at, at + _COUNTED)
            shared = self.matrix[ours[step]].multiply(self.matrix[theirs[step]]).sum(axis=1)
            near[step] = np.asarray(shared).ravel() >= needed[step]
        return near


def _ceil(number: Any, divisor: int) -> Any:
    return -(-number // divisor)
