"""Columns of memories to plan sleep over, and what applying a plan does to them."""

from __future__ import annotations

from typing import Any

import numpy as np

from mnemoloom.consolidation import Sleepers, SleepPlan

DAY = 86_400.0


def sleepers_of(n: int, *, width: int = 6, **columns: Any) -> Sleepers:
    """n memories, orthogonal while n ≤ width, of one named speaker, a year old, never used; `columns` differ."""
    rows = np.tile(np.eye(width, dtype=np.float32), (n // width + 1, 1))[:n]
    plain = {
        "ids": 10 + np.arange(n),
        "rows": rows,
        "speakers": np.zeros(n, np.int64),
        "named": np.ones(n, bool),
        "surprise": np.linspace(0, 10, n) if n else np.zeros(0),
        "active": np.zeros(n),
        "age": np.full(n, 365 * DAY),
        "stress": np.zeros(n),
        **{name: np.zeros(n, bool) for name in ("cold", "pinned", "placed", "merged")},
    }
    return Sleepers(**{name: np.asarray(columns.get(name, value)) for name, value in plain.items()})


def random_sleepers(n: int, seed: int) -> Sleepers:
    """Memories of every sort, many of them near-duplicates."""
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((max(1, n // 3), 8))[rng.integers(0, max(1, n // 3), n)]
    rows = rows + 0.1 * rng.standard_normal((n, 8))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    speakers = rng.integers(0, 3, n)
    flags = {name: rng.random(n) < share for name, share in (("cold", 0.3), ("pinned", 0.1), ("placed", 0.1))}
    return sleepers_of(
        n,
        rows=rows.astype(np.float32),
        speakers=speakers,
        named=speakers < 2,
        surprise=rng.gamma(2, 1, n),
        active=np.where(rng.random(n) < 0.3, rng.gamma(1, 1, n), 0),
        age=rng.uniform(0, 60 * DAY, n),
        stress=rng.random(n),
        merged=rng.random(n) < 0.1,
        **flags,
    )


def ever_of(sleepers: Sleepers) -> dict[int, np.ndarray]:
    """By speaker number, all surprises, ascending."""
    return {int(s): np.sort(sleepers.surprise[sleepers.speakers == s]) for s in np.unique(sleepers.speakers)}


def applied(sleepers: Sleepers, plan: SleepPlan) -> Sleepers:
    """The memories after a plan."""
    others = [other for group in plan.merge for other in group.others]
    cold = (sleepers.cold | np.isin(sleepers.ids, plan.to_cold)) & ~np.isin(sleepers.ids, plan.to_long_term)
    after = sleepers._replace(cold=cold, merged=sleepers.merged | np.isin(sleepers.ids, others))
    kept = ~np.isin(sleepers.ids, plan.forget)
    return Sleepers(*(column[kept] for column in after))
