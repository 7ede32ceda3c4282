"""The reasoning of each answer as a frame: its text, its length, what judges marked, and the chain of a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtbench.harness.core.model import Notify
from dtbench.harness.core.user_warnings import warn_user
from dtbench.harness.frames.as_pandas import need_pandas, to_frame
from dtbench.harness.frames.columns import CATEGORIES, RUBRIC, text_array, well_formed
from dtbench.harness.frames.find_runs import Runs, find_runs
from dtbench.harness.frames.samples import SampleSource, TaskOfRun, group_names, table_of, tasks_of_runs
from dtbench.harness.score.criteria import reference_chain
from dtbench.harness.store.jsonl import Key

if TYPE_CHECKING:
    import pyarrow
    from pandas import DataFrame

FRONT = (
    *("run", "task", "id", "sample", "question", "choices", "answer", "choice", "correct", "official"),
    *("thinking", "words", "chars", "reference"),
)


def chains_df(
    runs: Runs,
    *,
    tasks: Sequence[str] | str | None = None,
    data_dir: str | Path | None = None,
    task_file: str | Path | None = None,
    notify: Notify = warn_user,
) -> DataFrame:
    """Return a row for each answer with a reasoning chain: the chain, its length, and the marks of each criterion.

    `reference` is the chain of the benchmark's authors, where a question has one; `marks` has every mark of every judge
    with its reason. docs/frames.md has the columns.
    """
    need_pandas()
    source = SampleSource.of(tasks, data_dir, task_file, notify)
    parts = tasks_of_runs(find_runs(runs, notify), source)
    table = _with_chains(table_of(parts, notify), {(str(part.run.path), part.name): part for part in parts})
    groups = group_names(table)
    rubrics = [name for name in table.column_names if name.startswith(RUBRIC)]
    return to_frame(table.select([*FRONT, *rubrics, "marks", *groups]), [*CATEGORIES, *groups])


def _with_chains(table: pyarrow.Table, parts: Mapping[tuple[str, str], TaskOfRun]) -> pyarrow.Table:
    """Leave out the answers without a chain, and add the columns that only chains have."""
    import pyarrow
    import pyarrow.compute

    table = table.filter(pyarrow.compute.greater(pyarrow.compute.utf8_length(table.column("thinking")), 0))
    chains = table.column("thinking").to_pylist()
    mark = [("judge", pyarrow.string()), ("criterion", pyarrow.string()), ("met", pyarrow.float64())]
    marks = pyarrow.list_(pyarrow.struct([*mark, ("why", pyarrow.string())]))
    answers = list(_answers(table))
    columns = {
        "words": pyarrow.array([len(chain.split()) for chain in chains], pyarrow.int64()),
        "chars": pyarrow.array([len(chain) for chain in chains], pyarrow.int64()),
        "reference": text_array([_reference(parts[run, task], key.id) for run, task, key in answers]),
        "marks": pyarrow.array([_marks(parts[run, task], key) for run, task, key in answers], marks),
    }
    for name, values in columns.items():
        table = table.append_column(name, values)
    return table


def _answers(table: pyarrow.Table) -> Iterator[tuple[str, str, Key]]:
    names = ("run", "task", "id", "sample")
    for run, task, id_, sample in zip(*(table.column(name).to_pylist() for name in names), strict=True):
        yield run, task, Key(id_, sample)


def _reference(part: TaskOfRun, id_: str) -> str | None:
    if part.questions is None or id_ not in part.questions.places:
        return None
    return reference_chain(part.questions.sample(id_)) or None


def _marks(part: TaskOfRun, key: Key) -> list[dict[str, Any]] | None:
    """Return every mark of an answer; None where nobody judged it."""
    return [
        {"judge": judge, "criterion": criterion, "met": met, "why": well_formed(marked[key].why.get(criterion, ""))}
        for judge, marked in part.judged.items()
        if key in marked
        for criterion, met in marked[key].marks.items()
    ] or None
