"""The calculus of the HGNS paper as published, and what it was measured to do."""

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

__all__ = [
    "METHODS",
    "Converged",
    "Method",
    "Selection",
    "converge",
    "gradient",
    "multilevel_gradient",
    "multilevel_of_samples",
    "saliency",
    "saliency_mask",
    "samples_gradient",
    "select_dimensions",
    "steps_of",
]
