"""Titans memories: what surprises is worth remembering."""

from mnemoloom.titans.surprise import SurpriseState, rank_within, surprise_step

__all__ = ["SurpriseState", "rank_within", "surprise_step"]
