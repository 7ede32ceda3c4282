"""Ask a stored run's questions once more, as run.json says it asked them, from the beginning of a changed answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from dtbench.harness.core.dataset import Dataset
from dtbench.harness.core.errors import ModelError, UserError
from dtbench.harness.core.model import Model, Notify, Preflighted, Startable, takes_prefill
from dtbench.harness.core.schema import Prompt
from dtbench.harness.faithful.interventions import Intervention
from dtbench.harness.faithful.options import FaithfulOptions
from dtbench.harness.run.config import read_config
from dtbench.harness.run.plan import TaskPlan
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import LoadedTasks, make_plans, plans_for_models, use_of
from dtbench.harness.score.run_questions import AbsentClip
from dtbench.harness.score.stored_run import StoredTask, find_data, questions_beside
from dtbench.harness.store.known_secrets import MASK
from dtbench.harness.store.run_folder import StoredRun
from dtbench.models.backends import open_models
from dtbench.models.registry import MODELS

GREEDY = {"temperature": "0"}
"""How chains are continued, unless -M says otherwise: what differs is then the chain's doing."""
NO_PREFILL = (
    "{model} does not continue an answer that was begun, as far as is known, so only shuffled clips are measured. "
    "vLLM and SGLang do it (-M host=vllm for another server that takes continue_final_message), and --backend local."
)
_CLASS = re.compile(r"[\w.]+:\w+")


@dataclass(frozen=True, slots=True)
class AskedAgain:
    """A run's questions, and the model that continues its answers."""

    plan: TaskPlan
    request: RunRequest
    model: Model
    shuffled: TaskPlan | None
    """The same with the clip of another question; None where there is no other clip."""

    @property
    def prefills(self) -> bool:
        """Whether the model continues an answer that was begun."""
        return takes_prefill(self.model)

    def prompt(self, place: int, one: Intervention) -> Prompt:
        """Return the prompt of an intervention on the question at this place."""
        if not one.begun:
            assert self.shuffled is not None
            return self.shuffled.prompt(place, one.repeat)
        return replace(self.plan.prompt(place, one.repeat), begun=one.begun, think_budget=None, letters=())


def ask_again(run: StoredRun, stored: StoredTask, data: Dataset, options: FaithfulOptions) -> AskedAgain:
    """Open the run's own model, or the one that is named, and plan the questions as the run asked them."""
    request = _request(run, stored, options)
    loaded = LoadedTasks([stored.task], [data])
    (plan,) = make_plans(request, loaded)
    if request.model_object is not None:
        model = request.model_object
    else:
        (model,) = open_models(request.model, request.options, [use_of(plan)], request.backend)
    (plan,) = plans_for_models([plan], [model])
    if plan.prompt_hash() != stored.about["prompt_hash"]:
        raise UserError(
            f"{run.path}: its questions cannot be worded as they were: their words have changed since, or another "
            "model brings its own. Run it again, and measure that run."
        )
    return AskedAgain(plan, request, model, _shuffled(plan))


def find_questions(stored: StoredTask, options: FaithfulOptions) -> Dataset:
    """Return the run's questions with their clips; a UserError where they are not at hand."""
    data = find_data(stored, options.data_dir)
    if data is None:
        lacking = questions_beside(stored).lacking
        raise UserError(
            f"the questions of {stored.task.name} were not found, and {lacking}: name their folder with --data-dir."
        )
    absent = next((clip for sample in data.samples for clip in sample.clips if isinstance(clip, AbsentClip)), None)
    if absent is not None:
        raise UserError(
            f"the clips of {stored.task.name} were not found (first: {absent.label}): name the folder of the data with "
            "--data-dir."
        )
    return data


async def try_model(again: AskedAgain, prompt: Prompt, notify: Notify) -> Mapping[str, Any]:
    """Start the model and try it with a prompt; return what it finds."""
    if isinstance(again.model, Startable):
        await again.model.start(notify)
    if isinstance(again.model, Preflighted):
        return await again.model.preflight(prompt, notify)
    return {}


async def refused_prefill(model: Model, prompt: Prompt) -> str:
    """Return what a model says against an answer that was begun; empty where it continues it."""
    try:
        await model.generate(prompt)
    except ModelError as error:
        return "" if error.again else str(error)
    return ""


def _request(run: StoredRun, stored: StoredTask, options: FaithfulOptions) -> RunRequest:
    """Return what the run was asked for, with the model that the options name."""
    known = {one.name for one in fields(RunRequest)}
    values = read_config(run.path) if "request" in run.info else _form(stored)
    asked: dict[str, Any] = {name: value for name, value in values.items() if name in known}
    own = {"out": None, "ids": None, "limit": None, "samples": 1, "shard": None, "track": None}
    asked |= {**own, "tasks": [stored.task.name], "task_file": None, "data_dir": options.data_dir}
    asked |= {"task_objects": [stored.task], "max_cost": None, "max_tokens_in_all": None}
    if options.model_object is not None:
        asked |= {"model_object": options.model_object, "model": "model", "options": {}, "backend": None}
        return RunRequest(**asked)
    return _with_model(run, asked, options)


def _form(stored: StoredTask) -> dict[str, Any]:
    """Return the form of the prompts of a run whose run.json does not say what it was asked for."""
    about = stored.about
    order = {"permute": f"all:{about['order']}"} if "order" in about else {"permute": about["permute"]}
    return {"answer": about["answer"], "audio": about["audio"], "seed": about["seed"], **order}


def _with_model(run: StoredRun, asked: dict[str, Any], options: FaithfulOptions) -> RunRequest:
    names_other = options.model is not None or options.base_url is not None
    if names_other:
        asked |= {"model": options.model or "", "base_url": options.base_url, "options": {}, "backend": None}
    if options.backend is not None:
        asked["backend"] = options.backend
    asked["options"] = {**asked.get("options", {}), **options.options}
    if not asked.get("model") and not asked.get("base_url"):
        raise UserError(f"--model is missing: {run.path} does not name what answered it: name what continues it.")
    if any(MASK in text for text in (str(asked.get("model")), *map(str, asked["options"].values()))):
        raise UserError(
            f"{run.path}: its model was masked in run.json, as it may hold a secret: name it again with --base-url and "
            "--model."
        )
    request = RunRequest(**asked)
    is_class = request.model in MODELS or bool(_CLASS.fullmatch(request.model))
    samples = not is_class if names_other else bool({"sampling", "temperature"} & run.info["model"].keys())
    given = {name: text for name, text in request.options.items() if name in options.options}
    return replace(request, options={**request.options, **GREEDY, **given}) if samples else request


def _shuffled(plan: TaskPlan) -> TaskPlan | None:
    """Return the plan with other clips; None where all questions share one, or where no clip was heard as it is."""
    if plan.form.audio != "clip" or not all(sample.clips for sample in plan.data.samples):
        return None
    shuffled = replace(plan, form=replace(plan.form, audio="shuffle"))
    try:
        shuffled.check()
    except UserError:
        return None
    return shuffled
