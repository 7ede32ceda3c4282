"""The formats of whole runs, for viewers, hubs and collections of evaluations; each by the function that writes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.lookup import NameTable, look_up

RUN_FORMATS = {
    "predictions": "dtbench.harness.export.predictions_file:write_predictions",
    "lm-eval": "dtbench.harness.export.lm_eval_files:write_lm_eval",
    "parquet": "dtbench.harness.export.parquet_files:write_parquet",
    "hub-eval": "dtbench.harness.export.hub_eval:write_hub_eval",
    "eee": "dtbench.harness.export.every_eval_ever:write_every_eval_ever",
    "inspect": "dtbench.harness.export.inspect_log:write_inspect_logs",
}
"""Each takes ExportOptions and returns an ExportedFolder."""
ONE_FILE = {"predictions": ".jsonl", "inspect": ".eval"}
"""Formats that may be one file, where the run has one task: how the name of an --out ends that is no folder then."""
PUSHED: dict[str, Literal["dataset", "model"]] = {"parquet": "dataset", "hub-eval": "model"}
"""The formats that go to a hub, and the kind of repository."""
PUBLISHED = ("parquet", "eee")
"""The formats that are made to be passed on: the text of some data sets stays out of them."""
_TABLE = NameTable("format", RUN_FORMATS, "", MachineryError)


class ExportedFolder(NamedTuple):
    """What was written."""

    path: Path
    """The folder; of a hub, the root of the repository."""
    tasks: Sequence[str]
    files: Sequence[Path]
    notes: Sequence[str] = ()
    incomplete: Sequence[str] = ()
    """Why the scores are not those of the whole benchmark; such files are not pushed unasked."""


def format_writer(name: str) -> Callable[[Any], ExportedFolder]:
    """Return the function that writes a format."""
    writer, _ = look_up(_TABLE, name)
    return cast("Callable[[Any], ExportedFolder]", writer)
