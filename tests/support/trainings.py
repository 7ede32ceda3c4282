"""Folders of finished trainings, written by the code that writes real ones; only the answers are made up."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from made_up_run import answered, settings_of

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.schema import Sample
from dtbench.harness.run.plan import PromptForm, TaskPlan
from dtbench.harness.store.run_folder import RunFolder
from dtbench.tasks import registry as task_registry
from dtbench.training.recipe.recipe import load_recipe
from dtbench.training.recipe.settings import Recipe
from dtbench.training.stages import state
from dtbench.training.stages.describe_task import SPEC
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.outcome import base_prompts

QUESTIONS = 100
"""Of the test of mini; as many of each difficulty, by and large."""


class Skill(NamedTuple):
    """How a made-up model does."""

    right: float
    """The share of questions that it answers rightly."""
    chain: str = ""
    """full: the reference chain in the wanted form; answer: a chain that only says the answer; empty: none."""


def made_up_recipe(arm: str | None = None, seed: int = 0) -> Recipe:
    """The recipe mini with two prompts for the base."""
    found = load_recipe("mini", arm)
    two = {"how": "{question}\n{options}\nwrite how .", "listen": "{question}\n{options}\nlisten ."}
    return dataclasses.replace(found, seed=seed, evaluation=dataclasses.replace(found.evaluation, base_prompts=two))


BASE_SKILLS = {
    "base": Skill(0.5),
    "as-trained": Skill(0.1, "answer"),
    "how": Skill(0.55, "answer"),
    "listen": Skill(0.3),
}


def write_base(folder: Path, recipe: Recipe) -> None:
    """What the untrained model says, in every way in which it is asked."""
    layout = Layout(folder)
    for name, skill in BASE_SKILLS.items():
        ask(layout.base_eval if name == "base" else layout.base_eval_of(name), skill)
    assert {"base", *base_prompts(recipe)} == set(BASE_SKILLS)
    describe(layout.base_described, 0.8)


def write_training(folder: Path, recipe: Recipe, base: Path, *skills: Skill) -> Layout:
    """A finished training: a skill a stage; with the clips of others, it answers by chance."""
    layout = Layout(folder)
    shutil.copytree(base / "base", folder / "base")
    held = state.open_state(layout.state, recipe)
    held.set_base(state.DONE)
    for stage, skill in zip(recipe.stage, skills, strict=True):
        ask(layout.stage(stage.name).eval, skill, f"{recipe.seed} {recipe.arm} {stage.name}")
        held.set(stage.name, state.DONE)
    last = layout.stage(recipe.stage[-1].name)
    ask(last.eval / "audio-shuffle", Skill(0.3, "full"), form=PromptForm(audio="shuffle"))
    describe(last.described, 0.4)
    return layout


def ask(out: Path, skill: Skill, salt: str = "", form: PromptForm | None = None) -> None:
    """A run of the questions of mini."""

    def says(sample: Sample, repeat: int) -> str:
        others = [choice for choice in sample.choices if choice != sample.answer]
        answer = str(sample.answer) if drawn(sample, f"{salt} {repeat}") < skill.right else others[0]
        if not skill.chain:
            return answer
        chain = sample.item["thinking"] if skill.chain == "full" else f"so the answer is {answer}"
        return f"<think> {chain} </think> {answer}"

    _write(out, "mini", says, form or PromptForm())


def describe(out: Path, right: float) -> None:
    """A run of descriptions; one that is wrong lacks its first sound."""

    def says(sample: Sample, repeat: int) -> str:
        told = str(sample.answer)
        return told if drawn(sample, f"{repeat}") < right else f"i hear first {told.partition(' , second ')[2]}"

    _write(out, SPEC, says, PromptForm())


def drawn(sample: Sample, salt: str) -> float:
    """A number from 0 to 1 that the question and the salt decide."""
    return int.from_bytes(hashlib.sha256(f"{salt} {sample.id}".encode()).digest()[:4]) / 2**32


@functools.cache
def loaded(name: str) -> Dataset:
    """The questions of a task, made once."""
    return task_registry.get_task(name).load(Path("clips"))


def _write(out: Path, name: str, says: Callable[[Sample, int], str], form: PromptForm) -> None:
    task, data = task_registry.get_task(name), loaded(name)
    plan = TaskPlan(task, data.select(range(QUESTIONS)), 1, form)
    out.parent.mkdir(parents=True, exist_ok=True)
    settings = settings_of({task.name: plan.settings()})
    with RunFolder.start(out, settings, command=["dtbench", "run"]) as run:
        for sample in plan.data.samples:
            record = answered(task, sample, says(sample, 0))
            run.append(task.name, {**record, "prompt_hash": plan.prompt_hash()})
        run.finish("done")
