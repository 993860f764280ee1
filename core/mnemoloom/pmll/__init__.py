"""PMLL: JSON objects out of a model's words in an append-only log, and memory lines on a Memory."""

from mnemoloom.pmll.log import Appended, Block, ObjectLog
from mnemoloom.pmll.memory_lines import MemoryLine, MemoryLines
from mnemoloom.pmll.reader import Fault, FoundObject, Reading, read_objects

__all__ = [
    "Appended",
    "Block",
    "Fault",
    "FoundObject",
    "MemoryLine",
    "MemoryLines",
    "ObjectLog",
    "Reading",
    "read_objects",
]
