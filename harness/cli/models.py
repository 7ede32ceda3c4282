"""`dtbench models`: the families of audio-language models, and what is known of each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import typer

from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import UserError, did_you_mean, one_line
from dtbench.harness.core.options import Argument, AsJson
from dtbench.models.checkpoints import families
from dtbench.models.checkpoints.families import Family

Name = Annotated[
    str | None, Argument("[FAMILY]", "Only this family: its name, or your own TOML file.", values="families")
]


@with_options
def models_command(name: Name = None, as_json: AsJson = False) -> None:
    """List model families and what is known about each.

    Any other checkpoint that vLLM can serve runs too.
    """
    selected = _families(name)
    if as_json:
        facts = [
            {key: value for key, value in dataclasses.asdict(family).items() if value not in (None, "", (), {})}
            for family in selected
        ]
        typer.echo(json.dumps(facts))
    elif name is None:
        _print_table(selected)
        typer.echo(
            "Without weights: random, first, majority, echo-gold, replay. Details of one family: `dtbench models NAME`."
        )
    else:
        for family in selected:
            typer.echo("\n".join(map(one_line, _whole(family))))


def _families(name: str | None) -> Sequence[Family]:
    if name is None:
        return list(families.built_in_families().values())
    if name.endswith(".toml"):
        return list(families.load_families(Path(name)).values())
    if name not in families.built_in_families():
        raise UserError(f"unknown family {name!r}. {did_you_mean(name, families.built_in_families())}")
    return [families.built_in_families()[name]]


def _print_table(selected: Sequence[Family]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_lines=True)
    for title in ("family", "description", "clip"):
        table.add_column(title, overflow="fold")
    for family in selected:
        table.add_row(Text(family.name), Text("\n".join(_lines(family))), Text(_limit(family)))
    Console(highlight=False).print(table)


def _lines(family: Family) -> Iterator[str]:
    yield one_line(family.title)
    where = family.url or family.checkpoint or family.hub_id
    if where:
        yield one_line(where)
    yield f"runs with {' or '.join(family.backends)}"
    if family.thinking:
        yield one_line(f"thinking: {family.thinking}")
    yield one_line(f"tested with dtbench: {family.proven or 'no'}")


def _limit(family: Family) -> str:
    return f"{family.limit_seconds:g} s" if family.limit_seconds else "any"


def _whole(family: Family) -> Iterator[str]:
    yield f"{family.name}: {family.title}"
    facts = {
        "hub id": family.hub_id,
        "folder": family.checkpoint,
        "classes": ", ".join(family.architectures),
        "endpoint": family.url,
        "model": family.model,
        "runs with": " or ".join(family.backends),
        "instead": family.instead,
        "thinking": family.thinking,
        "chain": " ... ".join(family.chain or ()),
        "clips": f"{family.rate} Hz, {_limit(family)}",
        "sampling": ", ".join(f"{name} {value}" for name, value in family.sampling.items()),
        "vllm serve": " ".join(f"{name}={value}" for name, value in family.serve.items()),
        "licence": family.licence,
        "tested": family.proven or "no",
    }
    yield from (f"  {name:<11}{value}" for name, value in facts.items() if value)
    yield from (f"  {'trap':<11}{trap}" for trap in family.traps)
