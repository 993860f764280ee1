"""Postings: for each term, the documents that hold it and how often; grows without rebuilding.

New documents go to a small tail of append-only lists. When the tail has grown to a quarter of the
base, both are merged into sorted arrays, so that a document costs amortised constant time.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Postings", "Vocabulary"]

_TF_BITS = 8
_TF_MAX = (1 << _TF_BITS) - 1
_MERGE_AT_LEAST = 50_000

Docs = NDArray[np.int32]
Frequencies = NDArray[np.float32]


class Vocabulary:
    """Numbers for terms, given in order of first appearance; an empty term keeps its number free of any word."""

    def __init__(self, terms: Iterable[str] = ()) -> None:
        self._terms = list(terms)
        self._ids = {term: number for number, term in enumerate(self._terms) if term}

    def __len__(self) -> int:
        return len(self._terms)

    def __iter__(self) -> Iterator[str]:
        return iter(self._terms)

    def find(self, term: str) -> int | None:
        return self._ids.get(term)

    def number(self, terms: Iterable[str]) -> dict[int, int]:
        """Term number to count; unseen terms get the next numbers."""
        ids = self._ids
        counts: dict[int, int] = {}
        for term, count in Counter(terms).items():
            number = ids.get(term)
            if number is None:
                number = ids[term] = len(self._terms)
                self._terms.append(term)
            counts[number] = count
        return counts


class Postings:
    """An inverted index of term numbers.

    Documents must be added in ascending order. Frequencies above 255 count as 255: the saturation of
    BM25 has long flattened there.
    """

    def __init__(self) -> None:
        self._starts = np.zeros(1, np.int64)  # term t owns base entries starts[t]:starts[t + 1]
        self._docs = np.empty(0, np.int32)
        self._tfs = np.empty(0, np.uint8)
        self._tail: dict[int, array[int]] = {}
        self._tail_size = 0

    def add(self, doc: int, counts: Mapping[int, int]) -> None:
        """Add one document, given as term number to count."""
        tail = self._tail
        base = doc << _TF_BITS
        for term, count in counts.items():
            entry = base | (count if count < _TF_MAX else _TF_MAX)
            entries = tail.get(term)
            if entries is None:
                tail[term] = array("Q", (entry,))
            else:
                entries.append(entry)
        self._tail_size += len(counts)
        if self._tail_size > max(_MERGE_AT_LEAST, len(self._docs) // 4):
            self._merge()

    def of(self, term: int) -> tuple[Docs, Frequencies]:
        """The documents that hold `term`, ascending, and its frequency in each."""
        _, docs, tfs = self.of_all([term])
        return docs, tfs

    def of_all(self, terms: Sequence[int]) -> tuple[NDArray[np.int64], Docs, Frequencies]:
        """Every document that holds one of the `terms`: the place of that term among them, the document, how often.

        Those of one term ascend; the terms may be mixed. Shapes (n,).
        """
        spans = [self._starts[term : term + 2].tolist() for term in terms]
        base = [(place, *span) for place, span in enumerate(spans) if len(span) == 2]
        tails = [(place, entries) for place, entries in enumerate(map(self._tail.get, terms)) if entries is not None]
        packed = np.frombuffer(b"".join([entries.tobytes() for _, entries in tails]), np.uint64)
        docs = [self._docs[start:end] for _, start, end in base]
        tfs = [self._tfs[start:end] for _, start, end in base]
        places = [place for place, _, _ in base] + [place for place, _ in tails]
        sizes = [end - start for _, start, end in base] + [len(entries) for _, entries in tails]
        return (
            np.repeat(np.array(places, np.int64), np.array(sizes, np.int64)),
            np.concatenate((*docs, (packed >> np.uint64(_TF_BITS)).astype(np.int32))),
            np.concatenate((*tfs, (packed & np.uint64(_TF_MAX)).astype(np.uint8))).astype(np.float32),
        )

    def pairs(self) -> tuple[Docs, NDArray[np.int64]]:
        """Every document and term that it holds, each pair once, by term."""
        self._merge()
        return self._docs, np.repeat(np.arange(len(self._starts) - 1), np.diff(self._starts))

    def held(self, alive: NDArray[np.bool_], terms: int) -> NDArray[np.bool_]:
        """Which of the first `terms` terms any living document holds; `alive` by document."""
        docs, owners = self.pairs()
        return np.bincount(owners[alive[docs]], minlength=terms)[:terms] > 0

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """Everything this index holds, as arrays that `from_arrays` takes back."""
        self._merge()
        return {"starts": self._starts, "docs": self._docs, "tfs": self._tfs}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Postings:
        index = cls()
        index._starts = np.asarray(arrays["starts"], np.int64)
        index._docs = np.asarray(arrays["docs"], np.int32)
        index._tfs = np.asarray(arrays["tfs"], np.uint8)
        return index

    def _merge(self) -> None:
        if not self._tail:
            return
        terms = np.fromiter(self._tail, np.int64, len(self._tail))
        sizes = np.fromiter(map(len, self._tail.values()), np.int64, len(self._tail))
        packed = np.frombuffer(b"".join(entries.tobytes() for entries in self._tail.values()), np.uint64)
        n_terms = max(int(terms.max()) + 1, len(self._starts) - 1)
        base_sizes = np.diff(self._starts, append=np.full(n_terms + 1 - len(self._starts), self._starts[-1]))
        owner = np.concatenate((np.repeat(np.arange(n_terms), base_sizes), np.repeat(terms, sizes)))
        order = np.argsort(owner, kind="stable")
        docs = np.concatenate((self._docs, (packed >> np.uint64(_TF_BITS)).astype(np.int32)))
        tfs = np.concatenate((self._tfs, (packed & np.uint64(_TF_MAX)).astype(np.uint8)))
        self._docs, self._tfs = docs[order], tfs[order]
        self._starts = np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=n_terms))))
        self._tail, self._tail_size = {}, 0
