"""Load a task of lm-eval by its name or its file as lm-eval does, but leave its audio undecoded."""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import DataError, DtbenchError, UserError, format_error
from dtbench.harness.core.memory_clips import EncodedClip
from dtbench.harness.lm_eval.clips import LmEvalAudio

_OF_THE_INDEX = ("tag", "group", "task_list", "include", "class")
"""Keys of a file that are no part of a task's configuration."""
_PYTHON_SEED, FEW_SHOT_SEED = 0, 1234
"""lm-eval's own seeds: of Python's generator; of numpy's, and of the one that draws few-shot examples."""


def read_task_file(file: Path) -> Mapping[str, Any]:
    """Read the YAML file of a task; a UserError where it defines none, or one that cannot be asked."""
    from lm_eval.tasks._yaml_loader import load_yaml  # what TaskManager reads files with; it keeps no door to it

    try:
        plain = load_yaml(file, resolve_func=False)
        refuse_likelihoods(str(plain.get("task")), plain)  # before its functions are imported, with what they need
        configuration = load_yaml(file)
    except DtbenchError:
        raise
    except Exception as error:  # someone else's YAML, and the functions that it names
        raise UserError(f"{file}: lm-eval cannot read it: {format_error(error)}.") from error
    if not isinstance(configuration.get("task"), str):
        raise UserError(f"{file}: not an lm-eval task: a line `task: NAME` is expected.")
    return dict(configuration)


def load_lm_eval_task(name: str) -> Any:
    """Load the task that lm-eval has under this name."""
    if (file := _find_task_file(name)) is not None:
        configuration = read_task_file(file)
        if "class" not in configuration:
            return build_lm_eval_task(name, configuration)
    manager = _index()
    entry = manager.task_index.get(name)
    if entry is None:
        close = difflib.get_close_matches(name, manager.all_tasks, n=5, cutoff=0.6)
        meant = f" Did you mean {' or '.join(close)}?" if close else ""
        raise UserError(f"lm-eval has no task {name!r}.{meant} `lm_eval ls tasks` lists them all.")
    if name not in manager.all_subtasks:
        raise UserError(f"lm_eval:{name}: this is a group of tasks; name one of them:{_members(entry)}.")
    refuse_likelihoods(name, entry.cfg or {})
    with _seeded(name):
        return manager.load([name])["tasks"][name]


def _find_task_file(name: str) -> Path | None:
    """Find the one file of lm-eval that defines the task: searching for its line is ten times faster than its index."""
    import lm_eval.tasks

    line = re.compile(rb"^task: *['\"]?%b['\"]?[ \t]*\r?$" % re.escape(name.encode()), re.MULTILINE)
    (home,) = lm_eval.tasks.__path__
    files = [path for path in Path(home).glob("**/*.yaml") if line.search(path.read_bytes())]
    return files[0] if len(files) == 1 else None


@lru_cache(maxsize=1)
def _index() -> Any:
    """Return lm-eval's index of tasks; it takes seconds, as 14,000 files are read."""
    from lm_eval.tasks import TaskManager

    return TaskManager()


def build_lm_eval_task(name: str, configuration: Mapping[str, Any]) -> Any:
    """Build the task of a configuration with its documents; a DataError where they cannot be loaded."""
    if "class" in configuration:
        raise UserError(f"lm_eval:{name}: its file names a class; only tasks that are all YAML are read from files.")
    with _seeded(name):
        config = {key: value for key, value in configuration.items() if key not in _OF_THE_INDEX}
        return _undecoded_task()(config=config)


def refuse_likelihoods(name: str, configuration: Mapping[str, Any]) -> None:
    """Raise a UserError for a task that is no generation of text from text or sound."""
    kind = configuration.get("output_type", "generate_until")
    if kind != "generate_until":
        raise UserError(
            f"lm_eval:{name}: its output_type is {kind}, which compares likelihoods, and an endpoint returns none: "
            f"choose a task whose output_type is generate_until."
        )
    if configuration.get("doc_to_image"):
        raise UserError(f"lm_eval:{name}: its documents have images, and dtbench handles audio only.")
    if configuration.get("unsafe_code"):
        raise UserError(
            f"lm_eval:{name}: its metric executes code written by the model, which dtbench refuses: "
            f"run it with lm-eval."
        )


def _undecoded_task() -> type[Any]:
    """Return lm-eval's class of tasks, less the decoding of audio."""
    from lm_eval.api.task import ConfigurableTask

    class UndecodedTask(ConfigurableTask):  # type: ignore[misc]
        """Leaves audio encoded: `datasets` decodes with torchcodec, and its versions differ in the samples."""

        def download(self, *arguments: Any, **more: Any) -> None:
            super().download(*arguments, **more)
            self.dataset: Any = _without_decoding(self.dataset)

    return UndecodedTask


def _without_decoding(dataset: Any) -> Any:
    """Return the splits of a data set with audio as LmEvalAudio."""
    import datasets

    if not isinstance(dataset, dict):
        return dataset
    for split, rows in dataset.items():
        columns = [name for name, kind in getattr(rows, "features", {}).items() if isinstance(kind, datasets.Audio)]
        for column in columns:
            rows = rows.cast_column(column, datasets.Audio(decode=False))
        if columns:
            dataset[split] = rows.with_transform(lambda batch, columns=columns: _with_audio(batch, columns))
    return dataset


def _with_audio(batch: Mapping[str, Any], columns: list[str]) -> Mapping[str, Any]:
    """Return a batch of rows with audio as LmEvalAudio."""
    return {name: [_audio(value) for value in values] if name in columns else values for name, values in batch.items()}


def _audio(value: Mapping[str, Any] | None) -> LmEvalAudio | None:
    if value is None:
        return None
    path = str(value.get("path") or "clip")
    return LmEvalAudio(EncodedClip(path, value["bytes"]) if value.get("bytes") is not None else Path(path), file=path)


@contextmanager
def _seeded(name: str) -> Iterator[None]:
    """Seed the generators as lm-eval does while a task is built, and report whatever fails there in one line."""
    import numpy

    before = random.getstate(), numpy.random.get_state()
    random.seed(_PYTHON_SEED)
    numpy.random.seed(FEW_SHOT_SEED)
    try:
        yield
    except DtbenchError:
        raise
    except Exception as error:  # the hub, someone else's data, someone else's code
        raise DataError(f"lm_eval:{name}: its documents cannot be loaded: {format_error(error)}.") from error
    finally:
        random.setstate(before[0])
        numpy.random.set_state(before[1])


def _members(entry: Any) -> str:
    """List the names of a group's tasks, as far as they are known."""
    listed = entry.tags if entry.kind.name == "TAG" else (entry.cfg or {}).get("task", ())
    names = sorted(str(one.get("task") if isinstance(one, dict) else one) for one in listed or ())
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f" {', '.join(names[:12])}{more}" if names else " see `lm_eval ls tasks`"
