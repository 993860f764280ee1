"""Ten tenants with labels that look alike: whatever they do, none ever gets a result of another."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from langgraph.store.base import SearchItem

from langchain_mnemoloom import (
    MemoryContext,
    MnemoloomChatMessageHistory,
    MnemoloomRetriever,
    MnemoloomStore,
    MnemoloomVectorStore,
    create_memory_tools,
    escape_label,
    memory_for,
)
from mnemoloom import Memory
from mnemoloom.embedders import HashingEmbedder

# Prefixes of one another, wildcards and quotes of SQL and JSON, separators, and what an eye takes for equal.
USERS = ["acme", "acme-corp", "acm", "acme/sub", 'a","b', "%", "_cme", "a.b@x.com", "ä", "a\u0308"]
PLACEHOLDER = "{user_id}"
WORDS = ["boat", "kettle", "violin", "map"]
TENANTS = st.integers(0, len(USERS) - 1)
DEEPER = st.sampled_from([(), ("sub",), ("sub", "acme"), ("*",)])


class Run:
    """What an agent's run knows of its user."""

    def __init__(self, user: str) -> None:
        self.context = MemoryContext(user_id=user)
        self.config: dict[str, Any] = {}


class Tenants(RuleBasedStateMachine):
    @initialize()
    def start(self) -> None:
        self.memory = Memory.open(":memory:", embedder=HashingEmbedder(32))
        self.store = MnemoloomStore(self.memory, fields=["text"])
        self.put: list[dict[tuple[tuple[str, ...], str], str]] = [{} for _ in USERS]
        self.said: list[list[str]] = [[] for _ in USERS]

    def labels(self, tenant: int, deeper: tuple[str, ...] = ()) -> tuple[str, ...]:
        return (escape_label(USERS[tenant]), *deeper)

    def handle(self, tenant: int) -> Memory:
        return memory_for(self.memory, ("users", PLACEHOLDER), Run(USERS[tenant]))

    @rule(tenant=TENANTS, deeper=DEEPER, key=st.sampled_from("abc"), word=st.sampled_from(WORDS), indexed=st.booleans())
    def put_an_item(self, tenant: int, deeper: tuple[str, ...], key: str, word: str, indexed: bool) -> None:
        labels, text = self.labels(tenant, deeper), f"{word} of tenant{tenant}"
        self.store.put(labels, key, {"text": text, "owner": tenant}, None if indexed else False)
        self.put[tenant][labels, key] = text

    @rule(tenant=TENANTS, deeper=DEEPER, key=st.sampled_from("abc"))
    def delete_an_item(self, tenant: int, deeper: tuple[str, ...], key: str) -> None:
        self.store.delete(self.labels(tenant, deeper), key)
        self.put[tenant].pop((self.labels(tenant, deeper), key), None)

    @rule(tenant=TENANTS, deeper=DEEPER, word=st.sampled_from([None, *WORDS]), owner=st.none() | TENANTS)
    def search(self, tenant: int, deeper: tuple[str, ...], word: str | None, owner: int | None) -> None:
        prefix = self.labels(tenant, deeper)
        found: list[SearchItem] = self.store.search(
            prefix, query=word, filter=None if owner is None else {"owner": owner}, limit=100
        )
        assert all(item.value["owner"] == tenant for item in found)
        mine = {name: text for name, text in self.put[tenant].items() if name[0][: len(prefix)] == prefix}
        if word is None and owner in (None, tenant):
            assert {(item.namespace, item.key): item.value["text"] for item in found} == mine
        if owner not in (None, tenant):
            assert found == []

    @rule(tenant=TENANTS)
    def list_namespaces(self, tenant: int) -> None:
        own = {labels for labels, _ in self.put[tenant]}
        assert set(self.store.list_namespaces(prefix=self.labels(tenant))) == own

    @rule(tenant=TENANTS, word=st.sampled_from(WORDS), way=st.sampled_from(["tool", "history", "vectors"]))
    def say(self, tenant: int, word: str, way: str) -> None:
        text = f"{word} said by tenant{tenant}"
        if way == "tool":
            (save,) = create_memory_tools(self.memory, names=["save_memory"])
            save.invoke({"content": text, "runtime": Run(USERS[tenant])})
        elif way == "history":
            MnemoloomChatMessageHistory(self.handle(tenant), "same session").add_user_message(text)
        else:
            MnemoloomVectorStore(self.handle(tenant)).add_texts([text], ids=["same id"])
            self.said[tenant] = [each for each in self.said[tenant] if not each.startswith("V")]
        self.said[tenant].append(("V" if way == "vectors" else "") + text)

    @rule(tenant=TENANTS, word=st.sampled_from(WORDS))
    def ask(self, tenant: int, word: str) -> None:
        own, handle = f"said by tenant{tenant}", self.handle(tenant)
        documents = MnemoloomRetriever(memory=handle, k=50).invoke(word)
        documents += MnemoloomVectorStore(handle).similarity_search(word, 50)
        assert all(document.page_content.endswith(own) for document in documents)
        (search,) = create_memory_tools(self.memory, names=["search_memory"])
        call = {"type": "tool_call", "name": search.name, "id": "1"}
        answer = search.invoke({**call, "args": {"query": word, "k": 50, "runtime": Run(USERS[tenant])}})
        assert all(hit["text"].endswith(own) for hit in answer.artifact)
        messages = MnemoloomChatMessageHistory(handle, "same session").messages
        assert all(message.text.endswith(own) for message in messages)

    @rule(tenant=TENANTS)
    def forget_everything(self, tenant: int) -> None:
        MnemoloomVectorStore(self.handle(tenant)).delete(delete_all=True)
        self.said[tenant] = []

    @invariant()
    def each_has_what_is_its_own(self) -> None:
        if not hasattr(self, "store"):
            return
        for tenant in range(len(USERS)):
            texts = sorted(record.text for record in self.handle(tenant).records())
            assert texts == sorted(text.removeprefix("V") for text in self.said[tenant])
        everything = self.store.search((), limit=1000)
        assert len(everything) == sum(map(len, self.put))

    def teardown(self) -> None:
        if hasattr(self, "memory"):
            self.memory.close()


TestTenants = Tenants.TestCase
TestTenants.settings = settings(deadline=None, max_examples=30, stateful_step_count=40)
