"""A server on this machine that speaks as much of the hub's protocol as fetching a file and pushing a commit take."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_COMMIT = re.compile(r"/api/(models|datasets)/([\w.-]+/[\w.-]+)/(preupload|commit)/main(\?create_pr=1)?")
_LARGE = ".parquet"
"""The end of the names that the hub keeps as large files."""


@dataclass
class Pushed:
    """A commit that arrived."""

    repo: str
    """`models/ORG/NAME` or `datasets/ORG/NAME`."""
    pull_request: bool
    files: dict[str, bytes]
    summary: str
    token: str | None
    """What authorised it."""


@dataclass
class Hub:
    """What the server has, and what it was asked."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    """URL path -> content."""
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    """(method, URL path, Range header) of each request."""
    pushed: list[Pushed] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    """Each request for a new repository."""
    refuses: int | None = None
    """The status with which it answers every push."""
    large: dict[str, bytes] = field(default_factory=dict)
    """Hash -> content of a large file that was uploaded."""
    heads: dict[str, str] = field(default_factory=dict)
    """`datasets/ORG/NAME` -> the commit of its main branch, at which its files lie."""
    break_after: int | None = None
    """How many bytes of the next answer arrive before the connection drops."""
    trickles: threading.Event | None = None
    """Where it is there, answers come by ten bytes each tenth of a second until it is set."""


class _Server(ThreadingHTTPServer):
    request_queue_size = 128  # with five, connections that come at once are reset before they are heard


@contextmanager
def serving_hub() -> Iterator[Hub]:
    """The server, for as long as the block runs."""
    server = _Server(("127.0.0.1", 0), _Handler)
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

    def do_POST(self) -> None:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        hub.asked.append((self.command, self.path, None))
        if hub.refuses is not None:
            self._reply({"error": "no"}, hub.refuses)
        elif self.path == "/api/repos/create":
            wanted = json.loads(body)
            hub.created.append(wanted)
            self._reply({"url": f"{hub.url}/{wanted['type']}s/{wanted['organization']}/{wanted['name']}"})
        elif self.path == "/api/validate-yaml":
            self._reply({"errors": [], "warnings": []})
        elif self.path.endswith("/info/lfs/objects/batch"):
            self._reply({"objects": [self._upload_of(hub, one) for one in json.loads(body)["objects"]]})
        elif (where := _COMMIT.fullmatch(self.path)) is not None:
            kind, repo, step, asks = where.groups()
            if step == "preupload":
                files = json.loads(body)["files"]
                modes = [("lfs" if one["path"].endswith(_LARGE) else "regular", one["path"]) for one in files]
                self._reply(
                    {"files": [{"path": path, "uploadMode": mode, "shouldIgnore": False} for mode, path in modes]}
                )
            else:
                hub.pushed.append(self._pushed(hub, f"{kind}/{repo}", body, asks=asks is not None))
                page = f"{hub.url}/{repo}/commit/c0ffee"
                pull = {"pullRequestUrl": f"{hub.url}/{repo}/discussions/1"} if asks else {}
                self._reply({"commitUrl": page, "commitOid": "c0ffee", "success": True, **pull})
        else:
            self._reply({"error": "not found"}, 404)

    def do_PUT(self) -> None:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        content = self.rfile.read(int(self.headers["Content-Length"]))
        assert hashlib.sha256(content).hexdigest() == self.path.rpartition("/")[2]
        hub.large[self.path.rpartition("/")[2]] = content
        self._reply({})

    def _upload_of(self, hub: Hub, wanted: dict[str, Any]) -> dict[str, Any]:
        action = {"upload": {"href": f"{hub.url}/large/{wanted['oid']}"}}
        return {"oid": wanted["oid"], "size": wanted["size"], "actions": action}

    def _pushed(self, hub: Hub, repo: str, body: bytes, *, asks: bool) -> Pushed:
        files, summary = {}, ""
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "header":
                summary = line["value"]["summary"]
            elif line["key"] == "file":
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif line["key"] == "lfsFile":
                files[line["value"]["path"]] = hub.large[line["value"]["oid"]]
        return Pushed(repo, asks, files, summary, self.headers.get("Authorization"))

    def _reply(self, value: dict[str, Any], status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Tests read `asked` instead."""

    def _answer(self) -> None:
        hub: Hub = self.server.hub  # type: ignore[attr-defined]
        wanted = self.headers.get("Range")
        hub.asked.append((self.command, self.path, wanted))
        if (listed := self._listed(hub)) is not None:
            self._reply_list(listed)
            return
        data = hub.files.get(self._at_commit(hub))
        if data is None:
            known = not hub.heads or any(self.path.startswith(f"/{repo}/") for repo in hub.heads)
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound" if known else "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-").split("-")[0]) if wanted else 0
        self.send_response(206 if start else 200)
        self._describe(data, start)
        if self.command == "GET":
            self._send(data[start:], hub)

    def _at_commit(self, hub: Hub) -> str:
        """The path of a file with the commit in the place of the main branch."""
        for repo, commit in hub.heads.items():
            if self.path.startswith(f"/{repo}/resolve/main/"):
                return self.path.replace("/resolve/main/", f"/resolve/{commit}/", 1)
        return self.path

    def _listed(self, hub: Hub) -> list[dict[str, Any]] | None:
        """The files of a repository at a commit, where these are asked for."""
        match = re.fullmatch(r"/api/(datasets/[\w.-]+/[\w.-]+)/tree/(\w+)\?.*", self.path)
        if match is None:
            return None
        begin = f"/{match[1]}/resolve/{match[2]}/"
        names = [path.removeprefix(begin) for path in hub.files if path.startswith(begin)]
        return [{"type": "file", "path": name, "size": len(hub.files[begin + name]), "oid": ""} for name in names]

    def _reply_list(self, listed: list[dict[str, Any]]) -> None:
        content = json.dumps(listed).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _describe(self, data: bytes, start: int) -> None:
        parts = self._at_commit(self.server.hub).split("/")  # type: ignore[attr-defined]
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if "resolve" in parts:
            self.send_header("X-Repo-Commit", parts[parts.index("resolve") + 1])
        self.end_headers()

    def _send(self, data: bytes, hub: Hub) -> None:
        if hub.trickles is not None:
            with contextlib.suppress(OSError):  # whoever asked has gone
                for at in range(0, len(data), 10):
                    if hub.trickles.wait(0.1):
                        break
                    self.wfile.write(data[at : at + 10])
            self.close_connection = True
            return
        if hub.break_after is None:
            self.wfile.write(data)
            return
        self.wfile.write(data[: hub.break_after])
        hub.break_after = None
        self.close_connection = True
