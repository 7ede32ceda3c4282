"""A run folder in Python: its scores, its answers, its files."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtbench.harness.api.requests import InFolder, RunLike, folder_of, make_request
from dtbench.harness.core.errors import UserError, one_line
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import read_summary
from dtbench.harness.store.summary_types import Summary, TaskSummary
from dtbench.harness.store.types import Record, RunInfo
from dtbench.tasks.stored import rescore_run, stored_task_names

if TYPE_CHECKING:
    import pandas

    from dtbench.harness.report.build import WrittenReport


class Run:
    """A run folder to read, even while it is being written."""

    def __init__(self, stored: StoredRun) -> None:
        self._stored = stored

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Run:
        """Open the run in a folder, or the only run inside it; a UserError without one."""
        return cls(StoredRun.open(Path(path)))

    @property
    def path(self) -> Path:
        """Its folder."""
        return self._stored.path

    @property
    def info(self) -> RunInfo:
        """run.json as it was when the run was opened: model, prompts, data, starts."""
        return self._stored.info

    @property
    def status(self) -> str:
        """`done`, `interrupted`, `failed`, or `running`."""
        return self.info["status"]

    @property
    def tasks(self) -> list[str]:
        """The benchmarks requested by its last start."""
        return list(self.info["tasks"])

    @property
    def model(self) -> str:
        """The name of the model."""
        about = self.info["model"]
        return str(about.get("model") or about.get("name"))

    @property
    def summary(self) -> Summary:
        """summary.json, or for a run without one, a summary of its records so far."""
        stored = read_summary(self.path, Summary)
        if stored is not None:
            return stored
        tasks = [one.summary for one in rescore_run(self._stored)]
        return {"run": str(self.path), "status": self.info["status"], "tasks": tasks}

    @property
    def notes(self) -> Sequence[str]:
        """Notes that readers of the scores should know."""
        summary = self.summary
        return [*(note for task in summary["tasks"] for note in task["notes"]), *summary.get("notes", ())]

    def scores(self, task: str | None = None) -> TaskSummary:
        """Return the summary of a task; the name may be left out of a run of one task."""
        name = self._one_task(task)
        return next(one for one in self.summary["tasks"] if one["task"] == name)

    def records(self, task: str | None = None) -> Iterator[Record]:
        """Yield the stored record of each answer to a task; the name may be left out of a run of one task."""
        return self._stored.records(self._one_task(task))

    def samples(self, **options: Any) -> pandas.DataFrame:
        """Return one row per answer, with question, options and verdicts; the options are those of samples_df()."""
        from dtbench.harness.frames.samples import samples_df

        return samples_df(self, **options)

    def chains(self, **options: Any) -> pandas.DataFrame:
        """Return one row per answer with reasoning, with a judge's marks; the options are those of chains_df()."""
        from dtbench.harness.frames.chains import chains_df

        return chains_df(self, **options)

    def report(self, out: str | os.PathLike[str] | None = None, **options: Any) -> WrittenReport:
        """Write the page of `dtbench report` and return its path; the options are those of the command."""
        return report(self, out, **options)

    def export(self, format: str, **options: Any) -> Path:  # as the option of the command
        """Write files as `dtbench export` does and return their path; the options are those of the command."""
        from dtbench.harness.export.hub_push import push_folder
        from dtbench.harness.export.run_formats import RUN_FORMATS, format_writer
        from dtbench.harness.export.submission import write_submission
        from dtbench.harness.export.submission_formats import ExportOptions

        given = make_request(ExportOptions, {"run": self.path, "format_name": format, **options}, "export")
        if given.format_name not in RUN_FORMATS:
            return write_submission(given).file
        written = format_writer(given.format_name)(given)
        if given.push is not None:
            push_folder(written, given, logging.getLogger(__name__).info)
        return written.path

    def as_json(self) -> Summary:
        """Return what `dtbench run --json` prints for it."""
        return self.summary

    def _repr_html_(self) -> str:
        from dtbench.harness.api.cards import run_cards

        summary = self.summary
        name = f"{self.path.name} ({self.model})"
        return run_cards(name, summary["status"], summary["tasks"], summary.get("notes", ()))

    def __repr__(self) -> str:
        return one_line(f"<Run {self.path} ({self.status}): {self.model} on {', '.join(self.tasks)}>")

    def _one_task(self, task: str | None) -> str:
        names = stored_task_names(self._stored, task)
        if len(names) > 1:
            raise UserError(f"{self.path} has several tasks; name one of {', '.join(names)}.")
        return names[0]


def load(path: str | os.PathLike[str]) -> Run:
    """Open the run in a folder, or the only run inside it; a UserError without one."""
    return Run.open(path)


def report(
    runs: RunLike | Iterable[RunLike], out: str | os.PathLike[str] | None = None, **options: Any
) -> WrittenReport:
    """Write one page for a browser with scores and every answer; the options are those of `dtbench report`."""
    from dtbench.harness.report.build import ReportOptions, make_report

    several = [runs] if isinstance(runs, str | os.PathLike | InFolder) else runs
    given = {**options, "runs": [folder_of(run) for run in several], "out": out}
    return make_report(make_request(ReportOptions, given, "report"))
