"""`dtbench run`: ask a model the questions of benchmarks, keep every answer, print the scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dtbench.harness.cli.messages import say
from dtbench.harness.cli.options import AsJson, ModelOptions, TaskFile, pairs
from dtbench.harness.core.errors import UserError

if TYPE_CHECKING:
    from dtbench.harness.run.session import RunResult

ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="M",
        help="A checkpoint (folder or hub id), a name of `dtbench models`, or the URL of an endpoint.",
    ),
]
TaskNames = Annotated[
    str | None, typer.Option("--tasks", metavar="T,T", help="mmar, mmau-mini, mmau-test, mmsu, or yours.")
]
DataDir = Annotated[Path | None, typer.Option("--data-dir", metavar="D", help="Where the data sets are.")]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="The run's folder; the same one resumes.")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="Only the first N questions of each task.")]
Ids = Annotated[
    Path | None, typer.Option("--ids", metavar="FILE", help="Only the questions with these ids, one a line.")
]
Repeats = Annotated[int, typer.Option("--samples", metavar="K", help="Answers to each question.")]
Concurrency = Annotated[int, typer.Option("--concurrency", metavar="N", help="Requests in flight.")]
Seed = Annotated[int, typer.Option("--seed", metavar="S", help="For sampling, and for what is drawn here.")]
Backend = Annotated[
    str | None, typer.Option("--backend", metavar="B", help="What runs a checkpoint: vllm, or local (transformers).")
]
PromptFile = Annotated[
    Path | None, typer.Option("--prompt", metavar="FILE", help="Your words, with {question} and {options} in them.")
]
Audio = Annotated[
    str, typer.Option("--audio", metavar="MODE", help="clip, or silence, noise, shuffle: does the model listen?")
]
Answer = Annotated[
    str,
    typer.Option("--answer", metavar="STYLE", help="direct, think (a chain first), forced (one letter, how sure)."),
]
Permute = Annotated[int, typer.Option("--permute", metavar="K", help="Rotate the options by K places.")]
Rule = Annotated[
    str, typer.Option("--long-clips", metavar="RULE", help="For clips over the model's limit: cut, windows or refuse.")
]
Budget = Annotated[
    float, typer.Option("--max-failed", metavar="SHARE", help="The share of questions that may fail (exit 3 above it).")
]
Track = Annotated[
    str | None,
    typer.Option("--track", metavar="T", help="single: refuse what the challenge's track for one model forbids."),
]

Log = Annotated[
    list[str] | None,
    typer.Option("--log", metavar="NAME", help="wandb, mlflow, trackio, or of a package: gets the summary; repeat it."),
]


def command(  # noqa: PLR0913 - the parameters of a command are its options
    model: ModelName = None,
    tasks: TaskNames = None,
    data_dir: DataDir = None,
    out: Out = None,
    limit: Limit = None,
    ids: Ids = None,
    samples: Repeats = 1,
    concurrency: Concurrency = 16,
    seed: Seed = 0,
    options: ModelOptions = None,
    backend: Backend = None,
    prompt: PromptFile = None,
    answer: Answer = "direct",
    audio: Audio = "clip",
    permute: Permute = 0,
    long_clips: Rule = "cut",
    max_failed: Budget = 0.01,
    track: Track = None,
    task_file: TaskFile = None,
    log: Log = None,
    as_json: AsJson = False,
) -> None:
    """Ask a model the questions of benchmarks; run again, it goes on where it stopped."""
    from dtbench.harness.export.trackers.call import FAILED, log_all, loggers
    from dtbench.harness.run.session import RunRequest, run
    from dtbench.harness.store.run_folder import StoredRun

    request = RunRequest(
        model=named(model),
        tasks=_names(tasks, task_file),
        task_file=task_file,
        data_dir=data_dir,
        out=out,
        limit=limit,
        ids=ids,
        samples=samples,
        concurrency=concurrency,
        seed=seed,
        options=pairs(options or []),
        backend=backend,
        prompt=prompt,
        answer=answer,
        audio=audio,
        permute=permute,
        rule=long_clips,
        max_failed=max_failed,
        track=track,
    )
    wanted = loggers(log or [])
    outcome = run(request, quiet=as_json)
    unlogged = log_all(wanted, outcome.as_json(), StoredRun.open(outcome.folder)) if wanted else []
    _print(outcome, as_json=as_json)
    for note in (*outcome.notes, *unlogged):
        say(note)
    raise typer.Exit(outcome.exit_code or (FAILED if unlogged else 0))


def _print(outcome: RunResult, *, as_json: bool) -> None:
    from dtbench.harness.cli.tables import print_summary

    if as_json:
        typer.echo(json.dumps(outcome.as_json()))
        return
    for summary in outcome.summaries:
        print_summary(summary)
    typer.echo(f"run {outcome.folder} ({outcome.status})")


def _names(tasks: str | None, task_file: Path | None) -> list[str]:
    if tasks is None:
        if task_file is None:
            raise UserError("--tasks is missing: name one or more, such as --tasks mmar,mmsu, or give --task-file.")
        return []
    names = [name.strip() for name in tasks.split(",") if name.strip()]
    twice = [name for name in names if names.count(name) > 1]
    if not names or twice:
        raise UserError(f"--tasks {tasks}: {f'{twice[0]} is named twice' if twice else 'no task is named'}.")
    return names


def named(model: str | None) -> str:
    """The model that --model names; a UserError where it names none."""
    if model is None:
        raise UserError("--model is missing: name one, such as --model first, or the URL of an endpoint.")
    return model
