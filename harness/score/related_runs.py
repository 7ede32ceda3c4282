"""The runs that lie in one folder: the plain one, in it those with other answers, other clips, or the options rotated.

RUN, RUN/answer-STYLE, RUN/audio-MODE, RUN/permute-K and RUN/answer-STYLE/audio-MODE/permute-K are runs on the same
questions.
"""

from __future__ import annotations

from pathlib import Path

from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.score.ablations import audio_effect, order_effect, style_effect
from dtbench.harness.score.permutations import Order, order_average
from dtbench.harness.store.run_folder import StoredRun
from dtbench.harness.store.summary_types import RelatedFigures

PLAIN = "direct"
"""The style of answer of a plain run."""


def compare_related(run: StoredRun, task: str) -> RelatedFigures:
    """Compare a run with the others in its folder: with the plain one where its style of answer or its clips are
    others, and with every order where its options are rotated.
    """
    about = run.info["tasks"][task]
    compared: RelatedFigures = {}
    turned = bool(about["permute"])
    shared = about["shared_clips"]
    if (plain := _in_plain_style(run, task)) is not None:
        compared["vs_plain"] = style_effect(plain.records(task), run.records(task), shared)
    if about["audio"] != "clip":
        home = run.path.parent.parent / run.path.name if turned else run.path.parent
        plain = _same_questions(home, run, task)
        if plain is not None:
            compared["audio_ablation"] = audio_effect(plain.records(task), run.records(task), shared)
    if turned:
        rotations = [_same_questions(path, run, task) for path in (run.path.parent, *_rotations(run.path.parent))]
        runs = [other for other in rotations if other is not None]
        if len(runs) > 1:
            compared["order_sensitivity"] = order_effect([other.records(task) for other in runs])
            orders = [Order(other.info["tasks"][task]["permute"], other.records(task)) for other in runs]
            if (average := order_average(orders)) is not None:
                compared["order_averaged"] = average
    return compared


def _in_plain_style(run: StoredRun, task: str) -> StoredRun | None:
    """The run that differs in the style of its answers alone, and with it in the prompt."""
    style = run.info["tasks"][task]["answer"]
    if style == PLAIN:
        return None
    inside = [place for place in run.path.parents if place.name == f"answer-{style}"]
    home = run.path if run.path.name == f"answer-{style}" else next(iter(inside), None)
    if home is None:
        return None
    other = _same_questions(home.parent / run.path.relative_to(home), run, task, whatever_the_prompt=True)
    return other if other is not None and other.info["tasks"][task]["answer"] == PLAIN else None


def _rotations(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("permute-*/run.json"))


def _same_questions(path: Path, run: StoredRun, task: str, *, whatever_the_prompt: bool = False) -> StoredRun | None:
    """The run in a folder, where there is one and it was on the same data, prompt and model."""
    try:
        other = StoredRun.open(path) if path != run.path else run
    except DtbenchError:
        return None
    if task not in other.info["tasks"] or other.info["model"] != run.info["model"]:
        return None
    there, here = other.info["tasks"][task], run.info["tasks"][task]
    same_data = there["data"]["sha256"] == here["data"]["sha256"]
    return other if same_data and (whatever_the_prompt or there["prompt_hash"] == here["prompt_hash"]) else None
