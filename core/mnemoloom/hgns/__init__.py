"""HGNS: vectors as digits of precision, searched coarse to fine; and the paper's calculus as published."""

from mnemoloom.hgns.digits import cell_codes, cells_decoded, fine_codes, fine_products, rotation
from mnemoloom.hgns.dimensions import METHODS, Method, Selection, select_dimensions
from mnemoloom.hgns.gradient import (
    Converged,
    converge,
    gradient,
    multilevel_gradient,
    multilevel_of_samples,
    saliency,
    saliency_mask,
    samples_gradient,
    steps_of,
)
from mnemoloom.hgns.hierarchy import LEVELS, ExactRows, Found, Hierarchy, IndexReport, Near

__all__ = [
    "LEVELS",
    "METHODS",
    "Converged",
    "ExactRows",
    "Found",
    "Hierarchy",
    "IndexReport",
    "Method",
    "Near",
    "Selection",
    "cell_codes",
    "cells_decoded",
    "converge",
    "fine_codes",
    "fine_products",
    "gradient",
    "multilevel_gradient",
    "multilevel_of_samples",
    "rotation",
    "saliency",
    "saliency_mask",
    "samples_gradient",
    "select_dimensions",
    "steps_of",
]
