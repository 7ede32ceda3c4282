"""The answers of a run as formats of whole runs need them: each beside its question, its prompt and its scores."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import dtbench
from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError, DtbenchError, UserError
from dtbench.harness.core.schema import Sample
from dtbench.harness.core.task import Task
from dtbench.harness.export.submission_formats import ExportOptions
from dtbench.harness.run.plan import PromptForm, TaskPlan
from dtbench.harness.run.planned_words import PlannedWords
from dtbench.harness.score.stored_run import StoredTask, find_data, questions_beside
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.summary_types import TaskSummary
from dtbench.harness.store.types import Record
from dtbench.tasks.data.sources import SOURCES, HubFile
from dtbench.tasks.stored import stored_task, stored_task_names

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
_NOT_OF_A_NAME = re.compile(r"[^\w.-]+")


class AnsweredQuestion(NamedTuple):
    """A record, and the question that it answers."""

    sample: Sample
    record: Record
    thinking: str
    """The chain of thought, without its tags."""
    prompt: str | None
    """The words that were asked; None where they are no longer known."""


class ExportedTask:
    """A task of a run: its questions, its answers, its scores."""

    def __init__(self, run: StoredRun, stored: StoredTask, data: Dataset) -> None:
        self.run, self.stored, self.data = run, stored, data

    @property
    def name(self) -> str:
        """The name of the task."""
        return self.stored.task.name

    @cached_property
    def summary(self) -> TaskSummary:
        """The figures of the stored verdicts."""
        return self.stored.summarise(self.stored.records())

    @property
    def started(self) -> datetime:
        """When the run began; a DataError where run.json does not say."""
        return run_time(self.run, self.run.info["start"])

    @property
    def ended(self) -> datetime:
        """When it ended, or began where it has not ended."""
        return run_time(self.run, self.run.info["end"] or self.run.info["start"])

    @property
    def version(self) -> str:
        """The version of dtbench that asked last."""
        starts = self.run.info["starts"]
        return starts[-1]["dtbench"] if starts else dtbench.__version__

    def answers(self) -> Iterator[AnsweredQuestion]:
        """Yield the records in the order of the data, several answers to a question one after the other."""
        places, prompts = self.data.places(), asked_prompts(self.stored, self.data)
        records = sorted(self.stored.records(), key=lambda one: (places.get(one["id"], len(places)), one["sample"]))
        for record in records:
            if (place := places.get(record["id"])) is None:
                raise UserError(f"{self.run.path}: {self.name} has no question {record['id']!r}: name its own data.")
            sample = self.data.samples[place]
            thinking = ""
            if "error" not in record:
                thinking = self.stored.read(sample, record["response"]["text"]).thinking
            yield AnsweredQuestion(sample, record, thinking, prompts(place))


def run_time(run: StoredRun, when: str | None) -> datetime:
    """Return a time of run.json; a DataError where it is none."""
    try:
        return datetime.fromisoformat(str(when))
    except ValueError:
        what = f"it has {when!r} in place of a time; it was changed after dtbench wrote it"
        raise DataError(f"{run.path / 'run.json'}: {what}.") from None


def exported_tasks(options: ExportOptions) -> list[ExportedTask]:
    """Return the tasks of the run that is exported; a UserError where the questions of one are not there."""
    assert options.run is not None
    run = StoredRun.open(options.run)
    names = stored_task_names(run, options.task)
    return [_exported_task(run, stored_task(run, name, options.task_file), options.data_dir) for name in names]


def _exported_task(run: StoredRun, stored: StoredTask, data_dir: Path | None) -> ExportedTask:
    data = find_data(stored, data_dir)
    if data is None:
        raise UserError(
            f"the questions of {stored.task.name} were not found, and {questions_beside(stored).lacking}: name the "
            f"folder of the data with --data-dir."
        )
    return ExportedTask(run, stored, data)


def asked_prompts(stored: StoredTask, data: Dataset) -> Callable[[int], str | None]:
    """Return the prompt of the question at a place, composed again; None where it is no longer known."""
    about, words, given = stored.about, None, stored.form.paraphrases
    if "paraphrase" in about and given is not None:
        told = about["paraphrase"]
        words = PlannedWords(Path(told["file"]), told["number"], told["sha256"], given)
    for template in (None, about["prompt"]):
        form = PromptForm(template, "clip", about["permute"], about["seed"], about["answer"])
        form = replace(form, order=about.get("order", 1), words=words)
        plan = TaskPlan(stored.task, data, stored.repeats, form)
        try:
            if plan.prompt_hash() == about["prompt_hash"]:
                return lambda place, plan=plan: plan.prompt(place, 0).text  # type: ignore[misc]
        except DtbenchError:
            continue
    return lambda place: None


@dataclass(frozen=True, slots=True)
class ExportedModel:
    """The model of a run under the names that hubs and collections use."""

    about: Mapping[str, Any]
    """What run.json says of it."""

    @property
    def name(self) -> str:
        """The checkpoint, the served name or the name of the built-in model."""
        return str(self.about.get("model") or self.about.get("name") or "model")

    @property
    def title(self) -> str:
        """The name for others: of a folder on this machine, what it is called and not where it lies."""
        return self.name if self.hub_id is not None else Path(self.name).name

    @property
    def settings(self) -> dict[str, str]:
        """What run.json says of it, as text, without the folders of this machine."""
        texts = {str(name): one if isinstance(one, str) else json.dumps(one) for name, one in self.about.items()}
        return {name: Path(text).name if text.startswith(("/", "~")) else text for name, text in texts.items()}

    @property
    def hub_id(self) -> str | None:
        """The hub's ORG/NAME; None for a folder, a served name and a built-in model."""
        name = self.name
        return name if _HUB_ID.fullmatch(name) and not Path(name).exists() else None

    @property
    def id(self) -> str:
        """ORG/NAME, where ORG is `local` for what is on no hub."""
        return self.hub_id or f"local/{portable_name(Path(self.name).name)}"


def portable_name(text: str) -> str:
    """Return a text as the name of a file on any system: letters, digits, `.`, `_` and `-`."""
    return _NOT_OF_A_NAME.sub("-", text).strip("-. ")[:100] or "unnamed"


def hub_source(task: str) -> HubFile | None:
    """Return the data set on the hub that a benchmark's clips come from; None where there is none."""
    return next((file for file in SOURCES.get(task, ()) if isinstance(file, HubFile)), None)


def unfinished(task: ExportedTask) -> str:
    """Say why the scores are not those of the whole benchmark; an empty text where they are."""
    # The questions may come from the run folder, which has those alone that were asked.
    asked, whole = task.stored.about["questions"], max(len(task.data.samples), task.stored.task.size or 0)
    summary = task.summary
    parts = [f"{asked} of {whole} questions were asked"] if asked < whole else []
    parts += [f"{summary['failed']} failed"] if summary["failed"] else []
    parts += [f"{summary['missing']} answers are missing"] if summary["missing"] else []
    return f"{task.name}: {', '.join(parts)}" if parts else ""


def withheld_text(task: Task) -> str:
    """Say why the text of a benchmark's questions is not passed on; an empty text where it may be."""
    if task.copies_questions and not limits_copying(task.licence):
        return ""
    named = f", its licence is {task.licence}" if task.licence else ", as its licence asks"
    return f"the text of questions and options is withheld{named}"


def limits_copying(licence: str) -> bool:
    """Whether a licence forbids passing the text on to everybody: for some uses alone, or not at all in part."""
    return re.search(r"-n[cd]\b|non-?commercial|no-?deriv|proprietary", licence, re.IGNORECASE) is not None
