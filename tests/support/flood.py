"""An endpoint whose answers are of any length, in each of the ways in which a body can be sent."""

from __future__ import annotations

import contextlib
import functools
import json
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain

PIECE = 1 << 20
START = b'{"choices": [{"message": {"content": "'
Send = Callable[[BaseHTTPRequestHandler, int], None]


def by_length(handler: BaseHTTPRequestHandler, size: int) -> None:
    """A body that says how long it is."""
    _head(handler, {"content-type": "application/json", "content-length": str(len(START) + size)})
    handler.wfile.write(START)
    for _ in range(0, size, PIECE):
        handler.wfile.write(b"x" * PIECE)


def in_chunks(handler: BaseHTTPRequestHandler, size: int) -> None:
    """A body that does not say how long it is."""
    _head(handler, {"content-type": "application/json", "transfer-encoding": "chunked"})
    for piece in chain([START], (b"x" * PIECE for _ in range(0, size, PIECE))):
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))


def compressed(handler: BaseHTTPRequestHandler, size: int) -> None:
    """A body that is a thousandth as long on its way."""
    body = _packed(size)
    _head(handler, {"content-type": "application/json", "content-encoding": "gzip", "content-length": str(len(body))})
    handler.wfile.write(body)


@functools.cache
def _packed(size: int) -> bytes:
    packer = zlib.compressobj(wbits=31)
    body = b"".join([packer.compress(START), *(packer.compress(b"x" * PIECE) for _ in range(0, size, PIECE))])
    return body + packer.flush()


def in_events(handler: BaseHTTPRequestHandler, size: int) -> None:
    """A streamed answer."""
    _head(handler, {"content-type": "text/event-stream", "connection": "close"})
    event = json.dumps({"choices": [{"index": 0, "delta": {"content": "x" * 1000}}]}).encode()
    events = b"data: %b\n\n" % event * (PIECE // 1000)
    for _ in range(0, size, PIECE):
        handler.wfile.write(events)


def in_one_event(handler: BaseHTTPRequestHandler, size: int) -> None:
    """A streamed answer whose first event has no end."""
    _head(handler, {"content-type": "text/event-stream", "connection": "close"})
    handler.wfile.write(b"data: ")
    for _ in range(0, size, PIECE):
        handler.wfile.write(b"x" * PIECE)


def in_headers(handler: BaseHTTPRequestHandler, size: int) -> None:
    """A reply whose headers have no end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    for number in range(0, size, 1000):
        handler.wfile.write(b"x-%d: %b\r\n" % (number, b"x" * 1000))


def _head(handler: BaseHTTPRequestHandler, headers: dict[str, str]) -> None:
    handler.send_response(200)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # with five, connections that come at once are reset before they are heard


@contextmanager
def flooding(send: Send, size: int) -> Iterator[str]:
    """The URL of the endpoint, for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = b'{"data": [{"id": "tiny"}]}'
            _head(self, {"content-length": str(len(body))})
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.close_connection = True
            with contextlib.suppress(OSError):  # nobody wants to hear all of it
                send(self, size)

        def log_message(self, format: str, *args: object) -> None:
            pass

    if send is compressed:
        _packed(size)  # once, before many threads ask for it
    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
