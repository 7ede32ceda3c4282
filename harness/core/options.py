"""How a field of a request is given on the command line: written beside the field, with the range that it may have.

limit: Annotated[int | None, Option("--limit", "N", "Only the first N questions."), at_least(1)] = None
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args, get_type_hints

from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.typed_settings import at_least, between, check_option
from dtbench.harness.extract.chain_tags import ChainTags


@dataclass(frozen=True, slots=True)
class Option:
    """An option of a command."""

    flag: str
    metavar: str | None
    """None for a switch."""
    help: str
    missing: str | None = None
    """What to do where a required option is missing, after `FLAG is missing: `; None for typer's own error."""
    parse: Callable[[Any], Any] | None = None
    """Turns the text into the field's value."""
    repeated: bool = False
    """Whether the option may be given several times: parse then takes a list of texts."""


@dataclass(frozen=True, slots=True)
class Argument:
    """A positional argument of a command; a sequence takes all that are given."""

    metavar: str
    help: str
    missing: str | None = None
    """The error where it is missing; None for typer's own."""
    """The error where it is missing; None for typer's own."""
    parse: ClassVar[None] = None


def check_options(request: object) -> None:
    """Raise a UserError for an option of this request that is of another type or out of range."""
    for name, kind in get_type_hints(type(request), include_extras=True).items():
        for mark in get_args(kind):
            if isinstance(mark, Option):
                check_option(kind, getattr(request, name), mark.flag)


def parse_pairs(options: Sequence[str]) -> dict[str, str]:
    """Return the values of `-M key=value` by key."""
    pairs: dict[str, str] = {}
    for option in options:
        key, equals, value = option.partition("=")
        if not equals or not key:
            raise UserError(f"-M {option}: key=value is expected, such as -M temperature=0.7.")
        if key in pairs:
            raise UserError(f"-M {option}: {key} is given twice (-M {key}={pairs[key]}); give it once.")
        pairs[key] = value
    return pairs


def parse_names(text: str) -> list[str]:
    """Return the names in a comma-separated list of tasks."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    twice = [name for name in names if names.count(name) > 1]
    if not names or twice:
        raise UserError(f"--tasks {text}: {f'{twice[0]} is named twice' if twice else 'no task is named'}.")
    return names


def parse_evidence(text: str) -> str:
    """Return the level of evidence that --min-evidence names; a UserError where there is none of that name."""
    from dtbench.harness.extract.evidence import EVIDENCE_LEVELS  # 20 ms that no other option needs

    if text not in EVIDENCE_LEVELS:
        raise UserError(f"--min-evidence {text}: unknown. {did_you_mean(text, EVIDENCE_LEVELS)}")
    return text


def parse_chain_tags(text: str) -> ChainTags:
    """Return the tags of `--chain`."""
    try:
        return ChainTags.of(text)
    except ValueError as error:
        raise UserError(f"--chain {text}: {error}, with a comma between them, such as '<reason>,</reason>'.") from None


# Options of several requests. Their defaults stand on the fields.
RunArgument = Annotated[Path, Argument("RUN", "A run's folder.")]
ModelName = Annotated[
    str,
    Option(
        "--model",
        "M",
        "A checkpoint (folder or hub id), a name of `dtbench models`, or the URL of an endpoint.",
        missing="name one, such as --model first, or the URL of an endpoint.",
    ),
]
ModelOptions = Annotated[
    Mapping[str, str],
    Option("-M", "key=value", "An option of the model; repeat it.", parse=parse_pairs, repeated=True),
]
Backend = Annotated[str | None, Option("--backend", "B", "What runs a checkpoint: vllm, or local (transformers).")]
TaskName = Annotated[str | None, Option("--task", "NAME", "mmar, mmau-mini, mmsu, or a task of yours.")]
TaskFile = Annotated[Path | None, Option("--task-file", "FILE", "A Python file that defines a task.")]
DataDir = Annotated[
    Path | None, Option("--data-dir", "D", "The folder of the data sets; else $DTBENCH_DATA or ~/.cache/dtbench.")
]
DataOfRun = Annotated[Path | None, Option("--data-dir", "D", "The folder of the run's data, where it is not found.")]
Limit = Annotated[int | None, Option("--limit", "N", "Only the first N questions."), at_least(1)]
Samples = Annotated[int, Option("--samples", "K", "Answers to each question."), at_least(1)]
SampleNumber = Annotated[int, Option("--sample", "N", "Which answer of a run with several to each question, from 0.")]
Concurrency = Annotated[int, Option("--concurrency", "N", "Most requests in flight."), at_least(1)]
Seed = Annotated[int, Option("--seed", "S", "Seed of sampling, and of what is drawn here.")]
PromptFile = Annotated[
    str | Path | None,
    Option("--prompt", "FILE", "Your prompt, with {question} and {options} in it.", parse=Path),
]
LongClips = Annotated[
    str, Option("--long-clips", "RULE", "What to do with a clip over the model's limit: cut, windows or refuse.")
]
MaxFailed = Annotated[
    float, Option("--max-failed", "SHARE", "The share of questions that may fail (exit 3 above it)."), between(0, 1)
]
Against = Annotated[
    str, Option("--against", "T,T", "Benchmarks that the rows must not overlap; all whose data is found.")
]
MIN_EVIDENCE = Option(
    "--min-evidence",
    "LEVEL",
    "The weakest evidence that counts as an answer: stated, chosen, concluded, said or inferred.",
    parse=parse_evidence,
)
MinEvidence = Annotated[str, MIN_EVIDENCE]
Chain = Annotated[
    ChainTags | None,
    Option(
        "--chain",
        "OPEN,CLOSE",
        "The tags around the model's chains, such as '<reason>,</reason>'; the usual ones are known.",
        parse=parse_chain_tags,
    ),
]
AsJson = Annotated[bool, Option("--json", None, "Print one JSON object on stdout.")]
