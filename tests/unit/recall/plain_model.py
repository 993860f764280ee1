"""Recall written out slowly, straight from the formulas of `mnemoloom.config`: the oracle of the ranking tests.

It reads public records, works one memory and one word at a time in float64, and knows no shelf and no cache.
Only the reading of queries, the text analysis and the token projection are the library's: they have tests
of their own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from mnemoloom import AssistantProfile, ConcertProfile, Embedder, Record, Tier, TokenEmbedder, WeightedProfile
from mnemoloom.lexical import Analyzer
from mnemoloom.recall.dates import DateCue
from mnemoloom.recall.languages import cues_for
from mnemoloom.recall.late import seeded_projection
from mnemoloom.recall.query import Query, read_query
from mnemoloom.recall.speakers import Names, is_reply

CHUNK_WORDS = 120
ANALYZER = Analyzer()
CUES = cues_for("english")

Parts = dict[int, dict[str, float]]  # by memory


@dataclass
class PlainModel:
    """A namespace as a list of records.

    now: when the question is asked. margins: how far apart the values were that something hung on; where one is
    tiny, float32 may decide otherwise than float64.
    """

    records: Sequence[Record]
    embedder: Embedder | None = None
    asker: str | None = None
    now: datetime | None = None
    cold: bool = False

    def __post_init__(self) -> None:
        self.before, self.after = _links(self.records)
        self.terms = [ANALYZER.terms(record.text) for record in self.records]
        self.eligible = [self.cold or record.tier is not Tier.COLD for record in self.records]
        self.vectors: list[np.ndarray | None] = [None] * len(self.records)
        if self.embedder is not None:
            for i, record in enumerate(self.records):
                if not is_reply(record.speaker):
                    self.vectors[i] = _unit(self.embedder.embed([record.text])[0])
        labels = {record.speaker for record in self.records if record.speaker}
        self.labels = sorted(labels)
        self.margins: list[float] = []

    def read(self, text: str) -> Query:
        names = Names.of(self.labels, CUES, ANALYZER.stop_words)
        return read_query(text, labels=self.labels, names=names, analyzer=ANALYZER, cues=CUES, asker=self.asker)

    def parts(self, text: str, profile: WeightedProfile | AssistantProfile | ConcertProfile) -> Parts:
        """Of every candidate, the parts of its score."""
        query = self.read(text)
        if isinstance(profile, WeightedProfile):
            found = self._weighted(query, profile)
        elif isinstance(profile, AssistantProfile):
            found = self._assistant(query, profile)
        else:
            found = self._concert(query, profile)
        return {self.records[i].id: parts for i, parts in found.items()}

    # -- the three formulas -------------------------------------------------------------------------

    def _weighted(self, query: Query, profile: WeightedProfile) -> dict[int, dict[str, float]]:
        compared = [i for i in self._all() if self.vectors[i] is not None] if profile.dense else []
        asked = query.topic if profile.strip_names else query.text
        cosines = self._cosines(asked, compared)
        dense = self._above_mean(cosines, profile.dense)
        words = query.topic_terms if profile.strip_names else query.terms
        lexical = _shared(self.bm25(words, self._all(), profile.window, profile.k1, profile.b), profile.lexical)
        surprise = self._surprise_ranks()
        found: dict[int, dict[str, float]] = {}
        for i in self._all():
            parts = {
                "dense": dense.get(i, 0.0),
                "lexical": lexical.get(i, 0.0),
                "speaker": profile.speaker * (query.speaker is not None and self.records[i].speaker == query.speaker),
                "date": profile.date * (_date_fit(query.date, self.records[i].time) if query.date else 0.0),
                "recency": profile.recency * self._recency(query, i),
                "surprise": profile.surprise * surprise[i],
            }
            if i in cosines or parts["lexical"] > 0 or parts["speaker"] > 0 or parts["date"] > 0:
                found[i] = parts
        if (
            profile.maxsim
            and profile.dense
            and isinstance(self.embedder, TokenEmbedder)
            and any(vector is not None for vector in self.vectors)
        ):
            order = sorted(found, key=lambda i: (-sum(found[i].values()), i))
            best, rest = order[: profile.rerank], order[profile.rerank :]
            if rest:
                self.margins.append(sum(found[best[-1]].values()) - sum(found[rest[0]].values()))
            late = self._scaled(self._maxsim(asked, best), profile.maxsim)
            for i, parts in found.items():
                parts["maxsim"] = late.get(i, 0.0)
        return found

    def _assistant(self, query: Query, profile: AssistantProfile) -> dict[int, dict[str, float]]:
        replies = [i for i in self._all() if is_reply(self.records[i].speaker)]
        messages = [i for i in self._all() if i not in replies]
        compared = [i for i in messages if self.vectors[i] is not None] if profile.dense else []
        cosines = self._cosines(query.text, compared)
        dense = self._above_mean(cosines, profile.dense)
        own = _shared(self.bm25(query.terms, messages, (), profile.k1, profile.b), profile.lexical)
        share = 1.0 if cosines else profile.lexical / ((profile.dense + profile.lexical) or 1.0)
        chunk = _shared(self._best_chunks(query.terms, replies, profile.k1, profile.b), profile.chunk * share)
        found = {
            i: {
                "dense": dense.get(i, 0.0),
                "lexical": own.get(i, 0.0),
                "recency": profile.recency * self._recency(query, i),
            }
            for i in messages
        }
        weight = profile.answered_asked if query.asks_reply else profile.answered
        evident = {i for i in messages if i in cosines or own.get(i, 0.0) > 0}
        for i in replies:
            answered = self.before[i]
            while answered is not None and is_reply(self.records[answered].speaker):
                answered = self.before[answered]
            score = sum(found[answered].values()) if answered in found else 0.0
            found[i] = {"answered": weight * score, "chunk": chunk.get(i, 0.0)}
            if found[i]["chunk"] > 0 or answered in evident:
                evident.add(i)
        return {i: parts for i, parts in found.items() if i in evident}

    def _concert(self, query: Query, profile: ConcertProfile) -> dict[int, dict[str, float]]:
        compared = [i for i in self._all() if self.vectors[i] is not None]
        assert self.now is not None
        found = {}
        for i, cosine in self._cosines(query.text, compared).items():
            self.margins.append(abs(cosine - profile.floor))
            if cosine < profile.floor:
                continue
            age = max((self.now - self.records[i].time).total_seconds(), 0.0)
            vector, earlier_vectors = self.vectors[i], [each for each in self.vectors[:i] if each is not None]
            earlier = [float(each @ vector) for each in earlier_vectors]
            novelty = 1 - max(earlier) if earlier else 1.0
            found[i] = {
                "recency": profile.alpha * math.exp(-age / profile.tau),
                "similarity": profile.beta * cosine,
                "novelty": profile.gamma * min(max(novelty, 0.0), 2.0),
            }
        return found

    # -- their parts --------------------------------------------------------------------------------

    def _all(self) -> list[int]:
        return [i for i, eligible in enumerate(self.eligible) if eligible]

    def _above_mean(self, values: Mapping[int, float], weight: float) -> dict[int, float]:
        """Weight · (value − mean) / (best − mean)."""
        if not values:
            return {}
        mean, best = sum(values.values()) / len(values), max(values.values())
        self.margins.append(best - mean)
        return {i: weight * (value - mean) / max(best - mean, 1e-9) for i, value in values.items()}

    def _scaled(self, values: Mapping[int, float], weight: float) -> dict[int, float]:
        """Weight · min–max."""
        if len(values) < 2:
            return dict.fromkeys(values, 0.0)
        low, high = min(values.values()), max(values.values())
        self.margins.append(high - low)
        return {i: weight * (value - low) / max(high - low, 1e-9) for i, value in values.items()}

    def _cosines(self, text: str, among: list[int]) -> dict[int, float]:
        if self.embedder is None:
            return {}
        query = _unit(self.embedder.embed([text], query=True)[0])
        return {i: float(vector @ query) for i in among if (vector := self.vectors[i]) is not None}

    def bm25(
        self, words: Sequence[str], among: list[int], gammas: Sequence[float], k1: float, b: float
    ) -> dict[int, float]:
        """BM25 of the records `among`, with the words of their neighbours at a discount."""
        around = {i: self._around(i, gammas) for i in among}
        length = {i: sum(share * len(self.terms[j]) for j, share in around[i]) for i in among}
        mean = sum(length.values()) / len(among) if among else 1.0
        found = dict.fromkeys(among, 0.0)
        for word in words:
            df = sum(word in self.terms[i] for i in among)
            if not df:
                continue
            rarity = math.log(1 + (len(among) - df + 0.5) / (df + 0.5))
            for i in among:
                tf = sum(share * self.terms[j].count(word) for j, share in around[i] if j in found)
                found[i] += rarity * tf / (tf + k1 * (1 - b + b * length[i] / mean)) if tf else 0.0
        return found

    def _around(self, i: int, gammas: Sequence[float]) -> list[tuple[int, float]]:
        found = [(i, 1.0)]
        back: int | None = i
        forth: int | None = i
        for gamma in gammas:
            back = None if back is None else self.before[back]
            forth = None if forth is None else self.after[forth]
            found += [(j, gamma) for j in (back, forth) if j is not None]
        return found

    def _best_chunks(self, words: Sequence[str], replies: list[int], k1: float, b: float) -> dict[int, float]:
        chunks: list[tuple[int, list[str]]] = []
        for i in replies:
            spoken = ANALYZER.words(self.records[i].text)
            for start in range(0, len(spoken), CHUNK_WORDS):
                stems = map(ANALYZER.stem, spoken[start : start + CHUNK_WORDS])
                chunks.append((i, [stem for stem in stems if stem]))
        mean = sum(len(terms) for _, terms in chunks) / len(chunks) if chunks else 1.0
        best = dict.fromkeys(replies, 0.0)
        for i, terms in chunks:
            score = 0.0
            for word in words:
                df = sum(word in other for _, other in chunks)
                if tf := terms.count(word):
                    rarity = math.log(1 + (len(chunks) - df + 0.5) / (df + 0.5))
                    score += rarity * tf / (tf + k1 * (1 - b + b * len(terms) / mean))
            best[i] = max(best[i], score)
        return best

    def _recency(self, query: Query, i: int) -> float:
        if not query.recency:
            return 0.0
        order = sorted(range(len(self.records)), key=lambda j: (self.records[j].time, j))
        rank = order.index(i) / max(len(order) - 1, 1)
        return rank if query.recency > 0 else 1 - rank

    def _surprise_ranks(self) -> list[float]:
        ranks = []
        for record in self.records:
            # The library keeps float32
            own = np.float32(record.surprise)
            peers = [np.float32(other.surprise) for other in self.records if other.speaker == record.speaker]
            below, equal = sum(peer < own for peer in peers), sum(peer == own for peer in peers)
            ranks.append((below + (equal - 1) / 2) / (len(peers) - 1) if len(peers) > 1 else 0.5)
        return ranks

    def _maxsim(self, text: str, among: list[int]) -> dict[int, float]:
        assert isinstance(self.embedder, TokenEmbedder)
        _, (tokens,) = self.embedder.embed_tokens([text], query=True)
        if not tokens.words or not among:
            return {}
        projection = seeded_projection(tokens.vectors.shape[1], 64)
        words = projection.apply(tokens.vectors).astype(float)
        rarity = [self._rarity(word) for word in tokens.words]
        if not any(rarity):
            rarity = [1.0] * len(rarity)
        found: dict[int, float] = {}
        for i in among:
            _, (own,) = self.embedder.embed_tokens([self.records[i].text])
            if own.words and not is_reply(self.records[i].speaker):
                codes = projection.codes(own.vectors).astype(float) / 127
                found[i] = sum(r * max(codes @ w) for r, w in zip(rarity, words, strict=True)) / sum(rarity)
        lowest = min(found.values(), default=0.0)
        return {i: found.get(i, lowest) for i in among}

    def _rarity(self, word: str) -> float:
        stem = ANALYZER.stem(word)
        df = sum(stem in terms for terms in self.terms)
        return math.log(1 + (len(self.records) - df + 0.5) / (df + 0.5)) if stem else 0.0


def _links(records: Sequence[Record]) -> tuple[list[int | None], list[int | None]]:
    """Neighbours in the session; a text with neither session nor speaker stands alone."""
    before: list[int | None] = [None] * len(records)
    after: list[int | None] = [None] * len(records)
    last: dict[str | None, int] = {}
    for i, record in enumerate(records):
        if record.session is None and record.speaker is None:
            continue
        before[i] = last.get(record.session)
        if (previous := before[i]) is not None:
            after[previous] = i
        last[record.session] = i
    return before, after


def _unit(row: np.ndarray) -> np.ndarray:
    exact = row.astype(float)
    return np.asarray(exact / np.linalg.norm(exact))


def _shared(values: Mapping[int, float], weight: float) -> dict[int, float]:
    best = max(values.values(), default=0.0)
    return {i: weight * value / best for i, value in values.items()} if best > 0 else {}


def _date_fit(cue: DateCue, moment: datetime) -> float:
    day = moment.date()
    if cue.month is None:
        return float(day.year == cue.year)
    years = [cue.year] if cue.year else [day.year - 1, day.year, day.year + 1]
    if cue.day is None:
        since = min(
            (12 * (day.year - year) + day.month - cue.month for year in years),
            key=lambda months: (months < 0, abs(months)),
        )
        return 1.0 if since == 0 else 0.5 if since == 1 and day.day <= 15 else 0.0
    fits = [0.0]
    for year in years:
        try:
            after = (day - date(year, cue.month, cue.day)).days
        except ValueError:
            continue
        if -1 <= after <= 31:
            fits.append(math.exp(-max(after, 0) / 7))
    return max(fits)
