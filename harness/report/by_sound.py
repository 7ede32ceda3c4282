"""Where runs fail, by sound, in a report: groups of questions that can be chosen, and the trends of each run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dtbench.harness.acoustics.columns import MEASURES, Values
from dtbench.harness.acoustics.groups import adjust, group_edges, group_of
from dtbench.harness.compare.by_sound import (
    change_by_sound,
    failed_notes,
    mean_scores,
    measure_tasks,
    stored_answers,
    task_by_sound,
    task_clips,
)
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.store.types import Record

NOT_MEASURED = "not measured"


class SoundRequest(NamedTuple):
    """That clips are measured, and how many at once."""

    jobs: int | None


class TaskSounds:
    """What the clips of one task of all runs sound like."""

    def __init__(self, parts: Sequence[StoredTask], asked: SoundRequest) -> None:
        self._clips = [task_clips(part) for part in parts]
        self._measured = measure_tasks(self._clips, asked.jobs)
        self._edges = {
            name: group_edges(
                value for values in self._measured.columns.values() if (value := values[name]) is not None
            )
            for name in MEASURES
        }
        """The same for all runs, so that their groups are of the same clips."""
        self._first: Mapping[str, float] | None = None
        self._failed: dict[str, None] = {}

    @property
    def notes(self) -> list[str]:
        """What a reader should know of the measures, such as how many clips have none."""
        return [*self._failed, *self._measured.notes]

    def grouped(self, place: int, records: Sequence[Record]) -> Iterator[Record]:
        """Yield the records of a run with a group for each measure."""
        hashes = self._clips[place].hashes
        for record in records:
            values = self._measured.columns.get(hashes.get(record["id"], ""))
            yield {**record, "groups": {**record["groups"], **self._groups(values)}}

    def _groups(self, values: Values | None) -> dict[str, str]:
        found = {} if values is None else values
        return {
            name: NOT_MEASURED if (value := found.get(name)) is None else group_of(value, edges)
            for name, edges in self._edges.items()
            if edges
        }

    def figures(self, place: int, records: Sequence[Record]) -> dict[str, Any]:
        """Return what the page shows of a run: its accuracy by sound, and that of its gain over the first run."""
        clips = self._clips[place]
        found = task_by_sound(stored_answers(records, clips), clips, self._measured, among=self._measured.columns)
        self._failed |= dict.fromkeys(failed_notes([found]))
        scores = mean_scores(records)
        figures: dict[str, Any] = {"acoustics": found}
        if self._first is None:
            self._first = scores
        else:
            figures["acoustic_change"] = change_by_sound(self._first, scores, clips, self._measured)
        return figures


def adjust_trends(tasks: Sequence[Sequence[dict[str, Any]]]) -> None:
    """Adjust the p values of each run over all of its tasks; `tasks` has the figures of each run by task."""
    for run in zip(*tasks, strict=True):
        for key in ("acoustics", "acoustic_change"):
            measures = [task[key]["measures"] for task in run if key in task]
            trends = [one for each in measures for one in each.values()]
            adjust(one["trend"] if key == "acoustics" else one for one in trends)
