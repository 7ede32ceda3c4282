"""A server on this machine that speaks as much of the hub's protocol as fetching a file takes."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Hub:
    """What the server has, and what it was asked."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    """URL path -> content."""
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """(method, URL path, Range header) of each request."""
    break_after: int | None = None
    """How many bytes of the next answer arrive before the connection drops."""


@contextmanager
def serving_hub() -> Iterator[Hub]:
    """The server, for as long as the block runs."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    hub = Hub(f"http://127.0.0.1:{server.server_address[1]}")
    server.hub = hub  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Tests read `asked` instead."""

    def _answer(self) -> None:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        wanted = self.headers.get("Range")
        hub.asked.append((self.command, self.path, wanted))
        data = hub.files.get(self.path)
        if data is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-").split("-")[0]) if wanted else 0
        self.send_response(206 if start else 200)
        self._describe(data, start)
        if self.command == "GET":
            self._send(data[start:], hub)

    def _describe(self, data: bytes, start: int) -> None:
        parts = self.path.split("/")
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if "resolve" in parts:
            self.send_header("X-Repo-Commit", parts[parts.index("resolve") + 1])
        self.end_headers()

    def _send(self, data: bytes, hub: Hub) -> None:
        if hub.break_after is None:
            self.wfile.write(data)
            return
        self.wfile.write(data[: hub.break_after])
        hub.break_after = None
        self.close_connection = True
