"""The test server: real HTTP on loopback, each connection on a thread of its own."""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from mnemoloom.clock import Clock, SystemClock
from mnemoloom.errors import ConfigError
from mnemoloom.testing.ollama.answers import Answer, Request
from mnemoloom.testing.ollama.models import ServedModel
from mnemoloom.testing.ollama.protocol import Protocol
from mnemoloom.testing.ollama.replies import Said, Script

__all__ = ["DEFAULT_MODELS", "Exchange", "Fault", "OllamaServer"]

DEFAULT_MODELS = (
    ServedModel(name="tiny"),
    ServedModel(name="tinyemb", capabilities=frozenset({"embedding"})),
)
JSON = "application/json; charset=utf-8"
NDJSON = "application/x-ndjson"
WHOLE = 2048  # bytes; Go sends a longer answer in chunks


class OllamaServer:
    """Speaks Ollama's protocol on a free port of 127.0.0.1, from `with` to the end of the block.

    The model says what `replies` and `say` tell it, each once; then what `otherwise` makes of the request; by
    default it repeats the last line of its prompt. Embeddings are near for texts that share words. `requests` holds
    what clients sent, in order, and `fail` makes the server break.

    Parameters
    ----------
    replies: texts, or `Reply` objects with tool calls.
    otherwise: from a request's JSON body to a text or `Reply`.
    models: what the server has; by default "tiny" for chat with tools, and "tinyemb" for embeddings of width 64.
    clock: the source of `created_at`.

    Examples
    --------
    >>> with OllamaServer(["Hello!"]) as server:
    ...     server.url.startswith("http://127.0.0.1:")
    True
    """

    def __init__(
        self,
        replies: Iterable[Said] = (),
        *,
        otherwise: Callable[[Mapping[str, Any]], Said] | None = None,
        models: Iterable[ServedModel] = DEFAULT_MODELS,
        clock: Clock | None = None,
    ) -> None:
        self._script = Script(replies, otherwise)
        self._protocol = Protocol(models, self._script, clock or SystemClock())
        self._faults: list[_Planned] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._http: _Http | None = None
        self._thread: threading.Thread | None = None
        self.requests: list[Request] = []

    @property
    def url(self) -> str:
        """Where it listens, such as "http://127.0.0.1:41234"."""
        if self._http is None:
            raise RuntimeError("the server has no address before start() and after close()")
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def unsaid(self) -> int:
        """How many of the given replies nobody has asked for."""
        return len(self._script)

    def start(self) -> OllamaServer:
        """Listen; the server itself. `with` does it for you."""
        if self._http is not None:
            raise RuntimeError("the server is running already")
        self._closing.clear()
        self._http = _Http(self._exchange)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True, name="ollama-test-server"
        )
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop listening, and break the connections that are still open."""
        self._closing.set()
        http, thread = self._http, self._thread
        self._http = self._thread = None
        if http is not None and thread is not None:
            http.shutdown()
            thread.join()
            http.server_close()

    def say(self, *replies: Said) -> None:
        """Give the model more to say, after what it has already been given."""
        self._script.add(*replies)

    def fail(self, fault: Fault, *, path: str | None = None, times: int | None = 1) -> None:
        """Let `fault` answer instead: the next request, the next few, or with None all until `heal`.

        Parameters
        ----------
        fault: one of `mnemoloom.testing.faults`, or any function that answers an `Exchange`.
        path: only requests for it, such as "/api/embed".
        """
        if times is not None and times < 1:
            raise ConfigError(f"times must be at least 1 or None; got {times!r}")
        with self._lock:
            self._faults.append(_Planned(fault, path, times))

    def heal(self) -> None:
        """Forget every fault that is still to come."""
        with self._lock:
            self._faults.clear()

    def __enter__(self) -> OllamaServer:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _exchange(self, handler: _Handler, request: Request) -> None:
        exchange = Exchange(handler, request, self._protocol, self._closing)
        with self._lock:
            self.requests.append(request)
            fault = self._due(request.path)
        if fault is None:
            exchange.send(exchange.answer())
        else:
            fault(exchange)

    def _due(self, path: str) -> Fault | None:
        for planned in self._faults:
            if planned.path in (None, path):
                if planned.left is not None:
                    planned.left -= 1
                    if not planned.left:
                        self._faults.remove(planned)
                return planned.fault
        return None


class Exchange:
    """One request and the means to answer it, well or badly."""

    def __init__(self, handler: _Handler, request: Request, protocol: Protocol, closing: threading.Event) -> None:
        self._handler, self._protocol, self._closing = handler, protocol, closing
        self.request = request

    def answer(self) -> Answer:
        """What a healthy server answers; a scripted reply counts as used."""
        return self._protocol.answer(self.request)

    def send(self, answer: Answer) -> None:
        """Send a whole answer."""
        if answer.text is not None:
            self.send_text(answer.status, answer.text, {"content-type": "text/plain; charset=utf-8"})
        elif answer.streamed:
            self.begin_stream(answer.status)
            for line in answer.lines:
                self.send_line(line)
            self.end_stream()
        else:
            self.send_text(answer.status, json.dumps(answer.lines[0], ensure_ascii=False, separators=(",", ":")))

    def send_json(self, status: int, value: object) -> None:
        self.send_text(status, json.dumps(value))

    def send_text(self, status: int, text: str, headers: Mapping[str, str] | None = None) -> None:
        """Send a body as it is, as JSON unless `headers` say otherwise."""
        data = text.encode()
        fields = {"content-type": JSON}
        chunked = len(data) > WHOLE
        fields.update({"transfer-encoding": "chunked"} if chunked else {"content-length": str(len(data))})
        self._begin(status, {**fields, **(headers or {})})
        if self.request.method == "HEAD":
            return
        if chunked:
            self._chunk(data)
            self.end_stream()
        else:
            self._handler.wfile.write(data)

    def begin_stream(self, status: int = 200) -> None:
        self._begin(status, {"content-type": NDJSON, "transfer-encoding": "chunked"})

    def send_line(self, value: object) -> None:
        """Send one JSON value of a stream."""
        self._chunk(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")

    def end_stream(self) -> None:
        self._handler.wfile.write(b"0\r\n\r\n")

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Send a status and headers; what follows goes through `write`."""
        self._begin(status, headers)

    def write(self, data: bytes) -> None:
        self._handler.wfile.write(data)
        self._handler.wfile.flush()

    def hang_up(self) -> None:
        """Break the connection."""
        self._handler.close_connection = True
        self._handler.connection.shutdown(socket.SHUT_RDWR)

    def wait(self, seconds: float) -> bool:
        """Wait; True if the server is being closed meanwhile."""
        return self._closing.wait(seconds)

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self._handler.send_response(status)
        for name, value in headers.items():
            self._handler.send_header(name, value)
        self._handler.end_headers()

    def _chunk(self, data: bytes) -> None:
        self.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


Fault = Callable[[Exchange], None]


@dataclass
class _Planned:
    fault: Fault
    path: str | None
    left: int | None


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http

    def _answer(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.exchange(self, Request(self.command, self.path, headers, raw))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815 - names of the base class

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        pass


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, exchange: Callable[[_Handler, Request], None]) -> None:
        self.exchange = exchange
        self._open: set[socket.socket] = set()
        self._changing = threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as in the base class
        with self._changing:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:  # noqa: ANN401
        with self._changing:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        super().server_close()
        with self._changing:
            for connection in self._open:  # their threads wait for the next request of a client
                _break(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Report, on standard error, what a test's own functions raise; a client that gave up is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def _break(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the client was quicker
