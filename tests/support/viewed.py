"""`dtbench view` in a process of its own, and what it answers."""

from __future__ import annotations

import contextlib
import http.client
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from runs import started


class Reply(NamedTuple):
    """What the server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Viewed(NamedTuple):
    """A server that runs."""

    url: str
    process: Any

    def ask(self, path: str, method: str = "GET", **headers: str) -> Reply:
        """Send one request."""
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=120)
        with contextlib.closing(connection):
            connection.request(method, path, headers=headers)
            reply = connection.getresponse()
            return Reply(reply.status, dict(reply.getheaders()), reply.read())

    def runs(self) -> dict[str, dict[str, Any]]:
        """The rows of the list of runs, by run."""
        page = self.ask("/").body.decode()
        first = json.loads(page.partition('id="first">')[2].partition("</script>")[0])
        return {row["run"]: row for row in first["runs"]}


@contextlib.contextmanager
def viewing(folder: Path, *options: str) -> Iterator[Viewed]:
    """The server of the runs below a folder, on a free port."""
    with started(folder, "--json", "--port", "0", *options, command="view") as process:
        line = process.stdout.readline() if process.stdout else b""
        assert line, process.stderr.read() if process.stderr else ""
        yield Viewed(json.loads(line)["url"], process)
