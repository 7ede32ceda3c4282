"""One call of `dtbench mine`: rows held against benchmarks, asked by an ordinary run, chosen from its records."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.run.session import RunRequest
from dtbench.harness.run.session import run as ask
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.jsonl import json_bytes
from dtbench.harness.store.run_folder import Status, StoredRun
from dtbench.training.data.check_overlap import check_overlap
from dtbench.training.data.rows import TrainingRow
from dtbench.training.data.rows_file import write_rows
from dtbench.training.data.rows_task import SPEC, RowsTask
from dtbench.training.data.select import Mined, band_of, select
from dtbench.training.data.sources import rows_of, split_of

DISJOINT = "overlap: none, no two splits of mini share a clip"


class MiningOptions(NamedTuple):
    """What the user asked for, beside the run."""

    data: str
    out: Path
    band: str | None
    against: str
    data_dir: Path | None


@dataclass(frozen=True, slots=True)
class MiningResult:
    """How it ended."""

    run: Path
    status: Status
    exit_code: int
    mined: Mined | None
    """None where the run has not come to its end: then nothing is written."""
    rows: Path
    checked: Sequence[str]

    def told(self) -> str:
        """Its last line."""
        if self.mined is None:
            return f"run {self.run} ({self.status}): nothing was kept yet, the same command goes on"
        return f"rows {self.rows} ({len(self.mined.rows)} kept, of right answers {self.mined.band})"

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        report = {} if self.mined is None else self.mined.as_json()
        where = {"rows": str(self.rows), "run": str(self.run), "status": self.status}
        return {**where, "overlap": list(self.checked), **report}


def mine(wish: MiningOptions, request: RunRequest, *, quiet: bool) -> MiningResult:
    """Check, ask, choose; an error before anything is asked where the rows overlap a benchmark."""
    band = band_of(wish.band, request.samples)
    rows = list(rows_of(wish.data, wish.out / "clips", request.limit))
    split = split_of(wish.data)
    lines = [DISJOINT] if split else check_overlap(rows, wish.against, wish.data_dir, wish.out / "overlaps.jsonl")
    asked = dataclasses.replace(
        request, tasks=(split or SPEC,), data_dir=wish.out / "clips" if split else Path(wish.data)
    )
    run = ask(asked, quiet=quiet)
    target = wish.out / "rows.jsonl"
    if run.status != "done":
        return MiningResult(run.folder, run.status, run.exit_code, None, target, lines)
    mined = select(rows, StoredRun.open(run.folder).records(split or RowsTask.name), request.samples, band)
    _write(mined, wish.out, target)
    return MiningResult(run.folder, run.status, 0, mined, target, lines)


def _write(mined: Mined, out: Path, target: Path) -> None:
    kept: Sequence[TrainingRow] = mined.rows
    write_rows(target, kept)
    replace_whole(out / "mined.json", json_bytes(mined.as_json(), indent=2) + b"\n")
