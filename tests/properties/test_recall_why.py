"""why() and recall() agree, in any small store, for any question."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom import Draft, Embedder, Tier
from mnemoloom.config import PROFILES
from unit.recall.small_stores import ENCODERS, PEOPLE, QUERIES, ROLES, conversations, open_with

RESTRICTIONS: list[dict[str, Any]] = [
    {},
    {"speaker": "Ann"},
    {"session": ["one", "two"]},
    {"after": "2023-06-01"},
    {"tier": "cold"},
    {"tier": ["cold", "long_term"]},
    {"where": {"$not": {"speaker": "Otto"}}},
]


@settings(deadline=None, max_examples=120)
@given(
    drafts=conversations(speakers=(*PEOPLE, *ROLES, None)),
    query=st.sampled_from(QUERIES),
    profile=st.sampled_from([None, *PROFILES]),
    embedder=ENCODERS,
    restriction=st.sampled_from(RESTRICTIONS),
    k=st.integers(1, 6),
    data=st.data(),
)
def test_why_says_recalled_exactly_for_the_hits_and_gives_their_rank_and_parts(
    drafts: list[Draft],
    query: str,
    profile: str | None,
    embedder: Embedder | None,
    restriction: dict[str, Any],
    k: int,
    data: st.DataObject,
) -> None:
    with open_with(drafts, embedder) as memory:
        everyone = st.sampled_from(range(1, len(drafts) + 1))
        for number in data.draw(st.sets(everyone, max_size=3), label="cold"):
            memory.move(number, Tier.COLD)
        gone = data.draw(st.sets(everyone, max_size=3), label="forgotten")
        for number in gone:
            memory.forget(number)
        hits = memory.recall(query, k, profile=profile, **restriction)
        places = {hit.id: place for place, hit in enumerate(hits, start=1)}
        for number in range(1, len(drafts) + 2):
            told = memory.why(query, number, k, profile=profile, **restriction)
            assert told.recalled == (number in places), str(told)
            assert told.profile == hits.profile
            assert all(stage.passed for stage in told.stages[:-1])
            if told.recalled:
                hit = hits[places[number] - 1]
                assert (told.rank, told.score, told.parts) == (places[number], hit.score, hit.parts)
            elif told.rank is not None:
                assert told.rank > k
            assert (told.stages[0].passed) == (number not in gone and number <= len(drafts))
