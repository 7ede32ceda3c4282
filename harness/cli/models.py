"""`dtbench models`: the families of audio-language models, and what is known of each."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from dtbench.harness.cli.typer_options import with_options
from dtbench.harness.core.errors import UserError, did_you_mean, one_line
from dtbench.harness.core.options import Argument, AsJson
from dtbench.models.checkpoints import families
from dtbench.models.checkpoints.families import TRUST, Family, StyleFacts
from dtbench.models.checkpoints.prompts import prompts_of_family
from dtbench.models.checkpoints.trust import CODE_RISK
from dtbench.models.endpoint.address import ANY_KEY
from dtbench.models.endpoint.hosts import Host, built_in_hosts

HOSTS = "hosts"
"""In place of the name of a family."""

Name = Annotated[
    str | None,
    Argument(
        "[FAMILY]",
        "Only this family: its name, or your own TOML file; `hosts` lists the known hosts.",
        values="families",
    ),
]

_EMPTY: tuple[Any, ...] = (None, "", (), {}, [])


@with_options
def models_command(name: Name = None, as_json: AsJson = False) -> None:
    """List model families and what is known about each.

    Any other checkpoint that vLLM can serve runs too.
    """
    if name == HOSTS:
        _print_hosts(as_json=as_json)
        return
    selected = _families(name)
    if as_json:
        typer.echo(json.dumps([_as_json(family) for family in selected]))
    elif name is None:
        _print_table(selected)
        typer.echo(
            "Without weights: random, first, majority, echo-gold, replay. Details of one family: "
            "`dtbench models NAME`; how hosts of models are called: `dtbench models hosts`."
        )
    else:
        for family in selected:
            typer.echo("\n".join(map(one_line, _whole(family))))


def _as_json(family: Family) -> dict[str, Any]:
    """Return what is known of a family; what has no value is left out."""
    facts = {name: _stated(value) for name, value in dataclasses.asdict(family).items()}
    prompts = {name: _stated(dataclasses.asdict(one)) for name, one in prompts_of_family(family.name).items()}
    whole = {**facts, "prompts": prompts, "command": _command(family)}
    return {name: value for name, value in whole.items() if value not in _EMPTY}


def _stated(value: Any) -> Any:
    return {name: one for name, one in value.items() if one not in _EMPTY} if isinstance(value, dict) else value


def _command(family: Family) -> str:
    """Return what to type to run it; empty where it does not run here."""
    if not family.known_ids and family.checkpoint is None and family.url is None:
        return ""
    runs = family.url is not None or set(family.backends) & {"vllm", "local"}
    task = next(iter(family.made_for), "mmar")
    trust = f" -M {TRUST}=true" if family.needs_code else ""
    return f"dtbench run --model {family.name} --tasks {task}{trust}" if runs else ""


def _families(name: str | None) -> Sequence[Family]:
    if name is None:
        return list(families.built_in_families().values())
    if name.endswith(".toml"):
        return list(families.load_families(Path(name)).values())
    if name not in families.built_in_families():
        raise UserError(f"unknown family {name!r}. {did_you_mean(name, families.built_in_families())}")
    return [families.built_in_families()[name]]


def _print_hosts(*, as_json: bool) -> None:
    """Print how each host takes requests, and where its key comes from."""
    hosts = list(built_in_hosts().values())
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(host) for host in hosts]))
        return
    for host in hosts:
        typer.echo("\n".join(map(one_line, _host_lines(host))))
    typer.echo("Any other endpoint is tried with the first question of a run; `-M host=NAME` takes one for another.")


def _host_lines(host: Host) -> Iterator[str]:
    yield f"{host.name}: {host.title}"
    answers = ["streamed"] if host.stream else []
    answers += ["no structured output"] if host.structure == "none" else []
    facts = {
        "url": host.url,
        "key": " or ".join((ANY_KEY, *host.key_variables)),
        "header": "" if host.key_header == "authorization" else host.key_header,
        "seed": f"{host.seed}, {host.seed_bits} bits" if host.seed else "not sent",
        "clips": host.audio_part,
        "longest": host.longest,
        "answers": ", ".join(answers),
    }
    yield from (f"  {name:<9}{value}" for name, value in facts.items() if value)
    yield from (f"  {'note':<9}{note}" for note in host.notes)


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
        "hub id": ", ".join(family.known_ids),
        "folder": family.checkpoint,
        "classes": ", ".join(family.architectures),
        "endpoint": family.url,
        "model": family.model,
        "runs with": " or ".join(family.backends),
        "instead": family.instead,
        "thinking": family.thinking,
        "chain": " ... ".join(family.chain or ()),
        "budget": family.thinking_budget,
        "clips": f"{family.rate} Hz, {_limit(family)}, {_clips(family)}",
        "sent as": family.audio_part,
        "system": family.system,
        "template": family.chat_template,
        "adapter": family.adapter,
        "request": _request(family),
        **{f"{style}": _style(facts) for style, facts in (("direct", family.direct), ("think", family.think))},
        "seed": {None: "", True: "sent", False: "not sent: its API refuses one"}[family.seed],
        "forced": "" if family.forced else "no letters among its tokens: --answer forced does not work",
        "vllm serve": " ".join(f"{name}={value}" for name, value in family.flags("{checkpoint}").items()),
        "code": f"it needs code of its repository, and {CODE_RISK}: read it first" if family.needs_code else "",
        "licence": family.licence,
        "made for": ", ".join(family.made_for),
        "tested": family.proven or "no",
        "run": _command(family),
    }
    yield from (f"  {name:<11}{value}" for name, value in facts.items() if value)
    yield from (f"  {'trap':<11}{trap}" for trap in family.traps)
    for prompt in dict.fromkeys(prompts_of_family(family.name).values()):
        style = "" if prompt.style == "direct" else f" --answer {prompt.style}"
        yield f"  {'prompt':<11}--prompt {' or '.join(prompt.names)}{style}: {prompt.text.strip()}"
        if prompt.system:
            yield f"  {'':<11}with the system prompt: {prompt.system}"
        if prompt.note:
            yield f"  {'':<11}{prompt.note}"
        yield from (f"  {'':<11}source: {source}" for source in prompt.source)
    yield from (f"  {'source':<11}{source}" for source in family.source)


def _clips(family: Family) -> str:
    count = family.clips_per_prompt
    number = "any number a prompt" if count is None else f"{'' if count == 1 else 'up to '}{count} a prompt"
    heard = {True: ", channels apart", False: ", channels mixed down", None: ""}[family.stereo]
    return f"{number}{heard}"


def _request(family: Family) -> str:
    """Return the fields of a request that it sets for every style of answer."""
    fields = {
        **family.sampling,
        "stop": list(family.stop),
        "stop_token_ids": list(family.stop_token_ids),
        "chat_template_kwargs": family.chat_template_kwargs,
        **family.extra,
    }
    return _fields(fields)


def _style(facts: StyleFacts) -> str:
    system = {} if facts.system is None else {"system": facts.system}
    return _fields({**system, **facts.sampling, "chat_template_kwargs": facts.chat_template_kwargs})


def _fields(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {json.dumps(value)}" for name, value in fields.items() if value not in ([], {}))
