"""`dtbench judge` with a real vLLM server as the judge, held to the form of a verdict by structured output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command import process
from judges import chain_of, mmar_with_criteria
from made_up_run import write_run
from vllm_process import Server

from dtbench.harness.store.judged_types import JudgeRecord
from dtbench.harness.store.run_folder import StoredRun

pytestmark = pytest.mark.engine

CALLS = 3
MARK = r'\{{"name": "Point {}", "score": [01], "justification": "[a-z]{{4}}"\}}'
VERDICT = r"\[" + ", ".join(MARK.format(number) for number in range(5)) + r"\]"


def test_a_real_server_judges_every_chain_and_each_verdict_is_stored(vllm_server: Server, tmp_path: Path) -> None:
    mmar_with_criteria(tmp_path / "mmar", 4)
    write_run(tmp_path / "run", {"mmar": tmp_path / "mmar"}, lambda sample, repeat: chain_of(sample, 2))
    form = json.dumps({"structured_outputs": {"regex": VERDICT}})
    command = ["judge", str(tmp_path / "run"), "--model", vllm_server.model, "--base-url", f"{vllm_server.url}/v1"]
    options = ["--calls", str(CALLS), "-M", f"extra={form}", "-M", "max_tokens=600", "--json"]
    done = process(*command, *options)
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["n"], told["unscored"], told["calls"]) == (4, 0, CALLS)
    assert 0 <= told["rubrics"] <= 100
    stored = list(StoredRun.open(tmp_path / "run" / "judge-tiny", "judge").records_as("mmar", JudgeRecord))
    assert len(stored) == 4 * CALLS
    assert all(len(record["verdict"]["why"]["Point 4"]) == 4 for record in stored)
    assert told["tokens"]["completion_tokens"] == sum(r["response"]["usage"]["completion_tokens"] for r in stored)
