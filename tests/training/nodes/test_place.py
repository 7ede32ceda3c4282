"""Which role and rank a node has, by the variables of each launcher, and what contradicts a recipe."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dtbench.harness.core.errors import UserError
from dtbench.training.nodes.place import NodePlace, allocation_of, find_place, node_address, places
from dtbench.training.recipe.recipe import load_recipe
from dtbench.training.recipe.settings import Recipe


def large() -> Recipe:
    """Seven trainers, a node that answers and one of the judge."""
    return load_recipe("qwen3-omni-30b")


def slurm(node: int, nodes: int = 9) -> Mapping[str, str]:
    """What srun sets with one task a node."""
    return {
        "SLURM_JOB_ID": "77",
        "SLURM_NODEID": str(node),
        "SLURM_PROCID": str(node),
        "SLURM_LOCALID": "0",
        "SLURM_JOB_NUM_NODES": str(nodes),
    }


TORCHRUN = {"GROUP_RANK": "7", "GROUP_WORLD_SIZE": "9", "LOCAL_RANK": "0", "RANK": "7", "WORLD_SIZE": "9"}


def test_a_recipe_needs_its_trainers_first_then_the_node_that_answers_then_the_judge() -> None:
    assert [place.role for place in places(large())] == [*["trainer"] * 7, "rollout", "judge"]
    assert [place.rank for place in places(large())] == [*range(7), 0, 0]


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        (slurm(0), NodePlace(0, "trainer", 0)),
        (slurm(6), NodePlace(6, "trainer", 6)),
        (slurm(8), NodePlace(8, "judge", 0)),
        ({"SLURM_PROCID": "7", "SLURM_JOB_NUM_NODES": "9"}, NodePlace(7, "rollout", 0)),
        (TORCHRUN, NodePlace(7, "rollout", 0)),
        ({"NODE_RANK": "3", "NNODES": "9"}, NodePlace(3, "trainer", 3)),
        ({"PET_NODE_RANK": "3", "PET_NNODES": "9"}, NodePlace(3, "trainer", 3)),
        ({"JOB_COMPLETION_INDEX": "8"}, NodePlace(8, "judge", 0)),
        ({**slurm(1), **TORCHRUN, "JOB_COMPLETION_INDEX": "8"}, NodePlace(1, "trainer", 1)),
        ({**TORCHRUN, "JOB_COMPLETION_INDEX": "8"}, NodePlace(7, "rollout", 0)),
    ],
)
def test_each_launchers_variables_say_which_node_this_is(environment: Mapping[str, str], place: NodePlace) -> None:
    assert find_place(large(), "auto", environment) == place


@pytest.mark.parametrize(
    ("role", "environment", "place"),
    [
        ("trainer", {"NODE_RANK": "6", "NNODES": "7"}, NodePlace(6, "trainer", 6)),
        ("trainer", slurm(6), NodePlace(6, "trainer", 6)),
        ("rollout", {"JOB_COMPLETION_INDEX": "0"}, NodePlace(7, "rollout", 0)),
        ("rollout", {}, NodePlace(7, "rollout", 0)),
        ("judge", slurm(8), NodePlace(8, "judge", 0)),
    ],
)
def test_a_role_may_be_given_and_its_rank_is_that_within_it(
    role: str, environment: Mapping[str, str], place: NodePlace
) -> None:
    assert find_place(large(), role, environment) == place


@pytest.mark.parametrize(
    ("role", "environment", "said"),
    [
        (
            "auto",
            slurm(0, 4),
            "--role auto: the recipe needs 9 nodes (7 trainer, 1 rollout, 1 judge), SLURM has 4: start it on 9 nodes, "
            "one process on each.",
        ),
        (
            "trainer",
            {"NODE_RANK": "0", "NNODES": "4"},
            "--role trainer: the recipe needs 7 nodes with this role, torchrun has 4: start it on 7 nodes, "
            "one process on each.",
        ),
        (
            "auto",
            {"JOB_COMPLETION_INDEX": "9"},
            "--role auto: the recipe needs 9 nodes (7 trainer, 1 rollout, 1 judge), Kubernetes calls this one "
            "number 9: start it on 9 nodes, one process on each.",
        ),
        (
            "auto",
            {},
            "--role auto: the recipe needs 9 nodes (7 trainer, 1 rollout, 1 judge), and neither SLURM, torchrun nor "
            "Kubernetes says which one this is: set NNODES and NODE_RANK on each node.",
        ),
        ("rollout", slurm(2), "--role rollout: node 2 of 9 is node 2 (trainer 2): take --role auto."),
        ("worker", slurm(2), "--role worker: auto, trainer, rollout or judge is expected."),
        ("auto", {"NODE_RANK": "one"}, "NODE_RANK = 'one': the number of nodes or of this one is expected."),
        (
            "auto",
            {**slurm(0), "SLURM_LOCALID": "1"},
            "SLURM_LOCALID = 1: one `dtbench train` a node is expected, which starts the processes on it: "
            "--ntasks-per-node=1 of srun, --nproc-per-node=1 of torchrun.",
        ),
    ],
)
def test_what_contradicts_the_recipe_is_one_line(role: str, environment: Mapping[str, str], said: str) -> None:
    with pytest.raises(UserError) as refused:
        find_place(large(), role, environment)
    assert str(refused.value) == said


def test_a_role_that_the_recipe_has_not_is_refused() -> None:
    with pytest.raises(UserError, match=r"--role judge: the recipe has no such node: it needs 1 node \(1 trainer\)"):
        find_place(load_recipe("mini"), "judge", {})


def test_an_allocation_is_that_of_slurm_and_of_its_restart() -> None:
    assert allocation_of(slurm(3)) == "77"
    assert allocation_of({**slurm(3), "SLURM_RESTART_COUNT": "2"}) == "77.2"
    assert allocation_of({"NODE_RANK": "3"}) == ""


def test_a_node_is_reached_where_its_user_or_its_launcher_says() -> None:
    first, second = NodePlace(0, "trainer", 0), NodePlace(1, "trainer", 1)
    pod = {"POD_IP": "10.0.0.7", "MASTER_ADDR": "head"}
    assert node_address(second, {**pod, "DTBENCH_NODE_ADDRESS": "ib-7"}) == "ib-7"
    assert node_address(second, pod) == "10.0.0.7"
    assert node_address(second, {"SLURMD_NODENAME": "gpu-7"}) == "gpu-7"
    assert node_address(first, {"MASTER_ADDR": "head"}) == "head"
    assert node_address(second, {"MASTER_ADDR": "head"}) != "head"
