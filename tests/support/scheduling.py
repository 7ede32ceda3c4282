"""Which files of tests two workers take, and in which order: what takes longest first, and a shared engine once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

ROOT = Path(__file__).parents[2]
ENGINES = "tests/engines/"
SHARED = ("vllm_server", "first_demo")
"""The fixtures that start an engine once: the files that name one of them go to one worker."""
LONG = {
    "tests/faults/test_exit_codes.py": 80,
    "tests/faults/test_kills_nodes.py": 80,
    "tests/faults/test_kills_train.py": 80,
    "tests/faults/test_clocks.py": 40,
    "tests/faults/test_kills_mining.py": 40,
    "tests/docs/test_nightly_workflows.py": 80,
    "tests/docs/test_robustness_page.py": 60,
    "tests/training/stages/test_validated_training.py": 60,
    "tests/training/stages/test_megatron_training.py": 40,
}
"""Files without an engine that take long, and about how many seconds; several wait more than they compute."""


class EnginesFirst(LoadScopeScheduling):  # type: ignore[misc]
    """File by file, what takes long first: short tests without an engine fill what is left of each worker's time."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid.partition("::")[0])

    def _assign_work_unit(self, node: WorkerController) -> None:
        longest = max(self.workqueue, key=lambda name: urgency(name, len(self.workqueue[name])))
        self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)


def urgency(name: str, tests: int) -> tuple[bool, int]:
    """What comes first: an engine or what else takes long, and of those what takes longer by its number of tests."""
    return (name.startswith(ENGINES) or name in LONG), LONG.get(name, tests)


@cache
def group(file: str) -> str:
    """What a file of tests is run together with: itself, or all that share what a fixture starts."""
    text = (ROOT / file).read_text() if file.startswith(ENGINES) else ""
    return next((f"{ENGINES}{fixture}" for fixture in SHARED if fixture in text), file)
