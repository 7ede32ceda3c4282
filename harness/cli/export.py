"""`dtbench export`: the files that boards accept, made from a run or checked."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dtbench.harness.cli.options import AsJson, TaskFile, TaskName
from dtbench.harness.core.errors import DtbenchError, UserError, one_line

if TYPE_CHECKING:
    from dtbench.harness.core.dataset import Dataset
    from dtbench.harness.core.task import Task
    from dtbench.harness.export.check import FileCheck
    from dtbench.harness.export.formats import SubmissionFormat
    from dtbench.harness.export.lm_eval import LmEvalExport
    from dtbench.harness.export.make import ExportedFile

Run = Annotated[Path | None, typer.Argument(metavar="[RUN]", help="A run's folder.")]
FormatName = Annotated[
    str | None,
    typer.Option(
        "--format", metavar="F", help="arc (the challenge), mmar, mmar-rubrics, mmau, mmau-test, mmsu, lm-eval."
    ),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Where to; else RUN/export/.")]
CheckFile = Annotated[Path | None, typer.Option("--check", metavar="FILE", help="Only say what is wrong with a file.")]
Number = Annotated[int, typer.Option("--sample", metavar="N", help="Of a run with several answers: which, from 0.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", metavar="D", help="The data, where it is not found.")]
Truncate = Annotated[bool, typer.Option("--truncate", help="Cut chains that are too long; the manifest says which.")]
Incomplete = Annotated[bool, typer.Option("--incomplete", help="Write empty answers where the run has none.")]
LM_EVAL = "lm-eval"


def command(  # noqa: PLR0913 - the parameters of a command are its options
    run: Run = None,
    format_: FormatName = None,
    check: CheckFile = None,
    out: Out = None,
    task: TaskName = None,
    sample: Number = 0,
    data_dir: DataDir = None,
    truncate: Truncate = False,
    incomplete: Incomplete = False,
    task_file: TaskFile = None,
    as_json: AsJson = False,
) -> None:
    """Write a run's answers as a board reads them, with a manifest beside it, or check such a file."""
    from dtbench.harness.export.formats import FORMATS, format_of
    from dtbench.harness.export.lm_eval import LmEvalExport

    if format_ is None:
        raise UserError(f"--format is missing: one of {', '.join(FORMATS)}, {LM_EVAL}.")
    if format_ == LM_EVAL:
        _lm_eval(run, task, task_file, LmEvalExport(out, data_dir, sample), as_json=as_json)
        return
    kind = format_of(format_)
    if (run is None) == (check is None):
        raise UserError("name either a run's folder, or a file with --check.")
    if check is not None:
        for option, given in (("--out", out), ("--truncate", truncate), ("--incomplete", incomplete)):
            if given:
                raise UserError(f"{option}: only the export of a run takes it; --check writes nothing.")
        _check(check, kind, _task(kind, task, task_file), data_dir, as_json=as_json)
        return
    from dtbench.harness.export.make import ExportOptions, make
    from dtbench.harness.store.run_folder import StoredRun
    from dtbench.tasks.stored import stored_task

    assert run is not None
    stored = StoredRun.open(run)
    part = stored_task(stored, _named(stored.info.get("tasks", {}), kind, task, run), task_file)
    wish = ExportOptions(kind=kind, sample=sample, data_dir=data_dir, out=out, truncate=truncate, incomplete=incomplete)
    _print_made(make(stored, part, wish), as_json=as_json)


def _lm_eval(run: Path | None, task: str | None, task_file: Path | None, where: LmEvalExport, *, as_json: bool) -> None:
    from dtbench.harness.export.lm_eval import write_lm_eval
    from dtbench.harness.store.run_folder import StoredRun
    from dtbench.tasks.stored import stored_task, stored_task_names

    if run is None:
        raise UserError(f"--format {LM_EVAL}: name a run's folder; only files for boards are checked.")
    stored = StoredRun.open(run)
    names = stored_task_names(stored, task)
    folder = write_lm_eval(stored, [stored_task(stored, name, task_file) for name in names], where)
    if as_json:
        typer.echo(json.dumps({"format": LM_EVAL, "path": str(folder), "tasks": names}))
    else:
        typer.echo(f"wrote {one_line(str(folder))}: results and samples of {', '.join(names)}")


def _named(there: Mapping[str, Any], kind: SubmissionFormat, wanted: str | None, run: Path) -> str:
    """Which task of the run is exported."""
    names = [wanted] if wanted else [name for name in there if name == kind.task or (kind.any_task and len(there) == 1)]
    if len(names) != 1 or names[0] not in there:
        held = ", ".join(there) or "none"
        told = f"--task {wanted}: it is not in {run}" if wanted else f"--format {kind.name}: it is for {kind.task}"
        more = ", or any task that --task names" if kind.any_task and not wanted else ""
        raise UserError(f"{told}{more}; the run holds {held}.")
    return names[0]


def _task(kind: SubmissionFormat, name: str | None, file: Path | None) -> Task:
    from dtbench.tasks import registry as task_registry

    task = task_registry.get_task(name or kind.task) if file is None else task_registry.task_from_file(file)
    if task.name != kind.task and not kind.any_task:
        raise UserError(f"--task {task.name}: --format {kind.name} is for {kind.task}.")
    return task


def _check(file: Path, kind: SubmissionFormat, task: Task, data_dir: Path | None, *, as_json: bool) -> None:
    from dtbench.harness.export.check import check, read

    checked = check(read(file), kind, task, _data(task, data_dir))
    if as_json:
        score = checked.report.as_json() if checked.report else None
        about = {"file": str(file), "format": kind.name, "ok": not checked.problems, "records": checked.records}
        typer.echo(json.dumps({**about, "problems": checked.problems, "notes": checked.notes, "score": score}))
    else:
        _print_checked(file, kind, checked)
    if checked.problems:
        raise typer.Exit(2)


def _data(task: Task, data_dir: Path | None) -> Dataset | None:
    """The benchmark's questions; a folder that a user names has to hold them."""
    try:
        return task.load(data_dir)
    except DtbenchError:
        if data_dir is not None:
            raise
        return None


def _print_checked(file: Path, kind: SubmissionFormat, checked: FileCheck) -> None:
    for problem in checked.problems:
        typer.echo(f"problem  {problem}")
    for note in checked.notes:
        typer.echo(f"note     {note}")
    if checked.report is not None:
        report = checked.report
        typer.echo(f"official {report.total.accuracy:.2%} ({report.total.correct} of {report.total.counted} counted)")
        typer.echo(f"strict   {report.strict.accuracy:.2%} ({report.strict.correct} of {report.strict.n})")
    count = len(checked.problems)
    verdict = "would be taken" if not count else f"would not be taken: {count} problem{'s' if count > 1 else ''}"
    typer.echo(f"{one_line(str(file))}: {checked.records} records, as {kind.name} it {verdict}")


def _print_made(made: ExportedFile, *, as_json: bool) -> None:
    about = made.about
    if as_json:
        typer.echo(json.dumps({"path": str(made.file), "manifest": str(made.manifest), **about}))
        return
    states = [f"{about[state]} {state}" for state in ("answered", "unanswered", "failed", "missing") if about[state]]
    typer.echo(f"{about['records']} records: {', '.join(states)}")
    for note in _told(about):
        typer.echo(f"note     {one_line(note)}")
    if about["score"] is not None:
        official = about["score"]["official"]
        typer.echo(f"official {official['accuracy']:.2%} ({official['correct']} of {official['counted']} counted)")
    typer.echo(f"wrote {one_line(str(made.file))}, and how it was made in {one_line(made.manifest.name)}")


def _told(about: Mapping[str, Any]) -> Sequence[str]:
    cut = [f"chains that were cut: {len(about['truncated'])}"] if about["truncated"] else []
    several = [f"of {about['of_samples']} answers to a question, number {about['sample']}"]
    return [*cut, *(several if about["of_samples"] > 1 else []), *about["notes"]]
