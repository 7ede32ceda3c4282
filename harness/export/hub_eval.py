"""Write a run's scores as the `.eval_results/*.yaml` of a model's repository, which the hub shows on its page.

One file per benchmark, with one entry: the official accuracy in percent, as papers print it. The classes are
huggingface_hub's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC
from typing import Any

import dtbench
from dtbench.harness.core.errors import UserError, one_line
from dtbench.harness.export.run_formats import ExportedFolder
from dtbench.harness.export.stored_answers import (
    ExportedModel,
    ExportedTask,
    exported_tasks,
    hub_source,
    portable_name,
    unfinished,
)
from dtbench.harness.export.submission_formats import ExportOptions
from dtbench.harness.store.atomic import replace_whole

FOLDER = ".eval_results"
"""Where the hub looks for them."""
OWN = "dtbench"
"""The owner that a benchmark without a data set on the hub is listed under."""
NEEDS = "1.3"
"""The release of huggingface_hub that brought the classes."""


def write_hub_eval(options: ExportOptions) -> ExportedFolder:
    """Write a file for each benchmark; a UserError where none has an official score."""
    assert options.run is not None
    tasks = exported_tasks(options)
    if options.dataset is not None and len(tasks) > 1:
        names = ", ".join(task.name for task in tasks)
        raise UserError(f"--dataset {options.dataset}: the run has {names}: name the one it is of with --task.")
    scored = [task for task in tasks if task.summary["official"]["accuracy"] is not None]
    if not scored:
        raise UserError(f"{options.run}: no benchmark of this run has an official score: nothing to write.")
    path = options.out or options.run / "export" / "hub-eval"
    files = []
    (path / FOLDER).mkdir(parents=True, exist_ok=True)
    for task in scored:
        files.append(path / FOLDER / f"{portable_name(task.name)}.yaml")
        replace_whole(files[-1], _yaml(task, options).encode())
    lacking = [f"{task.name}: left out, it has no official score" for task in tasks if task not in scored]
    notes = [*lacking, *(note for task in scored for note in _notes(task, options))]
    partial = [why for task in scored if (why := unfinished(task))]
    return ExportedFolder(path, [task.name for task in scored], files, notes, partial)


def _notes(task: ExportedTask, options: ExportOptions) -> Iterator[str]:
    if hub_source(task.name) is None and options.dataset is None:
        yield (
            f"{task.name}: dtbench knows no data set of it on the hub, so no leaderboard lists {OWN}/{task.name}; "
            "name one with --dataset ORG/NAME"
        )
    if _source(options) is None:
        yield f"{task.name}: the entry names no source; name a page with the details, such as your logs, with --source"


def _yaml(task: ExportedTask, options: ExportOptions) -> str:
    import yaml  # comes with huggingface-hub

    try:
        from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml
    except ImportError:
        raise UserError(
            f"--format hub-eval: huggingface_hub {NEEDS} or newer is needed: pip install -U huggingface_hub."
        ) from None
    entry = EvalResultEntry(**_entry(task, options))
    return str(yaml.safe_dump(eval_result_entries_to_yaml([entry]), sort_keys=False, allow_unicode=False, width=1000))


def _entry(task: ExportedTask, options: ExportOptions) -> dict[str, Any]:
    source = hub_source(task.name)
    known = (f"{OWN}/{task.name}", None) if source is None else (source.repo, source.revision)
    dataset, revision = known if options.dataset is None else _dataset(options.dataset)
    accuracy = task.summary["official"]["accuracy"]
    assert accuracy is not None
    url = _source(options)
    return {
        "dataset_id": dataset,
        "task_id": task.name,
        "dataset_revision": revision,
        "value": round(100 * accuracy, 2),
        "date": _date(task),
        "source_url": url,
        "source_name": None if url is None else f"dtbench {dtbench.__version__}",
        "notes": _words(task),
    }


def _dataset(named: str) -> tuple[str, str | None]:
    """Return the repository and the revision of `--dataset ORG/NAME[@REVISION]`."""
    repo, _, revision = named.partition("@")
    return repo, revision or None


def _date(task: ExportedTask) -> str:
    return task.ended.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _source(options: ExportOptions) -> str | None:
    """Return the page of the details: the one that is named, else that of the model's repository."""
    if options.source is not None or options.run is None:
        return options.source
    from dtbench.harness.export.hub_push import hub_page
    from dtbench.harness.store.run_folder import StoredRun

    model = options.push or ExportedModel(StoredRun.open(options.run).info["model"]).hub_id
    return None if model is None else hub_page(model)


def _words(task: ExportedTask) -> str:
    about, summary = task.stored.about, task.summary
    official, strict = summary["official"], summary["strict"]
    parts = [
        f"dtbench {dtbench.__version__}, official script {summary['scorer']}",
        f"{official['correct']} right of {official['counted']} counted",
        *([] if strict["accuracy"] is None else [f"strict {100 * strict['accuracy']:.2f}"]),
        f"{summary['unanswered']} unanswered",
        f"answer {about['answer']}, {about['samples']} per question, prompt {about['prompt_hash']}",
        f"data {about['data']['version']} {about['data']['sha256'][:12]}",
        *([why] if (why := unfinished(task)) else []),
    ]
    return one_line("; ".join(parts))
