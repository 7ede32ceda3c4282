"""The Action's comment on a pull request: one, kept up to date, and never a reason to fail."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from action_runner import Job, Machine, act
from command import call
from small_data import mmar_items, write_json
from stand_ins import DICE, PERFECT

COMMENTS = "/repos/someone/models/issues/12/comments"


class Forge(ThreadingHTTPServer):
    """What an action needs of GitHub's API: the comments of one pull request, a page of a hundred at a time."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Api)
        self.comments: list[dict[str, Any]] = [{"id": number, "body": "looks good"} for number in range(130)]
        self.tokens: set[str | None] = set()
        self.status = 200


class _Api(BaseHTTPRequestHandler):
    server: Forge

    def _send(self, value: Any) -> None:
        self.server.tokens.add(self.headers["Authorization"])
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(json.dumps(value).encode())

    def _body(self) -> str:
        body: str = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        return body

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        assert path == COMMENTS
        page = int(query.rpartition("page=")[2])
        self._send(self.server.comments[100 * (page - 1) : 100 * page])

    def do_POST(self) -> None:
        assert self.path == COMMENTS
        self.server.comments.append({"id": len(self.server.comments), "body": self._body()})
        self._send({})

    def do_PATCH(self) -> None:
        number = int(self.path.removeprefix("/repos/someone/models/issues/comments/"))
        self.server.comments[number]["body"] = self._body()
        self._send({})

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def forge() -> Iterator[Forge]:
    server = Forge()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def machine(tmp_path: Path, forge: Forge) -> Machine:
    api = {"GITHUB_API_URL": f"http://127.0.0.1:{forge.server_port}", "no_proxy": "127.0.0.1"}
    machine = Machine(tmp_path, event="pull_request", pull_request=12, environment=api)
    write_json(machine.workspace / "data" / "MMAR-meta.jsonl", mmar_items(100))
    where = ("--tasks", "mmar", "--data-dir", machine.workspace / "data", "--out", machine.workspace / "base")
    assert call("run", "--model", "echo-gold", *where).code == 0
    return machine


def acted(machine: Machine, **given: str) -> Job:
    inputs = {"model": PERFECT, "tasks": "mmar", "baseline": "base", "data-dir": "data", "install": ""}
    return act(machine, {**inputs, "comment": "true", **given})


def test_the_verdict_is_one_comment_that_is_kept_up_to_date(machine: Machine, forge: Forge) -> None:
    acted(machine)
    (first,) = forge.comments[130:]
    assert "✅ passed" in first["body"]
    assert "(https://forge.example/someone/models/actions/runs/1)" in first["body"]
    job = acted(machine, model=DICE, out="another")
    assert job.status == "failure"
    (second,) = forge.comments[130:]
    assert "❌ regressed" in second["body"]
    assert forge.tokens == {"Bearer made-up-token"}


def test_a_run_that_failed_is_in_the_comment_too(machine: Machine, forge: Forge) -> None:
    acted(machine, model="none-such")
    assert "No verdict: the run of the candidate ended with exit code 2" in forge.comments[-1]["body"]
    acted(machine, renew="sometimes")
    assert "No verdict: reading the inputs ended with exit code 2" in forge.comments[-1]["body"]
    assert len(forge.comments) == 131, "one comment, also where the inputs were not understood"


def test_jobs_of_a_matrix_have_comments_of_their_own(machine: Machine, forge: Forge) -> None:
    for index in (0, 1):
        machine.strategy = {"job-index": index, "job-total": 2}
        acted(machine)
    assert len(forge.comments) == 132


def test_a_token_that_may_not_comment_is_a_warning_and_the_verdict_stands(machine: Machine, forge: Forge) -> None:
    forge.status = 403
    job = acted(machine)
    assert (job.status, job.outputs["verdict"]) == ("success", "passed")
    assert "::warning::no comment on the pull request (HTTP Error 403" in job.printed


@pytest.mark.parametrize(("comment", "pull_request"), [("false", 12), ("true", None)])
def test_nothing_is_written_where_nobody_asked_or_no_pull_request_is(
    machine: Machine, forge: Forge, comment: str, pull_request: int | None
) -> None:
    machine.pull_request = pull_request
    assert acted(machine, comment=comment).status == "success"
    assert len(forge.comments) == 130
    assert not forge.tokens
