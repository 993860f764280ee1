"""The endpoints: which answer a request gets, given the models and the script. Nothing here knows a socket."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from mnemoloom.clock import Clock
from mnemoloom.testing.ollama.answers import Answer, Refusal, Request, parsed
from mnemoloom.testing.ollama.checks import check_format, check_options, unloads
from mnemoloom.testing.ollama.embeddings import dense_rows, shortened
from mnemoloom.testing.ollama.models import ServedModel, full_name
from mnemoloom.testing.ollama.replies import Reply, Script

__all__ = ["Protocol"]

VERSION = "0.0.0"
DURATIONS = {"total_duration": 3_000_000, "load_duration": 1_000_000}  # nanoseconds
Body = Mapping[str, Any]


class Protocol:
    """Answers requests as an Ollama server with these models would."""

    def __init__(self, models: Iterable[ServedModel], script: Script, clock: Clock) -> None:
        self._models = {model.full_name: model for model in models}
        self._loaded: dict[str, ServedModel] = {}
        self._script, self._clock = script, clock
        self._calls = 0
        self._lock = threading.Lock()
        self._endpoints: dict[str, dict[str, Callable[[bytes], Answer]]] = {
            "/": {"GET": _running},
            "/api/version": {"GET": lambda _: _one({"version": VERSION})},
            "/api/tags": {"GET": lambda _: _one({"models": [model.listed() for model in self._models.values()]})},
            "/api/ps": {"GET": lambda _: _one({"models": [model.running() for model in self._loaded.values()]})},
            "/api/show": {"POST": self._show},
            "/api/chat": {"POST": self._chat},
            "/api/generate": {"POST": self._generate},
            "/api/embed": {"POST": self._embed},
            "/api/embeddings": {"POST": self._embed_one},
            "/api/delete": {"DELETE": self._delete},
            "/api/pull": {"POST": self._pull},
        }

    def answer(self, request: Request) -> Answer:
        """What a healthy server answers; a scripted reply counts as used."""
        methods = self._endpoints.get(request.path.split("?")[0])
        if methods is None:
            return Answer(status=404, text="404 page not found")
        method = "GET" if request.method == "HEAD" else request.method
        if method not in methods:
            return Answer(status=405, text="405 method not allowed")
        try:
            return methods[method](request.raw)
        except Refusal as refusal:
            return refusal.answer

    # -- models -------------------------------------------------------------------------------------

    def _show(self, raw: bytes) -> Answer:
        body = parsed(raw)
        name = _name(body)
        return _one(self._model(name, f"model '{full_name(name)}' not found").shown())

    def _delete(self, raw: bytes) -> Answer:
        name = _name(parsed(raw))
        model = self._model(name, f"model '{name}' not found")
        with self._lock:
            self._models.pop(model.full_name, None)
            self._loaded.pop(model.full_name, None)
        return Answer(text="")

    def _pull(self, raw: bytes) -> Answer:
        body = parsed(raw)
        if full_name(_name(body)) not in self._models:
            # there is no registry behind this server
            raise Refusal(500, "pull model manifest: file does not exist")
        if not body.get("stream", True):
            return _one({"status": "success"})
        return Answer(lines=({"status": "pulling manifest"}, {"status": "success"}), streamed=True)

    def _model(self, name: str, missing: str) -> ServedModel:
        found = self._models.get(full_name(name))
        if found is None:
            raise Refusal(404, missing)
        return found

    # -- completion ---------------------------------------------------------------------------------

    def _chat(self, raw: bytes) -> Answer:
        body = parsed(raw)
        unload = unloads(body.get("keep_alive"))
        model = self._completing(body, "chat")
        if body.get("tools") and not model.can("tools"):
            raise Refusal(400, f"library/{model.full_name} does not support tools")
        if not body.get("messages"):
            return self._load(model, body, unload, {"message": {"role": "assistant", "content": ""}})
        reply, rest = self._said(model, body, prompt=_words(str(body["messages"])))
        pieces: list[dict[str, Any]] = []
        if reply.thinking:
            pieces.append({"content": "", "thinking": reply.thinking})
        pieces += [{"content": piece} for piece in reply.pieces]
        if reply.tool_calls:
            pieces.append({"content": "", "tool_calls": self._calls_of(reply)})
        whole = {
            "content": reply.content,
            **{key: value for p in pieces for key, value in p.items() if key != "content"},
        }

        def line(message: Mapping[str, Any]) -> dict[str, Any]:
            return {**self._stamp(body), "message": {"role": "assistant", **message}}

        if not body.get("stream", True):
            return _one({**line(whole), **rest})
        parts = [{**line(piece), "done": False} for piece in pieces]
        return Answer(lines=(*parts, {**line({"content": ""}), **rest}), streamed=True)

    def _generate(self, raw: bytes) -> Answer:
        body = parsed(raw)
        unload = unloads(body.get("keep_alive"))
        model = self._completing(body, "generate")
        if not body.get("prompt"):
            return self._load(model, body, unload, {"response": ""})
        reply, rest = self._said(model, body, prompt=_words(body["prompt"]))
        rest = {**rest, "context": [1] * (rest["prompt_eval_count"] + rest["eval_count"])}
        if not body.get("stream", True):
            thought = {"thinking": reply.thinking} if reply.thinking else {}
            return _one({**self._stamp(body), "response": reply.content, **thought, **rest})
        pieces = [{"response": "", "thinking": reply.thinking}] if reply.thinking else []
        pieces += [{"response": piece} for piece in reply.pieces]
        parts = [{**self._stamp(body), **piece, "done": False} for piece in pieces]
        return Answer(lines=(*parts, {**self._stamp(body), "response": "", **rest}), streamed=True)

    def _completing(self, body: Body, doing: str) -> ServedModel:
        """The model of a request that asks for text, once everything about the request is known to be right."""
        name = _name(body)
        model = self._model(name, f"model '{name}' not found")
        if not model.can("completion"):
            raise Refusal(400, f'"{name}" does not support {doing}')
        if body.get("think") and not model.can("thinking"):
            raise Refusal(400, f'"{name}" does not support thinking')
        check_options(body.get("options"))
        check_format(body.get("format"))
        return model

    def _load(self, model: ServedModel, body: Body, unload: bool, empty: Mapping[str, Any]) -> Answer:
        with self._lock:
            if unload:
                self._loaded.pop(model.full_name, None)
            else:
                self._loaded[model.full_name] = model
        reason = "unload" if unload else "load"
        return _one({**self._stamp(body), **empty, "done": True, "done_reason": reason})

    def _said(self, model: ServedModel, body: Body, *, prompt: int) -> tuple[Reply, dict[str, Any]]:
        """The reply, cut as `num_predict` asks, and the fields that end it."""
        with self._lock:
            self._loaded[model.full_name] = model
        reply = self._script.next(body)
        if not model.can("thinking") or body.get("think") is False:
            reply = Reply(reply.content, reply.tool_calls, pieces=reply.pieces)
        most = (body.get("options") or {}).get("num_predict")
        cut = most is not None and 0 <= most < len(reply.pieces)
        if cut:
            reply = Reply(thinking=reply.thinking, pieces=reply.pieces[:most])
        counts = {"prompt_eval_count": prompt, "eval_count": max(len(reply.pieces), 1)}
        times = {"prompt_eval_duration": 1_000_000, "eval_duration": 1_000_000}
        reason = "length" if cut else "stop"
        return reply, {"done": True, "done_reason": reason, **DURATIONS, **counts, **times}

    def _calls_of(self, reply: Reply) -> list[dict[str, Any]]:
        calls = []
        for index, call in enumerate(reply.tool_calls):
            with self._lock:
                self._calls += 1
                number = self._calls
            function = {"index": index, "name": call.name, "arguments": dict(call.arguments)}
            calls.append({"id": f"call_{number:08d}", "function": function})
        return calls

    def _stamp(self, body: Body) -> dict[str, Any]:
        now = datetime.fromtimestamp(self._clock.now(), timezone.utc)
        return {"model": body["model"], "created_at": now.strftime("%Y-%m-%dT%H:%M:%S.%f000Z")}

    # -- embeddings ---------------------------------------------------------------------------------

    def _embed(self, raw: bytes) -> Answer:
        body = parsed(raw)
        texts = _texts(body)
        model = self._embedding(body)
        if not texts:
            return _one({"model": body["model"], "embeddings": []})
        if "" in texts:
            raise Refusal(400, "input exceeds maximum context length and cannot be truncated further")
        if not body.get("truncate", True) and max(map(_words, texts)) > model.context_length:
            raise Refusal(400, "the input length exceeds the context length")
        rows = dense_rows([_truncated(text, model.context_length) for text in texts], model.width)
        width = body.get("dimensions") or 0
        if 0 < width < model.width:  # any other width is silently ignored
            rows = shortened(rows, width)
        count = sum(min(_words(text), model.context_length) for text in texts)
        vectors = [[float(str(value)) for value in row] for row in rows]  # as short as float32 allows
        return _one({"model": body["model"], "embeddings": vectors, **DURATIONS, "prompt_eval_count": count})

    def _embed_one(self, raw: bytes) -> Answer:
        body = parsed(raw)
        model = self._embedding(body)
        prompt = str(body.get("prompt") or "")
        return _one({"embedding": dense_rows([prompt], model.width)[0].astype(float).tolist() if prompt else []})

    def _embedding(self, body: Body) -> ServedModel:
        name = _name(body)
        model = self._model(name, f'model "{name}" not found, try pulling it first')
        unloads(body.get("keep_alive"))
        check_options(body.get("options"))
        if not model.can("embedding"):
            raise Refusal(501, "This server does not support embeddings. Start it with `--embeddings`")
        with self._lock:
            self._loaded[model.full_name] = model
        return model


def _running(_: bytes) -> Answer:
    return Answer(text="Ollama is running")


def _one(value: Mapping[str, Any]) -> Answer:
    return Answer(lines=(value,))


def _name(body: Body) -> str:
    name = body.get("model") or body.get("name")
    if not name:
        raise Refusal(400, "model is required")
    return str(name)


def _texts(body: Body) -> list[str]:
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refusal(400, "invalid input type")
    return [] if texts == [""] and isinstance(given, str) else texts


def _words(text: str) -> int:
    return max(len(text.split()), 1)


def _truncated(text: str, most: int) -> str:
    words = text.split()
    return text if len(words) <= most else " ".join(words[:most])
