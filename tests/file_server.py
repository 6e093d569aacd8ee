"""A web server on 127.0.0.1 for tests of downloads; it serves what it is told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Reply:
    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    reason: str | None = None


@dataclass
class FileServer:
    url: str
    replies: dict[str, Reply]
    requests: list[tuple[str, dict[str, str]]]


@contextmanager
def file_server(**files: bytes) -> Iterator[FileServer]:
    """Serve `files` by name; `replies` (by path) and `requests` (seen so far) are open to tests."""
    server = FileServer("", {f"/{name}": Reply(body) for name, body in files.items()}, [])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.requests.append((self.path, dict(self.headers)))
            reply = server.replies.get(self.path.partition("?")[0], Reply(b"none", 404))
            self.send_response(reply.status, reply.reason)
            for name, value in ({"Content-Length": str(len(reply.body))} | reply.headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *args):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
