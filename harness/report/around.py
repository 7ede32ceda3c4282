"""What lies in a run's folder beside its answers: runs with other clips, orders or styles, and a judge's marks."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.score.related_runs import compare_related
from dtbench.harness.store.run_folder import StoredRun

Tell = Callable[[str], None]
"""Takes a line that the user has to see."""
_DEPTH = ("", "*/", "*/*/")
_KINDS = ("plain", "listening", "orders", "averaged")
_ONCE = ("orders", "averaged")
"""What every rotated run of a folder says alike."""


def neighbours(run: StoredRun, task: str, tell: Tell) -> list[dict[str, Any]]:
    """What the runs inside this one's folder show against it: how much is listening, how much the order decides."""
    found, told = [], set()
    folders = {path.parent for depth in _DEPTH for path in run.path.glob(f"{depth}*/run.json")}
    for folder in sorted(folders):
        try:
            other = StoredRun.open(folder)
            compared = compare_related(other, task) if task in other.info.get("tasks", {}) else {}
        except DtbenchError as error:
            tell(f"left out: {error}")
            continue
        where = folder.relative_to(run.path).as_posix()
        for kind in _KINDS:
            key = (kind, folder.parent if kind in _ONCE else folder)
            if kind in compared and key not in told:
                told.add(key)
                found.append({"where": where, "kind": kind, "found": compared[kind]})
    return found


def judges(run: StoredRun, task: str) -> list[dict[str, Any]]:
    """The summaries of judges who marked this run's chains, and of their calibrations."""
    found = []
    for path in sorted(run.path.glob("judge-*/summary.json")):
        summary = _read(path)
        if summary.get("task", task) == task and ("rubrics" in summary or "kinds" in summary):
            found.append({"where": path.parent.name, "summary": summary})
    return found


def marks(run: StoredRun, task: str, tell: Tell) -> dict[str, list[dict[str, Any]]]:
    """Question -> what judges marked: of each criterion the share of calls that found it met, and one reason."""
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(run.path.glob("judge-*/run.json")):
        if path.parent.name.endswith("-calibration"):
            continue
        try:
            judge = StoredRun.open(path.parent)
            about = judge.info.get("tasks", {}).get(task, {})
            verdicts = _verdicts(judge, task)
        except DtbenchError as error:
            tell(f"left out: {error}")
            continue
        told = {"judge": path.parent.name.removeprefix("judge-"), "repeat": about.get("sample", 0)}
        for id_, each in verdicts.items():
            found[id_].append({**told, "marks": _together(each)})
    return found


def _verdicts(judge: StoredRun, task: str) -> dict[str, list[Mapping[str, Any]]]:
    verdicts: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in judge.records(task):
        if "verdict" in record:
            verdicts[record["id"]].append(record["verdict"])
    return verdicts


def _together(verdicts: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for verdict in verdicts for name in verdict["marks"])
    return [
        {
            "name": name,
            "met": sum(verdict["marks"].get(name, 0) for verdict in verdicts) / len(verdicts),
            "why": verdicts[0].get("why", {}).get(name, ""),
        }
        for name in names
    ]


def _read(path: Path) -> dict[str, Any]:
    try:
        summary = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return summary if isinstance(summary, dict) else {}
