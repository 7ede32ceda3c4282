"""Score a stored run again: read every response and score it with today's code.

That needs the questions: the data set, or the copies of it in the run folder. Where neither is found, or is not the
run's, the stored verdicts stand, and a note says so.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DataError, DtbenchError, UserError, one_line
from dtbench.harness.core.schema import Official, Sample
from dtbench.harness.core.scorable import refuse_stored
from dtbench.harness.core.scorer import NO_ANSWER
from dtbench.harness.core.task import Task, load_questions
from dtbench.harness.extract.answer import Extraction
from dtbench.harness.extract.chain_tags import ChainTags
from dtbench.harness.extract.evidence import WEAKEST
from dtbench.harness.extract.tidy import with_think_tags
from dtbench.harness.score.answer_record import ShownOptions, extraction_fields, with_answer
from dtbench.harness.score.group_total import total_of_groups
from dtbench.harness.score.outcomes import Outcomes
from dtbench.harness.score.paper_figures import RunDesign, paper_figures
from dtbench.harness.score.question_form import QuestionForm
from dtbench.harness.score.run_questions import RunQuestions, find_questions
from dtbench.harness.score.summary import summarise, with_figures
from dtbench.harness.store.jsonl import Key, key_of
from dtbench.harness.store.question_files import question_file, read_questions
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.summary_types import TaskSummary
from dtbench.harness.store.types import Record, TaskInfo, mark_of
from dtbench.harness.store.verdicts import JudgedMarks

SHOWN = 20
State = Literal["answered", "unanswered", "failed", "missing"]
MIXED_DOWN = "the channels of each clip were mixed down: this model hears one, and the task asks for all"


@dataclass(frozen=True, slots=True)
class StoredTask:
    """One task of a run folder."""

    task: Task
    about: TaskInfo
    """Its part of run.json."""
    records: Callable[[], Iterable[Record]]
    """Its records, from the first one at every call."""
    folder: Path
    """The run folder, which may hold its questions."""
    data: Dataset | None = None
    """Its questions; None where they are not at hand."""

    @property
    def scorer(self) -> str:
        """The version of the script that gave the stored verdicts."""
        return self.about.get("scorer") or self.task.official_versions[0]

    @property
    def min_evidence(self) -> str:
        """The weakest level of evidence that counts; before there were levels, whatever was read did."""
        return self.about.get("min_evidence", WEAKEST)

    @property
    def chain(self) -> ChainTags | None:
        """The model's own tags around its chain of thought."""
        given = self.about.get("chain")
        try:
            return None if given is None else ChainTags.of(given)
        except ValueError as error:
            raise DataError(f"run.json: the chain tags of {self.task.name} are {given!r}: {error}.") from None

    @property
    def repeats(self) -> int:
        """How many answers there are to a question."""
        return self.about["samples"]

    @property
    def expected(self) -> int:
        """How many answers a whole run has, all repeats counted."""
        return self.about["questions"] * self.repeats

    @property
    def form(self) -> QuestionForm:
        """What this run did to each question before it was worded."""
        return QuestionForm.of_task(self.about, self.folder)

    def as_shown(self) -> Iterator[Sample] | None:
        """Yield the questions with their options in the order in which this run showed them, in their own words."""
        if self.data is None:
            return None
        show = self.form.show
        return (
            sample if (own := tuple(show(sample).own_choices)) == sample.choices else replace(sample, choices=own)
            for sample in self.data.samples
        )

    def shown(self, sample: Sample) -> ShownOptions:
        """Return the options in the order in which this run showed them."""
        question = self.form.show(sample)
        own = question.own_choices if question.is_reworded else None
        forced = self.about["answer"] == "forced"
        return ShownOptions(question.sample.choices, forced, self.min_evidence, self.chain, own)

    def summarise(self, records: Iterable[Record], scorer: str | None = None) -> TaskSummary:
        """Sum up records of this task."""
        outcomes, shared = Outcomes(records), self.about["shared_clips"]
        summary = summarise(
            self.task,
            outcomes,
            expected=self.expected,
            samples_k=self.repeats,
            scorer=scorer or self.scorer,
            shared=shared,
        )
        summary["min_evidence"] = self.min_evidence
        summary["data"] = self.about["data"]["version"]
        summary = with_figures(summary, total_of_groups(self.task.total, summary["official"]["groups"]))
        if self.about.get("stereo") is False:
            summary["notes"].append(MIXED_DOWN)
        if summary["strict"]["accuracy"] is None:
            return summary
        design = RunDesign(summary["n"] // self.repeats, self.repeats, shared)
        return with_figures(summary, paper_figures(self.task, outcomes, summary, design, self.as_shown()))

    def known_text(self, text: str) -> str:
        """Return a response with the model's own tags written as known ones."""
        return with_think_tags(text, self.chain)

    def known_records(self) -> Iterator[Record]:
        """Yield the records with known_text() of each response, for figures of a task's own."""
        for record in self.records():
            if "response" in record and "chain" in self.about:
                response = record["response"]
                yield {**record, "response": {**response, "text": self.known_text(response["text"])}}
            else:
                yield record

    def read(self, sample: Sample, text: str) -> Extraction:
        """Read the answer to a question out of a response of this run."""
        return self.shown(sample).read(self.task, text)


@dataclass(slots=True)
class RescoredTask:
    """A task of a run, scored again."""

    summary: TaskSummary
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The lines of `--rows`, by question."""


def find_data(stored: StoredTask, data_dir: Path | None) -> Dataset | None:
    """Load the run's own questions from data_dir, where the run or `data pull` had them, or the run folder.

    The data set comes first, as it has the clips too. None where the questions are gone; questions_beside() says why.
    """
    about = stored.about["data"]
    if data_dir is not None:
        data = load_questions(stored.task, data_dir)
        if data.sha256 != about["sha256"]:
            raise UserError(
                f"--data-dir {data_dir}: this folder has {stored.task.name} {data.version} ({data.source}), but the "
                f"run used {about['version']} with other content. Name the run's data, or leave --data-dir out."
            )
        return data
    places = (_loaded(stored.task, place) for place in _places(about["source"]))
    found = next((data for data in places if data is not None and data.sha256 == about["sha256"]), None)
    return questions_beside(stored).data if found is None else found


def questions_beside(stored: StoredTask) -> RunQuestions:
    """Return the questions that lie in the run folder, or why answers cannot be scored by them."""
    source = str(question_file(stored.folder, stored.task.name))
    questions = read_questions(stored.folder, stored.task.name)
    return find_questions(stored.task, stored.about["data"], questions, stored.records(), source)


def is_whole(stored: StoredTask, data: Dataset) -> bool:
    """Whether these are all questions of the run's data set, asked or not."""
    return data.sha256 == stored.about["data"]["sha256"]


def _places(source: str) -> Iterator[Path | None]:
    """Yield where the run's data may lie; a file may be one part of several, so its folder comes first."""
    with contextlib.suppress(OSError, ValueError):  # a name that no file can have
        if source and Path(source).is_dir():
            yield Path(source)
        elif source and Path(source).exists():
            yield Path(source).parent
            yield Path(source)
    yield None


def _loaded(task: Task, place: Path | None) -> Dataset | None:
    try:
        return load_questions(task, place)
    except (DtbenchError, OSError):
        return None


def rescore_task(
    stored: StoredTask,
    data: Dataset | None,
    scorer: str | None = None,
    *,
    rows: bool = False,
    keep: Callable[[Record], None] | None = None,
) -> RescoredTask:
    """Score a task of a run again; without data, add up the stored verdicts.

    `keep` is called with each record whose reading or verdicts are not the stored ones.
    """
    if data is None and scorer not in {None, stored.scorer}:
        raise UserError(
            f"--scorer {scorer}: scoring again needs the run's {stored.task.name} data, which was not found, and "
            f"{questions_beside(stored).lacking}; name the folder of the data with --data-dir. The "
            f"stored verdicts are those of {stored.scorer}."
        )
    rescorer = None if data is None else _Rescorer(stored, data, scorer or stored.scorer)
    lines: list[Record] = []

    def records() -> Iterator[Record]:
        for stored_record in stored.records():
            record = stored_record if rescorer is None else rescorer.rescore(stored_record)
            if keep is not None and record != stored_record:
                keep(record)
            if rows:
                lines.append(record)
            yield record

    summary = stored.summarise(records(), scorer)
    if rescorer is None:
        summary["differ"] = None
        about = stored.about["data"]
        summary["notes"].append(
            f"these are the stored verdicts: nothing was scored again, as the questions ({about['version']}, sha256 "
            f"{about['sha256'][:12]}) were not found, and {questions_beside(stored).lacking}; name their folder with "
            f"--data-dir"
        )
    else:
        summary["differ"] = {"n": len(rescorer.differing), "ids": rescorer.differing[:SHOWN]}
    places = {} if rescorer is None else rescorer.places
    lines.sort(key=lambda record: (places.get(record["id"], 0), record["id"], record["sample"]))
    named = [{"task": stored.task.name, "row": number, **_row(record)} for number, record in enumerate(lines)]
    return RescoredTask(summary, named)


def count_differing(stored: StoredTask, data: Dataset) -> int:
    """Count the stored answers that today's code reads or judges otherwise."""
    rescorer = _Rescorer(stored, data, stored.scorer)
    for record in stored.records():
        rescorer.rescore(record)
    return len(rescorer.differing)


class _Rescorer:
    """Reads and scores the stored answers of a task with today's code."""

    def __init__(self, stored: StoredTask, data: Dataset, scorer: str) -> None:
        self.differing: list[str] = []
        self.places = data.places()
        self._stored, self._task, self._samples = stored, stored.task, data.samples
        self._same_scorer = scorer == stored.scorer
        default = scorer == stored.task.official_versions[0]
        self._judged = JudgedMarks(stored.folder, stored.task.name, StoredRun.open)
        self._official = {} if default else self._in_order(stored, data, scorer)

    def rescore(self, record: Record) -> Record:
        """Replace the stored reading and scores of a record with today's."""
        if "error" in record:
            return record
        sample, official = self._sample(record), self._official.get(key_of(record))
        refuse_stored(self._task, sample)
        read = with_answer(
            record, record["response"], self._task, sample, self._stored.shown(sample), official=official
        )
        anew = self._judged.over_one(read)
        if self._differs(record, anew):
            self.differing.append(record["id"])
        return anew

    def _sample(self, record: Record) -> Sample:
        place = self.places.get(record["id"])
        if place is None:
            raise DataError(
                f"the run has an answer to {one_line(record['id'])!r}, which is not a question of its "
                f"{self._task.name} data: the record was changed after dtbench wrote it. Remove its line."
            )
        return self._samples[place]

    def _differs(self, record: Record, anew: Record) -> bool:
        then, now = record["score"], anew["score"]
        if (record["extraction"]["choice"], then["correct"]) != (anew["extraction"]["choice"], now["correct"]):
            return True
        official = [[one["official"].get(key) for key in ("correct", "counted", "mark")] for one in (then, now)]
        return self._same_scorer and (official[0] != official[1] or then.get("marks") != now.get("marks"))

    def _in_order(self, stored: StoredTask, data: Dataset, scorer: str) -> dict[Key, Official]:
        """Score the records in order, for a script that may carry something over from one record to the next."""
        submitted: dict[Key, str] = {}
        for record in stored.records():
            if "error" not in record:
                sample = self._sample(record)
                read = stored.read(sample, record["response"]["text"])
                submitted[key_of(record)] = self._task.submission(sample, read)
        verdicts = {}
        for repeat in range(stored.repeats):
            rule = self._task.official(scorer)
            for sample in data.samples:
                if (key := Key(sample.id, repeat)) in submitted:
                    verdicts[key] = rule(sample.as_published(), submitted[key])
        return verdicts


def _row(record: Record) -> dict[str, Any]:
    """Return a line of `--rows`, as for a prediction file, with the repeat, and why there is no response.

    Where the task names its scorers, it has their marks too.
    """
    failed = "error" in record
    marks = {} if failed else record["score"].get("marks", {})
    marked = {"mark": mark_of(record["score"]["official"]), "marks": marks} if marks else {}
    return {
        "id": record["id"],
        "sample": record["sample"],
        "official_correct": not failed and record["score"]["official"]["correct"],
        "official_counted": not failed and record["score"]["official"]["counted"],
        "correct": None if failed else record["score"]["correct"],
        "choice": None if failed else record["extraction"]["choice"],
        "how": None if failed else record["extraction"]["how"],
        "level": None if failed else record["extraction"].get("level"),
        "set_aside": None if failed else record["extraction"].get("set_aside"),
        "failed": record["error"]["kind"] if failed else None,
        **marked,
    }


class SubmittedAnswer(NamedTuple):
    """A question, and the answer that a prediction file has for it."""

    sample: Sample
    state: State
    """unanswered: there is a response, and no option can be read from it."""
    thinking: str
    """The chain as the model wrote it, without its tags."""
    choice: str
    """The text of the option; empty where there is none."""
    submission: str
    """The answer as the benchmark's own prediction file has it."""


def sample_error(sample: int, repeats: int) -> UserError:
    """Make the error for --sample where the run has no such answer."""
    if repeats == 1:
        return UserError(f"--sample {sample}: the run has one answer per question, number 0; leave --sample out.")
    return UserError(f"--sample {sample}: the run has {repeats} answers per question; 0 to {repeats - 1} is allowed.")


def submitted_answers(stored: StoredTask, data: Dataset, repeat: int) -> list[SubmittedAnswer]:
    """Return one for each question of the data set, asked or not: of several answers the one with this number."""
    if not 0 <= repeat < stored.repeats:
        raise sample_error(repeat, stored.repeats)
    texts: dict[str, str | None] = {}
    for record in stored.records():
        if record["sample"] == repeat:
            texts[record["id"]] = None if "error" in record else record["response"]["text"]
    return [_answer(stored, sample, texts) for sample in data.samples]


def _answer(stored: StoredTask, sample: Sample, texts: Mapping[str, str | None]) -> SubmittedAnswer:
    text = texts.get(sample.id)
    if text is None:
        state: State = "failed" if sample.id in texts else "missing"
        return SubmittedAnswer(sample, state, "", "", stored.task.submission(sample, NO_ANSWER))
    read = stored.read(sample, text)
    choice = read.choice
    if stored.task.scorers and not sample.choices:
        choice = extraction_fields(read, stored.task.score(sample, read))["choice"]
    state = "unanswered" if choice is None else "answered"
    return SubmittedAnswer(sample, state, read.thinking, choice or "", stored.task.submission(sample, read))


def count_states(submitted: Sequence[SubmittedAnswer]) -> dict[str, int]:
    """Count the answers in each state."""
    return {
        state: sum(one.state == state for one in submitted) for state in ("answered", "unanswered", "failed", "missing")
    }
