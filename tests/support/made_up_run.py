"""Run folders of made-up answers, written as a run writes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import Task
from dtbench.harness.run.plan import PromptForm, TaskPlan
from dtbench.harness.score.answer_record import ShownOptions, with_answer
from dtbench.harness.store.run_folder import RunFolder
from dtbench.tasks import registry as task_registry

Record = Any
"""As types.Record says; tests change records at will."""
Says = Callable[[Sample, int], str | None]
"""What a model says to a question, by repeat; None where it fails."""

HEARD = {"seconds": 10.0, "rate": 16000, "channels": 1, "rule": "whole", "clip_hash": "0123456789ab"}


def answered(task: Task, sample: Sample, text: str, repeat: int = 0, **response: Any) -> Record:
    """The record of an answer; `response` changes what is told of it."""
    usual = {"finish_reason": "stop", "usage": {"prompt_tokens": 100, "completion_tokens": 7}, "seconds": 0.5}
    head: Record = {**failed(sample, repeat), "audio": dict(HEARD)}
    del head["error"]
    said: Any = {"text": text, **usual, "attempts": 1, **response}
    return with_answer(head, said, task, sample, ShownOptions(sample.choices, forced=False))


def failed(sample: Sample, repeat: int = 0, kind: str = "model") -> Record:
    """The record of a question that got no answer."""
    return {
        "id": sample.id,
        "sample": repeat,
        "prompt_hash": "0123456789ab",
        "audio": None,
        "error": {"kind": kind, "message": "the endpoint answered 503", "attempts": 5},
        "groups": dict(sample.groups),
    }


def number_of(sample: Sample) -> int:
    """The number of a question of a made-up MMAR."""
    return int(sample.id.partition("_")[0].rpartition("-")[2])


PLAIN = PromptForm()


def settings_of(tasks: Mapping[str, Any], model: str = "made up") -> dict[str, Any]:
    """The settings of a run of these tasks."""
    return {"kind": "run", "model": {"name": model}, "endpoint": {}, "long_clips": "cut", "tasks": tasks}


def write_run(
    path: Path,
    names: Mapping[str, Path],
    says: Says,
    *,
    repeats: int = 1,
    form: PromptForm = PLAIN,
    backwards: bool = False,
) -> None:
    """A finished run over the data sets in these folders; the answers may have come last question first."""
    plans = []
    for name, folder in names.items():
        task = task_registry.get_task(name)
        data = task.load(folder)
        plans.append(TaskPlan(task, data, repeats, form))
    tasks = {plan.task.name: plan.settings() for plan in plans}
    with RunFolder.start(path, settings_of(tasks), command=["dtbench", "run"]) as run:
        for plan in plans:
            for sample in reversed(plan.data.samples) if backwards else plan.data.samples:
                for repeat in range(repeats):
                    record = _record(plan.task, sample, repeat, says(sample, repeat))
                    run.append(plan.task.name, {**record, "prompt_hash": plan.prompt_hash()})
        run.finish("done")


def _record(task: Task, sample: Sample, repeat: int, text: str | None) -> Record:
    return failed(sample, repeat) if text is None else answered(task, sample, text, repeat)
