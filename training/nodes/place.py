"""Which role and which rank this node has, by the variables of SLURM, torchrun or Kubernetes.

Trainers come first, then the node that answers, then those of the judge; trainer 0 is node 0, which all others follow.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

from dtbench.harness.core.errors import UserError
from dtbench.training.engines.judge_server import needs_judge
from dtbench.training.recipe.settings import Recipe

Role = Literal["trainer", "rollout", "judge"]
ROLES: tuple[Role, ...] = get_args(Role)
AUTO = "auto"
ADDRESS_VARIABLE = "DTBENCH_NODE_ADDRESS"
"""The host name or address under which other nodes reach this one."""


class Launcher(NamedTuple):
    """The variables in which a launcher says which node this is."""

    name: str
    indexes: tuple[str, ...]
    counts: tuple[str, ...]
    """Of nodes; where none is set, how many there are stays open."""
    local: str
    """The variable that is 0 in the first process of a node."""
    allocation: tuple[str, ...]
    """What tells this allocation from an earlier one."""


LAUNCHERS = (
    Launcher(
        "SLURM",
        ("SLURM_NODEID", "SLURM_PROCID"),
        ("SLURM_STEP_NUM_NODES", "SLURM_JOB_NUM_NODES", "SLURM_NNODES"),
        "SLURM_LOCALID",
        ("SLURM_JOB_ID", "SLURM_RESTART_COUNT"),
    ),
    Launcher(
        "torchrun",
        ("GROUP_RANK", "NODE_RANK", "PET_NODE_RANK"),
        ("GROUP_WORLD_SIZE", "NNODES", "PET_NNODES"),
        "LOCAL_RANK",
        (),
    ),
    Launcher("Kubernetes", ("JOB_COMPLETION_INDEX",), ("NNODES", "JOBSET_NNODES"), "LOCAL_RANK", ()),
)
"""In the order in which they are asked."""
LAUNCHER_VARIABLES = (
    *("RANK", "LOCAL_RANK", "GROUP_RANK", "ROLE_RANK", "ROLE_NAME", "NODE_RANK", "NNODES"),
    *("WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_WORLD_SIZE", "ROLE_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"),
    *("PET_NODE_RANK", "PET_NNODES", "PET_NPROC_PER_NODE", "PET_MASTER_ADDR", "PET_MASTER_PORT", "PET_RDZV_ENDPOINT"),
    *("PMI_RANK", "PMI_SIZE", "TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT", "TORCHELASTIC_USE_AGENT_STORE"),
)
"""What an engine would take for its own, though it was said to us."""


@dataclass(frozen=True, slots=True)
class NodePlace:
    """What a node is."""

    index: int
    """Of all nodes; 0 decides for all."""
    role: Role
    rank: int
    """Of those with its role."""

    def __str__(self) -> str:
        """Name it for messages."""
        return f"node {self.index} ({self.role} {self.rank})"


def places(recipe: Recipe) -> list[NodePlace]:
    """Return every node that a recipe needs, in order."""
    ranks = [(role, rank) for role, count in role_counts(recipe).items() for rank in range(count)]
    return [NodePlace(index, role, rank) for index, (role, rank) in enumerate(ranks)]


def role_counts(recipe: Recipe) -> Mapping[Role, int]:
    """Return how many nodes of each role a recipe needs."""
    machines = recipe.machines
    judged = recipe.judge is not None and any(needs_judge(recipe, stage) for stage in recipe.stage)
    judges = recipe.judge.nodes if recipe.judge is not None and judged else 0
    return {"trainer": machines.nodes, "rollout": int(machines.rollouts == "server"), "judge": judges}


def find_place(recipe: Recipe, role: str, environment: Mapping[str, str]) -> NodePlace:
    """Return what this node is; a UserError where the variables contradict the recipe, or say nothing."""
    if role not in (AUTO, *ROLES):
        raise UserError(f"--role {role}: auto, trainer, rollout or judge is expected.")
    all_places, needed = places(recipe), _needed(recipe)
    mine = [place for place in all_places if role in (AUTO, place.role)]
    if not mine:
        raise UserError(f"--role {role}: the recipe has no such node: it needs {needed}.")
    launcher = find_launcher(environment)
    if launcher is None:
        if len(mine) > 1:
            raise UserError(
                f"--role {role}: the recipe needs {needed}, and neither SLURM, torchrun nor Kubernetes says which one "
                "this is: set NNODES and NODE_RANK on each node."
            )
        return mine[0]
    index, count = node_numbers(launcher, environment)
    found = f"{launcher.name} has {count}" if count is not None else f"{launcher.name} calls this one number {index}"
    if count == len(all_places) != len(mine):  # the numbers are those of all nodes, and the role is given besides
        mine_here = [place for place in mine if place.index == index]
        if not mine_here:
            raise UserError(f"--role {role}: node {index} of {count} is {all_places[index]}: take --role auto.")
        return mine_here[0]
    if (count is not None and count != len(mine)) or not 0 <= index < len(mine):
        nodes = f"{len(mine)} nodes" if len(mine) > 1 else "1 node"
        which = needed if role == AUTO else f"{nodes} with this role"
        raise UserError(f"--role {role}: the recipe needs {which}, {found}: start it on {nodes}, one process on each.")
    return mine[index]


def _needed(recipe: Recipe) -> str:
    """Return how many nodes a recipe needs, such as `9 nodes (7 trainer, 1 rollout, 1 judge)`."""
    counts = {role: count for role, count in role_counts(recipe).items() if count}
    total = sum(counts.values())
    listed = ", ".join(f"{count} {role}" for role, count in counts.items())
    return f"{total} node{'s' if total > 1 else ''} ({listed})"


def find_launcher(environment: Mapping[str, str]) -> Launcher | None:
    """Return the first launcher whose variables are set."""
    return next((one for one in LAUNCHERS if any(name in environment for name in one.indexes)), None)


def node_numbers(launcher: Launcher, environment: Mapping[str, str]) -> tuple[int, int | None]:
    """Return the number of this node and how many there are; a UserError for a second process on it."""
    if environment.get(launcher.local, "0") != "0":
        raise UserError(
            f"{launcher.local} = {environment[launcher.local]}: one `dtbench train` a node is expected, which starts "
            "the processes on it: --ntasks-per-node=1 of srun, --nproc-per-node=1 of torchrun."
        )
    index = next(_number(name, environment) for name in launcher.indexes if name in environment)
    counts = (_number(name, environment) for name in launcher.counts if name in environment)
    return index, next(counts, None)


def _number(name: str, environment: Mapping[str, str]) -> int:
    text = environment[name].strip()
    if not (text.isascii() and text.isdigit()):
        raise UserError(f"{name} = {text!r}: the number of nodes or of this one is expected.")
    return int(text)


def allocation_of(environment: Mapping[str, str]) -> str:
    """Return what tells this allocation of machines from others; empty where nothing does."""
    launcher = find_launcher(environment)
    names = launcher.allocation if launcher is not None else ()
    return ".".join(environment[name] for name in names if environment.get(name))


def node_address(place: NodePlace, environment: Mapping[str, str]) -> str:
    """Return the host name or address under which other nodes reach this one."""
    names = [ADDRESS_VARIABLE, "POD_IP", "SLURMD_NODENAME", *(["MASTER_ADDR"] if place.index == 0 else [])]
    for name in names:
        if environment.get(name):
            return environment[name]
    host = socket.gethostname()
    try:
        found = {str(one[4][0]) for one in socket.getaddrinfo(host, None, socket.AF_INET)}
    except OSError:
        return host
    return next((address for address in sorted(found) if not address.startswith("127.")), host)


def clear_launcher_variables() -> None:
    """Remove from our environment what was said to us alone: the engine gets numbers of its own."""
    for name in LAUNCHER_VARIABLES:
        os.environ.pop(name, None)
