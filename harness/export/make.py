"""A submission file out of a run, and beside it the manifest of how it was made."""

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
from dtbench.harness.export.check import FileCheck, check
from dtbench.harness.export.formats import SubmissionFormat
from dtbench.harness.run.challenge import statement
from dtbench.harness.score.answers import SubmittedAnswer, answers, counts
from dtbench.harness.score.stored_run import StoredTask, find_data
from dtbench.harness.store.atomic import replace_whole
from dtbench.harness.store.run_folder import StoredRun

SHOWN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """What the user asked for."""

    kind: SubmissionFormat
    sample: int = 0
    """Which of several answers to a question."""
    data_dir: Path | None = None
    out: Path | None = None
    truncate: bool = False
    """Whether chains that are too long are cut."""
    incomplete: bool = False
    """Whether questions without an answer get an empty one."""


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """What was written."""

    file: Path
    manifest: Path
    about: Mapping[str, Any]
    """What the manifest says."""


def make(run: StoredRun, stored: StoredTask, wish: ExportOptions) -> ExportedFile:
    """Write the file and its manifest; an error with nothing written where a board would not take it."""
    data = _data(stored, wish)
    said = answers(stored, data, wish.sample)
    _refuse_gaps(said, wish)
    fitting, cut = _fitting(said, wish)
    content = wish.kind.encoded(wish.kind.record(one) for one in fitting)
    checked = check(content, wish.kind, stored.task, data)
    if checked.problems:
        raise DataError(f"{run.path} cannot be exported as {wish.kind.name}: {'; '.join(checked.problems)}.")
    file = wish.out or run.path / "export" / wish.kind.file
    manifest = file.with_name(f"{file.name}.manifest.json")
    _refuse_overwriting(file, manifest)
    about = _about(run, stored, wish, said) | {
        "file": file.name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "truncated": cut,
        "score": _score(checked),
        "notes": checked.notes,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_whole(file, content)
    replace_whole(manifest, json.dumps(about, indent=2, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n")
    return ExportedFile(file, manifest, about)


def _data(stored: StoredTask, wish: ExportOptions) -> Dataset:
    task, kind = stored.task.name, wish.kind
    if task != kind.task and not kind.any_task:
        raise UserError(f"--format {kind.name}: it is for {kind.task}, and this run is of {task}.")
    data = find_data(stored, wish.data_dir)
    if data is None:
        told = stored.about.get("data", {})
        raise UserError(
            f"the questions of {task} ({told.get('version')}) were not found, and a file holds every one of them: "
            f"name their folder with --data-dir."
        )
    lacking = [name for name in kind.needs if any(name not in sample.item for sample in data.samples)]
    if lacking:
        raise UserError(
            f"--format {kind.name}: it takes the fields {', '.join(kind.needs)}, and {data.source} ({data.version}) "
            f"has no {' and no '.join(lacking)}."
        )
    return data


def _refuse_gaps(said: Sequence[SubmittedAnswer], wish: ExportOptions) -> None:
    gaps = [one for one in said if one.state in {"failed", "missing"}]
    if gaps and not wish.incomplete:
        first = ", ".join(repr(one.sample.id) for one in gaps[:SHOWN])
        raise UserError(
            f"{len(gaps)} of {len(said)} questions have no answer (first: {first}): run the same command again to "
            f"ask for them, or write empty answers with --incomplete."
        )


def _fitting(said: Sequence[SubmittedAnswer], wish: ExportOptions) -> tuple[Sequence[SubmittedAnswer], dict[str, int]]:
    """The answers with chains that are short enough, and how long the cut ones were."""
    longest = wish.kind.longest
    long = {} if longest is None else {one.sample.id: len(one.thinking) for one in said if len(one.thinking) > longest}
    if not long:
        return said, {}
    if not wish.truncate:
        first = ", ".join(f"{id_!r} with {count:,}" for id_, count in list(long.items())[:SHOWN])
        raise UserError(
            f"{len(long)} chains have more than the {longest:,} characters that are allowed (first: {first}): "
            f"--truncate cuts them there and notes it, a shorter -M max_tokens keeps a model from writing them."
        )
    return [one._replace(thinking=one.thinking[:longest]) for one in said], long


def _refuse_overwriting(file: Path, manifest: Path) -> None:
    if file.is_dir():
        raise UserError(f"--out {file}: this is a folder; name a file.")
    if file.exists() and not manifest.exists():
        raise UserError(f"--out {file}: there is a file that no export made; name another one.")


def _about(run: StoredRun, stored: StoredTask, wish: ExportOptions, said: Sequence[SubmittedAnswer]) -> dict[str, Any]:
    """How the answers came about: what whoever reproduces them has to know."""
    info = run.info
    return {
        "format": wish.kind.name,
        "task": stored.task.name,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "dtbench": dtbench.__version__,
        "records": len(said),
        **counts(said),
        "without_chain": sum(not one.thinking for one in said if one.state in {"answered", "unanswered"}),
        "sample": wish.sample,
        "of_samples": stored.repeats,
        "track": statement(info) if info.get("track") else None,
        "run": {
            "folder": run.path.resolve().name,
            "status": info.get("status"),
            "model": info.get("model"),
            "endpoint": info.get("endpoint"),
            "long_clips": info.get("long_clips"),
            "settings": dict(stored.about),
            "starts": info.get("starts"),
        },
    }


def _score(checked: FileCheck) -> dict[str, Any] | None:
    """As the summary of a run has it; None where the authors keep the answers."""
    report = checked.report
    if report is None:
        return None
    return {"official": report.total.as_json(), "strict": report.strict._asdict(), "scorer": report.scorer}
