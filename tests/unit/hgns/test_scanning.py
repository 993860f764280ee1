"""Scans of codes: with faiss and without, against what the codes stand for."""

from __future__ import annotations

import numpy as np
import pytest

from mnemoloom.hgns import cell_codes, cells_decoded, rotation
from mnemoloom.hgns.scanning import CellScan, CoarseScan, SignScan, coarse_scan
from unit.hgns.rows import encoded_rows, gaussian_rows

WAYS = ["cells", "signs"]


def scan_of(way: str, rows: np.ndarray) -> CoarseScan:
    scan = coarse_scan(way, rows.shape[1], mean=rows.mean(axis=0))  # type: ignore[arg-type]
    scan.add(rows)
    return scan


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("width", [8, 50, 70, 384, 1000])
def test_a_stored_row_is_among_its_own_nearest(way: str, width: int) -> None:
    rows = rotation(width).apply(gaussian_rows(600, width, seed=width))
    scan = scan_of(way, rows)
    found = [row in scan.nearest(rows[row], 60)[0] for row in range(0, 600, 20)]
    assert np.mean(found) >= (0.9 if width > 8 else 0.5)


def test_the_cells_estimate_is_the_product_with_what_the_codes_stand_for() -> None:
    rows = rotation(384).apply(encoded_rows(400, 384, seed=1))
    entries, estimates = scan_of("cells", rows).nearest(rows[3], 400)
    products = cells_decoded(cell_codes(rows)) @ rows[3]
    np.testing.assert_allclose(estimates, products[entries], atol=0.02)  # faiss rounds its tables to eight bits


def test_the_signs_order_by_unequal_bits() -> None:
    rows = rotation(100).apply(gaussian_rows(500, 100, seed=2))
    scan = scan_of("signs", rows)
    entries, estimates = scan.nearest(rows[9], 50)
    above = rows > rows.mean(axis=0)
    unequal = (above != above[9]).sum(axis=1)
    assert unequal[entries].tolist() == np.sort(unequal)[:50].tolist()
    assert estimates[0] == pytest.approx(1.0)
    assert (np.diff(estimates) <= 1e-6).all()


@pytest.mark.parametrize("way", WAYS)
def test_adding_one_at_a_time_equals_adding_at_once(way: str) -> None:
    rows = rotation(96).apply(gaussian_rows(300, 96, seed=3))
    whole, grown = scan_of(way, rows), coarse_scan(way, 128, mean=rows.mean(axis=0))  # type: ignore[arg-type]
    for row in rows:
        grown.add(row[None])
    for query in rows[:10]:
        assert whole.nearest(query, 20)[0].tolist() == grown.nearest(query, 20)[0].tolist()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("count", [1, 31, 32, 33, 300])
def test_keeping_some_equals_never_having_had_the_others(way: str, count: int) -> None:
    rows = rotation(64).apply(gaussian_rows(count, 64, seed=4))
    kept = np.random.default_rng(5).random(count) < 0.6
    mean = rows.mean(axis=0)
    scan, never = (coarse_scan(way, 64, mean=mean) for _ in range(2))  # type: ignore[arg-type]
    scan.add(rows)
    scan.keep(kept)
    never.add(rows[kept])
    more = rotation(64).apply(gaussian_rows(40, 64, seed=6))
    for each in (scan, never):
        each.add(more)
    assert len(scan) == len(never) == kept.sum() + 40
    assert scan.bytes == never.bytes
    for name, array in scan.arrays().items():
        np.testing.assert_array_equal(array, never.arrays()[name])


def test_no_code_of_what_was_let_go_stays_behind() -> None:
    rows = rotation(64).apply(gaussian_rows(70, 64, seed=7))
    scan = scan_of("cells", rows)
    scan.keep(np.arange(70) < 3)
    alone = scan_of("cells", rows[:3])
    alone.keep(np.ones(3, np.bool_))
    np.testing.assert_array_equal(scan.arrays()["cells"], alone.arrays()["cells"])


@pytest.mark.parametrize("way", WAYS)
def test_what_was_kept_searches_alike_and_can_grow(way: str) -> None:
    rows = rotation(96).apply(gaussian_rows(250, 96, seed=8))
    scan = scan_of(way, rows)
    again = coarse_scan(way, 128, mean=np.zeros(128, np.float32))  # type: ignore[arg-type]
    arrays = {name: array.copy() for name, array in scan.arrays().items()}
    for array in arrays.values():
        array.flags.writeable = False
    again.restore(arrays, 250)
    for each in (scan, again):
        each.add(rows[:5])
    for query in rows[:10]:
        got, want = again.nearest(query, 30), scan.nearest(query, 30)
        assert got[0].tolist() == want[0].tolist()
        np.testing.assert_array_equal(got[1], want[1])


@pytest.mark.parametrize("scan", [CellScan(64), SignScan(np.zeros(64, np.float32))])
def test_arrays_of_another_size_are_refused(scan: CoarseScan) -> None:
    with pytest.raises(ValueError, match="entries take"):
        scan.restore(scan.arrays(), 40)
