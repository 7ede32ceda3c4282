"""Train a recipe on nodes of a Ray cluster, one `dtbench train` on each; the entry point of `ray job submit`.

    ray job submit --working-dir training/launch -- python ray_job.py --nodes 9 RECIPE --out DIR

DIR is a folder that every node sees. `dtbench train RECIPE --out DIR --dry-run` says how many nodes are needed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

USERS_INPUT, INTERRUPTED = 2, 130
POLL_SECONDS = 0.2
_OF_ANOTHER_LAUNCHER = ("SLURM_", "JOB_COMPLETION_INDEX", "JOBSET_", "PET_", "TORCHELASTIC_")
"""Variables in which whatever started Ray numbered its own processes."""


def arguments_of(words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return our own arguments, and those of `dtbench train`."""
    parser = argparse.ArgumentParser(description="Train a recipe on the nodes of a Ray cluster.", allow_abbrev=False)
    parser.add_argument("--nodes", type=int, required=True, help="nodes, one `dtbench train` on each")
    parser.add_argument("--gpus", type=int, default=8, help="GPUs that are taken on each; 8 unless it is said")
    parser.add_argument("--restarts", type=int, default=3, help="how often all start anew after one has failed")
    return parser.parse_known_args(words)


def train_on_node(words: Sequence[str], node: Mapping[str, str]) -> int:
    """Run `dtbench train` on this node, and return its exit status."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OF_ANOTHER_LAUNCHER)}
    command = ["dtbench", "train", *words, "--role", "auto"]
    with subprocess.Popen(command, env={**inherited, **node}) as process:
        try:
            while process.poll() is None:
                time.sleep(POLL_SECONDS)  # Ray's way to cancel a task interrupts no wait for a process
            return process.returncode
        except BaseException:  # the task is cancelled: dtbench ends its engine in good order
            process.terminate()
            process.wait()
            raise


def address_of_node() -> str:
    """Return the address under which the other nodes reach this one."""
    import ray

    return str(ray.util.get_node_ip_address())


def run_together(words: Sequence[str], group: Any, nodes: int, gpus: int) -> int:
    """Start every node, end all as soon as one fails, and return the exit status of the one that failed first."""
    import ray
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    def on(index: int, function: Any) -> Any:
        place = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=index)
        return ray.remote(function).options(
            num_cpus=1, num_gpus=gpus if function is train_on_node else 0, max_retries=0, scheduling_strategy=place
        )

    addresses = ray.get([on(index, address_of_node).remote() for index in range(nodes)])
    tasks = []
    for index, address in enumerate(addresses):
        node = {"NNODES": str(nodes), "NODE_RANK": str(index), "MASTER_ADDR": addresses[0]}
        tasks.append(on(index, train_on_node).remote(list(words), {**node, "DTBENCH_NODE_ADDRESS": address}))
    running, code = tasks, 0
    while running and not code:
        (ended, *_), running = ray.wait(running, num_returns=1)
        try:
            code = int(ray.get(ended))
        except ray.exceptions.RayError as error:  # the node is gone
            print(f"dtbench: {error}", file=sys.stderr, flush=True)
            code = 1
    for task in running:
        ray.cancel(task, force=False)
    ray.wait(running, num_returns=len(running), timeout=120.0) if running else None
    return code


def main() -> int:
    """Train, and start all nodes anew where one has failed; return the last exit status."""
    own, words = arguments_of(sys.argv[1:])
    import ray

    ray.init(address="auto", log_to_driver=True)
    group = ray.util.placement_group([{"CPU": 2, "GPU": own.gpus}] * own.nodes, strategy="STRICT_SPREAD")
    ray.get(group.ready())
    code = 0
    for start in range(own.restarts + 1):
        code = run_together(words, group, own.nodes, own.gpus)
        if code in {0, USERS_INPUT, INTERRUPTED}:
            break
        print(f"dtbench: a node ended with exit {code}, after {start} of {own.restarts} restarts", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
