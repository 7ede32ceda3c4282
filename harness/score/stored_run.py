"""A run read again from its records: every response's answer taken out and scored anew by the code of today.

That needs the questions. Where the data set is not found, or is not the run's, the stored verdicts stand, and a note
says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import DtbenchError, TaskError, UserError, format_error
from dtbench.harness.core.schema import Official, Sample, Score
from dtbench.harness.core.task import Task, rotated
from dtbench.harness.extract.extraction import Extraction
from dtbench.harness.score.forced_choice import read_forced, right_place
from dtbench.harness.score.outcomes import Outcomes
from dtbench.harness.score.summary import summary_of

Record = Mapping[str, Any]
Key = tuple[str, int]
SHOWN = 20


@dataclass(frozen=True, slots=True)
class StoredTask:
    """One task of a run folder."""

    task: Task
    about: Mapping[str, Any]
    """What run.json says of it."""
    records: Callable[[], Iterable[Record]]
    """Its records, from the first one at every call."""

    @property
    def scorer(self) -> str:
        """The version of the script that gave the stored verdicts."""
        return str(self.about.get("scorer") or self.task.official_versions[0])

    @property
    def repeats(self) -> int:
        """How many answers there are to a question."""
        return int(self.about.get("samples", 1))

    @property
    def is_forced(self) -> bool:
        """Whether each answer is one letter."""
        return self.about.get("answer") == "forced"

    def shown(self, sample: Sample) -> Sequence[str]:
        """The options in the order in which this run showed them."""
        return rotated(sample, int(self.about.get("permute", 0))).choices

    def read(self, sample: Sample, text: str) -> Extraction:
        """What a response of this run says to a question."""
        return (read_forced if self.is_forced else self.task.read)(text, self.shown(sample))


@dataclass(slots=True)
class Rescored:
    """A task of a run, scored again."""

    summary: dict[str, Any]
    rows: list[dict[str, Any]] = field(default_factory=list)
    """The lines of `--rows`, by question."""


def find_data(stored: StoredTask, data_dir: Path | None) -> Dataset | None:
    """The run's own questions, from data_dir or where the run or `data pull` had them; None where they are gone."""
    wanted = stored.about.get("data", {})
    if data_dir is not None:
        data = stored.task.load(data_dir)
        if data.sha256 != wanted.get("sha256"):
            raise UserError(
                f"--data-dir {data_dir}: {stored.task.name} is {data.version} there ({data.source}), and the run was "
                f"on {wanted.get('version')} with other content. Name the run's data, or leave --data-dir out."
            )
        return data
    places = (_loaded(stored.task, place) for place in _places(wanted.get("source")))
    return next((data for data in places if data is not None and data.sha256 == wanted.get("sha256")), None)


def _places(source: str | None) -> Iterator[Path | None]:
    """Where the run's data may lie; a file may be one part of several, so its folder comes first."""
    if source and Path(source).is_dir():
        yield Path(source)
    elif source and Path(source).exists():
        yield Path(source).parent
        yield Path(source)
    yield None


def _loaded(task: Task, place: Path | None) -> Dataset | None:
    try:
        return task.load(place)
    except (DtbenchError, OSError):
        return None


def rescore(stored: StoredTask, data: Dataset | None, scorer: str | None = None, *, rows: bool = False) -> Rescored:
    """Score a task of a run again; without data, add up the stored verdicts."""
    if data is None and scorer not in {None, stored.scorer}:
        raise UserError(
            f"--scorer {scorer}: the run's {stored.task.name} data is needed to score anew, and it was not found; "
            f"name its folder with --data-dir. The stored verdicts are those of {stored.scorer}."
        )
    judge = None if data is None else _Judge(stored, data, scorer or stored.scorer)
    outcomes, lines = Outcomes(), []
    for record in stored.records():
        judged = record if judge is None else judge(record)
        outcomes.add(judged)
        if rows:
            lines.append(judged)
    summary = summary_of(
        stored.task,
        outcomes,
        expected=int(stored.about.get("questions", 0)) * stored.repeats,
        samples_k=stored.repeats,
        scorer=scorer or stored.scorer,
        shared=_shared(stored, data),
    )
    summary["data"] = stored.about.get("data", {}).get("version")
    summary["differ"] = None if judge is None else {"n": len(judge.differing), "ids": judge.differing[:SHOWN]}
    summary["notes"] += [_stored_stand(stored)] if judge is None else []
    places = {} if judge is None else judge.places
    return Rescored(summary, [{"task": stored.task.name, **row} for row in _rows(lines, places)])


def _shared(stored: StoredTask, data: Dataset | None) -> Mapping[str, int]:
    """Which questions share a clip, as the run noted it; of an older run, as the data set says."""
    noted: Mapping[str, int] | None = stored.about.get("shared_clips")
    if noted is None:
        return data.shared_clips() if data is not None else {}
    return noted


def _stored_stand(stored: StoredTask) -> str:
    data = stored.about.get("data", {})
    return (
        f"the stored verdicts stand, nothing was scored anew: the questions ({data.get('version')}, sha256 "
        f"{str(data.get('sha256'))[:12]}) were not found; name their folder with --data-dir"
    )


class _Judge:
    """What today's code says of the records of a task."""

    def __init__(self, stored: StoredTask, data: Dataset, scorer: str) -> None:
        self.differing: list[str] = []
        self.places = data.places()
        self._stored, self._task = stored, stored.task
        self._same_scorer = scorer == stored.scorer
        self._default = scorer == stored.task.official_versions[0]
        self._samples = data.samples
        self._official = {} if self._default else self._in_order(stored, data, scorer)

    def __call__(self, record: Record) -> Record:
        """The record with today's reading and verdicts in place of the stored ones."""
        if "error" in record:
            return record
        sample, read = self._read(record)
        right = right_place(sample, self._stored.shown(sample)) if self._stored.is_forced else {}
        text, key = record["response"]["text"], (record["id"], record["sample"])
        try:
            score = self._task.score(sample, read)
            rule = self._task.official(self._task.official_versions[0])
            raw = rule(sample.as_published(), text) if self._default else None
        except DtbenchError:
            raise
        except Exception as error:  # the code of a task of the user's own
            raise TaskError(
                f"task {self._task.name}: scoring {record['id']!r} failed with {format_error(error)}."
            ) from error
        official = score.official if self._default else self._official[key]
        verdicts = {"official": official._asdict(), "correct": score.correct, "raw": raw and raw._asdict(), **right}
        if self._differs(record, read, Score(official, score.correct)):
            self.differing.append(record["id"])
        extraction = {"answer": read.answer, "choice": read.choice, "how": read.how}
        return {**record, "extraction": extraction, "score": verdicts}

    def _read(self, record: Record) -> tuple[Sample, Extraction]:
        sample = self._samples[self.places[record["id"]]]
        return sample, self._stored.read(sample, record["response"]["text"])

    def _differs(self, record: Record, read: Extraction, score: Score) -> bool:
        stored = record["score"]
        if (record["extraction"]["choice"], stored["correct"]) != (read.choice, score.correct):
            return True
        was = (stored["official"]["correct"], stored["official"]["counted"])
        return self._same_scorer and was != (score.official.correct, score.official.counted)

    def _in_order(self, stored: StoredTask, data: Dataset, scorer: str) -> dict[Key, Official]:
        """The verdicts of a script that may carry something over from record to record, so the order counts."""
        submitted: dict[Key, str] = {}
        for record in stored.records():
            if "error" not in record:
                sample, read = self._read(record)
                submitted[record["id"], record["sample"]] = self._task.submission(sample, read)
        verdicts = {}
        for repeat in range(stored.repeats):
            rule = self._task.official(scorer)
            for sample in data.samples:
                if (key := (sample.id, repeat)) in submitted:
                    verdicts[key] = rule(sample.as_published(), submitted[key])
        return verdicts


def _rows(records: list[Record], places: Mapping[str, int]) -> list[dict[str, Any]]:
    ordered = sorted(records, key=lambda record: (places.get(record["id"], 0), record["id"], record["sample"]))
    return [{"row": number, **_row(record)} for number, record in enumerate(ordered)]


def _row(record: Record) -> dict[str, Any]:
    """As a prediction file's line of `--rows`, with the repeat, and why there is no response."""
    score, read = record.get("score", {}), record.get("extraction", {})
    official = score.get("official", {})
    return {
        "id": record["id"],
        "sample": record["sample"],
        "official_correct": official.get("correct", False),
        "official_counted": official.get("counted", False),
        "correct": score.get("correct"),
        "choice": read.get("choice"),
        "how": read.get("how"),
        "failed": record.get("error", {}).get("kind"),
    }
