"""What `dtbench watch` and the live line say of a training as a whole."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import pytest
from command import call
from trainings import BASE_SKILLS, Skill, ask, made_up_recipe, write_base, write_training

from dtbench.training.recipe.settings import Recipe
from dtbench.training.stages import state
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.watch import TrainingView, planned_evaluations


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return made_up_recipe()


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> Path:
    folder = tmp_path_factory.mktemp("base")
    write_base(folder, recipe)
    return folder


def begun(folder: Path, recipe: Recipe, base: Path, **states: str) -> Layout:
    """A training whose base is evaluated, with its stages in these states."""
    folder.mkdir()
    shutil.copytree(base / "base", folder / "base")
    layout = Layout(folder)
    held = state.open_state(layout.state, recipe)
    held.set_base(state.DONE)
    for name, reached in states.items():
        held.set(name.replace("_", "-"), reached)
    (folder / ".lock").write_text(f"pid {os.getpid()} on {os.uname().nodename}")
    return layout


def steps(layout: Layout, stage: str, count: int, seconds: float = 2.0) -> None:
    path = layout.stage(stage).metrics
    path.parent.mkdir(exist_ok=True)
    lines = [json.dumps({"step": n + 1, "reward": n / 10, "seconds": seconds}) + "\n" for n in range(count)]
    path.write_text("".join(lines))


def once(folder: Path) -> list[str]:
    done = call("watch", folder, "--once")
    assert (done.code, done.err) == (0, "")
    return done.out.splitlines()


def test_evaluations_are_numbered_in_the_order_in_which_they_are_run(tmp_path: Path, recipe: Recipe) -> None:
    labels = [one.label for one in planned_evaluations(recipe, Layout(tmp_path))]
    assert labels[: len(BASE_SKILLS)] == ["base", "base, as-trained", "base, how", "base, listen"]
    assert labels[len(BASE_SKILLS) :] == [
        "base, descriptions",
        "stage-1",
        "stage-2",
        "stage-2, shuffled clips",
        "stage-2, descriptions",
    ]


def test_a_stage_says_its_steps_its_pace_and_the_time_left(tmp_path: Path, recipe: Recipe, base: Path) -> None:
    layout = begun(tmp_path / "run", recipe, base, stage_1=state.PREPARED)
    steps(layout, "stage-1", 10)
    expected = recipe.stage[0].steps
    assert expected is not None
    line, standing = once(tmp_path / "run")
    left = r"[\d hmins]+ left, [\d hmins]+ in all"
    assert re.fullmatch(rf"stage-1 \(1 of 2\): 10 of {expected} steps, 2\.0 s/step, {left}, reward 0\.900", line)
    assert re.fullmatch(r"train .*run \(running\), last written \d+ s ago", standing)


def test_a_stage_before_its_first_step_has_no_pace(tmp_path: Path, recipe: Recipe, base: Path) -> None:
    begun(tmp_path / "run", recipe, base, stage_1=state.PREPARED)
    assert once(tmp_path / "run")[0] == f"stage-1 (1 of 2): 0 of {recipe.stage[0].steps} steps"


def test_the_evaluation_of_a_stage_says_which_of_how_many_it_is(tmp_path: Path, recipe: Recipe, base: Path) -> None:
    layout = begun(tmp_path / "run", recipe, base, stage_1=state.EXPORTED)
    assert once(tmp_path / "run")[0] == "evaluation 6 of 9: stage-1"
    ask(layout.stage("stage-1").eval, Skill(0.5), "seed")
    info = json.loads((layout.stage("stage-1").eval / "run.json").read_text())
    info["status"] = "running"
    (layout.stage("stage-1").eval / "run.json").write_text(json.dumps(info))
    line = once(tmp_path / "run")[0]
    assert re.match(r"evaluation 6 of 9: 100 of 100, stage-1, .*\d+\.\d% right, 0 unanswered, 0 failed", line), line


def test_the_line_of_a_training_fits_any_terminal(tmp_path: Path, recipe: Recipe, base: Path) -> None:
    layout = begun(tmp_path / "run", recipe, base, stage_1=state.PREPARED)
    steps(layout, "stage-1", 10)
    view = TrainingView(recipe, layout)
    name, told = view.stage_name(recipe.stage[0]), view.stage_state(recipe.stage[0])
    assert "2.0 s/step" in told.fitted(name, 80)
    assert "in all" in told.fitted(name, 100)
    assert told.fitted(name, 30).startswith("stage-1 (1 of 2) 10/")


def test_a_training_that_was_killed_is_told(tmp_path: Path, recipe: Recipe, base: Path) -> None:
    layout = begun(tmp_path / "run", recipe, base, stage_1=state.PREPARED)
    (layout.root / ".lock").write_text(f"pid 4194304 on {os.uname().nodename}")
    done = call("watch", layout.root)
    assert done.code == 3
    assert f"({state_words(done.err)})" == "(killed)"
    (layout.root / "run.log").write_text("2026-01-01T00:00:00Z INFO harness.store.run_log: ended: interrupted\n")
    assert call("watch", layout.root).code == 130


def state_words(text: str) -> str:
    return text.splitlines()[-1].partition("(")[2].partition(")")[0]


def test_a_finished_training_is_done(tmp_path: Path, recipe: Recipe, base: Path) -> None:
    layout = write_training(tmp_path / "run", recipe, base, Skill(0.6, "full"), Skill(0.7, "full"))
    (layout.root / "outcome.json").write_text("{}")
    done = call("watch", layout.root)
    assert (done.code, state_words(done.err)) == (0, "done")
    first, second = once(layout.root)[:2]
    share = r"100 of 100 answers, \d\d\.0% right, 0\.0% lucky, 100\.0% in form, 5\.0 criteria met, \d\d\.\d words"
    assert re.fullmatch(rf"stage-1, evaluated: {share}", first), first
    assert second.startswith("stage-2, evaluated: ")
    told = json.loads(call("watch", layout.root, "--once", "--json").out)["tasks"]
    assert [(one["task"], one["measures"]["criteria"]) for one in told] == [
        ("stage-1, evaluated", 5.0),
        ("stage-2, evaluated", 5.0),
    ]
    assert told[0]["correct"] == told[0]["measures"]["right"]
