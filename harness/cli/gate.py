"""`dtbench gate`: may a candidate replace the baseline? For CI: exit 0 passed, 1 regressed, 4 too few to tell."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.terminal import print_line, print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.compare import gate as gates
from dtbench.harness.compare.gate import GateOptions, GateVerdict
from dtbench.harness.compare.gate_files import verdict_sentence, write_junit, write_markdown
from dtbench.harness.compare.words import gate_in_words
from dtbench.harness.core.options import OUTPUT, AsJson, Option
from dtbench.harness.core.output_paths import refuse_no_file

if TYPE_CHECKING:
    from dtbench.tasks.reread import RereadTask

Junit = Annotated[
    Path | None, Option("--junit", "FILE", "Write the verdicts as JUnit XML.", panel=OUTPUT, values="files")
]
Markdown = Annotated[
    Path | None,
    Option("--markdown", "FILE", "Write the verdicts as Markdown, for a job summary.", panel=OUTPUT, values="files"),
]


@with_options
def gate_command(options: GateOptions, junit: Junit = None, markdown: Markdown = None, as_json: AsJson = False) -> None:
    """Fail CI when a candidate run is worse than its baseline.

    The candidate passes if the data show that it is not worse by --max-drop points, and fails if they show a loss (of
    more than --max-drop, if given). With --history, the last nights are pooled against one baseline, and all --looks
    share the false-alarm rate --alpha. Runs on different questions, or with different settings, do not pass.
    """
    refuse_no_file("--junit", junit, such_as="gate.xml")
    refuse_no_file("--markdown", markdown, such_as="gate.md")
    asked: tuple[int, int] | None = None
    if options.until is None:
        results = gates.gate_runs(options)
    else:
        from dtbench.harness.run.gate_rounds import gate_in_rounds
        from dtbench.harness.run.session import run_benchmarks

        decided = gate_in_rounds(options, print_note, partial(run_benchmarks, quiet=as_json))
        results, asked = decided.results, (decided.asked, decided.of)
    from dtbench.tasks.reread import reread_runs

    if options.baseline.resolve() == options.candidate.resolve():  # two variables of a workflow that are one
        print_note(f"--baseline and --candidate are one run, {options.baseline}: a run does not differ from itself")
    runs = dict.fromkeys([options.baseline, *(Path(run) for one in results for run in one.runs)])
    reread = reread_runs(runs, options.task)
    verdict = gates.worst_verdict(results)
    sentence = gate_in_words(results, verdict)
    if junit is not None:
        write_junit(junit, results, undecided_fails=options.undecided == "fail")
    if markdown is not None:
        write_markdown(markdown, results, verdict)
    if as_json:
        about: dict[str, Any] = {
            "verdict": verdict,
            "sentence": sentence,
            "results": [one._asdict() for one in results],
            "reread": [one._asdict() for one in reread],
        }
        if asked is not None:
            about |= {"asked": asked[0], "of": asked[1]}
        typer.echo(json.dumps(about))
    else:
        print_line(sentence)
        if asked is not None:
            print_line(f"asked     {asked[0]} of {asked[1]} questions", indent=10)
        for line in _lines(results, reread):
            print_line(line, indent=10)
    print_next(
        NextStep(["report", options.baseline, options.candidate], "what changed, answer by answer"), quiet=as_json
    )
    raise typer.Exit(options.exit_code(verdict))


def _lines(results: Sequence[GateVerdict], reread: Sequence[RereadTask]) -> Iterator[str]:
    """Yield the verdicts, what was left out, how the runs were made differently, and what was not read again."""
    for one in results:
        shown = "" if one.required else " (not required)"
        yield f"{one.verdict:<10}{one.name}{shown}: {verdict_sentence(one)}"
    for note in dict.fromkeys(note for one in results for note in one.left_out):
        yield f"left out  {note}"
    yield from dict.fromkeys(
        f"differs   {also['name']}: {also['before']} vs {also['after']}" for one in results for also in one.also_differs
    )
    for task in reread:
        if task.differ is None:
            yield f"not read  {task.run}, {task.task}: its stored verdicts stand unchecked ({task.why_not})"
