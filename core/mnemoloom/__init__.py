"""mnemoloom: long-term memory for LLM agents, in one folder on your disk.

>>> from mnemoloom import Memory
>>> with Memory.open(":memory:") as memory:
...     _ = memory.remember("I moved to Oslo in May.", speaker="Ann", session="2026-05-14")
...     memory.recall("Where does Ann live now?")[0].text
'I moved to Oslo in May.'
"""

from mnemoloom.__about__ import __version__
from mnemoloom.art import CategoryStatistics
from mnemoloom.chain import Proof, Seal, read_proof, read_seal
from mnemoloom.clock import ManualClock, SystemClock
from mnemoloom.config import (
    AssistantProfile,
    ConcertProfile,
    Config,
    Gate,
    Guard,
    IndexSettings,
    Limits,
    UpdateRule,
    WeightedProfile,
)
from mnemoloom.consolidation import PrunePolicy, SleepConfig
from mnemoloom.errors import LoomError
from mnemoloom.filters import where
from mnemoloom.ingesting import IngestQueue
from mnemoloom.memory import Memory
from mnemoloom.ports import Embedder, TokenEmbedder, TokenVectors
from mnemoloom.recall.calibration import Calibration
from mnemoloom.recall.nearest import Nearest
from mnemoloom.recall.relating import Related
from mnemoloom.recall.topics import Topic, Topics
from mnemoloom.records import Draft, Erased, Explanation, Hit, RecallResult, Record, Stage, Tier
from mnemoloom.short_term import ShortTerm
from mnemoloom.sleeping import SleepChange, SleepReport, SleepState, SleepTask, Undone
from mnemoloom.statistics import Stats
from mnemoloom.storage.journal import Slept
from mnemoloom.storage.verify import VerifyReport
from mnemoloom.verbs.ingesting import Integrated

__all__ = [
    "AssistantProfile",
    "Calibration",
    "CategoryStatistics",
    "ConcertProfile",
    "Config",
    "Draft",
    "Embedder",
    "Erased",
    "Explanation",
    "Gate",
    "Guard",
    "Hit",
    "IndexSettings",
    "IngestQueue",
    "Integrated",
    "Limits",
    "LoomError",
    "ManualClock",
    "Memory",
    "Nearest",
    "Proof",
    "PrunePolicy",
    "RecallResult",
    "Record",
    "Related",
    "Seal",
    "ShortTerm",
    "SleepChange",
    "SleepConfig",
    "SleepReport",
    "SleepState",
    "SleepTask",
    "Slept",
    "Stage",
    "Stats",
    "SystemClock",
    "Tier",
    "TokenEmbedder",
    "TokenVectors",
    "Topic",
    "Topics",
    "Undone",
    "UpdateRule",
    "VerifyReport",
    "WeightedProfile",
    "__version__",
    "read_proof",
    "read_seal",
    "where",
]
