"""`dtbench judge`: score a run's reasoning, or its answers, with a model behind an endpoint."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.tables import print_rows
from dtbench.harness.cli.terminal import print_line
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import one_line
from dtbench.harness.core.options import RUNS, AsJson, Option
from dtbench.harness.judge.plan import JudgeOptions
from dtbench.harness.store.judged_types import (
    AnswerSummary,
    CalibrationSummary,
    JudgedGroup,
    JudgeSummary,
    MarkedFigures,
)
from dtbench.harness.store.redact import mask_text

if TYPE_CHECKING:
    from dtbench.harness.judge.session import AnyJudgeSummary, JudgeResult

OnlyEstimate = Annotated[
    bool, Option("--estimate", None, "Print the remaining calls and tokens without calling the judge.", panel=RUNS)
]


REASONS = 3
"""How many reasons why questions have no marks are printed."""
SIDES = {"prompt_tokens": "input", "completion_tokens": "output"}
"""What an endpoint calls its tokens -> what a reader calls them."""


@with_options
def judge_command(options: JudgeOptions, estimate: OnlyEstimate = False, as_json: AsJson = False) -> None:
    """Score a run's reasoning against rubrics, or its answers against the right ones, with an LLM judge.

    With rubrics, wrong answers score 0, and the reasoning of correct ones is judged several times; the lowest and
    highest marks are dropped and the rest averaged. Answers that waited for a judge are scored with its marks from
    then on. The same command resumes.
    """
    from dtbench.harness.judge.session import describe_estimate, estimate_judge, run_judge
    from dtbench.harness.run.live_line import LiveLine

    if estimate:
        about = estimate_judge(options)
        line = f"{about['calls']:,} calls to make, {describe_estimate(about)}; nothing was asked"
        typer.echo(json.dumps(about) if as_json else line)
        return
    result = run_judge(options, LiveLine(quiet=as_json))
    if as_json:
        typer.echo(json.dumps(result.summary))
    else:
        _print(result.summary, result.folder)
    print_next(*_next_steps(options, result), quiet=as_json)
    raise typer.Exit(result.exit_code)


def _next_steps(options: JudgeOptions, result: JudgeResult) -> Iterator[NextStep]:
    if result.exit_code:
        return
    if "scorer" in result.summary:
        yield NextStep(["score", options.run], "the run's score with these marks")
    yield NextStep(["report", options.run], "marks and answers on one page")
    if not options.calibrate and mask_text(options.base_url) == options.base_url:
        model = ["--model", options.model] if options.model else []
        scorer = ["--scorer", options.scorer] if options.scorer else []
        judge = ["judge", str(options.run), *model, *scorer, "--base-url", options.base_url]
        yield NextStep([*judge, "--calibrate"], "how far to trust this judge")


def _print(summary: AnyJudgeSummary, folder: Path) -> None:
    for line in _lines(summary):
        print_line(line, indent=13)
    tokens = ", ".join(f"{SIDES.get(name, name)} {count:,}" for name, count in summary["tokens"].items())
    price = f", {summary['price']:,.2f} at the prices given" if "price" in summary else ""
    typer.echo(f"cost         {one_line(tokens) or 'token usage not reported'}{price}")
    typer.echo(f"replies      {_replies(summary)}")
    for note in summary.get("notes", ()):
        typer.echo(f"note         {one_line(note)}")
    typer.echo(f"judge {one_line(str(folder))} ({summary['status']})")


def _lines(summary: AnyJudgeSummary) -> Iterator[str]:
    if "kinds" in summary:
        return _calibration(summary)
    return _answers(summary) if "scorer" in summary else _marks(summary)


def _answers(summary: AnswerSummary) -> Iterator[str]:
    rows = [("Total", _mark_cell(summary), str(summary["n"]))]
    for heading, table in summary["groups"].items():
        rows += [
            (heading, "", ""),
            *((f"  {value}", _mark_cell(part), str(part["n"])) for value, part in table.items()),
        ]
    print_rows(("", summary["scorer"], "n"), rows)
    if summary["score"] is None:
        yield from _unscored(summary)
    else:
        yield f"score        {summary['score']:.2f} (95 % interval {summary['low']:.2f} to {summary['high']:.2f})"
    if summary["empty"]:
        yield f"empty        {summary['empty']} answers have no words, and no marks"
    if summary["unreadable_as_wrong"]:
        unreadable = summary["unreadable_as_wrong"]
        yield f"unreadable   {unreadable} replies could not be read; the authors count such answers as wrong"
    if summary["agreement"]:
        agree = summary["agreement"]
        yield f"agreement    two calls agree on {agree['pairs']:.1%} of answers, all calls on {agree['unanimous']:.1%}"


def _unscored(summary: AnswerSummary | JudgeSummary) -> Iterator[str]:
    """Yield how many answers have no marks, the span in which the total must lie, and the first reasons."""
    least, most = summary["between"]
    ids = ", ".join(summary["unscored_ids"][:3])
    yield f"unscored     {summary['unscored']} (first: {ids}); the total is between {least} and {most}"
    for reason, count in itertools.islice(summary["unscored_reasons"].items(), REASONS):
        yield f"             {count} of them: {reason}"


def _mark_cell(part: MarkedFigures) -> str:
    return "?" if part["score"] is None else f"{part['score']:.2f}"


def _marks(summary: JudgeSummary) -> Iterator[str]:
    rows = [("Total", *_cells(summary))]
    for heading, table in summary["groups"].items():
        rows += [(heading, "", "", ""), *((f"  {value}", *_cells(part)) for value, part in table.items())]
    print_rows(("", "rubrics", "accuracy", "n"), rows)
    if summary["rubrics"] is None:
        yield from _unscored(summary)
    else:
        yield f"rubrics      {summary['rubrics']:.2f} (95 % interval {summary['low']:.2f} to {summary['high']:.2f})"
    yield f"without      {summary['without_chain']} correct answers lack reasoning"
    if summary["agreement"]:
        agree = summary["agreement"]
        yield f"agreement    two calls agree on {agree['pairs']:.1%} of marks, all calls on {agree['unanimous']:.1%}"


def _replies(summary: AnyJudgeSummary) -> str:
    lost = [
        f"{count:,} {what}"
        for count, what in (
            (summary["unreadable_replies"], "unreadable"),
            (summary["failed_calls"], "failed calls"),
        )
        if count
    ]
    return ", ".join([f"{summary['replies']:,}", *lost])


def _cells(part: JudgeSummary | JudgedGroup) -> tuple[str, str, str]:
    rubrics = "?" if part["rubrics"] is None else f"{part['rubrics']:.2f}"
    return rubrics, "" if part["accuracy"] is None else f"{part['accuracy']:.2f}", str(part["n"])


def _calibration(summary: CalibrationSummary) -> Iterator[str]:
    rows = []
    for part in summary["kinds"].values():
        shares = (part["known"], part["given"], part["as_known"])
        rows.append((part["what"], *("" if share is None else f"{share:.1%}" for share in shares)))
    print_rows(("judged", "marks known", "marks given", "as known"), rows)
    marks = summary["marks"]
    yield (
        f"trust        {marks['accuracy']:.1%} of {marks['n']} known marks were reproduced "
        f"(95 % interval {marks['low']:.1%} to {marks['high']:.1%})"
    )
    if summary["unread"]:
        yield f"unread       {summary['unread']} of {summary['chains']} answers got no verdict"
