"""Hold a run that goes on to what it asked: its questions, its prompt and its clips must be what they were."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

from dtbench.harness.audio.prepare import hash_clip, hash_of_hashes
from dtbench.harness.core.errors import DataError, format_error
from dtbench.harness.core.schema import Clip
from dtbench.harness.run.dispatch import count_readers
from dtbench.harness.run.plan import TaskPlan
from dtbench.harness.store.atomic import write_failure
from dtbench.harness.store.beginning import Beginning, Resumption
from dtbench.harness.store.record_provenance import RecordProvenance
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import json_settings, refuse_foreign
from dtbench.harness.store.types import AnyInfo, AskedRecord, TaskInfo

SHOWN = 3
_LOG = logging.getLogger(__name__)


class ResumeGuard:
    """Raises a DataError where a question that has answers, its prompt or its clip is another one now."""

    def __init__(self, plans: Sequence[TaskPlan]) -> None:
        self._plans = plans
        self.run: StoredRun | None = None
        """The run that the folder has, with what was found in its records."""

    def __call__(self, folder: Path, info: AnyInfo) -> None:
        """Look at all answers of the run in a folder."""
        self.run = run = StoredRun(folder, info)
        for plan in self._plans:
            name = plan.task.name
            about = {**run.info.get("other_tasks", {}), **run.info["tasks"]}.get(name)
            if about is None:
                continue
            if about["data"]["sha256"] != plan.data.sha256:
                _refuse_changed(run, plan, about)
            provenance = RecordProvenance()
            finished = run.finished(name, provenance.watch)
            if run.has_replaced(name):
                provenance = RecordProvenance()
                for _ in provenance.watch(_answered(run, name)):
                    pass
            _refuse_other_prompt(run, plan, about, provenance)
            if provenance.clips and next(plan.questions(finished), None) is not None:
                _refuse_other_clips(run, plan, about, provenance)


def find_resumable(path: Path, settings: Mapping[str, Any], guard: ResumeGuard, why: str) -> StoredRun | None:
    """Return the run that RunFolder.start() would go on with, for reading; None where it would make a new one."""
    refuse_foreign(path)
    above = next(one for one in (path, *path.absolute().parents) if one.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        number = errno.EACCES if above.is_dir() else errno.ENOTDIR
        raise write_failure(path, OSError(number, os.strerror(number)))
    info = Beginning(path, json_settings(settings), None, Resumption(why, guard)).before()
    return None if info is None else guard.run


def _refuse_changed(run: StoredRun, plan: TaskPlan, about: TaskInfo) -> None:
    changed = _changed(run, plan)
    if changed:
        raise DataError(
            f"{run.path}: {len(changed)} of the {plan.task.name} questions it answered have changed since they "
            f"were asked (first: {_first(changed)}). Use another --out, or the original data "
            f"({about['data']['source']})."
        )


def _changed(run: StoredRun, plan: TaskPlan) -> list[str]:
    every = plan.data.whole
    places = every.places()

    def is_other(id_: str, hash_: str | None) -> bool:
        place = places.get(id_)
        return place is None or hash_ is None or every.question_hash(place) != hash_

    answered = ((record["id"], record.get("question_hash")) for record in _answered(run, plan.task.name))
    return list(dict.fromkeys(id_ for id_, hash_ in answered if is_other(id_, hash_)))


def _refuse_other_prompt(run: StoredRun, plan: TaskPlan, about: TaskInfo, provenance: RecordProvenance) -> None:
    other = provenance.other_prompt(about["prompt_hash"])
    if other is not None:
        raise DataError(
            f"{run.path}: run.json has another prompt for {plan.task.name} (hash {about['prompt_hash']}) than the "
            f"answer to {other.id!r} was given to ({other.prompt_hash}): it was changed since. Use another --out."
        )


def _refuse_other_clips(run: StoredRun, plan: TaskPlan, about: TaskInfo, provenance: RecordProvenance) -> None:
    every = replace(plan, data=plan.data.whole, shard=None)
    ids = every.data.ids
    clips = [(ids[place], every.prompt(place, 0).clips) for place in range(len(ids)) if ids[place] in provenance.clips]
    with ThreadPoolExecutor(count_readers()) as readers:
        now = list(readers.map(_hash_if_there, (heard for _, heard in clips)))
    other = [id_ for (id_, _), hash_ in zip(clips, now, strict=True) if hash_ not in {None, provenance.clips[id_]}]
    if other:
        raise DataError(
            f"{run.path}: the clips of {len(other)} of the {plan.task.name} questions it answered have changed: there "
            f"is other audio under their names (first: {_first(other)}). Use another --out, or the original audio "
            f"({about['data']['source']})."
        )


def _hash_if_there(clips: Sequence[Path | Clip]) -> str | None:
    """Return the hash of clips as they are now; None where one cannot be read, as it is not asked about again."""
    if not clips:
        return None
    try:
        return hash_of_hashes([hash_clip(clip) for clip in clips])
    except Exception as error:  # someone else's clip
        _LOG.info("not compared with what was played: %s", format_error(error))
        return None


def _first(ids: Sequence[str]) -> str:
    return ", ".join(map(repr, ids[:SHOWN]))


def _answered(run: StoredRun, task: str) -> Iterator[AskedRecord]:
    for unasked in (False, True):
        yield from run.records_as(task, AskedRecord, unasked=unasked)
