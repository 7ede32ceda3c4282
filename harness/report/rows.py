"""The questions of a task as the page's browser of samples shows them, each with the answers of every run."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal, cast

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.core.model import Notify
from dtbench.harness.core.price import TOKENS_OUT
from dtbench.harness.core.schema import is_count
from dtbench.harness.extract.tidy import fold_signs, split_text
from dtbench.harness.score.forced_choice import probabilities, stored_logprobs
from dtbench.harness.score.stored_run import StoredTask
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.types import JudgeInfo, JudgeRecord, Record, VerdictRecord

Row = dict[str, Any]
Marks = dict[str, list[Row]]
"""Of each question, what each judge marked."""
Piece = tuple[Literal["chain", "said"], bool, str]
"""A part of a response: of what it is part, whether it is the answer that was read, and its words."""


def sample_rows(
    parts: Sequence[StoredTask],
    records: Sequence[Sequence[Record]],
    data: Sequence[Dataset | None],
    marks: Sequence[Marks],
) -> list[Row]:
    """Return one for each question that any of the runs has a record of, in the order of the first data set found."""
    by_run = [_by_question(each) for each in records]
    places = [one.places() if one else {} for one in data]
    ids = list(dict.fromkeys(id_ for each in by_run for id_ in each))
    order = next((by_id for by_id in places if by_id), {})
    ids.sort(key=lambda id_: order.get(id_, len(order)))
    page_rows = []
    for id_ in ids:
        where = next((run for run, by_id in enumerate(places) if id_ in by_id), None)
        dataset = None if where is None else data[where]
        sample = None if where is None or dataset is None else dataset.samples[places[where][id_]]
        options = () if where is None or sample is None else parts[where].shown(sample).choices
        own = [each.get(id_, []) for each in by_run]
        row: Row = {
            "id": id_,
            "question": None if sample is None else sample.question,
            "options": list(options),
            "gold": None if sample is None else sample.answer,
            "groups": next((one["groups"] for each in own for one in each if one["groups"]), {}),
            "runs": [
                [_answer(part, record, judged.get(id_, ())) for record in each]
                for part, each, judged in zip(parts, own, marks, strict=True)
            ],
        }
        page_rows.append(row)
    return page_rows


def _by_question(records: Iterable[Record]) -> dict[str, list[Record]]:
    answers: dict[str, list[Record]] = {}
    for record in records:
        answers.setdefault(record["id"], []).append(record)
    for each in answers.values():
        each.sort(key=lambda record: record["sample"])
    return answers


def _answer(part: StoredTask, record: Record, judged: Iterable[Row]) -> Row:
    head: Row = {"repeat": record["sample"], "clip": record["audio"]}
    if marks := [one for one in judged if one["repeat"] == record["sample"]]:
        head["judged"] = marks
    if "error" in record:
        error = record["error"]
        return {**head, "state": "failed", "error": f"{error['kind']}: {error['message']}"}
    response, read, score = record["response"], record["extraction"], record["score"]
    usage = response["usage"]
    shares = {} if (options := stored_logprobs(record)) is None else {"shares": probabilities(options)}
    return {
        **head,
        "state": _state(part, record),
        "official": score["official"]["correct"] if part.task.answers_public else None,
        "counted": score["official"]["counted"],
        "choice": read["choice"],
        "how": read["how"],
        "level": read.get("level"),
        "aside": read.get("set_aside"),
        "finish": response["finish_reason"],
        "seconds": response["seconds"],
        "tokens": next((usage[name] for name in TOKENS_OUT if is_count(usage.get(name))), None),
        "pieces": text_pieces(response["text"], read["answer"], part.chain),
        **shares,
    }


def _state(part: StoredTask, record: Record) -> str:
    if record["extraction"]["choice"] is None:
        return "unanswered"
    if not part.task.answers_public:
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
    """Question -> what judges marked: of each criterion the share of calls that found it met, and one reason."""
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
