"""The options of `dtbench faithful`, and their checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from dtbench.harness.core import options as opts
from dtbench.harness.core.model import Model
from dtbench.harness.core.options import Option
from dtbench.harness.core.typed_settings import at_least

INTERVENTION_NAMES = (
    *("control", "description", "step", "empty", "cut 25 %", "cut 50 %", "cut 75 %"),
    *("filler", "other reasoning", "shuffled clips"),
)
"""In the order of tables; a name's place is the number of its records."""


def parse_interventions(text: str) -> list[str]:
    """Return the interventions in a list with commas; a UserError for one that is unknown."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    refuse_unknown(names)
    return names


def refuse_unknown(names: Sequence[str]) -> None:
    """Raise a UserError for what is no intervention."""
    from dtbench.harness.core.errors import UserError

    if unknown := [name for name in names if name not in INTERVENTION_NAMES]:
        raise UserError(f"--only {unknown[0]}: unknown. Known are {', '.join(INTERVENTION_NAMES)}.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaithfulOptions:
    """Which run's chains are changed, and who continues them; a UserError where a value is not allowed."""

    run: opts.RunArgument
    model: Annotated[
        str | None,
        Option(
            "--model",
            "MODEL",
            "Model that continues the reasoning: a checkpoint, a name or the URL of an endpoint.",
            panel=opts.ANSWERS,
            shown="the run's own",
            values="models",
        ),
    ] = None
    base_url: opts.BaseUrl = None
    backend: opts.Backend = None
    options: opts.ModelOptions = field(default_factory=dict[str, str])
    task: opts.TaskName = None
    task_file: opts.TaskFile = None
    data_dir: opts.DataOfRun = None
    limit: opts.Limit = None
    sample: opts.SampleNumber = 0
    only: Annotated[
        Sequence[str],
        Option(
            "--only",
            "NAME,...",
            f"Make only these changes: {', '.join(INTERVENTION_NAMES)}.",
            parse=parse_interventions,
            shown="all",
            values=INTERVENTION_NAMES,
        ),
    ] = ()
    concurrency: Annotated[
        int | None,
        Option("--concurrency", "N", "Maximum concurrent requests.", panel=opts.RUNS, shown="as for a run"),
        at_least(1),
    ] = None
    rpm: opts.Rpm = None
    max_failed: opts.MaxFailed = 0.01
    out: Annotated[
        Path | None,
        Option(
            "--out",
            "DIR",
            "Folder of the measurements; one that already holds some is resumed.",
            panel=opts.OUTPUT,
            shown="RUN/faithful",
            values="folders",
        ),
    ] = None
    model_object: Model | None = None
    """What continues the chains, where it is an object of Python."""

    def __post_init__(self) -> None:
        """Refuse values that are not allowed."""
        opts.check_options(self)
        refuse_unknown(self.only)
