"""`sbatch` and `srun` as far as a batch file sees them: each node of the allocation is a process of this machine.

`install(folder)` makes both. `sbatch` reads the #SBATCH lines of a file up to its first command, refuses options that
SLURM has not, and runs the file. `srun` starts one process a node, and ends the others where one fails.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

BATCH_OPTIONS = {
    *("job-name", "nodes", "ntasks-per-node", "gpus-per-node", "time", "output", "open-mode", "cpus-per-task", "mem"),
    *("partition", "account", "signal", "dependency", "constraint", "gres"),
}
BATCH_SWITCHES = {"exclusive", "requeue", "no-requeue"}
STEP_OPTIONS = {"ntasks-per-node", "kill-on-bad-exit", "nodes", "wait"}
STEP_SWITCHES = {"label", "unbuffered"}
JOB = "17"


def install(folder: Path) -> Path:
    """Make a folder with both programs, for PATH."""
    folder.mkdir(parents=True)
    for name in ("sbatch", "srun"):
        program = folder / name
        program.write_text(f"#!{sys.executable} -IS\n{Path(__file__).read_text()}")
        program.chmod(0o755)
    return folder


def options(words: list[str], valued: set[str], switches: set[str]) -> tuple[dict[str, str], list[str]]:
    """Parse options up to the first word that is none; end as SLURM does for one that it has not."""
    found: dict[str, str] = {}
    while words and words[0].startswith("-"):
        name, given, value = words[0].removeprefix("--").partition("=")
        if name not in (valued if given else switches):
            sys.exit(f"{Path(sys.argv[0]).name}: unrecognized option '{words[0]}'")
        found[name] = value
        words = words[1:]
    return found, words


def batch() -> int:
    """Run a batch file in an allocation of as many nodes as it asks for."""
    given, (file, *arguments) = options(sys.argv[1:], BATCH_OPTIONS, BATCH_SWITCHES)
    lines = Path(file).read_text().splitlines()
    if not lines[0].startswith("#!"):
        sys.exit("sbatch: error: This does not look like a batch script.")
    written: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith("#"):
            break
        if line.startswith("#SBATCH "):
            written |= options(line.split()[1:], BATCH_OPTIONS, BATCH_SWITCHES)[0]
    asked = {**written, **given}
    nodes = int(asked["nodes"])
    job = {
        "SLURM_JOB_ID": JOB,
        "SLURM_JOB_NUM_NODES": str(nodes),
        "SLURM_NNODES": str(nodes),
        "SLURM_JOB_NODELIST": f"node[0-{nodes - 1}]",
        "SLURM_NTASKS_PER_NODE": asked.get("ntasks-per-node", "1"),
        "SLURM_NODEID": "0",
        "SLURM_PROCID": "0",
        "SLURM_LOCALID": "0",
    }
    return subprocess.run(["bash", file, *arguments], env={**os.environ, **job}, check=False).returncode


def step() -> int:
    """Start a process on each node; the exit status is the highest of theirs."""
    given, command = options(sys.argv[1:], STEP_OPTIONS, STEP_SWITCHES)
    nodes = int(os.environ["SLURM_JOB_NUM_NODES"])
    assert int(given.get("ntasks-per-node", os.environ["SLURM_NTASKS_PER_NODE"])) == 1, (
        "one task a node is stood in for"
    )
    tasks = []
    for node in range(nodes):
        own = {"SLURM_NODEID": str(node), "SLURM_PROCID": str(node), "SLURM_LOCALID": "0"}
        own |= {"SLURMD_NODENAME": os.environ.get("STAND_IN_HOST", f"node{node}"), "SLURM_STEP_NUM_NODES": str(nodes)}
        tasks.append(subprocess.Popen(command, env={**os.environ, **own}))
    ended = False
    while any(task.poll() is None for task in tasks):
        failed = any(task.poll() for task in tasks)
        if failed and given.get("kill-on-bad-exit") == "1" and not ended:
            ended = True
            for task in tasks:
                if task.poll() is None:
                    task.send_signal(signal.SIGTERM)
        time.sleep(0.01)
    return max(128 - task.returncode if task.returncode < 0 else task.returncode for task in tasks)


if __name__ == "__main__":
    sys.exit(batch() if Path(sys.argv[0]).name == "sbatch" else step())
