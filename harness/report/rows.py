"""What the page shows of one answer: where its chain ends, which words were read, and what judges marked."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal, cast

from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.core.model import Notify
from dtbench.harness.extract.tidy import fold_signs, split_text
from dtbench.harness.score.forced_choice import probabilities, stored_logprobs
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.store.jsonl import Key
from dtbench.harness.store.judged_types import JudgeRecord, VerdictRecord
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import JudgeInfo, Record

Row = dict[str, Any]
Marks = dict[str, list[Row]]
"""Of each question, what each judge marked."""
Piece = tuple[Literal["chain", "said"], bool, str]
"""A part of a response: of what it is part, whether it is the answer that was read, and its words."""
STATES = ("failed", "unanswered", "wrong", "right", "answered")
"""What may become of a question; the last where the right answer is withheld, or a verdict waits."""


def answer_detail(part: StoredTask, record: Record, marks: Sequence[Row]) -> Row:
    """Return what the page shows of an answer that is opened: its text in pieces, and what judges marked."""
    detail: Row = {"clip": record["audio"]}
    if marks:
        detail["judged"] = list(marks)
    if "error" in record:
        error = record["error"]
        return {**detail, "error": f"{error['kind']}: {error['message']}"}
    response, read = record["response"], record["extraction"]
    if (aside := read.get("set_aside")) is not None:
        detail["aside"] = aside
    if marks_given := record["score"].get("marks"):
        waits = record["score"].get("waits", ())
        detail["marks"] = [[name, mark, name in waits] for name, mark in marks_given.items()]
    if (options := stored_logprobs(record)) is not None:
        detail["shares"] = probabilities(options)
    return {**detail, "pieces": text_pieces(response["text"], read["answer"], part.chain)}


def answer_state(part: StoredTask, record: Record) -> str:
    """Return what became of a question: one of STATES."""
    if "error" in record:
        return "failed"
    if record["extraction"]["choice"] is None:
        return "unanswered"
    if not part.task.answers_public or record["score"]["correct"] is None:
        return "answered"
    return "right" if record["score"]["correct"] else "wrong"


def text_pieces(text: str, answer: str, chain: Sequence[str] | None = None) -> list[Piece]:
    """Cut a text where its chain ends and around the words of its answer; the pieces joined are the whole text."""
    begin = _end_of_chain(text, chain)
    mark = _place_of(text, answer, begin)
    cuts = sorted({0, begin, *mark, len(text)})
    return [
        ("chain" if start < begin else "said", mark[0] <= start < mark[1], text[start:end])
        for start, end in itertools.pairwise(cuts)
    ]


def _end_of_chain(text: str, chain: Sequence[str] | None) -> int:
    """Return where the text after the chain begins: 0 where there is no chain, the end where nothing follows one."""
    parts = split_text(text, chain)
    if not parts.thinking:
        return 0
    answer = parts.answer.strip()
    place = text.rfind(answer) if answer else -1
    return len(text) if place < 0 else place


def _place_of(text: str, answer: str, begin: int) -> tuple[int, int]:
    """Find the last place of the answer's words after the chain; look inside the chain only where there is none."""
    words = answer.strip()
    if not words:
        return (0, 0)
    # Some readings hold the folded text: folding keeps every place.
    for where, part in ((text, words), (fold_signs(text), fold_signs(words))):
        place = where.rfind(part, begin)
        if place < 0:
            place = where.rfind(part)
        if place >= 0:
            return (place, place + len(part))
    return (0, 0)


def judged_chains(run: StoredRun, task: str, notify: Notify) -> Marks:
    """Question -> what judges marked: of each criterion the share of calls that found it met, and one reason.

    A judge of answers has one mark for each answer, under the name of its scorer.
    """
    by_question: Marks = defaultdict(list)
    for path in sorted(run.path.glob("judge-*/run.json")):
        if path.parent.name.endswith("-calibration"):
            continue
        try:
            judge = StoredRun.open(path.parent, "judge")
            info = cast("JudgeInfo", judge.info)
            about = {**info.get("other_tasks", {}), **info["tasks"]}.get(task)
            verdicts = _verdicts(judge, task)
        except DtbenchError as error:
            notify(f"left out: {error}")
            continue
        head = {"judge": path.parent.name.removeprefix("judge-")}
        if "scorer" in info:
            head["scorer"] = info["scorer"]
        sample = 0 if about is None else about.get("sample", 0)
        for (id_, repeat), each in verdicts.items():
            by_question[id_].append({**head, "repeat": repeat or sample, "marks": _together(each)})
    return by_question


def _verdicts(judge: StoredRun, task: str) -> dict[Key, list[VerdictRecord]]:
    """Answer -> its verdicts; of a judge of one of several answers, all of the first."""
    verdicts: dict[Key, list[VerdictRecord]] = defaultdict(list)
    for record in judge.records_as(task, JudgeRecord):
        if "verdict" in record:
            verdicts[Key(record["id"], record.get("repeat", 0))].append(record["verdict"])
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
