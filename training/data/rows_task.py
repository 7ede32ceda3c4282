"""A file of training rows as a task.

`dtbench run --tasks dtbench.training.data.rows_task:RowsTask --data-dir FILE` evaluates a model on it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.scorer import Grouping
from dtbench.harness.core.task import Task
from dtbench.training.data.rows import TrainingRow, read_rows

SPEC = "dtbench.training.data.rows_task:RowsTask"
"""How the registry finds it: it is no benchmark, so it has no name among them."""


class RowsTask(Task):
    """Rows asked like any question; scored by the option's text."""

    name = "rows"
    title = "questions of training data"
    groupings = (Grouping("Source", ("source",)),)

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        """The rows of the file that data_dir names."""
        if data_dir is None:
            raise UserError("--data-dir is missing: name a file of training rows.")
        return (sample_of(row) for row in read_rows(data_dir))

    def load(self, data_dir: Path | None) -> Dataset:
        """The samples, by content."""
        return Dataset(self.samples(data_dir), "rows", str(data_dir))


def sample_of(row: TrainingRow) -> Sample:
    """A row as it is asked, with what it is reported by."""
    groups = row.extra.get("groups", {})
    told = {str(name): str(value) for name, value in groups.items()} if isinstance(groups, dict) else {}
    return dataclasses.replace(row.sample(), groups={"source": row.source or "none", **told})
