"""Names to things: built-in ones by a table, others by entry point, file or dotted path."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from dtbench.harness.errors import DtbenchError, MachineryError, TaskError, UserError, described, nearest
from dtbench.harness.model import Model
from dtbench.harness.task import Task

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from dtbench.harness.schema import Sample

TASKS = {
    "mmar": "dtbench.tasks.mmar:Mmar",
    "mmau-mini": "dtbench.tasks.mmau_mini:MmauMini",
    "mmau-test": "dtbench.tasks.mmau_test:MmauTest",
    "mmsu": "dtbench.tasks.mmsu:Mmsu",
    "mini": "dtbench.tasks.mini:Mini",
    "mini-train-1": "dtbench.tasks.mini:MiniTrain1",
    "mini-train-2": "dtbench.tasks.mini:MiniTrain2",
}
MODELS = {
    "replay": "dtbench.models.replay:Replay",
    "random": "dtbench.models.baselines:Random",
    "majority": "dtbench.models.baselines:Majority",
    "first": "dtbench.models.baselines:First",
    "echo-gold": "dtbench.models.baselines:EchoGold",
    "scripted": "dtbench.models.scripted:Scripted",
}
LOGGERS = {
    "wandb": "dtbench.harness.loggers.to_wandb:log",
    "mlflow": "dtbench.harness.loggers.to_mlflow:log",
    "trackio": "dtbench.harness.loggers.to_trackio:log",
}
"""Each by the name of the package that it needs."""


OF_LM_EVAL = "lm_eval:"
"""What the name of a task of lm-eval begins with."""
_OTHERS = {
    "task": f" A task of lm-eval is named as {OF_LM_EVAL}NAME.",
    "model": " A checkpoint is named by its folder or as org/name. An endpoint is named by its URL, such as "
    "http://127.0.0.1:8000/v1.",
}
"""How else things of a kind are named."""


class _Shelf(NamedTuple):
    """Things of one kind: their built-in names, where packages offer others, and what breaking their contract is."""

    noun: str
    table: Mapping[str, str]
    group: str
    broken: type[DtbenchError]


_TASKS = _Shelf("task", TASKS, "dtbench.tasks", TaskError)
_MODELS = _Shelf("model", MODELS, "dtbench.models", MachineryError)
_LOGGERS = _Shelf("logger", LOGGERS, "dtbench.loggers", MachineryError)


def task(name: str) -> Task:
    """The task of this name: built in, `lm_eval:NAME`, `module:Class`, or of an installed package."""
    if name.startswith(OF_LM_EVAL):
        from dtbench.harness.lm_eval.task import LmEvalTask

        return LmEvalTask(name)
    found, target = _found(_TASKS, name)
    return _as_task(found, target)


def task_names() -> list[str]:
    """Every name that task() knows, built-in ones first."""
    return _names(_TASKS)


def model(
    spec: str, options: Mapping[str, str], samples: Iterable[Sample] | None = None, backend: str | None = None
) -> Model:
    """The model of a URL, a checkpoint, a family, a built-in name, `module:Class` or an installed package.

    The samples, with their right answers, reach only a class that says `needs_samples`. A backend is for checkpoints.
    """
    if spec not in MODELS:
        from dtbench.models.backends import weights_or_endpoint

        if (found := weights_or_endpoint(spec, options, backend)) is not None:
            return found
    kind, target = _found(_MODELS, spec)
    if not isinstance(kind, type):
        from dtbench.models.backends import of_family
        from dtbench.models.families import Family

        if isinstance(kind, Family):
            return of_family(kind, options, backend)
    if backend is not None:
        raise UserError(f"--backend {backend}: it is for checkpoints, and {spec!r} is none: leave it out.")
    return _as_model(kind, spec if spec in MODELS else target, options, samples)


class Wanted(NamedTuple):
    """What a model is wanted for."""

    samples: Iterable[Sample]
    sampling: Mapping[str, str] = MappingProxyType({})
    """Options that the task prescribes; the user's stand before them."""


def models(
    spec: str, options: Mapping[str, str], wanted: Sequence[Wanted], backend: str | None = None
) -> Sequence[Model]:
    """The model for each: one and the same, unless it learns from the samples, or is to sample in another way."""
    first = model(spec, options, wanted[0].samples, backend)
    if getattr(first, "needs_samples", False):
        return [first, *(model(spec, options, each.samples) for each in wanted[1:])]
    samples_by_options = {"sampling", "temperature"} & first.describe().keys()
    made = {frozenset(options.items()): first}
    chosen = []
    for each in wanted:
        given = {**each.sampling, **options} if samples_by_options else dict(options)
        key = frozenset(given.items())
        if key not in made:
            made[key] = model(spec, given, each.samples, backend)
        chosen.append(made[key])
    return chosen


def model_names() -> list[str]:
    """Every name that model() knows, built-in ones first."""
    from dtbench.models.families import known

    return [*_names(_MODELS), *known()]


def logger(name: str) -> Callable[[Mapping[str, Any], Mapping[str, Any]], object]:
    """The logger of this name: built in, `module:function`, or of an installed package."""
    from importlib.util import find_spec

    if name in LOGGERS and find_spec(name) is None:
        raise UserError(f"--log {name}: the package {name} is not installed here: pip install {name}.")
    found, target = _found(_LOGGERS, name)
    if not callable(found):
        raise MachineryError(f"logger {target} is {type(found).__name__}, not a function of (summary, settings).")
    return found


def _found(shelf: _Shelf, name: str) -> tuple[object, str]:
    """What a name stands for, and its path."""
    target = shelf.table.get(name) or (name if ":" in name else _target_of_installed(shelf, name))
    module, _, attribute = target.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise UserError(f"{shelf.noun} {target!r} is no path to a class: `package.module:Class` is expected.")
    found = getattr(_import(shelf, module), attribute, None)
    if found is None:
        raise UserError(f"{shelf.noun} {target!r}: the module {module} has no {attribute}.")
    return found, target


def _names(shelf: _Shelf) -> list[str]:
    installed = sorted({point.name for point in _installed(shelf)} - shelf.table.keys())
    return [*shelf.table, *installed]


def _installed(shelf: _Shelf) -> Iterable[EntryPoint]:
    from importlib.metadata import entry_points  # 30 ms that a built-in name does not need

    return entry_points(group=shelf.group)


def _target_of_installed(shelf: _Shelf, name: str) -> str:
    noun = shelf.noun
    targets = sorted({point.value for point in _installed(shelf) if point.name == name})
    if not targets:
        known = model_names() if noun == "model" else _names(shelf)
        raise UserError(f"unknown {noun} {name!r}. {nearest(name, known)}{_OTHERS.get(noun, '')}")
    if len(targets) > 1:
        raise UserError(f"several packages offer a {noun} {name!r}: name one of {' or '.join(targets)} instead.")
    return targets[0]


def task_from_file(path: Path) -> Task:
    """The one task that a user's Python file defines, or a YAML file for lm-eval."""
    import importlib.util

    if path.is_dir():
        raise UserError(f"--task-file {path}: this is a folder; a Python file that defines a task is expected.")
    if not path.is_file():
        raise UserError(f"--task-file {path}: there is no such file.")
    if path.suffix in {".yaml", ".yml"}:
        from dtbench.harness.lm_eval.task import LmEvalTask

        return LmEvalTask.of_file(path)
    spec = importlib.util.spec_from_file_location(_module_of(path), path)
    if spec is None or spec.loader is None:
        raise UserError(f"--task-file {path}: not a Python file; its name must end in .py.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and pickles of the file look themselves up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise UserError(f"--task-file {path}: running it failed with {described(error)}.") from error
    try:
        return _as_task(_only_task_class(module, path), str(path))
    except TaskError as error:
        raise UserError(f"--task-file: {error}") from error


def is_from_file(task: Task, path: Path) -> bool:
    """Whether this user's file defines the task."""
    return type(task).__module__ == _module_of(path) or task.defined_in == path


def _module_of(path: Path) -> str:
    return f"dtbench_task_file_{path.stem}"


def _only_task_class(module: ModuleType, path: Path) -> type[Task]:
    own = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Task) and value.__module__ == module.__name__
    ]
    # A base that several tasks of the file share is not one itself.
    candidates = [value for value in own if not value.__abstractmethods__] or own
    if len(candidates) != 1:
        names = ", ".join(value.__name__ for value in candidates) or "none"
        raise UserError(f"--task-file {path}: one subclass of dtbench.harness.task.Task is expected, found {names}.")
    return candidates[0]


def _import(shelf: _Shelf, module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise UserError(f"no module named {module!r} to load a {shelf.noun} from.") from error
        raise shelf.broken(f"{module}: importing it failed with {described(error)}.") from error
    except Exception as error:  # someone else's code
        raise shelf.broken(f"{module}: importing it failed with {described(error)}.") from error


def _as_task(value: object, origin: str) -> Task:
    if isinstance(value, type) and issubclass(value, Task):
        value = _instance(value, origin)
    if not isinstance(value, Task):
        raise TaskError(f"{origin} is {type(value).__name__}, not a dtbench.harness.task.Task.")
    name = getattr(value, "name", None)
    if not isinstance(name, str) or not name:
        raise TaskError(f"{origin}: the task {type(value).__name__} has no name; give it one: name = 'my-task'.")
    return value


def _instance(kind: type[Task], origin: str) -> Task:
    missing = sorted(kind.__abstractmethods__)
    if missing:
        raise TaskError(f"{origin}: the task {kind.__name__} lacks {', '.join(f'{name}()' for name in missing)}.")
    try:
        return kind()
    except Exception as error:  # someone else's code
        raise TaskError(f"{origin}: making the task {kind.__name__} failed with {described(error)}.") from error


def _as_model(kind: object, origin: str, options: Mapping[str, str], samples: Iterable[Sample] | None) -> Model:
    from dtbench.harness.settings import arguments

    if not isinstance(kind, type):
        raise MachineryError(f"model {origin} is {type(kind).__name__}, not a class.")
    lacking = [name for name in ("generate", "describe", "aclose") if not callable(getattr(kind, name, None))]
    if lacking:
        raise MachineryError(f"model {origin} lacks {', '.join(f'{name}()' for name in lacking)}.")
    make: Callable[..., Model] = kind
    handed: dict[str, object] = {}
    if getattr(kind, "needs_samples", False):
        make, handed = kind.from_samples, {"samples": list(samples or ())}  # type: ignore[attr-defined]
    chosen = arguments(make, options, f"the model {origin}", besides=handed.keys())
    try:
        built = make(**handed, **chosen)
    except DtbenchError:
        raise
    except Exception as error:  # someone else's code
        raise MachineryError(f"making the model {origin} failed with {described(error)}.") from error
    missing = [name for name in ("listens", "rate", "limit_seconds") if not hasattr(built, name)]
    if missing:
        raise MachineryError(f"model {origin} lacks {', '.join(missing)}: see dtbench.harness.model.Model.")
    return built
