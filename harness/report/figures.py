"""The figures of a report's first view, for one task of one run: the summary, and what a summary has no room for."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError, DtbenchError
from dtbench.harness.core.model import Notify
from dtbench.harness.extract.evidence import is_enough
from dtbench.harness.score.ablations import compare_related
from dtbench.harness.score.robustness import robustness_figures
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.stats.intervals import share, wilson
from dtbench.harness.store.judged_types import AnswerSummary, CalibrationSummary, JudgeSummary
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import read_info, read_summary
from dtbench.harness.store.share_types import AllFigures, CountedFigures, ShareFigures
from dtbench.harness.store.summary_types import TaskSummary
from dtbench.harness.store.types import Record

BINS = 8
"""Into how many parts of equal size the chains are put by their length."""
LEAST_CHAINS = 16
"""Fewer say nothing about length."""
MOST_ROWS = 40
MOST_CHARACTERS = 500
"""Of an error's message, where errors are counted."""
_DEPTH = ("", "*/", "*/*/")
_ONCE = ("order_sensitivity", "order_averaged")
"""What every rotated run of a folder says alike."""
Figures = dict[str, Any]


class ChainPoint(NamedTuple):
    """An answer's chain: its length, and whether the answer after it was right."""

    length: int
    right: bool


def task_figures(run: StoredRun, part: StoredTask, records: Sequence[Record], notify: Notify) -> Figures:
    """Sum up these records: intervals for groups, lengths against correctness, and what lies beside the answers."""
    summary = part.summarise(records)
    notes = list(summary["notes"])
    if torn := run.torn.get(part.task.name):
        notes.append(f"{torn} records were truncated by a crash; their questions count as unanswered")
    if part.task.name in run.unasked:
        notes += run.unasked[part.task.name].notes(part.about, run.path)
    if (status := run.info["status"]) != "done":
        notes.append(f"this run is not finished ({status}): {summary['missing']} of {summary['n']} answers are missing")
    errors = (record["error"] for record in records if "error" in record)
    return {
        **summary,
        **compare_related(run, part.task.name),
        "robustness": robustness_figures(run, part.task.name),
        "notes": notes,
        "tables": _tables(summary),
        "how": _how(records),
        "levels": _levels(summary, part.repeats),
        "unread": _ranked(_rule(record) for record in records if _choice(record, "unread") is None),
        "errors": _ranked(f"{error['kind']}: {error['message']}"[:MOST_CHARACTERS] for error in errors),
        "lengths": _lengths(records) if summary["official"]["accuracy"] is not None else [],
        "data": part.about["data"],
        "judges": _judge_summaries(run, part.task.name),
        "related": _related_runs(run, part.task.name, notify),
    }


def _tables(summary: TaskSummary) -> list[dict[str, Any]]:
    """Return the rows of each of the script's tables, both scores with their intervals."""
    return [
        {"heading": heading, "rows": [_group_row(summary, heading, value) for value in table]}
        for heading, table in summary["official"]["groups"].items()
    ]


def _group_row(summary: TaskSummary, heading: str, value: str) -> dict[str, Any]:
    found = summary.get("by_group", {}).get(heading, {}).get(value)
    official, strict = summary["official"]["groups"][heading][value], summary["strict"]["groups"][heading][value]
    return {
        "value": value,
        "official": _bounded(official, official["counted"], None if found is None else found["official"]),
        "strict": _bounded(strict, strict["n"], None if found is None else found["strict"]),
    }


def _levels(summary: TaskSummary, repeats: int) -> list[dict[str, Any]]:
    """Return the levels of evidence that any answer rests on, which of them count, and their shares with intervals."""
    levels = []
    for level, part in summary["evidence"].items():
        n, correct = part["n"], part["correct"]
        if n:
            share_right = None if correct is None else correct / n
            bounds = {} if share_right is None else wilson(share_right, n / repeats)._asdict()
            counts = is_enough(level, summary["min_evidence"])
            levels.append(
                {"level": level, "counts": counts, "correct": correct, "n": n, "share": share_right, **bounds}
            )
    return levels


def _bounded(part: CountedFigures | AllFigures, n: int, found: ShareFigures | None) -> dict[str, Any]:
    interval = {"low": None, "high": None} if found is None else {"low": found["low"], "high": found["high"]}
    return {"correct": part["correct"], "n": n, "share": part["accuracy"], **interval}


def _choice(record: Record, failed: str) -> str | None:
    return failed if "error" in record else record["extraction"]["choice"]


def _rule(record: Record) -> str:
    return record["extraction"]["how"]


def _ranked(names: Iterable[str]) -> list[dict[str, Any]]:
    """Count the names and return the most frequent ones; the last row says how many more there are."""
    ranked = sorted(Counter(names).items(), key=lambda entry: (-entry[1], entry[0]))
    rows = [{"name": name, "n": times} for name, times in ranked[:MOST_ROWS]]
    more = ranked[MOST_ROWS:]
    return rows + ([{"name": f"{len(more)} more", "n": sum(times for _, times in more)}] if more else [])


def _how(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Count how often each rule decided, and how often it was right."""
    right: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for record in records:
        if _choice(record, ""):
            times[_rule(record)] += 1
            right[_rule(record)] += record["score"]["correct"] is True
    ranked = sorted(times.items(), key=lambda entry: (-entry[1], entry[0]))[:MOST_ROWS]
    return [{"name": name, "n": n, "right": right[name]} for name, n in ranked]


def _related_runs(run: StoredRun, task: str, notify: Notify) -> list[dict[str, Any]]:
    """Compare with the runs inside this one's folder: they show what the audio is worth and what the order decides."""
    related: list[dict[str, Any]] = []
    seen = {(kind, run.path) for kind in compare_related(run, task)}
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


def _judge_summaries(run: StoredRun, task: str) -> list[dict[str, Any]]:
    """Read the summaries of the judges that marked this run's chains or answers, and of their calibrations."""
    summaries = []
    for path in sorted(run.path.glob("judge-*/summary.json")):
        try:
            summary: Any = read_summary(path.parent, JudgeSummary, AnswerSummary, CalibrationSummary)
        except DataError:
            continue
        if summary.get("task", task) == task:
            summaries.append({"where": path.parent.name, "summary": summary})
    return summaries


def _lengths(records: Iterable[Record]) -> list[dict[str, Any]]:
    """Correctness (a reader's) by length of chain, in parts of equal size; nothing where there are too few chains."""
    chains = sorted(
        ChainPoint(length, record["score"]["correct"] is True)
        for record in records
        if "error" not in record and (length := record["extraction"]["thinking_chars"])
    )
    if len(chains) < LEAST_CHAINS:
        return []
    edges = [round(len(chains) * step / BINS) for step in range(BINS + 1)]
    parts = [chains[low:high] for low, high in itertools.pairwise(edges) if high > low]
    return [
        {"from": part[0].length, "to": part[-1].length, **share(sum(one.right for one in part), len(part))._asdict()}
        for part in parts
    ]
