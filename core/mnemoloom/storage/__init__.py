"""SQLite as the only truth, and checksummed caches of what can be rebuilt from it."""

from mnemoloom.storage import memories
from mnemoloom.storage.cache import drop_caches, read_cache, write_cache
from mnemoloom.storage.store import Store

__all__ = ["Store", "drop_caches", "memories", "read_cache", "write_cache"]
