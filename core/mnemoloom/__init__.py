"""mnemoloom: long-term memory for LLM agents, in one folder on your disk.

>>> from mnemoloom import Memory
>>> with Memory.open(":memory:") as memory:
...     _ = memory.remember("I moved to Oslo in May.", speaker="Ann", session="2026-05-14")
...     memory.recall("Where does Ann live now?")[0].text
'I moved to Oslo in May.'
"""

from mnemoloom.__about__ import __version__
from mnemoloom.chain import Proof, Seal, read_proof, read_seal
from mnemoloom.clock import ManualClock, SystemClock
from mnemoloom.config import AssistantProfile, ConcertProfile, Config, Guard, Limits, UpdateRule, WeightedProfile
from mnemoloom.errors import LoomError
from mnemoloom.filters import where
from mnemoloom.memory import Memory
from mnemoloom.ports import Embedder, TokenEmbedder, TokenVectors
from mnemoloom.recall.calibration import Calibration
from mnemoloom.recall.nearest import Nearest
from mnemoloom.records import Draft, Erased, Explanation, Hit, RecallResult, Record, Stage, Tier
from mnemoloom.statistics import Stats
from mnemoloom.storage.verify import VerifyReport

__all__ = [
    "AssistantProfile",
    "Calibration",
    "ConcertProfile",
    "Config",
    "Draft",
    "Embedder",
    "Erased",
    "Explanation",
    "Guard",
    "Hit",
    "Limits",
    "LoomError",
    "ManualClock",
    "Memory",
    "Nearest",
    "Proof",
    "RecallResult",
    "Record",
    "Seal",
    "Stage",
    "Stats",
    "SystemClock",
    "Tier",
    "TokenEmbedder",
    "TokenVectors",
    "UpdateRule",
    "VerifyReport",
    "WeightedProfile",
    "__version__",
    "read_proof",
    "read_seal",
    "where",
]
