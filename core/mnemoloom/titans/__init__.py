"""Titans memories: what surprises is worth remembering.

A memory of your own, which learns values for keys while it is used, and is kept as bytes:

>>> import numpy as np
>>> from mnemoloom.titans import TitansState, learn, load_state, retrieve, save_state
>>> rows = np.eye(3)
>>> memory = TitansState.new(3, 3, rng=np.random.default_rng(0))
>>> for _ in range(60):
...     memory, surprise, _ = learn(memory, rows, rows[::-1])
>>> np.round(retrieve(load_state(save_state(memory)), rows[:1]), 1).tolist(), bool(surprise[0] < 0.01)
([[0.0, 0.0, 1.0]], True)
"""

from mnemoloom.titans.gate import Decision, Reason, SpeakerGate, decide
from mnemoloom.titans.memory import Learned, TitansConfig, TitansState, learn, retrieve
from mnemoloom.titans.saving import load_state, save_state
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
    "load_state",
    "peek",
    "pop",
    "push",
    "query_of",
    "rank_within",
    "retrieve",
    "rewind",
    "save_state",
    "signals_of",
    "surprise_step",
]
