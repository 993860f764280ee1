"""Engines and agents with a memory over a local Ollama, ready to use."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.chat_engine import ContextChatEngine, SimpleChatEngine
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.tools import BaseTool

from llama_index.memory.mnemoloom.agents import RememberingAgent, RememberingReActAgent
from llama_index.memory.mnemoloom.base import MnemoloomMemory
from llama_index.memory.mnemoloom.ollama_models import HOST, BoundedOllama, ollama_embedding
from llama_index.memory.mnemoloom.prompts import CHAT_CONTEXT, CHAT_REFINED, QUESTION, REFINED, FencedContextChatEngine
from llama_index.memory.mnemoloom.tools import create_memory_tools
from llama_index.vector_stores.mnemoloom.base import MnemoloomVectorStore
from llama_index.vector_stores.mnemoloom.retriever import MnemoloomRetriever
from mnemoloom import Memory

__all__ = [
    "BoundedOllama",
    "create_ollama_agent",
    "create_ollama_chat_engine",
    "create_ollama_query_engine",
    "ollama_embedding",
]


def create_ollama_query_engine(
    memory: Memory | MnemoloomVectorStore,
    *,
    model: str,
    host: str = HOST,
    embed_model: BaseEmbedding | str | None = None,
    k: int = 5,
    recall: Mapping[str, Any] | None = None,
    streaming: bool = False,
    **ollama: Any,  # noqa: ANN401 - the fields of BoundedOllama
) -> RetrieverQueryEngine:
    """A query engine that answers from what is remembered, or from the nodes of a vector store.

    Parameters
    ----------
    model, host, ollama: the language model; see `BoundedOllama` for timeouts and errors.
    embed_model: encodes questions to a vector store: the model that encoded its nodes, or its name on the server. A
        memory has its own encoder.
    k, recall: as in `MnemoloomRetriever`.
    streaming: `query` then returns a response to iterate over.
    """
    llm = BoundedOllama(model, host, **ollama)
    encoder = (
        ollama_embedding(embed_model, host=host, allow_remote=llm.allow_remote)
        if isinstance(embed_model, str)
        else embed_model
    )
    retriever = MnemoloomRetriever(memory, k=k, recall=recall, embed_model=encoder)
    return RetrieverQueryEngine.from_args(
        retriever, llm=llm, text_qa_template=QUESTION, refine_template=REFINED, streaming=streaming
    )


def create_ollama_chat_engine(
    memory: MnemoloomMemory,
    *,
    model: str,
    host: str = HOST,
    retriever: BaseRetriever | None = None,
    system_prompt: str | None = None,
    **ollama: Any,  # noqa: ANN401 - the fields of BoundedOllama
) -> SimpleChatEngine | ContextChatEngine:
    """A chat engine that remembers: chat, stream_chat, achat and astream_chat.

    The memory's token limit is lowered to the context window, if it is higher: what does not fit, Ollama would cut.
    When the model fails, the error reaches the caller; the question is then remembered, and nothing of the answer.

    Parameters
    ----------
    retriever: documents to answer from; without one, the chat itself and what is remembered are all there is. They
        stand fenced before the question, and never in a system message.
    """
    llm = BoundedOllama(model, host, **ollama)
    _fit(memory, llm)
    if retriever is None:
        return SimpleChatEngine.from_defaults(llm=llm, memory=memory, system_prompt=system_prompt)
    return FencedContextChatEngine.from_defaults(
        retriever=retriever,
        llm=llm,
        memory=memory,
        system_prompt=system_prompt,
        context_template=CHAT_CONTEXT,
        context_refine_template=CHAT_REFINED,
    )


def create_ollama_agent(
    memory: MnemoloomMemory,
    *,
    model: str,
    host: str = HOST,
    tools: Sequence[BaseTool | Callable[..., Any]] = (),
    memory_tools: bool = True,
    function_calling: bool = True,
    system_prompt: str | None = None,
    streaming: bool = True,
    **ollama: Any,  # noqa: ANN401 - the fields of BoundedOllama
) -> RememberingAgent | RememberingReActAgent:
    """An agent that remembers: `await agent.run("…")`; its memory need not be passed.

    The memory's token limit is lowered to the context window, if it is higher.

    Parameters
    ----------
    tools: further tools. memory_tools: whether the agent may save, search, correct and forget by itself.
    function_calling: whether the model can call functions; a ReAct agent serves one that cannot.
    """
    llm = BoundedOllama(model, host, is_function_calling_model=function_calling, **ollama)
    _fit(memory, llm)
    agent = RememberingAgent if function_calling else RememberingReActAgent
    own = create_memory_tools(memory) if memory_tools else []
    return agent(memory=memory, tools=[*own, *tools], llm=llm, system_prompt=system_prompt, streaming=streaming)


def _fit(memory: MnemoloomMemory, llm: BoundedOllama) -> None:
    memory.token_limit = min(memory.token_limit, llm.get_context_window())
    memory.token_flush_size = min(memory.token_flush_size, memory.token_limit)
