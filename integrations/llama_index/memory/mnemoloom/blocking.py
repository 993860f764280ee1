"""Coroutines for callers that have none: each runs to its end in an event loop of its own.

LlamaIndex's `asyncio_run` leaves a loop open behind it, and takes any RuntimeError of the work for one of its own.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["blocking"]

T = TypeVar("T")


def blocking(work: Coroutine[Any, Any, T]) -> T:
    """What the coroutine returns, or raises; in another thread if this one has a loop that is running."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _run(work)
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1, thread_name_prefix="mnemoloom-blocking") as thread:
        return thread.submit(context.run, _run, work).result()


def _run(work: Coroutine[Any, Any, T]) -> T:
    loop = asyncio.new_event_loop()  # unlike asyncio.run, this leaves the thread's own loop alone
    try:
        return loop.run_until_complete(work)
    finally:
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
