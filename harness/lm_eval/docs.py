"""Functions that the YAML files of our tasks name: questions as lm-eval's documents, and verdicts as its metrics.

lm-eval resolves these names before it looks for a model when a task is named by its file, so the model `dtbench` is
registered here: releases up to 0.4.13 offer no other moment.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.schema import text_and_clips
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.harness.extract.evidence import DEFAULT_MIN_EVIDENCE, EVIDENCE_LEVELS
from dtbench.harness.lm_eval.clips import MARK, LmEvalAudio
from dtbench.harness.lm_eval.plug import register_model
from dtbench.harness.run.plan import PlannedPrompt, PromptForm, TaskPlan
from dtbench.harness.score.answer_record import ShownOptions
from dtbench.tasks import registry as task_registry

STYLES = ("direct", "think")
"""The styles of answers there: a forced letter needs a model that can be constrained to one."""

register_model()


class Doc(dict[str, Any]):
    """A record as published, with its question."""

    def __init__(self, plan: TaskPlan, place: int, chain: ChainTags | None = None) -> None:
        self.plan = plan
        self.chain = chain
        self.question: PlannedPrompt = plan.question(place, 0)
        self.place = place
        prompt = self.question.prompt
        self.parts = text_and_clips(prompt.text, len(prompt.clips))
        self.clips = tuple(prompt.clips[part] for part in self.parts if isinstance(part, int))
        """In the order in which the prompt names them."""
        self.marks_clips = len(self.clips) > 1
        super().__init__(self.question.sample.as_published())


class Docs:
    """The questions of a benchmark, built at each access."""

    def __init__(self, plan: TaskPlan, chain: ChainTags | None) -> None:
        self._plan = plan
        self._chain = chain

    @property
    def features(self) -> Mapping[str, Any]:
        """The fields of a document."""
        return dict.fromkeys(self[0])

    def __len__(self) -> int:
        return len(self._plan.data.samples)

    def __getitem__(self, place: int) -> Doc:
        return Doc(self._plan, range(len(self))[place], self._chain)

    def __iter__(self) -> Iterator[Doc]:
        return (Doc(self._plan, place, self._chain) for place in range(len(self)))


def dataset(
    *,
    benchmark: str,
    data_dir: str | None = None,
    answer: str = "direct",
    min_evidence: str = DEFAULT_MIN_EVIDENCE,
    chain: object = None,
    **others: Any,
) -> Mapping[str, Docs]:
    """Return the questions; `--metadata` sets data_dir, answer, min_evidence and chain, among settings of others."""
    if answer not in STYLES:
        raise UserError(f"--metadata answer={answer}: unknown. Known: {', '.join(STYLES)}.")
    if min_evidence not in EVIDENCE_LEVELS:
        raise UserError(
            f"--metadata min_evidence={min_evidence}: unknown. {did_you_mean(min_evidence, EVIDENCE_LEVELS)}"
        )
    try:
        tags = None if chain is None else ChainTags.of(chain)
    except ValueError as error:
        raise UserError(f"--metadata chain={chain}: {error}, as a list of JSON.") from None
    task = task_registry.get_task(benchmark)
    data = task.load(None if data_dir is None else Path(data_dir).expanduser())
    plan = TaskPlan(task, data, 1, PromptForm(answer=answer), min_evidence)
    plan.check()
    return {"test": Docs(plan, tags)}


def text(doc: Doc) -> str:
    """Return the text of the prompt, with lm-eval's mark for each of several clips."""
    if not doc.marks_clips:
        return doc.question.prompt.text
    return "".join(part if isinstance(part, str) else MARK for part in doc.parts)


def audio(doc: Doc) -> Sequence[LmEvalAudio]:
    """Return the clips."""
    plan, sample = doc.plan, doc.question.sample
    about = {"benchmark": plan.task.name, "data": plan.data.sha256[:12], "question": sample.id}
    number = ({"clip": str(place)} if doc.marks_clips else {} for place in range(1, len(doc.clips) + 1))
    return [
        LmEvalAudio(clip, **about, **which) for clip, which in zip(doc.clips or (sample.audio,), number, strict=False)
    ]


def target(doc: Doc) -> str:
    """Return the right option."""
    return doc.question.sample.answer or ""


def results(doc: Doc, responses: Sequence[str]) -> Mapping[str, float]:
    """Return the verdicts on one response: the official one where the script counts it, and the strict one."""
    task, (sample, prompt) = doc.plan.task, doc.question
    shown = ShownOptions(prompt.choices, False, doc.plan.min_evidence, doc.chain)
    return task.score(sample, shown.read(task, responses[0])).metrics()
