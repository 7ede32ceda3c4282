"""`dtbench run --dry-run`: what a run would ask, where its clips are, and what it may take; no model is started."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict, cast

from dtbench.harness.audio.modes import AudioMode, parse_audio_mode
from dtbench.harness.core.errors import MachineryError
from dtbench.harness.core.model import Model, Previewable, Priced, RequestPreview
from dtbench.harness.core.price import TOKENS_IN, TOKENS_OUT
from dtbench.harness.core.schema import Clip, Findable, Prompt, Sample, clip_name
from dtbench.harness.run.earlier import Expectation, closest, earlier_tasks
from dtbench.harness.run.place import RUNS, RunPlace, place_of
from dtbench.harness.run.plan import TaskPlan
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.same_questions import ResumeGuard, find_resumable
from dtbench.harness.run.session import limits_of, make_plans, plans_for_models, run_settings, use_of
from dtbench.harness.run.spending import Spending
from dtbench.harness.run.worker_pool import Stop
from dtbench.harness.score.forced_choice import FORCED_SAMPLING
from dtbench.harness.store.redact import mask_command, mask_settings
from dtbench.models.backends import open_models
from dtbench.models.endpoint.settings import SAMPLING


class ClipCounts(TypedDict):
    """Where the clips of a task are, each counted once."""

    found: int
    missing: int
    unchecked: int
    """Of a kind that can only be read."""
    first_missing: str | None


class PlannedTask(TypedDict):
    """One task of a run."""

    task: str
    data: str
    """The version of the data."""
    questions: int
    answers: int
    """How many there are in the end, all repeats counted."""
    answered: int
    """How many of them the folder has already."""
    left_out: int
    """How many questions are not asked, as they are among the examples of --num-fewshot."""
    clips: ClipCounts | None
    """None where no clip is sent."""
    sampling: Mapping[str, Any] | None
    """What controls it; empty where the endpoint decides, None of a model that does not sample."""
    expected: Expectation | None
    """What the answers that are left may take; None where there is no earlier run, or nothing left."""
    cost: float | None
    """What they may cost, in US dollars; None where that or the price is not known."""


class ShownExample(TypedDict):
    """A question with its answer that stands before the one that is asked."""

    text: str
    answer: str
    clips: list[str]


class FirstPrompt(TypedDict):
    """The first prompt that would be sent."""

    task: str
    id: str
    system: str | None
    examples: list[ShownExample]
    text: str
    clip: str | None
    where: str
    body: Mapping[str, Any] | None


class DryRun(TypedDict):
    """What a run would do; `run --dry-run --json` prints it."""

    model: Mapping[str, Any]
    tasks: list[PlannedTask]
    prompt: FirstPrompt
    command: list[str]
    """The command that would be started to answer; empty where none is."""
    run: str
    """The folder."""
    why: str
    """Why it is this one, where the user named none."""
    resumes: bool
    """Whether the folder has the run already."""
    away: str | None
    """Why the endpoint could not be asked for its model; the run would end with it."""


@dataclass(frozen=True, slots=True)
class _Planned:
    """A run before its start."""

    plans: Sequence[TaskPlan]
    models: Sequence[Model]
    settings: Mapping[str, Any]
    resumes: bool
    left: Sequence[Sequence[tuple[int, int]]]
    """Place and repeat of each question that would be asked, by plan."""


def dry_run(request: RunRequest) -> DryRun:
    """Plan a run as run() does, and refuse what it refuses, without starting a model or writing anything."""
    plans, away = make_plans(request), None
    uses = [use_of(plan) for plan in plans]
    try:
        models = open_models(request.model, request.options, uses, request.backend)
    except MachineryError as error:
        models, away = open_models(request.model, request.options, uses, request.backend, ask=False), str(error)
    try:
        plans = plans_for_models(plans, models)
        settings = run_settings(request, plans, models)
        Spending.of_models(limits_of(request), models, Stop())  # refuses a limit of money without a price
        place = place_of(request, [plan.task.name for plan in plans], settings["model"])
        is_known = away is None or "model" in request.options
        stored = find_resumable(place.path, settings, ResumeGuard(plans), place.why) if is_known else None
        left = [list(plan.questions(stored.finished(plan.task.name) if stored else set())) for plan in plans]
        return _describe(_Planned(plans, models, settings, stored is not None, left), place, away)
    finally:
        asyncio.run(_close(models))


async def _close(models: Iterable[Model]) -> None:
    for model in dict.fromkeys(models):
        await model.aclose()


def _describe(planned: _Planned, place: RunPlace, away: str | None) -> DryRun:
    prompt, request = _first_prompt(planned)
    plan: DryRun = {
        "model": planned.settings["model"],
        "tasks": _planned_tasks(planned, place.path),
        "prompt": prompt,
        "command": mask_command(request.command),
        "run": str(place.path),
        "why": place.why,
        "resumes": planned.resumes,
        "away": away,
    }
    return cast("DryRun", mask_settings(plan))


def _planned_tasks(planned: _Planned, folder: Path) -> list[PlannedTask]:
    earlier = earlier_tasks((folder, folder.parent, RUNS), planned.settings["model"])
    tasks: list[PlannedTask] = []
    for plan, model, jobs in zip(planned.plans, planned.models, planned.left, strict=True):
        left = len(jobs)
        like = closest(earlier, plan.task.name, plan.form.answer)
        expected = like.expect(left) if like and left else None
        tasks.append(
            {
                "task": plan.task.name,
                "data": plan.data.version,
                "questions": len(plan.places),
                "answers": plan.expected,
                "answered": plan.expected - left,
                "left_out": plan.left_out,
                "clips": count_clips(plan.data.samples[place] for place in plan.places) if model.listens else None,
                "sampling": _sampling(plan, model),
                "expected": expected,
                "cost": _cost(expected, model),
            }
        )
    return tasks


def _cost(expected: Expectation | None, model: Model) -> float | None:
    price = model.price if isinstance(model, Priced) else None
    if expected is None or price is None or expected["tokens_in"] is None or expected["tokens_out"] is None:
        return None
    return price.of_usage({TOKENS_IN[0]: expected["tokens_in"], TOKENS_OUT[0]: expected["tokens_out"]})


def count_clips(samples: Iterable[Sample]) -> ClipCounts:
    """Look for the clips of samples, without reading one."""
    clips = {clip_name(clip): clip for sample in samples for clip in sample.clips}
    there = {name: _is_there(clip) for name, clip in clips.items()}
    missing = [name for name, found in there.items() if found is False]
    return {
        "found": sum(found is True for found in there.values()),
        "missing": len(missing),
        "unchecked": sum(found is None for found in there.values()),
        "first_missing": next(iter(missing), None),
    }


def _is_there(clip: Path | Clip) -> bool | None:
    try:
        if isinstance(clip, Path):
            return clip.is_file()
        return clip.is_there() if isinstance(clip, Findable) else None
    except OSError:  # a name that no disk takes
        return False


def _sampling(plan: TaskPlan, model: Model) -> Mapping[str, Any] | None:
    if plan.form.answer == "forced":
        return FORCED_SAMPLING
    about = model.describe()
    fields: Mapping[str, Any] = about.get("sampling", about)
    sampled = {name: value for name, value in fields.items() if name in SAMPLING or "sampling" in about}
    return sampled if "sampling" in about or "temperature" in sampled else None


def _first_prompt(planned: _Planned) -> tuple[FirstPrompt, RequestPreview]:
    """Return the first prompt that would be sent, or of a run that has all its answers the first one of all."""
    number = next((number for number, jobs in enumerate(planned.left) if jobs), 0)
    plan, model = planned.plans[number], planned.models[number]
    prompt = plan.prompt(*next(iter(planned.left[number]), (0, 0)))
    clip = _clip_words(plan, model, prompt)
    request = model.preview(prompt, clip) if isinstance(model, Previewable) else _in_this_process(model)
    about: FirstPrompt = {
        "task": plan.task.name,
        "id": prompt.id,
        "system": prompt.system,
        "examples": [
            {"text": one.text, "answer": one.answer, "clips": list(map(clip_name, one.clips))}
            for one in prompt.examples
        ],
        "text": prompt.text,
        "clip": clip,
        "where": request.where,
        "body": request.body,
    }
    return about, request


def _in_this_process(model: Model) -> RequestPreview:
    return RequestPreview(f"{type(model).__name__} in this process")


def _clip_words(plan: TaskPlan, model: Model, prompt: Prompt) -> str | None:
    """Describe what would be heard; None where nothing is."""
    if not model.listens or not prompt.clips:
        return None
    name = " and ".join(map(clip_name, prompt.clips))
    mode = parse_audio_mode(plan.form.audio) or AudioMode("clip")
    heard = name if mode.kind in {"clip", "shuffle"} else f"{mode} as long as {name}"
    heard = f"{name}, {mode}" if mode.keeps_clip and mode.kind != "clip" else heard
    form = "WAV with its channels" if plan.keeps_channels else "mono WAV"
    return f"{heard} ({form}, {model.rate} Hz)"
