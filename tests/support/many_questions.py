"""A task of as many short questions without a clip as MANY_QUESTIONS says: of the least that a run can hold of each."""

import os
from collections.abc import Iterable
from pathlib import Path

from dtbench.harness.core.schema import NoClip, Sample
from dtbench.harness.core.task import Task

COUNT = "MANY_QUESTIONS"
OPTIONS = ("Crow", "Jay", "Owl", "Wren")


class Many(Task):
    name = "many"

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        for number in range(int(os.environ[COUNT])):
            id_ = f"q{number}"
            groups = {"kind": f"k{number % 5}"}
            yield Sample(id_, f"Which calls at {number % 97}?", OPTIONS, "Jay", NoClip(id_), groups)
