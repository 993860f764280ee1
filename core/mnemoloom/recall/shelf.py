"""Everything recall keeps in memory about one namespace: derived, and rebuilt from the store at will.

Memories stand in slots, counted from 1 in the order in which they were remembered; slot 0 means "none".
A forgotten memory leaves a tombstone and its neighbours join hands. Turns without a session form one
unnamed conversation; a text without session and speaker stands alone. What depends on the whole shelf is
computed when first asked for after a change (`derived`), so that streaming equals building in one go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mnemoloom.config import IndexSettings
from mnemoloom.hgns import Hierarchy
from mnemoloom.index import Column, RaggedRows, VectorRows
from mnemoloom.lexical import Analyzer, Postings, Vocabulary, Window, bm25_scores, idf
from mnemoloom.recall import deriving
from mnemoloom.recall.cues import Cues
from mnemoloom.recall.echoes import is_question
from mnemoloom.recall.labels import Labels
from mnemoloom.recall.languages import cues_for
from mnemoloom.recall.neural import NeuralMemory
from mnemoloom.recall.speakers import Names, is_name, is_reply
from mnemoloom.recall.tallies import Tallies
from mnemoloom.titans import SurpriseState, surprise_step

__all__ = ["Shelf", "ShelfEntry"]

T = TypeVar("T")
Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]

LAYOUT = 4  # of `Shelf.state`; a cache with another one is rebuilt
CHUNK_WORDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class ShelfEntry:
    """What the shelf needs to know of a memory.

    vector: a unit row (d,). codes: its token codes, shape (tokens, w). time: in milliseconds.
    """

    id: int
    text: str
    speaker: str | None
    session: str | None
    time: int
    surprise: float
    cold: bool
    vector: NDArray[np.float32] | None
    codes: NDArray[np.int8] | None = None


class Shelf:
    """The searchable state of a namespace.

    `position` is the sequence number of the last log entry that the shelf has taken in.
    Not safe for concurrent use: the caller holds a lock.
    """

    def __init__(self, analyzer: Analyzer, settings: IndexSettings | None = None) -> None:
        self.analyzer = analyzer
        self.cues: Cues = cues_for(analyzer.language)
        self.position = 0
        self.vocabulary = Vocabulary()
        self.postings = Postings()
        self.chunks = Postings()
        self.vectors = VectorRows()
        self.index = Hierarchy(self.vectors, settings)  # over the same rows, by slot
        self.codes = RaggedRows()
        self.surprise_state = SurpriseState()
        self._speakers, self._sessions = Labels(), Labels()
        self._last_of_session: dict[int, int] = {}
        self.ids = Column(np.int64)
        self.times = Column(np.int64)
        self.alive = Column(np.bool_)
        self.cold = Column(np.bool_)
        self.has_vector = Column(np.bool_)
        self.asks = Column(np.bool_)
        self.lengths = Column(np.float32)
        self.surprise = Column(np.float32)
        self.speakers = Column(np.int32)
        self.sessions = Column(np.int32)
        self.before = Column(np.int32)
        self.after = Column(np.int32)
        self.chunk_slots = Column(np.int32)
        self._chunk_lengths = Column(np.float32)
        self.neural = NeuralMemory()
        self._tallies: Tallies | None = None
        self._smoothed: dict[tuple[float, ...], Column[np.float32]] = {}
        self._derived: dict[object, Any] = {}

    # -- changing -----------------------------------------------------------------------------------

    def count_terms(self, text: str) -> dict[int, int]:
        """Term number to count."""
        return self.vocabulary.number(self.analyzer.terms(text))

    def measure_surprise(self, counts: Mapping[int, int]) -> float:
        """Let the Titans memory read a turn; its surprise."""
        return surprise_step(self.surprise_state, np.fromiter(counts, np.int64, len(counts)))

    def add(self, entry: ShelfEntry, counts: Mapping[int, int] | None = None) -> None:
        """Put a memory in the next slot; `counts` are its terms, when the caller has counted them."""
        counts = self.count_terms(entry.text) if counts is None else counts
        slot = len(self.ids)
        session = self._sessions.number(entry.session)
        alone = entry.session is None and entry.speaker is None
        previous = 0 if alone else self._last_of_session.get(session, 0)
        self.ids.append(entry.id)
        self.times.append(entry.time)
        self.alive.append(True)
        self.cold.append(entry.cold)
        self.has_vector.append(entry.vector is not None)
        self.asks.append(is_question(entry.text))
        self.index.add(entry.vector)
        self.codes.append(entry.codes)
        self.lengths.append(sum(counts.values()))
        self.surprise.append(entry.surprise)
        self.speakers.append(self._speakers.number(entry.speaker))
        self.sessions.append(session)
        self.before.append(previous)
        self.after.append(0)
        if previous:
            self.after[previous] = slot
        if not alone:
            self._last_of_session[session] = slot
        self._tally(slot, Tallies.add)
        self._smooth_on(slot)
        self.postings.add(slot, counts)
        if is_reply(entry.speaker):
            self._add_chunks(slot, entry.text)
        self._derived.clear()

    def remove(self, memory_id: int) -> None:
        """Leave a tombstone; the neighbours become each other's."""
        slot = self.slot_of(memory_id)
        if not slot:
            return
        self._tally(slot, Tallies.remove)
        self._smoothed.clear()
        self.neural.begin_anew()
        self.alive[slot] = False
        self.index.remove(slot)
        before, after = int(self.before.values[slot]), int(self.after.values[slot])
        session = int(self.sessions.values[slot])
        if before:
            self.after[before] = after
        if after:
            self.before[after] = before
        elif self._last_of_session.get(session) == slot:
            self._last_of_session[session] = before
        self._derived.clear()

    def set_cold(self, memory_id: int, cold: bool) -> None:
        slot = self.slot_of(memory_id)
        if not slot:
            return
        self._tally(slot, Tallies.remove)
        self.cold[slot] = cold
        self.neural.begin_anew()
        self._tally(slot, Tallies.add)
        self._derived.clear()

    def set_vector(self, memory_id: int, vector: NDArray[np.float32], codes: NDArray[np.int8] | None) -> None:
        slot = self.slot_of(memory_id)
        if not slot:
            return
        self._tally(slot, Tallies.remove)
        self.codes.replace(slot, codes)
        self.index.replace(slot, vector)
        self.neural.begin_anew()
        self.has_vector[slot] = True
        self._tally(slot, Tallies.add)
        self._derived.clear()

    def _add_chunks(self, slot: int, text: str) -> None:
        words = self.analyzer.words(text)
        for start in range(0, len(words), CHUNK_WORDS):
            stems = filter(None, map(self.analyzer.stem, words[start : start + CHUNK_WORDS]))
            counts = self.vocabulary.number(stems)
            self.chunks.add(len(self.chunk_slots), counts)
            self.chunk_slots.append(slot)
            self._chunk_lengths.append(sum(counts.values()))

    # -- asking -------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """Memories that have not been forgotten."""
        return int(self.derived("count", lambda: np.count_nonzero(self.alive.values)))

    @property
    def dead_share(self) -> float:
        slots = len(self.ids) - 1
        return 1.0 - len(self) / slots if slots else 0.0

    def slot_of(self, memory_id: int) -> int:
        """The slot of a living memory, or 0. Slots stand in the order of ids."""
        if memory_id.bit_length() > 63:
            return 0
        slot = int(np.searchsorted(self.ids.values, memory_id))
        found = 0 < slot < len(self.ids) and self.ids.values[slot] == memory_id and self.alive.values[slot]
        return slot if found else 0

    def slots_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The slots of ascending ids, those of unknown or forgotten ones left out."""
        slots = np.searchsorted(self.ids.values, ids)
        asked, slots = ids[slots < len(self.ids)], slots[slots < len(self.ids)]
        known: NDArray[np.int64] = slots[(self.ids.values[slots] == asked) & self.alive.values[slots]].astype(np.int64)
        return known

    def derived(self, key: object, make: Callable[[], T]) -> T:
        """What `make` computes, kept until the shelf changes."""
        if key not in self._derived:
            self._derived[key] = make()
        found: T = self._derived[key]
        return found

    def eligible(self, *, cold: bool = False) -> Mask:
        """Living memories; the cold ones only if asked for. Shape (slots,)."""
        if cold:
            return self.alive.values
        return self.derived("warm", lambda: self.alive.values & ~self.cold.values)

    def labels(self) -> Counter[str]:
        """Speaker labels of living memories and how often each spoke."""
        return self.derived("labels", self._count_labels)

    def names(self) -> Names:
        """What the speakers are called."""
        return self.derived("names", self._read_names)

    def _read_names(self) -> Names:
        # The labels change far less often than the shelf, and reading them is pure Python.
        labels = frozenset(self.labels())
        kept: tuple[frozenset[str], Names] | None = getattr(self, "_names", None)
        if kept is None or kept[0] != labels:
            kept = self._names = (labels, Names.of(sorted(labels), self.cues, self.analyzer.stop_words))
        return kept[1]

    def profile_name(self) -> str:
        """Which formula suits the labels: assistant for roles, dialogue for names, document without speakers."""
        return self.derived("profile", lambda: _profile_for(self.labels()))

    def spoken_by(self, label: str, slots: NDArray[np.int64] | None = None) -> Mask:
        """Which slots a speaker said: of some, or of all."""
        speakers = self.speakers.values if slots is None else self.speakers.values[slots]
        spoken: Mask = speakers == self._speakers.find(label)
        return spoken

    def turns_of(self, session: str | None) -> NDArray[np.int64]:
        """The slots of a session's living turns, oldest first; without a session, of those in the unnamed one."""
        number = self._sessions.find(session)
        if number is None:
            return np.empty(0, np.int64)
        spoken = (self.sessions.values > 0) | (self.speakers.values > 0)  # else a text that stands alone
        return np.flatnonzero(self.alive.values & spoken & (self.sessions.values == number))

    def newest_of(self, session: str | None) -> int:
        """The id of the newest turn of a session, 0 if it has none."""
        number = self._sessions.find(session)
        return 0 if number is None else int(self.ids.values[self._last_of_session.get(number, 0)])

    def labelled_speakers(self) -> tuple[Labels, NDArray[np.int32]]:
        """Speaker labels, and the number of each slot's."""
        return self._speakers, self.speakers.values

    def labelled_sessions(self) -> tuple[Labels, NDArray[np.int32]]:
        """Session labels, and the number of each slot's."""
        return self._sessions, self.sessions.values

    def replies(self) -> Mask:
        """Messages of an assistant. Shape (slots,)."""
        return self.derived("replies", self._flag_replies)

    def named(self) -> Mask:
        """What speakers with a name said, and no role. Shape (slots,)."""
        return np.array(list(map(is_name, self._speakers.all)), np.bool_)[self.speakers.values]

    def answered(self) -> NDArray[np.int32]:
        """For each slot the nearest earlier message of the session that is no reply, 0 if none."""
        return self.derived("answered", lambda: deriving.answered_slots(self.replies(), self.before.values))

    def lexical(
        self, terms: Iterable[str], *, eligible: Mask, gammas: tuple[float, ...], k1: float, b: float, key: str
    ) -> Floats:
        """Windowed BM25 of every slot. `key` names the eligible set, so that what it derives can be kept."""
        n, saturation = self.derived(
            ("saturation", key, gammas, k1, b),
            lambda: deriving.saturation(self._smoothed_lengths(gammas), eligible, k1=k1, b=b),
        )
        window = Window(gammas, self.before.values, self.after.values) if gammas else None
        numbers = [number for number in map(self.vocabulary.find, terms) if number is not None]
        return bm25_scores(self.postings, numbers, eligible=eligible, n=n, saturation=saturation, window=window)

    def best_chunks(self, terms: Iterable[str], *, eligible: Mask, k1: float, b: float, key: str) -> Floats:
        """BM25 of each reply's best chunk of 120 words. Shape (slots,)."""
        best = np.zeros(len(eligible), np.float32)
        slots = self.chunk_slots.values
        if len(slots) == 1:
            return best
        taking_part = self.derived(("chunks", key), lambda: eligible[slots] & (slots > 0))
        n, saturation = self.derived(
            ("chunk saturation", key, k1, b),
            lambda: deriving.saturation(self._chunk_lengths.values, taking_part, k1=k1, b=b),
        )
        numbers = [number for number in map(self.vocabulary.find, terms) if number is not None]
        scores = bm25_scores(self.chunks, numbers, eligible=taking_part, n=n, saturation=saturation)
        matching = np.flatnonzero(scores)
        np.maximum.at(best, slots[matching], scores[matching])
        return best

    def rarity(self, word: str) -> float:
        """Idf of a lower-case word; 0 for stop words, the highest for words that no memory holds."""
        stem = self.analyzer.stem(word)
        return self.rarity_of(stem) if stem else 0.0

    def rarity_of(self, term: str) -> float:
        """Idf of an index term; the highest for one that no memory holds."""
        known: dict[str, float] = self.derived("rarity", dict)
        if term not in known:
            known[term] = self._measure_rarity(term)
        return known[term]

    def _measure_rarity(self, term: str) -> float:
        number = self.vocabulary.find(term)
        docs = self.postings.of(number)[0] if number is not None else ()
        return idf(len(self), int(np.count_nonzero(self.alive.values[docs])) if len(docs) else 0)

    def holders(self, terms: Sequence[str], slots: NDArray[np.int64]) -> Mask:
        """Which of some slots hold which index terms; shape (len(terms), len(slots))."""
        held: Mask = np.zeros((len(terms), len(slots)), np.bool_)
        numbers = {place: n for place, n in enumerate(map(self.vocabulary.find, terms)) if n is not None}
        if numbers and len(slots):
            order = np.argsort(slots)
            owners, docs, _ = self.postings.of_all(list(numbers.values()))
            at = np.minimum(np.searchsorted(slots, docs, sorter=order), len(slots) - 1)
            known = slots[order[at]] == docs
            held[np.array(list(numbers))[owners[known]], order[at[known]]] = True
        return held

    def echoes(self, terms: tuple[str, ...]) -> NDArray[np.int64]:
        """The slots of questions that hold some of these index terms and hardly another; ascending."""
        asking = self.derived("asking", lambda: np.flatnonzero(self.asks.values & self.alive.values))
        short = asking[self.lengths.values[asking] <= len(terms) + 1] if len(asking) else asking
        if not len(short):
            return short
        held = self.holders(terms, short).sum(axis=0)
        found: NDArray[np.int64] = short[(held > 0) & (held >= self.lengths.values[short] - 1)]
        return found

    def cosines_among(self, slots: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """The cosine of each pair of slots, None if no memory has a vector."""
        if self.vectors.width is None:
            return None
        rows = self.vectors.take(slots)
        return rows @ rows.T

    def mean_cosine(self, query: NDArray[np.float32], *, cold: bool, replies: bool) -> float:
        """The mean cosine of a query with all memories that have a vector, or with those that are no replies."""
        mean = self.derived(("mean", cold, replies), lambda: self._tallied().mean(cold=cold, replies=replies))
        return float(mean @ query) if mean is not None else 0.0

    def surprise_rank(self, slots: NDArray[np.int64] | None = None) -> Floats:
        """Where the surprise of some slots, or of all, stands among those of its speaker, in [0, 1]."""
        # A question right after a write ranks its few candidates; from the second question on, all are ranked once.
        first = "asked" not in self._derived
        self._derived["asked"] = True
        if slots is not None and first:
            return deriving.surprise_ranks(
                self.surprise.values[slots], self.speakers.values[slots], self._tallied().surprises
            )
        ranks: Floats = self.derived(
            "surprise",
            lambda: deriving.surprise_ranks(self.surprise.values, self.speakers.values, self._tallied().surprises),
        )
        return ranks if slots is None else ranks[slots]

    def age_rank(self) -> NDArray[np.float64]:
        """0 for the oldest memory, 1 for the newest, by the time when it was said. Shape (slots,)."""
        return self.derived("age", lambda: deriving.age_ranks(self.times.values, self.alive.values))

    def calendar(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Days since 1970, and 12 · year + month − 1, of every slot."""
        return self.derived("calendar", lambda: deriving.calendar(self.times.values))

    def context_norms(self, share: float) -> Floats:
        """Length of e_i + share · (e_before + e_after), for context keys. Shape (slots,)."""

        def norms() -> Floats:
            rows = self.vectors.values
            summed = rows + np.float32(share) * (rows[self.before.values] + rows[self.after.values])
            lengths: Floats = np.maximum(np.linalg.norm(summed, axis=1), 1e-12).astype(np.float32)
            return lengths

        return self.derived(("context", share), norms)

    # -- deriving -----------------------------------------------------------------------------------

    def _flag_replies(self) -> Mask:
        flags: Mask = np.array(list(map(is_reply, self._speakers.all)), np.bool_)[self.speakers.values]
        return flags

    def _count_labels(self) -> Counter[str]:
        spoken = self._tallied().spoken
        named = ((label, spoken.get(number, 0)) for number, label in enumerate(self._speakers.all))
        return Counter({label: n for label, n in named if n and label})

    def _tallied(self) -> Tallies:
        if self._tallies is None:
            self._tallies = Tallies.of(
                np.flatnonzero(self.alive.values),
                speakers=self.speakers.values,
                surprise=self.surprise.values,
                groups=2 * self.cold.values.astype(np.int64) + self.replies(),
                encoded=self.has_vector.values,
                rows=self.vectors,
            )
        return self._tallies

    def _tally(self, slot: int, count: Callable[..., None]) -> None:
        """Count a slot in, or out."""
        if self._tallies is None:
            return
        speaker = int(self.speakers.values[slot])
        row = self.vectors.row(slot) if self.has_vector.values[slot] else None
        if row is not None and len(row) != self._tallies.sums.shape[2]:
            self._tallies = None  # the first vector has come
            return
        group = 2 * int(self.cold.values[slot]) + is_reply(self._speakers.all[speaker])
        count(self._tallies, speaker=speaker, surprise=self.surprise.values[slot], group=group, row=row)

    def _smoothed_lengths(self, gammas: tuple[float, ...]) -> Floats:
        if gammas not in self._smoothed:
            lengths = deriving.smoothed_lengths(self.lengths.values, gammas, self.before.values, self.after.values)
            self._smoothed[gammas] = Column(np.float32, data=lengths)
        return self._smoothed[gammas].values

    def _smooth_on(self, slot: int) -> None:
        """A new turn and those before it share their lengths."""
        lengths, before = self.lengths.values, self.before.values
        for gammas, smoothed in self._smoothed.items():
            smoothed.append(lengths[slot])
            earlier = slot
            for gamma in gammas:
                earlier = int(before[earlier])
                if not earlier:
                    break
                smoothed[slot] = smoothed.values[slot] + np.float32(gamma) * lengths[earlier]
                smoothed[earlier] = smoothed.values[earlier] + np.float32(gamma) * lengths[slot]

    # -- keeping ------------------------------------------------------------------------------------

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Arrays and facts from which `from_state` makes an equal shelf, without the words of what is forgotten."""
        arrays: dict[str, NDArray[Any]] = {name: getattr(self, name).values for name in _COLUMNS}
        arrays["vectors"] = self.vectors.take(np.arange(len(self.ids)))
        arrays["vectors"][~self.alive.values] = 0.0
        for prefix, part in (
            ("p.", self.postings),
            ("c.", self.chunks),
            ("s.", self.surprise_state),
            ("t.", self.codes),
        ):
            arrays |= {prefix + name: array for name, array in part.arrays().items()}
        codes, coded = self.index.arrays()
        arrays |= {"h." + name: array for name, array in codes.items()}
        facts = {
            "index": coded,
            "position": self.position,
            "language": self.analyzer.language,
            "vocabulary": _kept(list(self.vocabulary), self._living_terms()),
            "speakers": _kept(self._speakers.all, self._living(self.speakers, self._speakers))[1:],
            "sessions": _kept(self._sessions.all, self._living(self.sessions, self._sessions))[1:],
        }
        return arrays, facts

    def _living_terms(self) -> Mask:
        terms, alive = len(self.vocabulary), self.alive.values
        return self.postings.held(alive, terms) | self.chunks.held(alive[self.chunk_slots.values], terms)

    def _living(self, column: Column[np.int32], labels: Labels) -> Mask:
        return np.bincount(column.values[self.alive.values], minlength=len(labels.all)) > 0

    @classmethod
    def from_state(
        cls,
        analyzer: Analyzer,
        arrays: Mapping[str, NDArray[Any]],
        facts: Mapping[str, Any],
        settings: IndexSettings | None = None,
    ) -> Shelf:
        shelf = cls(analyzer, settings)
        shelf.position = facts["position"]
        shelf.vocabulary = Vocabulary(facts["vocabulary"])
        shelf._speakers, shelf._sessions = Labels(facts["speakers"]), Labels(facts["sessions"])
        for name in _COLUMNS:
            setattr(shelf, name, Column(arrays[name].dtype.type, data=arrays[name]))
        parts = {
            prefix: {key[2:]: array for key, array in arrays.items() if key.startswith(prefix)}
            for prefix in ("p.", "c.", "s.", "t.", "h.")
        }
        shelf.postings, shelf.chunks = Postings.from_arrays(parts["p."]), Postings.from_arrays(parts["c."])
        shelf.surprise_state = SurpriseState.from_arrays(parts["s."])
        shelf.codes = RaggedRows.from_arrays(parts["t."])
        rows = arrays["vectors"]
        shelf.vectors = VectorRows(rows if rows.shape[1] else None, slots=len(rows))
        shelf.index = Hierarchy(shelf.vectors, settings)
        shelf.index.restore(shelf.alive.values & shelf.has_vector.values, parts["h."], facts["index"])
        linked = (shelf.sessions.values > 0) | (shelf.speakers.values > 0)
        last = np.flatnonzero(shelf.alive.values & linked & (shelf.after.values == 0))
        shelf._last_of_session = {int(shelf.sessions.values[slot]): int(slot) for slot in last}
        return shelf


_COLUMNS = (
    "ids",
    "times",
    "alive",
    "cold",
    "has_vector",
    "asks",
    "lengths",
    "surprise",
    "speakers",
    "sessions",
    "before",
    "after",
    "chunk_slots",
    "_chunk_lengths",
)


def _kept(words: Sequence[str | None], living: Mask) -> list[str | None]:
    """The words, those that nothing alive bears replaced by one that nothing can bear."""
    return [word if kept else "" for word, kept in zip(words, living, strict=True)]


def _profile_for(labels: Collection[str]) -> str:
    if any(map(is_reply, labels)) or (labels and not any(map(is_name, labels))):
        return "assistant"
    return "dialogue" if labels else "document"
