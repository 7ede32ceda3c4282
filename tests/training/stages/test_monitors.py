"""Rules of a recipe for the figures of its steps: they warn once, or stop the training."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from stand_in_engine import install
from trainer import begun, short_recipe, train
from trainings import made_up_recipe

from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.training.engines.contract import Metrics
from dtbench.training.engines.metrics import read_steps
from dtbench.training.recipe.recipe import check_recipe, load_recipe, recipe_names
from dtbench.training.recipe.settings import MonitorRule
from dtbench.training.stages.layout import Layout, StageLayout
from dtbench.training.stages.monitors import MonitorObserver, monitor_results
from dtbench.training.stages.state import open_state
from dtbench.training.stages.watch import TrainingView

HIGH = MonitorRule(figure="guard_rate", above=0.3, steps=2)
STOP = MonitorRule(figure="length_right", below=10, steps=2, then="stop")


def steps_with(figure: str, *values: float | None) -> list[Metrics]:
    """Steps from 1 on; None for one without the figure."""
    return [
        {"step": float(number), **({} if value is None else {figure: value})}
        for number, value in enumerate(values, start=1)
    ]


def stage_layout(folder: Path) -> StageLayout:
    layout = Layout(folder).stage("stage-1")
    layout.root.mkdir(exist_ok=True)
    return layout


def test_a_rule_warns_at_the_step_that_makes_its_row_long_enough_and_again_after_it_was_kept() -> None:
    steps = steps_with("guard_rate", 0.2, 0.4, None, 0.5, 0.6, 0.1, 0.4, 0.4)
    (found,) = monitor_results([HIGH], steps)
    assert found == {
        "rule": "guard_rate above 0.3",
        "steps": 2,
        "then": "warn",
        "worst": 0.6,
        "worst_step": 5,
        "warned": [4, 8],
        "holds": True,
    }


def test_the_worst_of_a_lower_limit_is_the_lowest_and_a_figure_that_no_step_has_is_unknown() -> None:
    (low,) = monitor_results([STOP], steps_with("length_right", 30, 12, float("nan"), 20))
    assert (low["worst"], low["worst_step"], low["warned"]) == (12, 2, [])
    (none,) = monitor_results([HIGH], steps_with("length_right", 30))
    assert (none["worst"], none["worst_step"], none["holds"]) == (None, None, False)


def test_a_warning_is_given_once_also_where_the_training_was_resumed_in_between(tmp_path: Path) -> None:
    said: list[str] = []
    stage, layout = made_up_recipe().stage[0], stage_layout(tmp_path)
    steps = steps_with("guard_rate", 0.4, 0.5, 0.6, 0.7)
    first = MonitorObserver([HIGH], stage, layout, said.append)
    for step in steps[:3]:
        first.see(step)
    first.close()
    layout.metrics.write_text("".join(json.dumps(step) + "\n" for step in steps[:3]))
    second = MonitorObserver([HIGH], stage, layout, said.append)
    second.see(steps[3])
    second.close()
    (line,) = said
    assert line.startswith("stage-1: step 2: guard_rate above 0.3 for 2 steps (0.5): look at answers in ")
    (stored,) = json.loads(layout.monitors.read_text())
    assert (stored["worst"], stored["warned"]) == (0.7, [2])


def test_a_rule_that_stops_says_which_and_at_which_value(tmp_path: Path) -> None:
    observer = MonitorObserver([STOP], made_up_recipe().stage[0], stage_layout(tmp_path), print)
    first, second = steps_with("length_right", 9, 8)
    observer.see(first)
    with pytest.raises(MachineryError, match=r"stage-1: step 2: length_right below 10 for 2 steps \(8\): the recipe's"):
        observer.see(second)


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        (MonitorRule(figure="guard_rates", above=0.1), "figure = 'guard_rates': unknown. Did you mean guard_rate"),
        (MonitorRule(figure="reward/hybird", above=0.1), "Did you mean reward/hybrid"),
        (MonitorRule(figure="kl"), "monitor kl: either above or below is expected"),
        (MonitorRule(figure="kl", above=1, below=0), "monitor kl: either above or below is expected"),
        (MonitorRule(figure="dev/accuracy", below=0.5), "figure = 'dev/accuracy': unknown"),
    ],
)
def test_a_rule_that_says_nothing_is_refused(rule: MonitorRule, told: str) -> None:
    recipe = dataclasses.replace(load_recipe("mini"), monitor=(rule,))
    with pytest.raises(UserError, match=told):
        check_recipe(recipe, "own.toml")


def test_each_recipe_has_rules_that_warn_of_guards_and_of_marks() -> None:
    for name in recipe_names():
        rules = load_recipe(name).monitor
        assert {"guard_rate", "right_low_marks"} <= {rule.figure for rule in rules}
        assert {rule.then for rule in rules} == {"warn"}


def test_other_rules_may_be_taken_by_a_training_that_was_begun(tmp_path: Path) -> None:
    recipe = load_recipe("mini")
    open_state(tmp_path / "train.json", recipe).write()
    other = dataclasses.replace(recipe, monitor=(STOP,))
    open_state(tmp_path / "train.json", other).write()
    stored = json.loads((tmp_path / "train.json").read_text())["recipe"]["monitor"]
    assert [rule["figure"] for rule in stored] == ["length_right"]


def test_a_training_is_stopped_in_good_order_and_goes_on_without_the_rule(tmp_path: Path) -> None:
    rule = '[[monitor]]\nfigure = "reward"\nabove = 0.3\nsteps = 2\nthen = "stop"\n\n[evaluation]'
    engine = install(tmp_path / "engine")
    recipe, out = short_recipe(tmp_path, ("[evaluation]", rule)), tmp_path / "run"
    begun(recipe, out)
    process = train(recipe, out, "--engine", str(engine))
    _, error = process.communicate(timeout=60)
    assert process.returncode == 3, error
    assert error.splitlines()[-1].startswith(
        "error: stage-1: step 3: reward above 0.3 for 2 steps (0.5): the recipe's monitor stops the training."
    )
    layout = Layout(out).stage("stage-1")
    assert [step["step"] for step in read_steps(layout.metrics)][:3] == [1, 2, 3]
    (stored,) = json.loads(layout.monitors.read_text())
    assert (stored["rule"], stored["warned"]) == ("reward above 0.3", [3])
    state = TrainingView(load_recipe(str(recipe)), Layout(out)).stage_state(load_recipe(str(recipe)).stage[0])
    assert "! reward above 0.3" in [figure.text for figure in state.figures]
