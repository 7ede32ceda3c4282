"""Keep the base's evaluations for the next training: no setting of a training changes the base's answers.

The key is made of the weights, the questions and prompts as they are asked, the settings of [evaluation], and the
version of dtbench. They lie in $DTBENCH_EVALUATIONS (`off` for none), else in the folder of caches.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import dtbench
from dtbench.harness.core.cache_folder import cache_folder_of
from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import make_plans
from dtbench.harness.store.leftovers import temporary_folder
from dtbench.harness.store.provenance import checkout, packages
from dtbench.models.checkpoints.checkpoint import resolve_checkpoint
from dtbench.training.recipe.settings import Evaluation
from dtbench.training.stages.evaluate import EvalRun, evaluated_tasks, is_evaluated, task_data

VARIABLE = "DTBENCH_EVALUATIONS"
_NOT_OF_ANSWERS = {
    "tasks",
    "base_prompts",
    "audio_ablation",
    "ablation_limit",
    "faithful",
    "describe",
    "concurrency",
    "at_once",
    "gpus",
    "tensor",
}


def cache_folder() -> Path | None:
    """Return the folder of evaluations that are kept; None where none are to be."""
    return None if os.environ.get(VARIABLE) == "off" else cache_folder_of("evaluations", VARIABLE)


def evaluation_key(run: EvalRun, evaluation: Evaluation) -> str | None:
    """Return what an evaluation is kept under; None where nothing tells its weights, or which dtbench asks."""
    checkpoint, git = resolve_checkpoint(run.model), checkout(Path(__file__).resolve())
    content = None if checkpoint is None else checkpoint.content_hash() or checkpoint.commit(run.revision)
    if content is None or (git is not None and git["dirty"]):
        return None
    tasks = evaluated_tasks(run, evaluation)
    request = RunRequest(
        model=run.model, tasks=tasks, data_dir=task_data(run, evaluation), prompt=run.prompt, limit=evaluation.limit
    )
    settings = {name: value for name, value in dataclasses.asdict(evaluation).items() if name not in _NOT_OF_ANSWERS}
    about = {
        "weights": content,
        "asked": [plan.settings() for plan in make_plans(request)],
        "audio": run.audio,
        "system": run.system.strip(),
        "evaluation": settings,
        "dtbench": [dtbench.__version__, None if git is None else git["commit"], packages()],
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True, default=str).encode()).hexdigest()[:20]


def take_kept(runs: Sequence[EvalRun], evaluation: Evaluation) -> list[EvalRun]:
    """Copy what is kept of these evaluations into their folders; return those that were."""
    folder = cache_folder()
    if folder is None or not folder.is_dir():
        return []
    taken = []
    for run in runs:
        key = None if run.folder.exists() else evaluation_key(run, evaluation)
        if key is not None and (folder / key / "run.json").is_file():
            _copy(folder / key, run.folder)
            if is_evaluated(run):
                taken.append(run)
            else:
                shutil.rmtree(run.folder)
    return taken


def keep(runs: Sequence[EvalRun], evaluation: Evaluation) -> None:
    """Keep these evaluations, which are done; a disk that has no room for them stops nothing."""
    folder = cache_folder()
    for run in runs if folder is not None else ():
        try:
            key = evaluation_key(run, evaluation)
            if folder is not None and key is not None and not (folder / key).exists():
                _copy(run.folder, folder / key)
        except (OSError, DtbenchError):
            return


def _copy(source: Path, target: Path) -> None:
    """Copy a folder of a run completely or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder("dtbench-kept-", target.parent) as folder:
        shutil.copytree(source, folder / "run", ignore=shutil.ignore_patterns(".*", "audio-*"))
        (folder / "run").rename(target)
