"""The write gate and what it looks at."""

from __future__ import annotations

import json
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom import Gate
from mnemoloom.errors import ConfigError, ValidationError
from mnemoloom.titans import Decision, Signals, SpeakerGate, decide, signals_of

ALONE = {"specifics": 0.0, "statement": 0.0, "answer": 0.0}


def stream(values: list[float], config: Gate, *, named: bool = True) -> tuple[SpeakerGate, list[Decision]]:
    """The decisions over a stream of surprises, all else being equal."""
    gate, decisions = SpeakerGate(), []
    for value in values:
        gate, decision = decide(gate, Signals(value, 0.0, 1.0, 0.0), config, named=named)
        decisions.append(decision)
    return gate, decisions


def dropped(decisions: list[Decision]) -> float:
    return 1.0 - sum(decision.write for decision in decisions) / len(decisions)


STREAMS = {
    "normal": lambda rng: rng.standard_normal(600) + 10,
    "skewed": lambda rng: rng.lognormal(2, 1, 600),
    "falling, as surprise does": lambda rng: rng.lognormal(2, 0.6, 600) * np.linspace(3, 1, 600),
    "rising": lambda rng: rng.gamma(2, 1, 600) * np.linspace(1, 3, 600),
    "of few values": lambda rng: rng.integers(0, 3, 600).astype(float),
}


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("budget", [0.65, 0.75, 0.85])
def test_the_share_dropped_is_within_four_points_of_the_budget(name: str, budget: float) -> None:
    values = np.abs(STREAMS[name](np.random.default_rng(1))).tolist()
    _, decisions = stream(values, Gate(budget=budget, **ALONE))
    assert abs(dropped(decisions) - (1 - budget)) < 0.04


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=17, max_size=120), st.floats(0.5, 0.95))
def test_the_threshold_is_what_the_integral_rule_adds_up_to(values: list[float], budget: float) -> None:
    config = Gate(budget=budget, **ALONE)
    gate, decisions = stream(values, config)
    judged = decisions[config.first :]
    drops = sum(not decision.write for decision in judged)
    start = NormalDist().inv_cdf(1 - budget)
    assert gate.threshold == pytest.approx(start + 0.1 * ((1 - budget) * len(judged) - drops))


def test_a_turn_is_dropped_when_its_z_lies_below_the_threshold_before_it() -> None:
    values = np.random.default_rng(3).gamma(2, 1, 300).tolist()
    _, decisions = stream(values, Gate(budget=0.7))
    for decision in decisions[16:]:
        assert decision.write == (decision.z >= decision.threshold)
        assert decision.reason == ("telling" if decision.write else "expected")
    assert {decision.reason for decision in decisions} == {"telling", "expected", "first turns"}


def test_z_is_the_score_by_the_mean_and_spread_of_the_turns_so_far() -> None:
    values = np.random.default_rng(4).gamma(2, 1, 50)
    _, decisions = stream(values.tolist(), Gate(**ALONE))
    scores = [(values[i] - values[: i + 1].mean()) / values[: i + 1].std() for i in range(1, 50)]
    sums = np.array([0.0, *scores])
    for i in range(1, 50):
        assert decisions[i].z == pytest.approx((sums[i] - sums[: i + 1].mean()) / sums[: i + 1].std())


def test_the_first_turns_of_a_speaker_are_written_whatever_they_say() -> None:
    _, decisions = stream([5.0] * 10 + [0.0] * 6, Gate(budget=0.5))
    assert all(decision.write and decision.reason == "first turns" for decision in decisions)


def test_a_chat_between_roles_is_written_whole_and_the_reason_says_so() -> None:
    values = np.random.default_rng(3).gamma(2, 1, 100).tolist()
    gate, decisions = stream(values, Gate(budget=0.5), named=False)
    assert all(decision.write and decision.reason == "roles" for decision in decisions)
    assert gate.threshold is None


def test_a_speaker_who_always_says_the_same_keeps_to_the_budget_too() -> None:
    _, decisions = stream([3.0] * 400, Gate(budget=0.75))
    assert all(decision.z == 0.0 for decision in decisions)
    assert abs(dropped(decisions) - 0.25) < 0.04


def test_a_larger_budget_never_writes_less() -> None:
    values = np.random.default_rng(3).gamma(2, 1, 400).tolist()
    shares = [dropped(stream(values, Gate(budget=budget))[1]) for budget in (0.5, 0.7, 0.8, 0.9, 0.99)]
    assert shares == sorted(shares, reverse=True)


def test_at_equal_surprise_answers_statements_and_specifics_are_kept_rather_than_questions() -> None:
    gate = stream(np.random.default_rng(3).gamma(2, 1, 100).tolist(), Gate())[0]
    for signals in (Signals(1.0, 0.0, 0.0, 0.0), Signals(1.0, 2.0, 1.0, 1.0)) * 20:
        gate, _ = decide(gate, signals, named=True)
    plain = decide(gate, Signals(1.0, 0.0, 0.0, 0.0), named=True)[1].z
    for richer in (Signals(1.0, 2.0, 0.0, 0.0), Signals(1.0, 0.0, 1.0, 0.0), Signals(1.0, 0.0, 0.0, 1.0)):
        assert decide(gate, richer, named=True)[1].z > plain


def test_a_gate_that_was_saved_as_json_goes_on_as_if_it_had_not_been() -> None:
    values = np.random.default_rng(3).gamma(2, 1, 100).tolist()
    gate, _ = stream(values, Gate())
    loaded = SpeakerGate.from_json(json.loads(json.dumps(gate.to_json())))
    assert loaded == gate
    assert decide(loaded, Signals(1.0, 1.0, 1.0, 0.0), named=True) == decide(
        gate, Signals(1.0, 1.0, 1.0, 0.0), named=True
    )
    assert SpeakerGate.from_json(SpeakerGate().to_json()) == SpeakerGate()


@pytest.mark.parametrize("numbers", [[], [1, 0.0, [1.0], [1.0]], [1, 0.0, "ab", []], ["x", None, [0.0] * 5, [0.0] * 5]])
def test_what_is_no_saved_gate_is_refused(numbers: list[object]) -> None:
    with pytest.raises(ValidationError, match="gate"):
        SpeakerGate.from_json(numbers)


@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_a_surprise_that_is_none_is_refused(value: float) -> None:
    with pytest.raises(ValidationError, match="at least 0"):
        decide(SpeakerGate(), Signals(value, 0.0, 1.0, 0.0), named=True)


@pytest.mark.parametrize(
    "setting", [{"budget": 0.2}, {"budget": 1.0}, {"budget": True}, {"answer": -1.0}, {"gain": 0.0}, {"first": 0}]
)
def test_settings_outside_their_bounds_are_refused(setting: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=f"Gate.{next(iter(setting))} must"):
        Gate(**setting)


@pytest.mark.parametrize(
    ("text", "specifics"),
    [
        ("Wow, that is so great!", 0),
        ("I think I'm fine.", 0),
        ("We moved to Oslo last May with 2 cats.", 4),
        ("The Eiffel tower is high.", 1),
        ("Paris, London, Rome, Madrid, Berlin, Vienna, Prague", 4),
        ("", 0),
    ],
)
def test_names_numbers_and_times_within_a_text_are_specifics(text: str, specifics: int) -> None:
    assert signals_of(text, 1.0).specifics == specifics


def test_whom_a_turn_addresses_is_no_specific() -> None:
    assert signals_of("Thanks so much, Melanie!", 1.0).specifics == 1
    assert signals_of("Thanks so much, Melanie!", 1.0, names={"melanie"}).specifics == 0


def test_the_caption_of_a_photo_neither_hides_a_question_nor_counts_as_said() -> None:
    signals = signals_of("Do you like it? [shares a photo of Big Ben in 1999]", 2.5)
    assert signals == Signals(2.5, 0.0, 0.0, 0.0)


def test_what_follows_a_question_is_an_answer() -> None:
    assert signals_of("In Oslo.", 1.0, before="Where do you live?").answer == 1.0
    assert signals_of("In Oslo.", 1.0, before="I see.").answer == 0.0
    assert signals_of("In Oslo.", 1.0).answer == 0.0


def test_time_words_of_another_language_can_be_given() -> None:
    assert signals_of("wir kamen gestern", 1.0).specifics == 0
    assert signals_of("wir kamen gestern", 1.0, time_words={"gestern"}).specifics == 1


@given(st.text(max_size=300))
def test_signals_of_any_text_can_be_gated(text: str) -> None:
    signals = signals_of(text, 1.0, before=text)
    assert decide(SpeakerGate(), signals, named=True)[1].write
