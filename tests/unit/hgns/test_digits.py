"""Digits of precision against the vectors that they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from mnemoloom.hgns import cell_codes, cells_decoded, fine_codes, fine_products, rotation
from unit.hgns.rows import encoded_rows, gaussian_rows


@pytest.mark.parametrize("width", [1, 3, 8, 50, 70, 384, 1000])
def test_the_rotation_keeps_inner_products(width: int) -> None:
    rows = gaussian_rows(40, width, seed=width)
    turned = rotation(width).apply(rows)
    assert turned.shape == (40, rotation(width).width)
    np.testing.assert_allclose(turned @ turned.T, rows @ rows.T, atol=1e-5)


def test_the_rotation_of_a_width_is_always_the_same() -> None:
    rows = gaussian_rows(3, 24, seed=0)
    first = rotation(24).apply(rows)
    rotation.cache_clear()
    np.testing.assert_array_equal(rotation(24).apply(rows), first)


def test_each_digit_refines_what_the_one_before_leaves() -> None:
    turned = rotation(384).apply(encoded_rows(500, 384, seed=1))
    coarse = ((turned - cells_decoded(cell_codes(turned))) ** 2).sum(axis=1).mean()
    fine = ((turned - fine_codes(turned) / (127 * np.sqrt(384) / 5)) ** 2).sum(axis=1).mean()
    assert 0.30 < coarse < 0.40  # of a Gaussian: .341
    assert fine < 0.001


def test_a_code_is_the_nearest_of_the_cells() -> None:
    turned = gaussian_rows(30, 16, seed=2)
    decoded = cells_decoded(cell_codes(turned))
    for other in range(16):
        elsewhere = cells_decoded(np.full((30, 4), other, np.uint8))
        nearest = ((turned - decoded) ** 2).reshape(30, 4, 4).sum(axis=2)
        further = ((turned - elsewhere) ** 2).reshape(30, 4, 4).sum(axis=2)
        assert (nearest <= further + 1e-6).all()


def test_the_fine_digit_gives_cosines_to_the_third_place() -> None:
    turned = rotation(384).apply(encoded_rows(300, 384, seed=3))
    products = fine_products(fine_codes(turned), turned[7])
    np.testing.assert_allclose(products, turned @ turned[7], atol=0.005)


def test_a_row_with_a_single_number_is_coded_within_bounds() -> None:
    turned = rotation(384).apply(np.eye(384, dtype=np.float32)[:1])
    assert np.abs(fine_codes(turned).astype(int)).max() <= 127
    assert fine_products(fine_codes(turned), turned[0])[0] == pytest.approx(1.0, abs=0.2)
