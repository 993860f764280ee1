"""HTTP transports whose answers are bounded in size and in time, and that leave a failing server alone for a while.

httpx limits the wait for each piece of an answer, not for the whole of it: a server that sends one
byte a second would be read for ever. This module needs httpx; it comes with the ollama extra.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from typing import NamedTuple

import httpx

from mnemoloom.embedders.breaker import Breaker

__all__ = ["AsyncBoundedTransport", "BoundedTransport", "LeftAloneError"]


class LeftAloneError(httpx.TransportError):
    """Nothing was sent: the server failed so often that it is not asked for a while."""


class BoundedTransport(httpx.BaseTransport):
    """Sends over HTTP; an answer that is too long, too slow or compressed ends in an httpx error.

    Parameters
    ----------
    max_bytes: the longest body that is read.
    seconds: how long an answer may take as a whole, from sending the request.
    breaker: counts answers that did not come to their end, and those of status 500 and above; None counts nothing.
    """

    def __init__(self, *, max_bytes: int, seconds: float, breaker: Breaker | None = None) -> None:
        self._inner = httpx.HTTPTransport(trust_env=False, limits=_NOTHING_KEPT_ALIVE)
        self._max_bytes, self._seconds, self._breaker = max_bytes, seconds, breaker

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        verdict = _Verdict(self._breaker, request)
        bound = _Bound(request, self._max_bytes, time.monotonic() + self._seconds)
        request.headers["accept-encoding"] = "identity"
        with verdict:
            response = self._inner.handle_request(request)
        verdict.status = response.status_code
        if _is_compressed(response):
            verdict.end(complete=True)
            response.close()
            raise _compressed(request)
        return _with_body(response, _BoundedBody(response, bound, verdict))

    def close(self) -> None:
        self._inner.close()


class AsyncBoundedTransport(httpx.AsyncBaseTransport):
    """The twin of `BoundedTransport` for coroutines."""

    def __init__(self, *, max_bytes: int, seconds: float, breaker: Breaker | None = None) -> None:
        self._inner = httpx.AsyncHTTPTransport(trust_env=False, limits=_NOTHING_KEPT_ALIVE)
        self._max_bytes, self._seconds, self._breaker = max_bytes, seconds, breaker

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        verdict = _Verdict(self._breaker, request)
        bound = _Bound(request, self._max_bytes, time.monotonic() + self._seconds)
        request.headers["accept-encoding"] = "identity"
        with verdict:
            response = await self._inner.handle_async_request(request)
        verdict.status = response.status_code
        if _is_compressed(response):
            verdict.end(complete=True)
            await response.aclose()
            raise _compressed(request)
        return _with_body(response, _AsyncBoundedBody(response, bound, verdict))

    async def aclose(self) -> None:
        await self._inner.aclose()


# an idle connection would need closing, break after fork(), belong to one event loop, and go stale when the server
# restarts
_NOTHING_KEPT_ALIVE = httpx.Limits(max_keepalive_connections=0)
_SERVER_ERROR = 500


class _Bound(NamedTuple):
    request: httpx.Request
    max_bytes: int
    deadline: float  # of time.monotonic

    def check(self, received: int) -> None:
        if received > self.max_bytes:
            raise httpx.DecodingError(f"the answer is longer than {self.max_bytes} bytes", request=self.request)
        if time.monotonic() > self.deadline:
            raise httpx.ReadTimeout("the answer did not end in time", request=self.request)


class _Verdict:
    """What a breaker is told of one exchange, once: when sending fails, or when the body ends, breaks or is left."""

    def __init__(self, breaker: Breaker | None, request: httpx.Request) -> None:
        self._breaker, self.status = breaker, 0
        pause = None if breaker is None else breaker.pause()
        if pause is not None:
            raise LeftAloneError(
                f"not asked for {pause:.0f} s more, because it failed again and again", request=request
            )

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self.end(broken=issubclass(kind, httpx.TransportError))

    def end(self, *, complete: bool = False, broken: bool = False) -> None:
        breaker, self._breaker = self._breaker, None
        if breaker is None:
            return
        if broken or self.status >= _SERVER_ERROR:
            breaker.failed()
        elif complete:
            breaker.succeeded()
        else:
            breaker.undecided()


class _BoundedBody(httpx.SyncByteStream):
    def __init__(self, response: httpx.Response, bound: _Bound, verdict: _Verdict) -> None:
        self._response, self._bound, self._verdict = response, bound, verdict

    def __iter__(self) -> Iterator[bytes]:
        received = 0
        with self._verdict:
            for chunk in self._response.iter_raw():
                received += len(chunk)
                self._bound.check(received)
                yield chunk
        self._verdict.end(complete=True)

    def close(self) -> None:
        self._verdict.end()
        self._response.close()


class _AsyncBoundedBody(httpx.AsyncByteStream):
    def __init__(self, response: httpx.Response, bound: _Bound, verdict: _Verdict) -> None:
        self._response, self._bound, self._verdict = response, bound, verdict

    async def __aiter__(self) -> AsyncIterator[bytes]:
        received = 0
        with self._verdict:
            async for chunk in self._response.aiter_raw():
                received += len(chunk)
                self._bound.check(received)
                yield chunk
        self._verdict.end(complete=True)

    async def aclose(self) -> None:
        self._verdict.end()
        await self._response.aclose()


def _is_compressed(response: httpx.Response) -> bool:
    """A compressed body could grow without bound."""
    return bool(response.headers.get("content-encoding", "identity") != "identity")


def _compressed(request: httpx.Request) -> httpx.DecodingError:
    return httpx.DecodingError("the answer is compressed, which was not asked for", request=request)


def _with_body(response: httpx.Response, body: httpx.SyncByteStream | httpx.AsyncByteStream) -> httpx.Response:
    return httpx.Response(response.status_code, headers=response.headers, stream=body, extensions=response.extensions)
