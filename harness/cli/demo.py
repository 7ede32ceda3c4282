"""`dtbench demo`: run the built-in model on the built-in benchmark, with and without audio, and say what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dtbench.harness.cli.next_steps import TITLE, NextStep, step_lines
from dtbench.harness.cli.tables import print_summary
from dtbench.harness.cli.terminal import print_note
from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.options import ANSWERS, OUTPUT, Option

NAME = "mini"
RUN = Path("results") / "runs" / "demo"
"""Where other runs are, so that the board finds this one too; runs of two engines are two."""

Out = Annotated[Path | None, Option("--out", "RUN", "Run folder.", panel=OUTPUT, shown=f"{RUN}-BACKEND", values="runs")]
Backend = Annotated[
    str | None,
    Option(
        "--backend",
        "NAME",
        "What runs the model: vllm, or local (transformers).",
        panel=ANSWERS,
        shown="vllm if it is installed",
        values=("vllm", "local"),
    ),
]


@with_options
def demo_command(out: Out = None, backend: Backend = None) -> None:
    """Run the bundled model on the bundled benchmark, with the right clips and then with shuffled clips.

    Nothing is downloaded. The same command resumes, or shows the finished run; delete the run folder to start over.
    """
    from dtbench.harness.report.build import ReportOptions, make_report
    from dtbench.harness.run.request import RunRequest
    from dtbench.harness.run.session import run_many
    from dtbench.models.backends import resolve_backend

    engine = resolve_backend(NAME, backend)
    folder = out or RUN.with_name(f"{RUN.name}-{engine}")
    shuffled = (folder / "audio-shuffle").is_dir()
    runs = [
        RunRequest(model=NAME, backend=engine, tasks=[NAME], out=folder, audio=audio, options={})
        for audio in ("clip", "shuffle")
    ]
    typer.echo(_begin(engine, folder, again=shuffled))
    for outcome, title in zip(run_many(runs, quiet=False), (_HEARD, _UNHEARD), strict=False):
        typer.echo(f"\n{title}")
        for summary in outcome.summaries:
            print_summary(summary)
        for note in outcome.notes:
            print_note(note)
        if outcome.exit_code:
            raise typer.Exit(outcome.exit_code)
    typer.echo(_next(folder, engine, make_report(ReportOptions(runs=[folder])).path))


_HEARD = "What it says about clips that it hears:"
_UNHEARD = "The same questions, each with another question's clip. `listening` is what hearing adds to the score:"


def _begin(engine: str, folder: Path, *, again: bool) -> str:
    how = {"vllm": "vLLM", "local": "transformers"}[engine]
    there = f"\nThe run exists already; delete {folder} to start over." if again else ""
    return f"""\
The bundled model, mini, answers the bundled benchmark, mini, with {how}. Both were made from code alone, and nothing is
downloaded. The run goes to {folder}.{there}"""


def _next(folder: Path, engine: str, report: Path) -> str:
    random = folder.with_name("random")
    steps = "\n".join(
        step_lines(
            [
                NextStep(
                    ["run", "--model", NAME, "--backend", engine, "--tasks", NAME, "--answer", "think", "--out", folder]
                ),
                NextStep(["run", "--model", "random", "--tasks", NAME, "--out", random]),
                NextStep(["compare", random, folder]),
                NextStep(["report", random, folder]),
                NextStep(["models"], "other models with a short name"),
                NextStep(["tasks"], "the benchmarks; `dtbench data pull mmar` downloads one"),
            ]
        )
    )
    return f"""
Open {report} in a browser: every answer with its clip. Next to it
are run.json (how it was made), mini.jsonl (the answers), mini.questions.jsonl and summary.json. {TITLE}

{steps}

The first one asks it to reason before it answers, which it was never taught: training is for that. Replace mini with
your own checkpoint, a hub id or the URL of an endpoint, and the task with mmar, mmau-mini or mmsu."""
