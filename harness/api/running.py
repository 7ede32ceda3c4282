"""Run benchmarks from Python: in a script, in a thread, in a notebook; no signal handlers, no prints.

`run` works in a thread with an event loop of its own, so that it makes no difference whether one runs already, and an
interrupt of the caller ends it in good order. `run_async` works in the loop of its caller.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from dtbench.harness.api.loaded_run import Run
from dtbench.harness.api.requests import make_request
from dtbench.harness.core.errors import UserError, format_error
from dtbench.harness.core.model import Model
from dtbench.harness.core.task import Task
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import run_in_loop
from dtbench.models.plain.function import FunctionModel
from dtbench.models.registry import refuse_no_model_object
from dtbench.tasks.registry import as_task

if TYPE_CHECKING:
    from dtbench.models.openai_client.transport import AsyncOpenaiClient

Result = TypeVar("Result")


def run(
    model: str | Path | Model | Callable[..., Any] | AsyncOpenaiClient,
    tasks: str | Path | Task | type[Task] | Iterable[str | Path | Task | type[Task]],
    *,
    progress: bool = False,
    **options: Any,
) -> Run:
    """Run a model on benchmarks, store every answer and return the run; resume if its folder has answers.

    The options are those of `dtbench run` in Python's spelling: out, limit, ids, answer, concurrency, options (as -M).
    """
    request = request_of(model, tasks, options)
    return run_in_thread(lambda: _run_here(request, progress=progress))


async def run_async(
    model: str | Path | Model | Callable[..., Any] | AsyncOpenaiClient,
    tasks: str | Path | Task | type[Task] | Iterable[str | Path | Task | type[Task]],
    *,
    progress: bool = False,
    **options: Any,
) -> Run:
    """Do what run() does, in the running event loop; if its task is cancelled, the run is stored as interrupted."""
    return await _run_here(request_of(model, tasks, options), progress=progress)


async def _run_here(request: RunRequest, *, progress: bool) -> Run:
    result = await run_in_loop(request, quiet=not progress)
    return Run.open(result.folder)


def request_of(model: object, tasks: object, options: Mapping[str, Any]) -> RunRequest:
    """Return the request of a run; a UserError for what is no model, no task or no option."""
    named = _model_of(model, options.get("options") or {})
    every = _tasks_of(tasks)
    given = {**options, "model": named.name, "tasks": [name for name, _ in every]}
    if named.takes_options:
        given.pop("options")
    objects = [task for _, task in every if task is not None]
    return make_request(RunRequest, given, "run", model_object=named.model, task_objects=objects)


class _NamedModel(NamedTuple):
    name: str
    model: Model | None
    """None where the name says which it is."""
    takes_options: bool = False
    """Whether the options of the call were used to make it."""


def _model_of(model: object, settings: Mapping[str, Any]) -> _NamedModel:
    if isinstance(model, str | Path):
        return _NamedModel(str(model), None)
    if hasattr(getattr(model, "chat", None), "completions"):
        return _model_of_client(model, settings)
    if callable(model) and not hasattr(model, "generate") and not isinstance(model, type):
        function = FunctionModel(model)
        return _NamedModel(function.name, function)
    if isinstance(model, type) or not hasattr(model, "generate"):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"{type(model).__name__}"
        raise UserError(
            f"run: the model is {what}: a name, a URL, a function, a client of openai or a dtbench.Model is expected."
        )
    found: Any = model
    refuse_no_model_object(found, type(model).__name__)
    try:
        about = dict(found.describe())
    except Exception as error:  # someone else's code
        raise UserError(f"run: describe() of {type(model).__name__} failed with {format_error(error)}.") from error
    return _NamedModel(str(about.get("model") or about.get("name") or type(model).__name__), found)


def _model_of_client(client: Any, settings: Mapping[str, Any]) -> _NamedModel:
    """Make a model of a client of openai, with connections of its own: the caller's may belong to another loop."""
    from dtbench.models import from_openai
    from dtbench.models.openai_client.model import with_own_connections

    if "model" not in settings:
        name = type(client).__name__
        raise UserError(f"run: which model of {name}? Name it with options={{'model': 'NAME'}}.")
    rest = {name: value for name, value in settings.items() if name != "model"}
    return _NamedModel(
        str(settings["model"]), from_openai(with_own_connections(client), settings["model"], **rest), True
    )


def _tasks_of(tasks: object) -> Sequence[tuple[str, Task | None]]:
    """Return the name of each task, and the task where it is an object."""
    if isinstance(tasks, str):
        return [(name.strip(), None) for name in tasks.split(",") if name.strip()]
    if isinstance(tasks, Task | type | Path) or not isinstance(tasks, Iterable):
        tasks = [tasks]
    found: list[tuple[str, Task | None]] = []
    for one in tasks:
        if isinstance(one, str | Path):
            found.append((str(one), None))
        elif isinstance(one, Task) or (isinstance(one, type) and issubclass(one, Task)):
            task = as_task(one, "run")
            found.append((task.name, task))
        else:
            raise UserError(f"run: a task is {one!r}: a name, or a dtbench.Task such as Task.of(...), is expected.")
    return found


def run_in_thread(work: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run a coroutine in a thread with a loop of its own; an interrupt of the caller cancels it and waits for it."""
    done: Future[Result] = Future()
    begun: Future[tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]]] = Future()

    async def main() -> Result:
        task = asyncio.current_task()
        assert task is not None
        begun.set_result((asyncio.get_running_loop(), task))
        return await work()

    def target() -> None:
        try:
            done.set_result(asyncio.run(main()))
        except BaseException as error:  # it is raised in the caller's thread
            done.set_exception(error)

    threading.Thread(target=contextvars.copy_context().run, args=(target,), name="dtbench.run", daemon=True).start()
    try:
        wait_for([done])
    except BaseException:
        loop, task = begun.result()
        loop.call_soon_threadsafe(task.cancel)
        wait_for([done])
        raise
    return done.result()
