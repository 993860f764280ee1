"""PMLL's concert score."""

from mnemoloom.concert.score import concert_parts, recency

__all__ = ["concert_parts", "recency"]
