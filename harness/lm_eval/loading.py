"""A task of lm-eval by its name or its file, made as lm-eval makes it, its audio left undecoded."""

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
from dtbench.harness.lm_eval.clips import HeldClip, LmEvalAudio

_OF_THE_INDEX = ("tag", "group", "task_list", "include", "class")
"""What says where a task belongs, or what makes it: nothing that its configuration knows."""
_SEED, _OTHER_SEED = 0, 1234
"""lm-eval's own: of Python's dice, and of numpy's and of those that draw few-shot examples."""


def configuration_in(file: Path) -> Mapping[str, Any]:
    """What a YAML file says of a task; a UserError where it is of none, or of one that cannot be asked."""
    from lm_eval.tasks._yaml_loader import load_yaml  # what TaskManager reads files with; it keeps no door to it

    try:
        plain = load_yaml(file, resolve_func=False)
        refuse_likelihoods(str(plain.get("task")), plain)  # before its functions are imported, with what they need
        found = load_yaml(file)
    except DtbenchError:
        raise
    except Exception as error:  # someone else's YAML, and the functions that it names
        raise UserError(f"{file}: lm-eval cannot read it: {format_error(error)}.") from error
    if not isinstance(found.get("task"), str):
        raise UserError(f"{file}: no task of lm-eval: a line `task: NAME` is expected.")
    return dict(found)


def named(name: str) -> Any:
    """The task that lm-eval has under this name, without its documents' audio decoded."""
    if (file := _file_that_says(name)) is not None:
        configuration = configuration_in(file)
        if "class" not in configuration:
            return made(name, configuration)
    manager = _index()
    entry = manager.task_index.get(name)
    if entry is None:
        close = difflib.get_close_matches(name, manager.all_tasks, n=5, cutoff=0.6)
        meant = f" Did you mean {' or '.join(close)}?" if close else ""
        raise UserError(f"lm-eval knows no task {name!r}.{meant} `lm_eval ls tasks` lists them all.")
    if name not in manager.all_subtasks:
        raise UserError(f"lm_eval:{name}: this is a group of tasks; name one of them:{_members(entry)}.")
    refuse_likelihoods(name, entry.cfg or {})
    with _seeded(name):
        return manager.load([name])["tasks"][name]


def _file_that_says(name: str) -> Path | None:
    """The one file of lm-eval that says it is of this task: looking for a line is ten times faster than its index."""
    import lm_eval.tasks

    line = re.compile(rb"^task: *['\"]?%b['\"]?[ \t]*\r?$" % re.escape(name.encode()), re.MULTILINE)
    (home,) = lm_eval.tasks.__path__
    found = [path for path in Path(home).glob("**/*.yaml") if line.search(path.read_bytes())]
    return found[0] if len(found) == 1 else None


@lru_cache(maxsize=1)
def _index() -> Any:
    """All that lm-eval knows; some seconds, as it reads 14,000 files."""
    from lm_eval.tasks import TaskManager

    return TaskManager()


def made(name: str, configuration: Mapping[str, Any]) -> Any:
    """The task of a configuration with its documents; a DataError where they cannot be had."""
    if "class" in configuration:
        raise UserError(f"lm_eval:{name}: its file names a class; only tasks that are all YAML are taken from files.")
    with _seeded(name):
        kept = {key: value for key, value in configuration.items() if key not in _OF_THE_INDEX}
        return _kind()(config=kept)


def refuse_likelihoods(name: str, configuration: Mapping[str, Any]) -> None:
    """A UserError for a task that is no generation of text from text or sound."""
    kind = configuration.get("output_type", "generate_until")
    if kind != "generate_until":
        raise UserError(
            f"lm_eval:{name}: its output_type is {kind}, which compares likelihoods, and an endpoint tells none: "
            f"choose a task whose output_type is generate_until."
        )
    if configuration.get("doc_to_image"):
        raise UserError(f"lm_eval:{name}: it shows pictures, and dtbench asks about sound.")
    if configuration.get("unsafe_code"):
        raise UserError(
            f"lm_eval:{name}: its metric runs code that the model wrote, which dtbench does not: run it with lm-eval."
        )


def _kind() -> type[Any]:
    from lm_eval.api.task import ConfigurableTask

    class Undecoded(ConfigurableTask):  # type: ignore[misc]
        """Decodes no audio: `datasets` needs torchcodec for it, and other versions of it give other samples."""

        def download(self, *arguments: Any, **more: Any) -> None:
            super().download(*arguments, **more)
            self.dataset: Any = _undecoded(self.dataset)

    return Undecoded


def _undecoded(dataset: Any) -> Any:
    """The splits of a data set with audio as Sound."""
    import datasets

    if not isinstance(dataset, dict):
        return dataset
    for split, rows in dataset.items():
        columns = [name for name, kind in getattr(rows, "features", {}).items() if isinstance(kind, datasets.Audio)]
        for column in columns:
            rows = rows.cast_column(column, datasets.Audio(decode=False))
        if columns:
            dataset[split] = rows.with_transform(lambda batch, columns=columns: _sounded(batch, columns))
    return dataset


def _sounded(batch: Mapping[str, Any], columns: list[str]) -> Mapping[str, Any]:
    """The rows of a data set, as `datasets` hands them over, with audio as Sound."""
    return {name: [_sound(value) for value in values] if name in columns else values for name, values in batch.items()}


def _sound(value: Mapping[str, Any] | None) -> LmEvalAudio | None:
    if value is None:
        return None
    path = str(value.get("path") or "clip")
    return LmEvalAudio(HeldClip(path, value["bytes"]) if value.get("bytes") is not None else Path(path), file=path)


@contextmanager
def _seeded(name: str) -> Iterator[None]:
    """Make a task with the dice as lm-eval has them, and whatever fails there one line."""
    import numpy

    kept = random.getstate(), numpy.random.get_state()
    random.seed(_SEED)
    numpy.random.seed(_OTHER_SEED)
    try:
        yield
    except DtbenchError:
        raise
    except Exception as error:  # the hub, someone else's data, someone else's code
        raise DataError(f"lm_eval:{name}: its documents cannot be loaded: {format_error(error)}.") from error
    finally:
        random.setstate(kept[0])
        numpy.random.set_state(kept[1])


def _members(entry: Any) -> str:
    """The names of a group, as far as they can be told."""
    listed = entry.tags if entry.kind.name == "TAG" else (entry.cfg or {}).get("task", ())
    names = sorted(str(one.get("task") if isinstance(one, dict) else one) for one in listed or ())
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f" {', '.join(names[:12])}{more}" if names else " see `lm_eval ls tasks`"


FEW_SHOT_SEED = _OTHER_SEED
