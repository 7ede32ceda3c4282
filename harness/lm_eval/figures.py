"""Score stored answers as lm-eval does: its filters, its metrics, its standard errors."""

from __future__ import annotations

import contextlib
import importlib.metadata
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from dtbench.harness.core.errors import TaskError, format_error
from dtbench.harness.core.scorer import FilteredResponse

BOOTSTRAPS = 100_000
FEW_BOOTSTRAPS = 100
"""Of metrics over whole texts, which are slow: as lm-eval has it."""
_NO_POOL = "DISABLE_MULTIPROC"
_SLOW = ("bleu", "chrf", "chrf++", "ter")

Values = dict[tuple[str, str], list[Any]]
"""(metric, filter) -> its value for each document."""


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
        """What stands in lm-eval's results for the answers of a run; `incomplete` ones lack some."""
        texts: dict[int, dict[int, str]] = {}
        for record in records:
            said = texts.setdefault(int(record["id"]), {})
            if "error" not in record:
                said[record["sample"]] = read(record["response"]["text"])
        whole = {number: said for number, said in sorted(texts.items()) if len(said) == repeats}
        answers = {number: [said[sample] for sample in sorted(said)] for number, said in whole.items()}
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
                metadata=(self._name, number, len(said)),
                resps=list(said),
            )
            for number, said in answers.items()
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
    """A number of Python's, where numpy's is none to JSON; a text for what is no number."""
    plain = value.item() if hasattr(value, "item") else value
    return str(plain) if isinstance(plain, float) and not math.isfinite(plain) else plain
