"""Whose memories: from what a run knows of its user to the labels of one namespace.

The user comes from the application, never from the model: from the run's context, its configuration, or the
server's own authentication. Where nobody is named there is no namespace; a default one would be shared by all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from mnemoloom import Memory
from mnemoloom.errors import ConfigError, ScopeError

__all__ = ["PER_USER", "MemoryContext", "Scope", "check_scope", "memory_for", "namespace_for"]

Scope = tuple[str, ...] | Callable[[Any], tuple[str, ...]]
PER_USER: Scope = ("users", "{user_id}")


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryContext:
    """The smallest `context_schema` that names a user: `agent.invoke(…, context=MemoryContext(user_id="ann"))`."""

    user_id: str


def check_scope(scope: Scope) -> Scope:
    """`scope` if it can name a namespace at all; raises ConfigError."""
    if callable(scope):
        return scope
    if not isinstance(scope, (tuple, list)) or not scope or not all(isinstance(label, str) for label in scope):
        raise ConfigError(
            f"a scope must be a tuple of labels, such as {PER_USER!r}, or a function of the runtime; got {scope!r}"
        )
    for label in scope:
        if _placeholder(label) is None and ("{" in label or "}" in label):
            raise ConfigError(f"a placeholder of a scope must be a whole label, such as '{{user_id}}'; got {label!r}")
    return tuple(scope)


def namespace_for(scope: Scope, runtime: Any = None, *, config: Mapping[str, Any] | None = None) -> tuple[str, ...]:  # noqa: ANN401
    """The labels that a scope stands for in one run.

    Parameters
    ----------
    scope: labels, where one such as "{user_id}" is filled in from the run; or a function of the runtime.
    runtime: LangGraph's `Runtime` or `ToolRuntime`, or anything with a `context`; None outside of a run.
    config: the run's `RunnableConfig`; where it is not given, the one that a `ToolRuntime` carries.

    A field is looked for in the context (a mapping or an object) and in the config's "configurable"; `user_id` also
    in the identity that LangGraph Server has authenticated. Whoever speaks must agree with the others.

    Raises
    ------
    ScopeError: a field is named nowhere, is empty, or is named in two ways; or a function gave no labels.
    """
    if callable(scope):
        return _labels_given(scope(runtime))
    return tuple(
        label if (name := _placeholder(label)) is None else _field(name, runtime, config)
        for label in check_scope(scope)  # type: ignore[union-attr]  # a callable has been answered
    )


def memory_for(
    memory: Memory,
    scope: Scope,
    runtime: Any = None,  # noqa: ANN401 - any of the frameworks' runtimes
    *,
    config: Mapping[str, Any] | None = None,
) -> Memory:
    """The handle on the namespace that a scope stands for in one run.

    Raises ScopeError as `namespace_for` does, and NamespaceError for labels that cannot be stored.
    """
    return memory.at(*namespace_for(scope, runtime, config=config))


def _labels_given(given: object) -> tuple[str, ...]:
    """What a function of the runtime gave; a string would fall apart into its letters."""
    if isinstance(given, (tuple, list)) and given and all(isinstance(each, str) and each.strip() for each in given):
        return tuple(given)
    raise ScopeError(f"a scope's function must give a tuple of non-empty labels; got {given!r}")


def _placeholder(label: str) -> str | None:
    inner = label[1:-1] if label.startswith("{") and label.endswith("}") else ""
    return inner if inner.isidentifier() else None


def _field(name: str, runtime: Any, config: Mapping[str, Any] | None) -> str:  # noqa: ANN401
    found = {place: _as_label(name, value) for place, value in _places(name, runtime, config) if value is not None}
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    if found:
        told = ", ".join(f"{value!r} in {place}" for place, value in found.items())
        raise ScopeError(f"this run names {name} in two ways ({told}); memory must know whose it is")
    raise ScopeError(
        f"this run does not say whose memories it may use: pass context=MemoryContext(user_id=…), or another "
        f"context or config['configurable'] with {name!r}; there is no default {name}"
    )


def _places(name: str, runtime: Any, config: Mapping[str, Any] | None) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    context = getattr(runtime, "context", None)
    yield "the context", context.get(name) if isinstance(context, Mapping) else getattr(context, name, None)
    if name == "user_id":
        user = getattr(getattr(runtime, "server_info", None), "user", None)
        yield "the server's authentication", getattr(user, "identity", None)
    config = config if config is not None else getattr(runtime, "config", None)
    yield "config['configurable']", ((config or {}).get("configurable") or {}).get(name)


def _as_label(name: str, value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    if isinstance(value, UUID) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    raise ScopeError(f"{name} must be a non-empty string, a whole number or a UUID; got {value!r}")
