"""Any sequence of changes: what the hierarchy finds is what a dictionary of rows holds."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import ClassVar
from unittest.mock import patch

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mnemoloom.config import IndexSettings
from mnemoloom.hgns import Hierarchy
from mnemoloom.index import VectorRows
from mnemoloom.storage import read_cache, write_cache

WIDTH = 24
SEEDS = st.integers(0, 2**32 - 1)


def unit_rows(seed: int, count: int) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, WIDTH)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class HierarchyMachine(RuleBasedStateMachine):
    """`model` holds the living rows by number."""

    way: ClassVar[str] = "cells"

    def __init__(self) -> None:
        super().__init__()
        self.patch = patch("mnemoloom.hgns.hierarchy.way_to_scan", lambda: self.way)
        self.patch.start()
        self.folder = tempfile.TemporaryDirectory()
        self.settings = IndexSettings(exact_below=60, candidates=16, probe_every=50, compact_at=0.4)
        self.index = Hierarchy(VectorRows(), self.settings)
        self.model: dict[int, np.ndarray] = {}
        self.last = 0

    def teardown(self) -> None:
        self.patch.stop()
        self.folder.cleanup()

    @initialize(seed=SEEDS)
    def begin(self, seed: int) -> None:
        self.extend(seed, 90)

    @rule(seed=SEEDS, count=st.integers(1, 90))
    def extend(self, seed: int, count: int) -> None:
        rows = unit_rows(seed, count)
        self.index.extend(rows)
        for row in rows:
            self.last += 1
            self.model[self.last] = row

    @rule(seed=SEEDS, present=st.booleans())
    def add(self, seed: int, present: bool) -> None:
        row = unit_rows(seed, 1)[0] if present else None
        self.last += 1
        assert self.index.add(row) == self.last
        if row is not None:
            self.model[self.last] = row

    @rule(data=st.data(), count=st.integers(1, 30))
    def remove(self, data: st.DataObject, count: int) -> None:
        first = data.draw(st.integers(1, self.last))
        for number in range(first, min(first + count, self.last + 1)):
            self.index.remove(number)
            self.model.pop(number, None)

    @rule(data=st.data(), seed=SEEDS)
    def replace(self, data: st.DataObject, seed: int) -> None:
        number = data.draw(st.integers(1, self.last))
        self.model[number] = unit_rows(seed, 1)[0]
        self.index.replace(number, self.model[number])

    @rule()
    def compact(self) -> None:
        self.index.compact()
        assert self.index.report().dead == 0

    @rule()
    def save_and_load(self) -> None:
        arrays, facts = self.index.arrays()
        live = np.isin(np.arange(self.last + 1), list(self.model))
        rows: np.ndarray = self.index.rows.values  # type: ignore[attr-defined]
        write_cache(Path(self.folder.name), "codes", arrays | {"rows": rows, "live": live}, {"index": facts})
        found = read_cache(Path(self.folder.name), "codes")
        assert found is not None
        self.index = Hierarchy(VectorRows(found[0]["rows"]), self.settings)
        self.index.restore(found[0]["live"], found[0], found[1]["index"])

    @rule(seed=SEEDS, k=st.integers(1, 12))
    def search_exactly(self, seed: int, k: int) -> None:
        query = unit_rows(seed, 1)[0]
        found = self.index.search(query, k, exact=True)
        best = sorted(self.model, key=lambda number: (-float(self.model[number] @ query), number))[:k]
        assert len(found.numbers) == len(best)
        np.testing.assert_allclose(found.scores, [self.model[number] @ query for number in best], atol=1e-5)

    @rule(seed=SEEDS, k=st.integers(1, 12))
    def search(self, seed: int, k: int) -> None:
        query = unit_rows(seed, 1)[0]
        found = self.index.search(query, k)
        numbers = found.numbers.tolist()
        assert len(numbers) == len(set(numbers)) == min(k, len(self.model))
        assert set(numbers) <= self.model.keys()
        np.testing.assert_allclose(found.scores, [self.model[number] @ query for number in numbers], atol=1e-5)
        assert (np.diff(found.scores) <= 1e-6).all()

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def search_for_a_living_row(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.model)))
        assert self.index.search(self.model[number], 1).scores[0] >= 1.0 - 1e-5

    @invariant()
    def as_many_as_the_model(self) -> None:
        assert len(self.index) == len(self.model)


class SignsMachine(HierarchyMachine):
    way = "signs"


TestWithCells = HierarchyMachine.TestCase
TestWithCells.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
TestWithSigns = SignsMachine.TestCase
TestWithSigns.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
