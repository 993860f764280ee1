"""Bringing an index up to date with its documents, also after a restart and without a saved docstore."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from llama_index.core import VectorStoreIndex
from llama_index.core.schema import Document

from llama_index.vector_stores.mnemoloom.base import MnemoloomVectorStore
from mnemoloom.errors import ValidationError

__all__ = ["arefresh_documents", "refresh_documents"]


def refresh_documents(index: VectorStoreIndex, documents: Sequence[Document]) -> list[bool]:
    """Insert what is new and replace what has changed; for each document, whether anything was done.

    LlamaIndex's own `refresh_ref_docs` needs the docstore of the process that made the index. This compares with
    the hashes in the store, so it is right after a restart as well, and replaces a document of which an older version
    is still served beside the new one. Nothing is deleted that is not replaced.

    Raises
    ------
    ValidationError: the index is not on a MnemoloomVectorStore.
    """
    known = _store(index).ref_doc_hashes()
    done = []
    for document in documents:
        stale = known.get(document.id_) != {document.hash}
        if stale:
            if document.id_ in known:
                index.delete_ref_doc(document.id_, delete_from_docstore=True)
            index.insert(document)
        done.append(stale)
    return done


async def arefresh_documents(index: VectorStoreIndex, documents: Sequence[Document]) -> list[bool]:
    """The same without blocking the event loop."""
    known = await asyncio.to_thread(_store(index).ref_doc_hashes)
    done = []
    for document in documents:
        stale = known.get(document.id_) != {document.hash}
        if stale:
            if document.id_ in known:
                await index.adelete_ref_doc(document.id_, delete_from_docstore=True)
            await index.ainsert(document)
        done.append(stale)
    return done


def _store(index: VectorStoreIndex) -> MnemoloomVectorStore:
    store = index.vector_store
    if not isinstance(store, MnemoloomVectorStore):
        raise ValidationError(f"the index must be on a MnemoloomVectorStore; got {type(store).__name__}")
    return store
