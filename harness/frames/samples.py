"""Every answer of some runs as a table: a row for each, with its question, verdicts, groups and marks.

The records are read 5,000 at a time, so that beside the table itself no more than these are in memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from dtbench.harness.core.errors import DataError, DtbenchError, UserError, did_you_mean
from dtbench.harness.core.model import Notify
from dtbench.harness.core.user_warnings import warn_user
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.harness.frames.answers import answer_columns, mark_columns
from dtbench.harness.frames.as_pandas import need_pandas, to_frame
from dtbench.harness.frames.columns import BEHIND, CATEGORIES, FIXED, GroupColumns, arrow_type, ordered, text_array
from dtbench.harness.frames.find_runs import Runs, find_runs
from dtbench.harness.frames.questions import QuestionColumns, QuestionLookup, questions_beside_answers
from dtbench.harness.frames.rubrics import Judged, RubricColumns, judged_answers
from dtbench.harness.store.jsonl import Key
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import TaskInfo
from dtbench.tasks.stored import stored_task

if TYPE_CHECKING:
    import pyarrow
    from pandas import DataFrame

    from dtbench.harness.frames.lines import SampleLine

ROWS_AT_ONCE = 5_000


class TaskOfRun(NamedTuple):
    """One task of one run, with what its rows are made of."""

    run: StoredRun
    name: str
    about: TaskInfo
    chain: ChainTags | None
    """The model's own tags around its chains."""
    known: bool
    """Whether right and wrong are known."""
    questions: QuestionColumns | None
    judged: Judged

    @property
    def where(self) -> str:
        """How messages name it."""
        return f"{self.run.path} ({self.name})"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSource:
    """What is read for a frame of samples, besides the runs themselves."""

    tasks: Sequence[str] | None = None
    """Only these benchmarks; None for all."""
    data_dir: Path | None = None
    """Where the questions are; None for where each run had them."""
    task_file: Path | None = None
    """The file that defines a task of the user's own; None for where it was."""
    texts: bool = True
    """Whether questions are wanted; else their columns are null, and their data is not looked for."""
    notify: Notify = warn_user

    @classmethod
    def of(
        cls,
        tasks: Sequence[str] | str | None,
        data_dir: str | Path | None,
        task_file: str | Path | None,
        notify: Notify,
    ) -> SampleSource:
        """Take what a user gives."""
        return cls(
            tasks=[tasks] if isinstance(tasks, str) else tasks,
            data_dir=None if data_dir is None else Path(data_dir),
            task_file=None if task_file is None else Path(task_file),
            notify=notify,
        )


def samples_table(
    runs: Runs,
    *,
    tasks: Sequence[str] | str | None = None,
    data_dir: str | Path | None = None,
    task_file: str | Path | None = None,
    acoustics: bool = False,
    notify: Notify = warn_user,
) -> pyarrow.Table:
    """Return one row for each answer of the runs; docs/frames.md describes the columns.

    With `acoustics` every clip that was not measured before is measured, which takes about 0.1 s for 10 s of sound.

    `notify` is told in one line of what was left out or is not known; it warns where none is given.
    """
    parts = tasks_of_runs(find_runs(runs, notify), SampleSource.of(tasks, data_dir, task_file, notify))
    table = table_of(parts, notify)
    if not acoustics:
        return table
    from dtbench.harness.frames.sounds import with_sounds

    return with_sounds(table, {(str(part.run.path), part.name): part.questions for part in parts}, notify)


def samples_df(
    runs: Runs,
    *,
    tasks: Sequence[str] | str | None = None,
    data_dir: str | Path | None = None,
    task_file: str | Path | None = None,
    acoustics: bool = False,
    notify: Notify = warn_user,
) -> DataFrame:
    """Return samples_table() as a pandas frame, with categories and nullable types."""
    need_pandas()
    table = samples_table(runs, tasks=tasks, data_dir=data_dir, task_file=task_file, acoustics=acoustics, notify=notify)
    return to_frame(table, [*CATEGORIES, *group_names(table)])


def group_names(table: pyarrow.Table) -> list[str]:
    """Return the columns of a samples table that hold the benchmarks' groups."""
    names: list[str] = table.column_names
    return names[len(FIXED) : names.index(next(iter(BEHIND)))]


def table_of(parts: Sequence[TaskOfRun], notify: Notify) -> pyarrow.Table:
    """Return the rows of these tasks as one table, in its chunks; a task with damaged records is left out."""
    import pyarrow

    groups, rubrics = GroupColumns(), RubricColumns()
    for part in parts:
        rubrics.add(part.judged)
    if (note := rubrics.note()) is not None:
        notify(note)
    chunks = [_empty()]
    for part in parts:
        try:
            chunks += list(_chunks(part, groups, rubrics))
        except DataError as error:
            if len(parts) == 1:
                raise
            notify(f"{part.where} is left out: {error}")
        if torn := part.run.torn.get(part.name):
            notify(f"{part.where}: {torn} records were truncated by a crash; their questions have no row")
    table = pyarrow.concat_tables(chunks, promote_options="default")
    return table.select(ordered(table.column_names, [name for name in groups.names() if name in table.column_names]))


def tasks_of_runs(runs: Sequence[StoredRun], source: SampleSource) -> list[TaskOfRun]:
    """Return the tasks that the runs' last starts asked for, with their questions and marks."""
    lookup = QuestionLookup(source.data_dir)
    parts = [
        _task_of_run(run, name, lookup, source)
        for run in runs
        for name in run.info["tasks"]
        if source.tasks is None or name in source.tasks
    ]
    known = dict.fromkeys(name for run in runs for name in run.info["tasks"])
    if unknown := [name for name in source.tasks or () if name not in known]:
        raise UserError(f"tasks: no run has {unknown[0]!r}. {did_you_mean(unknown[0], known)}")
    if lookup.refused and not lookup.accepted:
        raise lookup.refused[0]
    return parts


def _task_of_run(run: StoredRun, name: str, lookup: QuestionLookup, source: SampleSource) -> TaskOfRun:
    about = run.info["tasks"][name]
    judged = judged_answers(run, name, source.notify)
    part, questions, why = None, None, ""
    try:
        part = stored_task(run, name, source.task_file)
        questions = lookup.of(part) if source.texts else None
    except DtbenchError as error:
        if source.data_dir is not None and part is not None:
            raise
        why = f" ({error})"
    if part is None and source.texts:
        questions = questions_beside_answers(run, name)
    if questions is None and source.texts:
        source.notify(
            f"{run.path} ({name}): its questions were not found, so question, choices and answer are null{why}; name "
            f"the folder of the data with data_dir"
        )
    known = part is None or (part.task.answers_public and not part.task.no_verdict)
    return TaskOfRun(run, name, about, None if part is None else part.chain, known, questions, judged)


def _empty() -> pyarrow.Table:
    """Return the columns that every frame has, without a row."""
    import pyarrow

    return pyarrow.schema([(name, arrow_type(kind)) for name, kind in {**FIXED, **BEHIND}.items()]).empty_table()


def _chunks(part: TaskOfRun, groups: GroupColumns, rubrics: RubricColumns) -> Iterator[pyarrow.Table]:
    from dtbench.harness.frames.lines import SampleLine  # with msgspec

    lines = part.run.records_as(part.name, SampleLine)
    while batch := list(itertools.islice(lines, ROWS_AT_ONCE)):
        if broken := next((line for line in batch if not line.is_whole), None):
            raise DataError(f"{part.where}: the record of {broken.id!r} has neither an error nor all of an answer.")
        yield _chunk(part, batch, groups, rubrics)


def _chunk(part: TaskOfRun, lines: Sequence[SampleLine], groups: GroupColumns, rubrics: RubricColumns) -> pyarrow.Table:
    import pyarrow

    ids = [line.id for line in lines]
    columns = {**answer_columns(lines, part.chain), **_questions(part.questions, ids)}
    columns |= {"run": pyarrow.repeat(str(part.run.path), len(lines)), "task": pyarrow.repeat(part.name, len(lines))}
    if not part.known:
        columns |= dict.fromkeys(("correct", "official"), pyarrow.nulls(len(lines), pyarrow.bool_()))
    else:
        columns |= mark_columns(lines)
    headings = dict.fromkeys(heading for tuple_ in {tuple(line.groups) for line in lines} for heading in tuple_)
    for heading in headings:
        columns[groups.name(part.name, heading)] = text_array([line.groups.get(heading) for line in lines])
    for name, marks in rubrics.values(part.judged, [Key(line.id, line.sample) for line in lines]):
        columns[name] = pyarrow.array(marks, pyarrow.float64())
    return pyarrow.table({name: columns[name] for name in ordered(columns, groups.names()) if name in columns})


def _questions(questions: QuestionColumns | None, ids: Sequence[str]) -> dict[str, pyarrow.Array]:
    """Return the columns of the questions with these ids; null where a question is not known."""
    import pyarrow

    names = ("question", "choices", "answer")
    if questions is None:
        return {name: pyarrow.nulls(len(ids), arrow_type(FIXED[name])) for name in names}
    places = pyarrow.array([questions.places.get(id_) for id_ in ids], pyarrow.int64())
    return {name: getattr(questions, name).take(places) for name in names}
