"""The plan of a sleep cycle."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mnemoloom.consolidation import PrunePolicy, SleepConfig, SleepPlan, plan_sleep
from mnemoloom.errors import ConfigError, ValidationError
from unit.consolidation.sleeping import DAY, applied, ever_of, random_sleepers, sleepers_of

ROUTINE = PrunePolicy(quadrants=("routine_forget",), below_value=0.5, floor=0)
CONFIGS = st.builds(
    SleepConfig,
    duplicates=st.sampled_from([0.85, 0.92, 2.0]),
    cold_share=st.sampled_from([0.0, 0.2, 0.5]),
    pruning=st.builds(
        PrunePolicy,
        quadrants=st.sampled_from([(), ("routine_forget",), ("routine_forget", "exploration")]),
        below_value=st.sampled_from([0.25, 1.0]),
        merged=st.booleans(),
        floor=st.sampled_from([0, 10, 1000]),
    ),
)


def test_by_default_sleep_moves_and_forgets_nothing_however_old_and_dull() -> None:
    old = sleepers_of(50, width=64, age=np.full(50, 1e10), surprise=np.zeros(50))
    assert not plan_sleep(old)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 50), st.integers(0, 30), CONFIGS)
def test_sleeping_twice_is_sleeping_once(n: int, seed: int, config: SleepConfig) -> None:
    sleepers = random_sleepers(n, seed)
    ever = ever_of(sleepers)
    plan = plan_sleep(sleepers, config, ever=ever)
    after = applied(sleepers, plan)
    again = plan_sleep(after, config, ever=ever)
    if config.pruning.merged:  # what was merged just now is named by the policy the next time
        again = plan_sleep(after := applied(after, again), config, ever=ever)
    assert not again


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 50), st.integers(0, 30), CONFIGS)
def test_what_is_forgotten_is_in_no_other_place_and_pinned_memories_are_in_none(
    n: int, seed: int, config: SleepConfig
) -> None:
    sleepers = random_sleepers(n, seed)
    plan = plan_sleep(sleepers, config, ever=ever_of(sleepers))
    others = [other for group in plan.merge for other in group.others]
    merged = {group.keep for group in plan.merge} | set(others)
    moved = [*plan.to_cold, *plan.to_long_term]
    assert len(others) == len(set(others))
    assert len(moved) == len(set(moved))
    assert not set(plan.forget) & {*moved, *merged}
    assert not set(plan.to_cold) & merged
    assert not {*others, *moved, *plan.forget} & set(sleepers.ids[sleepers.pinned].tolist())
    assert {*merged, *moved, *plan.forget} <= set(sleepers.ids.tolist())
    assert not {group.keep for group in plan.merge} & set(others)
    assert len(sleepers.ids) - len(plan.forget) >= min(len(sleepers.ids), config.pruning.floor)
    assert sum(plan.quadrants.values()) == n


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 50), st.integers(0, 30), CONFIGS, st.floats(1.0, 1e4))
def test_age_alone_never_forgets_or_moves_a_memory(n: int, seed: int, config: SleepConfig, years: float) -> None:
    # all of them past being new: any greater age plans the same
    sleepers = random_sleepers(n, seed)._replace(age=np.full(n, 30 * DAY))
    older = sleepers._replace(age=sleepers.age + years * 365 * DAY)
    assert plan_sleep(sleepers, config, ever=ever_of(sleepers)) == plan_sleep(older, config, ever=ever_of(sleepers))


def test_what_is_worth_little_and_named_by_the_policy_goes_the_least_first_and_crises_stay() -> None:
    sleepers = sleepers_of(
        6,
        surprise=[0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
        stress=[0.0, 0.9, 0.0, 0.0, 0.9, 0.0],
        active=[0.0, 0.0, 5.0, 0.0, 0.0, 0.0],
    )
    plan = plan_sleep(sleepers, SleepConfig(pruning=ROUTINE), ever=ever_of(sleepers))
    assert plan.quadrants == {"crisis_learning": 1, "skill_building": 3, "exploration": 1, "routine_forget": 1}
    assert plan.forget == (10,)


def test_the_floor_spares_the_best_of_what_could_go() -> None:
    sleepers = sleepers_of(20, width=32)
    policy = PrunePolicy(quadrants=("routine_forget",), below_value=0.5, floor=16)
    plan = plan_sleep(sleepers, SleepConfig(pruning=policy), ever=ever_of(sleepers))
    assert plan.forget == (10, 11, 12, 13)
    assert plan.spared == 6


def test_a_new_memory_is_not_routine_yet() -> None:
    sleepers = sleepers_of(4, age=[DAY, DAY, 365 * DAY, 365 * DAY], surprise=[0.0, 1.0, 0.0, 1.0])
    plan = plan_sleep(sleepers, SleepConfig(pruning=ROUTINE), ever=ever_of(sleepers))
    assert plan.forget == (12,)


def test_the_dullest_of_a_named_speaker_go_cold_unless_they_are_used() -> None:
    sleepers = sleepers_of(5, active=[0.0, 1.0, 0.0, 0.0, 0.0])
    assert plan_sleep(sleepers, SleepConfig(cold_share=0.4)).to_cold == (10,)
    roles = sleepers._replace(named=np.zeros(5, bool))
    assert not plan_sleep(roles, SleepConfig(cold_share=0.4))


def test_a_cold_memory_that_is_used_comes_back_unless_a_user_placed_it_there() -> None:
    sleepers = sleepers_of(3, cold=[True, True, True], active=[1.0, 0.0, 1.0], placed=[False, False, True])
    assert plan_sleep(sleepers, SleepConfig(cold_share=0.4)).to_long_term == (10,)


def test_duplicates_are_grouped_and_every_event_of_them_is_kept() -> None:
    rows = np.eye(3, dtype=np.float32)[[0, 0, 1, 2, 2]]
    sleepers = sleepers_of(5, rows=rows)
    plan = plan_sleep(sleepers)
    assert [(group.keep, group.others) for group in plan.merge] == [(11, (10,)), (14, (13,))]
    assert len(applied(sleepers, plan).ids) == 5


def test_a_plan_goes_through_json_unchanged() -> None:
    sleepers = random_sleepers(40, 3)
    config = SleepConfig(cold_share=0.3, duplicates=0.85, pruning=ROUTINE)
    plan = plan_sleep(sleepers, config, ever=ever_of(sleepers))
    assert plan.merge
    assert plan.to_cold
    assert plan.forget
    assert SleepPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_planning_changes_no_column() -> None:
    sleepers = random_sleepers(40, 3)
    before = [column.copy() for column in sleepers]
    plan_sleep(sleepers, SleepConfig(cold_share=0.3, pruning=ROUTINE), ever=ever_of(sleepers))
    for column, copy in zip(sleepers, before, strict=True):
        np.testing.assert_array_equal(column, copy)


def test_a_policy_that_prunes_by_value_needs_all_surprises_ever_written() -> None:
    with pytest.raises(ValidationError, match="needs `ever`"):
        plan_sleep(sleepers_of(3), SleepConfig(pruning=ROUTINE))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"surprise": [1.0]}, "column surprise must have 3 entries"),
        ({"surprise": [1.0, np.nan, 1.0]}, "column surprise must be finite"),
        ({"stress": [0.0, 2.0, 0.0]}, "column stress must be at least 0 and at most 1"),
        ({"active": [0.0, -1.0, 0.0]}, "column active must be at least 0"),
        ({"ids": [1, 1, 2]}, "ids must ascend"),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        plan_sleep(sleepers_of(3, **columns))


@pytest.mark.parametrize(
    "make",
    [
        lambda: SleepConfig(duplicates=0.0),
        lambda: SleepConfig(cold_share=1.0),
        lambda: SleepConfig(wake=0.0),
        lambda: PrunePolicy(quadrants=("old",)),
        lambda: PrunePolicy(below_value=2.0),
        lambda: PrunePolicy(floor=-1),
    ],
)
def test_settings_outside_their_bounds_are_refused(make: Any) -> None:
    with pytest.raises(ConfigError, match="must be"):
        make()
