"""`lm_eval:NAME`: a task of lm-eval that generates text, through the loop of dtbench, with its own filters and metrics.

Of each answer the first metric of the first filter is kept as its verdict where that is a yes or no; what lm-eval
itself would report stands in the summary under `lm_eval`.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import MachineryError, UserError
from dtbench.harness.core.schema import NoClip, Official, Prompt, Sample, Score
from dtbench.harness.core.scorer import FilteredResponse, OfficialRule
from dtbench.harness.core.task import LM_EVAL_PREFIX, Task
from dtbench.harness.extract.answer import Extraction
from dtbench.harness.extract.tidy import split_text
from dtbench.harness.lm_eval.clips import clip_bytes_of, strip_mark
from dtbench.harness.lm_eval.figures import LmEvalMetrics
from dtbench.harness.lm_eval.generation import answer_before_stop, model_options, stop_texts
from dtbench.harness.lm_eval.loading import FEW_SHOT_SEED, build_lm_eval_task, load_lm_eval_task, read_task_file
from dtbench.harness.lm_eval.plug import need_lm_eval

YES_OR_NO = ("exact_match", "acc")
"""Metrics that call one answer right or wrong."""
SHOWN = 200
"""Characters of an answer by which two runs are compared."""
HOW = "as lm-eval's filters are given it"


class LmEvalTask(Task):
    """A task of lm-eval; light until load(), which reads the documents and words every question."""

    name = LM_EVAL_PREFIX  # of each its own
    prediction_keys = ("response", "text")

    def __init__(self, name: str, file: Path | None = None) -> None:
        need_lm_eval(name)
        self.name = name  # type: ignore[misc]
        self.defined_in = file
        self.title = f"{name.removeprefix(LM_EVAL_PREFIX)}, a task of lm-eval"  # type: ignore[misc]
        self.answers_each: int | None = None
        self._task: Any = None
        self._docs: Any = ()
        self._scorer: LmEvalMetrics | None = None
        self._stops: Sequence[str] = ()

    @classmethod
    def of_file(cls, file: Path) -> LmEvalTask:
        """Return the task that a YAML file defines."""
        need_lm_eval(f"--task-file {file}")
        return cls(f"{LM_EVAL_PREFIX}{read_task_file(file)['task']}", file)

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        """Return the questions as lm-eval words them."""
        return self.load(data_dir).samples

    def load(self, data_dir: Path | None) -> Dataset:
        """Return the questions with the version in their file; where their data lies is lm-eval's business."""
        if data_dir is not None:
            raise UserError(f"--data-dir {data_dir}: {self.name} finds its data by itself: run it without.")
        name = self.name.removeprefix(LM_EVAL_PREFIX)
        task = (
            load_lm_eval_task(name)
            if self.defined_in is None
            else build_lm_eval_task(name, read_task_file(self.defined_in))
        )
        if task.OUTPUT_TYPE != "generate_until":
            raise UserError(f"{self.name}: its output_type is {task.OUTPUT_TYPE}; only generate_until can be asked.")
        kwargs = task.config.generation_kwargs or {}
        self._task, self._stops = task, stop_texts(kwargs)
        docs = task.eval_docs
        self._docs = docs if hasattr(docs, "__getitem__") else list(docs)
        self._scorer = LmEvalMetrics(task, self._docs, name)
        self.prescribed = model_options(kwargs, self.name)
        self.answers_each = int(task.config.repeats or 1)
        self.no_verdict = self._no_verdict()
        version = f"{task.VERSION}, lm-eval {importlib.metadata.version('lm_eval')}"
        return Dataset(self._questions(), version, str(self.defined_in or self.name))

    def _no_verdict(self) -> str:
        metrics = list(self._task.aggregation())
        if metrics and metrics[0] in YES_OR_NO:
            return ""
        return f"its metric, {', '.join(metrics)}, calls no single answer right or wrong: see lm-eval's figures"

    def _questions(self) -> Iterator[Sample]:
        """Yield the questions in the order of the documents: lm-eval draws few-shot examples as it goes."""
        task = self._task
        task.set_fewshot_seed(FEW_SHOT_SEED)
        shots = task.config.num_fewshot or 0
        for number, doc in enumerate(self._docs):
            prefix = task.doc_to_prefix(doc)
            words = task.fewshot_context(
                doc,
                num_fewshot=shots,
                system_instruction=None,
                apply_chat_template=False,
                fewshot_as_multiturn=False,
                chat_template=None,
                gen_prefix=prefix,
            )
            has_clip = bool(task.config.doc_to_audio)
            yield Sample(
                id=str(number),
                question=strip_mark(words) if has_clip else words,
                choices=(),
                answer=(target := str(task.doc_to_target(doc))),
                item={"document": number, "question": words, "choices": [], "answer": target},
                audio=DocClip(task, self._docs, number, self.name) if has_clip else NoClip(str(number)),
            )

    def prompt(self, sample: Sample) -> Prompt:
        """Return the text as lm-eval has composed it."""
        return Prompt(sample.question, sample.audio)

    def prompt_for(self, sample: Sample, style: str) -> Prompt:
        """Return the prompt; there is one style, the task's own."""
        if style != "direct":
            raise UserError(f"--answer {style}: the words of {self.name} are lm-eval's: leave --answer out.")
        return self.prompt(sample)

    def read(self, text: str, choices: Sequence[str]) -> Extraction:
        """Read the answer that lm-eval's filters get; its beginning stands where other tasks have an option."""
        answer = answer_before_stop(text, self._stops)
        return Extraction(split_text(text).thinking, answer, answer.strip()[:SHOWN] or None, HOW)

    def score(self, sample: Sample, extraction: Extraction) -> Score:
        """Return the verdict of the first metric, where that is one."""
        official = self.official(self.official_versions[0])(sample.as_published(), extraction.answer)
        said = official.counted and bool(extraction.answer.strip())
        return Score(official, official.correct if said else None)

    def official(self, version: str) -> OfficialRule:
        """Return the first metric under the first filter, as a rule."""

        def metric(item: Mapping[str, Any], prediction: object) -> Official:
            if self.no_verdict:
                return Official(correct=False, counted=False, why=self.no_verdict)
            value = self._scoring().first_value(int(item["document"]), str(prediction))
            return Official(correct=bool(value == 1), counted=True)

        return metric

    def filtered(self, sample: Sample, text: str) -> Sequence[FilteredResponse]:
        """Return the answer as each of the filters reads it."""
        return self._scoring().filtered(int(sample.id), answer_before_stop(text, self._stops))

    def figures(self, records: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return what lm-eval would report of these answers."""
        return {
            "lm_eval": self._scoring().report(
                records, lambda text: answer_before_stop(text, self._stops), self.answers_each or 1
            )
        }

    def _scoring(self) -> LmEvalMetrics:
        if self._scorer is None:
            raise MachineryError(f"{self.name}: its documents were not loaded.")
        return self._scorer


class DocClip:
    """The clip of a document, read from it at each access."""

    def __init__(self, task: Any, docs: Any, number: int, name: str) -> None:
        self._task, self._docs, self._number = task, docs, number
        self.label = f"{name}, document {number}"

    def read(self) -> bytes:
        """Return the encoded bytes."""
        doc = self._docs[self._number]
        return clip_bytes_of(self._task.doc_to_audio(doc), self.label)
