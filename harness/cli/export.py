"""`dtbench export`: a run in the formats of leaderboards, hubs, viewers and collections, or a file checked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import typer

from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.terminal import print_line, print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import one_line
from dtbench.harness.core.options import AsJson
from dtbench.harness.core.output_paths import refuse_no_file, refuse_no_folder
from dtbench.harness.export.run_formats import ONE_FILE, RUN_FORMATS, format_writer
from dtbench.harness.export.submission_formats import ExportOptions

if TYPE_CHECKING:
    from dtbench.harness.export.check_submission import FileCheck
    from dtbench.harness.export.submission import ExportedFile


UPLOADED = {
    "arc": "Then upload it at CodaBench: 12460 for a single model, 12459 for an agent.",
    "mmau-test": "Then upload it at MMAU's own page (the space MMAU-Eval): its answers are known there alone.",
}
"""Where a file goes, by its format."""

IDS_ALONE = "arc"
"""The format whose records say nothing of their questions but the id: without MMAR's ids no one can tell."""


@with_options
def export_command(options: ExportOptions, as_json: AsJson = False) -> None:
    """Write a run as a leaderboard submission or in another tool's format, or check a submission.

    A manifest next to a submission records how its answers were made. Nothing is pushed without --push.
    """
    from dtbench.harness.export.submission import write_submission

    if options.format_name in RUN_FORMATS:
        _write_folder(options, as_json=as_json)
    elif options.check is not None:
        _check(options, as_json=as_json)
    else:
        written = write_submission(options)
        _print_written(written, as_json=as_json)
        check = ["export", "--format", options.format_name, "--check", str(written.file)]
        note = UPLOADED.get(options.format_name, "The benchmark's own scoring script reads it too.")
        print_next(NextStep(check, "what a board would say"), quiet=as_json, note=note)


def _write_folder(options: ExportOptions, *, as_json: bool) -> None:
    """Write a format of whole runs, and push it where --push says."""
    from dtbench.harness.export.hub_push import count_files, hub_token, push_folder

    if options.out is not None and options.out.suffix == ONE_FILE.get(options.format_name):
        refuse_no_file("--out", options.out, make_parents=True)
    elif options.out is not None:
        refuse_no_folder("--out", options.out)
    if options.push is not None:
        hub_token()  # what lacks a token writes nothing
    written = format_writer(options.format_name)(options)
    pushed = None if options.push is None else push_folder(written, options, print_note)
    if as_json:
        files = [str(file) for file in written.files]
        about = {"format": options.format_name, "path": str(written.path), "tasks": list(written.tasks)}
        notes = [*written.notes, *written.incomplete]
        place = None if pushed is None else pushed._asdict()
        typer.echo(json.dumps({**about, "files": files, "notes": notes, "pushed": place}))
        return
    for note in (*written.notes, *written.incomplete):
        print_note(note)
    what = "results and samples" if options.format_name == "lm-eval" else count_files(written.files)
    typer.echo(f"wrote {one_line(str(written.path))}: {what} of {', '.join(written.tasks)}")
    if pushed is not None:
        typer.echo(one_line(f"pushed {count_files(pushed.files)}: {pushed.page}"))


def _check(options: ExportOptions, *, as_json: bool) -> None:
    from dtbench.harness.export.check_submission import check_file

    checked = check_file(options)
    if as_json:
        score = checked.report.as_json() if checked.report else None
        about = {"file": str(options.check), "format": options.format_name, "ok": not checked.problems}
        findings = {"records": checked.records, "problems": checked.problems, "notes": checked.notes, "score": score}
        typer.echo(json.dumps(about | findings))
    else:
        _print_checked(options, checked)
    if checked.problems:
        raise typer.Exit(2)
    if options.format_name == IDS_ALONE and not checked.against_data:
        raise typer.Exit(4)


def _print_checked(options: ExportOptions, checked: FileCheck) -> None:
    for problem in checked.problems:
        print_line(f"problem  {problem}", indent=9)
    for note in checked.notes:
        print_line(f"note     {note}", indent=9)
    if checked.report is not None:
        report = checked.report
        typer.echo(f"official {report.total.accuracy:.2%} ({report.total.correct} of {report.total.counted} counted)")
        typer.echo(f"strict   {report.strict.accuracy:.2%} ({report.strict.correct} of {report.strict.n})")
    count = len(checked.problems)
    faults = f", {count} problem{'s' * (count > 1)}" if count else ""
    verdict = f"{'not a valid' if count else 'valid'} {options.format_name} submission"
    if not count and not checked.against_data:
        verdict = f"the form of a valid {options.format_name} submission, ids not checked"
    typer.echo(f"{one_line(str(options.check))}: {verdict} ({checked.records} records{faults})")


def _print_written(written: ExportedFile, *, as_json: bool) -> None:
    about = written.about
    if as_json:
        typer.echo(json.dumps({"path": str(written.file), "manifest": str(written.manifest), **about}))
        return
    states = [f"{about[state]} {state}" for state in ("answered", "unanswered", "failed", "missing") if about[state]]
    typer.echo(f"{about['records']} records: {', '.join(states)}")
    notes = [f"reasoning cut to the allowed length: {len(about['truncated'])} answers"] if about["truncated"] else []
    if about["of_samples"] > 1:
        notes.append(f"sample {about['sample']} (from 0) of the {about['of_samples']} answers per question")
    for note in (*notes, *about["notes"]):
        print_line(f"note     {note}", indent=9)
    if about["score"] is not None:
        official = about["score"]["official"]
        typer.echo(f"official {official['accuracy']:.2%} ({official['correct']} of {official['counted']} counted)")
    print_line(f"wrote {written.file} and its manifest {written.manifest.name}")
