"""A LlamaIndex node as a memory, and back.

The metadata of the memory is that of the node, with LlamaIndex's own keys beside it, so that both can be filtered.
The text of the memory is the node's; the rest of the node is one JSON string in the metadata.
"""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from llama_index.core.schema import BaseNode, IndexNode, MetadataMode, TextNode
from llama_index.core.vector_stores.utils import metadata_dict_to_node, node_to_metadata_dict
from numpy.typing import NDArray

from mnemoloom import Draft, Record

__all__ = ["NODE_CONTENT", "draft_of", "is_node", "node_of", "source_hash"]

NODE_CONTENT = "_node_content"
_LENGTH = "_embedding_length"  # the store keeps directions
_NO_TEXT = "∅"  # a memory has a text, a node (of an image, say) may have none; this is no word that could be found
_WHOLE = frozenset({TextNode, IndexNode})  # their text is one string and nothing else


def draft_of(node: BaseNode) -> Draft:
    """What is remembered of a node.

    Its document is the session, so that the nodes of a document are neighbours in the order in which they came.
    Raises ValueError for a node without an embedding.
    """
    embedding = np.asarray(node.get_embedding(), np.float64)
    content = node.get_content(metadata_mode=MetadataMode.NONE)
    cleaned = content.replace("\0", " ")
    readable = cleaned if cleaned.strip() else _NO_TEXT
    apart = readable == content and type(node) in _WHOLE
    metadata: dict[str, Any] = node_to_metadata_dict(node, remove_text=apart, flat_metadata=False)
    if apart:
        metadata["_node_text_apart"] = True
    length = float(np.linalg.norm(embedding))
    if not math.isclose(length, 1.0, rel_tol=1e-6):
        metadata[_LENGTH] = length
    return Draft(
        text=readable,
        external_id=node.node_id,
        session=node.ref_doc_id or None,
        metadata=metadata,
        vector=embedding,
        source="llama_index",
    )


def is_node(record: Record) -> bool:
    """Whether a memory was made by `draft_of`."""
    return NODE_CONTENT in record.metadata


def node_of(record: Record, vector: NDArray[np.float32] | None = None) -> BaseNode:
    """The node that a memory holds, with its embedding if the memory's unit vector, shape (d,), is given."""
    metadata = dict(record.metadata)
    apart = metadata.pop("_node_text_apart", False)
    node = metadata_dict_to_node(metadata, text=record.text if apart else None)
    if vector is not None and vector.any():
        node.embedding = (vector.astype(np.float64) * metadata.get(_LENGTH, 1.0)).astype(np.float32).tolist()
    return node


def source_hash(record: Record) -> str | None:
    """The hash that the document of a node had when the node was made from it."""
    content = json.loads(record.metadata[NODE_CONTENT])
    source = content.get("relationships", {}).get("1") or {}
    found = source.get("hash")
    return found if isinstance(found, str) else None
