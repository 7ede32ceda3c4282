"""`dtbench subset`: find a small set of questions that ranks runs as all of them do."""

from __future__ import annotations

import json

import typer

from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.tables import NONE, percent, print_rows
from dtbench.harness.cli.terminal import print_line, print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.compare.subset import SubsetRequest
from dtbench.harness.core.options import AsJson
from dtbench.harness.store.subset_types import QuestionSubset, RankAgreement

_COLUMNS = (
    "accuracy in %: on all questions, on the set, and on a set that the other runs chose without this one. The last is "
    "what to expect of a model that is not among the runs."
)


@with_options
def subset_command(request: SubsetRequest, as_json: AsJson = False) -> None:
    """Select a small set of questions that ranks stored runs like the whole, and measure its error.

    The error is measured on runs that took no part in the selection: each is left out once. Random sets are shown for
    comparison.
    """
    from dtbench.harness.compare.subset import find_subset

    found = find_subset(request)
    if found["not_shared"]:
        print_note(f"{found['not_shared']} questions were not asked in every run and are left out")
    if found["left_out"]["mean_error"] >= found["random"]["mean_error"]:
        print_note("these runs tell too little of a further one: a set that is drawn at random has no larger error")
    if as_json:
        typer.echo(json.dumps(found))
    else:
        _print(found)
    if request.out is not None:
        step = NextStep(["run", "--model", "MODEL", "--tasks", found["task"], "--ids", request.out], "ask only these")
        print_next(step, quiet=as_json)


def _print(found: QuestionSubset) -> None:
    if found["out"] is None:
        for id_ in found["ids"]:
            typer.echo(id_)
        print_note(f"left out: {_agreement(found['left_out'])}; --out FILE writes the ids and prints all of it")
        return
    print_line(f"{found['size']} of {found['questions']} questions of {found['task']}: {found['out']}")
    rows = [
        (one["run"], percent(one["accuracy"]), percent(one["subset"]), percent(one["left_out"]))
        for one in found["runs"]
    ]
    print_rows(("run", "all", "set", "left out"), rows)
    print_line(_COLUMNS)
    print_line(f"{'left out':<15}{_agreement(found['left_out'])}", 15)
    print_line(f"{'random sets':<15}{_agreement(found['random'])} (mean of {found['draws']})", 15)
    print_line(f"{'chosen with':<15}{_agreement(found['chosen_with'])}, of the runs that chose the set", 15)


def _agreement(one: RankAgreement) -> str:
    ranks = (NONE if value is None else f"{value:.2f}" for value in (one["kendall"], one["spearman"]))
    tau, rho = ranks
    mean, most = 100 * one["mean_error"], 100 * one["max_error"]
    return f"error {mean:.1f} points, {most:.1f} at most; ranks: Kendall's tau {tau}, Spearman's rho {rho}"
