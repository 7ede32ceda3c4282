"""One call of `dtbench run`: what was asked for is checked, carried out, and summed up."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dtbench.harness import registry
from dtbench.harness.audio import LONG_CLIP_RULES
from dtbench.harness.errors import UserError, nearest
from dtbench.harness.model import Model
from dtbench.harness.neighbours import against_neighbours
from dtbench.harness.plan import AUDIO_MODES, Form, TaskPlan, chosen_samples, read_template
from dtbench.harness.progress import Progress
from dtbench.harness.run import Conditions, Stop, TaskRun
from dtbench.harness.store import RunFolder, Status
from dtbench.harness.summary import shared_clips, summarise
from dtbench.harness.task import Task

INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line asked for."""

    model: str
    tasks: Sequence[str]
    task_file: Path | None = None
    data_dir: Path | None = None
    out: Path | None = None
    limit: int | None = None
    ids: Path | None = None
    samples: int = 1
    concurrency: int = 16
    seed: int = 0
    options: Mapping[str, str]
    prompt: Path | None = None
    audio: str = "clip"
    permute: int = 0
    rule: str = "cut"
    max_failed: float = 0.01


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    folder: Path
    status: Status
    summaries: Sequence[dict[str, Any]]
    exit_code: int
    notes: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints, and summary.json holds."""
        return {
            "run": str(self.folder),
            "status": self.status,
            "tasks": list(self.summaries),
            "notes": list(self.notes),
        }


def hold(request: Request, *, quiet: bool) -> Outcome:
    """Carry a run out, from where it stands to its end."""
    _refuse_odd_numbers(request)
    tasks = _tasks(request)
    form = Form(read_template(request.prompt) if request.prompt else None, request.audio, request.permute, request.seed)
    plans = [_plan(task, request, form) for task in tasks]
    model = registry.model(request.model, request.options, [sample for plan in plans for sample in plan.samples])
    path = _folder(request, tasks)
    with RunFolder.start(path, _settings(request, plans, model)) as folder, Progress(quiet=quiet) as progress:
        conditions = Conditions(request.concurrency, request.rule)
        interrupted = asyncio.run(_ask_all(plans, model, folder, conditions, progress))
        summaries = [_summary(plan, folder) for plan in plans]
        over = [] if interrupted else _over_budget(summaries, request.max_failed)
        status: Status = "interrupted" if interrupted else "failed" if over else "done"
        outcome = Outcome(path, status, summaries, INTERRUPTED if interrupted else 3 if over else 0, over)
        folder.write_summary(outcome.as_json())
        folder.finish(status)
    return outcome


async def _ask_all(
    plans: Sequence[TaskPlan], model: Model, folder: RunFolder, conditions: Conditions, progress: Progress
) -> bool:
    """Ask task after task; whether Ctrl-C ended it."""
    stop = Stop()
    loop, asking = asyncio.get_running_loop(), asyncio.current_task()

    def interrupt() -> None:
        if stop.wanted and asking is not None:
            asking.cancel()
        stop.wanted = True
        progress.say("stopping: what is in flight is finished; Ctrl-C once more to stop at once")

    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        for plan in plans:
            run = TaskRun(plan, model, folder, conditions)
            progress.begin(plan.task.name, run.tally)
            if torn := folder.torn.get(plan.task.name):
                progress.say(f"{plan.task.name}: {torn} torn lines of an interrupted start are dropped and asked again")
            await run.ask_all(stop, progress.show)
    except asyncio.CancelledError:
        if not stop.wanted:
            raise
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        await model.aclose()
    return stop.wanted


def _refuse_odd_numbers(request: Request) -> None:
    for name, value in (("limit", request.limit), ("samples", request.samples), ("concurrency", request.concurrency)):
        if value is not None and value < 1:
            raise UserError(f"--{name} {value}: a number from 1 up is expected.")
    if not 0 <= request.max_failed <= 1:
        raise UserError(f"--max-failed {request.max_failed}: a share from 0 to 1 is expected, such as 0.01.")
    if request.audio not in AUDIO_MODES:
        raise UserError(f"--audio {request.audio}: unknown. {nearest(request.audio, AUDIO_MODES)}")
    if request.rule not in LONG_CLIP_RULES:
        raise UserError(f"--long-clips {request.rule}: unknown. {nearest(request.rule, LONG_CLIP_RULES)}")


def _tasks(request: Request) -> list[Task]:
    if request.task_file is None:
        return [registry.task(name) for name in request.tasks]
    task = registry.task_from_file(request.task_file)
    others = [registry.task(name) for name in request.tasks if name != task.name]
    return [task, *others]


def _plan(task: Task, request: Request, form: Form) -> TaskPlan:
    data = task.load(request.data_dir)
    ids = _ids(request.ids) if request.ids else None
    samples = chosen_samples(data, request.limit, ids)
    return TaskPlan(task, data, samples, request.samples, form)


def _ids(path: Path) -> list[str]:
    try:
        ids = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--ids {path}: cannot be read as UTF-8 text ({error}).") from None
    if not ids:
        raise UserError(f"--ids {path}: there is no id in it; one a line is expected.")
    return ids


def _folder(request: Request, tasks: Sequence[Task]) -> Path:
    """The run's folder; a run with other clips or another order of options lies inside that of the plain one."""
    name = re.sub(r"[^\w.+-]+", "-", f"{request.model}-{'-'.join(task.name for task in tasks)}").strip("-.")
    path = request.out or Path("results") / "runs" / name[:120]
    if request.audio != "clip":
        path = path / f"audio-{request.audio}"
    return path / f"permute-{request.permute}" if request.permute else path


def _settings(request: Request, plans: Sequence[TaskPlan], model: Model) -> dict[str, Any]:
    about = dict(model.describe())
    where = {name: about.pop(name) for name in ("urls", "version") if name in about}
    return {
        "model": about,
        "endpoint": {"spec": request.model, **where},
        "long_clips": request.rule,
        "tasks": {plan.task.name: plan.settings() | {"shared_clips": shared_clips(plan.samples)} for plan in plans},
    }


def _summary(plan: TaskPlan, folder: RunFolder) -> dict[str, Any]:
    summary = summarise(
        plan.task,
        folder.records(plan.task.name),
        expected=plan.expected,
        samples_k=plan.repeats,
        shared=shared_clips(plan.samples),
    )
    return summary | {"data": plan.data.version} | against_neighbours(folder, plan.task.name)


def _over_budget(summaries: Sequence[Mapping[str, Any]], budget: float) -> list[str]:
    return [
        f"{one['task']}: {one['failed']} of {one['n']} questions failed, more than the {budget:.1%} of --max-failed: "
        f"run the same command again to ask them anew"
        for one in summaries
        if one["failed"] > budget * one["n"]
    ]
