"""One row for each run and task: which model, how it was asked, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, cast

from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.core.model import Notify
from dtbench.harness.core.user_warnings import warn_user
from dtbench.harness.frames.as_pandas import need_pandas, to_frame
from dtbench.harness.frames.columns import Kind, table_from_rows
from dtbench.harness.frames.find_runs import Runs, find_runs
from dtbench.harness.store.identity import effective_model
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.run_json import read_summary
from dtbench.harness.store.summary_types import Summary, TaskSummary
from dtbench.tasks.stored import stored_task

if TYPE_CHECKING:
    from pandas import DataFrame

FIGURES: Mapping[str, Kind] = MappingProxyType(
    {
        "n": "whole",
        "official": "real",
        "official_low": "real",
        "official_high": "real",
        "counted": "whole",
        "strict": "real",
        "strict_low": "real",
        "strict_high": "real",
        "unanswered": "whole",
        "failed": "whole",
    }
)
"""What is counted of a run, and of a group of its answers."""
COLUMNS: Mapping[str, Kind] = MappingProxyType(
    {
        "run": "string",
        "task": "string",
        "model": "string",
        "date": "time",
        "status": "string",
        **FIGURES,
        "dropped": "whole",
        "missing": "whole",
        "input_tokens": "whole",
        "output_tokens": "whole",
        "seconds": "real",
        "temperature": "real",
        "answer_style": "string",
        "audio": "string",
        "permute": "whole",
        "order": "whole",
        "paraphrase": "whole",
        "samples": "whole",
        "seed": "whole",
        "think_budget": "whole",
        "num_fewshot": "whole",
        "prompt": "string",
        "data": "string",
        "scorer": "string",
        "min_evidence": "string",
        "long_clips": "string",
        "dtbench": "string",
        "commit": "string",
        "vllm": "string",
        "transformers": "string",
        "torch": "string",
    }
)
CATEGORIES = ("run", "task", "model", "status", "answer_style", "audio", "scorer", "min_evidence", "long_clips")


def runs_df(runs: Runs, *, notify: Notify = warn_user) -> DataFrame:
    """Return one row for each run and task in a folder, by a pattern or in a list; docs/frames.md has the columns.

    A run that cannot be read is left out, `notify` is told of it by name, and of how many rows there are without it.
    """
    need_pandas()
    left_out: list[str] = []
    found = find_runs(runs, left_out.append)
    rows: list[dict[str, Any]] = []
    for run in found:
        for name in run.info["tasks"]:
            try:
                rows.append(run_row(run, name))
            except DtbenchError as error:
                left_out.append(f"left out: {run.path} ({name}): {error}")
    for line in left_out:
        notify(line)
    if left_out:
        notify(f"{len(left_out)} left out; the frame has {len(rows)} rows, of {len({row['run'] for row in rows})} runs")
    return to_frame(table_from_rows(rows, COLUMNS), CATEGORIES)


def run_row(run: StoredRun, task: str) -> dict[str, Any]:
    """Return the row of one task of a run; figures come from summary.json, or from its records where it has none."""
    summary = summary_of(run, task)
    official, strict = summary["official"], summary["strict"]
    return {
        "run": str(run.path),
        "task": task,
        "model": model_name(run, task),
        "date": _time(run.info["start"]),
        "status": run.info["status"],
        "n": summary["n"],
        "official": official["accuracy"],
        "official_low": official["low"],
        "official_high": official["high"],
        "counted": official["counted"],
        "strict": strict["accuracy"],
        "strict_low": strict["low"],
        "strict_high": strict["high"],
        **{name: summary[name] for name in ("unanswered", "failed", "dropped", "missing")},
        "input_tokens": summary["tokens"]["in"],
        "output_tokens": summary["tokens"]["out"],
        "seconds": summary["seconds"]["total"],
        "scorer": summary["scorer"],
        **_asked(run, task),
        **_made_with(run),
    }


def summary_of(run: StoredRun, task: str) -> TaskSummary:
    """Return the figures of a task: those of summary.json, or added up from the records where that has none."""
    stored = read_summary(run.path, Summary)
    found = next((one for one in ([] if stored is None else stored["tasks"]) if one["task"] == task), None)
    if found is not None:
        return found
    part = stored_task(run, task)
    return part.summarise(part.records())


def model_name(run: StoredRun, task: str) -> str:
    """Return the name of the model that answered, as a report shows it."""
    model = effective_model(run.info, task)
    return str(model.get("model") or model.get("name") or run.info["endpoint"].get("spec") or run.path.name)


def _asked(run: StoredRun, task: str) -> dict[str, Any]:
    about, model = run.info["tasks"][task], effective_model(run.info, task)
    sampling = model["sampling"] if isinstance(model.get("sampling"), Mapping) else model
    return {
        "temperature": _number(sampling.get("temperature")),
        "answer_style": about["answer"],
        "audio": about["audio"],
        "permute": about["permute"],
        "order": about.get("order", 1),
        "paraphrase": about["paraphrase"]["number"] if "paraphrase" in about else 0,
        "samples": about["samples"],
        "seed": about["seed"],
        "think_budget": about.get("think_budget"),
        "num_fewshot": about.get("num_fewshot", 0),
        "prompt": about.get("prompt_name") or about["prompt_hash"],
        "data": about["data"]["version"],
        "min_evidence": about.get("min_evidence"),
        "long_clips": run.info["long_clips"],
    }


def _made_with(run: StoredRun) -> dict[str, Any]:
    """Return the versions of the last start."""
    if not run.info["starts"]:
        return {}
    last = run.info["starts"][-1]
    packages = {name: last["packages"].get(name) for name in ("vllm", "transformers", "torch")}
    return {"dtbench": last["dtbench"], "commit": None if last["git"] is None else last["git"]["commit"], **packages}


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _time(text: str | None) -> datetime | None:
    """Return a stored time in UTC; None where there is none, or none that can be read."""
    try:
        when = datetime.fromisoformat(cast("str", text))
    except (TypeError, ValueError):
        return None
    return when.replace(tzinfo=when.tzinfo or UTC).astimezone(UTC)
