"""The smallest task of one's own: which bird calls?"""

import json
from collections.abc import Iterable
from pathlib import Path

from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import Task


class Birds(Task):
    name = "birds"

    def samples(self, data_dir: Path | None) -> Iterable[Sample]:
        folder = data_dir or Path("birds")
        for item in json.loads((folder / "birds.json").read_text()):
            yield Sample(item["id"], item["question"], tuple(item["choices"]), item["answer"], folder / item["clip"])
