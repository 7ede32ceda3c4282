"""The options of a run in a file: under the names of the flags, or as run.json has what a run was asked for last.

A path is relative to the config file, and texts have variables of the environment in them. What stands in run.json has
neither: its paths are whole, its texts are as they are, and secrets are masked.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.core.options import Option
from dtbench.harness.core.typed_settings import FileText, read_part, refuse_unknown
from dtbench.harness.run.config_file import Place, expand_variables, read_settings, refuse_secrets, with_underscores
from dtbench.harness.run.prompt_words import is_prompt, is_prompt_name, read_prompt, read_system, system_file
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.selection import read_ids
from dtbench.harness.store.known_secrets import MASK
from dtbench.harness.store.redact import mask_settings
from dtbench.harness.store.run_folder import StoredRun
from dtbench.models.backends import portable_options
from dtbench.models.checkpoints.checkpoint import locate_checkpoint
from dtbench.models.registry import MODELS

MODEL_OPTIONS = "model_options"
"""The table of what `-M` gives."""
OF_THE_CALL = ("out", "shard")
"""What a run is not repeated with."""


@dataclass(frozen=True, slots=True)
class _CommandSettings:
    """Options of the command beside its request."""

    log: Sequence[str] = ()


@cache
def setting_names() -> Mapping[str, str]:
    """Map the name of each setting, which is that of its flag, to the field of the request."""
    names = {}
    for field, hint in get_type_hints(RunRequest, include_extras=True).items():
        for mark in get_args(hint):
            if isinstance(mark, Option):
                names[MODEL_OPTIONS if mark.flag == "-M" else mark.flag.lstrip("-").replace("-", "_")] = field
    return names


def is_run(path: Path) -> bool:
    """Whether a path can only name a run, by its folder or by run.json."""
    return path.is_dir() or path.name == "run.json"


def read_config(path: Path) -> dict[str, Any]:
    """Read a config file, or what the run of a folder was asked for last, as values by field of the request."""
    if is_run(path):
        return _typed(path, _last_request(path))
    table = read_settings(path)
    for name, value in table.items():
        refuse_secrets(Place(path, name), name, value)
    refuse_unknown(str(path), table, {**setting_names(), "log": "log"})
    options = table.pop(MODEL_OPTIONS, None)
    values = {name: _expanded(value, Place(path, name)) for name, value in table.items() if value is not None}
    if options is not None:
        values[MODEL_OPTIONS] = _model_options(options, path, has_tasks="tasks" in values)
    return _from_folder(_typed(path, values), path)


def refuse_incomplete(path: Path, request: RunRequest) -> None:
    """Refuse to repeat a run without a place for it, or without the secrets that run.json does not have."""
    if not is_run(path):
        return
    if request.out is None:
        run = path if path.is_dir() else path.parent
        raise UserError(f"--out is missing: name a new folder to repeat {run} in, or {run} itself to go on with it.")
    given = {"--model": request.model, **{f"-M {name}": text for name, text in request.options.items()}}
    for flag, text in given.items():
        if MASK in text:
            again = f"{flag} URL" if flag == "--model" else f"{flag}=VALUE"
            raise UserError(
                f"--config {path}: {flag} was masked in run.json, as it may hold a secret: give it again, {again}."
            )


def describe_request(request: RunRequest) -> dict[str, Any]:
    """Return a request under the names of a config file, so that it means the same in any folder, without secrets."""
    table: dict[str, Any] = {}
    for name, field in setting_names().items():
        value = getattr(request, field)
        if value is not None and name not in OF_THE_CALL:
            table[name] = str(value.absolute()) if isinstance(value, Path) else value
    table["tasks"] = list(request.tasks)
    if request.model_object is not None:
        del table["model"]  # no text can name it
    else:
        table["model"] = request.model if request.model in MODELS else locate_checkpoint(request.model, Path.cwd())
        table[MODEL_OPTIONS] = portable_options(request.model, request.options)
    if request.system is not None:
        table["system"] = read_system(request.system)
    if request.prompt is not None:
        words = read_prompt(request.prompt, needed=())
        table["prompt"] = words.name or words.template
    if request.ids is not None:
        table["ids"] = list(read_ids(request.ids))
    masked: dict[str, Any] = mask_settings(table)
    return masked


def _last_request(path: Path) -> Mapping[str, Any]:
    run = StoredRun.open(path if path.is_dir() else path.parent)
    if "request" not in run.info:
        raise DataError(f"{run.path}: run.json does not have what was asked for: an older dtbench wrote it.")
    return run.info["request"]


def _typed(path: Path, table: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values in their types, by field."""
    values = dict(table)
    refuse_unknown(str(path), values, {**setting_names(), "log": "log"})
    for name in ("tasks", "log"):
        if isinstance(text := values.get(name), str):
            values[name] = [part.strip() for part in text.split(",") if part.strip()]
    own = {"log": values.pop("log")} if "log" in values else {}
    fields = {setting_names()[name]: value for name, value in values.items()}
    options = {"options": fields.pop("options")} if "options" in fields else {}  # read once the model is known
    return {**read_part(RunRequest, fields, str(path)), **options, **read_part(_CommandSettings, own, str(path))}


def _expanded(value: Any, place: Place) -> Any:
    """Return a value with variables of the environment in its texts; such a text is parsed as on the command line."""
    if isinstance(value, Mapping):
        return {name: _expanded(each, place.inside(str(name))) for name, each in value.items()}
    if isinstance(value, list):
        return [_expanded(each, place) for each in value]
    if not isinstance(value, str):
        return value
    text = expand_variables(value, place)
    return text if text == value else FileText.of(text, str(place), shown=value, folder=Path())


def _model_options(table: object, path: Path, *, has_tasks: bool) -> dict[str, str]:
    """Return the options of a model as texts, as `-M` gives them, each with its place."""
    place = Place(path, MODEL_OPTIONS)
    if not isinstance(table, Mapping):
        raise UserError(f"{place} = {json.dumps(table, default=str)}: a table is expected, a line for each option.")
    if "tasks" in table and not has_tasks:  # in TOML, all that follows the table's head is in it
        raise UserError(f"{place.inside('tasks')}: move it out of the table {MODEL_OPTIONS}; in TOML, above its head.")
    texts: dict[str, str] = {}
    for name, value in with_underscores(path, table).items():
        plain, inside = _expanded(value, place.inside(name)), place.inside(name)
        text, shown = (one if isinstance(one, str) else json.dumps(one, default=str) for one in (plain, value))
        texts[name] = FileText.of(text, str(inside), shown=shown, folder=path.parent)
    return texts


def _from_folder(values: dict[str, Any], path: Path) -> dict[str, Any]:
    """Let relative paths start from the folder of the config file."""
    folder = path.parent
    if folder.resolve() == Path.cwd():
        return values
    for name, value in values.items():
        if name == "system" and isinstance(value, str):
            values[name] = str(system_file(value, folder) or value)
        elif name == "prompt" and isinstance(value, str | Path) and (is_prompt(value) or is_prompt_name(value)):
            continue
        elif isinstance(value, Path) or (name == "prompt" and isinstance(value, str)):
            values[name] = folder / Path(value).expanduser()
    model = values.get("model")
    if isinstance(model, str) and model not in MODELS and "base_url" not in values:
        values["model"] = locate_checkpoint(model, folder)
        if values["model"] == model and locate_checkpoint(model, Path.cwd()) != model:
            raise UserError(
                f"{path}: model = {model}: there is no such folder beside the file, from which its paths start: write "
                f"{os.path.relpath(model, folder)} for the one in the working directory."
            )
    return values
