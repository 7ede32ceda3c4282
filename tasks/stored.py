"""Find the tasks of a stored run, whether built in, installed or defined by a user's file, and score them again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.task import GivenTask, Task
from dtbench.harness.score.ablations import compare_related
from dtbench.harness.score.question_log import QuestionLog
from dtbench.harness.score.robustness import robustness_figures
from dtbench.harness.score.stored_run import RescoredTask, StoredTask, find_data, questions_beside, rescore_task
from dtbench.harness.score.summary import own_figures, with_figures
from dtbench.harness.store.growth import UnaskedAnswers
from dtbench.harness.store.run_folder import RunFolder, StoredRun
from dtbench.harness.store.run_json import read_summary
from dtbench.harness.store.summary_types import Summary
from dtbench.harness.store.types import Record, TaskInfo
from dtbench.tasks import registry as task_registry


def stored_task(run: StoredRun, name: str, task_file: Path | None = None) -> StoredTask:
    """Return a task of the run; one not registered is read from task_file, or the file that defined it when it ran."""
    about = run.info["tasks"][name]
    task = _definition(run.path, name, about, task_file)
    return StoredTask(task, about, partial(run.records, name), run.path)


def stored_task_names(run: StoredRun, only: str | None = None) -> list[str]:
    """Return the names of the run's tasks, or the one that --task names; a UserError if the run lacks it."""
    names = list(run.info["tasks"])
    if not names:
        raise DataError(f"{run.path / 'run.json'}: it names no task; it was changed after dtbench wrote it.")
    if only is None:
        return names
    if only in run.info.get("other_tasks", {}):
        raise UserError(
            f"--task {only}: {run.path} holds answers of it, but its last start asked for {', '.join(names)}: run it "
            f"with --tasks {only} to count them; nothing is asked again."
        )
    if only not in names:
        raise UserError(f"--task {only}: not in {run.path}, which has {', '.join(names)}.")
    return [only]


def stored_task_name(run: StoredRun, only: str | None) -> str:
    """Return the name of the run's one task, or of the one that --task names."""
    names = stored_task_names(run, only)
    if len(names) > 1:
        raise UserError(f"--task is missing: {run.path} has several tasks; name one of {', '.join(names)}.")
    return names[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class RescoreOptions:
    """How a run is scored again."""

    only: str | None = None
    """The task to score; None for all."""
    task_file: Path | None = None
    scorer: str | None = None
    """The version of the official script; None for the run's."""
    data_dir: Path | None = None
    min_evidence: str | None = None
    """The weakest level of evidence that counts as an answer; None for the run's."""
    chain: Sequence[str] | None = None
    """The tags around the model's chains; None for the run's."""
    rows: bool = False
    """Whether the lines of `--rows` are wanted."""


PLAIN = RescoreOptions()


def rescore_run(run: StoredRun, options: RescoreOptions = PLAIN) -> list[RescoredTask]:
    """Score the tasks of a run again from its records.

    In a folder that is open for writing, records whose reading or verdicts are new are appended, and the threshold of
    evidence is set; not where the verdicts are those of another version of the script.
    """
    names = stored_task_names(run, options.only)
    tasks = [stored_task(run, name, options.task_file) for name in names]
    return [_rescore(run, stored, options) for stored in tasks]


def rewrite_run(folder: Path, options: RescoreOptions = PLAIN) -> list[RescoredTask]:
    """Score the tasks of a run again, and store what is new; an error while the run is going on."""
    run = RunFolder.reopen(folder)
    try:
        rescore_run(StoredRun(run.path, run.info), options)  # an error leaves the run as it was
        rescored = rescore_run(run, options)
        run.write_info()
        summary: Summary = {"run": str(run.path), "status": run.info["status"], "tasks": []}
        with contextlib.suppress(DataError):  # it can be made again
            summary = read_summary(run.path, Summary) or summary
        tasks = {one["task"]: one for one in (*summary["tasks"], *(one.summary for one in rescored))}
        run.write_summary({**summary, "tasks": [tasks[name] for name in run.info["tasks"] if name in tasks]})
        return rescored
    finally:
        run.close()


def _rescore(run: StoredRun, stored: StoredTask, options: RescoreOptions) -> RescoredTask:
    scorer, task = options.scorer, stored.task
    if scorer is not None and scorer not in task.official_versions:
        raise UserError(
            f"--scorer {scorer}: the versions of {task.name}'s script are {', '.join(task.official_versions)}; "
            f"if the run has several tasks, choose one with --task."
        )
    data = find_data(stored, options.data_dir)
    stored = replace(stored, data=data, about=_read_otherwise(stored, options, found=data is not None))
    keep = None
    if isinstance(run, RunFolder) and data is not None and scorer in {None, stored.scorer}:
        run.info["tasks"][task.name] = stored.about
        keep = partial(run.append, task.name)
        if data.sha256 == stored.about["data"]["sha256"]:
            own_clips = stored.about["audio"] != "shuffle"
            QuestionLog(task, data, run, own_clips=own_clips).add_answered(run.finished(task.name))
    rescored = rescore_task(stored, data, scorer, rows=options.rows, keep=keep)
    unasked = run.unasked.get(task.name, UnaskedAnswers())
    rescored.summary["notes"] += unasked.notes(stored.about, run.path)
    if keep is not None and data is not None and unasked.count:
        _rescore_others(run, stored, data, keep)
    own = {} if data is None else own_figures(task, stored.known_records())
    moved = robustness_figures(run, task.name)
    beside = {"robustness": moved} if moved else {}
    rescored.summary = with_figures(rescored.summary, compare_related(run, task.name), own, beside)
    if torn := run.torn.get(task.name):
        note = f"{torn} records were truncated by a crash; their questions count as unanswered"
        rescored.summary["notes"].append(note)
    return rescored


def _rescore_others(run: StoredRun, stored: StoredTask, data: Dataset, keep: Callable[[Record], None]) -> None:
    """Score again what was not asked for last: it may be asked for again, and is to be read alike."""
    places = data.places()

    def others() -> Iterator[Record]:
        every = run.records_as(stored.task.name, Record, unasked=True)
        return (record for record in every if record["id"] in places)

    rescore_task(replace(stored, records=others), data, keep=keep)


def _read_otherwise(stored: StoredTask, options: RescoreOptions, *, found: bool) -> TaskInfo:
    """Return what run.json says of a task, with the reading that the options ask for; refuse it without the data."""
    before: tuple[object, ...] = (stored.min_evidence, stored.about.get("chain"))
    about: TaskInfo = {**stored.about, "min_evidence": options.min_evidence or stored.min_evidence}
    if options.chain is not None:
        about["chain"] = list(options.chain)
    if not found and (about["min_evidence"], about.get("chain")) != before:
        flag, value = "--min-evidence", options.min_evidence
        if about["min_evidence"] == stored.min_evidence:
            flag, value = "--chain", ",".join(options.chain or ())
        raise UserError(
            f"{flag} {value}: scoring again needs the run's {stored.task.name} data, which was not found, and "
            f"{questions_beside(stored).lacking}; name the folder of the data with --data-dir. The "
            f"stored verdicts are those of {stored.min_evidence}."
        )
    return about


def _definition(run: Path, name: str, about: TaskInfo, task_file: Path | None) -> Task:
    recorded = about.get("task_file")
    file = task_file or (Path(recorded) if recorded is not None and Path(recorded).is_file() else None)
    if file is not None and name not in task_registry.TASKS:
        task = task_registry.task_from_file(file)
        if task.name == name:
            return task
    if (table := about.get("definition")) is not None and name not in task_registry.TASKS:
        return task_registry.task_of_table(table, f"{run / 'run.json'}: {name}")
    if about.get("in_memory"):
        return GivenTask(name, ())
    try:
        return task_registry.get_task(name)
    except UserError:
        raise UserError(f"{run}: unknown task {name!r}: name the file that defines it with --task-file.") from None
