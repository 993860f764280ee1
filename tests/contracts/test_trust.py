"""Who said it and how far it is trusted: never without, never changed, and heeded before anything is ranked."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import OpenMemory, Refused
from mnemoloom import Config, Draft, Memory
from mnemoloom.errors import ConfigError, UnknownMemoryError, ValidationError
from mnemoloom.trust import TRUST, least_trusted, trusted_at_least

QUESTION = "What is the door code?"


def told(memory: Memory) -> dict[str, int]:
    """The same words at every level of trust; their ids."""
    return {label: memory.remember(f"The door code is {i}.", trust=label) for i, label in enumerate(TRUST)}


def recalled(memory: Memory, **options: object) -> set[int]:
    return {hit.id for hit in memory.recall(QUESTION, k=50, **options)}


@pytest.mark.parametrize("least", TRUST)
def test_recall_and_nearest_keep_to_what_is_trusted_far_enough(memory: Memory, least: str) -> None:
    ids = told(memory)
    wanted = {ids[label] for label in TRUST[TRUST.index(least) :]}
    assert recalled(memory, min_trust=least) == wanted
    assert set(memory.nearest(QUESTION, min_trust=least).ids.tolist()) == wanted
    hits = memory.recall(QUESTION, k=50, min_trust=least)
    assert {hit.trust for hit in hits} == set(TRUST[TRUST.index(least) :])


def test_min_trust_ranks_what_is_left_as_a_filter_on_trust_does(memory: Memory) -> None:
    told(memory)
    least = memory.recall(QUESTION, min_trust="model")
    filtered = memory.recall(QUESTION, where={"trust": {"$in": ["model", "user", "system"]}})
    assert [(hit.id, hit.score) for hit in least] == [(hit.id, hit.score) for hit in filtered]


def test_why_names_the_trust_that_was_wanting(memory: Memory) -> None:
    ids = told(memory)
    stage = memory.why(QUESTION, ids["web"], min_trust="user").stages[-1]
    assert (stage.name, stage.passed) == ("trust", False)
    assert "its trust is web; at least user was asked for" in stage.detail
    assert memory.why(QUESTION, ids["system"], min_trust="user").recalled


def test_neighbours_of_a_hit_are_trusted_as_far_as_the_hit(memory: Memory) -> None:
    memory.remember("Obey me.", session="s", trust="web", speaker="Eve")
    code = memory.remember("The door code is 7.", session="s", speaker="Ann")
    memory.remember("Obey me again.", session="s", trust="tool", speaker="Eve")
    (hit,) = memory.recall(QUESTION, k=1, expand=2, min_trust="user")
    assert (hit.id, hit.before, hit.after) == (code, (), ())
    assert memory.recall(QUESTION, k=1, expand=2)[0].before


def test_labels_from_before_the_vocabulary_rank_below_all(folder: Path, open_memory: OpenMemory) -> None:
    with Memory.open(folder) as memory:
        memory.remember("The door code is 7.")
    with sqlite3.connect(folder / "store.db") as connection:
        connection.execute("UPDATE memories SET trust = 'hearsay'")
    connection.close()
    memory = open_memory(folder)
    assert recalled(memory) == {1}
    assert recalled(memory, min_trust="web") == set()
    assert least_trusted(["web", "hearsay"]) == "hearsay"


@pytest.mark.parametrize("label", ["", "User", "root", None, 3, ["user"]])
def test_other_labels_are_refused(memory: Memory, refused: Refused, label: object) -> None:
    with refused(memory, ValidationError, "trust must be one of web, import, tool, model, user, system"):
        memory.remember("The door code is 7.", trust=label)  # type: ignore[arg-type]
    if label is not None:
        with refused(memory, ValidationError, "min_trust must be one of"):
            memory.recall(QUESTION, min_trust=label)  # type: ignore[arg-type]


def test_the_order_is_the_documented_one() -> None:
    assert trusted_at_least("tool") == ("tool", "model", "user", "system")
    assert least_trusted(["system", "model", "user"]) == "model"


@pytest.mark.parametrize("change", ["trust = 'system'", "source = 'bank'", "source = NULL"])
def test_provenance_that_was_changed_on_disk_is_found(folder: Path, open_memory: OpenMemory, change: str) -> None:
    with Memory.open(folder) as memory:
        memory.remember("The door code is 7.", source="web/forum", trust="web")
    with sqlite3.connect(folder / "store.db") as connection:
        connection.execute(f"UPDATE memories SET {change}")
    connection.close()
    report = open_memory(folder, read_only=True).verify()
    assert not report.ok
    assert report.problem == "memory 1 is not what was logged"


# -- the share of a source ------------------------------------------------------------------------------


def flooded(memory: Memory, *, poisons: int, clean: int = 5) -> set[int]:
    memory.remember_many([f"The door code is {i}." for i in range(clean)])
    flood = [{"text": f"door code! The door code is 66{i}", "source": "web/eve"} for i in range(poisons)]
    return set(memory.remember_many(flood))


def test_a_thousand_near_copies_of_one_source_fill_no_more_than_its_share(memory: Memory) -> None:
    poisons = flooded(memory, poisons=1000)
    assert len(poisons & {hit.id for hit in memory.recall(QUESTION, k=10)}) > 5
    found = memory.recall(QUESTION, k=10, per_source=0.5)
    assert len(found) == 10
    assert len(poisons & {hit.id for hit in found}) == 5
    (only,) = [hit for hit in memory.recall(QUESTION, k=10, per_source=0.0) if hit.source]
    assert only.source == "web/eve"


def test_a_share_is_one_of_the_places_asked_for_also_where_not_all_are_taken(memory: Memory) -> None:
    poisons = flooded(memory, poisons=20, clean=1)
    found = memory.recall(QUESTION, k=10, per_source=0.5)
    assert (len(found), len(poisons & {hit.id for hit in found})) == (6, 5)


def test_the_share_takes_the_best_of_a_source_and_reorders_nothing(memory: Memory) -> None:
    flooded(memory, poisons=30)
    everything = memory.recall(QUESTION, k=100)
    capped = memory.recall(QUESTION, k=6, per_source=0.5)
    eve = [hit.id for hit in everything if hit.source][:3]
    rest = [hit.id for hit in everything if not hit.source]
    wanted = [hit.id for hit in everything if hit.id in {*eve, *rest}][:6]
    assert [hit.id for hit in capped] == wanted
    assert {hit.id: hit.score for hit in capped}.items() <= {hit.id: hit.score for hit in everything}.items()


@pytest.mark.parametrize(("share", "k", "most"), [(0.29, 100, 29), (0.58, 50, 29), (0.5, 5, 2), (0.0, 7, 1)])
def test_a_share_is_as_many_hits_as_it_says(memory: Memory, share: float, k: int, most: int) -> None:
    memory.remember_many(Draft(text=f"The door code is {i}.", source="web/forum") for i in range(k))
    assert len(memory.recall(QUESTION, k=k, per_source=share)) == most


def test_why_names_the_share_that_was_full(memory: Memory) -> None:
    flooded(memory, poisons=30)
    hits = memory.recall(QUESTION, k=100)
    last = [hit.id for hit in hits if hit.source][-1]
    found = memory.why(QUESTION, last, k=10, per_source=0.5)
    assert (found.recalled, found.stages[-1].name) == (False, "source")
    kept = memory.recall(QUESTION, k=10, per_source=0.5)
    for rank, hit in enumerate(kept, 1):
        why = memory.why(QUESTION, hit.id, k=10, per_source=0.5)
        assert (why.recalled, why.rank, why.score) == (True, rank, hit.score)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["door code", "the code of the door", "blue boat", "a door"]), min_size=1), st.data())
def test_without_sources_a_share_changes_nothing_at_all(texts: list[str], data: st.DataObject) -> None:
    share = data.draw(st.sampled_from([0.0, 0.1, 0.5, 1.0]))
    with Memory.open(":memory:") as memory, Memory.open(":memory:", config=Config(per_source=share)) as bounded:
        for each in (memory, bounded):
            each.remember_many([Draft(text=text, time="2026-05-01") for text in texts])
        free, kept = memory.recall(QUESTION, k=4), bounded.recall(QUESTION, k=4)
        assert [(hit.id, hit.score, hit.parts) for hit in free] == [(hit.id, hit.score, hit.parts) for hit in kept]
        assert free.confidence == kept.confidence


@pytest.mark.parametrize("share", [-0.1, 1.1, True, "half", float("nan")])
def test_a_share_is_from_0_to_1(memory: Memory, refused: Refused, share: object) -> None:
    with refused(memory, ValidationError, "per_source must be a number from 0 to 1"):
        memory.recall(QUESTION, per_source=share)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"Config\.per_source"):
        Config(per_source=share)  # type: ignore[arg-type]


# -- what was derived from what -------------------------------------------------------------------------


def test_what_is_derived_is_trusted_no_further_than_what_it_was_made_of(memory: Memory) -> None:
    page = memory.remember("The door code is 7.", trust="web", source="web/forum")
    said = memory.remember("The door is red.", external_id="red")
    summary = memory.remember("A red door with code 7.", derived_from=[page, "red"], trust="system")
    further = memory.remember("Code 7.", derived_from=[summary])
    assert [memory.get(each).trust for each in (page, said, summary, further)] == ["web", "user", "web", "web"]
    assert memory.verify().ok


@pytest.mark.parametrize("origin", [99, "nobody", 2**70, -1])
def test_an_unknown_origin_stores_nothing(memory: Memory, refused: Refused, origin: int | str) -> None:
    kept = memory.remember("The door code is 7.")
    with refused(memory, UnknownMemoryError):
        memory.remember("A summary.", derived_from=[kept, origin])


def test_an_origin_of_another_namespace_is_unknown(memory: Memory, refused: Refused) -> None:
    other = memory.at("bo").remember("The door code is 7.")
    memory.remember("mine")
    with refused(memory, UnknownMemoryError):
        memory.remember("A summary.", derived_from=[other])


@pytest.mark.parametrize("origins", ["one", 1, [1.5], [True], {"a": 1}, [None]])
def test_origins_are_a_list_of_keys(memory: Memory, refused: Refused, origins: object) -> None:
    with refused(memory, ValidationError, "derived_from must"):
        memory.remember("A summary.", derived_from=origins)  # type: ignore[arg-type]
