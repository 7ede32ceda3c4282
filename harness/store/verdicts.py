"""Lay the verdicts of judges over the answers that wait for them: the one place where a second pass meets its run.

The verdicts lie in folders inside the run's (`judge-NAME`). Of several judges of one scorer, the one that began first
counts, so that no figure changes because somebody tried another one.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from dtbench.harness.stats.intervals import trimmed_mean
from dtbench.harness.store.jsonl import Key
from dtbench.harness.store.judged_types import JudgeRecord
from dtbench.harness.store.run_json import read_info
from dtbench.harness.store.types import JudgeInfo, OfficialRecord, Record, ScoreRecord

CALLS_APART = 1000
"""The calls about one of several answers have numbers of this many, those about the next one the following."""


class JudgeFolder(Protocol):
    """The folder of a judge, for reading."""

    info: Any

    def records_as(self, task: str, kind: type[JudgeRecord], *, unasked: bool = False) -> Iterator[JudgeRecord]:
        """Yield its records."""
        ...


Opener = Callable[[Path, str], JudgeFolder]
"""Opens the folder that a command made."""


def call_key(id_: str, repeat: int, call: int) -> Key:
    """Return the key of a call about one of the answers to a question."""
    return Key(id_, repeat * CALLS_APART + call)


def answer_hash(text: str) -> str:
    """Return twelve digits that differ where a response does."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


class CountingJudge(NamedTuple):
    """The judge whose verdicts count for a scorer."""

    scorer: str
    folder: Path
    others: tuple[Path, ...]
    """Judges of the same scorer that began later."""


def counting_judges(run: Path, task: str) -> dict[str, CountingJudge]:
    """Return the judge that counts for each scorer of a task, by the scorer's name."""
    found: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    for path in sorted(run.glob("judge-*/run.json")):
        info = cast("JudgeInfo", read_info(path.parent))
        if info["kind"] != "judge" or "scorer" not in info or info.get("calibration"):
            continue
        if task in {**info["tasks"], **info.get("other_tasks", {})}:
            found[info["scorer"]].append((info["start"] or "", path.parent))
    return {
        scorer: CountingJudge(scorer, first, tuple(folder for _, folder in others))
        for scorer, ((_, first), *others) in ((name, sorted(judges)) for name, judges in found.items())
    }


class JudgedMarks:
    """The marks that judges gave the answers to a task, read where the first answer waits for one."""

    def __init__(self, run: Path, task: str, opener: Opener) -> None:
        self._run = run
        self._task = task
        self._opener = opener
        self._marks: dict[str, dict[Key, tuple[str, float]]] | None = None

    def over(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield records with the marks that they wait for, where a judge has given them."""
        return map(self.over_one, records)

    def over_one(self, record: Record) -> Record:
        """Return a record with the marks that it waits for, where a judge has given them."""
        waits = record["score"].get("waits") if "score" in record else None
        if not waits:
            return record
        if self._marks is None:
            judges = counting_judges(self._run, self._task)
            self._marks = {name: self._read(judge.folder) for name, judge in judges.items()}
        key, hashed = Key(record["id"], record["sample"]), answer_hash(record["response"]["text"])
        given = {}
        for name in waits:
            of, mark = self._marks.get(name, {}).get(key, ("", 0.0))
            if of == hashed:
                given[name] = mark
        return {**record, "score": with_marks(record["score"], given)} if given else record

    def _read(self, folder: Path) -> dict[Key, tuple[str, float]]:
        """Read the mark of each answer that all calls have a verdict on, with the hash of its response."""
        judge = self._opener(folder, "judge")
        info = cast("JudgeInfo", judge.info)
        lenient = info.get("rule", {}).get("unreadable") == "wrong" and info["status"] == "done"
        shares: dict[tuple[Key, str], list[float]] = defaultdict(list)
        for record in judge.records_as(self._task, JudgeRecord):
            key = Key(record["id"], record.get("repeat", 0)), record.get("answer_hash", "")
            if "verdict" in record:
                shares[key].append(record["verdict"]["share"])
            elif lenient and record.get("error", {}).get("kind") == "unreadable":
                shares[key].append(0.0)
        return {
            key: (hashed, trimmed_mean(each)) for (key, hashed), each in shares.items() if len(each) >= info["calls"]
        }


def with_marks(score: ScoreRecord, given: Mapping[str, float]) -> ScoreRecord:
    """Return the score of an answer with marks that it waited for."""
    marks = {**score.get("marks", {}), **given}
    waits = [name for name in score.get("waits", ()) if name not in given]
    anew: ScoreRecord = {**score, "marks": marks}
    if waits:
        anew["waits"] = waits
    else:
        del anew["waits"]
    if next(iter(marks)) in given:
        anew["official"] = official_record(given[next(iter(marks))])
    is_open = score.get("open", False) if waits else anew.pop("open", False)
    if is_open and (read := next((name for name in marks if name not in waits), None)) is not None:
        anew["correct"] = None if marks[read] is None else marks[read] == 1
    return anew


def official_record(mark: float) -> OfficialRecord:
    """Return the official verdict that a mark is."""
    fields: OfficialRecord = {"correct": mark == 1, "counted": True, "why": ""}
    return fields if mark in {0, 1} else {**fields, "mark": mark}
