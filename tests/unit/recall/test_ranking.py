"""Every profile through the public API, against the formulas written out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from mnemoloom import (
    AssistantProfile,
    ConcertProfile,
    Config,
    Draft,
    Embedder,
    Memory,
    Tier,
    WeightedProfile,
)
from mnemoloom.config import PROFILES
from mnemoloom.errors import VectorError
from unit.recall.plain_model import ANALYZER, PlainModel
from unit.recall.small_stores import ENCODERS, NOW, PEOPLE, QUERIES, ROLES, conversations, open_with
from unit.recall.word_embedder import RowEmbedder, WordEmbedder


def assert_agrees(
    memory: Memory,
    query: str,
    profile: WeightedProfile | AssistantProfile | ConcertProfile,
    embedder: Embedder | None,
    k: int,
) -> None:
    """Hits have the model's parts, and no candidate of the model that was left out is better than the last."""
    model = PlainModel(list(memory.records()), embedder, now=NOW)
    expected = model.parts(query, profile)
    if min(model.margins, default=1.0) < 1e-3:
        reject()
    hits = memory.recall(query, k, profile=profile)
    assert len(hits) == min(k, len(expected))
    for hit in hits:
        want = {name: value for name, value in expected[hit.id].items() if value}
        got = {name: value for name, value in hit.parts.items() if abs(value) > 1e-5 or name in want}
        assert got == pytest.approx(want, abs=2e-5), (hit.id, hit.text)
        assert hit.score == pytest.approx(sum(hit.parts.values()), abs=1e-9)
    totals = [sum(expected[hit.id].values()) for hit in hits]
    assert all(one >= other - 5e-5 for one, other in pairwise(totals))
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    if hits:
        left_out = set(expected) - {hit.id for hit in hits}
        assert all(sum(expected[memory_id].values()) <= totals[-1] + 5e-5 for memory_id in left_out)


@settings(deadline=None, max_examples=100)
@given(conversations(speakers=PEOPLE), st.sampled_from(QUERIES), ENCODERS, st.sampled_from([3, 50]))
def test_the_dialogue_profile_equals_its_formula(
    drafts: list[Draft], query: str, embedder: Embedder | None, k: int
) -> None:
    with open_with(drafts, embedder) as memory:
        assert_agrees(memory, query, WeightedProfile(), embedder, k)


@settings(deadline=None, max_examples=80)
@given(conversations(speakers=ROLES), st.sampled_from(QUERIES), st.sampled_from([3, 50]))
def test_the_assistant_profile_equals_its_formula(drafts: list[Draft], query: str, k: int) -> None:
    embedder = RowEmbedder()
    with open_with(drafts, embedder) as memory:
        assert_agrees(memory, query, AssistantProfile(), embedder, k)


@settings(deadline=None, max_examples=40)
@given(conversations(speakers=ROLES), st.sampled_from(QUERIES), st.sampled_from([3, 50]))
def test_the_assistant_profile_equals_its_formula_without_an_encoder(drafts: list[Draft], query: str, k: int) -> None:
    with open_with(drafts, None) as memory:
        assert_agrees(memory, query, AssistantProfile(), None, k)


@settings(deadline=None, max_examples=40)
@given(conversations(speakers=(None,)), st.sampled_from(QUERIES), ENCODERS)
def test_the_document_profile_equals_its_formula(drafts: list[Draft], query: str, embedder: Embedder | None) -> None:
    with open_with(drafts, embedder) as memory:
        profile = PROFILES["document"]
        assert_agrees(memory, query, profile, embedder, 5)


@settings(deadline=None, max_examples=40)
@given(conversations(speakers=PEOPLE), st.sampled_from(QUERIES), st.sampled_from([3, 50]), st.floats(-1, 1))
def test_the_concert_profile_equals_its_formula(drafts: list[Draft], query: str, k: int, floor: float) -> None:
    embedder = RowEmbedder()
    profile = ConcertProfile(floor=round(floor, 3), tau=90 * 86_400.0)
    with open_with(drafts, embedder) as memory:
        assert_agrees(memory, query, profile, embedder, k)


@settings(deadline=None, max_examples=60)
@given(
    conversations(speakers=PEOPLE),
    st.sampled_from(QUERIES),
    st.builds(
        WeightedProfile,
        name=st.just("mine"),
        dense=st.sampled_from([0.0, 1.5]),
        lexical=st.sampled_from([0.0, 2.0]),
        window=st.sampled_from([(), (0.5,), (0.3, 0.2, 0.1)]),
        speaker=st.sampled_from([0.0, 0.3]),
        date=st.sampled_from([0.0, 0.7]),
        surprise=st.sampled_from([0.0, 1.0]),
        maxsim=st.sampled_from([0.0, 0.9]),
        rerank=st.sampled_from([3, 50]),
        recency=st.sampled_from([0.0, 2.0]),
        strip_names=st.booleans(),
        k1=st.sampled_from([0.5, 2.0]),
        b=st.sampled_from([0.0, 0.5, 1.0]),
    ),
)
def test_a_profile_with_weights_of_ones_own_equals_its_formula(
    drafts: list[Draft], query: str, profile: WeightedProfile
) -> None:
    embedder = WordEmbedder()
    with open_with(drafts, embedder) as memory:
        assert memory.recall(query, profile=profile).profile == "mine"
        assert_agrees(memory, query, profile, embedder, 50)


# -- the profiles that are plain orders ------------------------------------------------------------


def sentences(count: int, *, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    vocabulary = [f"word{n}" for n in range(60)]
    return [" ".join(rng.choice(vocabulary, size=rng.integers(2, 12))) for _ in range(count)]


@pytest.fixture(scope="module")
def library() -> Iterator[Memory]:
    with open_with([Draft(text=text) for text in sentences(300)], RowEmbedder()) as memory:
        yield memory


def test_the_dense_profile_is_the_order_of_cosines(library: Memory) -> None:
    embedder = RowEmbedder()
    rows = embedder.embed(sentences(300)).astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    for query in sentences(15, seed=1):
        cosines = rows @ embedder.embed([query])[0]
        hits = library.recall(query, 20, profile="dense")
        got = [cosines[hit.id - 1] for hit in hits]
        np.testing.assert_allclose(got, np.sort(cosines)[::-1][:20], atol=1e-5)


def test_the_lexical_profile_is_the_order_of_bm25(library: Memory) -> None:
    model = PlainModel(list(library.records()))
    for query in sentences(15, seed=2):
        scores = model.bm25(tuple(dict.fromkeys(ANALYZER.terms(query))), list(range(300)), (), 1.2, 0.5)
        hits = library.recall(query, 20, profile="lexical")
        got = [scores[hit.id - 1] for hit in hits]
        np.testing.assert_allclose(got, sorted(scores.values(), reverse=True)[:20], atol=1e-5)


def test_the_callers_vector_takes_the_place_of_the_encoders(library: Memory) -> None:
    row = RowEmbedder().embed(["word3 word9"])[0]
    theirs = library.recall("anything at all", 10, profile="dense", vector=7.5 * row)
    ours = library.recall("word3 word9", 10, profile="dense")
    assert [hit.id for hit in theirs] == [hit.id for hit in ours]
    assert [hit.score for hit in theirs] == pytest.approx([hit.score for hit in ours], abs=1e-5)


@pytest.mark.parametrize("bad", [[1e300] * 72, [1j] * 72, [float("nan")] * 72, [0.0] * 72, [1.0] * 71, "x", 3.0])
def test_a_vector_that_cannot_be_compared_is_refused_without_a_warning(library: Memory, bad: object) -> None:
    with pytest.raises(VectorError):
        library.recall("word3", profile="dense", vector=bad)


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_the_best_five_begin_the_best_fifty(library: Memory, profile: str) -> None:
    for query in sentences(10, seed=3):
        few, many = library.recall(query, 5, profile=profile), library.recall(query, 50, profile=profile)
        assert [(hit.id, hit.parts) for hit in few] == [(hit.id, hit.parts) for hit in many[:5]]


@settings(deadline=None, max_examples=60)
@given(
    conversations(speakers=(*PEOPLE, *ROLES, None)),
    st.sampled_from(QUERIES),
    st.sampled_from(sorted(PROFILES)),
    ENCODERS,
    st.integers(1, 8),
)
def test_fewer_hits_are_a_prefix_of_more_in_any_store(
    drafts: list[Draft], query: str, profile: str, embedder: Embedder | None, k: int
) -> None:
    with open_with(drafts, embedder) as memory:
        few, many = memory.recall(query, k, profile=profile), memory.recall(query, 50, profile=profile)
        assert [hit.id for hit in few] == [hit.id for hit in many[:k]]
        for one, other in zip(few, many, strict=False):
            assert one.parts == other.parts


@pytest.mark.parametrize("seed", [8, 31, 81, 109, 179, 213])
def test_fewer_hits_are_a_prefix_of_more_where_scores_differ_in_the_last_bit(seed: int) -> None:
    """Found by search: stores in which two sums of parts are equal in float32 and different in float64."""
    rng = np.random.default_rng(seed)
    words = [f"w{n}" for n in range(12)]
    texts = [" ".join(rng.choice(words, size=rng.integers(1, 5))) for _ in range(150)]
    with open_with([Draft(text=text) for text in texts], RowEmbedder(72)) as memory:
        for _ in range(4):
            query = " ".join(rng.choice(words, size=3))
            for profile in ("assistant", "document"):
                many = ids(memory, query, k=1000, profile=profile)
                for k in (1, 7, 13, 19, 34, 49, 64, 100):
                    assert ids(memory, query, k=k, profile=profile) == many[:k]


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_memories_that_say_the_same_score_the_same(profile: str) -> None:
    texts = sentences(40, seed=5)
    for copies in (2, 7, 23):
        drafts = [Draft(text=text) for text in [*texts, *["word1 word2 word3"] * copies, *texts[:9]]]
        with open_with(drafts, WordEmbedder()) as memory:
            flat = ConcertProfile(gamma=0.0) if profile == "concert" else profile
            hits = memory.recall("word2 word40 word5", 200, profile=flat)
            scores = {hit.score - hit.parts.get("surprise", 0.0) for hit in hits if hit.text == "word1 word2 word3"}
            assert max(scores) - min(scores) < 1e-6


def test_an_encoder_may_have_narrower_tokens_than_the_setting() -> None:
    embedder = WordEmbedder(24)
    with open_with([Draft(text=text, speaker="Ann") for text in sentences(9)], embedder) as memory:
        assert_agrees(memory, "word1 word2 word3", WeightedProfile(), embedder, 50)


@pytest.mark.parametrize("profile", ["dialogue", "assistant", "document", "dense"])
@pytest.mark.parametrize("width", [8, 72, 100, 384])
def test_a_memory_that_stands_alone_is_found_and_its_nearness_says_nothing(profile: str, width: int) -> None:
    """With one memory there is no scale: what is left of the cosine is rounding, and must not be magnified."""
    with open_with([Draft(text="the dog sleeps in the garden", speaker="Ann")], RowEmbedder(width)) as memory:
        (hit,) = memory.recall("Where is the violin?", profile=profile)
        assert 0 <= hit.parts.get("dense", 0.0) <= 1


def test_a_store_of_one_text_said_often_does_not_rank_by_rounding() -> None:
    drafts = [Draft(text="the dog sleeps in the garden", speaker="Ann", time=NOW) for _ in range(37)]
    with open_with(drafts, WordEmbedder(100)) as memory:
        hits = memory.recall("Where does the dog sleep?", 50, profile=WeightedProfile(surprise=0.0, window=()))
        assert max(hit.score for hit in hits) - min(hit.score for hit in hits) < 1e-6


# -- which profile --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("speakers", "profile"),
    [
        (["user", "assistant"], "assistant"),
        (["User", "AI"], "assistant"),
        (["user"], "assistant"),
        (["Ann", "assistant"], "assistant"),
        (["Ann", "Otto"], "dialogue"),
        (["Ann", "user"], "dialogue"),
        (["Ann", None], "dialogue"),
        ([None, None], "document"),
        ([], "document"),
    ],
)
def test_the_profile_follows_from_the_speakers(speakers: list[str | None], profile: str) -> None:
    with open_with([Draft(text="dog", speaker=speaker) for speaker in speakers], None) as memory:
        assert memory.recall("dog").profile == profile
        assert memory.stats().profile == profile


def test_a_profile_can_be_set_for_one_question_or_for_the_handle() -> None:
    with Memory.open(":memory:", config=Config(profile="lexical")) as memory:
        memory.remember("dog", speaker="Ann")
        assert memory.recall("dog").profile == "lexical"
        assert memory.recall("dog", profile="assistant").profile == "assistant"
        assert memory.recall("dog", profile="auto").profile == "dialogue"


def test_a_profile_without_speakers_left_changes_when_they_are_forgotten() -> None:
    with Memory.open(":memory:") as memory:
        memory.remember("dog")
        spoken = memory.remember("dog", speaker="Ann")
        assert memory.recall("dog").profile == "dialogue"
        memory.forget(spoken)
        assert memory.recall("dog").profile == "document"


# -- what parts do --------------------------------------------------------------------------------


def ids(memory: Memory, query: str, *, k: int = 50, **options: Any) -> list[int]:
    return [hit.id for hit in memory.recall(query, k, **options)]


@pytest.mark.parametrize("profile", sorted(set(PROFILES) - {"concert"}))
def test_without_an_encoder_unknown_words_find_nothing(profile: str) -> None:
    drafts = [Draft(text="dog in Oslo", speaker="Ann"), Draft(text="cat", speaker="user"), Draft(text="tree")]
    with open_with(drafts, None) as memory:
        assert not memory.recall("xyzzy plugh?", profile=profile)
        assert not memory.recall("of the and", profile=profile)


def test_the_concert_profile_finds_nothing_without_an_encoder() -> None:
    with open_with([Draft(text="dog")], None) as memory:
        result = memory.recall("dog", profile="concert")
        assert not result.encoded
        assert not result


def test_an_empty_memory_answers_nothing() -> None:
    with Memory.open(":memory:", embedder=WordEmbedder()) as memory:
        for profile in PROFILES:
            assert not memory.recall("dog", profile=profile)


@pytest.mark.parametrize(("query", "first"), [("Which job does she have now?", 2), ("What was her first job?", 0)])
@pytest.mark.parametrize("speaker", ["Ann", "user", None])
def test_words_for_the_newest_and_the_first_move_them_ahead(speaker: str | None, query: str, first: int) -> None:
    times = [NOW - timedelta(days=days) for days in (300, 200, 100)]
    texts = ["my job is baker", "my job is diver", "my job is pilot"]
    drafts = [Draft(text=text, time=time, speaker=speaker) for text, time in zip(texts, times, strict=True)]
    with open_with(drafts, None) as memory:
        found = memory.recall(query)
        assert found[0].text == texts[first]
        assert found[0].parts["recency"] == pytest.approx(0.3)


def test_time_counts_by_when_it_was_said_not_when_it_was_remembered() -> None:
    drafts = [Draft(text="job pilot", time=NOW), Draft(text="job baker", time=NOW - timedelta(days=9))]
    with open_with(drafts, None) as memory:
        assert memory.recall("the current job")[0].text == "job pilot"


def test_my_means_the_asker() -> None:
    drafts = [Draft(text="a red car", speaker="Ann"), Draft(text="a blue car", speaker="Otto")]
    with open_with(drafts, None) as memory:
        assert memory.recall("Which car is mine?", asker="Otto")[0].speaker == "Otto"
        assert memory.recall("Which car is mine?", asker="Ann")[0].speaker == "Ann"


CHAT = [
    Draft(text="What can I plant beside my tomatoes?", speaker="user", session="garden"),
    Draft(text="Basil does well there, as do marigolds.", speaker="assistant", session="garden"),
    Draft(text="Can you also name a good book?", speaker="user", session="books"),
    Draft(text="Try a novel by Calvino.", speaker="assistant", session="books"),
]


@pytest.mark.parametrize("embedder", [None, RowEmbedder()], ids=["words alone", "encoded"])
def test_a_reply_is_reached_through_the_message_that_it_answers(embedder: Embedder | None) -> None:
    with open_with(CHAT, embedder) as memory:
        hits = memory.recall("tomatoes")
        assert [hit.id for hit in hits[:2]] == [1, 2]
        assert hits[1].parts["answered"] == pytest.approx(0.35 * hits[0].score, abs=1e-6)


def test_asking_what_was_recommended_prefers_the_reply() -> None:
    with open_with(CHAT, RowEmbedder()) as memory:
        asked = {hit.id: hit for hit in memory.recall("Which plants beside the tomatoes did you recommend?")}
        assert asked[2].parts["answered"] == pytest.approx(0.75 * asked[1].score, abs=1e-6)
        plain = {hit.id: hit for hit in memory.recall("Which plants beside the tomatoes?")}
        assert plain[2].parts["answered"] == pytest.approx(0.35 * plain[1].score, abs=1e-6)


def test_a_reply_overtakes_a_message_when_the_question_asks_for_it() -> None:
    drafts = [
        Draft(text="tomato basil garden pests", speaker="user", session="a"),
        Draft(text="Marigolds.", speaker="assistant", session="a"),
        Draft(text="garden pests", speaker="user", session="b"),
        *(Draft(text=f"book number {n}", speaker="user", session="c") for n in range(5)),
    ]
    profile = AssistantProfile(dense=0.0, chunk=0.01)
    with open_with(drafts, RowEmbedder()) as memory:
        plain = ids(memory, "tomato garden pests marigolds", profile=profile)
        asked = ids(memory, "tomato garden pests marigolds, what did you suggest?", profile=profile)
        assert plain == [1, 3, 2]
        assert asked == [1, 2, 3]


def test_a_second_reply_answers_the_same_message() -> None:
    drafts = [*CHAT[:2], Draft(text="And water them.", speaker="assistant", session="garden")]
    with open_with(drafts, RowEmbedder()) as memory:
        by_id = {hit.id: hit for hit in memory.recall("tomatoes")}
        assert by_id[3].parts["answered"] == by_id[2].parts["answered"]


def test_a_long_reply_is_found_by_its_best_chunk() -> None:
    long = " ".join([*["filler"] * 300, "marigold", *["filler"] * 300])
    drafts = [Draft(text=long, speaker="assistant"), Draft(text="a marigold " + "word " * 100, speaker="assistant")]
    with open_with(drafts, None) as memory:
        assert_agrees(memory, "marigold", AssistantProfile(), None, 5)


# -- neighbours -----------------------------------------------------------------------------------


def test_expand_attaches_neighbours_and_leaves_the_ranking_alone() -> None:
    texts = ["alpha one", "beta two", "gamma three", "delta four"]
    with Memory.open(":memory:") as memory:
        for text in texts:
            memory.remember(text, speaker="Ann", session="s")
            memory.remember(f"other {text}", speaker="Ann", session="t")
        plain, expanded = memory.recall("gamma three"), memory.recall("gamma three", expand=1)
        assert [(hit.id, hit.parts) for hit in plain] == [(hit.id, hit.parts) for hit in expanded]
        best = next(hit for hit in expanded if hit.text == "gamma three")
        assert [record.text for record in best.before] == ["beta two"]
        assert [record.text for record in best.after] == ["delta four"]
        assert all(not hit.before and not hit.after for hit in plain)


def test_expand_stops_at_the_ends_of_the_session_and_reads_in_order() -> None:
    with Memory.open(":memory:") as memory:
        for text in ("one", "two", "three", "four"):
            memory.remember(text, speaker="Ann", session="s")
        hit = memory.recall("three", 1, expand=5)[0]
        assert [record.text for record in hit.before] == ["one", "two"]
        assert [record.text for record in hit.after] == ["four"]


def test_expand_steps_over_what_was_forgotten() -> None:
    with Memory.open(":memory:") as memory:
        numbers = [memory.remember(text, speaker="Ann", session="s") for text in ("one", "two", "three")]
        memory.forget(numbers[1])
        assert [record.text for record in memory.recall("three", 1, expand=1)[0].before] == ["one"]


def test_texts_without_speaker_and_session_have_no_neighbours() -> None:
    with open_with([Draft(text="apple"), Draft(text="pear")], None) as memory:
        hit = memory.recall("apple", 1, expand=3)[0]
        assert hit.before == hit.after == ()


# -- cold memories --------------------------------------------------------------------------------


def test_cold_memories_answer_only_when_asked_for() -> None:
    drafts = [Draft(text="the dog sleeps", tier=Tier.COLD), Draft(text="the dog runs")]
    with open_with(drafts, RowEmbedder()) as memory:
        assert ids(memory, "dog") == [2]
        assert ids(memory, "dog", tier="cold") == [1]
        assert ids(memory, "dog", tier=Tier.COLD) == [1]
        assert sorted(ids(memory, "dog", tier=["cold", "long_term"])) == [1, 2]
        memory.move(2, Tier.COLD)
        memory.move(1, Tier.LONG_TERM)
        assert ids(memory, "dog") == [1]


@settings(deadline=None, max_examples=60)
@given(conversations(speakers=PEOPLE, least=3), st.sampled_from(QUERIES), ENCODERS, st.data())
def test_a_cold_memory_does_not_score(
    drafts: list[Draft], query: str, embedder: Embedder | None, data: st.DataObject
) -> None:
    cold = data.draw(st.lists(st.booleans(), min_size=len(drafts), max_size=len(drafts)), label="cold")
    tiered = [replace(d, tier=Tier.COLD if c else Tier.LONG_TERM) for d, c in zip(drafts, cold, strict=True)]
    profile = WeightedProfile(window=(), maxsim=0.0, surprise=0.0, recency=0.0)
    with open_with(tiered, embedder) as memory:
        assert_agrees(memory, query, profile, embedder, 50)


def test_the_best_warm_memory_has_the_whole_lexical_weight_beside_a_cold_one() -> None:
    """A cold neighbour of two matching turns gathers their words; it must not become the measure of the others."""
    drafts = [
        Draft(text="dog dog", speaker="Ann", session="s"),
        Draft(text="x", speaker="Ann", session="s", tier=Tier.COLD),
        Draft(text="dog dog", speaker="Ann", session="s"),
        *(Draft(text=f"filler{n} dull{n} padding{n} long{n}", speaker="Otto", session=f"t{n}") for n in range(5)),
    ]
    with open_with(drafts, None) as memory:
        best = memory.recall("dog", profile=WeightedProfile(window=(1.0,)))[0]
        assert best.parts["lexical"] == pytest.approx(0.75, abs=1e-6)
