"""One task of a report: the figures of every run, the runs in pairs, the questions with all answers, the clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.compare.paired import RunAnswers, read_answers
from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.task import Task
from dtbench.harness.report.answers import TaskAnswers
from dtbench.harness.report.by_sound import SoundRequest, TaskSounds
from dtbench.harness.report.clips import QuestionClip, wanted_clips
from dtbench.harness.report.columns import PackedColumns, TextPart, TextParts
from dtbench.harness.report.figures import task_figures
from dtbench.harness.report.pairs import compare_all
from dtbench.harness.report.prompts import SentPrompt, reference_of, sent_prompt
from dtbench.harness.report.rows import judged_chains
from dtbench.harness.report.spooled import SpooledRecords
from dtbench.harness.score.stored_run import StoredTask, find_data, questions_beside
from dtbench.harness.store.run_folder import StoredRun
from dtbench.tasks.stored import stored_task


class TaskRequest(NamedTuple):
    """What is asked of a task's part of the page."""

    number: int
    """Its place among the tasks of the page."""
    name: str
    data_dir: Path | None
    task_file: Path | None
    sounds: SoundRequest | None = None
    """Whether clips are measured, for groups by sound."""


class TaskPage(NamedTuple):
    """What the page has of a task."""

    first: dict[str, Any]
    """For the first view."""
    samples: dict[str, Any]
    """For the list of questions; its columns are packed."""
    questions: int
    texts: Sequence[TextPart]
    wanted: Sequence[QuestionClip]
    """The clips of its questions."""


def task_page(runs: Sequence[StoredRun], asked: TaskRequest, columns: PackedColumns) -> TaskPage:
    """Read a task of every run, one run after the other."""
    name = asked.name
    parts = [stored_task(run, name, asked.task_file) for run in runs]
    data = _datasets(parts, asked.data_dir)
    parts = [replace(part, data=one) for part, one in zip(parts, data, strict=True)]
    lines: list[str] = []
    sounds = None if asked.sounds is None else TaskSounds(parts, asked.sounds)
    answers = TaskAnswers(asked.number, parts)
    figures: list[dict[str, Any]] = []
    paired: list[RunAnswers] = []
    for place, (run, part) in enumerate(zip(runs, parts, strict=True)):
        records = SpooledRecords(part.records())
        answers.add(sounds.grouped(place, records) if sounds else records, judged_chains(run, name, lines.append))
        if len(runs) > 1 and part.task.answers_public:
            paired.append(read_answers(run, name, records))
        by_sound = sounds.figures(place, records) if sounds else {}
        figures.append({**task_figures(run, part, records, lines.append), **by_sound})
    lines += sounds.notes if sounds else []
    count = len(answers.ids)
    if unknown := sum(sample is None for _, sample in answers.samples()):
        lines.append(
            f"{name}: the text of {unknown} of {count} questions was not found, so only answers are shown: "
            f"name the folder of the data with --data-dir ({_why_unknown(parts)})"
        )
    prompts = [sent_prompt(run, part) for run, part in zip(runs, parts, strict=True)]
    wordings = list(dict.fromkeys(prompts))
    extras = _extra_texts(asked, answers, parts[0].task, wordings)
    first = {
        "name": name,
        "title": parts[0].task.title or name,
        "headings": answers.headings(),
        "known": parts[0].task.answers_public,
        "runs": figures,
        "prompts": [{"system": one.system, "text": one.text, "examples": one.examples} for one in wordings],
        "prompt_of": [wordings.index(one) for one in prompts],
        "pairs": compare_all(paired),
        "notes": lines,
    }
    texts = [*answers.packed_texts, *extras.packed()]
    return TaskPage(
        first,
        {**answers.header(columns), "extras": extras.begins},
        count,
        texts,
        wanted_clips(data, answers.interest(), stereo=parts[0].task.stereo),
    )


def _why_unknown(parts: Sequence[StoredTask]) -> str:
    """Say why the run folders do not have the questions either."""
    whys = (questions_beside(part).lacking for part in parts if part.data is None)
    return "; ".join(dict.fromkeys(why for why in whys if why)) or "they are not in the data that was found"


def _extra_texts(asked: TaskRequest, answers: TaskAnswers, task: Task, prompts: Sequence[SentPrompt]) -> TextParts:
    """Return what is shown of a question beside answers and options: its prompts as sent, and its reference."""
    texts = TextParts(f"extra-{asked.number}")
    for _, sample in answers.samples():
        extra: dict[str, Any] = {}
        if sample is not None:
            extra["clips"] = len(sample.clips)
            extra["prompts"] = [prompt.fill(task, sample) for prompt in prompts]
            extra["reference"] = reference_of(sample)
        texts.add(extra)
    return texts


def _datasets(parts: Sequence[StoredTask], data_dir: Path | None) -> list[Dataset | None]:
    """Load the questions of each run, the same ones once; a UserError where data_dir has those of none of them."""
    loaded: dict[tuple[str, str], Dataset | None] = {}
    refused: list[UserError] = []
    for part in parts:
        key = _content(part)
        if loaded.get(key) is not None:
            continue
        try:
            loaded[key] = find_data(part, data_dir)
        except UserError as error:
            refused.append(error)
            loaded[key] = find_data(part, None)
    if len(refused) == len({_content(part) for part in parts}):
        raise refused[0]
    return [loaded[_content(part)] for part in parts]


def _content(part: StoredTask) -> tuple[str, str]:
    return part.about["data"]["sha256"], part.about["data"]["source"]
