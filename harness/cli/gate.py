"""`dtbench gate`: may a candidate replace the baseline? For CI: exit 0 passed, 1 regressed, 4 too few to tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from dtbench.harness.cli.compare import Only, ScoreName, join_all
from dtbench.harness.cli.options import AsJson
from dtbench.harness.core.errors import UserError, did_you_mean, one_line

Baseline = Annotated[Path | None, typer.Option("--baseline", metavar="A", help="The run to hold against.")]
Candidate = Annotated[Path | None, typer.Option("--candidate", metavar="B", help="The run that is to pass.")]
MaxDrop = Annotated[float, typer.Option("--max-drop", metavar="P", help="Percentage points it may be worse.")]
Alpha = Annotated[float, typer.Option("--alpha", metavar="A", help="The chance of a wrong verdict, one-sided.")]
GroupNames = Annotated[
    list[str] | None, typer.Option("--group", metavar="H=V", help="A group that has to pass too; repeat it.")
]
Allowed = Annotated[list[str] | None, typer.Option("--allow", metavar="NAME", help="A setting that may differ.")]
Undecided = Annotated[str | None, typer.Option("--undecided", metavar="W", help="pass or fail: instead of exit 4.")]
Junit = Annotated[Path | None, typer.Option("--junit", metavar="OUT.xml", help="Write the verdicts for a CI server.")]
Markdown = Annotated[Path | None, typer.Option("--markdown", metavar="OUT.md", help="Write them for a job's summary.")]


def command(  # noqa: PLR0913 - the parameters of a command are its options
    baseline: Baseline = None,
    candidate: Candidate = None,
    max_drop: MaxDrop = 1.0,
    alpha: Alpha = 0.05,
    group: GroupNames = None,
    task: Only = None,
    score: ScoreName = "official",
    allow: Allowed = None,
    undecided: Undecided = None,
    junit: Junit = None,
    markdown: Markdown = None,
    as_json: AsJson = False,
) -> None:
    """Pass a candidate that is shown to be no worse than is allowed; nothing that is missing or unlike passes."""
    from dtbench.harness.compare import gate as gates
    from dtbench.harness.compare.report import sentence, write_junit, write_markdown
    from dtbench.harness.store.run_folder import StoredRun

    _refuse_odd(max_drop, alpha, undecided)
    if baseline is None or candidate is None:
        raise UserError(f"{'--baseline' if baseline is None else '--candidate'} is missing: name a run's folder.")
    before, after = StoredRun.open(baseline), StoredRun.open(candidate)
    parts = join_all(before, after, task, score)
    if task is None and set(before.info["tasks"]) != set(after.info["tasks"]):
        raise UserError("the runs hold different tasks: name the one to gate with --task.")
    for part in parts:
        gates.refuse_unsound(part, allow or [])
    results = [
        one
        for part in parts
        for one in gates.gate(part, _named(part, group or [], parts), max_drop=max_drop / 100, alpha=alpha)
    ]
    verdict = gates.worst(results)
    if junit is not None:
        write_junit(junit, results, undecided_fails=undecided == "fail")
    if markdown is not None:
        write_markdown(markdown, results, verdict)
    if as_json:
        typer.echo(json.dumps({"verdict": verdict, "results": gates.as_json(results)}))
    else:
        for one in results:
            typer.echo(one_line(f"{one.verdict:<10}{one.name}: {sentence(one)}"))
    wished = {"pass": 0, "fail": 1}
    code = wished[undecided] if undecided is not None and verdict == "undecided" else gates.EXIT[verdict]
    raise typer.Exit(code)


def _refuse_odd(max_drop: float, alpha: float, undecided: str | None) -> None:
    if not 0 <= max_drop <= 100:
        raise UserError(f"--max-drop {max_drop:g}: points from 0 to 100 are expected.")
    if not 0 < alpha < 0.5:
        raise UserError(f"--alpha {alpha:g}: a chance above 0 and below 0.5 is expected, such as 0.05.")
    if undecided not in {None, "pass", "fail"}:
        raise UserError(f"--undecided {undecided}: pass or fail is expected.")


def _named(part: object, groups: list[str], parts: list[object]) -> list[str]:
    """The groups that this task has; one that no task has is refused."""
    known = {id(one): _groups(one) for one in parts}
    everywhere = sorted(set().union(*known.values()))
    for group in groups:
        if group not in everywhere:
            raise UserError(f"--group {group}: there is no such group. {did_you_mean(group, everywhere)}")
    return [group for group in groups if group in known[id(part)]]


def _groups(part: object) -> set[str]:
    from dtbench.harness.compare.paired import PairedRuns

    assert isinstance(part, PairedRuns)
    return {f"{heading}={value}" for one in part.questions for heading, value in one.groups}
