"""`dtbench judge`: how well a run's chains reason, by the criteria of their questions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from dtbench.harness.cli.options import AsJson, ModelOptions, TaskFile, TaskName, pairs
from dtbench.harness.core.errors import UserError, one_line

Run = Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder.")]
JudgeName = Annotated[str | None, typer.Option("--model", metavar="JUDGE", help="The judge's name at the endpoint.")]
BaseUrl = Annotated[str | None, typer.Option("--base-url", metavar="URL", help="An OpenAI-compatible endpoint.")]
Calls = Annotated[int, typer.Option("--calls", metavar="N", help="Calls a chain; the lowest and highest are dropped.")]
PromptFile = Annotated[Path | None, typer.Option("--prompt", metavar="FILE", help="The judge's instructions, yours.")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="Only the first N questions.")]
Number = Annotated[int, typer.Option("--sample", metavar="N", help="Of a run with several answers: which, from 0.")]
Concurrency = Annotated[int, typer.Option("--concurrency", metavar="N", help="Most calls in flight.")]
Seed = Annotated[int, typer.Option("--seed", metavar="S", help="The judge's.")]
DataDir = Annotated[Path | None, typer.Option("--data-dir", metavar="D", help="The data, where it is not found.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Its folder; else RUN/judge-JUDGE.")]
PriceOf = Annotated[
    str | None, typer.Option("--price", metavar="R/W", help="Of a million tokens read and written, such as 2.50/10.")
]
OnlyEstimate = Annotated[
    bool, typer.Option("--estimate", help="Tell what is left to ask and what it takes; ask nothing.")
]
Calibrate = Annotated[bool, typer.Option("--calibrate", help="Judge made chains whose marks are known.")]


def command(  # noqa: PLR0913 - the parameters of a command are its options
    run: Run,
    model: JudgeName = None,
    base_url: BaseUrl = None,
    task: TaskName = None,
    calls: Calls = 5,
    prompt: PromptFile = None,
    limit: Limit = None,
    sample: Number = 0,
    concurrency: Concurrency = 8,
    seed: Seed = 42,
    options: ModelOptions = None,
    data_dir: DataDir = None,
    out: Out = None,
    calibrate: Calibrate = False,
    price: PriceOf = None,
    estimate: OnlyEstimate = False,
    task_file: TaskFile = None,
    as_json: AsJson = False,
) -> None:
    """Ask a judge of each right answer's chain which criteria it meets; run again, it goes on where it stopped."""
    from dtbench.harness.judge.plan import JudgeSettings
    from dtbench.harness.judge.price import price_of, what_it_takes
    from dtbench.harness.judge.session import JudgeOptions, foreseen, run_judge
    from dtbench.harness.judge.wording import OURS, read_wording
    from dtbench.harness.store.run_folder import StoredRun
    from dtbench.tasks.stored import stored_task

    if limit is not None and limit < 1:
        raise UserError(f"--limit {limit}: a number from 1 up is expected.")
    stored = StoredRun.open(run)
    part = stored_task(stored, _named(list(stored.info.get("tasks", {})), task, run), task_file)
    wording = OURS if prompt is None else read_wording(prompt)
    how = JudgeSettings(wording=wording, calls=calls, seed=seed, sample=sample, limit=limit)
    prices = None if price is None else price_of(price)
    wish = JudgeOptions(how=how, concurrency=concurrency, data_dir=data_dir, out=out, calibrate=calibrate, price=prices)
    judge = _judge(model, base_url, options)
    if estimate:
        about = foreseen(stored, part, judge, wish)
        said = f"{about['calls']:,} calls to make, {what_it_takes(about)}; nothing was asked"
        typer.echo(json.dumps(about) if as_json else said)
        return

    def say(line: str) -> None:
        if not as_json:
            typer.echo(one_line(line), err=True)

    outcome = run_judge(stored, part, judge, wish, say)
    if as_json:
        typer.echo(json.dumps(outcome.summary))
    else:
        _print(outcome.summary, outcome.folder)
    raise typer.Exit(outcome.exit_code)


def _named(there: list[str], wanted: str | None, run: Path) -> str:
    if wanted is None and len(there) == 1:
        return there[0]
    if wanted is None or wanted not in there:
        told = f"--task {wanted}: it is not in {run}" if wanted else "--task is missing: the run has several"
        raise UserError(f"{told}; it holds {', '.join(there) or 'none'}.")
    return wanted


def _judge(model: str | None, base_url: str | None, options: list[str] | None) -> Any:
    """The endpoint, asked at temperature 0 unless -M says otherwise."""
    from dtbench.harness.core.typed_settings import read_options
    from dtbench.models.endpoint.server import Server
    from dtbench.models.endpoint.settings import EndpointSettings

    if base_url is None:
        raise UserError("--base-url is missing: name the judge's endpoint, such as http://localhost:8000/v1.")
    if "://" not in base_url:
        raise UserError(f"--base-url {base_url}: a URL is expected, such as http://localhost:8000/v1.")
    defaults = {"temperature": 0.0, "model": model}
    return Server.connect(base_url, read_options(EndpointSettings, pairs(options or []), "a judge", defaults=defaults))


def _print(summary: Mapping[str, Any], folder: Path) -> None:
    from dtbench.harness.judge.price import at_prices

    lines = _calibration(summary) if "kinds" in summary else _marks(summary)
    for line in lines:
        typer.echo(one_line(line))
    told = ", ".join(f"{count:,} {name}" for name, count in summary["tokens"].items())
    typer.echo(f"cost         {one_line(told) or 'the judge told no tokens'}{at_prices(summary)}")
    typer.echo(f"judge {one_line(str(folder))} ({summary['status']})")


def _marks(summary: Mapping[str, Any]) -> Iterator[str]:
    from dtbench.harness.cli.tables import print_rows

    rows = [("Total", *_cells(summary))]
    for heading, table in summary["groups"].items():
        rows += [(heading, "", "", ""), *((f"  {value}", *_cells(part)) for value, part in table.items())]
    print_rows(("", "rubrics", "accuracy", "n"), rows)
    if summary["rubrics"] is None:
        least, most = summary["between"]
        ids = ", ".join(summary["unscored_ids"][:3])
        yield f"unscored     {summary['unscored']} (first: {ids}): with them the total lies from {least} to {most}"
    else:
        yield f"rubrics      {summary['rubrics']:.2f} (95 % interval {summary['low']:.2f} to {summary['high']:.2f})"
    yield f"without      {summary['without_chain']} right answers have no chain"
    if summary["agreement"]:
        agree = summary["agreement"]
        yield f"agreement    {agree['pairs']:.1%} of pairs of calls, all of them on {agree['unanimous']:.1%} of marks"


def _cells(part: Mapping[str, Any]) -> tuple[str, str, str]:
    rubrics = "?" if part["rubrics"] is None else f"{part['rubrics']:.2f}"
    return rubrics, "" if part["accuracy"] is None else f"{part['accuracy']:.2f}", str(part["n"])


def _calibration(summary: Mapping[str, Any]) -> Iterator[str]:
    from dtbench.harness.cli.tables import print_rows

    def percent(value: float | None) -> str:
        return "" if value is None else f"{value:.1%}"

    print_rows(
        ("chains", "marks known", "marks given", "as known"),
        [
            (part["what"], percent(part["known"]), percent(part["given"]), percent(part["as_known"]))
            for part in summary["kinds"].values()
        ],
    )
    marks = summary["marks"]
    yield (
        f"trust        {marks['accuracy']:.1%} of {marks['n']} marks are the known ones "
        f"(95 % interval {marks['low']:.1%} to {marks['high']:.1%})"
    )
    if summary["unread"]:
        yield f"unread       {summary['unread']} of {summary['chains']} chains got no verdict"
