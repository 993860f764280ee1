"""Settings check themselves."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from mnemoloom import AssistantProfile, ConcertProfile, Config, Limits, Memory, WeightedProfile
from mnemoloom.config import PROFILES, profile_named
from mnemoloom.errors import ConfigError

WEIGHTED = ("dense", "lexical", "speaker", "date", "surprise", "maxsim", "recency", "context")
ASSISTANT = ("dense", "lexical", "answered", "answered_asked", "chunk", "recency")


@pytest.mark.parametrize("bad", [-0.1, 10.5, float("nan"), float("inf"), "1", None, True])
@pytest.mark.parametrize(
    ("kind", "name"),
    [(WeightedProfile, name) for name in WEIGHTED]
    + [(AssistantProfile, name) for name in ASSISTANT]
    + [(ConcertProfile, name) for name in ("alpha", "beta", "gamma")],
)
def test_a_weight_outside_its_bounds_is_refused_by_name_rule_and_value(kind: Any, name: str, bad: object) -> None:
    with pytest.raises(ConfigError, match=rf"{kind.__name__}\.{name} must be a number in \[0\.0, 10\.0\]; got "):
        kind(**{name: bad})


@pytest.mark.parametrize(
    ("kind", "name", "bad"),
    [
        (WeightedProfile, "rerank", 0),
        (WeightedProfile, "rerank", 1001),
        (WeightedProfile, "k1", 0),
        (WeightedProfile, "b", 1.1),
        (AssistantProfile, "k1", -1),
        (AssistantProfile, "b", -0.1),
        (ConcertProfile, "tau", 0),
        (ConcertProfile, "floor", 1.5),
        (Config, "token_width", 4),
        (Limits, "k", 0),
        (Limits, "text_bytes", -5),
        (WeightedProfile, "window", (0.5,) * 5),
        (WeightedProfile, "window", (1.5,)),
        (WeightedProfile, "window", (-0.5,)),
        (WeightedProfile, "window", (float("nan"),)),
    ],
)
def test_other_settings_have_bounds_too(kind: Any, name: str, bad: object) -> None:
    with pytest.raises(ConfigError, match=name):
        kind(**{name: bad})


@pytest.mark.parametrize("bad", [("a",), "ab", 0.5, None, (None,), (True,)])
def test_a_window_that_does_not_hold_numbers_is_refused(bad: object) -> None:
    with pytest.raises(ConfigError, match="window"):
        WeightedProfile(window=bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "name"), [(WeightedProfile, "rerank"), (Config, "token_width"), (Limits, "k"), (Limits, "text_bytes")]
)
def test_a_count_must_be_a_whole_number(kind: Any, name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        kind(**{name: 20.5})


def test_a_window_must_be_a_tuple_because_settings_are_compared_by_value() -> None:
    with pytest.raises(ConfigError, match="tuple"):
        WeightedProfile(window=[0.5, 0.25])  # type: ignore[arg-type]


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        WeightedProfile().dense = 2.0  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        Config().language = "german"  # type: ignore[misc]


def test_the_named_profiles_are_the_documented_ones() -> None:
    assert set(PROFILES) == {"dialogue", "assistant", "document", "dense", "lexical", "concert"}
    assert all(profile.name == name for name, profile in PROFILES.items())


def test_the_concert_weights_are_the_published_ones() -> None:
    assert PROFILES["concert"] == ConcertProfile(alpha=0.35, beta=0.5, gamma=0.08, tau=21_600.0, floor=0.15)


def test_an_unknown_profile_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"profile must be one of dialogue, .*auto, or a profile object; got 'x'"):
        profile_named("x")
    with pytest.raises(ConfigError, match="got 'x'"):
        Config(profile="x")


@pytest.mark.parametrize("bad", [42, object(), {"dense": 1.0}, WeightedProfile])
def test_what_is_no_profile_is_refused(bad: Any) -> None:
    with Memory.open(":memory:") as memory:
        memory.remember("a dog")
        with pytest.raises(ConfigError, match="profile"):
            memory.recall("dog", profile=bad)
    with pytest.raises(ConfigError, match="profile"):
        Config(profile=bad)


def test_a_profile_object_stands_for_itself() -> None:
    mine = WeightedProfile(name="mine", dense=2.0)
    assert profile_named(mine) is mine
    assert Config(profile=mine).profile is mine


def test_an_unknown_language_is_refused_when_a_memory_is_opened() -> None:
    with pytest.raises(ConfigError, match="language must be one of"):
        Memory.open(":memory:", config=Config(language="klingon"))
