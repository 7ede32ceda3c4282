"""Score stored answers or predictions from Python, and judge reasoning, as `dtbench score` and `dtbench judge` do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtbench.harness.api.requests import InFolder, RunLike, folder_of, make_request
from dtbench.harness.core.errors import UserError
from dtbench.harness.core.task import Task
from dtbench.harness.core.typed_settings import read_table
from dtbench.harness.extract.evidence import DEFAULT_MIN_EVIDENCE
from dtbench.harness.score.prediction_file import Predictions, given_predictions, read_predictions
from dtbench.harness.score.prediction_scores import PredictionScores, score_predictions, script_version
from dtbench.harness.score.stored_run import RescoredTask
from dtbench.harness.store.judged_types import AnswerSummary, CalibrationSummary, JudgeSummary
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.summary_types import TaskSummary
from dtbench.tasks import registry as task_registry
from dtbench.tasks.stored import RescoreOptions, rescore_run, rewrite_run

if TYPE_CHECKING:
    from dtbench.harness.judge.session import JudgeResult


class RunScores:
    """The scores of a run, computed by the current code."""

    def __init__(self, path: Path, rescored: Sequence[RescoredTask]) -> None:
        self._path, self._rescored = path, rescored

    @property
    def tasks(self) -> list[TaskSummary]:
        """The summary of each task."""
        return [one.summary for one in self._rescored]

    @property
    def official(self) -> float | None:
        """The accuracy by the official script, for a run of one task."""
        return self._only["official"]["accuracy"]

    @property
    def strict(self) -> float | None:
        """The strict accuracy over all items, for a run of one task."""
        return self._only["strict"]["accuracy"]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The verdict on every answer, as `--rows` writes it."""
        return [row for one in self._rescored for row in one.rows]

    def as_json(self) -> list[TaskSummary]:
        """Return what `dtbench score RUN --json` prints."""
        return self.tasks

    @property
    def _only(self) -> TaskSummary:
        if len(self._rescored) > 1:
            listed = ", ".join(one["task"] for one in self.tasks)
            raise UserError(f"{self._path} has several tasks ({listed}): see .tasks.")
        return self.tasks[0]

    def __repr__(self) -> str:
        return f"<RunScores {_in_words((one['task'], one['official'], one['strict']) for one in self.tasks)}>"

    def _repr_html_(self) -> str:
        from dtbench.harness.api.cards import run_cards

        return run_cards(self._path.name, "done", self.tasks)


class FileScores:
    """The scores of predictions."""

    def __init__(self, report: PredictionScores) -> None:
        self._report = report

    @property
    def official(self) -> float:
        """The accuracy by the official script."""
        return self._report.total.accuracy

    @property
    def strict(self) -> float:
        """The strict accuracy over all items."""
        return self._report.strict.accuracy

    @property
    def rows(self) -> list[Mapping[str, Any]]:
        """The verdict on every record, as `--rows` writes it."""
        return [one.as_json() for one in self._report.rows]

    def as_json(self) -> dict[str, Any]:
        """Return what `dtbench score --predictions FILE --json` prints."""
        return self._report.as_json()

    def __repr__(self) -> str:
        about = self.as_json()
        return f"<FileScores {_in_words([(about['task'], about['official'], about['strict'])])}>"

    def _repr_html_(self) -> str:
        from dtbench.harness.api.cards import file_cards

        return file_cards(self.as_json())


@dataclass(frozen=True, slots=True, kw_only=True)
class _FileOptions:
    """The options for predictions."""

    metadata: Path | None = None
    scorer: str | None = None
    allow_duplicates: bool = False
    min_evidence: str | None = None
    chain: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _RunOptions:
    """The options for a run."""

    task_file: Path | None = None
    scorer: str | None = None
    data_dir: Path | None = None
    min_evidence: str | None = None
    chain: Sequence[str] | None = None
    write: bool = False
    """Whether the run is to keep the new verdicts."""


def score(
    answers: RunLike | Iterable[Mapping[str, Any]], task: str | Task | None = None, **options: Any
) -> RunScores | FileScores:
    """Score a run again, or predictions (a file, rows or a DataFrame) for a task, as the benchmark's authors do.

    The options are those of `dtbench score`: scorer, min_evidence, chain; of a run task_file, data_dir and write; of
    predictions metadata and allow_duplicates.
    """
    is_frame = hasattr(answers, "iloc")  # a column of it may be called path
    if (isinstance(answers, InFolder) and not is_frame) or (isinstance(answers, str | Path) and Path(answers).is_dir()):
        return _score_run(folder_of(answers), task, read_table(_RunOptions, options, "score"))
    given = read_table(_FileOptions, options, "score")
    if task is None:
        raise UserError(f"score: task is missing: name the benchmark, one of {', '.join(task_registry.task_names())}.")
    known = task if isinstance(task, Task) else task_registry.get_task(task)
    version = script_version(known, given.scorer)
    evidence = given.min_evidence or DEFAULT_MIN_EVIDENCE
    predictions = _predictions(answers, known, given)
    return FileScores(score_predictions(known, version, predictions, min_evidence=evidence, chain=given.chain))


def _score_run(folder: Path, task: str | Task | None, given: _RunOptions) -> RunScores:
    wanted = RescoreOptions(
        only=task.name if isinstance(task, Task) else task,
        task_file=given.task_file,
        scorer=given.scorer,
        data_dir=given.data_dir,
        min_evidence=given.min_evidence,
        chain=given.chain,
        rows=True,
    )
    if given.write:
        return RunScores(folder, rewrite_run(folder, wanted))
    return RunScores(folder, rescore_run(StoredRun.open(folder), wanted))


def _predictions(answers: Any, task: Task, given: _FileOptions) -> Predictions:
    if isinstance(answers, str | Path):
        return read_predictions(task, Path(answers), given.metadata, allow_duplicates=given.allow_duplicates)
    if hasattr(answers, "to_dict") and hasattr(answers, "iloc"):  # pandas
        answers = answers.to_dict("records")
    rows = list(answers) if isinstance(answers, Iterable) else None
    if rows is None or not all(isinstance(row, Mapping) for row in rows):
        what = type(answers).__name__
        raise UserError(f"score: a run, a file of predictions, a list of dicts or a DataFrame is expected, not {what}.")
    has_data = task.in_memory or given.metadata is not None
    data = task.load(given.metadata) if has_data else None
    return given_predictions(task, rows, data, allow_duplicates=given.allow_duplicates)


def _in_words(scores: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any]]]) -> str:
    return "; ".join(f"{task}: official {_share(one)}, strict {_share(other)}" for task, one, other in scores)


def _share(part: Mapping[str, Any]) -> str:
    return "none" if part["accuracy"] is None else f"{part['accuracy']:.2%}"


class JudgedRun:
    """The marks of a run's reasoning, or of its answers."""

    def __init__(self, result: JudgeResult) -> None:
        self.path = result.folder
        """The folder of the verdicts."""
        self.summary: JudgeSummary | AnswerSummary | CalibrationSummary = result.summary
        """summary.json of the judge."""
        self.status = result.status

    @property
    def rubrics(self) -> float | None:
        """The marks of the reasoning in percent; None where some are missing, of answers, and of a calibration."""
        return None if "kinds" in self.summary or "scorer" in self.summary else self.summary["rubrics"]

    @property
    def score(self) -> float | None:
        """The mean mark of the answers in percent; None where some are missing, of reasoning, and of a calibration."""
        return None if "kinds" in self.summary or "rubrics" in self.summary else self.summary["score"]

    def as_json(self) -> JudgeSummary | AnswerSummary | CalibrationSummary:
        """Return what `dtbench judge --json` prints."""
        return self.summary

    def __repr__(self) -> str:
        marks = f"score {self.score}" if "score" in self.summary else f"rubrics {self.rubrics}"
        shown = "calibration" if "kinds" in self.summary else marks
        return f"<JudgedRun {self.path} ({self.status}): {shown}>"

    def _repr_html_(self) -> str:
        from dtbench.harness.api.cards import judge_cards

        return judge_cards(self.summary)


def judge(run: RunLike, **options: Any) -> JudgedRun:
    """Score a run's reasoning, or its answers, with an LLM judge; resume if it has begun.

    The options are those of `dtbench judge` in Python's spelling, `base_url` and `model` first.
    """
    from dtbench.harness.api.running import run_in_thread
    from dtbench.harness.judge.plan import JudgeOptions
    from dtbench.harness.judge.session import judge_in_loop
    from dtbench.harness.run.live_line import LiveLine

    given = make_request(JudgeOptions, {**options, "run": folder_of(run)}, "judge")
    return JudgedRun(run_in_thread(lambda: judge_in_loop(given, LiveLine(quiet=True))))
