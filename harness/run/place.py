"""Where a run goes: a folder is the first run in it, and other forms of the same questions lie inside that run.

A form is a style of answer, a kind of clips, an order of the options and a paraphrase. Inside, a folder is named after
what differs from the run around it: RUN/answer-think, RUN/audio-silence, RUN/answer-think/permute-1.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.run.request import RunRequest
from dtbench.harness.score.run_form import PLAIN_FORM, RunForm, form_of
from dtbench.harness.store.beginning import is_void
from dtbench.harness.store.run_folder import StoredRun

RUNS = Path("results") / "runs"


class RunPlace(NamedTuple):
    """The folder of a run, and why it is this one where the user named none."""

    path: Path
    why: str = ""


def place_of(request: RunRequest, tasks: Sequence[str], about: Mapping[str, Any]) -> RunPlace:
    """Return the folder of a run of these tasks by the model that describes itself so."""
    form = RunForm(
        *(request.answer, request.audio, request.turns, request.budget or 0),
        order=request.order,
        paraphrase=0 if request.paraphrase is None else request.wording or 1,
    )
    if request.out is not None:
        return RunPlace(_within(request.out, form))
    model = request.model if "://" not in request.model else str(about.get("model", "endpoint"))
    name = re.sub(r"[^\w.+-]+", "-", "-".join([model, *tasks])).strip("-.")
    return RunPlace(_within(RUNS / name[:120], form), "as no --out was given")


def _within(path: Path, form: RunForm) -> Path:
    """Return the folder itself for its first run, or the place inside it for another form."""
    if (path / "run.json").exists():
        own = _form_in(path)
        return path if own is None else path / form.relative_to(own)
    inside = path / form.relative_to(PLAIN_FORM)
    return inside if next(path.glob("*/run.json"), None) is not None or (inside / "run.json").exists() else path


def _form_in(path: Path) -> RunForm | None:
    """Return the form of the run in a folder; None where it cannot be read, which a start says, or has no answer."""
    try:
        run = StoredRun.open(path)
    except DtbenchError:
        return None
    return None if is_void(path, run.info) else form_of(run.info)
