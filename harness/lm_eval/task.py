"""`lm_eval:NAME`: a task of lm-eval that generates text, through the loop of dtbench, with its own filters and metrics.

Of each answer the first metric of the first filter is kept as its verdict where that is a yes or no; what lm-eval
itself would report stands in the summary under `lm_eval`.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import MachineryError, TaskError, UserError, format_error
from dtbench.harness.core.schema import Official, Prompt, Sample, Score
from dtbench.harness.core.scorer import FilteredResponse, OfficialRule
from dtbench.harness.core.task import LM_EVAL_PREFIX, Task
from dtbench.harness.extract.answer import Extraction
from dtbench.harness.extract.tidy import split_text
from dtbench.harness.lm_eval.clips import MARK, clip_bytes_of, place_clips
from dtbench.harness.lm_eval.generation import answer_before_stop, model_options, stop_texts
from dtbench.harness.lm_eval.loading import FEW_SHOT_SEED, build_lm_eval_task, load_lm_eval_task, read_task_file
from dtbench.harness.lm_eval.plug import need_lm_eval

BOOTSTRAPS = 100_000
FEW_BOOTSTRAPS = 100
"""Of metrics over whole texts, which are slow: as lm-eval has it."""
_NO_POOL = "DISABLE_MULTIPROC"
_SLOW = ("bleu", "chrf", "chrf++", "ter")

Values = dict[tuple[str, str], list[Any]]
"""(metric, filter) -> its value for each document."""
YES_OR_NO = ("exact_match", "acc")
"""Metrics that call one answer right or wrong."""
SHOWN = 200
"""Characters of an answer by which two runs are compared."""
HOW = "as lm-eval's filters are given it"


class LmEvalTask(Task):
    """A task of lm-eval; light until load(), which reads the documents and words every question."""

    name = LM_EVAL_PREFIX  # of each its own
    prediction_keys = ("response", "text")
    needs_load = True  # lm-eval's filters and metrics read its documents
    empty_may_be_right = True  # where a document's target is empty: the metric is lm-eval's

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
        file = self.defined_in
        task = load_lm_eval_task(name) if file is None else build_lm_eval_task(name, read_task_file(file))
        if task.OUTPUT_TYPE != "generate_until":
            raise UserError(f"{self.name}: its output_type is {task.OUTPUT_TYPE}; only generate_until can be asked.")
        kwargs = task.config.generation_kwargs or {}
        self._task, self._stops = task, stop_texts(kwargs)
        docs = task.eval_docs
        self._docs = docs if hasattr(docs, "__getitem__") else list(docs)
        self._scorer = LmEvalMetrics(task, self._docs, name)
        self.prescribed = model_options(kwargs, self.name)
        self.answers_each = int(task.config.repeats or 1)
        metrics = list(task.aggregation())
        if not metrics or metrics[0] not in YES_OR_NO:
            listed = ", ".join(metrics)
            self.no_verdict = f"its metric, {listed}, does not score single answers: see the figures of lm-eval"
        version = f"{task.VERSION}, lm-eval {importlib.metadata.version('lm_eval')}"
        data = Dataset(self._questions(), version, str(self.defined_in or self.name))
        return Dataset(data.samples, data.version, data.source, _notes(data))

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
            count = max(1, str(task.doc_to_text(doc)).count(MARK)) if task.config.doc_to_audio else 0
            yield Sample(
                id=str(number),
                question=place_clips(words, count) if count else words,
                choices=(),
                answer=(target := _target(task.doc_to_target(doc))),
                item={"document": number, "question": words, "choices": [], "answer": target},
                clips=[DocClip(task, self._docs, number, self.name, place) for place in range(count)],
            )

    def prompt(self, sample: Sample) -> Prompt:
        """Return the text as lm-eval has composed it."""
        return Prompt(sample.question, clips=sample.clips)

    def prompt_for(self, sample: Sample, style: str) -> Prompt:
        """Return the prompt; there is one style, the task's own."""
        if style != "direct":
            raise UserError(f"--answer {style}: the prompts of {self.name} come from lm-eval: leave --answer out.")
        return self.prompt(sample)

    def read(self, text: str, choices: Sequence[str]) -> Extraction:
        """Read the answer that lm-eval's filters get; its beginning stands where other tasks have an option."""
        answer = answer_before_stop(text, self._stops)
        return Extraction(split_text(text).thinking, answer, answer.strip()[:SHOWN] or None, HOW)

    def score(self, sample: Sample, extraction: Extraction) -> Score:
        """Return the verdict of the first metric, where that is one."""
        official = self.official(self.official_versions[0])(sample.as_published(), extraction.answer)
        has_answer = official.counted and bool(extraction.answer.strip())
        return Score(official, official.correct if has_answer else None)

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
        scoring, repeats = self._scoring(), self.answers_each or 1
        return {"lm_eval": scoring.report(records, lambda text: answer_before_stop(text, self._stops), repeats)}

    def _scoring(self) -> LmEvalMetrics:
        if self._scorer is None:
            raise MachineryError(f"{self.name}: its documents were not loaded.")
        return self._scorer


def _target(target: Any) -> str:
    """Return a document's target as text, empty where it has none; a list of targets may be without any."""
    return "" if target is None or target == [] else str(target)


def _notes(data: Dataset) -> Sequence[str]:
    empty = [sample.id for sample in data.samples if not (sample.answer or "").strip()]
    if not empty:
        return ()
    return [
        f"documents without a target: {len(empty)} (first: {empty[0]}); lm-eval's metric stands, and may call an empty "
        f"answer right there"
    ]


class DocClip:
    """A clip of a document, read from it at each access."""

    def __init__(self, task: Any, docs: Any, number: int, name: str, place: int = 0) -> None:
        self._task, self._docs, self._number, self._place = task, docs, number, place
        self.label = f"{name}, document {number}" + (f", clip {place + 1}" if place else "")

    def read(self) -> bytes:
        """Return the encoded bytes."""
        doc = self._docs[self._number]
        return clip_bytes_of(self._task.doc_to_audio(doc), self._place, self.label)


class LmEvalMetrics:
    """A task of lm-eval with its documents, which some tasks build anew at each access."""

    def __init__(self, task: Any, docs: Sequence[Any], name: str) -> None:
        self._task, self._docs, self._name = task, docs, name

    def first_value(self, number: int, answer: str) -> Any:
        """Return the first metric of one answer, under the first filter."""
        values = self._values({number: [answer]})
        return next(iter(values.values()))[0]

    def report(
        self, records: Iterable[Mapping[str, Any]], read: Callable[[str], str], repeats: int
    ) -> Mapping[str, Any]:
        """Return lm-eval's results for the answers of a run; `incomplete` counts the questions that lack some."""
        texts: dict[int, dict[int, str]] = {}
        for record in records:
            responses = texts.setdefault(int(record["id"]), {})
            if "error" not in record:
                responses[record["sample"]] = read(record["response"]["text"])
        whole = {number: responses for number, responses in sorted(texts.items()) if len(responses) == repeats}
        answers = {number: [responses[sample] for sample in sorted(responses)] for number, responses in whole.items()}
        try:
            results = self._aggregated(self._values(answers)) if answers else {}
        except Exception as error:  # someone else's filters and metrics
            raise TaskError(f"lm_eval:{self._name}: scoring with lm-eval failed with {format_error(error)}.") from error
        return {
            "task": self._name,
            "lm_eval": importlib.metadata.version("lm_eval"),
            "n": len(answers),
            "incomplete": len(texts) - len(answers),
            "results": results,
            "higher_is_better": dict(self._task.higher_is_better()),
        }

    def filtered(self, number: int, answer: str) -> Sequence[FilteredResponse]:
        """Return one answer as each filter reads it, with its metrics."""
        return list(self._filtered({number: [answer]}))

    def _filtered(self, answers: Mapping[int, Sequence[str]]) -> Iterator[FilteredResponse]:
        """Yield filter by filter, and under each document by document, as lm-eval does."""
        from lm_eval.api.instance import Instance

        task = self._task
        instances = [
            Instance(
                request_type="generate_until",
                doc=self._docs[number],
                arguments=("", {}),
                idx=0,
                metadata=(self._name, number, len(responses)),
                resps=list(responses),
            )
            for number, responses in answers.items()
        ]
        task._instances = instances  # where build_all_requests() leaves them for apply_filters()
        task.apply_filters()
        for name in instances[0].filtered_resps:
            for instance in instances:
                response = instance.filtered_resps[name]
                yield FilteredResponse(name, response, task.process_results(instance.doc, [response]), instance.doc)

    def _values(self, answers: Mapping[int, Sequence[str]]) -> Values:
        values: Values = {}
        for one in self._filtered(answers):
            for metric, value in one.metrics.items():
                values.setdefault((metric, one.name), []).append(value)
        return values

    def _aggregated(self, values: Values) -> dict[str, float | str]:
        """Return the aggregates under the keys of lm-eval's results."""
        from lm_eval.api.metrics import mean, stderr_for_metric

        known = self._task.aggregation()
        results: dict[str, float | str] = {}
        for (metric, name), items in values.items():
            of_all = known.get(metric, mean)
            results[f"{metric},{name}"] = _python_value(of_all(items))
            times = FEW_BOOTSTRAPS if metric in _SLOW else BOOTSTRAPS
            error = stderr_for_metric(metric=of_all, bootstrap_iters=times)
            with _without_process_pool():
                results[f"{metric}_stderr,{name}"] = _python_value(error(items)) if error and len(items) > 1 else "N/A"
        return results


@contextlib.contextmanager
def _without_process_pool() -> Iterator[None]:
    """Let lm-eval bootstrap in this process: its workers would inherit our handling of signals. The draws are the same.

    lm-eval reports that on stdout, which is for results here.
    """
    before = os.environ.get(_NO_POOL)
    os.environ[_NO_POOL] = "1"
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        os.environ.pop(_NO_POOL)
        if before is not None:
            os.environ[_NO_POOL] = before


def _python_value(value: Any) -> Any:
    """Convert a number of numpy, which JSON does not know, to Python's; return infinity and NaN as text."""
    plain = value.item() if hasattr(value, "item") else value
    return str(plain) if isinstance(plain, float) and not math.isfinite(plain) else plain
