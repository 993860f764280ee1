"""The anchor chain: every change of the store is an entry that binds all earlier ones."""

from mnemoloom.chain.anchors import GENESIS, Entry, anchor_of, entry_digest, item_digest

__all__ = ["GENESIS", "Entry", "anchor_of", "entry_digest", "item_digest"]
