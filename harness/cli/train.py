"""`dtbench train`: stages of reinforcement learning from a recipe, evaluated after each, and the table of them."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dtbench.harness.cli.claim_lines import print_claims
from dtbench.harness.cli.next_steps import NextStep, print_next
from dtbench.harness.cli.tables import percent, print_rows
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.options import RUNS, AsJson, Option
from dtbench.harness.run.live_line import LiveLine
from dtbench.training.recipe.estimate import estimate_lines
from dtbench.training.stages.layout import Layout
from dtbench.training.stages.options import TrainOptions
from dtbench.training.stages.outcome import stage_gains
from dtbench.training.stages.plan import needs, planned_commands
from dtbench.training.stages.roles import find_role, follow
from dtbench.training.stages.stages import train
from dtbench.training.stages.state import refuse_other_folder

if TYPE_CHECKING:
    from dtbench.training.engines.contract import EngineCommand, Metrics
    from dtbench.training.recipe.settings import StageRecipe

DryRun = Annotated[
    bool,
    Option("--dry-run", None, "Print every command of every role and the resources it needs; run nothing.", panel=RUNS),
]
SHOWN = ("reward", "kl", "completion_length", "guard_rate", "right_low_marks", "grad_norm", "seconds")
"""What a line of progress says of a step, beside the parts of the reward."""
NEAR = "boundary"
"""The group whose gains are shown in columns of their own, where a task has it."""
MOST_VALUES = 3
"""A heading of more groups than that has no columns."""
MINED_SHOWN = {
    "never": "never right",
    "hard": "too hard",
    "in band": "kept",
    "easy": "too easy",
    "always": "always right",
}
"""A column of the table of what was mined -> the outcome that it counts."""
_HEADINGS = ("difference", "95 % interval", "McNemar p", NEAR, "p there")
Table = Mapping[str, Any]


@with_options
def train_command(options: TrainOptions, dry_run: DryRun = False, as_json: AsJson = False) -> None:
    """Train a model in stages of reinforcement learning and evaluate it after each.

    The same command resumes; within a stage, from its last complete checkpoint.
    """
    if dry_run:
        refuse_other_folder(options.out, options.load())
        for line in estimate_lines(options.load()):
            typer.echo(f"# {line}\n")
        for where, command in planned_commands(options):
            typer.echo(f"# {where}\n{_shell(command)}\n")
        for line in needs(options):
            typer.echo(f"# {line}")
        return

    from dtbench.training.claims.own_stages import own_claims

    live = LiveLine(quiet=as_json)
    place = find_role(options)
    if place is not None and place.index:
        outcome = follow(options, place, live.notify)
        typer.echo(json.dumps(outcome) if as_json else f"{place}: done, after {outcome['attempts']} attempts")
        return
    table = train(options, live, lambda stage, metrics: live.say(_step_line(stage, metrics)), place)
    claims = own_claims(options)
    if as_json:
        typer.echo(json.dumps({**table, "claims": claims.results}))
    else:
        print_table(table)
        print_claims(*claims)
        print_next(*_next_steps(options))


def _next_steps(options: TrainOptions) -> Iterator[NextStep]:
    layout, last = Layout(options.out), options.load().stage[-1].name
    yield NextStep(["report", options.out], "curves, scores and answers on one page")
    runs = ["--baseline", str(layout.base_eval), "--candidate", str(layout.stage(last).eval)]
    yield NextStep(["gate", *runs], "is the last stage no worse than the base?")


def _shell(command: EngineCommand) -> str:
    """Return the command as a shell reads it, a flag a line; `${...}` is left for the shell."""
    environment = "".join(f"{name}={_quoted(value)} " for name, value in sorted(command.environment.items()))
    lines = " ".join(map(_quoted, command.arguments)).replace(" --", " \\\n  --")
    return f"{environment}\\\n{lines}" if environment else lines


def _quoted(value: str) -> str:
    return value if value.startswith("${") else shlex.quote(value)


def _step_line(stage: StageRecipe, metrics: Metrics) -> str:
    rewards = [f"{name.removeprefix('reward/')} {metrics[name]:.3f}" for name in metrics if name.startswith("reward/")]
    others = [f"{name} {metrics[name]:.3g}" for name in SHOWN if name in metrics]
    unseen = {"dev/seconds", "dev/completion_length", "dev/completions_cut"}
    others += [f"{name} {metrics[name]:.3g}" for name in metrics if name.startswith("dev/") and name not in unseen]
    of = f" of {stage.steps}" if stage.steps else ""
    return f"{stage.name}: step {metrics['step']:.0f}{of}: {', '.join([*rewards, *others])}"


def print_table(table: Table) -> None:
    """Print the tables, one below the other."""
    _print_runs(table)
    gains = list(_gains(table))
    if gains:
        print_rows(("in points", *_HEADINGS), gains)
    prefixes = _prefixes(table)
    pairs = [
        (f"{prefixes[one['task']]}{one['from']} -> {one['to']}", *_cells(one, _near(one))) for one in table["paired"]
    ]
    print_rows(("in points", *_HEADINGS), pairs)
    if mined := [_mined_row(report) for report in table.get("mined", ())]:
        print_rows(("questions mined", "with", "asked", *MINED_SHOWN, "trained on"), mined)
    described = [
        (f"{row['name']}, {row['difficulty']}", percent(row["exact"]["accuracy"]), percent(row["sounds"]))
        for row in table["described"] or ()
    ]
    if described:
        print_rows(("descriptions, in %", "right to the word", "sounds described rightly"), described)


def _mined_row(report: Table) -> Sequence[str]:
    counts = [str(report["outcomes"][name]) for name in MINED_SHOWN.values()]
    return (report["stage"], report["from"], str(report["questions"]), *counts, str(report["rows_kept"]))


def _prefixes(table: Table) -> Mapping[str, str]:
    """Return the prefix of each task's runs: its name, where there are several tasks."""
    tasks = dict.fromkeys(row["task"] for row in table["rows"])
    return {task: f"{task}: " if len(tasks) > 1 else "" for task in tasks}


def _print_runs(table: Table) -> None:
    rows, prefixes = table["rows"], _prefixes(table)
    groups = _shown_groups(rows)
    with_criteria = any(row["criteria"] is not None for row in rows)
    cells = [
        (
            f"{prefixes[row['task']]}{row['name']}{' *' if row['best'] else ''}",
            percent(row["strict"]["accuracy"]),
            f"{percent(row['strict']['low'])} to {percent(row['strict']['high'])}",
            *(percent(row["groups"][name]["accuracy"]) if name in row["groups"] else "" for name in groups),
            *((_percent(row.get("measures", {}).get("lucky_rate")),) if with_criteria else ()),
            percent(row["formed"]),
            *((_figure(row["criteria"], 2),) if with_criteria else ()),
            _figure(row["words"], 1),
        )
        for row in rows
    ]
    named = [name.replace(": ", " ") if name[-1].isdecimal() else name.split(": ")[1] for name in groups]
    last = (*(("lucky",) if with_criteria else ()), "in form", *(("criteria",) if with_criteria else ()), "words")
    print_rows(("in % (*: the best untrained)", "strict", "95 % interval", *named, *last), cells)


def _shown_groups(rows: Sequence[Table]) -> Sequence[str]:
    """Return the groups that have columns: all of the headings with few values, such as difficulty, depth or cue."""
    names = list(dict.fromkeys(name for row in rows for name in row["groups"]))
    values = Counter(name.partition(": ")[0] for name in names)
    return [name for name in names if values[name.partition(": ")[0]] <= MOST_VALUES]


def _gains(table: Table) -> Iterator[Sequence[str]]:
    """Yield the gain of each stage over the base's direct answers, and over the base with its best prompt."""
    for task, prefix in _prefixes(table).items():
        for one in stage_gains(table, task):
            against = f"{one.base} *" if one.best else f"{one.base}, direct"
            yield (f"{prefix}{one.stage} over {against}", *_cells(one.all, one.groups.get(NEAR)))


def _near(pair: Table) -> Table | None:
    return next((group for group in pair["groups"] if group["group"] == NEAR), None)


def _cells(pair: Table, near: Table | None) -> Sequence[str]:
    whole = (
        f"{100 * pair['difference']:+.1f}",
        f"{100 * pair['low']:+.1f} to {100 * pair['high']:+.1f}",
        f"{pair['p']:.2g}",
    )
    return (*whole, *(("", "") if near is None else (f"{100 * near['difference']:+.1f}", f"{near['p']:.2g}")))


def _percent(share: float | None) -> str:
    return "" if share is None else percent(share)


def _figure(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"
