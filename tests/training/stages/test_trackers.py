"""`dtbench train --log`: trackers get each step once, over however many starts, and stop nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from command import call
from trainings import Skill, made_up_recipe, write_base, write_training

from dtbench.harness.export.live_trackers import LiveStart
from dtbench.harness.export.trackers import Logger
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.trackers import TrainingTrackers


class Kept:
    """A tracker that keeps what it is told, and fails at one step."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.starts: list[LiveStart] = []
        self.steps: list[tuple[int, Mapping[str, float]]] = []
        self.fails_at = fails_at

    def logger(self) -> Logger:
        def log(summary: Any, settings: Any) -> None:
            raise AssertionError("its run is live")

        log.live = self.live  # type: ignore[attr-defined]
        return Logger("kept", log)

    def live(self, start: LiveStart) -> Kept:
        self.starts.append(start)
        self.id = start.id if start.resumed else "its own name"
        return self

    def log(self, figures: Mapping[str, float], step: int) -> None:
        if step == self.fails_at:
            self.fails_at = None
            raise RuntimeError("no way to https://user:hunter2-secret@tracker")
        self.steps.append((step, figures))

    def close(self) -> None:
        self.steps.append((-1, {}))


def trained(folder: Path) -> Layout:
    """A training of two stages whose first has three steps."""
    recipe = made_up_recipe()
    (folder / "of-base").mkdir()
    write_base(folder / "of-base", recipe)
    layout = write_training(folder / "run", recipe, folder / "of-base", Skill(0.6), Skill(0.7))
    for stage in recipe.stage:
        steps = ({"step": step, "reward": step / 4, "dev/accuracy": 0.5} for step in (1, 2, 3))
        layout.stage(stage.name).metrics.write_text("".join(json.dumps(step) + "\n" for step in steps))
    return layout


def test_each_step_and_evaluation_is_logged_once_over_several_starts(tmp_path: Path) -> None:
    layout, recipe, kept, said = trained(tmp_path), made_up_recipe(), Kept(), list[str]()
    lines = layout.stage("stage-2").metrics.read_text().splitlines(keepends=True)
    layout.stage("stage-2").metrics.write_text(lines[0])
    first = TrainingTrackers([kept.logger()], recipe, layout, said.append)
    first.step(recipe.stage[1], {"step": 2, "reward": 0.5, "loss": float("nan")})
    first.close()
    again = TrainingTrackers([kept.logger()], recipe, layout, said.append)
    for line in lines:  # from a checkpoint before what was logged
        again.step(recipe.stage[1], json.loads(line))
    again.close()
    assert said == []
    steps = [(step, figures) for step, figures in kept.steps if any("reward" in name for name in figures)]
    assert [step for step, _ in steps] == [1, 2, 3, 4, 5, 6]
    assert steps[0][1] == {"stage-1/reward": 0.25, "stage-1/dev/accuracy": 0.5}
    assert steps[4][1] == {"stage-2/reward": 0.5}
    evaluated = [name for _, figures in kept.steps for name in figures if name.endswith("mini/strict")]
    assert sorted(evaluated) == sorted({*evaluated}), "each once"
    assert [start.resumed for start in kept.starts] == [False, True]
    assert kept.starts[1].id == "its own name"
    assert kept.starts[0].settings["training.beta"] == "0.001"


def test_a_tracker_that_fails_is_told_in_a_line_and_gets_the_rest_at_the_next_start(tmp_path: Path) -> None:
    layout, recipe, kept, said = trained(tmp_path), made_up_recipe(), Kept(fails_at=2), list[str]()
    TrainingTrackers([kept.logger()], recipe, layout, said.append).close()
    (line,) = said
    assert line.startswith("--log kept: failed with RuntimeError: no way to https://***@tracker")
    assert [step for step, _ in kept.steps] == [1]
    TrainingTrackers([kept.logger()], recipe, layout, said.append).close()
    steps = [step for step, figures in kept.steps if any("reward" in name for name in figures)]
    assert (steps, len(said)) == ([1, 2, 3, 4, 5, 6], 1)


def test_a_name_that_is_no_tracker_is_refused_before_anything_starts(tmp_path: Path) -> None:
    done = call("train", "mini", "--out", tmp_path / "run", "--log", "wanbd")
    assert "unknown logger 'wanbd'. Did you mean wandb?" in done.refusal()
    assert not (tmp_path / "run").exists()
