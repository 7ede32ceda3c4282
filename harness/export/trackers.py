"""Send a stored run to experiment trackers, each by its own client: figures, settings, every answer and the report.

A logger is a function of (summary, settings): what summary.json and run.json hold, without secrets. Names are looked up
before a run, so that a wrong one costs nothing; what a logger raises is reported in a line and changes nothing stored.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.core.errors import MachineryError, UserError, format_error
from dtbench.harness.core.lookup import NameTable, look_up
from dtbench.harness.store.leftovers import temporary_folder
from dtbench.harness.store.redact import mask_text
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import OWN_KEYS, flatten, without_question_lists
from dtbench.harness.store.summary_types import Summary, TaskSummary
from dtbench.harness.store.types import RunInfo

if TYPE_CHECKING:
    import pyarrow

LOGGERS = {
    "wandb": "dtbench.harness.export.trackers:log_to_wandb",
    "mlflow": "dtbench.harness.export.trackers:log_to_mlflow",
    "trackio": "dtbench.harness.export.trackers:log_to_trackio",
}
"""Each by the name of the package that it needs."""
FAILED = 3
_LOG = logging.getLogger(__name__)
_TABLE = NameTable("logger", LOGGERS, "dtbench.loggers", MachineryError)
_COUNTS = ("n", "unanswered", "failed", "dropped", "missing", "attempts")
_MAX_CHARS = 500
"""Of a setting: the most that MLflow keeps."""
MOST_ROWS = 10_000
"""Of the table of answers: what W&B shows of one; no published benchmark has more questions."""
TABLE, REPORT = "samples", "report"
"""The names of the table and of the page."""
_REFUSED_BY_MLFLOW = re.compile(r"[^\w\-. :/]")
"""What MLflow does not accept in a name."""


class Logger(NamedTuple):
    """A function of a run's summary and settings, and its name."""

    name: str
    log: Callable[[Summary, RunInfo], object]


def get_loggers(names: Sequence[str]) -> list[Logger]:
    """Return the loggers of these names; a UserError where one cannot be used here."""
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UserError(f"--log {twice[0]}: it is named twice; name it once.")
    loggers = []
    for name in names:
        if name in LOGGERS and find_spec(name) is None:
            raise UserError(f"--log {name}: the package {name} is not installed here: pip install {name}.")
        function, target = look_up(_TABLE, name)
        if not callable(function):
            kind = type(function).__name__
            raise MachineryError(f"logger {target} is {kind}, not a function of (summary, settings).")
        loggers.append(Logger(name, function))
    return loggers


def log_summary(loggers: Sequence[Logger], summary: Summary, run: StoredRun) -> list[str]:
    """Call each logger; return a line for each that failed."""
    failures = []
    for logger in loggers:
        try:
            with contextlib.redirect_stdout(sys.stderr):  # stdout is for the summary alone
                logger.log(summary, run.info)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # someone else's code, its exits included
            failures.append(
                f"--log {logger.name}: failed with {mask_text(format_error(error))}. The run is stored; the same "
                "command again asks nothing anew, and logs."
            )
    return failures


def log_to_wandb(summary: Summary, settings: RunInfo) -> None:
    """Write a run of Weights & Biases, where WANDB_PROJECT, WANDB_ENTITY and WANDB_MODE say."""
    import wandb

    project = os.environ.get("WANDB_PROJECT", "dtbench")
    run = wandb.init(project=project, name=run_name(summary), job_type="evaluation", config=flat_settings(settings))
    columns, rows = answer_rows(summary)
    run.log({**flat_metrics(summary), TABLE: wandb.Table(columns=columns, data=rows)})
    with report_page(summary) as page:
        artifact = wandb.Artifact(_report_name(summary), type=REPORT)
        artifact.add_file(str(page), name=page.name)
        run.log_artifact(artifact)
        run.finish(exit_code=0 if summary["status"] == "done" else 1)


def log_to_mlflow(summary: Summary, settings: RunInfo) -> None:
    """Write a run of MLflow, where MLFLOW_TRACKING_URI and MLFLOW_EXPERIMENT_NAME say."""
    import mlflow

    if not {"MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"} & os.environ.keys():
        mlflow.set_experiment("dtbench")
    with mlflow.start_run(run_name=run_name(summary)):
        mlflow.set_tag("dtbench.status", summary["status"])
        mlflow.log_params({portable_mlflow_name(key): text for key, text in flat_settings(settings).items()})
        mlflow.log_metrics({portable_mlflow_name(key): value for key, value in flat_metrics(summary).items()})
        columns, rows = answer_rows(summary)
        named = zip(columns, zip(*rows, strict=True), strict=True) if rows else ((name, ()) for name in columns)
        mlflow.log_table({name: list(values) for name, values in named}, f"{TABLE}.json")
        with report_page(summary) as page:
            mlflow.log_artifact(str(page))


def log_to_trackio(summary: Summary, settings: RunInfo) -> None:
    """Write a run of Trackio, on this machine or where TRACKIO_SPACE_ID says; TRACKIO_PROJECT names the project."""
    import trackio

    project = os.environ.get("TRACKIO_PROJECT", "dtbench")
    trackio.init(project=project, name=run_name(summary), config=flat_settings(settings))
    columns, rows = answer_rows(summary)
    trackio.log({**flat_metrics(summary), TABLE: trackio.Table(columns=columns, data=rows)})
    with report_page(summary) as page:
        artifact = trackio.Artifact(_report_name(summary), type=REPORT)
        artifact.add_file(page)
        trackio.log_artifact(artifact)
        trackio.finish()


def answer_rows(summary: Summary) -> tuple[list[str], list[list[Any]]]:
    """Return the columns and rows of the samples frame as plain values, options as one text; the first MOST_ROWS."""
    from dtbench.harness.frames.samples import samples_table

    def notify(line: str) -> None:
        _LOG.info("%s: %s", TABLE, line)

    table: pyarrow.Table = samples_table(summary["run"], notify=notify)
    if table.num_rows > MOST_ROWS:
        print(f"note: the table has the first {MOST_ROWS:,} of {table.num_rows:,} answers", file=sys.stderr)
    columns = {name: table.column(name).slice(0, MOST_ROWS).to_pylist() for name in table.column_names}
    plain = {name: [_plain_cell(value) for value in values] for name, values in columns.items()}
    return list(plain), [list(row) for row in zip(*plain.values(), strict=True)]


def _plain_cell(value: Any) -> Any:
    return " | ".join(map(str, value)) if isinstance(value, list) else value


@contextlib.contextmanager
def report_page(summary: Summary) -> Iterator[Path]:
    """Write the report without its clips into a folder that is gone after the block."""
    from dtbench.harness.report.build import ReportOptions, make_report

    with temporary_folder("dtbench-page-") as folder:
        page = Path(folder, f"{REPORT}.html")
        make_report(ReportOptions(runs=[Path(summary["run"])], out=page, audio="none"))
        yield page


def portable_mlflow_name(name: str) -> str:
    """Return a name that MLflow accepts."""
    return _REFUSED_BY_MLFLOW.sub("_", name)


def _report_name(summary: Summary) -> str:
    from dtbench.harness.export.stored_answers import portable_name  # every run would load all formats of export

    return f"{portable_name(run_name(summary))}-{REPORT}"


def run_name(summary: Summary) -> str:
    """Return the name of the run's folder, under which trackers list it."""
    return Path(summary["run"]).resolve().name


def flat_metrics(summary: Summary) -> dict[str, float]:
    """Return every number of every task by name: shares from 0 to 1, counts, lengths, seconds, tokens."""
    return dict(pair for task in summary["tasks"] for pair in _task_metrics(task))


def _task_metrics(task: TaskSummary) -> Iterator[tuple[str, float]]:
    name = task["task"]
    for kind, part in (("official", task["official"]), ("strict", task["strict"])):
        shares = {"": part["accuracy"], "_low": part["low"], "_high": part["high"]}
        yield from ((f"{name}/{kind}{end}", share) for end, share in shares.items() if share is not None)
        for heading, table in part["groups"].items():
            for value, line in table.items():
                if line["accuracy"] is not None:
                    yield f"{name}/{kind}/{heading}/{value}", line["accuracy"]
    yield from ((f"{name}/{count}", task[count]) for count in _COUNTS)  # type: ignore[literal-required]
    yield f"{name}/set_aside", task.get("set_aside", 0)
    for level, answers in task.get("evidence", {}).items():
        yield f"{name}/evidence/{level}", answers["n"]
        if answers["n"] and answers["correct"] is not None:
            yield f"{name}/evidence/{level}/right", answers["correct"] / answers["n"]
    yield f"{name}/cut_off", task["finish_reasons"].get("length", 0)
    for heading in ("chains", "tokens", "seconds"):
        for part, value in task[heading].items():  # type: ignore[literal-required]
            if value is not None:
                yield f"{name}/{heading}/{part}", value


def flat_settings(settings: RunInfo) -> dict[str, str]:
    """Return the settings of the run by dotted name; without which questions share a clip."""
    values = {name: value for name, value in without_question_lists(settings).items() if name not in OWN_KEYS}
    start = settings["starts"][-1]
    values["dtbench"], values["git"] = start["dtbench"], start["git"]
    texts = {}
    for name, value in flatten(values):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        texts[name] = text if len(text) <= _MAX_CHARS else f"{text[: _MAX_CHARS - 3]}..."
    return texts
