"""What changed: the newer statement stands above the one that it replaces, and nothing is lost by it."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom import Config, Draft, Embedder, Memory, Tier
from mnemoloom.errors import ConfigError, UnknownMemoryError, ValidationError
from unit.recall.small_stores import ENCODERS, NOW, PEOPLE, ROLES
from unit.recall.word_embedder import RowEmbedder, WordEmbedder

if TYPE_CHECKING:
    from conftest import OpenMemory, Refused

OLD = "My budget for the kitchen is $5,000, the budget I asked the bank for."
RAISED = "The bank raised the budget of the kitchen to $6,500 after weeks of letters."
NEW = "The budget for my kitchen is now $8,000."
QUESTION = "How much is my budget for the kitchen?"
OFF = Config(update_rule=None)


def told(*texts: str, speaker: str | None = "Ann", **fields: Any) -> list[Draft]:
    """Statements a month apart from January 2026 on, each in a session of its own, among other talk."""
    talk = [
        Draft(text=f"In room {room} we listened to the radio.", speaker=speaker, session="talk", time="2025-11-01")
        for room in range(14)
    ]
    return talk + [
        Draft(text=text, speaker=speaker, session=str(month), time=f"2026-{month:02}-10", external_id=text, **fields)
        for month, text in enumerate(texts, 1)
    ]


def texts(found: Any) -> list[str]:
    return [each.text for each in found]


@pytest.fixture(params=[None, RowEmbedder(), WordEmbedder()], ids=["no encoder", "rows", "tokens"])
def encoder(request: pytest.FixtureRequest) -> Embedder | None:
    return request.param


@pytest.fixture
def budget(open_memory: OpenMemory, folder: Path) -> Memory:
    """A store on disk, without an encoder, with three versions of a budget."""
    memory = open_memory(folder)
    memory.remember_many(told(OLD, RAISED, NEW))
    return memory


# -- ranking ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("speaker", [None, "Ann", "user"])
def test_the_newest_value_stands_above_the_one_that_matches_better(
    open_memory: OpenMemory, encoder: Embedder | None, speaker: str | None
) -> None:
    drafts = told(OLD, NEW, speaker=speaker)
    plain = open_memory(":memory:", embedder=encoder, config=OFF)
    plain.remember_many(drafts)
    assert plain.recall(QUESTION)[0].text == OLD
    memory = open_memory(":memory:", embedder=encoder)
    memory.remember_many(drafts)
    assert texts(memory.recall(QUESTION))[:2] == [NEW, OLD]


def test_asked_for_the_original_the_oldest_value_stands_first(open_memory: OpenMemory) -> None:
    first = "The budget we set for the kitchen is $5,000."
    latest = "My kitchen budget, the whole kitchen budget, is now $8,000."
    question = "What was my original budget for the kitchen?"
    plain, memory = open_memory(":memory:", config=OFF), open_memory(":memory:")
    for each in (plain, memory):
        each.remember_many(told(first, latest))
    assert plain.recall(question)[0].text == latest
    hit = memory.recall(question)[0]
    assert (hit.text, hit.supersedes, hit.superseded_by) == (first, (), (memory.get(latest).id,))


def test_each_hit_names_what_it_supersedes_and_what_supersedes_it(budget: Memory) -> None:
    old, raised, new = (budget.get(text).id for text in (OLD, RAISED, NEW))
    hits = {hit.text: hit for hit in budget.recall(QUESTION)}
    assert set(hits[NEW].supersedes) == {old, raised}
    assert hits[NEW].superseded_by == ()
    assert (hits[RAISED].supersedes, hits[RAISED].superseded_by) == ((old,), (new,))
    assert hits[OLD].supersedes == ()
    assert set(hits[OLD].superseded_by) == {raised, new}


def test_a_hit_names_what_it_supersedes_even_if_that_is_cut_off(budget: Memory) -> None:
    (hit,) = budget.recall(QUESTION, k=1)
    assert budget.get(OLD).id in hit.supersedes


def test_the_same_value_told_again_supersedes_nothing(open_memory: OpenMemory, encoder: Embedder | None) -> None:
    memory = open_memory(":memory:", embedder=encoder)
    memory.remember_many(told(OLD, "My kitchen budget is still 5k dollars, says the bank.", OLD.replace("My", "The")))
    for question in (QUESTION, "How much is my budget for the kitchen now?"):
        assert not any(hit.supersedes or hit.superseded_by for hit in memory.recall(question))


def test_the_same_words_told_again_supersede_nothing(open_memory: OpenMemory, encoder: Embedder | None) -> None:
    memory = open_memory(":memory:", embedder=encoder)
    for month in (1, 2, 3):
        memory.remember("I work at the zoo.", speaker="Ann", session=str(month), time=f"2026-0{month}-01")
    assert not any(hit.supersedes or hit.superseded_by for hit in memory.recall("Where does Ann work now?"))


def test_a_text_that_changed_is_found_without_values_when_the_question_asks_how_things_are(
    open_memory: OpenMemory,
) -> None:
    memory = open_memory(":memory:", embedder=WordEmbedder())
    zoo, ship = "Iker works at the city zoo, he works there.", "Iker works at the city shipyard."
    memory.remember_many(told(zoo, ship))
    assert memory.recall("Where does Iker work now?")[0].text == ship
    assert memory.recall("Where does Iker work?")[0].text == ship
    assert not memory.recall("Tell me where Iker works.")[0].supersedes


def test_an_assistants_reply_replaces_nothing_and_is_not_replaced(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:")
    memory.remember(OLD, speaker="user", time="2026-01-01")
    memory.remember(NEW, speaker="assistant", time="2026-02-01")
    assert not any(hit.supersedes or hit.superseded_by for hit in memory.recall(QUESTION))


def test_the_replaced_statement_stays_ahead_of_a_reply_that_fits_less(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:")
    beside = "we will keep the walls, the windows, the stove and the old oak table as they are, " * 4
    memory.remember(OLD, speaker="user", session="old", time="2026-01-01")
    memory.remember("A budget for the kitchen: noted.", speaker="assistant", session="old", time="2026-01-01")
    memory.remember(f"The kitchen budget is now $8,000; {beside}yes.", speaker="user", session="new", time="2026-02-01")
    hits = memory.recall(QUESTION)
    assert [hit.speaker for hit in hits] == ["user", "user", "assistant"]
    assert hits[0].supersedes == (hits[1].id,)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert hits[0].score - hits[0].parts["update"] < hits[2].score


def test_what_is_hidden_takes_no_place(budget: Memory) -> None:
    new = budget.get(NEW)
    assert all(new.id not in hit.superseded_by for hit in budget.recall(QUESTION, before=new.time))
    budget.move(NEW, Tier.COLD)
    assert all(new.id not in hit.superseded_by for hit in budget.recall(QUESTION))


def test_the_rule_can_be_switched_off(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", config=OFF)
    memory.remember_many(told(OLD, RAISED, NEW))
    for hit in memory.recall(QUESTION):
        assert "update" not in hit.parts
        assert not hit.supersedes
        assert not hit.superseded_by
    assert memory.history(OLD) == [memory.get(OLD)]


@pytest.mark.parametrize("rule", [True, False, 0.5, "inherit", {"changed": 0.5}])
def test_a_rule_that_is_none_is_refused(rule: Any) -> None:
    with pytest.raises(ConfigError, match="update_rule"):
        Config(update_rule=rule)


_STATED = "$500 $650 3pm 9am Monday two seven 20% now moved budget rent meeting deadline hens"
_ASKED = st.sampled_from(
    [
        "How much is the rent?",
        "When is the meeting now?",
        "What is the deadline?",
        "How many hens?",
        "the latest budget",
        "What was the original rent budget?",
        "Ann, what share of hens is there today?",
    ]
)


@st.composite
def _changing(draw: st.DrawFn, speakers: tuple[str | None, ...]) -> list[Draft]:
    return [
        Draft(
            text=" ".join(draw(st.lists(st.sampled_from(_STATED.split()), min_size=1, max_size=6))),
            speaker=draw(st.sampled_from(speakers)),
            session=draw(st.sampled_from(["one", "two"])),
            time=NOW - timedelta(days=draw(st.integers(0, 9))),
        )
        for _ in range(draw(st.integers(1, 16)))
    ]


@settings(deadline=None, max_examples=60)
@given(
    drafts=_changing(PEOPLE) | _changing(ROLES) | _changing((None,)),
    question=_ASKED,
    encoder=ENCODERS,
    k=st.sampled_from([10, 15]),
    profile=st.sampled_from([None, "concert", "dense", "lexical"]),
)
def test_the_rule_only_reorders_the_ten_best_and_scores_still_say_how(
    drafts: list[Draft], question: str, encoder: Embedder | None, k: int, profile: str | None
) -> None:
    found = []
    for config in (Config(), OFF):
        with Memory.open(":memory:", embedder=encoder, config=config) as memory:
            memory.remember_many(drafts)
            found.append(memory.recall(question, k, profile=profile))
    ruled, plain = found
    assert {hit.id for hit in ruled[:10]} == {hit.id for hit in plain[:10]}
    assert [hit.id for hit in ruled[10:]] == [hit.id for hit in plain[10:]]
    assert ruled.confidence == plain.confidence
    scores, times = [hit.score for hit in ruled], {hit.id: hit.time for hit in ruled}
    assert scores == sorted(scores, reverse=True)
    before = {hit.id: hit.score for hit in plain}
    for hit in ruled:
        assert hit.score == pytest.approx(sum(hit.parts.values()), abs=1e-9)
        assert hit.score - hit.parts.get("update", 0.0) == pytest.approx(before[hit.id], abs=1e-9)
        assert all(times[older] < hit.time for older in hit.supersedes)
        assert all(times[newer] > hit.time for newer in hit.superseded_by)
    if not any(hit.supersedes or hit.superseded_by for hit in ruled):
        assert [hit.id for hit in ruled] == [hit.id for hit in plain]


# -- as of then ---------------------------------------------------------------------------------------


def test_the_answer_as_of_a_day_is_what_was_known_then(budget: Memory) -> None:
    assert budget.recall(QUESTION, as_of="2026-03-01")[0].text == RAISED
    assert budget.recall(QUESTION, as_of="2026-02-01")[0].text == OLD
    assert budget.recall(QUESTION)[0].text == NEW
    for day in ("2026-03-01", datetime(2026, 3, 1), datetime(2026, 3, 1, tzinfo=timezone.utc).timestamp()):
        result = budget.recall(QUESTION, k=20, as_of=day)
        assert NEW not in texts(result)
        new = budget.get(NEW).id
        assert all(new not in hit.superseded_by for hit in result)


def test_the_very_moment_counts_and_nothing_before_the_first_memory(budget: Memory) -> None:
    moment = budget.get(RAISED).time
    assert RAISED in texts(budget.recall(QUESTION, as_of=moment))
    assert RAISED not in texts(budget.recall(QUESTION, as_of=moment - timedelta(milliseconds=1)))
    assert len(budget.recall(QUESTION, as_of="2001-01-01")) == 0


def test_neighbours_that_were_said_later_are_not_attached(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:")
    for day, text in enumerate(("The boat leaks.", "The boat is mended.", "The boat is sold."), 1):
        memory.remember(text, speaker="Ann", session="boat", time=f"2026-01-0{day}")
    (hit,) = memory.recall("Is it mended?", k=1, expand=5, as_of="2026-01-02")
    assert texts(hit.before) == ["The boat leaks."]
    assert hit.after == ()
    assert texts(memory.recall("Is it mended?", k=1, expand=5)[0].after) == ["The boat is sold."]


@pytest.mark.parametrize("moment", ["yesterday", True, float("nan"), float("inf"), b"2026", [2026], 1e30])
def test_a_moment_that_is_none_is_refused(budget: Memory, refused: Refused, moment: Any) -> None:
    with refused(budget, ValidationError, "as_of"):
        budget.recall(QUESTION, as_of=moment)
    with refused(budget, ValidationError, "as_of"):
        budget.why(QUESTION, OLD, as_of=moment)


def test_why_says_that_a_memory_was_told_too_late(budget: Memory) -> None:
    told_why = budget.why(QUESTION, NEW, as_of="2026-03-01")
    assert not told_why.recalled
    assert told_why.stages[-1].name == "filter"
    assert told_why.stages[-1].detail == "it was said after 2026-03-01T23:59:59.999+00:00"
    assert budget.why(QUESTION, RAISED, as_of="2026-03-01").recalled
    assert budget.why(QUESTION, RAISED, as_of="2026-03-01", speaker="Otto").stages[-1].detail == "the filter hides it"


# -- why ----------------------------------------------------------------------------------------------


def test_why_names_the_older_memory_and_the_values_that_were_asked_for(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:")
    old, new = memory.remember_many(
        told("On Friday the bank set my kitchen budget at $5,000.", "On Monday my kitchen budget was raised to $8,000.")
    )[-2:]
    stages = {stage.name: stage.detail for stage in memory.why(QUESTION, new).stages}
    assert stages["update"] == f"it supersedes {old}: money 8000 where it says money 5000"
    stages = {stage.name: stage.detail for stage in memory.why(QUESTION, old).stages}
    assert stages["update"] == f"{new} supersedes it: money 8000 where it says money 5000"


def test_why_has_the_rank_score_and_parts_of_the_hit(budget: Memory) -> None:
    hits = budget.recall(QUESTION, k=10)
    assert hits[0].parts["update"] > 0
    for rank, hit in enumerate(hits, 1):
        explained = budget.why(QUESTION, hit.id, k=10)
        assert (explained.rank, explained.score, explained.parts) == (rank, hit.score, hit.parts)
        assert explained.recalled


def test_why_says_nothing_of_updates_where_nothing_was_replaced(budget: Memory) -> None:
    assert "update" not in {stage.name for stage in budget.why("Who spoke to the plumber?", NEW).stages}


# -- history ------------------------------------------------------------------------------------------


def test_history_lists_the_versions_that_a_question_brought_up_oldest_first(budget: Memory) -> None:
    assert texts(budget.history(NEW)) == [NEW]
    budget.recall(QUESTION)
    for version in (OLD, RAISED, NEW):
        assert texts(budget.history(version)) == [OLD, RAISED, NEW]
        assert budget.history(budget.get(version).id) == budget.history(version)


def test_history_is_there_after_the_store_was_opened_again(
    budget: Memory, folder: Path, open_memory: OpenMemory
) -> None:
    budget.recall(QUESTION)
    budget.close()
    assert texts(open_memory(folder).history(OLD)) == [OLD, RAISED, NEW]


def test_history_is_kept_by_the_next_write_too(budget: Memory, folder: Path, open_memory: OpenMemory) -> None:
    budget.recall(QUESTION)
    reader = open_memory(folder, read_only=True)
    assert texts(reader.history(OLD)) == [OLD]
    budget.remember("The sink is blue.")
    assert texts(reader.history(OLD)) == [OLD, RAISED, NEW]


@pytest.mark.parametrize("reopened", [False, True])
def test_a_forgotten_version_is_gone_from_history_and_the_others_stay(
    budget: Memory, folder: Path, open_memory: OpenMemory, reopened: bool
) -> None:
    budget.recall(QUESTION)
    budget.forget(RAISED)
    assert texts(budget.history(NEW)) == [OLD, NEW]
    if reopened:
        budget.close()
        budget = open_memory(folder)
    assert texts(budget.history(NEW)) == [OLD, NEW]
    budget.forget(NEW)
    assert texts(budget.history(OLD)) == [OLD]
    with pytest.raises(UnknownMemoryError):
        budget.history(NEW)


def test_no_link_outlives_its_memories(budget: Memory, folder: Path) -> None:
    budget.recall(QUESTION)
    budget.remember("The sink is blue.")
    budget.forget_many([OLD, NEW])
    budget.close()
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        assert connection.execute("SELECT count(*) FROM links").fetchone() == (0,)


def test_a_question_that_may_leave_no_trace_leaves_no_links(
    budget: Memory, folder: Path, open_memory: OpenMemory
) -> None:
    hits = budget.recall(QUESTION, update=False)
    assert hits[0].supersedes
    budget.why(QUESTION, NEW)
    assert texts(budget.history(NEW)) == [NEW]
    budget.close()
    assert texts(open_memory(folder).history(NEW)) == [NEW]


def test_a_reader_ranks_alike_and_notes_nothing(budget: Memory, folder: Path, open_memory: OpenMemory) -> None:
    reader = open_memory(folder, read_only=True)
    hits = reader.recall(QUESTION)
    assert [(hit.id, hit.score, hit.supersedes) for hit in hits] == [
        (hit.id, hit.score, hit.supersedes) for hit in budget.recall(QUESTION, update=False)
    ]
    assert texts(reader.history(NEW)) == [NEW]


def test_histories_of_namespaces_never_mix(open_memory: OpenMemory, folder: Path) -> None:
    ann = open_memory(folder, namespace=("users", "ann"))
    ben = ann.at("users", "ben")
    for memory in (ann, ben):
        memory.remember_many(told(OLD, NEW))
        memory.recall(QUESTION)
    assert [record.id for record in ann.history(OLD)] == [ann.get(OLD).id, ann.get(NEW).id]
    assert not {record.id for record in ann.history(OLD)} & {record.id for record in ben.history(OLD)}
    with pytest.raises(UnknownMemoryError):
        ann.history(ben.get(OLD).id)
    ann.close()
    again = open_memory(folder, namespace=("users", "ben"))
    assert texts(again.history(NEW)) == [OLD, NEW]
    with closing(sqlite3.connect(folder / "store.db")) as connection:
        across = connection.execute(
            "SELECT count(*) FROM links l JOIN memories s ON s.id = l.source JOIN memories t ON t.id = l.target "
            "WHERE s.namespace <> t.namespace"
        )
        assert across.fetchone() == (0,)


@pytest.mark.parametrize("key", [0, -1, 10**9, 1 << 70, "nobody"])
def test_there_is_no_history_of_a_memory_that_does_not_exist(budget: Memory, key: Any) -> None:
    with pytest.raises(UnknownMemoryError):
        budget.history(key)


@pytest.mark.parametrize("key", [True, None, 1.0, b"a"])
def test_a_key_that_is_none_has_no_history(budget: Memory, key: Any) -> None:
    with pytest.raises(ValidationError):
        budget.history(key)


def test_what_was_moved_to_the_cold_tier_stays_in_history(budget: Memory) -> None:
    budget.recall(QUESTION)
    budget.move(OLD, Tier.COLD)
    assert texts(budget.history(NEW)) == [OLD, RAISED, NEW]


def test_nothing_is_deleted_or_changed_by_being_superseded(budget: Memory) -> None:
    def state() -> list[Any]:
        return [(each.id, each.text, each.time, each.tier, each.metadata) for each in budget.records()]

    before = state()
    budget.recall(QUESTION)
    budget.remember("The sink is blue.")
    assert state()[:-1] == before
    assert budget.verify().ok


def test_the_async_twins_answer_alike(budget: Memory) -> None:
    async def ask() -> tuple[Any, Any]:
        result = await budget.arecall(QUESTION, as_of="2026-03-01")
        return result, await budget.ahistory(RAISED)

    result, history = asyncio.run(ask())
    assert texts(result) == texts(budget.recall(QUESTION, as_of="2026-03-01", update=False))
    assert texts(history) == [OLD, RAISED]
    assert history == budget.history(RAISED)


@pytest.mark.parametrize("encoder", [None, WordEmbedder()], ids=["plain", "encoded"])
def test_values_of_another_matter_join_no_history(open_memory: OpenMemory, encoder: WordEmbedder | None) -> None:
    memory = open_memory(":memory:", embedder=encoder)
    told = ["Our wedding is set for June 14.", "The meeting is on March 3.", "The meeting moved to March 9."]
    told.append("My flight leaves on April 2.")
    ids = [memory.remember(text, speaker="Ann", time=f"2026-01-0{day}") for day, text in enumerate(told, 1)]
    assert memory.recall("When is Ann's meeting?")[0].id == ids[2]
    assert [record.id for record in memory.history(ids[1])] == ids[1:3]
    assert [record.id for record in memory.history(ids[0])] == ids[:1]
    assert [record.id for record in memory.history(ids[3])] == ids[3:]


@pytest.mark.parametrize("encoder", [None, WordEmbedder()], ids=["plain", "encoded"])
def test_two_memories_are_enough_for_an_update(open_memory: OpenMemory, encoder: WordEmbedder | None) -> None:
    memory = open_memory(":memory:", embedder=encoder)
    older = memory.remember("My budget for the trip is $900.", speaker="Ann", time="2026-03-01")
    memory.remember("We raised the budget for the trip to $1,200.", speaker="Ann", time="2026-04-11")
    assert memory.recall("How much is the budget for the trip?")[0].supersedes == (older,)
