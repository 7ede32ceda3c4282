"""Write the file that a leaderboard accepts from a run's answers, with a manifest that says how it was made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dtbench
from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.output_paths import refuse_no_file
from dtbench.harness.export.check_submission import check_submission
from dtbench.harness.export.submission_formats import ExportOptions
from dtbench.harness.run.challenge import statement
from dtbench.harness.score.stored_run import (
    StoredTask,
    SubmittedAnswer,
    count_states,
    find_data,
    is_whole,
    questions_beside,
    submitted_answers,
)
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import TaskInfo
from dtbench.tasks.stored import stored_task, stored_task_names

SHOWN = 3


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """What was written."""

    file: Path
    manifest: Path
    about: Mapping[str, Any]
    """What the manifest says; its score is None where the authors withhold the answers."""


def write_submission(options: ExportOptions) -> ExportedFile:
    """Write the file and its manifest; an error with nothing written where a leaderboard would not accept it."""
    assert options.run is not None
    run = StoredRun.open(options.run)
    file = options.out or run.path / "export" / options.format.file
    manifest = file.with_name(f"{file.name}.manifest.json")
    refuse_no_file("--out", file, make_parents=True)
    if file.exists() and not manifest.exists():
        raise UserError(
            f"--out {file}: this file was not written by an export and is not overwritten; name another file."
        )
    stored = stored_task(run, _task_name(run, options), options.task_file)
    data = _data(stored, options)
    every = submitted_answers(stored, data, options.sample)
    _refuse_gaps(every, options, stored.about)
    fitting, cut = _fitting(every, options)
    content = options.format.encoded(options.format.record(one) for one in fitting)
    checked = check_submission(content, options.format, stored.task, data)
    if checked.problems:
        raise DataError(f"{run.path} cannot be exported as {options.format_name}: {'; '.join(checked.problems)}.")
    about = _about(run, stored, options, every) | {
        "file": file.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "truncated": cut,
        "score": None,
        "notes": checked.notes,
    }
    if (report := checked.report) is not None:
        scores = {"official": report.total.as_json(), "strict": report.strict._asdict()}
        about["score"] = scores | {"scorer": report.scorer}
    file.parent.mkdir(parents=True, exist_ok=True)
    # The manifest first: a file without one would be taken for somebody else's after a kill in between.
    replace_whole(manifest, json.dumps(about, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
    replace_whole(file, content)
    return ExportedFile(file, manifest, about)


def _task_name(run: StoredRun, options: ExportOptions) -> str:
    """Return the task of the run that is exported."""
    kind, names = options.format, stored_task_names(run, options.task)
    if options.task is None:
        if kind.task not in names:
            has = ", ".join(names)
            raise UserError(f"--format {kind.name}: this format is for {kind.task}; the run has {has}.")
        return kind.task
    return names[0]


def _data(stored: StoredTask, options: ExportOptions) -> Dataset:
    task, kind = stored.task.name, options.format
    if task != kind.task:
        raise UserError(f"--format {kind.name}: this format is for {kind.task}; the exported task is {task}.")
    data = find_data(stored, options.data_dir)
    if data is None or not is_whole(stored, data):
        version = stored.about.get("data", {}).get("version")
        raise UserError(
            f"{task}: its data ({version}) was not found, {questions_beside(stored).lacking}, and an export needs all "
            f"questions: name the folder of the data with --data-dir."
        )
    lacking = [name for name in kind.needs if any(name not in sample.item for sample in data.samples)]
    if lacking:
        raise UserError(
            f"--format {kind.name}: this format needs the fields {', '.join(kind.needs)}; {data.source} "
            f"({data.version}) lacks {', '.join(lacking)}."
        )
    return data


def _refuse_gaps(every: Sequence[SubmittedAnswer], options: ExportOptions, about: TaskInfo) -> None:
    gaps = [one for one in every if one.state in {"failed", "missing"}]
    if not gaps or options.incomplete:
        return
    unasked = min(len(gaps), max(0, len(every) - about["questions"]))
    if unasked:
        chosen = about.get("chosen_by", ())
        by = f" ({' '.join(chosen)})" if chosen else ""
        others = f", and {len(gaps) - unasked} of the others have no answer" if len(gaps) > unasked else ""
        what = f"{unasked} of {len(every)} questions were not asked for{by}{others}"
        without = f" without {' and '.join(one.partition(' ')[0] for one in chosen) or '--limit or --ids'}"
    else:
        first = ", ".join(repr(one.sample.id) for one in gaps[:SHOWN])
        what, without = f"{len(gaps)} of {len(every)} questions have no answer (first: {first})", ""
    raise UserError(
        f"{what}: repeat the `dtbench run` command{without} to ask for them, or write empty answers with --incomplete."
    )


def _fitting(
    every: Sequence[SubmittedAnswer], options: ExportOptions
) -> tuple[Sequence[SubmittedAnswer], dict[str, int]]:
    """Return the answers with chains short enough, and the lengths of those that were cut."""
    longest = options.format.longest
    long = {} if longest is None else {one.sample.id: len(one.thinking) for one in every if len(one.thinking) > longest}
    if not long:
        return every, {}
    if not options.truncate:
        first = ", ".join(f"{id_!r} with {count:,}" for id_, count in list(long.items())[:SHOWN])
        raise UserError(
            f"the reasoning of {len(long)} answers is longer than the allowed {longest:,} characters (first: {first}): "
            f"cut it with --truncate (the manifest lists what was cut), or run with a smaller -M max_tokens."
        )
    return [one._replace(thinking=one.thinking[:longest]) for one in every], long


def _about(
    run: StoredRun, stored: StoredTask, options: ExportOptions, every: Sequence[SubmittedAnswer]
) -> dict[str, Any]:
    """Return how the answers were produced, for whoever reproduces them."""
    info = run.info
    return {
        "format": options.format_name,
        "task": stored.task.name,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "dtbench": dtbench.__version__,
        "records": len(every),
        **count_states(every),
        "without_chain": sum(not one.thinking for one in every if one.state in {"answered", "unanswered"}),
        "sample": options.sample,
        "of_samples": stored.repeats,
        "track": statement(info) if info.get("track") else None,
        "run": {
            "folder": run.path.resolve().name,
            "status": info["status"],
            "model": info["model"],
            "endpoint": info["endpoint"],
            "long_clips": info["long_clips"],
            "settings": stored.about,
            "starts": info["starts"],
        },
    }
