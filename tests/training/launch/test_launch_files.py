"""The files that start a training on a cluster, each run by a stand-in of its scheduler with three nodes.

What they start is a `dtbench` that writes down what it is told, and finds its place as the real one does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import stand_in_ray
import stand_in_slurm
import yaml
from stand_in_kubelet import JOBSET, JobSetFile, unknown_fields

from dtbench.training import launch
from dtbench.training.recipe.recipe import load_recipe

FILES = Path(launch.__file__).parent
NAMES = (
    *("SLURM_NODEID", "SLURM_PROCID", "SLURM_STEP_NUM_NODES", "JOB_COMPLETION_INDEX", "NNODES", "NODE_RANK"),
    *("POD_IP", "DTBENCH_NODE_ADDRESS", "MASTER_ADDR"),
)
DTBENCH = """
import json, os, pathlib, signal, sys, time
folder = pathlib.Path(os.environ["RECORDED"])
names = {names}
found = dict(words=sys.argv[1:], **{{name: os.environ[name] for name in names if name in os.environ}})
rank = next((found[name] for name in ("SLURM_NODEID", "JOB_COMPLETION_INDEX", "NODE_RANK") if name in found), "0")
if "--dry-run" in sys.argv:
    sys.exit(2 if "wrong" in sys.argv else 0)
def end(*_):
    (folder / f"ended-{{rank}}").touch()
    sys.exit(130)
signal.signal(signal.SIGTERM, end)
with (folder / f"node-{{rank}}").open("a") as file:
    file.write(json.dumps(found) + "\\n")
def starts(node):
    path = folder / f"node-{{node}}"
    return path.read_text().count("\\n") if path.exists() else 0
until = time.monotonic() + 20
while min(starts(node) for node in range(3)) < starts(rank) and time.monotonic() < until:
    time.sleep(0.01)
failing = json.loads(os.environ["FAILING"])
if rank == "1" and len(failing) >= starts(rank):
    sys.exit(failing[starts(rank) - 1])
if len(failing) >= starts(rank):
    time.sleep(20)  # until it is ended
"""


class Nodes(NamedTuple):
    """Where three nodes write down what they are told."""

    folder: Path
    environment: Mapping[str, str]

    def starts(self) -> list[list[dict[str, Any]]]:
        """What each node was told at each of its starts."""
        files = [self.folder / f"node-{node}" for node in range(3)]
        return [[json.loads(line) for line in file.read_text().splitlines()] for file in files if file.exists()]

    def ended(self) -> set[str]:
        """The nodes that were ended by a signal."""
        return {file.name.removeprefix("ended-") for file in self.folder.glob("ended-*")}


def nodes(folder: Path, *failing: int) -> Nodes:
    """Nodes of which the second fails with these exit statuses, one a start, until it does not."""
    program = folder / "bin" / "dtbench"
    program.parent.mkdir()
    program.write_text(f"#!{sys.executable} -IS\n{DTBENCH.format(names=NAMES)}")
    program.chmod(0o755)
    slurm = stand_in_slurm.install(folder / "slurm")
    path = os.pathsep.join([str(program.parent), str(slurm), os.environ["PATH"]])
    return Nodes(folder, {"PATH": path, "RECORDED": str(folder), "FAILING": json.dumps(failing)})


def ran(command: Sequence[str | Path], there: Nodes, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **there.environment, **more}
    return subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, check=False)


def batch(there: Nodes, *words: str) -> subprocess.CompletedProcess[str]:
    """Submit the batch file on three nodes."""
    return ran(["sbatch", "--nodes=3", FILES / "slurm.sbatch", "mini", "/runs/x", *words], there)


def test_slurm_starts_the_same_command_on_every_node(tmp_path: Path) -> None:
    there = nodes(tmp_path)
    done = batch(there, "--seed", "3")
    assert (done.returncode, done.stderr) == (0, "")
    words = ["train", "mini", "--out", "/runs/x", "--role", "auto", "--seed", "3"]
    place = [{"SLURM_NODEID": str(n), "SLURM_PROCID": str(n), "SLURM_STEP_NUM_NODES": "3"} for n in range(3)]
    assert there.starts() == [[{"words": words, **one}] for one in place]


def test_slurm_ends_all_nodes_with_one_that_fails_and_starts_them_anew(tmp_path: Path) -> None:
    there = nodes(tmp_path, 3)
    done = batch(there)
    assert (done.returncode, done.stderr) == (0, "dtbench: ended with exit 130: restart 1 of 3\n")
    assert [len(starts) for starts in there.starts()] == [2, 2, 2]
    assert there.ended() == {"0", "2"}


def test_slurm_gives_up_after_so_many_restarts(tmp_path: Path) -> None:
    there = nodes(tmp_path, 3, 3, 3)
    done = ran(["sbatch", "--nodes=3", FILES / "slurm.sbatch", "mini", "/runs/x"], there, DTBENCH_RESTARTS="1")
    assert done.returncode == 130
    assert [len(starts) for starts in there.starts()] == [2, 2, 2]


def test_slurm_starts_nothing_for_a_recipe_that_is_refused(tmp_path: Path) -> None:
    there = nodes(tmp_path)
    assert batch(there, "wrong").returncode == 2
    assert there.starts() == []


def test_the_batch_file_says_what_is_missing_and_has_no_option_that_slurm_has_not(tmp_path: Path) -> None:
    there = nodes(tmp_path)
    done = ran(["sbatch", FILES / "slurm.sbatch", "mini"], there)
    assert done.returncode != 0
    assert "usage: sbatch --nodes=N slurm.sbatch RECIPE DIR [option ...]" in done.stderr
    own = tmp_path / "own.sbatch"
    own.write_text((FILES / "slurm.sbatch").read_text().replace("--requeue", "--requeued"))
    assert "unrecognized option '--requeued'" in ran(["sbatch", own, "mini", "/runs/x"], there).stderr


def jobset(count: int = 3) -> JobSetFile:
    """The JobSet with so many nodes."""
    text = (FILES / "jobset.yaml").read_text()
    return JobSetFile(text.replace(": 9", f": {count}").replace('"9"', f'"{count}"'))


def test_the_jobset_has_a_pod_for_each_node_of_its_recipe() -> None:
    found = JobSetFile((FILES / "jobset.yaml").read_text())
    recipe = load_recipe(found.container["args"][0])
    assert recipe.judge is not None
    needed = recipe.machines.nodes + 1 + recipe.judge.nodes
    count = next(one["value"] for one in found.container["env"] if one["name"] == "NNODES")
    assert (found.job["parallelism"], found.job["completions"], int(count)) == (needed, needed, needed)
    assert (found.job["completionMode"], found.job["backoffLimit"], found.pod["restartPolicy"]) == (
        "Indexed",
        0,
        "Never",
    )
    assert found.container["resources"]["limits"] == {"nvidia.com/gpu": recipe.machines.processes}
    assert {one["name"] for one in found.pod["volumes"]} == {one["name"] for one in found.container["volumeMounts"]}


def test_kubernetes_starts_the_same_command_in_every_pod_with_the_index_that_it_has(tmp_path: Path) -> None:
    there = nodes(tmp_path)
    pods = jobset().run(tmp_path / "volume", there.environment)
    assert (pods.codes, pods.restarts) == ([0, 0, 0], 0)
    out = f"{tmp_path}/volume/qwen3-omni-30b"
    words = ["train", "qwen3-omni-30b", "--out", out, "--role", "auto"]
    place = [{"JOB_COMPLETION_INDEX": str(n), "NNODES": "3", "POD_IP": "127.0.0.1"} for n in range(3)]
    assert there.starts() == [[{"words": words, **one}] for one in place]


@pytest.mark.parametrize(("code", "restarts"), [(3, 1), (2, 0)])
def test_kubernetes_starts_all_pods_anew_but_not_for_what_a_user_has_to_mend(
    tmp_path: Path, code: int, restarts: int
) -> None:
    there = nodes(tmp_path, code)
    pods = jobset().run(tmp_path / "volume", there.environment)
    assert (pods.restarts, pods.failed_at_once) == (restarts, code == 2)
    assert [len(starts) for starts in there.starts()] == [1 + restarts] * 3
    assert there.ended() == {"0", "2"}


def test_a_field_that_kubernetes_has_not_is_found() -> None:
    content = yaml.safe_load((FILES / "jobset.yaml").read_text())
    content["spec"]["replicatedJobs"][0]["template"]["spec"]["completion"] = 9
    content["spec"]["failurePolicy"]["maxRestarts"] = "3"
    assert sorted(unknown_fields(content, JOBSET)) == [
        ".spec.failurePolicy.maxRestarts: '3' is no int",
        ".spec.replicatedJobs[0].template.spec.completion: unknown",
    ]


def ray_job(there: Nodes, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the entry point of the Ray job on three nodes."""
    package = there.folder / "ray-package"
    if not package.exists():
        stand_in_ray.install(package)
    command: list[str | Path] = [
        sys.executable,
        FILES / "ray_job.py",
        "--nodes",
        "3",
        "mini",
        "--out",
        "/runs/x",
        "--seed",
        "3",
    ]
    return ran(command, there, PYTHONPATH=str(package), **more)


def test_ray_starts_the_same_command_on_every_node_whatever_started_ray(tmp_path: Path) -> None:
    there = nodes(tmp_path)
    done = ray_job(there, SLURM_NODEID="7", SLURM_PROCID="7", JOB_COMPLETION_INDEX="7")
    assert (done.returncode, done.stderr) == (0, "")
    words = ["train", "mini", "--out", "/runs/x", "--seed", "3", "--role", "auto"]
    place = [
        {"NNODES": "3", "NODE_RANK": str(n), "DTBENCH_NODE_ADDRESS": f"127.0.0.{n + 1}", "MASTER_ADDR": "127.0.0.1"}
        for n in range(3)
    ]
    assert there.starts() == [[{"words": words, **one}] for one in place]


@pytest.mark.parametrize(("code", "starts"), [(3, 2), (2, 1)])
def test_ray_ends_all_nodes_with_one_that_fails_and_starts_them_anew_unless_a_user_has_to_mend_it(
    tmp_path: Path, code: int, starts: int
) -> None:
    there = nodes(tmp_path, code)
    done = ray_job(there)
    assert done.returncode == (0 if code == 3 else 2)
    assert [len(one) for one in there.starts()] == [starts] * 3
    assert there.ended() == {"0", "2"}
