"""A loopback server that speaks Ollama's /api/chat and /api/tags, with faults on demand."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mnemoloom.cli import main

MODEL = "tiny"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ChatServer

    def do_GET(self) -> None:
        self.send_json(200, {"models": [{"model": name} for name in self.server.models]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.requests.append(body)
        self.server.behaviour(self, body)

    def send_json(self, status: int, value: Any) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def begin_stream(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "application/x-ndjson")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()

    def send_line(self, value: Any) -> None:
        data = json.dumps(value).encode() + b"\n"
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def send_piece(self, text: str, *, done: bool = False) -> None:
        self.send_line({"model": MODEL, "message": {"role": "assistant", "content": text}, "done": done})

    def end_stream(self) -> None:
        self.wfile.write(b"0\r\n\r\n")

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def as_ollama_does(handler: Handler, body: dict[str, Any]) -> None:
    if body["model"] != MODEL:
        return handler.send_json(404, {"error": f"model '{body['model']}' not found"})
    handler.begin_stream()
    for piece in handler.server.pieces:
        handler.send_piece(piece)
    handler.send_piece("", done=True)
    return handler.end_stream()


class ChatServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict[str, Any]] = []
        self.behaviour: Callable[[Handler, dict[str, Any]], None] = as_ollama_does
        self.pieces = ["You moved ", "to Oslo", "."]
        self.models = ["nomic-embed-text:latest", MODEL]
        self.released = threading.Event()  # ends whatever a slow behaviour waits for

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a connection that breaks is what the tests provoke


@pytest.fixture
def server() -> Iterator[ChatServer]:
    server = ChatServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield server
    server.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def nobody() -> str:
    """The URL of a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def store(tmp_path: Any) -> str:
    return str(tmp_path / "store")


@pytest.fixture
def run(store: str, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command on `store`: exit code, standard output, standard error."""

    def run(command: str, *arguments: str) -> tuple[int, str, str]:
        code = main([command, "--store", store, *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


@pytest.fixture
def ask(run: Callable[..., tuple[int, str, str]]) -> Callable[..., Any]:
    """Run a command with --json that must succeed: its answer."""

    def ask(command: str, *arguments: str) -> Any:
        code, out, err = run(command, "--json", *arguments)
        assert (code, err) == (0, "")
        return json.loads(out)

    return ask
