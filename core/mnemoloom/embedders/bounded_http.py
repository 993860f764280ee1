"""HTTP transports whose answers are bounded in size and in time.

httpx limits the wait for each piece of an answer, not for the whole of it: a server that sends one
byte a second would be read for ever. This module needs httpx; it comes with the ollama extra.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import httpx

__all__ = ["AsyncBoundedTransport", "BoundedTransport"]


class BoundedTransport(httpx.BaseTransport):
    """Sends over HTTP; an answer that is too long, too slow or compressed ends in an httpx error.

    Parameters
    ----------
    max_bytes: the longest body that is read.
    seconds: how long an answer may take as a whole, from sending the request.
    """

    def __init__(self, *, max_bytes: int, seconds: float) -> None:
        self._inner = httpx.HTTPTransport(trust_env=False, limits=_NOTHING_KEPT_ALIVE)
        self._max_bytes, self._seconds = max_bytes, seconds

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        bound = _Bound(request, self._max_bytes, time.monotonic() + self._seconds)
        request.headers["accept-encoding"] = "identity"
        response = self._inner.handle_request(request)
        if _is_compressed(response):
            response.close()
            raise _compressed(request)
        return _with_body(response, _BoundedBody(response, bound))

    def close(self) -> None:
        self._inner.close()


class AsyncBoundedTransport(httpx.AsyncBaseTransport):
    """The twin of `BoundedTransport` for coroutines."""

    def __init__(self, *, max_bytes: int, seconds: float) -> None:
        self._inner = httpx.AsyncHTTPTransport(trust_env=False, limits=_NOTHING_KEPT_ALIVE)
        self._max_bytes, self._seconds = max_bytes, seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        bound = _Bound(request, self._max_bytes, time.monotonic() + self._seconds)
        request.headers["accept-encoding"] = "identity"
        response = await self._inner.handle_async_request(request)
        if _is_compressed(response):
            await response.aclose()
            raise _compressed(request)
        return _with_body(response, _AsyncBoundedBody(response, bound))

    async def aclose(self) -> None:
        await self._inner.aclose()


# an idle connection would need closing, break after fork(), belong to one event loop, and go stale when the server
# restarts
_NOTHING_KEPT_ALIVE = httpx.Limits(max_keepalive_connections=0)


class _Bound(NamedTuple):
    request: httpx.Request
    max_bytes: int
    deadline: float  # of time.monotonic

    def check(self, received: int) -> None:
        if received > self.max_bytes:
            raise httpx.DecodingError(f"the answer is longer than {self.max_bytes} bytes", request=self.request)
        if time.monotonic() > self.deadline:
            raise httpx.ReadTimeout("the answer did not end in time", request=self.request)


class _BoundedBody(httpx.SyncByteStream):
    def __init__(self, response: httpx.Response, bound: _Bound) -> None:
        self._response, self._bound = response, bound

    def __iter__(self) -> Iterator[bytes]:
        received = 0
        for chunk in self._response.iter_raw():
            received += len(chunk)
            self._bound.check(received)
            yield chunk

    def close(self) -> None:
        self._response.close()


class _AsyncBoundedBody(httpx.AsyncByteStream):
    def __init__(self, response: httpx.Response, bound: _Bound) -> None:
        self._response, self._bound = response, bound

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        async for chunk in self._response.aiter_raw():
            received += len(chunk)
            self._bound.check(received)
            yield chunk

    async def aclose(self) -> None:
        await self._response.aclose()


def _is_compressed(response: httpx.Response) -> bool:
    """A compressed body could grow without bound."""
    return bool(response.headers.get("content-encoding", "identity") != "identity")


def _compressed(request: httpx.Request) -> httpx.DecodingError:
    return httpx.DecodingError("the answer is compressed, which was not asked for", request=request)


def _with_body(response: httpx.Response, body: httpx.SyncByteStream | httpx.AsyncByteStream) -> httpx.Response:
    return httpx.Response(response.status_code, headers=response.headers, stream=body, extensions=response.extensions)
