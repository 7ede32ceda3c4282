"""What the YAML files of our tasks name: a benchmark's questions as lm-eval's documents, and its verdicts as metrics.

lm-eval resolves these names before it looks for a model when a task is named by its file, so the model `dtbench` is
registered here: releases up to 0.4.13 offer no other moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.lm_eval.clips import LmEvalAudio
from dtbench.harness.lm_eval.plug import register
from dtbench.harness.run.plan import PlannedPrompt, PromptForm, TaskPlan
from dtbench.tasks import registry as task_registry

STYLES = ("direct", "think")
"""What a task can ask for there: a forced letter is for models that can be held to one."""

register()


class Doc(dict[str, Any]):
    """A record as published, and the question that it is."""

    def __init__(self, plan: TaskPlan, place: int) -> None:
        self.plan = plan
        self.question: PlannedPrompt = plan.question(place, 0)
        self.place = place
        super().__init__(self.question.sample.as_published())


class Docs:
    """The questions of a benchmark, made as they are asked for."""

    def __init__(self, plan: TaskPlan) -> None:
        self._plan = plan

    @property
    def features(self) -> Mapping[str, Any]:
        """The fields of a document."""
        return dict.fromkeys(self[0])

    def __len__(self) -> int:
        return len(self._plan.data.samples)

    def __getitem__(self, place: int) -> Doc:
        return Doc(self._plan, range(len(self))[place])

    def __iter__(self) -> Iterator[Doc]:
        return (Doc(self._plan, place) for place in range(len(self)))


def dataset(
    *, benchmark: str, data_dir: str | None = None, answer: str = "direct", **others: Any
) -> Mapping[str, Docs]:
    """The questions; what `--metadata` sets of data_dir and answer comes here, among settings of others."""
    if answer not in STYLES:
        raise UserError(f"--metadata answer={answer}: unknown. Known: {', '.join(STYLES)}.")
    task = task_registry.get_task(benchmark)
    data = task.load(None if data_dir is None else Path(data_dir).expanduser())
    plan = TaskPlan(task, data, 1, PromptForm(answer=answer))
    plan.check()
    return {"test": Docs(plan)}


def text(doc: Doc) -> str:
    """The words of the prompt."""
    return doc.question.prompt.text


def audio(doc: Doc) -> Sequence[LmEvalAudio]:
    """The clip."""
    plan, sample = doc.plan, doc.question.sample
    return [LmEvalAudio(sample.audio, benchmark=plan.task.name, data=plan.data.sha256[:12], question=sample.id)]


def target(doc: Doc) -> str:
    """The right option."""
    return doc.question.sample.answer or ""


def results(doc: Doc, responses: Sequence[str]) -> Mapping[str, float]:
    """The verdicts on one response: the official one where the script counts it, and a reader's."""
    task, (sample, prompt) = doc.plan.task, doc.question
    return task.score(sample, task.read(responses[0], prompt.choices)).metrics()
