"""The model of any history, as in properties/test_recall_model.py, run for far longer."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from durability.tiers import tier
from properties.test_recall_model import Histories


@tier(quick=1, torture=1000)
def test_any_long_history_agrees_with_a_dict(size: int, request: pytest.FixtureRequest) -> None:
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=size, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
