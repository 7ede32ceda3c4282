"""`dtbench chains`: captions, questions and reference chains for training data, each from an endpoint."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dtbench.harness.cli.options import AsJson, ModelOptions, pairs
from dtbench.harness.core.errors import UserError, one_line

if TYPE_CHECKING:
    from dtbench.harness.core.model import Model

Data = Annotated[str, typer.Argument(metavar="DATA", help="A file of drafts: rows without question or chain.")]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where rows.jsonl and rejects.jsonl go.")]
Captioner = Annotated[str | None, typer.Option("--captioner", metavar="URL", help="Listens, and says what is heard.")]
Writer = Annotated[str | None, typer.Option("--writer", metavar="URL", help="Writes questions, where rows have none.")]
Reasoner = Annotated[str | None, typer.Option("--reasoner", metavar="URL", help="Writes chains; else the writer does.")]
CaptionerModel = Annotated[str | None, typer.Option("--captioner-model", metavar="NAME", help="Its name there.")]
WriterModel = Annotated[str | None, typer.Option("--writer-model", metavar="NAME", help="Its name there.")]
ReasonerModel = Annotated[str | None, typer.Option("--reasoner-model", metavar="NAME", help="Its name there.")]
Limit = Annotated[int | None, typer.Option("--limit", metavar="N", help="Only the first N rows.")]
Concurrency = Annotated[int, typer.Option("--concurrency", metavar="N", help="Rows in work at once.")]
Seed = Annotated[int, typer.Option("--seed", metavar="S", help="The models'.")]
Budget = Annotated[float, typer.Option("--max-failed", metavar="SHARE", help="The share of rows that may fail.")]
Against = Annotated[
    str, typer.Option("--against", metavar="T,T", help="Benchmarks that the rows must not overlap; all that are found.")
]
DataDir = Annotated[Path | None, typer.Option("--data-dir", metavar="D", help="Where the benchmarks' data is.")]
STEP_OF = {"caption": "captioner", "question": "writer", "chain": "reasoner"}


def command(  # noqa: PLR0913 - the parameters of a command are its options
    data: Data,
    out: Out,
    captioner: Captioner = None,
    writer: Writer = None,
    reasoner: Reasoner = None,
    captioner_model: CaptionerModel = None,
    writer_model: WriterModel = None,
    reasoner_model: ReasonerModel = None,
    limit: Limit = None,
    concurrency: Concurrency = 8,
    seed: Seed = 0,
    options: ModelOptions = None,
    max_failed: Budget = 0.01,
    against: Against = "found",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Write what each row lacks, check it, keep what is turned away; run again, it goes on where it stopped."""
    from dtbench.training.chains.session import ChainsOptions, write_chains

    where = {
        "caption": (captioner, captioner_model),
        "question": (writer, writer_model),
        "chain": (reasoner, reasoner_model) if reasoner else (writer, writer_model),
    }
    wish = ChainsOptions(
        data=data,
        out=out,
        limit=limit,
        concurrency=concurrency,
        seed=seed,
        max_failed=max_failed,
        against=against,
        data_dir=data_dir,
    )

    def say(text: str) -> None:
        if not as_json:
            typer.echo(one_line(text), err=True)

    outcome = write_chains(wish, lambda step: _reached(step, *where[step], options), say)
    if as_json:
        typer.echo(json.dumps(outcome.report))
    else:
        _print(outcome.report)
    raise typer.Exit(outcome.exit_code)


def _reached(step: str, url: str | None, name: str | None, options: list[str] | None) -> Model:
    from dtbench.harness.core.typed_settings import parse_arguments
    from dtbench.models.endpoint.server import Server
    from dtbench.models.endpoint.settings import EndpointSettings

    option = STEP_OF[step]
    if url is None or "://" not in url:
        said = f"--{option} is missing" if url is None else f"--{option} {url}: this is no URL"
        raise UserError(f"{said}: rows lack a {step}; name an endpoint, such as http://localhost:8000/v1.")
    given = parse_arguments(EndpointSettings, pairs(options or []), f"a {option}", besides=("model",))
    return Server.connect(url, EndpointSettings(**{**given, "model": name}))


def _print(report: Mapping[str, Any]) -> None:
    typer.echo(
        f"drafts {report['drafts']}, written {report['written']}, rejected {report['rejected']}, "
        f"failed {report['failed']}, missing {report['missing']}"
    )
    for why, count in report["rejected_why"].items():
        typer.echo(one_line(f"rejected {count:>6}   {why}"))
    for step, tokens in report["tokens"].items():
        typer.echo(f"{step:<9} {', '.join(f'{count:,} {name}' for name, count in tokens.items())}")
    typer.echo(one_line(f"rows {report['rows']} ({report['status']})"))
