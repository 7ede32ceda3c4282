"""Names by which the runs of a report are told apart: the user's labels, or those of their models."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import UserError
from dtbench.harness.store.run_labels import short_ends


def refuse_labels(labels: Sequence[str], runs: int) -> None:
    """Refuse labels that are not one for each run, or that do not tell runs apart."""
    if not labels:
        return
    if len(labels) != runs:
        raise UserError(
            f"--label: {len(labels)} given for {runs} run{'s' if runs > 1 else ''}; give one for each run, in their "
            f"order, or none."
        )
    empty = next((place for place, label in enumerate(labels, 1) if not label.strip()), None)
    if empty is not None:
        raise UserError(f"--label: the label of run {empty} is empty; give it a name.")
    twice = next((label for label, times in Counter(labels).items() if times > 1), None)
    if twice is not None:
        raise UserError(f"--label {twice}: given twice; labels tell runs apart.")


def with_names(runs: Sequence[dict[str, Any]], given: Sequence[str]) -> list[dict[str, Any]]:
    """Add a name to each run: the given one, or its model's, with its folder where several models have that name."""
    return [run | {"name": name} for run, name in zip(runs, given or _model_names(runs), strict=True)]


def _model_names(runs: Sequence[dict[str, Any]]) -> list[str]:
    times = Counter(run["model"] for run in runs)
    alike = [Path(run["path"]).resolve() for run in runs if times[run["model"]] > 1]
    ends = dict(zip(alike, short_ends(alike), strict=True))
    return [
        f"{run['model']} ({ends[Path(run['path']).resolve()]})" if times[run["model"]] > 1 else run["model"]
        for run in runs
    ]


def title_of(runs: Sequence[dict[str, Any]]) -> str:
    """Return the title of a page of these runs."""
    names = [run["name"] for run in runs]
    return " against ".join(names) if len(names) < 3 else f"{len(names)} runs: {names[0]} to {names[-1]}"
