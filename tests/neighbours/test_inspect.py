"""`export --format inspect`: its own library reads the log, and its own viewer serves it."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest
from command import call
from exported_runs import QUESTIONS, write_mmar_run
from neighbours import PYTHON, need_neighbour, neighbours_environment, run_neighbour

pytestmark = pytest.mark.neighbour
OF_THE_VIEWER = {"X-Inspect-View-Request": "true"}
"""What its page sends with each request."""
READ = """
import json, sys
from inspect_ai.log import read_eval_log, read_eval_log_sample, read_eval_log_sample_summaries
log = read_eval_log(sys.argv[1])
first = read_eval_log_sample(sys.argv[1], id=log.samples[0].id, epoch=2)
print(json.dumps({
    "status": log.status,
    "scores": {one.name: one.metrics["accuracy"].value for one in log.results.scores},
    "samples": [one.model_dump(mode="json") for one in log.samples],
    "summaries": len(read_eval_log_sample_summaries(sys.argv[1])),
    "reasoning": first.output.message.content[0].reasoning,
}))
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with two answers per question."""
    return write_mmar_run(tmp_path_factory.mktemp("inspect"), repeats=2)


@pytest.fixture(scope="module")
def log(run: Path) -> Path:
    """Its log."""
    need_neighbour("inspect_ai")
    done = call("export", run, "--format", "inspect", "--json")
    assert done.code == 0, done
    (file,) = json.loads(done.out)["files"]
    return Path(file)


def test_inspect_reads_answers_chains_and_both_scores(log: Path, run: Path, tmp_path: Path) -> None:
    read = json.loads(run_neighbour(["-c", READ, log], tmp_path))
    (task,) = json.loads(call("score", run, "--json").out)
    assert read["status"] == "success"
    assert read["scores"] == {name: pytest.approx(task[name]["accuracy"]) for name in ("official", "strict")}
    assert read["summaries"] == len(read["samples"]) == 2 * QUESTIONS
    assert read["reasoning"] == "Take 1: a `|` and <b>tags</b>."
    values = [{name: score["value"] for name, score in one["scores"].items()} for one in read["samples"]]
    assert values[0]["strict"] == values[0]["official"] == "C"
    failed = [one for one in read["samples"] if one["error"] is not None]
    assert {one["error"]["message"] for one in failed} == {"the endpoint answered 503"}
    assert len(failed) == 2 * sum(number % 4 == 3 for number in range(QUESTIONS))


def test_inspect_view_serves_the_log(log: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(PYTHON.with_name("inspect")), "view", "--log-dir", str(log.parent), "--port", str(port)]
    quiet = subprocess.DEVNULL
    environment = neighbours_environment()
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=quiet, stderr=quiet) as viewer:
        try:
            (listed,) = json.loads(_fetched(f"http://127.0.0.1:{port}/api/log-files", viewer))["files"]
            assert listed["name"].endswith(f"/{log.name}")
            name = urllib.parse.quote(listed["name"], safe="")
            served = json.loads(_fetched(f"http://127.0.0.1:{port}/api/logs/{name}", viewer))
            assert served["eval"]["task"] == "mmar"
            assert len(served["samples"]) == 2 * QUESTIONS
        finally:
            viewer.kill()


def _fetched(url: str, viewer: subprocess.Popen[bytes]) -> str:
    """What it answers, once it does."""
    while viewer.poll() is None:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, headers=OF_THE_VIEWER)) as answer:
                return str(answer.read().decode())
        except URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError):
                raise
            time.sleep(0.05)
    raise AssertionError("the viewer ended")
