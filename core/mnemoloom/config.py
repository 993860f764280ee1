"""Every setting, named and bounded, with what it was measured to do.

Figures are recall@10 in points, from tests/benchmarks/README.md unless a line says otherwise.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import timedelta
from typing import Literal

from mnemoloom.errors import ConfigError, told

__all__ = [
    "LONGEST_TTL",
    "PROFILES",
    "AssistantProfile",
    "ConcertProfile",
    "Config",
    "Durability",
    "Gate",
    "Guard",
    "IndexSettings",
    "Limits",
    "Profile",
    "UpdateRule",
    "WeightedProfile",
    "profile_named",
]

Durability = Literal["full", "normal"]

LONGEST_TTL = 10_000 * 366 * 86_400  # seconds; nothing ends after the year 9999


def _within(owner: object, name: str, low: float, high: float) -> None:
    value = getattr(owner, name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not low <= value <= high:
        raise ConfigError(f"{type(owner).__name__}.{name} must be a number in [{low}, {high}]; got {told(value)}")


def _whole(owner: object, name: str, low: int, high: int) -> None:
    value = getattr(owner, name)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ConfigError(f"{type(owner).__name__}.{name} must be a whole number in [{low}, {high}]; got {told(value)}")


def _is_share(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0.0 <= value <= 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedProfile:
    """score = dense·s(cos) + lexical·B/max B + speaker + date + surprise + recency, then + maxsim on the best.

    The default values are those of conversations between named speakers.

    dense: weight of s(cos) = (cos − mean) / (best − mean) over the memories of the namespace.
    lexical: weight of BM25, divided by the best score.
    window: how much the words of neighbours count, one place away, two places away, … (() for none).
    speaker: added to memories of the one speaker that the query names.
    date: added by how well the memory's time fits a date in the query.
    surprise: weight of the rank of the memory's surprise among its speaker's.
    maxsim: weight of the late-interaction score, for the best `rerank` memories only.
    echo: taken from remembered questions that only repeat the query; they match best and answer nothing.
    recency: weight of the age rank; acts only when the query asks for the newest or the first.
    activation: at most this much is added to what was recalled lately or often; nothing by default.
    context: share of the neighbours' vectors in a memory's dense key; 0 leaves the memory alone.
    strip_names: leave the speakers' names out of the query's words and vector.
    k1, b: BM25's saturation and length normalisation.
    """

    name: str = "dialogue"
    dense: float = 0.6
    lexical: float = 0.75
    window: tuple[float, ...] = (0.5, 0.25)
    speaker: float = 0.6
    date: float = 1.0
    surprise: float = 0.2
    maxsim: float = 0.6
    rerank: int = 50
    recency: float = 0.3
    echo: float = 2.0
    activation: float = 0.0
    context: float = 0.0
    strip_names: bool = True
    k1: float = 1.2
    b: float = 0.5

    def __post_init__(self) -> None:
        for name in ("dense", "lexical", "speaker", "date", "surprise", "maxsim", "recency", "echo", "context"):
            _within(self, name, 0.0, 10.0)
        _within(self, "activation", 0.0, 1.0)
        _whole(self, "rerank", 1, 1000)
        _within(self, "k1", 0.01, 10.0)
        _within(self, "b", 0.0, 1.0)
        if not isinstance(self.window, tuple) or len(self.window) > 4 or not all(map(_is_share, self.window)):
            raise ConfigError(f"{self.name}.window must be a tuple of up to 4 numbers in [0, 1]; got {self.window!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantProfile:
    """User messages by their own words; replies by the message that they answer.

    message: dense·(cos − mean) / (best − mean) + lexical·B/max B, over the messages of the user.
    reply: answered·(score of the message it answers) + chunk·(B of its best chunk) / max. When the query asks what
    the assistant said, `answered_asked` takes the place of `answered`. Where no vectors are compared, `chunk` counts
    lexical / (dense + lexical) as much, as the messages do: on BEAM-100K without an encoder 53.9 instead of 48.1.
    On BEAM-100K this is worth 2.2 points over ranking all messages alike, 3.8 over the dialogue profile.
    """

    name: str = "assistant"
    dense: float = 0.6
    lexical: float = 0.4
    answered: float = 0.35
    answered_asked: float = 0.75
    chunk: float = 0.3
    recency: float = 0.3
    echo: float = 2.0
    activation: float = 0.0
    k1: float = 1.2
    b: float = 0.5

    def __post_init__(self) -> None:
        for name in ("dense", "lexical", "answered", "answered_asked", "chunk", "recency", "echo"):
            _within(self, name, 0.0, 10.0)
        _within(self, "activation", 0.0, 1.0)
        _within(self, "k1", 0.01, 10.0)
        _within(self, "b", 0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcertProfile:
    """PMLL's concert score: alpha·recency + beta·similarity + gamma·novelty, similarity at least `floor`.

    recency = exp(−age / tau), tau in seconds (6 hours, an e-folding time, not a half-life);
    novelty = 1 − best cosine with an earlier memory. The published values; kept for comparison:
    alone they find 30 % of the evidence in LoCoMo 47–50, where the dialogue profile finds 84 %.
    """

    name: str = "concert"
    alpha: float = 0.35
    beta: float = 0.50
    gamma: float = 0.08
    tau: float = 6 * 3600.0
    floor: float = 0.15

    def __post_init__(self) -> None:
        for name in ("alpha", "beta", "gamma"):
            _within(self, name, 0.0, 10.0)
        _within(self, "tau", 1e-3, 1e12)
        _within(self, "floor", -1.0, 1.0)


Profile = WeightedProfile | AssistantProfile | ConcertProfile

_PLAIN = WeightedProfile(
    name="document",
    lexical=0.4,
    window=(),
    speaker=0.0,
    date=0.0,
    surprise=0.0,
    maxsim=0.0,
    echo=0.0,
    strip_names=False,
)

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        WeightedProfile(),
        AssistantProfile(),
        _PLAIN,
        replace(_PLAIN, name="dense", lexical=0.0, recency=0.0),
        replace(_PLAIN, name="lexical", dense=0.0, lexical=1.0, recency=0.0),
        ConcertProfile(),
    )
}


def profile_named(profile: str | Profile) -> Profile:
    """The profile of that name; a profile stands for itself. Raises ConfigError."""
    if isinstance(profile, (WeightedProfile, AssistantProfile, ConcertProfile)):
        return profile
    try:
        return PROFILES[profile]
    except (KeyError, TypeError):
        known = ", ".join([*PROFILES, "auto"])
        raise ConfigError(f"profile must be one of {known}, or a profile object; got {told(profile)}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateRule:
    """When a newer statement takes the place of an older one that it contradicts, among the ten best.

    changed, unchanged: its score must be at least this share of the older one's; `changed` if it tells of a change.
    near: or its cosine with the question at least this share of the older one's; in a store of a few memories the
        scores lie far apart.
    alike: where values do not tell, the least cosine of a pair; only if the question asks for "now" or "first", or is
        a short one about the present.
    rewording: the share of the score that such a pair needs.
    words: the newer one must hold this share, by rarity, of the question's words that the older one holds.
    """

    changed: float = 0.45
    unchanged: float = 0.75
    near: float = 0.9
    alike: float = 0.55
    rewording: float = 0.8
    words: float = 0.3

    def __post_init__(self) -> None:
        for name in ("changed", "unchanged", "near", "alike", "rewording", "words"):
            _within(self, name, 0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """How the vectors of a namespace are searched; what an index finds is ranked by the exact rows in any case.

    exact_below: with fewer memories than that, every vector is compared: a scan of the exact rows is no slower.
    levels: digits of precision to go through, coarse to fine: 2 is four bits for each four numbers, 1 is eight for
        each, 0 the exact row. (2, 1, 0), (2, 0), or (0,), which compares every vector always. Level 1 takes 384 bytes
        a memory at 384 dimensions. It chooses where it leaves out half of the candidates: in recall only with millions,
        in a search of the index alone for a few neighbours. Else all exact rows are read, and hits tell its estimate.
    candidates: how many the coarse level hands on, at least; more beyond 100,000 memories, and more where the probe
        sees too few. On 100,000 MiniLM vectors they hold all but one in a thousand of the true ten nearest.
    probe_every: each so many queries, and the first few, one is answered exactly as well, to measure the recall.
    recall: the share of the true ten nearest that the candidates must hold; below it their number is raised.
    compact_at: the share of forgotten entries beyond which the codes close their gaps.
    """

    exact_below: int = 8_000
    levels: tuple[int, ...] = (2, 1, 0)
    candidates: int = 256
    probe_every: int = 100
    recall: float = 0.995
    compact_at: float = 0.25

    def __post_init__(self) -> None:
        for name in ("exact_below", "candidates", "probe_every"):
            _whole(self, name, 1, 1 << 40)
        if self.levels not in ((2, 1, 0), (2, 0), (0,)):
            raise ConfigError(f"IndexSettings.levels must be (2, 1, 0), (2, 0) or (0,); got {self.levels!r}")
        _within(self, "recall", 0.5, 0.9999)
        _within(self, "compact_at", 0.01, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """The write gate: turns between named speakers that tell too little are kept cold, out of ordinary recall.

    Measured on LoCoMo: tests/benchmarks/README.md. In chats between a user and an assistant nothing is dropped, and
    nothing that is pinned or comes with a tier of its own.

    budget: the share of turns to write, the one knob; below a half a gate would lose more than it saves.
    surprise, specifics, statement, answer: weights of the signals' z-scores, from a logistic regression on the evidence
        in LoCoMo 26, 30 and 41–44, rounded.
    gain: how fast the threshold moves, in z a turn.
    first: turns of a speaker that are written whatever they say, while his means and spreads are not yet known.
    """

    budget: float = 0.825
    surprise: float = 1.0
    specifics: float = 0.7
    statement: float = 0.35
    answer: float = 0.5
    gain: float = 0.1
    first: int = 16

    def __post_init__(self) -> None:
        known = isinstance(self.budget, (int, float)) and not isinstance(self.budget, bool)
        if not known or not 0.5 <= self.budget < 1.0:
            raise ConfigError(
                "Gate.budget must be the share of turns to write, from .5 and below 1 (.8 drops a fifth); "
                f"got {told(self.budget)}"
            )
        for name in ("surprise", "specifics", "statement", "answer"):
            _within(self, name, 0.0, 10.0)
        _within(self, "gain", 1e-6, 1.0)
        _whole(self, "first", 1, 1 << 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a caller may pass in; beyond it, a ValidationError."""

    text_bytes: int = 1 << 20
    metadata_bytes: int = 64 << 10
    metadata_depth: int = 16
    k: int = 1000
    label_chars: int = 512

    def __post_init__(self) -> None:
        for setting in fields(self):
            _whole(self, setting.name, 1, 1 << 40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """How long to wait for an encoder, and when to leave it alone.

    deadline: seconds that a call may take for each of its texts; None waits for ever. Generous, because a model may
        have to be loaded first, and a slow machine may take seconds for a long text.
    failures: how many errors in a row open the circuit breaker; a missed deadline opens it at once.
    cool_down: seconds until one call is let through again.
    """

    deadline: float | None = 120.0
    failures: int = 5
    cool_down: float = 10.0

    def __post_init__(self) -> None:
        if self.deadline is not None:
            _within(self, "deadline", 1e-3, 1e6)
        _whole(self, "failures", 1, 1 << 20)
        _within(self, "cool_down", 1e-3, 1e6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Settings of one handle.

    profile: "auto" chooses dialogue, assistant or document from the speaker labels of the namespace.
    language: whose stemmer and stop words analyse the text.
    token_width: numbers kept for each token vector (int8).
    encode_replies: encode an assistant's replies too. The assistant profile ranks them by their words and by
        the message that they answer; encoding them is most of the work in such a chat.
    open_namespaces: how many namespaces of a store are kept ready in memory, about 1 MB each and more with what they
        hold; the one that was not used for longest is let go, and loaded again when it is next asked.
    per_source: the share of the `k` hits asked for, from 0 to 1 and at least one hit, that may come of one source; None
        sets no bound. Off, because many good stores hold a single source. Memories without a source are not bounded.
    guard: the deadline and the circuit breaker of the encoder; None asks it as it is.
    recall_unencoded: when the encoder is down, answer by words, names and dates; `RecallResult.degraded` says so. False
        lets its error through. Down is an encoder that cannot be reached, is too slow, raises, or is left alone
        by the guard; one that answers with nonsense is not, and its error always comes through.
    remember_unencoded: when the encoder is down, keep texts without vectors, to be found by their words;
        `stats().waiting` counts them, and `reembed` encodes them. By default nothing is stored, and its error comes.
    update_rule: how newer statements take the place of older ones; None leaves the ranking as it is.
    index: how vectors are searched when there are many.
    gate: what is not worth an index entry goes to the cold tier as it is written; None (the default) writes everything.
    vigilance: the least match of a memory with a topic that takes it in, a cosine with the common direction taken
        away; the higher, the more topics. What is sorted already stays where it is.
    feedback: how far a question is moved to where such questions found what was said to be `useful`; 0 leaves it.
        Nothing is moved before something was.
    ttl: how long a memory lasts that says nothing about it itself and is not pinned, in seconds or as a timedelta; None
        is for ever.
    redact: makes of each text the one that is stored, encoded and searched, such as `mnemoloom.redaction.Redactor()`;
        questions go through it, too, because an encoder may be a server. Labels (speaker, session, source, external
        id) and namespaces do not. A vector that a caller brought along for a text that it changes is dropped.
    redact_metadata: let it change the strings in metadata as well.
    """

    profile: str | Profile = "auto"
    language: str = "english"
    token_width: int = 64
    encode_replies: bool = False
    open_namespaces: int = 256
    per_source: float | None = None
    guard: Guard | None = field(default_factory=Guard)
    recall_unencoded: bool = True
    remember_unencoded: bool = False
    update_rule: UpdateRule | None = field(default_factory=UpdateRule)
    index: IndexSettings = field(default_factory=IndexSettings)
    gate: Gate | None = None
    vigilance: float = 0.35
    feedback: float = 0.5
    limits: Limits = field(default_factory=Limits)
    ttl: float | timedelta | None = None
    redact: Callable[[str], str] | None = None
    redact_metadata: bool = True

    def __post_init__(self) -> None:
        seconds = self.ttl.total_seconds() if isinstance(self.ttl, timedelta) else self.ttl
        if seconds is not None and (
            isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds > 0
        ):
            raise ConfigError(f"Config.ttl must be more than 0 seconds, a timedelta or None; got {told(self.ttl)}")
        if seconds is not None and LONGEST_TTL < seconds < float("inf"):
            raise ConfigError(f"Config.ttl must end before the year 10000; got {told(self.ttl)}")
        if self.redact is not None and not callable(self.redact):
            raise ConfigError(f"Config.redact must be a function from text to text, or None; got {told(self.redact)}")
        if not isinstance(self.index, IndexSettings):
            raise ConfigError(f"Config.index must be IndexSettings; got {told(self.index)}")
        if self.profile != "auto":
            profile_named(self.profile)
        if not (self.update_rule is None or isinstance(self.update_rule, UpdateRule)):
            raise ConfigError(f"Config.update_rule must be an UpdateRule or None; got {told(self.update_rule)}")
        if not (self.gate is None or isinstance(self.gate, Gate)):
            raise ConfigError(f"Config.gate must be a Gate or None; got {told(self.gate)}")
        _within(self, "vigilance", -1.0, 1.0)
        _within(self, "feedback", 0.0, 1.0)
        if not (self.guard is None or isinstance(self.guard, Guard)):
            raise ConfigError(f"Config.guard must be a Guard or None; got {told(self.guard)}")
        for name in ("recall_unencoded", "remember_unencoded"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"Config.{name} must be True or False; got {getattr(self, name)!r}")
        if self.per_source is not None:
            _within(self, "per_source", 0.0, 1.0)
        _whole(self, "token_width", 8, 1024)
        _whole(self, "open_namespaces", 1, 1 << 20)
