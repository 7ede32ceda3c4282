"""docs/scale.md: its commands work as shown, of fewer questions; its job files do as they say, SLURM set by hand."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import chat_server
import pytest
import yaml
from journeys import unmarked
from pages import DOCS
from runs import records, status, wait_until

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
JOBS: Mapping[str, str] = {
    name: text
    for text, name in re.findall(r"^```bash\n(#!/bin/bash\n# (\w+\.sbatch): .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
}
MANIFESTS = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
MINI = ("mini", "runs/ckpt", "--limit", "24")


def bash(commands: str, folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run commands as a user in a folder would, who has dtbench on the path."""
    path = os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands, "job", *arguments],
        cwd=folder,
        env={**os.environ, "PATH": path, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def in_array(task: int, first: int, last: int) -> Mapping[str, str]:
    """What SLURM tells a task of an array."""
    values = {"ID": task, "MIN": first, "MAX": last, "COUNT": last - first + 1, "STEP": 1}
    return {f"SLURM_ARRAY_TASK_{name}": str(value) for name, value in values.items()}


def listens(port: int) -> bool:
    """Whether something on this machine answers at a port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("commands", COMMANDS, ids=lambda text: text.strip().splitlines()[0])
def test_the_commands_of_the_page_work_as_shown(commands: str, tmp_path: Path) -> None:
    done = bash(commands.replace("--tasks mini --out", "--tasks mini --limit 30 --out"), tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert all(status(run.parent) == "done" for run in tmp_path.rglob("run.json"))


def test_every_block_of_the_page_is_run_here() -> None:
    assert set(JOBS) == {"node.sbatch", "array.sbatch", "servers.sbatch"}
    assert len(COMMANDS) == 2
    assert len(MANIFESTS) == 1
    assert len(re.findall(r"^```\w", PAGE, re.MULTILINE)) == len(JOBS) + len(COMMANDS) + len(MANIFESTS)


def test_what_is_not_executed_says_what_it_needs() -> None:
    assert unmarked(DOCS / "scale.md") == []


def test_the_job_of_kubernetes_asks_the_servers_by_the_name_that_their_service_has(tmp_path: Path) -> None:
    servers, service, job = yaml.safe_load_all(MANIFESTS[0])
    assert service["spec"]["selector"] == servers["spec"]["selector"]["matchLabels"]
    assert servers["spec"]["template"]["metadata"]["labels"] == servers["spec"]["selector"]["matchLabels"]
    (server,) = servers["spec"]["template"]["spec"]["containers"]
    port, name = (server["args"][server["args"].index(flag) + 1] for flag in ("--port", "--served-model-name"))
    (client,) = job["spec"]["template"]["spec"]["containers"]
    where = f"http://{service['metadata']['name']}:{port}/v1"
    with chat_server.chatting(models=(name,)) as chat:
        line = " ".join(client["command"]).replace(where, chat.url).replace("/runs", "runs").replace("mmar", "mini")
        done = bash(f"{line} --limit 2", tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(records(tmp_path / "runs" / "ckpt", "mini")) == 2


def test_the_job_for_one_node_goes_on_where_it_was_preempted(tmp_path: Path) -> None:
    for limit in ("10", "10"):
        done = bash(JOBS["node.sbatch"], tmp_path, "first", "mini", "runs/ckpt", "--limit", limit)
        assert done.returncode == 0, done.stderr
    assert "10 of 10" in done.stderr
    assert len(records(tmp_path / "runs" / "ckpt", "mini")) == 10


def test_the_tasks_of_the_array_are_shards_of_one_run(tmp_path: Path) -> None:
    for task in (1, 4, 2):
        done = bash(JOBS["array.sbatch"], tmp_path, "first", *MINI, **in_array(task, 1, 4))
        assert (done.returncode, f"--shard {task}/4" in done.stderr) == (0, True), done.stderr
    assert status(tmp_path / "runs" / "ckpt") == "interrupted"
    alone = bash(JOBS["array.sbatch"], tmp_path, "first", *MINI, "--shard", "3/4", **in_array(3, 3, 3))
    assert alone.returncode == 0, alone.stderr
    assert status(tmp_path / "runs" / "ckpt") == "done"
    assert len(records(tmp_path / "runs" / "ckpt", "mini")) == 24


def test_a_task_that_is_submitted_again_alone_asks_all_that_is_missing(tmp_path: Path) -> None:
    assert bash(JOBS["array.sbatch"], tmp_path, "first", *MINI, **in_array(2, 1, 3)).returncode == 0
    again = bash(JOBS["array.sbatch"], tmp_path, "first", *MINI, **in_array(3, 3, 3))
    assert again.returncode == 0, again.stderr
    assert len(records(tmp_path / "runs" / "ckpt", "mini")) == 24
    assert status(tmp_path / "runs" / "ckpt") == "done"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the job waits for its servers with curl")
def test_the_client_of_several_servers_waits_for_them_and_asks_all(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    for name, text in {
        "srun": 'exec "$@"',
        "scontrol": "echo 127.0.0.1; echo localhost",
        "vllm": f'echo "$@" > vllm.txt; sleep 1; exec {sys.executable} {chat_server.__file__} "$4"',
    }.items():
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    done = bash(JOBS["servers.sbatch"], tmp_path, "tiny", *MINI, PORT=port, SLURM_JOB_NODELIST="node[1-2]")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "vllm.txt").read_text().split()[:4] == ["serve", "tiny", "--port", port]
    assert len(records(tmp_path / "runs" / "ckpt", "mini")) == 24
    wait_until(lambda: not listens(int(port)))  # the servers end with the job
