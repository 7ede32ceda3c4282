"""What loading a benchmark's metadata costs, where the real one is there."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dtbench.tasks import registry as task_registry

REAL = Path(__file__).parents[3] / "shared" / "data"


@pytest.mark.parametrize(
    ("task", "file"), [("mmar", "mmar/MMAR-meta.jsonl"), ("mmau-mini", "mmau/mmau-test-mini.f0a4a97.json")]
)
def test_what_loading_a_thousand_items_costs(task: str, file: str) -> None:
    if not (REAL / file).is_file():
        pytest.skip(f"the real metadata is not here: ../shared/data/{file}")
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        task_registry.get_task(task).load(REAL / file)
        seconds.append(time.perf_counter() - start)
    print(f"\n{task}: 1,000 items loaded in {min(seconds):.3f} s, best of 5")
