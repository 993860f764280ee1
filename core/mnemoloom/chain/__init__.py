"""The anchor chain: every change of the store is an entry that binds all earlier ones."""

from mnemoloom.chain.anchors import GENESIS, Entry, anchor_of, entry_digest, item_digest
from mnemoloom.chain.keys import Signer
from mnemoloom.chain.proof import Proof, read_proof
from mnemoloom.chain.seal import Seal, read_seal

__all__ = [
    "GENESIS",
    "Entry",
    "Proof",
    "Seal",
    "Signer",
    "anchor_of",
    "entry_digest",
    "item_digest",
    "read_proof",
    "read_seal",
]
