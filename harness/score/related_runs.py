"""The runs that lie in one folder: the plain one, in it those with other answers, other clips, or the options rotated.

RUN, RUN/answer-STYLE, RUN/audio-MODE, RUN/permute-K and RUN/answer-STYLE/audio-MODE/permute-K are runs on the same
questions.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.score.ablations import listening, order_effect, style_effect
from dtbench.harness.score.permutations import Order, averaged

if TYPE_CHECKING:
    from dtbench.harness.store.run_folder import StoredRun

PLAIN = "direct"
"""The style of answer of a plain run; older runs do not tell theirs."""


def compare_related(run: StoredRun, task: str) -> dict[str, Any]:
    """What a run's summary says against the others: `plain` of one with another style of answer, `listening` of one
    with other clips, `orders` of a rotated one, and `averaged` where its answers are forced ones.
    """
    about = run.info["tasks"][task]
    compared: dict[str, Any] = {}
    turned = bool(about.get("permute"))
    shared = about.get("shared_clips") or {}
    if (plain := _in_plain_style(run, task)) is not None:
        compared["plain"] = style_effect(plain.records(task), run.records(task), shared)
    if about.get("audio", "clip") != "clip":
        home = run.path.parent.parent / run.path.name if turned else run.path.parent
        plain = _same_questions(home, run, task)
        if plain is not None:
            compared["listening"] = listening(plain.records(task), run.records(task), shared)
    if turned:
        found = [_same_questions(path, run, task) for path in (run.path.parent, *_rotations(run.path.parent))]
        runs = [other for other in found if other is not None]
        if len(runs) > 1:
            compared["orders"] = order_effect([other.records(task) for other in runs])
            compared |= averaged([Order(_turns(other, task), other.records(task)) for other in runs])
    return compared


def _turns(run: StoredRun, task: str) -> int:
    return int(run.info["tasks"][task].get("permute", 0))


def _in_plain_style(run: StoredRun, task: str) -> StoredRun | None:
    """The run that differs in the style of its answers alone, and with it in the prompt."""
    style = run.info["tasks"][task].get("answer", PLAIN)
    if style == PLAIN:
        return None
    inside = [place for place in run.path.parents if place.name == f"answer-{style}"]
    home = run.path if run.path.name == f"answer-{style}" else next(iter(inside), None)
    if home is None:
        return None
    other = _same_questions(home.parent / run.path.relative_to(home), run, task, whatever_the_prompt=True)
    if other is None or other.info["tasks"][task].get("answer", PLAIN) != PLAIN:
        return None
    return other


def _rotations(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("permute-*/run.json"))


def _same_questions(path: Path, run: StoredRun, task: str, *, whatever_the_prompt: bool = False) -> StoredRun | None:
    """The run in a folder, where there is one and it was on the same data, prompt and model."""
    try:
        other = type(run).open(path) if path != run.path else run
    except DtbenchError:
        return None
    there, here = (one.info.get("tasks", {}).get(task, {}) for one in (other, run))
    parts = ("data",) if whatever_the_prompt else ("data", "prompt")
    same = all(_asked(there)[part] == _asked(here)[part] for part in parts)
    return other if there and same and other.info.get("model") == run.info.get("model") else None


def _asked(about: dict[str, Any]) -> dict[str, Any]:
    """What is asked, wherever it lies."""
    return {"data": about.get("data", {}).get("sha256"), "prompt": about.get("prompt_hash")}
