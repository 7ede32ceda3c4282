"""What lies in a run's folder beside its answers: runs with other clips, orders or styles, and a judge's marks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, cast

from dtbench.harness.core.errors import DataError, DtbenchError
from dtbench.harness.core.model import Notify
from dtbench.harness.score.ablations import compare_related
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import read_info, read_summary
from dtbench.harness.store.summary_types import CalibrationSummary, JudgeSummary
from dtbench.harness.store.types import JudgeInfo, JudgeRecord, VerdictRecord

_DEPTH = ("", "*/", "*/*/")
_ONCE = ("order_sensitivity", "order_averaged")
"""What every rotated run of a folder says alike."""


def related_runs(run: StoredRun, task: str, notify: Notify) -> list[dict[str, Any]]:
    """What the runs inside this one's folder show against it: what the audio is worth, what the order decides."""
    related, seen = [], set()
    folders = {path.parent for depth in _DEPTH for path in run.path.glob(f"{depth}*/run.json")}
    for folder in sorted(folders):
        try:
            if read_info(folder)["kind"] != "run":
                continue
            other = StoredRun.open(folder)
            compared = compare_related(other, task) if task in other.info["tasks"] else {}
        except DtbenchError as error:
            notify(f"left out: {error}")
            continue
        for kind, figures in compared.items():
            key = (kind, folder.parent if kind in _ONCE else folder)
            if key not in seen:
                seen.add(key)
                related.append({"where": folder.relative_to(run.path).as_posix(), "kind": kind, "found": figures})
    return related


def judge_summaries(run: StoredRun, task: str) -> list[dict[str, Any]]:
    """The summaries of judges who marked this run's chains, and of their calibrations."""
    summaries = []
    for path in sorted(run.path.glob("judge-*/summary.json")):
        try:
            summary: Any = read_summary(path.parent, JudgeSummary, CalibrationSummary)
        except DataError:
            continue
        if summary.get("task", task) == task:
            summaries.append({"where": path.parent.name, "summary": summary})
    return summaries


def judged_chains(run: StoredRun, task: str, notify: Notify) -> dict[str, list[dict[str, Any]]]:
    """Question -> what judges marked: of each criterion the share of calls that found it met, and one reason."""
    by_question: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for path in sorted(run.path.glob("judge-*/run.json")):
        if path.parent.name.endswith("-calibration"):
            continue
        try:
            judge = StoredRun.open(path.parent, "judge")
            about = cast("JudgeInfo", judge.info)["tasks"].get(task)
            verdicts = _verdicts(judge, task)
        except DtbenchError as error:
            notify(f"left out: {error}")
            continue
        head = {"judge": path.parent.name.removeprefix("judge-"), "repeat": 0 if about is None else about["sample"]}
        for id_, each in verdicts.items():
            by_question[id_].append({**head, "marks": _together(each)})
    return by_question


def _verdicts(judge: StoredRun, task: str) -> dict[str, list[VerdictRecord]]:
    verdicts: dict[str, list[VerdictRecord]] = defaultdict(list)
    for record in judge.records_as(task, JudgeRecord):
        if "verdict" in record:
            verdicts[record["id"]].append(record["verdict"])
    return verdicts


def _together(verdicts: Sequence[VerdictRecord]) -> list[dict[str, Any]]:
    names = dict.fromkeys(name for verdict in verdicts for name in verdict["marks"])
    return [
        {
            "name": name,
            "met": sum(verdict["marks"].get(name, 0) for verdict in verdicts) / len(verdicts),
            "why": verdicts[0].get("why", {}).get(name, ""),
        }
        for name in names
    ]
