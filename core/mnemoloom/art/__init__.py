"""Adaptive resonance: categories that form as memories arrive."""

from mnemoloom.art.centred import (
    NONE,
    CentredConfig,
    CentredState,
    Placed,
    Reassigned,
    insert,
    match_rows,
    reassign,
    remove,
)
from mnemoloom.art.coding import Bounds, bounds_of, complement_code, scale, unit_rows, widen
from mnemoloom.art.fuzzy import FuzzyConfig, FuzzyState, categorise, fit, fuzzy_rule
from mnemoloom.art.resonance import Resonance, Rule, present, resonate
from mnemoloom.art.routing import Lists, lists_of, route
from mnemoloom.art.standing import Recentred, recentre, resume, state_of
from mnemoloom.art.topics import CategoryStatistics, keywords, representatives, statistics

__all__ = [
    "NONE",
    "Bounds",
    "CategoryStatistics",
    "CentredConfig",
    "CentredState",
    "FuzzyConfig",
    "FuzzyState",
    "Lists",
    "Placed",
    "Reassigned",
    "Recentred",
    "Resonance",
    "Rule",
    "bounds_of",
    "categorise",
    "complement_code",
    "fit",
    "fuzzy_rule",
    "insert",
    "keywords",
    "lists_of",
    "match_rows",
    "present",
    "reassign",
    "recentre",
    "remove",
    "representatives",
    "resonate",
    "resume",
    "route",
    "scale",
    "state_of",
    "statistics",
    "unit_rows",
    "widen",
]
