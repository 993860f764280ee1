"""MAC, MAG and MAL behind the facade: three ways to use memory, and the default that changes nothing."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mnemoloom import Config, Gate, Memory, RecallResult, Tier
from mnemoloom.embedders import HashingEmbedder
from mnemoloom.errors import ConfigError, ValidationError
from mnemoloom.rendering import fenced_hits, unfenced

if TYPE_CHECKING:
    from conftest import OpenMemory

QUESTION = "Where is the violin?"
TURNS = (
    ("The violin is in the attic of the old house.", "march"),
    ("I sold the piano to a friend.", "march"),
    ("A violin needs new strings every year.", "april"),
    ("The ladder is behind the shed.", "april"),
    ("My violin teacher is called Ove.", "april"),
    ("Hello again!", "may"),
    ("Is the violin still in tune?", "may"),
    ("I am looking for the ladder.", "may"),
)


@pytest.fixture
def told(memory: Memory) -> Memory:
    """Three sessions between two people, and an entry that is pinned."""
    memory.remember_many(
        {"text": text, "session": session, "speaker": ("Ann", "Ben")[number % 2], "time": 1000.0 + number}
        for number, (text, session) in enumerate(TURNS)
    )
    memory.remember("Ann must not carry heavy things.", pinned=True, time=900.0)
    return memory


def ids(result: RecallResult) -> list[int]:
    return [hit.id for hit in result]


def ask(memory: Memory, variant: str, k: int = 6, **options: Any) -> RecallResult:
    return memory.recall(QUESTION, k, variant=variant, window=memory.short_term("may", size=2), **options)  # type: ignore[arg-type]


def test_the_default_is_the_variant_that_changes_nothing(told: Memory) -> None:
    want = told.recall(QUESTION, 6, update=False)
    assert told.recall(QUESTION, 6, variant="memory", update=False) == want
    ask(told, "mal")
    assert told.recall(QUESTION, 6, update=False).hits[0].parts == want.hits[0].parts


def test_mac_shows_what_is_pinned_then_hits_then_what_was_said_last(told: Memory) -> None:
    shown = ask(told, "mac")
    assert [hit.shown_from for hit in shown] == ["persistent", *["long_term"] * 3, *["short_term"] * 2]
    assert shown[0].text == "Ann must not carry heavy things."
    assert [hit.text for hit in shown[-2:]] == [text for text, _ in TURNS[-2:]]
    assert shown[1].text == TURNS[0][0]
    assert not {7, 8} & {hit.id for hit in shown[:-2]}
    assert ids(ask(told, "mac", 2)) == [9, 8]


def test_mag_ranks_window_and_hits_together_by_its_gate(told: Memory) -> None:
    shown = ask(told, "mag")
    rest = shown[1:]
    assert shown[0].shown_from == "persistent"
    assert [hit.score for hit in rest] == sorted((hit.score for hit in rest), reverse=True)
    assert {"long_term", "short_term"} <= {hit.shown_from for hit in rest}
    assert all(set(hit.parts) == {"persistent", "long_term", "short_term"} for hit in shown)


def test_mal_shows_only_what_long_term_memory_lets_through(told: Memory) -> None:
    shown = ask(told, "mal", 3)
    assert {hit.shown_from for hit in shown} <= {"long_term", "persistent"}
    lifted = [hit for hit in shown if hit.parts["short_term"] > 0]
    assert set(ids(told.recall(QUESTION, 3, variant="mal"))) == set(ids(shown))
    assert {hit.id for hit in lifted} <= {7, 8}


def test_the_variants_differ_and_keep_what_holds_for_all_hits(told: Memory) -> None:
    newest = told.short_term("may", size=1)
    orders = {each: ids(told.recall(QUESTION, 6, variant=each, window=newest)) for each in ("mac", "mag", "mal")}  # type: ignore[arg-type]
    orders["memory"] = ids(told.recall(QUESTION, 6))
    assert len({tuple(order) for order in orders.values()}) == 4
    for variant in ("mac", "mag", "mal"):
        for k in (1, 3, 6, 20):
            shown = ask(told, variant, k)
            assert len(shown) <= k
            assert len({(hit.speaker, hit.text) for hit in shown}) == len(shown)
            for hit in shown:
                assert hit.score == pytest.approx(sum(hit.parts.values()), abs=1e-9)
                assert hit.text == told.get(hit.id).text


def test_without_an_encoder_window_and_pins_a_variant_only_scales(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:")
    memory.remember_many({"text": text, "session": session, "speaker": "Ann"} for text, session in TURNS)
    want = memory.recall(QUESTION, 5)
    mac = memory.recall(QUESTION, 5, variant="mac")
    assert [(hit.id, hit.score, dict(hit.parts)) for hit in mac] == [
        (hit.id, hit.score, dict(hit.parts)) for hit in want
    ]
    for variant in ("mag", "mal"):
        assert ids(memory.recall(QUESTION, 5, variant=variant)) == ids(want)  # type: ignore[arg-type]


def test_a_question_that_matches_nothing_still_shows_what_was_said_last(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:")
    memory.remember_many({"text": text, "session": session, "speaker": "Ann"} for text, session in TURNS)
    shown = memory.recall("zebra", 4, variant="mac", window=memory.short_term("may", size=2))
    assert [hit.text for hit in shown] == [text for text, _ in TURNS[-2:]]
    assert [hit.score for hit in shown] == [0.0, 0.0]


def test_the_neural_memory_asks_its_own_question(told: Memory) -> None:
    plain = told.recall(QUESTION, 3, profile="dense")
    for variant in ("mac", "mal"):
        asked = told.recall(QUESTION, 8, profile="dense", variant=variant)  # type: ignore[arg-type]
        assert {hit.id: hit.score for hit in asked} != {hit.id: hit.score for hit in plain}


def test_the_neural_memory_also_asks_the_question_that_feedback_has_moved(told: Memory) -> None:
    told.useful(4, query=QUESTION)
    plain = told.recall(QUESTION, 8, profile="dense")
    for variant in ("mac", "mag", "mal"):
        asked = told.recall(QUESTION, 8, profile="dense", variant=variant)  # type: ignore[arg-type]
        assert {hit.id: hit.score_l0 for hit in asked} != {hit.id: hit.score_l0 for hit in plain}, variant


def test_hits_of_a_variant_tell_their_cosine_with_the_question_that_was_asked(told: Memory) -> None:
    plain = {hit.id: hit.score_l0 for hit in told.recall(QUESTION, 9)}
    for variant in ("mac", "mag", "mal"):
        asked = {hit.id: hit.score_l0 for hit in ask(told, variant)}
        assert all(isinstance(cosine, float) for cosine in asked.values())
        assert any(abs(cosine - plain[each]) > 1e-3 for each, cosine in asked.items() if each in plain)


def test_it_has_read_the_same_however_the_turns_came(folder: Path, open_memory: OpenMemory) -> None:
    encoder = HashingEmbedder(64)
    drafts = [{"text": text, "session": session, "speaker": "Ann"} for text, session in TURNS]
    together = open_memory(":memory:", embedder=encoder)
    together.remember_many(drafts)
    singly = open_memory(folder, embedder=encoder)
    for draft in drafts:
        singly.remember_many([draft])
        singly.recall(QUESTION, 2, variant="mal")  # it reads on from here
    want = together.recall(QUESTION, 8, variant="mal")
    assert [(hit.id, hit.score) for hit in singly.recall(QUESTION, 8, variant="mal")] == [
        (hit.id, pytest.approx(hit.score, abs=1e-5)) for hit in want
    ]
    singly.close()
    with Memory.open(folder, embedder=encoder, read_only=True) as reader:
        again = reader.recall(QUESTION, 8, variant="mal")
        assert [(hit.id, hit.score) for hit in again] == [(hit.id, pytest.approx(hit.score, abs=1e-5)) for hit in want]


def test_it_unlearns_what_is_forgotten_or_cold(open_memory: OpenMemory) -> None:
    encoder = HashingEmbedder(64)
    drafts = [{"text": text, "session": session, "speaker": "Ann"} for text, session in TURNS]
    without, forgot, cooled = (open_memory(":memory:", embedder=encoder) for _ in range(3))
    without.remember_many([draft for draft in drafts if draft["text"] != TURNS[4][0]])
    for memory in (forgot, cooled):
        memory.remember_many(drafts)
        memory.recall(QUESTION, variant="mal")
    forgot.forget(5)
    cooled.move(5, Tier.COLD)
    want = {hit.text: hit.score for hit in without.recall(QUESTION, 3, profile="dense", variant="mal")}
    for memory in (forgot, cooled):
        got = {hit.text: hit.score for hit in memory.recall(QUESTION, 3, profile="dense", variant="mal")}
        assert got == pytest.approx(want, abs=1e-4)


def test_a_cold_turn_is_shown_by_its_window_and_nowhere_else(open_memory: OpenMemory, hashing: HashingEmbedder) -> None:
    memory = open_memory(":memory:", embedder=hashing, config=Config(gate=Gate(budget=0.5)))
    for number in range(40):
        memory.remember("Oh no." if number % 2 else f"The violin cost {number} crowns.", speaker="Ann", session="may")
    cold = [record.id for record in memory.records({"tier": "cold"})]
    memory.move(40, Tier.COLD)
    shown = memory.recall(QUESTION, 10, variant="mac", window=memory.short_term("may", size=1))
    assert (shown[-1].id, shown[-1].shown_from, shown[-1].tier) == (40, "short_term", Tier.COLD)
    assert not set(ids(shown)[:-1]) & set(cold)


def test_filters_and_as_of_hold_for_pins_and_windows_too(told: Memory) -> None:
    shown = ask(told, "mac", speaker="Ben")
    assert {hit.speaker for hit in shown} == {"Ben"}
    assert [hit.id for hit in shown if hit.short_term] == [8]
    shown = ask(told, "mac", as_of=1006.5)
    assert [hit.id for hit in shown if hit.short_term] == [7]
    assert 9 in ids(shown)
    assert ids(ask(told, "mac", as_of=950.0)) == [9]
    assert [hit.id for hit in ask(told, "mac", tier="persistent")] == [9]


def test_below_the_confidence_asked_for_there_are_no_hits(told: Memory) -> None:
    for variant in ("mac", "mag", "mal"):
        assert list(ask(told, variant, min_confidence=1.0)) == []
        assert list(ask(told, variant, min_confidence=0.0))


def test_what_is_pinned_takes_no_second_look_to_be_shown(open_memory: OpenMemory) -> None:
    memory = open_memory(":memory:", embedder=HashingEmbedder(64))
    pinned = memory.remember("Ann must not carry heavy things.", pinned=True)
    memory.remember_many(f"Note {number} about nothing." for number in range(8))
    cold = memory.remember("The ladder stands behind the old shed.", tier="cold")
    asked = "Who says that the ladder stands behind the old shed?"
    unsure, sure = (memory.recall(asked, tier=tier).confidence for tier in (None, [tier.value for tier in Tier]))
    assert unsure < sure
    shown = memory.recall(asked, 3, variant="mac", min_confidence=(unsure + sure) / 2)
    assert {hit.id: hit.second_look for hit in shown if hit.id in (pinned, cold)} == {pinned: False, cold: True}


def test_neighbours_are_attached_as_ever(told: Memory) -> None:
    [first] = [hit for hit in ask(told, "mac", expand=1) if hit.id == 1]
    assert [record.id for record in first.after] == [2]


def test_accesses_are_noted_unless_told_otherwise(told: Memory) -> None:
    ask(told, "mac", update=False)
    assert told.get(9).accessed is None
    ask(told, "mac")
    assert told.get(9).accessed is not None


def test_a_window_of_another_namespace_or_store_is_refused(told: Memory, open_memory: OpenMemory) -> None:
    for other in (told.at("other"), open_memory(":memory:")):
        with pytest.raises(ValidationError, match="window must be a short_term of this handle"):
            told.recall(QUESTION, variant="mac", window=other.short_term("may"))
    with pytest.raises(ValidationError, match="window must be a short_term of this handle; got 4"):
        told.recall(QUESTION, variant="mac", window=4)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="window belongs to a variant"):
        told.recall(QUESTION, window=told.short_term("may"))
    with pytest.raises(ConfigError, match="variant must be one of memory, mac, mag, mal; got 'max'"):
        told.recall(QUESTION, variant="max")  # type: ignore[arg-type]


def test_a_namespace_that_was_never_written_to_has_nothing_to_show(memory: Memory) -> None:
    for variant in ("mac", "mag", "mal"):
        assert list(memory.recall(QUESTION, variant=variant, window=memory.short_term("may"))) == []  # type: ignore[arg-type]


def test_the_async_twin_answers_alike(told: Memory) -> None:
    window = told.short_term("may", size=2)
    want = told.recall(QUESTION, 6, variant="mag", window=window, update=False)
    assert asyncio.run(told.arecall(QUESTION, 6, variant="mag", window=window, update=False)) == want


def test_rendered_hits_name_their_memory_in_the_order_of_the_variant(told: Memory) -> None:
    text = fenced_hits(ask(told, "mac"))
    lines = [json.loads(line) for line in text.splitlines()[1:-1]]
    assert [line["memory"] for line in lines] == ["persistent", *["long_term"] * 3, *["short_term"] * 2]
    assert lines[0]["text"] == "Ann must not carry heavy things."
    assert unfenced(f"{text}\n\n{QUESTION}") == QUESTION


def test_what_is_in_quarantine_is_in_no_window_and_among_no_pins(told: Memory) -> None:
    before = ids(ask(told, "mac"))
    told.quarantine({"id": {"$in": [8, 9]}})
    assert told.short_term("may", size=2).ids() == [6, 7]
    assert not {8, 9} & set(ids(ask(told, "mac", 20)))
    told.release({"id": {"$in": [8, 9]}})
    assert ids(ask(told, "mac")) == before


def test_trust_that_is_asked_for_holds_for_pins_and_windows_too(told: Memory) -> None:
    told.remember("The violin was seen in the attic, says a page.", session="may", trust="web", pinned=True)
    assert 10 in ids(ask(told, "mac"))
    assert 10 not in ids(ask(told, "mac", min_trust="user"))


def test_why_tells_where_a_variant_shows_a_memory_or_what_it_shows_instead(told: Memory) -> None:
    told.move(8, Tier.COLD)
    window = told.short_term("may", size=2)
    for variant in ("mac", "mag", "mal"):
        shown = told.recall(QUESTION, 5, variant=variant, window=window)  # type: ignore[arg-type]
        for memory in range(1, 10):
            told_why = told.why(QUESTION, memory, 5, variant=variant, window=window)  # type: ignore[arg-type]
            assert told_why.recalled == (memory in ids(shown)), (variant, memory)
            if told_why.recalled:
                hit = shown[ids(shown).index(memory)]
                place = ids(shown).index(memory) + 1
                wanted = f"{variant} shows it at place {place} of {len(shown)}, from {hit.shown_from} memory"
                assert told_why.stages[-1].detail == wanted
                assert (told_why.rank, told_why.score, told_why.parts) == (place, hit.score, hit.parts)
    cold = told.why(QUESTION, 8, 5, variant="mac", window=window)
    assert cold.stages[1].detail == "it is cold, and stands in the window"
    lost = told.why(QUESTION, 4, 2, variant="mac", window=window)
    assert lost.stages[-1].detail.startswith("mac shows 2 others with k = 2; by its score it ")
    assert not told.why(QUESTION, 8, 5, variant="mac").recalled
