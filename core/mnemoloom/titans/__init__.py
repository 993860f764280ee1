"""Titans memories: what surprises is worth remembering."""

from mnemoloom.titans.gate import Decision, Reason, SpeakerGate, decide
from mnemoloom.titans.memory import Learned, TitansConfig, TitansState, learn, retrieve
from mnemoloom.titans.signals import TIME_WORDS, Signals, signals_of
from mnemoloom.titans.surprise import SurpriseState, rank_within, surprise_step
from mnemoloom.titans.tiers import Window, fetch, peek, pop, push, rewind
from mnemoloom.titans.variants import VARIANTS, Found, Shown, Source, Variant, arrange, check_variant, query_of

__all__ = [
    "TIME_WORDS",
    "VARIANTS",
    "Decision",
    "Found",
    "Learned",
    "Reason",
    "Shown",
    "Signals",
    "Source",
    "SpeakerGate",
    "SurpriseState",
    "TitansConfig",
    "TitansState",
    "Variant",
    "Window",
    "arrange",
    "check_variant",
    "decide",
    "fetch",
    "learn",
    "peek",
    "pop",
    "push",
    "query_of",
    "rank_within",
    "retrieve",
    "rewind",
    "signals_of",
    "surprise_step",
]
