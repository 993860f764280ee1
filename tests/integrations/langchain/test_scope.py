"""Whose memories a run may use: what the application says, and nothing where it says nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from langchain_mnemoloom import PER_USER, MemoryContext, memory_for, namespace_for
from langchain_mnemoloom.scope import check_scope
from mnemoloom import LoomError, Memory
from mnemoloom.errors import ConfigError, ScopeError

ANN = ("users", "ann")


def runtime(context: Any = None, **more: Any) -> SimpleNamespace:
    return SimpleNamespace(context=context, **more)


def signed_in(identity: str) -> SimpleNamespace:
    return SimpleNamespace(user=SimpleNamespace(identity=identity))


@pytest.mark.parametrize(
    "given",
    [
        runtime(MemoryContext(user_id="ann")),
        runtime({"user_id": "ann", "plan": "free"}),
        runtime(SimpleNamespace(user_id="ann")),
        runtime(None, config={"configurable": {"user_id": "ann"}}),
        runtime(None, server_info=signed_in("ann")),
        runtime({"user_id": "ann"}, server_info=signed_in("ann"), config={"configurable": {"user_id": "ann"}}),
    ],
)
def test_the_user_comes_from_the_context_the_config_or_the_server(given: Any) -> None:
    assert namespace_for(PER_USER, given) == ANN


def test_a_config_can_be_passed_beside_a_runtime_that_carries_none() -> None:
    assert namespace_for(PER_USER, runtime(), config={"configurable": {"user_id": "ann"}}) == ANN


@pytest.mark.parametrize("given", [None, runtime(), runtime({}), runtime({"user_id": None}), runtime(None, config={})])
def test_a_run_that_names_nobody_is_refused(given: Any) -> None:
    with pytest.raises(ScopeError, match="there is no default user_id") as raised:
        namespace_for(PER_USER, given)
    assert isinstance(raised.value, LoomError)
    assert isinstance(raised.value, LookupError)


@pytest.mark.parametrize("user", ["", "  ", True, 1.5, ["ann"], b"ann"])
def test_a_user_that_is_no_label_is_refused(user: Any) -> None:
    with pytest.raises(ScopeError, match="must be a non-empty string"):
        namespace_for(PER_USER, runtime({"user_id": user}))


def test_numbers_and_uuids_name_users_too() -> None:
    assert namespace_for(PER_USER, runtime({"user_id": 7})) == ("users", "7")
    assert namespace_for(PER_USER, runtime({"user_id": UUID(int=1)})) == ("users", str(UUID(int=1)))


def test_places_that_disagree_are_refused() -> None:
    with pytest.raises(ScopeError, match="'ann' in the context, 'bob' in the server's authentication"):
        namespace_for(PER_USER, runtime({"user_id": "ann"}, server_info=signed_in("bob")))
    with pytest.raises(ScopeError, match="in two ways"):
        namespace_for(PER_USER, runtime({"user_id": "ann"}, config={"configurable": {"user_id": "bob"}}))


def test_what_a_user_is_called_is_never_read_as_a_placeholder() -> None:
    assert namespace_for(("{org}", "{user_id}"), runtime({"org": "{user_id}", "user_id": "ann"})) == (
        "{user_id}",
        "ann",
    )


def test_a_scope_without_placeholders_needs_no_runtime() -> None:
    assert namespace_for(("team", "shared")) == ("team", "shared")


def test_a_function_may_choose_the_namespace() -> None:
    assert namespace_for(lambda run: ("orgs", run.context["org"]), runtime({"org": "acme"})) == ("orgs", "acme")


@pytest.mark.parametrize("scope", [(), "users", ("users", 3), ("user-{user_id}",), ("{user id}",), ("}",), None])
def test_a_scope_that_cannot_name_a_namespace_is_refused(scope: Any) -> None:
    with pytest.raises(ConfigError):
        check_scope(scope)


def test_the_handle_of_a_run_sees_its_users_memories_only() -> None:
    with Memory.open(":memory:") as memory:
        memory_for(memory, PER_USER, runtime({"user_id": "ann@x.com"})).remember("Ann likes tea.")
        assert [record.text for record in memory.at("users", "ann@x.com").records()] == ["Ann likes tea."]
        assert not list(memory_for(memory, PER_USER, runtime({"user_id": "bob"})).records())


@pytest.mark.parametrize("given", ["ann", None, (), ("users", None), ("users", " "), {"users", "ann"}])
def test_a_function_that_gives_no_labels_is_refused(given: Any) -> None:
    with pytest.raises(ScopeError, match="must give a tuple of non-empty labels"):
        namespace_for(lambda runtime: given, SimpleNamespace(context=None))
