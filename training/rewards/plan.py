"""What the rewards of a stage need to know, as the orchestrator writes it and the engine's plug-in reads it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtbench.harness.store.atomic import replace_whole
from dtbench.training.data.rows import TrainingRow


@dataclass(frozen=True, slots=True)
class RewardPlan:
    """Which rewards, with which settings, over which rows."""

    names: Sequence[str]
    settings: Mapping[str, Any]
    rows: Mapping[str, TrainingRow]
    counts: Path
    """The file to which a line is added for each batch: what its rewards took."""

    def write(self, path: Path) -> None:
        """Keep it in a file."""
        rows = [row_as_json(row) for row in self.rows.values()]
        content = {"names": list(self.names), "settings": dict(self.settings), "rows": rows, "counts": str(self.counts)}
        replace_whole(path, json.dumps(content, ensure_ascii=False).encode())

    @classmethod
    def read(cls, path: Path) -> RewardPlan:
        """What write() kept."""
        held = json.loads(path.read_bytes())
        rows = [row_of_json(row) for row in held["rows"]]
        return cls(held["names"], held["settings"], {row.id: row for row in rows}, Path(held["counts"]))


def row_as_json(row: TrainingRow) -> dict[str, Any]:
    """A row as JSON holds it."""
    return {
        "id": row.id,
        "audio": str(row.audio),
        "question": row.question,
        "choices": list(row.choices),
        "answer": row.answer,
        "chain": row.chain,
        "source": row.source,
        "extra": dict(row.extra),
    }


def row_of_json(held: Mapping[str, Any]) -> TrainingRow:
    """The row that row_as_json() wrote."""
    return TrainingRow(**{**held, "audio": Path(held["audio"]), "choices": tuple(held["choices"])})
