"""Titans memories: what surprises is worth remembering."""

from mnemoloom.titans.memory import Learned, TitansConfig, TitansState, learn, retrieve
from mnemoloom.titans.surprise import SurpriseState, rank_within, surprise_step

__all__ = [
    "Learned",
    "SurpriseState",
    "TitansConfig",
    "TitansState",
    "learn",
    "rank_within",
    "retrieve",
    "surprise_step",
]
