"""An HTTP transport whose answers are bounded in size and in time.

httpx limits the wait for each piece of an answer, not for the whole of it: a server that sends one
byte a second would be read for ever. This module needs httpx; it comes with the ollama extra.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx

__all__ = ["BoundedTransport"]


class BoundedTransport(httpx.BaseTransport):
    """Sends over HTTP; an answer that is too long, too slow or compressed ends in an httpx error.

    Parameters
    ----------
    max_bytes: the longest body that is read.
    seconds: how long an answer may take as a whole, from sending the request.
    """

    def __init__(self, *, max_bytes: int, seconds: float) -> None:
        # an idle connection would need closing, break after fork(), and go stale when the server restarts
        self._inner = httpx.HTTPTransport(trust_env=False, limits=httpx.Limits(max_keepalive_connections=0))
        self._max_bytes, self._seconds = max_bytes, seconds

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        deadline = time.monotonic() + self._seconds
        request.headers["accept-encoding"] = "identity"
        response = self._inner.handle_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            response.close()  # a compressed body could grow without bound
            raise httpx.DecodingError("the answer is compressed, which was not asked for", request=request)
        body = _BoundedBody(response, request=request, max_bytes=self._max_bytes, deadline=deadline)
        return httpx.Response(
            response.status_code, headers=response.headers, stream=body, extensions=response.extensions
        )

    def close(self) -> None:
        self._inner.close()


class _BoundedBody(httpx.SyncByteStream):
    def __init__(self, response: httpx.Response, *, request: httpx.Request, max_bytes: int, deadline: float) -> None:
        self._response, self._request = response, request
        self._max_bytes, self._deadline = max_bytes, deadline

    def __iter__(self) -> Iterator[bytes]:
        received = 0
        for chunk in self._response.iter_raw():
            received += len(chunk)
            if received > self._max_bytes:
                raise httpx.DecodingError(f"the answer is longer than {self._max_bytes} bytes", request=self._request)
            if time.monotonic() > self._deadline:
                raise httpx.ReadTimeout("the answer did not end in time", request=self._request)
            yield chunk

    def close(self) -> None:
        self._response.close()
