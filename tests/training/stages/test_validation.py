"""The dev split decides which checkpoint a stage ends with, and when."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from dtbench.training.engines.contract import Metrics
from dtbench.training.engines.dev_figures import DevFigures
from dtbench.training.recipe.settings import Validation
from dtbench.training.stages.layout import StageLayout
from dtbench.training.stages.observers import StageEndedError, ValidationObserver
from dtbench.training.stages.validation import (
    Measurement,
    best_checkpoint,
    describe_best,
    keep_best,
    read_best,
    reason_to_end,
    stage_measurements,
)

EVERY = Validation(data=("dev.jsonl",), every=2)
PATIENT = dataclasses.replace(EVERY, patience=2)


def steps_with(*values: float) -> list[Metrics]:
    """Steps of which every second was measured, with these figures."""
    steps: list[Metrics] = []
    for place, value in enumerate(values, start=1):
        steps += [{"step": 2 * place - 1, "reward/accuracy": 0.5}, {"step": 2 * place, "dev/accuracy": value}]
    return steps


def checkpoint(layout: StageLayout, step: int) -> Path:
    """A whole checkpoint, with the state of an optimizer."""
    folder = layout.engine / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"\2\0\0\0\0\0\0\0{}")
    (folder / "config.json").write_text(json.dumps({"step": step}))
    (folder / "trainer_state.json").write_text("{}")
    (folder / "optimizer.pt").write_bytes(b"large")
    return folder


def store(layout: StageLayout, steps: list[Metrics]) -> None:
    layout.root.mkdir(parents=True, exist_ok=True)
    layout.metrics.write_text("".join(json.dumps(step) + "\n" for step in steps))


def test_the_first_of_the_highest_is_the_best_and_stays_though_the_engine_deletes_it(tmp_path: Path) -> None:
    layout = StageLayout(tmp_path / "stage-1")
    steps = steps_with(0.5, 0.75, 0.75, 0.25)
    for step in (2, 4, 6, 8):
        checkpoint(layout, step)
    store(layout, steps)
    keep_best(layout, EVERY, steps)
    assert json.loads(layout.best_step.read_text()) == {"step": 4, "metric": "accuracy", "value": 0.75}
    kept = layout.best / "checkpoint-4"
    assert kept.joinpath("model.safetensors").samefile(layout.engine / "checkpoint-4" / "model.safetensors")
    for file in (layout.engine / "checkpoint-4").iterdir():
        file.unlink()
    assert sorted(file.name for file in kept.iterdir()) == ["config.json", "model.safetensors", "trainer_state.json"]
    assert best_checkpoint(layout, EVERY) == kept
    assert stage_measurements(layout) == {"step": 4, "metric": "accuracy", "value": 0.75, "last_step": 8}


def test_a_better_checkpoint_takes_the_place_of_the_best_once_it_is_whole(tmp_path: Path) -> None:
    layout = StageLayout(tmp_path / "stage-1")
    checkpoint(layout, 2)
    keep_best(layout, EVERY, steps_with(0.5))
    keep_best(layout, EVERY, steps_with(0.5, 0.75))
    assert read_best(layout.best_step) == Measurement(2, "accuracy", 0.5), "that of step 4 is not saved yet"
    checkpoint(layout, 4)
    keep_best(layout, EVERY, steps_with(0.5, 0.75))
    assert read_best(layout.best_step) == Measurement(4, "accuracy", 0.75)
    assert [path.name for path in layout.best.iterdir()] == ["checkpoint-4"]


def test_a_best_of_steps_that_are_taken_again_is_forgotten(tmp_path: Path) -> None:
    layout = StageLayout(tmp_path / "stage-1")
    checkpoint(layout, 2)
    checkpoint(layout, 4)
    keep_best(layout, EVERY, steps_with(0.5, 0.75))
    keep_best(layout, EVERY, steps_with(0.5))
    assert read_best(layout.best_step) == Measurement(2, "accuracy", 0.5)
    assert [path.name for path in layout.best.iterdir()] == ["checkpoint-2"]


def test_where_the_last_is_wanted_the_best_is_only_named(tmp_path: Path) -> None:
    layout, last = StageLayout(tmp_path / "stage-1"), dataclasses.replace(EVERY, keep_best=False)
    checkpoint(layout, 4)
    layout.best.mkdir()
    keep_best(layout, last, steps_with(0.5, 0.25))
    assert read_best(layout.best_step) == Measurement(2, "accuracy", 0.5)
    assert list(layout.best.iterdir()) == []
    assert best_checkpoint(layout, last) is None


def test_a_stage_ends_once_patience_does_and_what_comes_later_counts_no_more() -> None:
    assert reason_to_end(steps_with(0.5, 0.25), PATIENT) is None
    assert reason_to_end(steps_with(0.5, 0.25, 0.75, 0.5), PATIENT) is None
    assert reason_to_end(steps_with(0.5, 0.25, 0.5, 1.0), PATIENT) == (
        "step 6: accuracy on the dev split has not risen in 2 measurements, since step 2 (0.500), so the stage ends "
        "here."
    )
    assert reason_to_end(steps_with(0.5, 0.25, 0.5, 1.0), EVERY) is None


def test_a_stage_ends_when_the_model_that_was_measured_last_is_saved(tmp_path: Path) -> None:
    layout = StageLayout(tmp_path / "stage-1")
    steps = steps_with(0.5, 0.25, 0.25)
    checkpoint(layout, 2)
    checkpoint(layout, 4)
    store(layout, steps[:4])
    observer = ValidationObserver(layout, PATIENT)
    observer.see(steps[4])
    observer.see(steps[5])
    checkpoint(layout, 6)
    with pytest.raises(StageEndedError, match="step 6: accuracy on the dev split has not risen in 2 measurements"):
        observer.see({"step": 7})
    observer.close()
    assert read_best(layout.best_step) == Measurement(2, "accuracy", 0.5)


def test_what_is_exported_is_told() -> None:
    best = Measurement(4, "accuracy", 0.75)
    assert describe_best(best, 8) == "step 4 of 8 is exported: the best by accuracy on the dev split (0.750)"
    assert describe_best(best, 4) == "the last step, 4, is also the best by accuracy on the dev split (0.750)"


def test_a_step_is_held_until_it_is_measured_and_gets_the_gap_to_the_steps_before() -> None:
    figures = DevFigures(EVERY)
    lines = [{"global_step/max_steps": f"{step}/5"} for step in (1, 2, 3, 4, 5)]
    steps: list[Metrics] = [{"step": step, "reward/accuracy": step / 8} for step in (1, 2, 3, 4, 5)]
    assert figures.add(lines[0], steps[0]) == [steps[0]]
    assert figures.add(lines[1], steps[1]) == []
    measured = {"eval_reward": 1.0, "eval_rewards/accuracy/mean": 0.125, "eval_rewards/accuracy/std": 0.5}
    assert figures.add({**lines[1], **measured, "eval_completions/mean_length": 9.0}, None) == [
        {
            "step": 2,
            "reward/accuracy": 0.25,
            "dev/accuracy": 0.125,
            "dev/reward": 1.0,
            "dev/completion_length": 9.0,
            "dev/gap": 0.0625,
        }
    ]
    assert figures.add(lines[2], steps[2]) == [steps[2]]
    assert figures.add(lines[3], steps[3]) == []
    assert figures.add(lines[4], steps[4]) == [steps[3]], "nothing was measured after it"
    assert figures.release() == [steps[4]], "the last is measured too"
