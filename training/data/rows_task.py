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
"""The name under which the registry finds it: it is no benchmark, so it is not listed."""


class RowsTask(Task):
    """Asks rows like any question; scores by the option's text."""

    name = "rows"
    title = "questions of training data"
    groupings = (Grouping("Source", ("source",)),)

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        """Yield the rows of the file that data_dir names."""
        if data_dir is None:
            raise UserError("--data-dir is missing: name a file of training rows.")
        return (row_sample(row) for row in read_rows(data_dir))

    def load(self, data_dir: Path | None) -> Dataset:
        """Return the samples."""
        return Dataset(self.samples(data_dir), "rows", str(data_dir))


def row_sample(row: TrainingRow) -> Sample:
    """Return a row as a sample with its groups."""
    groups = row.extra.get("groups", {})
    texts = {str(name): str(value) for name, value in groups.items()} if isinstance(groups, dict) else {}
    return dataclasses.replace(row.sample(), groups={"source": row.source or "none", **texts})
