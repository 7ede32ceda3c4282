"""A training on three nodes, two that train and one that answers, of which one is killed in each phase."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from chat_server import Chat, Turn, chatting
from killed_trainings import QUESTIONS, losses, recipe_file
from processes import descendants
from several_nodes import NODES, SeveralNodes, free_port, on_three_nodes
from stand_in_engine import install
from trainer import begun, engine_place, short_recipe

from dtbench.training.engines.metrics import read_steps
from dtbench.training.recipe.recipe import load_recipe
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.watch import planned_evaluations

MINED = (
    "questions = 40\nsteps = 4",
    'questions = 40\nmine = { from = "stage-1", samples = 2, pass = [0, 2] }\nsteps = 4',
)


@pytest.fixture
def chat() -> Iterator[Chat]:
    with chatting(default=Turn("(B)", delay=0.03)) as found:
        yield found


@pytest.fixture
def nodes(tmp_path: Path, chat: Chat) -> Iterator[SeveralNodes]:
    recipe = recipe_file(tmp_path, chat, *on_three_nodes(), MINED)
    environment = {"DTBENCH_ENGINE": str(install(tmp_path / "engine")), "STAND_IN_STEP": "0.3"}
    three = SeveralNodes(recipe, tmp_path / "run", environment)
    try:
        yield three
    finally:
        three.end()


def test_one_of_three_nodes_is_killed_in_each_phase_and_every_step_is_done_once(nodes: SeveralNodes) -> None:
    layout, out = Layout(nodes.out), nodes.out
    stage_1, stage_2 = (layout.stage(name) for name in ("stage-1", "stage-2"))
    nodes.start()

    nodes.wait_until(lambda: (layout.base_eval / "run.json").exists())
    nodes.kill(0)
    nodes.wait_until(lambda: len(read_steps(stage_1.metrics)) >= 3)
    nodes.kill(1)
    nodes.wait_until(lambda: nodes.state()["stage-1"] in {"trained", "exported"})
    nodes.kill(0)
    nodes.wait_until(lambda: (stage_1.eval / "run.json").exists())
    nodes.kill(1)
    nodes.wait_until(lambda: (stage_2.mined_run / "run.json").exists())
    nodes.kill(0)
    nodes.wait_until(lambda: nodes.report(2)["state"] == "ready" and nodes.attempts()[-1]["stage"] == "stage-2")
    nodes.kill(2)
    nodes.wait_until(lambda: len(read_steps(stage_2.metrics)) >= 1)
    for worker in nodes.processes("swift worker", 1)[:1]:
        os.kill(worker.pid, signal.SIGKILL)

    assert nodes.codes() == [0, 0, 0], nodes.said()
    assert nodes.killed == ["trainer 0", "trainer 1", "trainer 0", "trainer 1", "trainer 0", "rollout 0"]
    recipe = load_recipe(str(nodes.recipe))
    runs = [run for _, run in planned_evaluations(recipe, layout)]
    assert losses(recipe, out, runs, QUESTIONS) == (0, 0)
    attempts = nodes.attempts()
    assert [one["attempt"] for one in attempts] == list(range(1, len(attempts) + 1))
    resumed = [Path(one["resume"]).name for one in attempts if one["stage"] == "stage-1" and one["resume"]]
    assert resumed
    assert set(resumed) <= {"checkpoint-2", "checkpoint-4"}
    assert all([node["role"] for node in one["nodes"]] == ["trainer", "trainer", "rollout"] for one in attempts)


def test_ctrl_c_on_node_0_ends_every_node_with_130_and_leaves_no_process(nodes: SeveralNodes) -> None:
    begun(nodes.recipe, nodes.out)
    nodes.start()
    nodes.wait_until(lambda: read_steps(Layout(nodes.out).stage("stage-1").metrics))
    started = [one for process in nodes.running.values() for one in descendants(process.pid)]
    nodes.running[0].send_signal(signal.SIGINT)
    assert nodes.codes() == [130, 130, 130], nodes.said()
    assert not [one for one in started if one.alive]


if "DTBENCH_WHOLE" in os.environ:  # `make train-nodes`: a quarter of an hour

    @pytest.mark.engine
    def test_the_real_engine_trains_on_two_nodes_of_which_one_is_killed_in_each_phase(tmp_path: Path) -> None:
        machines = ("processes = 2", f"processes = 1\nnodes = 2\nport = {free_port()}")
        recipe, layout = short_recipe(tmp_path, machines, MINED), Layout(tmp_path / "run")
        stage_1, stage_2 = (layout.stage(name) for name in ("stage-1", "stage-2"))
        environment = {"DTBENCH_ENGINE": str(engine_place()), "OMP_NUM_THREADS": "1"}
        nodes = SeveralNodes(recipe, layout.root, environment, NODES[:2])
        try:
            nodes.start()
            nodes.wait_until(lambda: (layout.base_eval / "run.json").exists())
            nodes.kill(0)
            nodes.wait_until(lambda: len(read_steps(stage_1.metrics)) >= 3)
            nodes.kill(1)
            nodes.wait_until(lambda: (stage_1.eval / "run.json").exists())
            nodes.kill(0)
            nodes.wait_until(lambda: (stage_2.mined_run / "run.json").exists())
            nodes.kill(0)
            nodes.wait_until(lambda: len(read_steps(stage_2.metrics)) >= 1)
            nodes.kill(1)
            assert nodes.codes() == [0, 0], nodes.said()
        finally:
            nodes.end()
        for stage, steps in ((stage_1, 6), (stage_2, 4)):
            assert [step["step"] for step in read_steps(stage.metrics)] == list(range(1, steps + 1))
        attempts = nodes.attempts()
        assert [one["resume"] for one in attempts if one["stage"] == "stage-1"][-1].endswith("checkpoint-2")
        assert len([one for one in attempts if one["stage"] == "stage-2"]) == 2
