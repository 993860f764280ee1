"""MAC, MAG and MAL: three ways, three answers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mnemoloom.errors import ConfigError, ValidationError
from mnemoloom.titans import VARIANTS, Found, Shown, arrange, query_of

PINNED = [Found(1, 1.0, "name")]
LONG = [Found(2, 0.9, "oslo"), Found(3, 0.6, "cat"), Found(6, 0.5, "late"), Found(4, 0.3, "name")]
WINDOW = [Found(5, 0.2, "hello"), Found(6, 0.5, "late")]


def shown(variant: str, k: int = 10) -> list[Shown]:
    return arrange(variant, persistent=PINNED, long_term=LONG, short_term=WINDOW, k=k)


def ids(variant: str, k: int = 10) -> list[int]:
    return [each.id for each in shown(variant, k)]


def test_memory_alone_shows_the_long_term_hits_as_they_are() -> None:
    assert shown("memory", 3) == [Shown(2, 0.9, "long_term"), Shown(3, 0.6, "long_term"), Shown(6, 0.5, "long_term")]


def test_mac_shows_persistent_then_long_term_then_the_window_each_content_once() -> None:
    assert [(each.id, each.source) for each in shown("mac")] == [
        (1, "persistent"),
        (2, "long_term"),
        (3, "long_term"),
        (5, "short_term"),
        (6, "short_term"),
    ]


def test_mac_gives_way_in_long_term_first_then_at_the_old_end_of_the_window() -> None:
    assert ids("mac", 4) == [1, 2, 5, 6]
    assert ids("mac", 2) == [1, 6]
    assert ids("mac", 1) == [1]


def test_mag_ranks_both_branches_on_one_scale_by_its_gate() -> None:
    gate = 1 / (1 + np.exp(-(0.9 - 0.5)))
    by_id = {each.id: each for each in shown("mag")}
    assert by_id[2].score == pytest.approx(gate)
    assert by_id[3].score == pytest.approx(gate * 0.5)
    assert by_id[6].score == pytest.approx((1 - gate) + gate * (0.5 - 0.3) / 0.6)
    assert ids("mag") == [1, 6, 2, 3, 5]


def test_the_gate_of_mag_follows_the_branch_that_answers_better() -> None:
    clear = [Found(5, 0.95, "hello"), Found(7, 0.1, "bye")]
    far = [Found(2, 0.2, "oslo"), Found(3, 0.1, "cat")]
    assert [e.id for e in arrange("mag", persistent=[], long_term=far, short_term=clear, k=1)] == [5]
    assert [e.id for e in arrange("mag", persistent=[], long_term=LONG, short_term=far, k=1)] == [2]


def test_mag_gives_all_weight_to_the_only_branch_that_has_hits() -> None:
    alone = arrange("mag", persistent=[], long_term=LONG[:2], short_term=[], k=5)
    assert alone == [Shown(2, 1.0, "long_term"), Shown(3, 0.0, "long_term")]
    alone = arrange("mag", persistent=[], long_term=[], short_term=WINDOW, k=5)
    assert [each.score for each in alone] == [1.0, 0.0]


def test_mal_shows_only_what_memory_lets_through_and_the_window_lifts_what_it_holds() -> None:
    found = shown("mal")
    assert [each.id for each in found] == [6, 2, 3, 4]
    assert found[0].score == pytest.approx((0.5 - 0.3) / 0.6 + 1.0)
    assert found[3] == Shown(4, 0.0, "persistent")


def test_the_variants_give_different_orders_on_the_same_hits() -> None:
    assert len({tuple(ids(variant)) for variant in VARIANTS}) == len(VARIANTS)


# an id has one content, wherever it is found; several ids may share it
HITS = st.lists(st.tuples(st.integers(0, 30), st.floats(-1, 1)), max_size=8, unique_by=lambda hit: hit[0]).map(
    lambda hits: [Found(number, score, "abcdefgh"[number % 8]) for number, score in hits]
)


@given(st.sampled_from(VARIANTS), HITS, HITS, HITS, st.integers(0, 9))
def test_no_variant_shows_more_than_k_or_a_content_twice_or_what_was_not_found(
    variant: str, persistent: list[Found], long_term: list[Found], short_term: list[Found], k: int
) -> None:
    got = arrange(variant, persistent=persistent, long_term=long_term, short_term=short_term, k=k)
    assert len(got) <= k
    assert {each.id for each in got} <= {hit.id for hit in (*persistent, *long_term, *short_term)}
    contents = [each.id % 8 for each in got]
    assert len(contents) == len(set(contents))


Q = np.array([1.0, 0.0])


def test_mac_adds_the_answer_to_the_question() -> None:
    np.testing.assert_allclose(query_of("mac", Q, np.array([0.0, 5.0]), lam=0.5), np.array([1.0, 0.5]) / np.sqrt(1.25))


def test_mag_mixes_by_how_well_the_answer_fits_the_question() -> None:
    near, far = np.array([0.9, np.sqrt(1 - 0.81)]), np.array([0.0, 1.0])
    gate = 1 / (1 + np.exp(-10 * (0.9 - 0.6)))
    mixed = (1 - gate) * Q + gate * near
    np.testing.assert_allclose(query_of("mag", Q, 3 * near), mixed / np.linalg.norm(mixed))
    assert query_of("mag", Q, far) @ Q > 0.999


def test_mal_asks_with_the_answer_itself() -> None:
    np.testing.assert_allclose(query_of("mal", Q, np.array([0.0, 5.0])), [0.0, 1.0])


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_memory_that_answers_nothing_changes_no_question(variant: str) -> None:
    np.testing.assert_array_equal(query_of(variant, Q, np.zeros(2)), Q)


def test_the_default_changes_no_question_whatever_the_memory_answers() -> None:
    np.testing.assert_array_equal(query_of("memory", Q, np.array([3.0, 4.0])), Q)


def test_an_unknown_variant_and_a_k_that_is_no_count_are_refused() -> None:
    with pytest.raises(ConfigError, match="variant must be one of memory, mac, mag, mal; got 'max'"):
        shown("max")
    with pytest.raises(ValidationError, match="k must be"):
        shown("mac", -1)
