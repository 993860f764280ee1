"""Persistent memory of structured text: JSON objects out of a model's words, in an append-only log."""

from mnemoloom.pmll.log import Appended, Block, ObjectLog
from mnemoloom.pmll.reader import Fault, FoundObject, Reading, read_objects

__all__ = ["Appended", "Block", "Fault", "FoundObject", "ObjectLog", "Reading", "read_objects"]
