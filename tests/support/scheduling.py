"""Which files of tests two workers take, and in which order: what takes longest first, and a shared engine once."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

ROOT = Path(__file__).parents[2]
ENGINES = "tests/engines/"
SHARED = "vllm_server"
"""The fixture whose server is started once: the files that name it go to one worker."""


class EnginesFirst(LoadScopeScheduling):  # type: ignore[misc]
    """File by file; the tests without an engine come last, and fill what is left of the time of either worker."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid.partition("::")[0])

    def _assign_work_unit(self, node: WorkerController) -> None:
        longest = max(self.workqueue, key=lambda name: (name.startswith(ENGINES), len(self.workqueue[name])))
        self.workqueue.move_to_end(longest, last=False)
        super()._assign_work_unit(node)


@cache
def group(file: str) -> str:
    """What a file of tests is run together with: itself, or all that share the server."""
    shares = file.startswith(ENGINES) and SHARED in (ROOT / file).read_text()
    return f"{ENGINES}{SHARED}" if shares else file
