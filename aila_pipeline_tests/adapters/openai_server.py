"""A server that speaks OpenAI's chat completions, well or as badly as a test asks for.

    with an_openai_server(in_turn(says("no JSON"), good)) as server:
        model = a_model(server)

Lives here: the server, how it behaves, a truthful answer to what it was sent. Does not: any test. What it was sent is
kept as it came over the wire.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aila_pipeline.adapters.language_model import LanguageModel

KEY = "sk-test-0123456789"
Json = dict[str, Any]


@dataclass
class Asked:
    """One request, and the connection to answer it on."""

    path: str
    headers: dict[str, str]
    body: Json
    handler: _Handler = field(repr=False)

    @property
    def data(self) -> Json:
        """The call as it was sent: the JSON of the first user message."""
        found = json.loads(self.body["messages"][1]["content"])
        assert isinstance(found, dict)
        return found

    @property
    def repairs(self) -> bool:
        """Whether it asks to mend an answer."""
        return len(self.body["messages"]) > 2

    def answer(self, status: int, body: bytes, **headers: str | int) -> None:
        """Any answer at all; `retry_after` is written `retry-after`."""
        self.handler.send_response(status)
        for name, value in {"content_type": "application/json", "content_length": len(body), **headers}.items():
            self.handler.send_header(name.replace("_", "-"), str(value))
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def complete(self, content: str | None, *, finish: str = "stop", usage: Json | None = None) -> None:
        """A chat completion; by default it counts a token for every four letters."""
        sent = sum(len(message["content"]) for message in self.body["messages"])
        counted = {"prompt_tokens": sent // 4, "completion_tokens": len(content or "") // 4}
        choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": finish}
        told = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        self.answer(200, json.dumps(told | {"usage": counted if usage is None else usage}).encode())

    def hang_up(self) -> None:
        """End the connection without an answer."""
        self.handler.close_connection = True
        self.handler.connection.shutdown(socket.SHUT_RDWR)


Behaviour = Callable[[Asked], None]


@dataclass
class OpenAiServer:
    """What it does with each request, and what it was sent."""

    port: int
    behaviour: Behaviour
    asked: list[Asked] = field(default_factory=list)
    most_at_once: int = 0
    at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    clients: ExitStack = field(default_factory=ExitStack)
    """Closed with the server."""

    @property
    def url(self) -> str:
        """As AILA_LLM_BASE_URL has it."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def everything(self) -> str:
        """All that was ever sent to it, as text."""
        return "\n".join(json.dumps([each.body, each.headers], ensure_ascii=False) for each in self.asked)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        site = self.server.site
        length = int(self.headers["content-length"])
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.path, headers, json.loads(self.rfile.read(length)), self)
        with site.lock:
            site.asked.append(asked)
            site.at_once += 1
            site.most_at_once = max(site.most_at_once, site.at_once)
        try:
            site.behaviour(asked)
        except OSError:
            self.close_connection = True  # the client gave up, which some tests are about
        finally:
            with site.lock:
                site.at_once -= 1

    def log_message(self, *_args: object) -> None:
        """Tests read `asked` instead."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    site: OpenAiServer

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


@contextmanager
def an_openai_server(behaviour: Behaviour) -> Iterator[OpenAiServer]:
    """A running server on a free port of this machine."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.site = OpenAiServer(server.server_address[1], behaviour)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        with server.site.clients:
            yield server.site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def a_model(server: OpenAiServer, *, timeout_seconds: float = 30.0) -> LanguageModel:
    """The server's model."""
    model = LanguageModel(base_url=server.url, api_key=KEY, model="test-model", timeout_seconds=timeout_seconds)
    server.clients.callback(model.close)
    return model


def truthful(data: Json) -> Json:
    """An answer to the call that keeps every rule: its quotes are the beginnings of lines."""
    lines = data["transcript"]
    quotes = {
        line["speaker"]: {"line": line["line"], "words": " ".join(line["words"].split()[:6])} for line in lines[::-1]
    }
    quote = next(iter(quotes.values()))
    return {
        "summary": "The client asked for help and the operator answered.",
        "topics": ["help"],
        "intent": {"text": "Wants help.", "quote": quote},
        "objections": [],
        "commitments": [{"text": "Promised to look into it.", "quote": quote}],
        "next_steps": [{"text": "Call again.", "quote": None}],
        "resolution": {"verdict": "resolved", "quote": quote},
        "sentiment": [
            {"role": role, "label": "neutral", "reason": "Spoke calmly.", "quote": own} for role, own in quotes.items()
        ],
        "answers": [{"id": asked["id"], "verdict": "yes", "quote": quote} for asked in data["questions"]],
    }


def good(asked: Asked) -> None:
    """Answers truthfully."""
    asked.complete(json.dumps(truthful(asked.data)))


def changed(**parts: Any) -> Behaviour:
    """Answers truthfully but for these parts."""
    return lambda asked: asked.complete(json.dumps(truthful(asked.data) | parts))


def says(content: str | None, **options: Any) -> Behaviour:
    """Answers with just this."""
    return lambda asked: asked.complete(content, **options)


def refuses(status: int, body: Json | None = None, **headers: str | int) -> Behaviour:
    """Answers with a status other than 200."""
    return lambda asked: asked.answer(status, json.dumps(body or {"error": {"message": "no"}}).encode(), **headers)


def hangs_up(asked: Asked) -> None:
    """Ends the connection when it has read the request."""
    asked.hang_up()


def slowly(seconds: float, then: Behaviour = good) -> Behaviour:
    """Thinks for so long first."""

    def behaviour(asked: Asked) -> None:
        time.sleep(seconds)
        then(asked)

    return behaviour


def in_turn(*behaviours: Behaviour) -> Behaviour:
    """Each request gets the next one; the last one stays."""
    left, lock = list(behaviours), threading.Lock()

    def behaviour(asked: Asked) -> None:
        with lock:
            now = left.pop(0) if len(left) > 1 else left[0]
        now(asked)

    return behaviour
