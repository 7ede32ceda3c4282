"""How a field of a request is given on the command line: written beside the field, with the range that it may have.

limit: Annotated[int | None, Option("--limit", "N", "Only the first N questions."), at_least(1)] = None
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_args, get_type_hints

from dtbench.harness.core.conditions import IS_FILE, IS_SEED
from dtbench.harness.core.errors import UserError, did_you_mean
from dtbench.harness.core.typed_settings import above, at_least, at_most, between, check_option
from dtbench.harness.extract.chain_tags import ChainTags

ASK, ANSWERS, RUNS, TESTS, OUTPUT = PANELS = (
    "What to ask",
    "How it answers",
    "How it runs",
    "Tests of the score",
    "Output",
)
"""The headings under which help shows options, in this order."""
REQUIRED = "required"
"""What help shows in place of a default where there is none."""
INPUT = "Input"
"""What ASK is called where a command asks no model."""


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
    panel: str = ASK
    """The heading under which help shows it."""
    shown: str | None = None
    """What help shows as the default of a field that is None; None for nothing."""
    values: str | Sequence[str] = ()
    """What a shell fills in: the values, or the name of a source of `harness/cli/completion.py`."""
    is_run: bool = False
    """Whether it names a run that is read: a folder with one run inside is taken for that."""


@dataclass(frozen=True, slots=True)
class Argument:
    """A positional argument of a command; a sequence takes all that are given."""

    metavar: str
    help: str
    missing: str | None = None
    """The error where it is missing; None for typer's own."""
    values: str | Sequence[str] = ()
    """As those of an option."""
    is_run: bool = False
    """As that of an option."""
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
        key = key.rstrip()
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
        raise UserError(f"--tasks {text or repr('')}: {f'{twice[0]} is named twice' if twice else 'no task is named'}.")
    return names


def parse_budgets(text: str) -> list[int]:
    """Return the numbers of a list with commas, each once and from the smallest."""
    try:
        budgets = sorted({int(part) for part in text.split(",") if part.strip()})
    except ValueError:
        budgets = []
    if not budgets or budgets[0] < 1:
        raise UserError(f"--think-budget {text}: numbers of tokens are expected, such as 1024 or 1024,4096.")
    return budgets


def parse_permutation(text: str) -> int | str:
    """Return the number of places by which options are rotated, or which orders are asked."""
    return int(text) if re.fullmatch(r"[+-]?\d{1,9}", text.strip()) else text.strip().lower()


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
RunArgument = Annotated[Path, Argument("RUN", "A run folder.", values="runs", is_run=True)]
ModelName = Annotated[
    str,
    Option(
        "--model",
        "MODEL",
        "A checkpoint (folder or hub id), a name that `dtbench models` lists, or the URL of an endpoint.",
        panel=ANSWERS,
        shown=REQUIRED,
        values="models",
    ),
]
BaseUrl = Annotated[
    str | None,
    Option(
        "--base-url",
        "URL",
        "OpenAI-compatible endpoint, e.g. localhost:8000; --model is then the served model name.",
        panel=ANSWERS,
    ),
]
ModelOptions = Annotated[
    Mapping[str, str],
    Option(
        "-M",
        "KEY=VALUE",
        "Engine, request or sampling setting (repeatable); `-M help` lists all for this model.",
        parse=parse_pairs,
        repeated=True,
        panel=ANSWERS,
        values="settings",
    ),
]
Backend = Annotated[
    str | None,
    Option(
        "--backend",
        "NAME",
        "What runs a checkpoint: vllm or local (transformers); openai uses the openai client for a URL or name.",
        panel=ANSWERS,
        shown="the first of its family",
        values=("vllm", "local", "openai"),
    ),
]
TaskName = Annotated[
    str | None,
    Option("--task", "TASK", "The benchmark: mmar, mmau-mini, mmau-test, mmsu, mini or your own.", values="tasks"),
]
TaskFile = Annotated[
    Path | None,
    Option("--task-file", "FILE", "Task file (TOML) or Python file that defines your own benchmark.", values="files"),
    IS_FILE,
]
DataDir = Annotated[
    Path | None,
    Option(
        "--data-dir",
        "DIR",
        "Data folder, which holds one folder per benchmark.",
        shown="$DTBENCH_DATA, else ~/.cache/dtbench",
        values="folders",
    ),
]
RunLabels = Annotated[
    Sequence[str],
    Option(
        "--label",
        "TEXT",
        "Name of a run, in the order of the runs (repeatable).",
        panel=OUTPUT,
        shown="its model's name",
    ),
]
DataOfRun = Annotated[
    Path | None,
    Option(
        "--data-dir",
        "DIR",
        "Data folder, which holds one folder per benchmark.",
        shown="where the run read its data",
        values="folders",
    ),
]
MOST_QUESTIONS = 50_000_000
"""More than any benchmark has."""
MOST_SAMPLES = 100_000
"""More answers to each question than anyone draws."""
Limit = Annotated[
    int | None,
    Option("--limit", "N", "Only the first N questions.", shown="all"),
    at_least(1),
    at_most(MOST_QUESTIONS),
]
Samples = Annotated[
    int, Option("--samples", "K", "Answers per question.", panel=ANSWERS), at_least(1), at_most(MOST_SAMPLES)
]
SampleNumber = Annotated[
    int, Option("--sample", "N", "Which answer to use if the run has several per question (0-based).")
]
Concurrency = Annotated[int, Option("--concurrency", "N", "Maximum concurrent requests.", panel=RUNS), at_least(1)]
ModelConcurrency = Annotated[
    int | None,
    Option(
        "--concurrency",
        "N",
        "Maximum concurrent requests.",
        panel=RUNS,
        shown="16 for a URL, 64 per vLLM replica, 2 batches with --backend local",
    ),
    at_least(1),
]
Jobs = Annotated[
    int | None,
    Option("-j", "N", "Clips that --acoustics measures in parallel.", panel=RUNS, shown="one per core"),
    at_least(1),
]
Rpm = Annotated[
    float | None,
    Option(
        "--rpm", "N", "Maximum requests per minute, evenly spaced, including retries.", panel=RUNS, shown="no limit"
    ),
    above(0),
]
Seed = Annotated[
    int,
    Option(
        "--seed",
        "SEED",
        "Random seed, for sampling and all other random draws.",
        panel=ANSWERS,
    ),
    IS_SEED,
]
PromptFile = Annotated[
    str | Path | None,
    Option(
        "--prompt",
        "FILE",
        "Your own prompt template with {question} and {options}, or the name of a published one, such as "
        "r1-aqa/mmau (`dtbench models NAME` lists them).",
        parse=Path,
        panel=ANSWERS,
        shown="the benchmark's own",
        values="prompts",
    ),
]
ThinkBudget = Annotated[
    Sequence[int],
    Option(
        "--think-budget",
        "N,...",
        "Maximum tokens of the chain of thought, after which the model has to answer; several values give one run each "
        "and the accuracy over the budget.",
        parse=parse_budgets,
        panel=ANSWERS,
        shown="no limit",
    ),
]
SystemPrompt = Annotated[
    str | None,
    Option(
        "--system",
        "TEXT",
        "System prompt, as text or as a file; an empty text for none.",
        panel=ANSWERS,
        shown="the family's, if it has one",
        values="files",
    ),
]
LongClips = Annotated[
    str,
    Option(
        "--long-clips",
        "RULE",
        "Clips longer than the model accepts: cut (keep the beginning), windows (several pieces) or refuse.",
        panel=ANSWERS,
        values=("cut", "windows", "refuse"),
    ),
]
MaxCost = Annotated[
    float | None,
    Option(
        "--max-cost",
        "DOLLARS",
        "Stop cleanly once this much is spent, over all sessions; needs a price (-M price_in, -M price_out).",
        panel=RUNS,
        shown="no limit",
    ),
    above(0),
]
MaxTokensInAll = Annotated[
    int | None,
    Option(
        "--max-tokens-in-all",
        "N",
        "Stop cleanly once this many input and output tokens are used, over all sessions.",
        panel=RUNS,
        shown="no limit",
    ),
    at_least(1),
]
MaxFailed = Annotated[
    float,
    Option("--max-failed", "SHARE", "Share of questions that may fail; exit 3 if more do.", panel=RUNS),
    between(0, 1),
]
Against = Annotated[
    str,
    Option(
        "--against",
        "TASK,...",
        "Refuse training rows that overlap with these benchmarks; `found` means all whose data is here.",
        values="task lists",
    ),
]
MIN_EVIDENCE = Option(
    "--min-evidence",
    "LEVEL",
    "Weakest evidence that counts as an answer: stated, chosen, concluded, said or inferred.",
    parse=parse_evidence,
    panel=TESTS,
    values=("stated", "chosen", "concluded", "said", "inferred"),
)
MinEvidence = Annotated[str, MIN_EVIDENCE]
Chain = Annotated[
    ChainTags | None,
    Option(
        "--chain",
        "OPEN,CLOSE",
        "Tags around the model's chain of thought, e.g. '<reason>,</reason>'.",
        parse=parse_chain_tags,
        shown="the usual ones, such as <think>",
    ),
]
AsJson = Annotated[bool, Option("--json", None, "Print JSON on stdout, for scripts.", panel=OUTPUT)]
