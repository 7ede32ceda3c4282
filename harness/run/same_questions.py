"""Hold a run that goes on to the questions it asked: what was answered and what is asked now must be one benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from dtbench.harness.core.errors import DataError
from dtbench.harness.run.plan import TaskPlan
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import AnyInfo, Record

SHOWN = 3


def refuse_changed_questions(folder: Path, info: AnyInfo, plans: Sequence[TaskPlan]) -> None:
    """Raise a DataError where a question that has answers is another one now, or no longer there; new ones may come."""
    run = StoredRun(folder, info)
    for plan in plans:
        name = plan.task.name
        about = {**run.info.get("other_tasks", {}), **run.info["tasks"]}.get(name)
        if about is None or about["data"]["sha256"] == plan.data.sha256:
            continue
        changed = _changed(run, plan)
        if changed:
            first = ", ".join(map(repr, changed[:SHOWN]))
            raise DataError(
                f"{run.path}: {len(changed)} of the {name} questions that it has answers to are not what they were "
                f"when they were asked (first: {first}). Use another --out, or the data of then "
                f"({about['data']['source']})."
            )


def _changed(run: StoredRun, plan: TaskPlan) -> list[str]:
    every = plan.data.whole
    hashes = {id_: every.question_hash(place) for place, id_ in enumerate(every.ids)}
    answered = ((record["id"], record.get("question_hash")) for record in _answered(run, plan.task.name))
    return list(dict.fromkeys(id_ for id_, hash_ in answered if hash_ is None or hashes.get(id_) != hash_))


def _answered(run: StoredRun, task: str) -> Iterator[Record]:
    for unasked in (False, True):
        yield from run.records_as(task, Record, unasked=unasked)
